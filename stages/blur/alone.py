"""Blur of each edge pixel, independent of its neighbours, from its gradient energies at two scales.

The formula is that of the paper, or the exact one of `stages.blur` (`BlurParams.exact`). Values are
luma of a display-encoded view in [0, 1]. Blur is in pixels of the view.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.arrays import luma
from stages.blur.edges import clipped_pixels, edge_thresholds, mark_edges
from stages.blur.formula import ISOLATED, SCHARR_VARIANCE, SHARP_BLEND, ratio_blur, smoothstep
from stages.blur.gradients import gradient_energy, noise_energy, smooth, smoothing_variance
from stages.blur.params import BlurParams
from stages.blur.survey import EdgeSurvey, find_ridges, noise_sigma
from stages.kernels import b1, f32, kernel, reads, u8, writes
from stages.kinds import Encoded
from stages.params import Array
from stages.strips import run_strips, with_halo


class EdgeCandidates(NamedTuple):
    """Thinned edges and their blur.

    Attributes
    ----------
    sigma : Array
        Blur of edge pixels, HxW float32, px of the view; 0 where there is no valid estimate.
    strength : array of uint8
        HxW: 0 no edge, 1 weak edge, 2 strong edge. Edge pixels without a valid estimate are
        included, since they connect others in hysteresis thresholding.
    """

    sigma: Array
    strength: npt.NDArray[np.uint8]


def edge_blur(view: Encoded, found: EdgeSurvey, params: BlurParams) -> EdgeCandidates:
    """Thin the edges of a view and estimate their blur.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1].
    found : EdgeSurvey
        Gradient statistics of the whole view. Its ridges are not used, so `params` may have
        another edge scale than the survey.
    params : BlurParams
        Scales and thresholds.

    Returns
    -------
    EdgeCandidates
        Edges of the view, with blur in pixels of the view.
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
    """Edges of a strip that includes its halo; rows of the halo are not valid."""
    plane = luma(view)
    sigma, strength = np.zeros(plane.shape, np.float32), np.zeros(plane.shape, np.uint8)
    low, high = edge_thresholds(found, params)
    smoothed = smooth(plane, params.edge_scale_px)
    mark_edges(find_ridges(smoothed, slice(0, plane.shape[0]), low, 0), low, high, strength)
    noise = noise_sigma(found) if params.exact else 0.0
    offset = SCHARR_VARIANCE if params.exact else 0.0
    _estimate_at_edges(
        _energy(plane, params.fine_scale_px, noise), _energy(plane, params.coarse_scale_px, noise),
        strength,
        smoothing_variance(params.fine_scale_px) + offset,
        smoothing_variance(params.coarse_scale_px) + offset,
        params.largest_sigma_px, params.exact,
        sigma,
    )  # fmt: skip
    if params.exact:
        sigma[clipped_pixels(view)] = 0
    return EdgeCandidates(sigma, strength)


def _energy(plane: Array, scale_px: float, noise: float) -> Array:
    """Gradient energy at a scale, minus the expected energy of white noise, HxW luma^2 / px^2."""
    expected = np.float32(noise_energy(scale_px, noise))
    return gradient_energy(plane, scale_px) - expected


@kernel(
    reads(f32, 2), reads(f32, 2), reads(u8, 2), f32, f32, f32, b1, writes(f32, 2),
)  # fmt: skip
def _estimate_at_edges(  # type: ignore[no-untyped-def]
    fine, coarse, strength, fine_variance, coarse_variance, largest, exact, sigma
):
    """Write the blur of every edge pixel, in px of the view, from its two energies."""
    sharp, soft = SHARP_BLEND
    for y in range(1, fine.shape[0] - 1):
        for x in range(1, fine.shape[1] - 1):
            if strength[y, x] == 0:
                continue
            own = ratio_blur(
                fine[y, x], coarse[y, x], fine_variance, coarse_variance, ISOLATED, largest
            )
            if not exact:
                sigma[y, x] = own
                continue
            # The maximum at the coarse scale may be one pixel away from that at the fine scale.
            top_fine, top_coarse = fine[y, x], coarse[y, x]
            for v in range(y - 1, y + 2):
                for u in range(x - 1, x + 2):
                    top_fine, top_coarse = max(top_fine, fine[v, u]), max(top_coarse, coarse[v, u])
            near = ratio_blur(
                top_fine, top_coarse, fine_variance, coarse_variance, ISOLATED, largest
            )
            if near > 0 and (own > 0 or near < sharp):
                sigma[y, x] = near + smoothstep(near, sharp, soft) * (own - near)
