"""Connected components of marked pixels, from runs along rows (run-length encoding).

A run is (row, first column, column after the last), int32. Runs are sorted. Regions are
8-connected, and are numbered in the order of their first runs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.kernels import i32, inline, kernel, reads, writes

Runs = npt.NDArray[np.int32]


class Regions(NamedTuple):
    """Connected components.

    Attributes
    ----------
    number : array of int32
        Number of the region of each run, from 0.
    boxes : array of int32
        Bounding box of each region: top, left, bottom, right, of which the last two are exclusive.
    """

    number: npt.NDArray[np.int32]
    boxes: npt.NDArray[np.int32]


def join_runs(runs: Runs) -> Regions:
    """Label the connected components of runs.

    Parameters
    ----------
    runs : array of int32
        Nx3: row, first column, column after the last; sorted, without overlap.

    Returns
    -------
    Regions
        Number of the region of each of the N runs, and the boxes of the regions.
    """
    number, boxes = np.arange(len(runs), dtype=np.int32), np.empty((len(runs), 4), np.int32)
    count = _join(np.ascontiguousarray(runs), number, boxes)
    return Regions(number, boxes[:count])


@inline
def add_runs(marks, y, runs, count):  # type: ignore[no-untyped-def]
    """Append the runs of a row of booleans to `runs`; return the new number of runs."""
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
    """Root of the tree of run k (union-find with path halving)."""
    while parent[k] != k:
        parent[k] = parent[parent[k]]
        k = parent[k]
    return k


@kernel(reads(i32, 2), writes(i32, 1), writes(i32, 2))
def _join(runs, parent, boxes):  # type: ignore[no-untyped-def]
    """Join each run with those of the row above, number the regions, and return their number."""
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
        number = parent[k] = parent[parent[k]]  # parents are earlier runs, which are numbered
        box = boxes[number]
        box[1], box[2], box[3] = min(box[1], begin), row + 1, max(box[3], end)
    return count
