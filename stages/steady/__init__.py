"""Temporal filter: motion-compensated averages of what earlier frames measured.

The blur at edges is estimated in every frame, and noise makes it flicker. A solve that starts from
the previous map does not help, because it is the data that flickers. The data is therefore averaged
over time:

- `memory.py`: the state of the filter, which one frame leaves for the next;
- `track.py`: optical flow from a frame to the previous one, and its confidence;
- `recall.py`: the state warped along the motion, without what a change of focus has made invalid;
- `blend.py`: the recursive mean of the warped state and the new measurements;
- `carry.py`: the warped map in place of a new one, if there is no time to estimate.

All maps are on cells of 2 x 2 pixels of the view, except the bounds of sharpness, which have the
resolution of the view. A frame and the state before it are all that is needed to compute the frame
again. Sigma is in full-resolution pixels, time in frames.
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
