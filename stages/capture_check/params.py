"""Thresholds of the capture check."""

from __future__ import annotations

from dataclasses import dataclass

from stages.params import Params, param


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckParams(Params):
    """Thresholds of the capture check; blur is sigma in pixels of the 1280-px view."""

    view_side_px: int = param(
        1280, 320, 4096, unit="px", help="long side of the view; sigma is in pixels of it"
    )
    coarse_side_px: int = param(320, 80, 1024, unit="px", help="long side of the second pass")
    least_signal: float = param(
        20.0, 1.0, help="99th percentile of luma over noise; below: too dark or noisy"
    )
    least_edges: int = param(3000, 1, help="edge pixels per megapixel; below: too few edges")
    least_cover: float = param(0.12, 0.0, 1.0, help="share of areas with edges; below: too few")
    sharp_sigma_px: float = param(
        1.9, 0.1, 8.0, unit="px", help="sigma of the sharpest areas; above: nothing is sharp"
    )
    shake_contrast: float = param(
        1.05, 0.0, 5.0,
        help="contrast of detail over its direction; above: shaken. Sharp photographs have 0.3 "
        "+- 0.2, ripples on water up to 1.0; straight tracks of 10 px have more",
    )  # fmt: skip
    present_sigma_px: float = param(
        1.85, 0.1, 8.0, unit="px", help="sigma of the most blurred areas; above: defocus is present"
    )
    present_share: float = param(
        0.115, 0.0, 1.0, help="share of areas blurred by > 1.8 px; above: defocus is present"
    )
    coarse_share: float = param(
        0.20,
        0.0,
        1.0,
        help="share of areas blurred by > 2.2 px in the second pass; from this on: present",
    )
    weak_sigma_px: float = param(
        1.30, 0.1, 8.0, unit="px", help="as present_sigma_px, for weak defocus"
    )
    weak_share: float = param(0.05, 0.0, 1.0, help="as present_share, for weak defocus")
    wanted_blur_px: float = param(
        4.0, 0.5, unit="px", help="diameter of background blur, in the view, that magnifies well"
    )
