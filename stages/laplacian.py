"""The matting Laplacian of a guide picture, as an operator that is never assembled.

Kriener et al. 2013, eq. (5), multiplied with a map by box filters (He, Sun, Tang 2010):

    a_k = (Sigma_k + eps/|w| U)^-1 (mean_k(I p) - mu_k mean_k(p)),    b_k = mean_k(p) - a_k . mu_k
    (L p)_i = n_i p_i - (sum of a_k over the windows around i) . I_i - (sum of b_k)

Only windows w_k that lie fully inside the picture count, |w| = (2 radius + 1)^2 is their size,
Sigma_k is the biased covariance and n_i the number of windows that hold pixel i. L is symmetric
and positive semi-definite, and L(p - c) = L p for every constant c. Moments are float64; work goes
in row strips, so that nothing but the planes of the operator has the size of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import cv2
import numpy as np
import numpy.typing as npt

from stages.arrays import check_image
from stages.params import Array, Params, param
from stages.strips import run_strips

Floats = npt.NDArray[np.floating]

# Orthonormal opponent colours: eps |a|^2, and so L, is the same in every orthonormal basis, but a
# grey picture then has one channel that varies instead of three that agree, which float32 needs.
OPPONENT = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3.0], [2.0], [6.0]])
MID_GREY = 0.5  # taken off the colours before moments: smaller numbers cancel less


@dataclass(frozen=True, slots=True, kw_only=True)
class LaplacianParams(Params):
    """Parameters of the matting Laplacian."""

    window_radius: int = param(
        3, 1, 7, unit="px", help="Radius of the windows in which blur is affine in colour."
    )
    epsilon: float = param(
        1e-3, 1e-7, 1.0, help="Regularisation of the affine model: larger is smoother."
    )


@dataclass(frozen=True, slots=True, eq=False)
class MattingLaplacian:
    """What a product with L needs: all planes are float32, or all float64.

    `guide` is 3xHxW, rotated and centred colours; `mean` (3xhxw) and `factors` (6xhxw, see
    `ldl_factors`) belong to the windows, h = H - 2 radius, w = W - 2 radius. In a picture smaller
    than a window there are none, and L is zero.
    """

    guide: Floats
    mean: Floats
    factors: Floats
    params: LaplacianParams

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the maps that L applies to."""
        return self.guide.shape[1], self.guide.shape[2]

    @property
    def has_windows(self) -> bool:
        """Whether any window fits into the picture."""
        return self.mean.size > 0


def matting_laplacian(
    guide: Array, params: LaplacianParams, dtype: npt.DTypeLike = np.float32
) -> MattingLaplacian:
    """Prepare the matting Laplacian of a picture.

    Parameters
    ----------
    guide : Array
        Encoded picture, HxWx3 float32 in [0, 1].
    params : LaplacianParams
        Window and regularisation.
    dtype : dtype
        float32, or float64 for reference results.

    Returns
    -------
    MattingLaplacian
        Eq. (5) of the paper; zero in a picture smaller than a window.

    Raises
    ------
    ValueError
        If the guide is not a finite HxWx3 float32 picture.
    """
    check_image("matting_laplacian", "guide", guide)
    radius, size = params.window_radius, 2 * params.window_radius + 1
    height, width = guide.shape[:2]
    rows, cols = max(height - size + 1, 0), max(width - size + 1, 0)
    if cols == 0:
        rows = 0
    colours = np.empty((3, height, width), dtype)
    mean, factors = np.empty((3, rows, cols), dtype), np.empty((6, rows, cols), dtype)

    def rotate(start: int, stop: int) -> None:
        centred = guide[start:stop].astype(np.float64) - MID_GREY
        colours[:, start:stop] = np.moveaxis(centred @ OPPONENT.T, 2, 0)

    def moments(start: int, stop: int) -> None:
        strip = colours[:, start : stop + size - 1].astype(np.float64)
        mu, covariance = window_moments(strip, radius)
        for diagonal in (0, 3, 5):
            covariance[diagonal] += params.epsilon / size**2
        mean[:, start:stop] = mu
        factors[:, start:stop] = ldl_factors(covariance)

    run_strips(rotate, height)
    run_strips(moments, rows)
    return MattingLaplacian(colours, mean, factors, params)


def apply_laplacian(laplacian: MattingLaplacian, p: Floats) -> Floats:
    """Product L p.

    Parameters
    ----------
    laplacian : MattingLaplacian
        The operator.
    p : array
        HxW map of the operator's dtype.

    Returns
    -------
    array
        L p, HxW of the same dtype. Float32 errs by about 1e-6 of the largest value.
    """
    out = np.zeros_like(p)
    if not laplacian.has_windows:
        return out
    radius, (height, width) = laplacian.params.window_radius, laplacian.shape
    rows, cols = (_windows_per_pixel(n, radius).astype(p.dtype) for n in (height, width))

    def product(start: int, stop: int) -> None:
        top, bottom = max(start - 2 * radius, 0), min(stop + 2 * radius, height)
        strip = p[top:bottom] - p[(start + stop) // 2].mean()  # L is blind to a constant
        sums = _coefficient_sums(laplacian, strip, top)
        inner = slice(start - top, stop - top)
        product = rows[start:stop, None] * cols * strip[inner] - sums[3, inner]
        for total, colour in zip(sums[:3, inner], laplacian.guide[:, start:stop], strict=True):
            product -= total * colour
        out[start:stop] = product

    run_strips(product, height)
    return out


def _coefficient_sums(laplacian: MattingLaplacian, strip: Floats, top: int) -> Floats:
    """Sums of a (3 planes) and b over the windows that hold each pixel of a strip of p."""
    radius = laplacian.params.window_radius
    inside = np.s_[radius:-radius, radius:-radius]
    windows = np.s_[:, top : top + strip.shape[0] - 2 * radius]
    mean, factors = laplacian.mean[windows], laplacian.factors[windows]
    colours = laplacian.guide[:, top : top + strip.shape[0]]
    mean_p = window_mean(strip, radius)
    covariance = [
        window_mean(colour * strip, radius) - mu * mean_p
        for colour, mu in zip(colours, mean, strict=True)
    ]
    slopes = ldl_solve(factors, covariance)
    offset = mean_p
    for a, mu in zip(slopes, mean, strict=True):
        offset = offset - a * mu
    padded = np.zeros_like(strip)
    sums = np.empty((4, *strip.shape), strip.dtype)
    for plane, total in zip((*slopes, offset), sums, strict=True):
        padded[inside] = plane
        box_sum(padded, radius, total)
    return sums


def box_sum(plane: Floats, radius: int, out: Floats | None = None) -> Floats:
    """Sum over the (2 radius + 1)^2 window around each pixel, zero outside the plane."""
    size = (2 * radius + 1, 2 * radius + 1)
    return np.asarray(
        cv2.boxFilter(plane, -1, size, out, normalize=False, borderType=cv2.BORDER_CONSTANT)
    )


def window_mean(plane: Floats, radius: int) -> Floats:
    """Mean over each window that lies fully inside the plane: 2 radius rows and columns less."""
    total = box_sum(plane, radius)[radius:-radius, radius:-radius]
    return total * plane.dtype.type(1 / (2 * radius + 1) ** 2)


def window_moments(colours: Floats, radius: int) -> tuple[Floats, Floats]:
    """Mean (3 planes) and biased covariance (6: 00 01 02 11 12 22) of each inner window."""
    mean = np.stack([window_mean(colour, radius) for colour in colours])
    covariance = np.empty((6, *mean.shape[1:]), mean.dtype)
    for plane, (i, j) in zip(covariance, combinations_with_replacement(range(3), 2), strict=True):
        plane[:] = window_mean(colours[i] * colours[j], radius) - mean[i] * mean[j]
    return mean, covariance


def ldl_factors(matrix: Floats) -> Floats:
    """Factors L D L^T of symmetric positive definite 3x3 matrices, one per pixel.

    Takes the planes 00 01 02 11 12 22; gives l10, l20, l21, 1/d0, 1/d1, 1/d2. Solving with the
    factors costs what a product with the inverse would, and stays accurate where colours nearly
    lie on a line and the inverse does not.
    """
    m00, m01, m02, m11, m12, m22 = matrix
    l10, l20 = m01 / m00, m02 / m00
    d1 = m11 - l10 * m01
    rest = m12 - l10 * m02
    l21 = rest / d1
    d2 = m22 - l20 * m02 - l21 * rest
    return np.stack([l10, l20, l21, 1 / m00, 1 / d1, 1 / d2])


def ldl_solve(factors: Floats, right: Sequence[Floats]) -> tuple[Floats, Floats, Floats]:
    """Solve the 3x3 systems of `ldl_factors` for three planes of right-hand sides."""
    l10, l20, l21, inv0, inv1, inv2 = factors
    y0 = right[0]
    y1 = right[1] - l10 * y0
    y2 = right[2] - l20 * y0 - l21 * y1
    a2 = y2 * inv2
    a1 = y1 * inv1 - l21 * a2
    a0 = y0 * inv0 - l10 * a1 - l20 * a2
    return a0, a1, a2


def _windows_per_pixel(length: int, radius: int) -> npt.NDArray[np.int64]:
    """How many windows along one axis hold each pixel: 1 at an end, 2 radius + 1 inside."""
    size = 2 * radius + 1
    return np.convolve(np.ones(length - size + 1, np.int64), np.ones(size, np.int64))
