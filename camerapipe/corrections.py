"""Segments of what a person corrects: what is to stay sharp, and scribbles on the map.

Segments as in `pipelines`, which puts them into the graphs.
"""

from __future__ import annotations

from camerapipe.graph import Node, renamed
from stages.blur import unclaimed
from stages.protection import ProtectionParams, hold_bounds, weigh_protection
from stages.scribble import ScribbleParams, scribbled

# fmt: off
FREE = (Node("unclaimed", unclaimed, ("sharpness_bounds", "scribbles"), "free_bounds"),)
PROTECTED = (
    Node("weigh", weigh_protection, ("protection", "edge_data", "sharpness_bounds"), "protected",
         ProtectionParams),
    Node("hold", hold_bounds, ("sharpness_bounds", "protected"), "held_bounds"),
    *renamed(FREE, sharpness_bounds="held_bounds"),
)
SCRIBBLE = (Node("scribbles", scribbled, ("cell_data", "scribbles"), "constraints",
                 ScribbleParams),)
# fmt: on
