"""The disk kernel on the pixel lattice: weights, area, second moment, and sorted offsets.

A disk of radius r px has the weight clamp(slope (r - d) + 1/2, 0, 1) at distance d px, divided by
the sum of the weights over all lattice offsets (the area). With slope 1 the kernel is the identity
for r <= 1/2, continuous in r, and close to exact pixel coverage for r >= 4. A higher slope makes
the edge harder. The area is piecewise linear in r, so linear interpolation in a fine table of it
is nearly exact.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.bokeh.aperture import ROUND, Doubles, Outline, gauges, stretch
from stages.kernels import inline
from stages.params import Array

FOCUS_PX = 0.5  # radius up to which a pixel is in focus, since the kernel is the identity there
TABLE_STEPS = 64  # entries of an area table per px of radius
OFFSETS_A_PASS = 4  # offsets per iteration of the gather loop, which is unrolled
NEVER = np.float32(1e9)  # px * slope; distance of a padding offset, outside of every disk


class Offsets(NamedTuple):
    """Lattice offsets in order of distance.

    The number n is a multiple of OFFSETS_A_PASS. Padding entries have the distance NEVER.

    Attributes
    ----------
    steps : array of uint64
        Differences of flat indices, from an output to a source, n values.
    distances : Array
        Distance (gauge) of each offset in px * slope, n float32 values in ascending order.
    places : Array
        Offset (y, x) in px from the source to the output, n x 2 float32.
    """

    steps: npt.NDArray[np.uint64]
    distances: Array
    places: Array


@lru_cache(maxsize=16)
def _sorted_distances(reach_px: int, outline: Outline) -> Doubles:
    """Gauges, in ascending order, of all offsets within `reach_px` along both axes."""
    axis = np.arange(-reach_px, reach_px + 1, dtype=np.float64)
    distances = np.sort(gauges(axis[:, None], axis[None, :], outline).ravel())
    distances.setflags(write=False)
    return distances


def disk_area(
    radius: npt.NDArray[np.floating], slope: float = 1.0, outline: Outline = ROUND
) -> Doubles:
    """Area of lattice disks: the exact sum of the weights over all offsets.

    Parameters
    ----------
    radius : array of float
        Radii in px, >= 0, any shape.
    slope : float
        Slope of the weights at the edge, in 1/px.
    outline : Outline
        Shape of the aperture.

    Returns
    -------
    array of float64
        Area in px^2, of the shape of `radius`; >= 1 if the radius is at least 1 / (2 slope).
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
    """Table of disk areas, for linear interpolation by `look_up_areas`.

    Parameters
    ----------
    max_radius_px : int
        Largest radius that is looked up, in px.
    slope : float
        Slope of the weights at the edge, in 1/px.
    outline : Outline
        Shape of the aperture.

    Returns
    -------
    Array
        Areas in px^2 of the radii k / TABLE_STEPS, float32, read-only. One entry beyond
        `max_radius_px` is included, for the interpolation at that radius.
    """
    radii = np.arange(max_radius_px * TABLE_STEPS + 2) / TABLE_STEPS
    table = disk_area(radii, slope, outline).astype(np.float32)
    table.setflags(write=False)
    return table


@inline
def look_up_areas(table, row, length):  # type: ignore[no-untyped-def]
    """Replace the first `length` radii of a row by areas, by linear interpolation in a table.

    This is a separate loop, because addresses that depend on data cannot be vectorised.
    """
    for x in range(length):
        position = row[x] * np.float32(TABLE_STEPS)
        lower = np.uint64(position)
        part = position - np.float32(lower)
        row[x] = table[lower] + part * (table[lower + np.uint64(1)] - table[lower])


def disk_kernel(radius_px: float) -> Doubles:
    """Kernel of one disk of slope 1.

    Parameters
    ----------
    radius_px : float
        Radius in px, >= 0.

    Returns
    -------
    array of float64
        Weights, square and of odd size; their sum is 1.
    """
    reach = int(np.ceil(radius_px + 0.5))
    axis = np.arange(-reach, reach + 1, dtype=np.float64)
    weights = np.clip(radius_px + 0.5 - np.hypot(axis[:, None], axis[None, :]), 0, 1)
    return np.asarray(weights / weights.sum(), np.float64)


def effective_radius(radius_px: float) -> float:
    """Radius in px of the ideal disk that has the second moment of a lattice disk.

    An ideal disk of radius r has the variance r^2 / 4 along each axis, so the result is 2 sigma of
    the lattice disk of radius `radius_px`.
    """
    weights = disk_kernel(radius_px)
    axis = np.arange(len(weights)) - len(weights) // 2
    return 2 * float(np.sqrt(weights.sum(axis=0) @ axis**2))


def lattice_offsets(
    reach: float, stride: int, slope: float = 1.0, outline: Outline = ROUND
) -> Offsets:
    """Offsets within reach of a disk, in order of distance.

    Parameters
    ----------
    reach : float
        Upper limit (exclusive) of slope * distance, in px * slope.
    stride : int
        Length of a row of the flat planes that are indexed.
    slope : float
        Slope of the weights at the edge, in 1/px.
    outline : Outline
        Shape of the aperture.

    Returns
    -------
    Offsets
        Negative steps are stored modulo 2^64: adding one to a uint64 index wraps around and moves
        the index backwards.
    """
    size = int(np.ceil(stretch(outline) * reach / slope))
    axis = np.arange(-size, size + 1, dtype=np.int64)
    dy, dx = (part.ravel() for part in np.meshgrid(axis, axis, indexing="ij"))
    scaled = slope * gauges(-dy, -dx, outline)  # (-dy, -dx) points from the source to the output
    order = np.lexsort((dx, dy, scaled))[: np.count_nonzero(scaled < reach)]
    padding = -len(order) % OFFSETS_A_PASS
    steps = np.pad(dy[order] * stride + dx[order], (0, padding)).view(np.uint64)
    distances = np.pad(scaled[order], (0, padding), constant_values=NEVER)
    places = np.pad(np.stack([-dy[order], -dx[order]], axis=1), ((0, padding), (0, 0)))
    return Offsets(steps, distances.astype(np.float32), places.astype(np.float32))
