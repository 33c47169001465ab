"""Steadiness over time: what the frames before a frame know of it.

The blur at edges is measured anew in every frame, and noise makes it flicker; starting the solve
from the map before does not help, since it is the data that flickers. So data is gathered over
time: `memory.py` is what one frame leaves for the next, `track.py` finds where in it every place
of the new frame was, and how far to believe that, `recall.py` carries the memory there and drops
what a change of focus has made wrong, `blend.py` joins it with what the new frame shows. Where
there is no time to measure, `carry.py` takes the map from memory instead.

Everything lives on cells of 2 x 2 pixels of the view, but for the evidence of sharpness, which has
the detail of the view. A frame and its memory are all that the next frame needs: any frame can be
computed again alone. Sigma is in full-resolution pixels, time in frames.
"""

from stages.steady.blend import (
    first_map,
    remember,
    steady_dead_zone,
    steady_edges,
    steady_evidence,
)
from stages.steady.carry import carried_dead_zone, carried_evidence, carried_map, keep_measured
from stages.steady.memory import Memory
from stages.steady.recall import History, recall
from stages.steady.track import Motion, SteadyParams, track

__all__ = [
    "History",
    "Memory",
    "Motion",
    "SteadyParams",
    "carried_dead_zone",
    "carried_evidence",
    "carried_map",
    "first_map",
    "keep_measured",
    "recall",
    "remember",
    "steady_dead_zone",
    "steady_edges",
    "steady_evidence",
    "track",
]
