"""The contact sheet: capture, blur map and picture side by side."""

from __future__ import annotations

import numpy as np

from camerapipe.ingest import colour_map
from camerapipe.shot import Shot
from stages.params import Array
from stages.tone import encode

GAP_PX = 8


def contact_sheet(shot: Shot) -> Array:
    """Contact sheet of a shot.

    Parameters
    ----------
    shot : Shot
        Capture, blur map and picture.

    Returns
    -------
    Array
        Capture, blur map (if there is one) and picture from left to right, with white gaps;
        display-encoded in [0, 1], HxWx3 float32.
    """
    panels = [encode(shot.capture.linear, shot.capture.curve)]
    if shot.blur_map is not None:
        panels.append(colour_map(shot.blur_map.sigma))
    panels.append(shot.image)
    gap = np.ones((shot.image.shape[0], GAP_PX, 3), np.float32)
    spaced = [part for panel in panels for part in (panel, gap)]
    return np.concatenate(spaced[:-1], axis=1)
