"""Connected regions of marked pixels, as runs along rows instead of a label for every pixel.

A run is (row, first column, column after the last), int32; runs are sorted. Regions are
8-connected, and are numbered in the order of their first runs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.kernels import i32, inline, kernel, reads, writes

Runs = npt.NDArray[np.int32]


class Regions(NamedTuple):
    """The region of every run; of each region, its box (top, left, bottom, right; ends after)."""

    number: npt.NDArray[np.int32]
    boxes: npt.NDArray[np.int32]


def join_runs(runs: Runs) -> Regions:
    """Find out which runs hang together.

    Parameters
    ----------
    runs : int32 array
        Nx3: row, first column, column after the last; sorted, without overlap.

    Returns
    -------
    Regions
        N numbers from 0, and a box for each.
    """
    number, boxes = np.arange(len(runs), dtype=np.int32), np.empty((len(runs), 4), np.int32)
    count = _join(np.ascontiguousarray(runs), number, boxes)
    return Regions(number, boxes[:count])


@inline
def add_runs(marks, y, runs, count):  # type: ignore[no-untyped-def]
    """Append the runs of a row of booleans; give the new number of runs."""
    inside = False
    for x in range(marks.size):
        if marks[x] != inside:
            if inside:
                runs[count, 2] = x
                count += 1
            else:
                runs[count, 0], runs[count, 1] = y, x
            inside = marks[x]
    if inside:
        runs[count, 2] = marks.size
        count += 1
    return count


@inline
def _root(parent, k):  # type: ignore[no-untyped-def]
    """The first run of a tree; the way to it is halved for those who come later."""
    while parent[k] != k:
        parent[k] = parent[parent[k]]
        k = parent[k]
    return k


@kernel(reads(i32, 2), writes(i32, 1), writes(i32, 2))
def _join(runs, parent, boxes):  # type: ignore[no-untyped-def]
    """Join each run with those of the row above; number the regions, give how many there are."""
    above = 0
    for k in range(len(runs)):
        row, begin, end = runs[k]
        while runs[above, 0] < row - 1 or (runs[above, 0] == row - 1 and runs[above, 2] < begin):
            above += 1
        other = above
        while runs[other, 0] == row - 1 and runs[other, 1] <= end:
            one, two = _root(parent, k), _root(parent, other)
            parent[max(one, two)] = min(one, two)
            other += 1
    count = 0
    for k in range(len(runs)):
        row, begin, end = runs[k]
        if parent[k] == k:
            parent[k], box = count, boxes[count]
            box[0], box[1], box[2], box[3] = row, begin, row + 1, end
            count += 1
            continue
        number = parent[k] = parent[parent[k]]  # parents come first and have their numbers
        box = boxes[number]
        box[1], box[2], box[3] = min(box[1], begin), row + 1, max(box[3], end)
    return count
