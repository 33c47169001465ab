"""Parameters of edge detection and blur estimation."""

from __future__ import annotations

from dataclasses import dataclass

from stages.blur.gradients import gaussian_radius
from stages.params import Params, param

CLIPPED_REACH_PX = 3  # px of the view; edges this near to a clipped pixel are not used


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
    largest_sigma_px: float = param(
        8.0, 0.5, 64.0, unit="px", help="larger estimates are clipped to this"
    )
    exact: bool = param(
        True,
        help="discrete formula, noise energy subtracted, clipped edges dropped, 3x3 maxima of the "
        "energies at sharp edges; off: eq. (1) of the paper",
    )
    pool_px: float = param(
        2.0, 0.5, 16.0, unit="px", help="Gaussian window over which energies of edges are pooled"
    )
    balance: float = param(
        0.6,
        0.0,
        2.0,
        help="weight of an edge is its blur to this power, since blurred regions have fewer edges",
    )
    doubt: float = param(
        0.95,
        0.0,
        1.0,
        help="share of its weight that a wide edge loses if its width grows with the scale",
    )
    cleanup_radius_px: int = param(
        8, 1, 64, unit="px", help="window of the guided clean-up of the sparse map (paper presets)"
    )
    cleanup_epsilon: float = param(1e-2, 1e-8, 1.0, help="regularisation of the guided clean-up")
    strip_rows: int = param(
        256, 1, unit="px", help="rows per strip: limits memory, does not change the result"
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
        """Rows above and below a strip that its estimate depends on."""
        widest = max(self.edge_scale_px, self.coarse_scale_px)
        reach = gaussian_radius(widest) + 1 + 1  # smoothing, Scharr, neighbours of a maximum
        return max(reach, CLIPPED_REACH_PX)
