"""The contact sheet: capture, blur map and picture side by side, to be looked at."""

from __future__ import annotations

import numpy as np

from camerapipe.ingest import colour_map
from camerapipe.shot import Shot
from stages.params import Array
from stages.tone import encode

GAP_PX = 8


def contact_sheet(shot: Shot) -> Array:
    """Lay capture, blur map (where there is one) and picture on white, from left to right."""
    panels = [encode(shot.capture.linear, shot.capture.curve)]
    if shot.blur_map is not None:
        panels.append(colour_map(shot.blur_map.sigma))
    panels.append(shot.image)
    gap = np.ones((shot.image.shape[0], GAP_PX, 3), np.float32)
    spaced = [part for panel in panels for part in (panel, gap)]
    return np.concatenate(spaced[:-1], axis=1)
