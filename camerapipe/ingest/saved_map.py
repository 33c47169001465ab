"""A blur map with the data needed to render from it as from the capture.

A picture depends on more than sigma: the dead zone follows from detail that is in focus, and
outlines are resolved by the map before upsampling. `SavedMap` contains both, so that `map` followed
by `render --from-map` gives the same picture as `render`.

If a map was edited, its digest differs from the one that it was written with. Its low-resolution
map is then derived from the edited sigma. The dead zone is a property of the capture, so it remains
valid after most edits. It is dropped only if the edit contradicts it: if less than half of the
pixels within it are still within it, or if a person named the point in focus and sigma at this
point exceeds it.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from camerapipe.errors import CaptureError
from stages.depth import DepthMap
from stages.grid import BlurMap, Grid, interpolate, lift
from stages.params import Array

ASPECT_SLACK = 0.02  # difference of aspect ratios that rounding of sizes explains
MIN_IN_FOCUS = 0.5  # share of what was in focus that an edited map must leave within the dead zone
DIGEST_BYTES = 16
LIKENESS_SIDE = 16
MIN_CORRELATION = 0.8  # of two developments of one photograph; most others have less


@dataclass(frozen=True, slots=True, kw_only=True)
class Focus:
    """Focus of a map.

    Attributes
    ----------
    dead_zone_px : float
        Sigma up to which a pixel counts as in focus, full-resolution px.
    zone : BlurMap or None
        The same by place, if it is not equal everywhere; `dead_zone_px` is then its median.
    point : (float, float) or None
        Pixel (x, y) that a person named as in focus, if any.
    step : int
        Step of the grid of the estimate. If another point is named, the floor of the dead zone
        depends on it.
    """

    dead_zone_px: float
    zone: BlurMap | None = field(default=None, compare=False)
    point: tuple[float, float] | None = None
    step: int = 1

    @classmethod
    def of(cls, dead_zone: float | BlurMap, point: tuple[float, float] | None, step: int) -> Focus:
        """Focus of a dead zone, which is one number or a map."""
        if not isinstance(dead_zone, BlurMap):
            return cls(dead_zone_px=dead_zone, point=point, step=step)
        zone = dead_zone if dead_zone.sigma.size > 1 else None
        middle = float(np.median(dead_zone.sigma))
        return cls(dead_zone_px=middle, zone=zone, point=point, step=step)

    @property
    def dead_zone(self) -> float | BlurMap:
        """The dead zone as the stages read it."""
        return self.dead_zone_px if self.zone is None else self.zone


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SavedMap:
    """A blur map with the data needed to render from it.

    Attributes
    ----------
    blur : BlurMap
        Map to render from; sigma in full-resolution px.
    low : BlurMap or None
        Map before upsampling; None if there was no upsampling, or if it is unknown.
    focus : Focus or None
        None if the focus has to be found from the map.
    depth : DepthMap or None
        The depth that the map came from, if any. Only JPEG files store it.
    likeness : Array or None
        The picture that the map was written for (`likeness_of`); None if it is unknown.
    assumptions : tuple of str
        Sentences about properties that a file does not state.
    """

    blur: BlurMap
    low: BlurMap | None = None
    focus: Focus | None = None
    depth: DepthMap | None = None
    likeness: npt.NDArray[np.uint8] | None = None
    assumptions: tuple[str, ...] = ()


def digest_of(codes: npt.NDArray[Any]) -> str:
    """Digest of the values of a plane of sigma, independent of the byte order."""
    plain = np.ascontiguousarray(codes, codes.dtype.newbyteorder("<"))
    return hashlib.blake2b(plain.data, digest_size=DIGEST_BYTES).hexdigest()


def likeness_of(linear: Array) -> npt.NDArray[np.uint8]:
    """Codes of the brightness of a picture (HxWx3 linear light), reduced to 16x16."""
    small = cv2.resize(linear, (LIKENESS_SIDE, LIKENESS_SIDE), interpolation=cv2.INTER_AREA)
    grey = np.clip(np.asarray(small).mean(axis=2), 0, 1) ** (1 / 2.2)
    return np.asarray(np.rint(grey * 255), np.uint8)


def is_alike(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> bool:
    """Whether two likenesses may be of one picture, also with another exposure or contrast."""
    a, b = (np.asarray(each, np.float64).ravel() - each.mean() for each in (one, other))
    return bool(a @ b >= MIN_CORRELATION * math.sqrt((a @ a) * (b @ b)))


def after_edit(saved: SavedMap, low_grid: Grid) -> SavedMap:
    """Valid parts of a map whose sigma was edited; `saved.low` is from before the edit."""
    low = lift(saved.blur, low_grid)
    focus = saved.focus
    notes = ["The map was edited after it was written: outlines follow the edited sigma."]
    if focus is not None and not _still_in_focus(saved, low, focus):
        notes.append("What was in focus is not any more.")
        focus = None
    return replace(saved, low=low, focus=focus, assumptions=(*saved.assumptions, *notes))


def _still_in_focus(saved: SavedMap, low: BlurMap, focus: Focus) -> bool:
    if focus.point is not None:
        return sigma_at(saved.blur, focus.point) <= focus.dead_zone_px
    if saved.low is None:  # nothing is left to compare with
        return True
    before = saved.low.sigma <= focus.dead_zone_px
    kept = np.count_nonzero(before & (low.sigma <= focus.dead_zone_px))
    return bool(kept >= MIN_IN_FOCUS * np.count_nonzero(before))


def sigma_at(blur: BlurMap, point: tuple[float, float]) -> float:
    """Sigma of the sample nearest to a pixel (x, y) of the picture, px."""
    grid = blur.grid
    places = (round((at - grid.phase) / grid.step) for at in (point[1], point[0]))
    y, x = (min(max(at, 0), size - 1) for at, size in zip(places, grid.shape, strict=True))
    return float(blur.sigma[y, x])


def covers(grid: Grid, full_shape: tuple[int, int]) -> bool:
    """Whether a grid is one over a picture of this shape."""
    return grid.step >= 1 and grid.shape == tuple(-(-n // grid.step) for n in full_shape)


def coarse_grid(full_shape: tuple[int, int], step: int, phase: float) -> Grid:
    """The grid of a step and a phase over a picture of this shape."""
    rows, cols = (-(-n // step) for n in full_shape)
    return Grid((rows, cols), step, phase)


def fitted(plane: Array, full_shape: tuple[int, int]) -> Array:
    """A plane of another size, resized to the picture; values are in full-resolution pixels."""
    if plane.shape == full_shape:
        return plane
    (rows, cols), (height, width) = plane.shape, full_shape
    if abs(cols * height / (rows * width) - 1) > ASPECT_SLACK:
        raise CaptureError(
            f"the map has {cols} x {rows} pixels and another shape than the picture "
            f"({width} x {height}); make it for this picture"
        )
    shrinking = rows > height
    method = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plane, (width, height), interpolation=method), np.float32)


def fitted_map(saved: SavedMap, full_shape: tuple[int, int]) -> SavedMap:
    """A map that was made for a picture of another size, resized to this one."""
    grid = saved.blur.grid
    if covers(grid, full_shape):
        return saved
    (rows, cols), (height, width) = grid.shape, full_shape
    sigma, confidence = (fitted(p, full_shape) for p in (saved.blur.sigma, saved.blur.confidence))
    blur = BlurMap(sigma, confidence, Grid(full_shape))
    low, focus = None, saved.focus
    if saved.low is not None:
        low = lift(blur, coarse_grid(full_shape, saved.low.grid.step, saved.low.grid.phase))
    if focus is not None and focus.zone is not None:
        zone = fitted(interpolate(focus.zone.sigma, focus.zone.grid, grid), full_shape)
        focus = replace(focus, zone=BlurMap(zone, np.ones_like(zone), Grid(full_shape)))
    if focus is not None and focus.point is not None:
        x, y = focus.point
        scale_x, scale_y = width / (cols * grid.step), height / (rows * grid.step)
        focus = replace(focus, point=(x * scale_x, y * scale_y))
    note = f"The map has {cols} x {rows} pixels and is resized to {width} x {height}."
    notes = (*saved.assumptions, note)
    return replace(saved, blur=blur, low=low, focus=focus, assumptions=notes)


def scaled_map(saved: SavedMap, full_shape: tuple[int, int]) -> SavedMap:
    """A full-resolution map for the picture in another size, its sigma in px of that size.

    The map before upsampling is left out: no picture is rendered from it.
    """
    (rows, cols), (height, width) = saved.blur.grid.shape, full_shape
    scale = np.float32(np.sqrt(height / rows * width / cols))

    def in_px(blur: BlurMap) -> BlurMap:
        return BlurMap(blur.sigma * scale, blur.confidence, blur.grid)

    found = fitted_map(replace(saved, low=None), full_shape)
    focus = found.focus
    if focus is not None:
        zone = None if focus.zone is None else in_px(focus.zone)
        focus = replace(focus, dead_zone_px=focus.dead_zone_px * float(scale), zone=zone)
    return replace(saved, blur=in_px(found.blur), low=None, focus=focus)
