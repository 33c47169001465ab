"""Upper bounds on the dense map at fine detail that the solve cannot resolve, such as hair.

Evidence of sharpness bounds the dense full-resolution map on the pixels that carry the detail.
Three rules prevent isolated sharp specks in blurred regions:

- Bounds are at least `MIN_BOUND_PX`. A map does not resolve smaller differences from focus, so
  nearly sharp pixels do not change.
- Evidence next to a region that the map already shows as sharp is called explained. It has no
  effect, because it belongs to the edge of that region.
- Components of evidence shorter than `HAIR_PX` are removed unless enough of their cells are
  explained. Hairs are long; short components are noise, compression artefacts or glints.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stages.blur.evidence import PRESENT
from stages.blur.formula import smoothstep
from stages.grid import (
    TAPS,
    BlurBounds,
    BlurMap,
    DenseBlur,
    interpolate,
    linear_taps,
    mix,
    mix_along,
)
from stages.kernels import f32, i32, i64, kernel, reads, u8, writes
from stages.params import Array
from stages.strips import run_strips

SPREAD_PX = 0.8  # px of the view, Gaussian that smooths the weight of the bounds
SPREAD_GAIN = 1.3  # restores the weight that the Gaussian takes from lines one pixel wide
MIN_BOUND_PX = 0.8  # px of the view; the map does not resolve smaller blur
EXPLAINED_REACH_PX = 2  # px of the view, reach of an edge at the fine gradient scale
EXPLAINED = (1.5, 2.0)  # smallest sigma nearby, over the bound: below explained, above missed
HAIR_PX = 32  # px of the view; shorter components of evidence must be partly explained
MIN_EXPLAINED_SHARE = 0.3  # of the cells of a short component, for it to be kept


def keep_detail(blur: DenseBlur, evidence: BlurBounds) -> DenseBlur:
    """Lower a dense full-resolution map to the bounds, on the pixels that carry the detail.

    Parameters
    ----------
    blur : BlurMap
        Dense map at full resolution; sigma in full-resolution px.
    evidence : BlurMap
        Upper bounds (`sharpness_evidence`) on the grid of the view; sigma in full-resolution px,
        confidence in [0, 1].

    Returns
    -------
    BlurMap
        Map with sigma - c max(0, sigma - u), for a bound u of weight c. The weight is 0 where the
        map is about as sharp as u nearby. Such evidence belongs to the edge of a sharp region, and
        applying it would sharpen the background beside that edge.
    """
    if not evidence.confidence.any():
        return blur
    trust, reduced = _protection(blur, evidence)
    out = np.empty_like(blur.sigma)
    rows, cols = (linear_taps(evidence.grid, blur.grid, axis) for axis in (0, 1))
    run_strips(
        lambda start, stop: _pull(blur.sigma, trust, reduced, rows, cols, start, stop, out),
        out.shape[0],
    )
    return BlurMap(out, blur.confidence, blur.grid)


def _protection(blur: BlurMap, evidence: BlurMap) -> tuple[Array, Array]:
    """Weight of the bounds in [0, 1], and weight times bound, on the grid of the evidence."""
    same = blur.grid == evidence.grid
    known = blur.sigma if same else interpolate(blur.sigma, blur.grid, evidence.grid)
    sharpest = cv2.erode(known, np.ones((2 * EXPLAINED_REACH_PX + 1,) * 2, np.uint8))
    missed, bound = np.empty_like(known), np.empty_like(known)
    least = MIN_BOUND_PX * evidence.grid.step
    shape = (2, -(-known.shape[0] // 2), -(-known.shape[1] // 2))
    present, explained = np.zeros(shape, np.uint8)
    _missed(sharpest, evidence.sigma, evidence.confidence, least, missed, bound, present, explained)
    _drop_specks(present, explained, missed, bound)
    bound = cv2.erode(bound, np.ones((3, 3), np.uint8))
    trust = cv2.GaussianBlur(missed, (5, 5), SPREAD_PX)
    _weigh(trust, bound)
    return trust, bound


def _drop_specks(
    present: npt.NDArray[np.uint8], explained: npt.NDArray[np.uint8], missed: Array, bound: Array
) -> None:
    """Clear short components of evidence of which too little is explained, in place."""
    count, labels = cv2.connectedComponents(present, connectivity=8)
    box, area, sharp = np.zeros((4, count), np.int32), *np.zeros((2, count), np.int32)
    _measure(labels, explained, box, area, sharp)
    kept = 2 * np.hypot(box[2] - box[0] + 1, box[3] - box[1] + 1) >= HAIR_PX
    kept |= sharp >= MIN_EXPLAINED_SHARE * area
    kept[0] = False
    _clear(labels, kept.view(np.uint8), missed, bound)


@kernel(
    reads(f32, 2), reads(f32, 2), reads(f32, 2), f32, writes(f32, 2), writes(f32, 2),
    writes(u8, 2), writes(u8, 2),
)  # fmt: skip
def _missed(sharpest, limit, confidence, least, missed, bound, present, explained):  # type: ignore[no-untyped-def]
    """Write the confidence of evidence that is not explained, and its bounds (else infinite).

    Cells of 2 x 2 pixels with evidence, and with explained evidence, are set to 1 in `present` and
    `explained`, which are 0 before.
    """
    for y in range(missed.shape[0]):
        for x in range(missed.shape[1]):
            missed[y, x], bound[y, x] = 0, np.inf
            trust = confidence[y, x]
            if trust > 0:
                bound[y, x] = max(limit[y, x], least)
                ratio = sharpest[y, x] / bound[y, x]
                part = smoothstep(ratio, EXPLAINED[0], EXPLAINED[1])
                missed[y, x] = trust * part
                if trust > PRESENT:
                    present[y // 2, x // 2] = 1
                    if part < 0.5:
                        explained[y // 2, x // 2] = 1


@kernel(reads(i32, 2), reads(u8, 2), writes(i32, 2), writes(i32, 1), writes(i32, 1))
def _measure(labels, marked, box, area, count):  # type: ignore[no-untyped-def]
    """Write bounding box, area and marked cells of every label but 0; all arrays are 0 before."""
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            k = labels[y, x]
            if k == 0:
                continue
            if area[k] == 0:
                box[0, k], box[1, k], box[3, k] = y, x, x
            box[1, k] = min(box[1, k], x)
            box[2, k] = y
            box[3, k] = max(box[3, k], x)
            area[k] += 1
            count[k] += marked[y, x]


@kernel(reads(i32, 2), reads(u8, 1), writes(f32, 2), writes(f32, 2))
def _clear(labels, kept, missed, bound):  # type: ignore[no-untyped-def]
    """Set confidence 0 and an infinite bound at pixels in cells whose label is not kept."""
    for y in range(missed.shape[0]):
        for x in range(missed.shape[1]):
            if not kept[labels[y // 2, x // 2]]:
                missed[y, x], bound[y, x] = 0, np.inf


@kernel(writes(f32, 2), writes(f32, 2))
def _weigh(trust, bound):  # type: ignore[no-untyped-def]
    """Turn smoothed confidence into weight in [0, 1], and bound into weight times bound, in place.

    Smoothing extends beyond the bounds; the weight is 0 where there is none.
    """
    gain, one = np.float32(SPREAD_GAIN), np.float32(1)
    for y in range(trust.shape[0]):
        for x in range(trust.shape[1]):
            known = bound[y, x] < np.inf
            share = min(gain * trust[y, x], one) if known else np.float32(0)
            trust[y, x] = share
            bound[y, x] = share * bound[y, x] if known else np.float32(0)


@kernel(
    reads(f32, 2), reads(f32, 2), reads(f32, 2), TAPS, TAPS, i64, i64, writes(f32, 2)
)  # fmt: skip
def _pull(  # type: ignore[no-untyped-def]
    sigma, trust, reduced, vertical, horizontal, start, stop, out
):
    """Apply the bounds to rows [start, stop); `reduced` is trust times bound."""
    above, below, down = vertical
    weights = np.empty((2, out.shape[1]), np.float32)
    bounds = np.empty_like(weights)
    kept = np.full(2, -1)  # the even and the odd row of the evidence that are already interpolated
    for y in range(start, stop):
        for row in (above[y], below[y]):
            if kept[row % 2] != row:
                kept[row % 2] = row
                mix_along(trust[row], horizontal, weights[row % 2])
                mix_along(reduced[row], horizontal, bounds[row % 2])
        weight0, weight1 = weights[above[y] % 2], weights[below[y] % 2]
        bound0, bound1 = bounds[above[y] % 2], bounds[below[y] % 2]
        part, blur, pulled = down[y], sigma[y], out[y]
        for x in range(blur.size):
            weight, bound = mix(weight0[x], weight1[x], part), mix(bound0[x], bound1[x], part)
            pulled[x] = blur[x] - max(weight * blur[x] - bound, np.float32(0))
