"""Depth maps: the blur of a wished lens, and order and sign for measured blur.

`maps.py` resamples depth maps. `guide.py` fits the measured blur as a function of depth.
`wished.py` computes the blur that a wished lens gives, and the disks that are still missing.
`sides.py` separates what is in front of the focus from the rest.
"""

from stages.depth.guide import (
    Calibration,
    OrderParams,
    calibrate,
    calibrated_blur,
    with_order,
    within_order,
)
from stages.depth.maps import DepthMap, DepthParams, depth_cells, depth_grid
from stages.depth.sides import (
    blur_behind,
    blur_in_front,
    either_mask,
    in_front,
    lay_in_front,
    radius_behind,
    sided_blur,
)
from stages.depth.wished import (
    WishedLens,
    depth_in_focus,
    missing_radius,
    own_blur,
    upsample_exact,
    wished_blur,
)

__all__ = [
    "Calibration",
    "DepthMap",
    "DepthParams",
    "OrderParams",
    "WishedLens",
    "blur_behind",
    "blur_in_front",
    "calibrate",
    "calibrated_blur",
    "depth_cells",
    "depth_grid",
    "depth_in_focus",
    "either_mask",
    "in_front",
    "lay_in_front",
    "missing_radius",
    "own_blur",
    "radius_behind",
    "sided_blur",
    "upsample_exact",
    "wished_blur",
    "with_order",
    "within_order",
]
