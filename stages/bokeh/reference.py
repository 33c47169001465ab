"""Exact renderers by brute force: oracles for small pictures, never used by the camera.

All three give a pixel at distance d from a source of radius r the weight of `disk.py`'s kernel of
slope 1, with float64 sums. `render_gather` averages around each pixel over its own radius, so the
subject bleeds outwards. `render_scatter` spreads every pixel over its own radius, so that the
background veils the subject. `render_exact` also knows occlusion: what is spread onto a pixel is
sorted by radius and laid sharp over blurred, each taking the coverage that is left. Coverage adds
up and is clamped at 1, because neighbouring bins of one surface abut and do not overlap.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.bokeh.checks import RenderInput, check_render
from stages.bokeh.disk import FOCUS_PX, disk_area
from stages.kernels import f32, f64, i64, inline, kernel, reads, writes
from stages.params import Array
from stages.strips import run_strips

RADIUS_BINS = 64  # geometric bins of radius behind the one in focus
STRIP_ROWS = 4  # rows are slow here: short strips share them evenly
NOTHING = 1e-12  # coverage below this is rounding


def render_exact(linear: Array, radius: Array) -> Array:
    """Occlusion-aware disk blur, exact up to the bins of radius.

    Parameters
    ----------
    linear : Array
        Linear light, HxWx3 float32; may exceed 1.
    radius : Array
        Disk radius in px, HxW float32, >= 0.

    Returns
    -------
    Array
        Linear light, HxWx3 float32.

    Raises
    ------
    ValueError
        If an input has the wrong shape, type or range.
    """
    picture = check_render("bokeh.reference", linear, radius)
    ends = FOCUS_PX, max(picture.largest_px, 2 * FOCUS_PX)
    edges = np.geomspace(*ends, RADIUS_BINS + 1)[:-1]
    return _spread(picture, np.searchsorted(edges, picture.radius, "left"), RADIUS_BINS + 1)


def render_scatter(linear: Array, radius: Array) -> Array:
    """Spread every pixel over its own disk, normalised, without occlusion.

    Parameters, return value and errors are those of `render_exact`.
    """
    picture = check_render("bokeh.reference", linear, radius)
    return _spread(picture, np.zeros(radius.shape, np.int64), 1)


def render_gather(linear: Array, radius: Array) -> Array:
    """Average every pixel over the disk of its own radius.

    Parameters, return value and errors are those of `render_exact`.
    """
    image, disks, _ = check_render("bokeh.reference", linear, radius)
    out = np.empty_like(image)
    run_strips(lambda y0, y1: _gather(image, disks, y0, y1, out), len(image), strip_rows=STRIP_ROWS)
    return out


def _spread(picture: RenderInput, bins: npt.NDArray[np.int64], count: int) -> Array:
    image, disks, largest = picture
    scale = 1 / disk_area(np.maximum(disks, FOCUS_PX))
    window = int(np.ceil(largest + 0.5))
    out = np.empty_like(image)
    run_strips(
        lambda y0, y1: _scatter(image, disks, scale, bins, count, window, y0, y1, out),
        len(image),
        strip_rows=STRIP_ROWS,
    )
    return out


@inline
def _composite(layers, out):  # type: ignore[no-untyped-def]
    """Lay the bins over one another, front to back, and divide by the coverage reached."""
    covered = 0.0
    red = green = blue = 0.0
    for k in range(len(layers)):
        coverage = layers[k, 3]
        if coverage > NOTHING:
            taken = min(coverage, 1 - covered)
            covered += taken
            red += taken / coverage * layers[k, 0]
            green += taken / coverage * layers[k, 1]
            blue += taken / coverage * layers[k, 2]
    out[0], out[1], out[2] = red / covered, green / covered, blue / covered


@kernel(
    reads(f32, 3), reads(f32, 2), reads(f64, 2), reads(i64, 2), i64, i64, i64, i64, writes(f32, 3)
)
def _scatter(image, radius, scale, bins, count, window, start, stop, out):  # type: ignore[no-untyped-def]
    """Weights by bin of radius, then sharp over blurred with clamped, additive coverage."""
    height, width = radius.shape
    layers = np.empty((count, 4), np.float64)
    for y in range(start, stop):
        for x in range(width):
            layers[:] = 0
            for j in range(max(0, y - window), min(height, y + window + 1)):
                for i in range(max(0, x - window), min(width, x + window + 1)):
                    square = np.float64((j - y) * (j - y) + (i - x) * (i - x))
                    edge = max(radius[j, i], FOCUS_PX) + 0.5
                    if edge * edge <= square:
                        continue
                    weight = min(edge - np.sqrt(square), 1.0) * scale[j, i]
                    layer = bins[j, i]
                    for c in range(3):
                        layers[layer, c] += weight * image[j, i, c]
                    layers[layer, 3] += weight
            _composite(layers, out[y, x])


@kernel(reads(f32, 3), reads(f32, 2), i64, i64, writes(f32, 3))
def _gather(image, radius, start, stop, out):  # type: ignore[no-untyped-def]
    """Mean of the picture over the disk of each output pixel."""
    height, width = radius.shape
    for y in range(start, stop):
        for x in range(width):
            edge = max(radius[y, x], FOCUS_PX) + 0.5
            window = int(np.ceil(edge))
            total = red = green = blue = 0.0
            for j in range(max(0, y - window), min(height, y + window + 1)):
                for i in range(max(0, x - window), min(width, x + window + 1)):
                    distance = np.sqrt(np.float64((j - y) * (j - y) + (i - x) * (i - x)))
                    weight = min(max(edge - distance, 0.0), 1.0)
                    total += weight
                    red += weight * image[j, i, 0]
                    green += weight * image[j, i, 1]
                    blue += weight * image[j, i, 2]
            out[y, x, 0], out[y, x, 1], out[y, x, 2] = red / total, green / total, blue / total
