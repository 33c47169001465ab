"""From linear codes to values in [0, 1]: black and white levels.

Chapter 5 of the DNG specification, "Mapping Raw Values to Linear Reference Values".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stages.params import Array
from stages.strips import run_strips

Numbers = npt.NDArray[np.float64]
Codes = npt.NDArray[Any]


class Area(NamedTuple):
    """Rows [top, bottom) and columns [left, right)."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.bottom - self.top, self.right - self.left

    def of(self, pixels: Codes) -> Codes:
        """Part of a picture (a view)."""
        return pixels[self.top : self.bottom, self.left : self.right]


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """How codes become light.

    `black` is R x C x P: a pattern that repeats from the corner of `active`. `white` has P values.
    `row_delta` and `column_delta` are added to black for each row or column of `active`; None: 0.
    """

    active: Area
    black: Numbers
    white: Numbers
    row_delta: Numbers | None = None
    column_delta: Numbers | None = None


def normalised(codes: Codes, levels: Levels) -> Array:
    """Light of the active area: 0 at black, 1 at white.

    Parameters
    ----------
    codes : array
        Linear codes of the stored picture, H x W x P.
    levels : Levels
        Of the file.

    Returns
    -------
    array
        Float32 in [0, 1], of the active area.

    Raises
    ------
    ValueError
        If a white level is not above its black level.
    """
    stored = levels.active.of(codes)
    rows, columns, planes = stored.shape
    pattern = np.broadcast_to(levels.black, (*levels.black.shape[:2], planes))
    deltas = [each for each in (levels.row_delta, levels.column_delta) if each is not None]
    largest = pattern.max(axis=(0, 1)) + sum(float(each.max()) for each in deltas)
    span = np.broadcast_to(levels.white, planes) - largest
    if not (span > 0).all():
        raise ValueError("its white level is not above its black level")
    black_columns = np.arange(columns) % pattern.shape[1]
    light = np.empty(stored.shape, np.float32)

    def scaled(start: int, stop: int) -> None:
        black = pattern[np.arange(start, stop) % pattern.shape[0]][:, black_columns]
        if levels.row_delta is not None:
            black = black + levels.row_delta[start:stop, None, None]
        if levels.column_delta is not None:
            black = black + levels.column_delta[:, None]
        np.clip((stored[start:stop] - black) / span, 0, 1, out=light[start:stop], casting="unsafe")

    run_strips(scaled, rows)
    return light
