"""The product (L + W) p in one pass over the rows, in float32, for windows of 7x7.

Two ring buffers of seven rows move down a strip. The first holds products of p with the colours,
from which the models a_k, b_k of a row of windows are computed. The second holds sums of those
models along the row, from which a row of L p is computed. Sums over windows are direct, not
running, so that float32 does not drift. The position of a row in the ring does not depend on the
strip, so that sums have the same order. One constant per strip is subtracted from p first (L p
does not depend on it). Otherwise the rounding of 1/|w| would leave about 1e-6 p per pixel, which
matters where data is sparse.

Each inner loop writes one row, which is the form that vectorises; scalars are float64.
"""

from __future__ import annotations

import math

import numpy as np

from stages.kernels import f32, i64, inline, kernel, reads, total_of, writes
from stages.laplacian.matting import MattingLaplacian
from stages.laplacian.reference import apply_laplacian
from stages.laplacian.windows import Floats, windows_at
from stages.strips import run_strips

RADIUS, SIZE = 3, 7  # px; of the windows: constants, so that their sums are one loop each


def apply_system(laplacian: MattingLaplacian, weight: Floats, p: Floats, out: Floats) -> float:
    """Product (L + W) p into `out`; W is diagonal.

    Parameters
    ----------
    laplacian : MattingLaplacian
        The operator, with at least one window. Float64, and windows of another size, take the box
        filters.
    weight, p : array
        HxW, the diagonal of W and the map, of the operator's dtype.
    out : array
        HxW, overwritten.

    Returns
    -------
    float
        p . (L + W) p, summed in float64.
    """
    if p.dtype != np.float32 or laplacian.params.window_radius != RADIUS:
        np.add(apply_laplacian(laplacian, p), weight * p, out=out)
        return math.fsum(
            run_strips(lambda a, b: float(np.sum(p[a:b] * out[a:b], dtype=np.float64)), p.shape[0])
        )
    guide, mean, factors = laplacian.guide, laplacian.mean, laplacian.factors
    return math.fsum(
        run_strips(
            lambda start, stop: _system_rows(p, weight, guide, mean, factors, start, stop, out),
            p.shape[0],
        )
    )


@inline
def sum_along(row, total):  # type: ignore[no-untyped-def]
    """Sum a row over windows of seven; `total` is six shorter."""
    r1, r2, r3, r4, r5, r6 = row[1:], row[2:], row[3:], row[4:], row[5:], row[6:]
    for x in range(total.size):
        total[x] = (row[x] + (r1[x] + r2[x])) + ((r3[x] + r4[x]) + (r5[x] + r6[x]))


@inline
def sum_rows(rows, c, total):  # type: ignore[no-untyped-def]
    """Sum plane c over a ring of seven rows."""
    r0, r1, r2, r3 = rows[0, c], rows[1, c], rows[2, c], rows[3, c]
    r4, r5, r6 = rows[4, c], rows[5, c], rows[6, c]
    for x in range(total.size):
        total[x] = (r0[x] + (r1[x] + r2[x])) + ((r3[x] + r4[x]) + (r5[x] + r6[x]))


@kernel(
    reads(f32, 2), reads(f32, 2), reads(f32, 3), reads(f32, 3), reads(f32, 3),
    i64, i64, writes(f32, 2),
)  # fmt: skip
def _system_rows(p, weight, guide, mean, factors, start, stop, out):  # type: ignore[no-untyped-def]
    """Rows [start, stop) of (L + W) p; returns their share of p . (L + W) p."""
    height, width = p.shape
    rows, cols = mean.shape[1:]
    products = np.empty((SIZE, 4, width), np.float32)  # ring: p I (3) and p, shifted
    sums = np.zeros((SIZE, 4, width), np.float32)  # ring: a (3) and b, summed along the row
    column, box = np.empty((4, width), np.float32), np.empty((4, cols), np.float32)
    model = np.zeros((4, width + 2 * RADIUS), np.float32)
    per_column = np.empty(width, np.float32)
    for x in range(width):
        per_column[x] = windows_at(x, width, RADIUS)
    share, total, energy = np.float32(1.0 / (SIZE * SIZE)), 0.0, np.zeros(width)
    for x in range(width):
        total += p[(start + stop) // 2, x]
    constant = np.float32(total / width)
    first = max(start - 2 * RADIUS, 0)
    for bottom in range(first, stop + 2 * RADIUS):
        if bottom < height:
            shifted, source = products[bottom % SIZE, 3], p[bottom]
            for x in range(width):
                shifted[x] = source[x] - constant
            for c in range(3):
                colour, product = guide[c, bottom], products[bottom % SIZE, c]
                for x in range(width):
                    product[x] = shifted[x] * colour[x]
        k = bottom - 2 * RADIUS  # the window row that is complete, and the row of L p that is
        if first <= k < rows:
            for c in range(4):
                sum_rows(products, c, column[c])
                sum_along(column[c], box[c])
            fit_models(box, mean, factors, k, share, model[:, 2 * RADIUS :])
            for c in range(4):
                sum_along(model[c], sums[k % SIZE, c])
        elif k >= rows:
            for c in range(4):
                empty = sums[k % SIZE, c]
                for x in range(width):
                    empty[x] = np.float32(0)
        if k >= start:
            for c in range(4):
                sum_rows(sums, c, column[c])
            result, value, data = out[k], p[k], weight[k]
            a0, a1, a2, b = column[0], column[1], column[2], column[3]
            colour0, colour1, colour2 = guide[0, k], guide[1, k], guide[2, k]
            for x in range(width):
                result[x] = a0[x] * colour0[x] + a1[x] * colour1[x] + (a2[x] * colour2[x] + b[x])
            per_row = np.float32(windows_at(k, height, RADIUS))
            for x in range(width):
                own = per_row * per_column[x] * (value[x] - constant)
                result[x] = (own - result[x]) + data[x] * value[x]
            for x in range(width):
                energy[x] += np.float64(result[x]) * np.float64(value[x])
    return total_of(energy)


@inline
def fit_models(box, mean, factors, k, share, model):  # type: ignore[no-untyped-def]
    """Models a, b of one row of windows from their sums of p I and p (`ldl_solve`)."""
    y0, y1, y2, mean_p = box[0], box[1], box[2], box[3]
    for x in range(mean_p.size):
        mean_p[x] *= share
    for c in range(3):
        moment, mu = box[c], mean[c, k]
        for x in range(moment.size):
            moment[x] = moment[x] * share - mu[x] * mean_p[x]
    inv0, l10, l20 = factors[0, k], factors[1, k], factors[2, k]
    inv1, l21, inv2 = factors[3, k], factors[4, k], factors[5, k]
    a0, a1, a2, b = model[0], model[1], model[2], model[3]
    for x in range(y1.size):
        y1[x] -= l10[x] * y0[x]
    for x in range(y2.size):
        a2[x] = (y2[x] - l20[x] * y0[x] - l21[x] * y1[x]) * inv2[x]
    for x in range(y1.size):
        a1[x] = y1[x] * inv1[x] - l21[x] * a2[x]
    for x in range(y0.size):
        a0[x] = y0[x] * inv0[x] - l10[x] * a1[x] - l20[x] * a2[x]
    mu0, mu1, mu2 = mean[0, k], mean[1, k], mean[2, k]
    for x in range(mean_p.size):
        b[x] = mean_p[x] - a0[x] * mu0[x] - a1[x] * mu1[x] - a2[x] * mu2[x]
