"""Guided upsampling by the fast guided filter (He and Sun 2015), in three fused passes.

The windows of eq. (7) contain only samples of the small map, so the models are fitted on the small
grid, with the picture reduced to it. The mean model of eq. (8) is smooth, so it is the model that
is interpolated, and not the blur:

    sigma(x) = mean_a(x) . I(x) + mean_b(x).

The passes run over strips, and each inner loop writes one row: fit a and b, average them, apply
them. Window sums are running sums in float64 down the columns of a strip, and direct sums along the
row. Each strip starts its sums anew, so the result does not depend on the division into strips. If
the picture is in linear light, square roots are taken within the strips; there is never a copy of
the whole picture.
"""

from __future__ import annotations

import numpy as np

from stages.arrays import check_image
from stages.grid import TAPS, BlurMap, Grid, linear_taps, mix
from stages.kernels import b1, f32, f64, i64, inline, kernel, reads, writes
from stages.laplacian.windows import factor_rows, sum_along
from stages.params import Array
from stages.strips import run_strips
from stages.upsample.samples import reduced_guide, root_of


def fast_guided(
    low: BlurMap, guide: Array, radius: int, epsilon: float, *, linear: bool = False
) -> Array:
    """Upsample a dense map by the fast guided filter.

    Parameters
    ----------
    low : BlurMap
        Dense map on the small grid.
    guide : Array
        Picture, HxWx3 float32, display-encoded in [0, 1], or in linear light.
    radius : int
        Window radius, in samples of the small grid.
    epsilon : float
        Regularisation of the slopes a.
    linear : bool
        Whether the guide is in linear light. Its square root is then taken.

    Returns
    -------
    Array
        sigma >= 0, HxW float32, full-resolution px.

    Raises
    ------
    ValueError
        If the guide has values that are not finite.
    """
    grid, sigma, full = low.grid, low.sigma, Grid(guide.shape[:2])
    small = np.ascontiguousarray(reduced_guide(grid, guide, linear=linear))
    check_image("upsample", "guide", small)  # a pixel that is not finite makes its mean not finite
    fitted = np.empty((4, *grid.shape), np.float32)
    model = np.empty((4, *grid.shape), np.float32)
    out = np.empty(full.shape, np.float32)
    run_strips(
        lambda start, stop: _fit(small, sigma, radius, epsilon, start, stop, fitted), grid.shape[0]
    )
    run_strips(lambda start, stop: _average(fitted, radius, start, stop, model), grid.shape[0])
    rows, cols = (linear_taps(grid, full, axis) for axis in (0, 1))
    flat = guide.reshape(-1)
    run_strips(
        lambda start, stop: _apply(model, flat, linear, rows, cols, start, stop, out),
        full.shape[0],
    )
    return out


def local_models(small: Array, values: Array, radius: int, epsilon: float) -> Array:
    """Affine models of values in colour, averaged over the windows around each sample.

    Parameters
    ----------
    small : Array
        Colours, hxwx3 float32, finite.
    values : Array
        Values to predict from colour, hxw float32.
    radius : int
        Of a window, samples.
    epsilon : float
        Regularisation.

    Returns
    -------
    Array
        Planes a (3) and b of eq. (8), 4xhxw float32: the value is a . colour + b.
    """
    rows = len(values)
    fitted = np.empty((4, *values.shape), np.float32)
    model = np.empty_like(fitted)
    _fit(small, values, radius, epsilon, 0, rows, fitted)
    _average(fitted, radius, 0, rows, model)
    return model


@inline
def _cropped_window(place, length, radius):  # type: ignore[no-untyped-def]
    """Number of samples along an axis in the window around a place, cropped at the ends."""
    return min(place + radius, length - 1) - max(place - radius, 0) + 1


@inline
def _add_moments(small, sigma, y, radius, sign, row, columns):  # type: ignore[no-untyped-def]
    """Add the colours and sigma of a row, and their products, to the running column sums.

    Rows of `columns`: I (3), sigma, I sigma (3), I I^T (6: 00 01 02 11 12 22). `row` is scratch
    memory. `sign` is -1 to subtract a row that leaves the window.
    """
    width, colours, value, mean = sigma.shape[1], small[y], sigma[y], row[3]
    for x in range(width):
        mean[x] = sign * value[x]
    total = columns[3, radius:]
    for x in range(width):
        total[x] += mean[x]
    k = 7
    for i in range(3):
        one, total = row[i], columns[i, radius:]
        for x in range(width):
            one[x] = colours[x, i]
        for x in range(width):
            total[x] += sign * one[x]
        total = columns[4 + i, radius:]
        for x in range(width):
            total[x] += mean[x] * one[x]
    for i in range(3):
        for j in range(i, 3):
            one, other, total = row[i], row[j], columns[k, radius:]
            for x in range(width):
                total[x] += sign * one[x] * other[x]
            k += 1


@kernel(reads(f32, 3), reads(f32, 2), i64, f64, i64, i64, writes(f32, 3))
def _fit(small, sigma, radius, epsilon, start, stop, fitted):  # type: ignore[no-untyped-def]
    """Write rows [start, stop) of a (3 planes) and b: eq. (7)."""
    height, width = sigma.shape
    columns, boxes = np.zeros((13, width + 2 * radius)), np.empty((13, width))
    row, share, per_column = np.empty((4, width)), np.empty(width), np.empty(width)
    for x in range(width):
        per_column[x] = 1.0 / _cropped_window(x, width, radius)
    first = max(start - radius, 0)
    for bottom in range(first, stop + radius):
        y = bottom - radius  # the row whose window is complete
        for place, sign in ((bottom, 1.0), (y - radius - 1, -1.0)):
            if first <= place < height:
                _add_moments(small, sigma, place, radius, sign, row, columns)
        if y < start:
            continue
        per_row = 1.0 / _cropped_window(y, height, radius)
        for x in range(width):
            share[x] = per_row * per_column[x]
        for k in range(13):
            box = boxes[k]
            sum_along(columns[k], radius, box)
            for x in range(width):
                box[x] *= share[x]
        _solve_models(boxes, epsilon)
        for k in range(4):
            solved, plane = boxes[4 + k] if k < 3 else boxes[3], fitted[k, y]
            for x in range(width):
                plane[x] = solved[x]


@inline
def _solve_models(boxes, epsilon):  # type: ignore[no-untyped-def]
    """Solve for b (row 3) and a (rows 4 to 6) from the mean moments, in place."""
    mean = boxes[3]
    k = 7
    for i in range(3):
        mu, cross = boxes[i], boxes[4 + i]
        for x in range(mean.size):
            cross[x] -= mu[x] * mean[x]
        for j in range(i, 3):
            moment, other, ridge = boxes[k], boxes[j], epsilon if i == j else 0.0
            for x in range(mean.size):
                moment[x] -= mu[x] * other[x] - ridge
            k += 1
    factor_rows(boxes[7:])
    a0, a1, a2 = boxes[4], boxes[5], boxes[6]
    inv0, l10, l20, inv1, l21, inv2 = boxes[7], boxes[8], boxes[9], boxes[10], boxes[11], boxes[12]
    for x in range(mean.size):
        a1[x] -= l10[x] * a0[x]
    for x in range(mean.size):
        a2[x] = (a2[x] - l20[x] * a0[x] - l21[x] * a1[x]) * inv2[x]
    for x in range(mean.size):
        a1[x] = a1[x] * inv1[x] - l21[x] * a2[x]
    for x in range(mean.size):
        a0[x] = a0[x] * inv0[x] - l10[x] * a1[x] - l20[x] * a2[x]
    for i in range(3):
        slope, mu = boxes[4 + i], boxes[i]
        for x in range(mean.size):
            mean[x] -= slope[x] * mu[x]


@kernel(reads(f32, 3), i64, i64, i64, writes(f32, 3))
def _average(fitted, radius, start, stop, model):  # type: ignore[no-untyped-def]
    """Write rows [start, stop) of the mean of a and b over windows: eq. (8)."""
    height, width = fitted.shape[1:]
    column, box, per_column = np.zeros(width + 2 * radius), np.empty(width), np.empty(width)
    for x in range(width):
        per_column[x] = 1.0 / _cropped_window(x, width, radius)
    inner = column[radius:]
    for k in range(4):
        column[:] = 0.0
        for y in range(max(start - radius, 0), min(start + radius, height)):
            row = fitted[k, y]
            for x in range(width):
                inner[x] += row[x]
        for y in range(start, stop):
            if y + radius < height:
                row = fitted[k, y + radius]
                for x in range(width):
                    inner[x] += row[x]
            sum_along(column, radius, box)
            per_row, mean = 1.0 / _cropped_window(y, height, radius), model[k, y]
            for x in range(width):
                mean[x] = box[x] * per_row * per_column[x]
            if y - radius >= 0:
                row = fitted[k, y - radius]
                for x in range(width):
                    inner[x] -= row[x]


@inline
def _stretch(model, y, taps, rows):  # type: ignore[no-untyped-def]
    """Write a row of the mean model, interpolated to the width of the picture: 4 planes."""
    left, right, across = taps
    a0, a1, a2, b = model[0, y], model[1, y], model[2, y], model[3, y]
    wide0, wide1, wide2, wide3 = rows[0], rows[1], rows[2], rows[3]
    for x in range(np.uint64(across.size)):
        i, j, part = np.uint64(left[x]), np.uint64(right[x]), across[x]
        wide0[x], wide1[x] = mix(a0[i], a0[j], part), mix(a1[i], a1[j], part)
        wide2[x], wide3[x] = mix(a2[i], a2[j], part), mix(b[i], b[j], part)


@inline
def _apply_row(upper, lower, part, colours, result):  # type: ignore[no-untyped-def]
    """Write a row of max(a . I + b, 0), with a and b interpolated between two rows."""
    u0, u1, u2, u3 = upper[0], upper[1], upper[2], upper[3]
    l0, l1, l2, l3 = lower[0], lower[1], lower[2], lower[3]
    for x in range(np.uint64(result.size)):
        k = np.uint64(3) * x
        red, green, blue = colours[k], colours[k + np.uint64(1)], colours[k + np.uint64(2)]
        warm = mix(u0[x], l0[x], part) * red + mix(u1[x], l1[x], part) * green
        sigma = warm + (mix(u2[x], l2[x], part) * blue + mix(u3[x], l3[x], part))
        result[x] = max(sigma, np.float32(0))


@kernel(reads(f32, 3), reads(f32, 1), b1, TAPS, TAPS, i64, i64, writes(f32, 2))
def _apply(model, guide, linear, vertical, horizontal, start, stop, out):  # type: ignore[no-untyped-def]
    """Write rows [start, stop) of max(a . I + b, 0), with a and b of the small grid."""
    width, (above, below, down) = out.shape[1], vertical
    colours = np.empty(3 * width, np.float32)
    # The two rows of the model in use, interpolated along the row: one is even, one odd
    rows, kept = np.empty((2, 4, width), np.float32), np.full(2, -1)
    for y in range(start, stop):
        for source in (above[y], below[y]):
            if kept[source % 2] != source:
                kept[source % 2] = source
                _stretch(model, source, horizontal, rows[source % 2])
        line = guide[3 * width * y : 3 * width * (y + 1)]
        if linear:
            for k in range(line.size):
                colours[k] = root_of(line[k])
        else:
            for k in range(line.size):  # faster to compile than an assignment of slices
                colours[k] = line[k]
        _apply_row(rows[above[y] % 2], rows[below[y] % 2], down[y], colours, out[y])
