"""Protection: what a person, or a segmentation model, says is to stay sharp.

A mask, a rectangle around the subject, and the mask of a model become upper bounds on sigma inside.
Their outlines are not used: the confidence rises from 0 at the border, so that the outline of the
subject comes from the picture. Where several cover a place, the first of mask, rectangle and model
counts. Scribbles override all of them (`stages.blur.unclaimed`).

A person's mask holds. A rectangle also covers background, and a model can be wrong: both hold only
where the picture does not contradict them. A place is contradicted if the edges around it are
blurred rather than sharp. A model of which most is contradicted is not used at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from stages.grid import BlurBounds, BlurMap, Grid, SparseBlur, lift
from stages.params import Array, Params, param

INSIDE = 0.5  # value of a mask above which a pixel is inside
SHARP_PX, BLURRED_PX = 1.05, 1.8  # px of the view; sigma of edges that are sharp, and blurred
EVIDENCE_WEIGHT = 0.3  # of a pixel of sharp detail, relative to a pixel of an edge
MIN_EDGES_SHARE = 0.004  # share of the window that are edges, for it to say something
CONTRADICTED = (0.4, 0.65)  # share of blurred edges: below, none; above, fully contradicted
LARGEST_RAMP = 0.5  # of the largest distance from the border
RECTANGLE_RAMP = 0.6  # of half the shorter side: corners of a rectangle are background


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionParams(Params):
    """Parameters of protection; px are those of the view."""

    sharp_px: float = param(0.3, 0.0, 4.0, unit="px", help="upper bound on sigma inside")
    outline_px: float = param(
        6.0, 0.0, 64.0, unit="px", help="distance from the border of a mask to full confidence"
    )
    window_px: float = param(
        16.0, 1.0, 128.0, unit="px", help="Gaussian window in which edges can contradict"
    )
    unsure: float = param(
        0.5, 0.0, 1.0, help="confidence of a rectangle and of a model; that of a mask is 1"
    )
    refused_share: float = param(
        0.5, 0.0, 1.0, help="contradicted share of a model's mask, above which it is not used"
    )


class Rectangle(NamedTuple):
    """A rectangle in full-resolution px: its upper left corner, width and height."""

    x: float
    y: float
    width: float
    height: float


class Protection(NamedTuple):
    """What is to stay sharp; None where nothing is given.

    Attributes
    ----------
    mask : Array or None
        Of a person, HxW float32 in [0, 1] at full resolution: 1 inside.
    rectangle : Rectangle or None
        Around the subject.
    model : Array or None
        Of a segmentation model, as `mask`.
    """

    mask: Array | None = None
    rectangle: Rectangle | None = None
    model: Array | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is given."""
        return self.mask is None and self.rectangle is None and self.model is None


class Contradiction(NamedTuple):
    """How much of a source (`mask`, `rectangle` or `model`) the measured blur contradicts.

    Attributes
    ----------
    source : str
        Name of the source.
    share : float
        Contradicted share of its area, in [0, 1].
    sigma_px : float
        Mean sigma of the blurred edges there, full-resolution px; 0 without any.
    """

    source: str
    share: float
    sigma_px: float


class Weighed(NamedTuple):
    """Bounds of a protection on the grid of the view (None: none), and what contradicts it."""

    bounds: BlurMap | None = None
    contradictions: tuple[Contradiction, ...] = ()


def weigh_protection(
    protection: Protection, edges: SparseBlur, evidence: BlurBounds, params: ProtectionParams
) -> Weighed:
    """Upper bounds of a protection, as far as the picture agrees.

    Parameters
    ----------
    protection : Protection
        What is to stay sharp.
    edges : BlurMap
        Sparse blur at edges; sigma in full-resolution px.
    evidence : BlurMap
        Upper bounds from detail, on the grid of the view.
    params : ProtectionParams
        Bound, confidences, and the window of edges.

    Returns
    -------
    Weighed
        Bounds on the grid of `evidence`; nothing if the protection is empty.
    """
    if protection.is_empty:
        return Weighed()
    grid = evidence.grid
    sides = _sides(edges, evidence, params)
    confidence = np.zeros(grid.shape, np.float32)
    contradictions = []
    for source, inside in _sources(protection, grid, params):
        covered = inside > 0
        contradicted = sides.contradicted * covered
        share = float(contradicted.sum() / max(covered.sum(), 1))
        weight = float((sides.blurred * covered).sum())
        sigma = float((sides.moment * covered).sum()) / weight if weight > 0 else 0.0
        contradictions.append(Contradiction(source, share, sigma))
        if source == "mask":
            held = inside
        elif source == "model" and share > params.refused_share:
            continue
        else:
            held = np.float32(params.unsure) * inside * (1 - contradicted)
        confidence = np.where(confidence > 0, confidence, held)
    sigma_px = np.float32(params.sharp_px * grid.step) * (confidence > 0)
    bounds = BlurMap(sigma_px.astype(np.float32), confidence.astype(np.float32), grid)
    return Weighed(bounds, tuple(contradictions))


def hold_bounds(evidence: BlurBounds, protected: Weighed) -> BlurBounds:
    """Upper bounds from detail and from a protection, on the grid of the view.

    Where there are both, the confidence is the larger one, and sigma the smaller one if that is the
    protection's.
    """
    added = protected.bounds
    if added is None:
        return evidence
    stronger = added.confidence > evidence.confidence
    known = np.where(evidence.confidence > 0, evidence.sigma, np.float32(np.inf))
    sigma = np.where(stronger, np.minimum(added.sigma, known), evidence.sigma)
    confidence = np.maximum(added.confidence, evidence.confidence)
    return BlurMap(sigma.astype(np.float32), confidence, evidence.grid)


class _Sides(NamedTuple):
    """Of the edges around each pixel: whether they contradict sharpness, and blurred weights."""

    contradicted: Array
    blurred: Array  # weight of blurred edges
    moment: Array  # that weight times sigma


def _sides(edges: SparseBlur, evidence: BlurBounds, params: ProtectionParams) -> _Sides:
    grid = evidence.grid
    edges = lift(edges, grid)
    step = np.float32(grid.step)
    share = _ramp(edges.sigma / step, (SHARP_PX, BLURRED_PX))
    weight = np.minimum(edges.confidence, 1)
    blurred = weight * share
    sharp = weight * (1 - share) + np.float32(EVIDENCE_WEIGHT) * evidence.confidence
    around, sharp_around = (
        cv2.GaussianBlur(np.asarray(side, np.float32), (0, 0), params.window_px)
        for side in (blurred, sharp)
    )
    total = np.maximum(around + sharp_around, np.float32(MIN_EDGES_SHARE))
    contradicted = _ramp(around / total, CONTRADICTED)
    return _Sides(contradicted, blurred, blurred * edges.sigma)


def _ramp(values: Array, ends: tuple[float, float]) -> Array:
    """Linear ramp from 0 to 1 between two values."""
    start, stop = np.float32(ends[0]), np.float32(ends[1])
    return np.asarray(np.clip((values - start) / (stop - start), 0, 1), np.float32)


def _sources(
    protection: Protection, grid: Grid, params: ProtectionParams
) -> list[tuple[str, Array]]:
    """The given sources by precedence, each with its confidence inside in [0, 1] on the grid."""
    found = []
    if protection.mask is not None:
        found.append(("mask", _within(_resized(protection.mask, grid), params)))
    if protection.rectangle is not None:
        found.append(("rectangle", _within_rectangle(protection.rectangle, grid)))
    if protection.model is not None:
        found.append(("model", _within(_resized(protection.model, grid), params)))
    return found


def _resized(mask: Array, grid: Grid) -> Array:
    if mask.shape == grid.shape:
        return mask
    return np.asarray(cv2.resize(mask, grid.shape[::-1], interpolation=cv2.INTER_AREA), np.float32)


def _within(mask: Array, params: ProtectionParams) -> Array:
    """The mask, with a ramp from its border inwards; the border of the picture is none."""
    inside = np.pad((mask > INSIDE).astype(np.uint8), 1, mode="edge")
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_5)[1:-1, 1:-1]
    ramp = min(params.outline_px, LARGEST_RAMP * float(distance.max()))
    return np.asarray(mask * np.clip(distance / max(ramp, 1e-6), 0, 1), np.float32)


def _within_rectangle(rectangle: Rectangle, grid: Grid) -> Array:
    """Confidence that falls from 1 in the middle part to 0 at the border."""
    reach = RECTANGLE_RAMP * min(rectangle.width, rectangle.height) / 2
    spans = ((rectangle.y, rectangle.height), (rectangle.x, rectangle.width))
    distances = [
        np.minimum(positions - start, start + size - positions)
        for positions, (start, size) in zip(
            (grid.positions(0), grid.positions(1)), spans, strict=True
        )
    ]
    inwards = np.minimum(distances[0][:, None], distances[1])
    return np.clip(inwards / reach, 0, 1).astype(np.float32)
