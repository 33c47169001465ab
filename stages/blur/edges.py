"""Edges of a view and their blur: what must be known of the whole, and what is local.

Values are luma of a display-encoded view in [0, 1]; blur is in pixels of the view.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from stages.arrays import luma
from stages.kernels import b1, f32, inline, kernel, reads, u8, writes
from stages.params import Array, Params, param
from stages.strips import run_strips, with_halo

SCHARR_VARIANCE = 0.345  # px^2, added by the Scharr operator: between 1/3 (central difference) and
# 3/8 (its cross smoothing)
NOISE_FLOOR = 0.3 / 255  # luma; quantisation alone is 0.29 of a code
NOISE_SIGNIFICANCE = 6.0  # an edge stands this many noise deviations out
LOW_OVER_HIGH = 0.4  # hysteresis: weak threshold as a share of the strong one
LEAST_RATIO = 1.02  # below, A and B do not differ beyond noise: no data, never "very blurred"
CLIPPED = 250 / 255  # encoded; a clipped edge looks sharper than it is
CLIPPED_REACH_PX = 3  # around a clipped pixel, in pixels of the view
ENERGY_FLOOR = np.float32(1e-12)  # luma^2 / px^2, guards the ratio
SECOND_DIFFERENCE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
SHARP_BLEND = (0.6, 1.6)  # px: below, the 3x3 maximum is trusted; above, the pixel itself
LEAST_SIGMA = 0.2  # px of the view: sharper cannot be told apart
NOISE_BINS, NOISE_RANGE = 8192, 1.0  # histogram of the second difference: strips add up exactly


@dataclass(frozen=True, slots=True, kw_only=True)
class BlurParams(Params):
    """Edge detection and blur estimation, in pixels of the working view."""

    edge_scale_px: float = param(
        2.5, 0.3, 8.0, unit="px", help="Gaussian smoothing before edge detection"
    )
    edge_threshold: float = param(
        0.1, 0.0, 1.0, help="strong edges exceed this share of the largest gradient"
    )
    least_gradient: float = param(
        0.0, 0.0, 1.0, unit="luma/px", help="strong edges exceed this gradient in any case"
    )
    fine_scale_px: float = param(1.0, 0.0, 8.0, unit="px", help="finer gradient scale a")
    coarse_scale_px: float = param(2.0, 0.1, 16.0, unit="px", help="coarser gradient scale b")
    largest_sigma_px: float = param(8.0, 0.5, 64.0, unit="px", help="larger estimates are cut here")
    exact: bool = param(
        True,
        help="discrete formula, noise energy subtracted, clipped edges dropped, sharp edges by "
        "their 3x3 maximum; off: the paper's eq. (1)",
    )
    pool_px: float = param(
        2.0, 0.5, 16.0, unit="px", help="Gaussian over which edges share their energies"
    )
    cleanup_radius_px: int = param(
        8, 1, 64, unit="px", help="window of the guided clean-up of the sparse map (paper presets)"
    )
    cleanup_epsilon: float = param(1e-2, 1e-8, 1.0, help="regularisation of the guided clean-up")
    strip_rows: int = param(
        256, 1, unit="px", help="rows estimated at a time: bounds memory, changes no result"
    )

    def __post_init__(self) -> None:
        Params.__post_init__(self)
        if self.fine_scale_px >= self.coarse_scale_px:
            raise ValueError(
                "blur.fine_scale_px: expected less than blur.coarse_scale_px; got "
                f"{self.fine_scale_px} and {self.coarse_scale_px}"
            )

    @property
    def halo(self) -> int:
        """Rows around a strip that its estimate depends on."""
        widest = max(self.edge_scale_px, self.coarse_scale_px)
        reach = _gaussian_radius(widest) + 1 + 1  # smoothing, Scharr, neighbours of a maximum
        return max(reach, CLIPPED_REACH_PX)


class EdgeSurvey(NamedTuple):
    """What must be known of the whole picture before its edges can be judged."""

    largest_gradient: float
    noise_histogram: npt.NDArray[np.int64]


class EdgeCandidates(NamedTuple):
    """Thinned edges: `strength` HxW uint8 (0 none, 1 weak, 2 strong) and their blur in view px.

    `sigma` is 0 where an edge has no valid estimate; such an edge still links others.
    """

    sigma: Array
    strength: npt.NDArray[np.uint8]


def survey(view: Array, params: BlurParams) -> EdgeSurvey:
    """Find the largest gradient and the noise histogram of a view.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1].
    params : BlurParams
        `edge_scale_px` is used.
    """

    def part(start: int, stop: int) -> EdgeSurvey:
        read, core = with_halo(start, stop, params.halo, view.shape[0])
        plane = luma(view[read])
        gx, gy = (component[core] for component in gradient(plane, params.edge_scale_px))
        second = np.abs(cv2.filter2D(plane, -1, SECOND_DIFFERENCE)[core])
        codes = np.minimum(second * (NOISE_BINS / NOISE_RANGE), NOISE_BINS - 1).astype(np.int32)
        counts = np.bincount(codes.ravel(), minlength=NOISE_BINS)
        return EdgeSurvey(math.sqrt(float(np.max(gx * gx + gy * gy))), counts)

    parts = run_strips(part, view.shape[0], params.strip_rows)
    histogram = np.sum([p.noise_histogram for p in parts], axis=0)
    return EdgeSurvey(max(p.largest_gradient for p in parts), histogram)


def noise_sigma(found: EdgeSurvey) -> float:
    """Standard deviation of the luma noise from the median second difference (Immerkaer 1996)."""
    half = (int(found.noise_histogram.sum()) + 1) // 2
    median_bin = int(np.searchsorted(np.cumsum(found.noise_histogram), half))
    median = (median_bin + 0.5) * NOISE_RANGE / NOISE_BINS
    return max(median / (6 * 0.6745), NOISE_FLOOR)


def noise_gain(scale_px: float) -> float:
    """Deviation of one Scharr component after a Gaussian, for white noise of deviation 1."""
    size = 2 * (_gaussian_radius(scale_px) + 2) + 1
    impulse = np.zeros((size, size), np.float32)
    impulse[size // 2, size // 2] = 1
    return float(np.sqrt(np.sum(gradient(impulse, scale_px)[0].astype(np.float64) ** 2)))


def edge_thresholds(found: EdgeSurvey, params: BlurParams) -> tuple[float, float]:
    """Weak and strong threshold of the gradient magnitude at the edge scale."""
    strong = max(params.edge_threshold * found.largest_gradient, params.least_gradient)
    if params.exact:
        noise = noise_sigma(found) * noise_gain(params.edge_scale_px)
        strong = max(strong, NOISE_SIGNIFICANCE * noise)
    return LOW_OVER_HIGH * strong, strong


def thin_edges(view: Array, found: EdgeSurvey, params: BlurParams) -> npt.NDArray[np.uint8]:
    """Thin the edges of a view: HxW, 0 none, 1 weak, 2 strong. Arguments as of `edge_blur`."""
    strength = np.zeros(view.shape[:2], np.uint8)
    low, high = edge_thresholds(found, params)

    def part(start: int, stop: int) -> None:
        read, core = with_halo(start, stop, params.halo, view.shape[0])
        local = np.zeros((read.stop - read.start, view.shape[1]), np.uint8)
        _thin(*gradient(luma(view[read]), params.edge_scale_px), low, high, local)
        strength[start:stop] = local[core]

    run_strips(part, view.shape[0], params.strip_rows)
    return strength


def edge_blur(view: Array, found: EdgeSurvey, params: BlurParams) -> EdgeCandidates:
    """Thin the edges of a view and estimate their blur.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1].
    found : EdgeSurvey
        Survey of the whole picture.
    params : BlurParams
        Scales and thresholds.

    Returns
    -------
    EdgeCandidates
        Blur in pixels of the view.
    """
    candidates = EdgeCandidates(
        np.zeros(view.shape[:2], np.float32), np.zeros(view.shape[:2], np.uint8)
    )

    def part(start: int, stop: int) -> None:
        read, core = with_halo(start, stop, params.halo, view.shape[0])
        local = _edge_blur_of(view[read], found, params)
        candidates.sigma[start:stop] = local.sigma[core]
        candidates.strength[start:stop] = local.strength[core]

    run_strips(part, view.shape[0], params.strip_rows)
    return candidates


def _edge_blur_of(view: Array, found: EdgeSurvey, params: BlurParams) -> EdgeCandidates:
    """Estimate one strip, its halo included (where the outermost rows are not to be used)."""
    plane = luma(view)
    candidates = EdgeCandidates(np.zeros(plane.shape, np.float32), np.zeros(plane.shape, np.uint8))
    low, high = edge_thresholds(found, params)
    _thin(*gradient(plane, params.edge_scale_px), low, high, candidates.strength)
    noise = noise_sigma(found) if params.exact else 0.0
    offset = SCHARR_VARIANCE if params.exact else 0.0
    _estimate_at_edges(
        _energy(plane, params.fine_scale_px, noise), _energy(plane, params.coarse_scale_px, noise),
        candidates.strength,
        params.fine_scale_px**2 + offset, params.coarse_scale_px**2 + offset,
        params.largest_sigma_px, params.exact,
        candidates.sigma,
    )  # fmt: skip
    if params.exact:
        candidates.sigma[clipped_pixels(view)] = 0
    return candidates


def clipped_pixels(view: Array) -> npt.NDArray[np.bool_]:
    """Where a channel is clipped, or nearly so, within `CLIPPED_REACH_PX`."""
    clipped = (cv2.reduce(view.reshape(-1, 3), 1, cv2.REDUCE_MAX) >= CLIPPED).astype(np.uint8)
    reach = np.ones((2 * CLIPPED_REACH_PX + 1,) * 2, np.uint8)
    return np.asarray(cv2.dilate(clipped.reshape(view.shape[:2]), reach) > 0)


def _gaussian_radius(scale_px: float) -> int:
    return math.ceil(4 * scale_px)


def gradient(plane: Array, scale_px: float) -> tuple[Array, Array]:
    """Scharr gradient of a plane after Gaussian smoothing, per pixel of the plane."""
    if scale_px > 0:
        size = (2 * _gaussian_radius(scale_px) + 1,) * 2
        plane = cv2.GaussianBlur(plane, size, scale_px, borderType=cv2.BORDER_REFLECT_101)
    return (
        cv2.Scharr(plane, cv2.CV_32F, 1, 0, scale=1 / 32, borderType=cv2.BORDER_REFLECT_101),
        cv2.Scharr(plane, cv2.CV_32F, 0, 1, scale=1 / 32, borderType=cv2.BORDER_REFLECT_101),
    )


def _energy(plane: Array, scale_px: float, noise: float) -> Array:
    """Gradient energy at a scale, less what white noise of that deviation contributes."""
    gx, gy = gradient(plane, scale_px)
    expected = 2 * (noise_gain(scale_px) * noise) ** 2 if noise else 0.0
    return np.maximum(gx * gx + gy * gy - np.float32(expected), ENERGY_FLOOR)


@inline
def _sigma_from(fine, coarse, fine_variance, coarse_variance, largest):  # type: ignore[no-untyped-def]
    """Blur from two gradient energies; 0 where their ratio says nothing."""
    ratio = fine / coarse
    if ratio <= LEAST_RATIO:
        return np.float32(0)
    square = (coarse_variance - ratio * fine_variance) / (ratio - np.float32(1))
    return np.float32(min(math.sqrt(max(square, LEAST_SIGMA * LEAST_SIGMA)), largest))


@inline
def _magnitude(gx, gy, y, x):  # type: ignore[no-untyped-def]
    return math.sqrt(gx[y, x] * gx[y, x] + gy[y, x] * gy[y, x])


@inline
def _is_ridge(gx, gy, y, x, here):  # type: ignore[no-untyped-def]
    """Is the gradient largest along its own direction? Neighbours by linear interpolation."""
    ax, ay = abs(gx[y, x]), abs(gy[y, x])
    turn = 1 if gx[y, x] * gy[y, x] >= 0 else -1
    if ax >= ay:
        slope, side_y, side_x = ay / ax, 0, 1
    else:
        slope, side_y, side_x = ax / ay, turn, 0
    ahead = (1 - slope) * _magnitude(gx, gy, y + side_y, x + side_x) + slope * _magnitude(
        gx, gy, y + turn, x + 1
    )
    behind = (1 - slope) * _magnitude(gx, gy, y - side_y, x - side_x) + slope * _magnitude(
        gx, gy, y - turn, x - 1
    )
    return here > ahead and here >= behind


@kernel(reads(f32, 2), reads(f32, 2), f32, f32, writes(u8, 2))
def _thin(gx, gy, low, high, strength):  # type: ignore[no-untyped-def]
    """Non-maximum suppression: writes 1 at weak edges and 2 at strong ones."""
    for y in range(1, gx.shape[0] - 1):
        for x in range(1, gx.shape[1] - 1):
            if gx[y, x] * gx[y, x] + gy[y, x] * gy[y, x] <= low * low:
                continue
            here = _magnitude(gx, gy, y, x)
            if here > low and _is_ridge(gx, gy, y, x, here):
                strength[y, x] = 2 if here > high else 1


@kernel(
    reads(f32, 2), reads(f32, 2), reads(u8, 2), f32, f32, f32, b1, writes(f32, 2),
)  # fmt: skip
def _estimate_at_edges(  # type: ignore[no-untyped-def]
    fine, coarse, strength, fine_variance, coarse_variance, largest, exact, sigma
):
    """Blur of every edge by itself, from its two energies."""
    sharp, soft = SHARP_BLEND
    for y in range(1, fine.shape[0] - 1):
        for x in range(1, fine.shape[1] - 1):
            if strength[y, x] == 0:
                continue
            own = _sigma_from(fine[y, x], coarse[y, x], fine_variance, coarse_variance, largest)
            if not exact:
                sigma[y, x] = own
                continue
            # A coarse edge may lie a pixel off a sharp one: look for both maxima around it.
            top_fine, top_coarse = fine[y, x], coarse[y, x]
            for v in range(y - 1, y + 2):
                for u in range(x - 1, x + 2):
                    top_fine, top_coarse = max(top_fine, fine[v, u]), max(top_coarse, coarse[v, u])
            near = _sigma_from(top_fine, top_coarse, fine_variance, coarse_variance, largest)
            if near > 0 and (own > 0 or near < sharp):
                t = min(max((near - sharp) / (soft - sharp), 0.0), 1.0)
                t = t * t * (3 - 2 * t)
                sigma[y, x] = near + t * (own - near)
