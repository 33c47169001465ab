"""Box sums, moments, and 3x3 systems of windows.

All functions work on planes, in the dtype given. The fused kernels do the same row by row; tests
compare them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

import cv2
import numpy as np
import numpy.typing as npt

from stages.kernels import inline

Floats = npt.NDArray[np.floating]


def box_sum(plane: Floats, radius: int, out: Floats | None = None) -> Floats:
    """Sum over the window around each pixel, zero outside the plane.

    Parameters
    ----------
    plane : array
        HxW, floating point.
    radius : int
        The window has 2 radius + 1 rows and columns.
    out : array, optional
        Where the result is written, of the shape and dtype of `plane`.

    Returns
    -------
    array
        HxW, dtype of `plane`.
    """
    size = (2 * radius + 1, 2 * radius + 1)
    return np.asarray(
        cv2.boxFilter(plane, -1, size, out, normalize=False, borderType=cv2.BORDER_CONSTANT)
    )


def window_mean(plane: Floats, radius: int) -> Floats:
    """Mean over each window that lies fully inside the plane.

    Parameters
    ----------
    plane : array
        HxW, floating point.
    radius : int
        The window has 2 radius + 1 rows and columns.

    Returns
    -------
    array
        Dtype of `plane`, 2 radius rows and columns less.
    """
    total = box_sum(plane, radius)[radius:-radius, radius:-radius]
    return total * plane.dtype.type(1 / (2 * radius + 1) ** 2)


def window_moments(colours: Floats, radius: int) -> tuple[Floats, Floats]:
    """Mean and biased covariance of the colours of each inner window.

    Parameters
    ----------
    colours : array
        3xHxW planes, floating point.
    radius : int
        The window has 2 radius + 1 rows and columns.

    Returns
    -------
    (array, array)
        Means (3 planes) and covariances (6 planes: 00 01 02 11 12 22).
    """
    mean = np.stack([window_mean(colour, radius) for colour in colours])
    covariance = np.empty((6, *mean.shape[1:]), mean.dtype)
    for plane, (i, j) in zip(covariance, combinations_with_replacement(range(3), 2), strict=True):
        plane[:] = window_mean(colours[i] * colours[j], radius) - mean[i] * mean[j]
    return mean, covariance


def ldl_factors(matrix: Floats) -> Floats:
    """Factors L D L^T of symmetric positive definite 3x3 matrices, one per pixel.

    Solving with the factors costs as much as a product with the inverse. It stays accurate if
    colours nearly lie on a line, where the inverse does not.

    Parameters
    ----------
    matrix : array
        6xHxW, the entries 00 01 02 11 12 22.

    Returns
    -------
    array
        6xHxW: 1/d0 l10 l20 1/d1 l21 1/d2.
    """
    m00, m01, m02, m11, m12, m22 = matrix
    l10, l20 = m01 / m00, m02 / m00
    d1 = m11 - l10 * m01
    rest = m12 - l10 * m02
    l21 = rest / d1
    d2 = m22 - l20 * m02 - l21 * rest
    return np.stack([1 / m00, l10, l20, 1 / d1, l21, 1 / d2])


def ldl_solve(factors: Floats, right: Sequence[Floats]) -> tuple[Floats, Floats, Floats]:
    """Solve 3x3 systems, one per pixel.

    Parameters
    ----------
    factors : array
        6xHxW, of `ldl_factors`.
    right : sequence of array
        Three planes HxW of right-hand sides.

    Returns
    -------
    (array, array, array)
        Planes HxW of the solution.
    """
    inv0, l10, l20, inv1, l21, inv2 = factors
    y0 = right[0]
    y1 = right[1] - l10 * y0
    y2 = right[2] - l20 * y0 - l21 * y1
    a2 = y2 * inv2
    a1 = y1 * inv1 - l21 * a2
    a0 = y0 * inv0 - l10 * a1 - l20 * a2
    return a0, a1, a2


@inline
def factor_rows(matrix):  # type: ignore[no-untyped-def]
    """Put the factors of `ldl_factors` in the place of six rows of entries."""
    m00, m01, m02 = matrix[0], matrix[1], matrix[2]
    m11, m12, m22 = matrix[3], matrix[4], matrix[5]
    for x in range(m00.size):
        m00[x] = 1.0 / m00[x]
    for x in range(m00.size):
        m11[x] = 1.0 / (m11[x] - m01[x] * m01[x] * m00[x])
    for x in range(m00.size):
        m12[x] -= m01[x] * m02[x] * m00[x]
    for x in range(m00.size):
        m22[x] = 1.0 / (m22[x] - m02[x] * m02[x] * m00[x] - m12[x] * m12[x] * m11[x])
    for x in range(m00.size):
        m12[x] *= m11[x]
    for x in range(m00.size):
        m01[x] *= m00[x]
    for x in range(m00.size):
        m02[x] *= m00[x]


@inline
def sum_along(row, radius, total):  # type: ignore[no-untyped-def]
    """Sum a row over windows of 2 radius + 1; `total` is 2 radius shorter. Direct sums."""
    r1, r2 = row[1:], row[2:]
    for x in range(total.size):
        total[x] = row[x] + (r1[x] + r2[x])
    for d in range(1, radius):
        one, other = row[2 * d + 1 :], row[2 * d + 2 :]
        for x in range(total.size):
            total[x] += one[x] + other[x]


def windows_per_pixel(length: int, radius: int) -> npt.NDArray[np.int64]:
    """Number of windows along one axis that contain each pixel.

    Parameters
    ----------
    length : int
        Pixels along the axis, at least 2 radius + 1.
    radius : int
        A window has 2 radius + 1 pixels.

    Returns
    -------
    array of int64
        1 at either end, up to 2 radius + 1 inside.
    """
    size = 2 * radius + 1
    return np.convolve(np.ones(length - size + 1, np.int64), np.ones(size, np.int64))


@inline
def windows_at(place, length, radius):  # type: ignore[no-untyped-def]
    """How many windows along an axis of `length` hold the pixel at `place`."""
    reach = 2 * radius
    return min(place, length - 1 - reach) - max(place - reach, 0) + 1
