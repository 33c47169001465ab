"""Exact renderers by brute force: references for tests with small pictures.

The camera does not use them. The weights are those of the kernel of slope 1 in `disk.py`, and sums
are float64.

- `render_gather` averages every pixel over the disk of its own radius. The colour of the subject
  bleeds into the background.
- `render_scatter` splats every pixel over the disk of its own radius, without occlusion. The
  background bleeds onto the subject.
- `render_exact` is a splatting with occlusion. The splats on a pixel are sorted into bins of radius
  and composited, sharp over blurred. Each bin is limited to the remaining transmittance. Coverages
  are added and clamped at 1 instead of multiplied, because adjacent bins of one surface abut and do
  not overlap. The foreground (in front of the focus) is composited in the same way, blurred over
  sharp, and then over the rest.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from stages.bokeh.aperture import Doubles
from stages.bokeh.checks import RenderInput, check_render
from stages.bokeh.disk import FOCUS_PX, disk_area
from stages.bokeh.foreground import continued, fill_unseen
from stages.kernels import f32, f64, i64, inline, kernel, reads, writes
from stages.params import Array
from stages.strips import run_strips

BAND_ROWS = 16  # rows of a band; `every` selects bands
RADIUS_BINS = 64  # bins of radius in geometric progression, besides the bin in focus
STRIP_ROWS = 4  # rows are slow here, so short strips balance the load of the workers
MIN_COVERAGE = 1e-12  # lower coverage is rounding error


def render_exact(linear: Array, radius: Array, every: int = 1) -> Array:
    """Disk blur with occlusion, exact except for the bins of radius.

    Parameters
    ----------
    linear : Array
        Linear light, HxWx3 float32; may exceed 1.
    radius : Array
        Disk radius in px, HxW float32, in [-400, 400]; negative in front of the focus, where
        blurrier means nearer. Pixels that are hidden by such a foreground are filled as in the fast
        renderer, because the picture does not contain them.
    every : int
        Render only every n-th band of BAND_ROWS rows; all other rows are NaN.

    Returns
    -------
    Array
        Linear light, HxWx3 float32.

    Raises
    ------
    ValueError
        If an input has the wrong shape, type or range.
    """
    picture = check_render("bokeh.reference", linear, radius, signed=True)
    behind = radius >= -FOCUS_PX
    ends = FOCUS_PX, max(float(np.abs(radius).max()), 2 * FOCUS_PX)
    edges = np.geomspace(*ends, RADIUS_BINS + 1)[:-1]
    bins = np.searchsorted(edges, np.abs(picture.radius), "left")
    light, coverage = _spread(picture, bins, behind, RADIUS_BINS + 1, every)
    with np.errstate(invalid="ignore"):
        out = (light / coverage[..., None]).astype(np.float32)
    if not behind.all():
        unseen = coverage == 0
        out[unseen] = picture.linear[unseen]
        out[unseen & ~behind] = np.nan
        if every == 1:
            fill_unseen(out, picture.linear)
        front = continued(picture.linear, picture.radius)
        order = RADIUS_BINS - np.searchsorted(edges, np.abs(front.radius), "left")
        whole = RenderInput.of(front.linear, front.radius)
        every = 1 if front.margin else every  # bands of the picture are not those of the whole
        nearer = front.radius > FOCUS_PX
        over, coverage = map(front.inside, _spread(whole, order, nearer, RADIUS_BINS + 1, every))
        out = (over + (1 - coverage[..., None]) * out).astype(np.float32)
    return out


def render_scatter(linear: Array, radius: Array, every: int = 1) -> Array:
    """Splat every pixel over its own disk, and normalise by the coverage; no occlusion.

    Parameters
    ----------
    linear : Array
        Linear light, HxWx3 float32; may exceed 1.
    radius : Array
        Disk radius in px, HxW float32, in [0, 400].
    every : int
        Render only every n-th band of BAND_ROWS rows; all other rows are NaN.

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
    everything = np.ones(radius.shape, bool)
    light, coverage = _spread(picture, np.zeros(radius.shape, np.int64), everything, 1, every)
    return (light / coverage[..., None]).astype(np.float32)


def render_gather(linear: Array, radius: Array, every: int = 1) -> Array:
    """Average every pixel over the disk of its own radius.

    Parameters
    ----------
    linear, radius, every
        As for `render_scatter`.

    Returns
    -------
    Array
        Linear light, HxWx3 float32.
    """
    image, disks, *_ = check_render("bokeh.reference", linear, radius)
    out = np.full_like(image, np.nan)
    run_bands(lambda y0, y1: _gather(image, disks, y0, y1, out), len(image), every)
    return out


def run_bands(work: Callable[[int, int], None], rows: int, every: int) -> None:
    """Run `work(y0, y1)` on every n-th band of BAND_ROWS rows, in short strips."""

    def strip(y0: int, y1: int) -> None:
        if y0 // BAND_ROWS % every == 0:
            work(y0, y1)

    run_strips(strip, rows, STRIP_ROWS)


def _spread(
    picture: RenderInput,
    bins: npt.NDArray[np.int64],
    selected: npt.NDArray[np.bool_],
    count: int,
    every: int,
) -> tuple[Doubles, Doubles]:
    """Premultiplied light and coverage of the selected pixels, composited in order of bins."""
    image, disks = picture.linear, np.abs(picture.radius)
    scale = np.where(selected, 1 / disk_area(np.maximum(disks, FOCUS_PX)), 0)
    window = int(np.ceil(disks[selected].max(initial=0.0) + 0.5))
    out, coverage = np.full(image.shape, np.nan), np.full(disks.shape, np.nan)
    run_bands(
        lambda y0, y1: _scatter(image, disks, scale, bins, count, window, y0, y1, out, coverage),
        len(image),
        every,
    )
    return out, coverage


@inline
def _composite(layers, out):  # type: ignore[no-untyped-def]
    """Composite the bins from front to back; returns the total coverage."""
    covered = 0.0
    red = green = blue = 0.0
    for k in range(len(layers)):
        coverage = layers[k, 3]
        if coverage > MIN_COVERAGE:
            visible = min(coverage, 1 - covered)
            covered += visible
            red += visible / coverage * layers[k, 0]
            green += visible / coverage * layers[k, 1]
            blue += visible / coverage * layers[k, 2]
    out[0], out[1], out[2] = red, green, blue
    return covered


@kernel(
    reads(f32, 3), reads(f32, 2), reads(f64, 2), reads(i64, 2), i64, i64, i64, i64, writes(f64, 3),
    writes(f64, 2),
)  # fmt: skip
def _scatter(image, radius, scale, bins, count, window, start, stop, out, coverage):  # type: ignore[no-untyped-def]
    """Splat rows [start, stop) into bins, and composite the bins of each pixel."""
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
            coverage[y, x] = _composite(layers, out[y, x])


@kernel(reads(f32, 3), reads(f32, 2), i64, i64, writes(f32, 3))
def _gather(image, radius, start, stop, out):  # type: ignore[no-untyped-def]
    """Average the picture over the disk of each pixel in rows [start, stop)."""
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
