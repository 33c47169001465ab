"""What depth adds: order and sign for the measured blur, and the blur of a wished lens.

Segments as in `pipelines`, from which it takes all others.
"""

from __future__ import annotations

from camerapipe.corrections import PROTECTED
from camerapipe.graph import Node, renamed
from camerapipe.pipelines import (
    CONSTRAIN,
    DETAIL,
    RADIUS,
    RENDER,
    SOLVE,
    STILL_CELLS,
    STILL_GRID,
    UPSAMPLE,
    graph,
)
from camerapipe.still import OUTLINE, STILL_EDGES, STILL_FOCUS, SURFACES_RENDER
from stages.bokeh import DeadZoneParams, RadiusParams
from stages.depth import (
    DepthParams,
    OrderParams,
    blur_behind,
    blur_in_front,
    calibrate,
    calibrated_blur,
    depth_cells,
    depth_grid,
    depth_in_focus,
    either_mask,
    in_front,
    lay_in_front,
    missing_radius,
    own_blur,
    radius_behind,
    sided_blur,
    upsample_exact,
    wished_blur,
    with_order,
    within_order,
)

# fmt: off
# Measured blur guided by depth: its order as weak data, and what is in front of the focus.
ORDER = (
    Node("depth_grid", depth_grid, ("depth", "linear"), "depth_grid"),
    Node("depth", depth_cells, ("depth", "depth_grid", "linear"), "inverse_depth"),
    Node("calibrate", calibrate, ("measured", "inverse_depth", "focus_point"), "calibration"),
    Node("order", with_order, ("measured", "inverse_depth", "calibration"), "constraints",
         OrderParams),
)
LIMITED = (
    Node("limit", within_order, ("guided", "inverse_depth", "calibration", "scribbles"), "limited",
         OrderParams),
    *renamed(DETAIL, guided="limited"),
)
SIGN = (
    Node("signed", calibrated_blur, ("inverse_depth", "calibration"), "signed_cells"),
    Node("sides", sided_blur, ("signed_cells",), "sided", DepthParams),
    Node("depth_mask", in_front, ("sided", "linear"), "depth_mask"),
    Node("front_mask", either_mask, ("depth_mask", "foreground"), "front_mask"),
    Node("behind", radius_behind, ("radius", "front_mask"), "radius_behind"),
    *renamed(OUTLINE, radius="radius_behind"),
    Node("lay", lay_in_front, ("outlines", "radius", "front_mask"), "surfaces"),
)
# Blur of a wished lens from depth, of which the measured blur is already there.
WISHED = (
    Node("refocus", depth_in_focus, ("inverse_depth", "depth", "calibration", "sharpness_bounds",
                                     "focus_point"), "in_focus", DepthParams),
    Node("wish", wished_blur, ("inverse_depth", "in_focus", "wished_lens"), "wished_cells"),
)
BEHIND = (
    Node("sides", sided_blur, ("wished_cells",), "sided", DepthParams),
    Node("behind", blur_behind, ("sided", "linear"), "wished"),
)
EXACT = (Node("upsample_depth", upsample_exact, ("wished_cells", "linear"), "wished"),)
MISSING = (
    Node("focus", own_blur, ("sharpness_bounds", "blur"), "dead_zone", DeadZoneParams),
    Node("radius", missing_radius, ("wished", "blur", "dead_zone"), "radius", RadiusParams),
)
IN_FRONT = (
    Node("front", blur_in_front, ("sided", "linear"), "front_wished"),
    Node("front_radius", missing_radius, ("front_wished", "blur", "dead_zone"), "front_radius",
         RadiusParams),
    Node("front_mask", in_front, ("sided", "linear"), "front_mask"),
    Node("lay", lay_in_front, ("outlines", "front_radius", "front_mask"), "surfaces"),
)
GUIDED_MAP = (
    *STILL_EDGES, *STILL_GRID, *PROTECTED, *STILL_CELLS,
    *renamed(CONSTRAIN, constraints="measured"), *ORDER, *SOLVE, *UPSAMPLE, *LIMITED,
)  # fmt: skip
# fmt: on

MAP_OUTPUTS = ("blur", "blur_low", "dead_zone")
WITH_DEPTH_MAP = graph("with-depth-map", (*GUIDED_MAP, *STILL_FOCUS), MAP_OUTPUTS)
WITH_DEPTH = graph(
    "with-depth",
    (*GUIDED_MAP, *STILL_FOCUS, *RADIUS, *SIGN, *SURFACES_RENDER),
    ("picture", *MAP_OUTPUTS),
)
FROM_DEPTH = graph(
    "from-depth",
    (
        *GUIDED_MAP, *WISHED, *BEHIND, *MISSING, *renamed(OUTLINE, half_grid="depth_grid"),
        *IN_FRONT, *SURFACES_RENDER,
    ),
    ("picture", *MAP_OUTPUTS),
)  # fmt: skip
FROM_EXACT_DEPTH = graph(
    "from-exact-depth",
    (*GUIDED_MAP, *WISHED, *EXACT, *renamed(MISSING, radius="signed_radius"), *RENDER),
    ("picture", *MAP_OUTPUTS),
)
