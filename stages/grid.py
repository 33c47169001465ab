"""Sizes: one rule between grids.

Full, working, half, coarse: maps live on several grids. A `Grid` travels with every map and every
set of constraints, and `lift` is the only function that carries them from one grid to another.
`sigma` is always in full-resolution pixels, so lifting never rescales values.
"""

from __future__ import annotations

from dataclasses import dataclass

from stages.params import Array


@dataclass(frozen=True, slots=True)
class Grid:
    """A regular grid over a full-resolution picture.

    Sample (i, j) lies at full-resolution coordinates (phase + step * i, phase + step * j), where
    pixel centres have integer coordinates. Area-averaged cells have phase (step - 1) / 2; samples
    taken at every step-th pixel have phase 0.
    """

    shape: tuple[int, int]
    step: int = 1
    phase: float = 0.0

    @classmethod
    def cells(cls, full: tuple[int, int], step: int) -> Grid:
        """Grid of step x step cells that cover a picture of shape `full`."""
        rows, cols = (-(-n // step) for n in full)
        return cls((rows, cols), step, (step - 1) / 2)


@dataclass(frozen=True, slots=True)
class BlurMap:
    """Blur on a grid, sparse (at edges) or dense.

    `sigma` is the standard deviation of the blur in full-resolution pixels, HxW float32, finite.
    `confidence` is HxW float32 >= 0: 0 means "no data" (sigma is then 0 and says nothing). In a
    sparse map it counts the full-resolution edge pixels that a sample stands for; a dense map has
    no zero in it.
    """

    sigma: Array
    confidence: Array
    grid: Grid
