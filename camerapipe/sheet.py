"""The contact sheet: capture, blur map and picture side by side, and details at 100 %."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from camerapipe.ingest import colour_map
from camerapipe.shot import Shot
from stages.params import Array
from stages.tone import encode, to_codes

GAP_PX = 8
DETAIL_PX = (560, 640)  # most rows and columns of a detail
WHITE = 255

Codes = npt.NDArray[np.uint8]


def contact_sheet(shot: Shot, centre: tuple[float, float] = (0.5, 0.5)) -> Codes:
    """Contact sheet of a shot.

    Parameters
    ----------
    shot : Shot
        Capture, blur map and picture.
    centre : (float, float)
        Middle of the details (x, y), as shares of width and height.

    Returns
    -------
    array of uint8
        Above: capture, blur map (if there is one) and picture. Below: the same part of capture and
        picture at 100 %. Display-encoded codes, HxWx3, with white gaps.
    """
    panels = [capture_codes(shot), shot.to_uint8()]
    lower = side_by_side([detail(panel, centre) for panel in panels])
    if shot.blur_map is not None:
        panels.insert(1, map_codes(shot.blur_map.sigma))
    return stacked([_fitted(panels, lower.shape[1]), lower])


def capture_codes(shot: Shot) -> Codes:
    """The capture as 8-bit codes, HxWx3."""
    return np.asarray(to_codes(encode(shot.capture.linear, shot.capture.curve), 8), np.uint8)


def map_codes(values: Array) -> Codes:
    """A plane in colours, from its least (dark) to its largest value (bright), HxWx3 codes."""
    return np.asarray(to_codes(colour_map(values), 8), np.uint8)


def detail(picture: Codes, centre: tuple[float, float]) -> Codes:
    """Part of a picture about a centre (x, y), which is given as shares of width and height."""
    height, width = picture.shape[:2]
    rows, cols = min(DETAIL_PX[0], height), min(DETAIL_PX[1], width)
    top = round(min(max(centre[1] * height - rows / 2, 0), height - rows))
    left = round(min(max(centre[0] * width - cols / 2, 0), width - cols))
    return picture[top : top + rows, left : left + cols]


def side_by_side(panels: list[Codes]) -> Codes:
    """Pictures of one height in a row."""
    gap = np.full((panels[0].shape[0], GAP_PX, 3), WHITE, np.uint8)
    spaced = [part for panel in panels for part in (panel, gap)]
    return np.concatenate(spaced[:-1], axis=1)


def stacked(rows: list[Codes]) -> Codes:
    """Rows one below the other; narrower ones are filled up with white on the right."""
    width = max(row.shape[1] for row in rows)
    filled = [
        np.pad(row, ((0, gap), (0, width - row.shape[1]), (0, 0)), constant_values=WHITE)
        for row, gap in zip(rows, [GAP_PX] * (len(rows) - 1) + [0], strict=True)
    ]
    return np.concatenate(filled)


def _fitted(panels: list[Codes], width: int) -> Codes:
    """Pictures of one size in a row, reduced so that the row is `width` px wide."""
    height, own = panels[0].shape[:2]
    across = (width - GAP_PX * (len(panels) - 1)) // len(panels)
    if across > own:  # small pictures keep their size
        return side_by_side(panels)
    size = (across, max(round(across * height / own), 1))
    return side_by_side(
        [np.asarray(cv2.resize(each, size, interpolation=cv2.INTER_AREA), np.uint8)
         for each in panels]
    )  # fmt: skip
