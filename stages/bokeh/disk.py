"""The disk kernel on the pixel lattice: its weights, sums, moments and sorted offsets.

A disk of radius r px gives a pixel at distance d the weight clamp(slope (r - d) + 1/2, 0, 1),
divided by the sum of the weights over all lattice offsets. With slope 1 it is the identity for
r <= 1/2, continuous in r, and close to exact pixel coverage from r = 4 on; a higher slope has a
harder edge. The sum is piecewise linear in r, so that a fine table of it is nearly exact.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.bokeh.aperture import ROUND, Doubles, Outline, gauges, stretch
from stages.kernels import inline
from stages.params import Array

FOCUS_PX = 0.5  # the kernel is the identity up to this radius: such pixels are in focus
TABLE_STEPS = 64  # entries of an area table per px of radius
OFFSETS_A_PASS = 4  # the gather loop takes this many offsets at a time
NEVER = np.float32(1e9)  # distance of a padding offset, px: beyond any disk


class Offsets(NamedTuple):
    """Lattice offsets in order of distance: `steps` in a flat plane, `distances` in px * slope.

    `places` are the offsets (y, x) in px, from the source of light to where it falls.
    The number is a multiple of `OFFSETS_A_PASS`; padding entries are out of every disk's reach.
    """

    steps: npt.NDArray[np.uint64]
    distances: Array
    places: Array


@lru_cache(maxsize=16)
def _sorted_distances(reach_px: int, outline: Outline) -> Doubles:
    axis = np.arange(-reach_px, reach_px + 1, dtype=np.float64)
    distances = np.sort(gauges(axis[:, None], axis[None, :], outline).ravel())
    distances.setflags(write=False)
    return distances


def disk_area(
    radius: npt.NDArray[np.floating], slope: float = 1.0, outline: Outline = ROUND
) -> Doubles:
    """Sum of a disk's weights over the lattice, exact.

    Parameters
    ----------
    radius : array of float
        Radii in px, >= 0, any shape.
    slope : float
        Steepness of the disk's edge in 1/px.
    outline : Outline
        Another shape of the same area.

    Returns
    -------
    array of float64
        The sum for each radius, >= 1 where the radius is at least half the edge.
    """
    r = np.asarray(radius, np.float64)
    half = 0.5 / slope
    reach = stretch(outline) * (r.max(initial=0.0) + half)
    distances = _sorted_distances(int(np.ceil(reach)) + 1, outline)
    sums = np.concatenate([[0.0], np.cumsum(distances)])
    inner = np.searchsorted(distances, r - half, "right")
    outer = np.searchsorted(distances, r + half, "left")
    edge = slope * ((outer - inner) * (r + half) - (sums[outer] - sums[inner]))
    return np.asarray(inner + edge, np.float64)


@lru_cache(maxsize=16)
def area_table(max_radius_px: int, slope: float = 1.0, outline: Outline = ROUND) -> Array:
    """Areas of the radii k / TABLE_STEPS up to `max_radius_px`, one entry beyond included."""
    radii = np.arange(max_radius_px * TABLE_STEPS + 2) / TABLE_STEPS
    table = disk_area(radii, slope, outline).astype(np.float32)
    table.setflags(write=False)
    return table


@inline
def look_up_areas(table, row, length):  # type: ignore[no-untyped-def]
    """Replace the first `length` radii of a row by areas, interpolated linearly in a table.

    A loop of its own: its addresses depend on the data, which would keep others from vectorising.
    """
    for x in range(length):
        position = row[x] * np.float32(TABLE_STEPS)
        lower = np.uint64(position)
        part = position - np.float32(lower)
        row[x] = table[lower] + part * (table[lower + np.uint64(1)] - table[lower])


def disk_kernel(radius_px: float) -> Doubles:
    """Normalised weights of one disk of slope 1, as a square array of odd size."""
    reach = int(np.ceil(radius_px + 0.5))
    axis = np.arange(-reach, reach + 1, dtype=np.float64)
    weights = np.clip(radius_px + 0.5 - np.hypot(axis[:, None], axis[None, :]), 0, 1)
    return np.asarray(weights / weights.sum(), np.float64)


def effective_radius(radius_px: float) -> float:
    """Radius of the ideal disk with the same second moment as a lattice disk: 2 sigma, in px."""
    weights = disk_kernel(radius_px)
    axis = np.arange(len(weights)) - len(weights) // 2
    return 2 * float(np.sqrt(weights.sum(axis=0) @ axis**2))


def lattice_offsets(
    reach: float, stride: int, slope: float = 1.0, outline: Outline = ROUND
) -> Offsets:
    """Offsets with slope * distance below `reach`, nearest first, for planes of row `stride`.

    Steps wrap around in uint64, so that adding one to an index moves it backwards where needed.
    """
    size = int(np.ceil(stretch(outline) * reach / slope))
    axis = np.arange(-size, size + 1, dtype=np.int64)
    dy, dx = (part.ravel() for part in np.meshgrid(axis, axis, indexing="ij"))
    scaled = slope * gauges(-dy, -dx, outline)  # light comes from the offset
    order = np.lexsort((dx, dy, scaled))[: np.count_nonzero(scaled < reach)]
    padding = -len(order) % OFFSETS_A_PASS
    steps = np.pad(dy[order] * stride + dx[order], (0, padding)).view(np.uint64)
    distances = np.pad(scaled[order], (0, padding), constant_values=NEVER)
    places = np.pad(np.stack([-dy[order], -dx[order]], axis=1), ((0, padding), (0, 0)))
    return Offsets(steps, distances.astype(np.float32), places.astype(np.float32))
