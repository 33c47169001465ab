"""Preparation of the matting Laplacian: statistics of the guide, once per picture.

Kriener et al. 2013, eq. (5), multiplied with a map by box filters (He, Sun, Tang 2010):

    a_k = (Sigma_k + eps/|w| U)^-1 (mean_k(I p) - mu_k mean_k(p)),    b_k = mean_k(p) - a_k . mu_k
    (L p)_i = n_i p_i - (sum of a_k over the windows around i) . I_i - (sum of b_k)

Only windows w_k that lie fully inside the picture count, |w| = (2 radius + 1)^2 is their size,
Sigma_k is the biased covariance and n_i the number of windows that hold pixel i. L is symmetric
and positive semi-definite, and L(p - c) = L p for every constant c. Moments are float64. The
computation runs in row strips, so that only the planes of the operator have the size of the
picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.arrays import check_image
from stages.grid import Grid
from stages.kernels import f32, f64, i64, kernel, reads, writes
from stages.kinds import Encoded
from stages.laplacian.cells import Moments, cell_moments
from stages.laplacian.windows import Floats, factor_rows, ldl_factors, sum_along, window_moments
from stages.params import Array, Params, param
from stages.strips import run_strips

# Orthonormal opponent colours: eps |a|^2, and so L, is the same in every orthonormal basis, but a
# grey picture then has one channel that varies instead of three that agree, which float32 needs.
OPPONENT = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3.0], [2.0], [6.0]])
MID_GREY = 0.5  # subtracted from colours before moments, to reduce cancellation


@dataclass(frozen=True, slots=True, kw_only=True)
class LaplacianParams(Params):
    """Parameters of the matting Laplacian."""

    window_radius: int = param(
        3, 1, 7, unit="px", help="Radius of the windows in which blur is affine in colour."
    )
    epsilon: float = param(
        1e-3, 1e-7, 1.0, help="Regularisation of the affine model: larger is smoother."
    )
    epsilon_growth: float = param(
        1.0,
        0.0,
        4.0,
        help="On a grid of step s epsilon is s to this power larger; 0: the same at every step.",
    )

    def at_step(self, step: int) -> LaplacianParams:
        """Parameters of a grid of that step, whose map is close to that at full resolution."""
        epsilon = min(self.epsilon * step**self.epsilon_growth, 1.0)
        return self.replace(epsilon=epsilon, epsilon_growth=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class MattingLaplacian:
    """What a product with L needs: all planes are float32, or all float64.

    `guide` is 3xHxW, rotated and centred colours; `mean` (3xhxw) and `factors` (6xhxw, see
    `ldl_factors`) belong to the windows, h = H - 2 radius, w = W - 2 radius. In a picture smaller
    than a window there are none, and L is zero. `cells` are the colour statistics of the coarse
    model, finest level first (`cells.py`).
    """

    guide: Floats
    mean: Floats
    factors: Floats
    cells: tuple[Moments, ...]
    params: LaplacianParams

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the maps that L applies to."""
        return self.guide.shape[1], self.guide.shape[2]

    @property
    def has_windows(self) -> bool:
        """Whether any window fits into the picture."""
        return self.mean.size > 0


def grid_laplacian(guide: Encoded, grid: Grid, params: LaplacianParams) -> MattingLaplacian:
    """Prepare the matting Laplacian of a picture reduced to a grid.

    Parameters
    ----------
    guide : Array
        HxWx3 float32 of the grid, display-encoded in [0, 1].
    grid : Grid
        Its grid; epsilon is adapted to the step.
    params : LaplacianParams
        Window and epsilon at full resolution.

    Returns
    -------
    MattingLaplacian
        Operator on maps of the grid, float32.
    """
    return matting_laplacian(guide, params.at_step(grid.step))


def matting_laplacian(
    guide: Encoded, params: LaplacianParams, dtype: npt.DTypeLike = np.float32
) -> MattingLaplacian:
    """Prepare the matting Laplacian of a picture.

    Parameters
    ----------
    guide : Array
        Encoded picture, HxWx3 float32 in [0, 1].
    params : LaplacianParams
        Window and regularisation; epsilon is taken as it is.
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
    height, width = guide.shape[:2]
    rows, cols = (max(n - 2 * params.window_radius, 0) for n in (height, width))
    if cols == 0:
        rows = 0
    colours = np.empty((3, height, width), dtype)
    mean, factors = np.empty((3, rows, cols), dtype), np.empty((6, rows, cols), dtype)
    if colours.dtype == np.float32:
        _prepare_fused(np.ascontiguousarray(guide), params, colours, mean, factors)
    else:
        _prepare_reference(guide, params, colours, mean, factors)
    return MattingLaplacian(colours, mean, factors, cell_moments(colours), params)


def _prepare_fused(
    guide: Array, params: LaplacianParams, colours: Floats, mean: Floats, factors: Floats
) -> None:
    radius, ridge = params.window_radius, params.epsilon / (2 * params.window_radius + 1) ** 2
    run_strips(lambda start, stop: _rotate(guide, OPPONENT, start, stop, colours), guide.shape[0])
    run_strips(
        lambda start, stop: _window_models(colours, radius, ridge, start, stop, mean, factors),
        mean.shape[1],
    )


def _prepare_reference(
    guide: Array, params: LaplacianParams, colours: Floats, mean: Floats, factors: Floats
) -> None:
    radius, size = params.window_radius, 2 * params.window_radius + 1
    colours[:] = np.moveaxis((guide.astype(np.float64) - MID_GREY) @ OPPONENT.T, 2, 0)
    if mean.size:
        mean[:], covariance = window_moments(colours, radius)
        for diagonal in (0, 3, 5):
            covariance[diagonal] += params.epsilon / size**2
        factors[:] = ldl_factors(covariance)


@kernel(reads(f32, 3), reads(f64, 2), i64, i64, writes(f32, 3))
def _rotate(guide, basis, start, stop, colours):  # type: ignore[no-untyped-def]
    """Rows [start, stop) of the centred picture in the opponent basis, as planes."""
    for y in range(start, stop):
        for c in range(3):
            for x in range(guide.shape[1]):
                colours[c, y, x] = (
                    basis[c, 0] * (guide[y, x, 0] - MID_GREY)
                    + basis[c, 1] * (guide[y, x, 1] - MID_GREY)
                    + basis[c, 2] * (guide[y, x, 2] - MID_GREY)
                )


@kernel(reads(f32, 3), i64, f64, i64, i64, writes(f32, 3), writes(f32, 3))
def _window_models(colours, radius, ridge, start, stop, mean, factors):  # type: ignore[no-untyped-def]
    """Rows [start, stop) of windows: mean, and factors of covariance + ridge, in float64.

    `columns` holds the sums down the rows of a window; they run along within the strip, which
    float64 bears without drift.
    """
    size, width, windows = 2 * radius + 1, colours.shape[2], mean.shape[2]
    columns, boxes = np.zeros((9, width)), np.empty((9, windows))
    share = 1.0 / (size * size)
    for bottom in range(start, stop + 2 * radius):
        top = bottom - 2 * radius
        for leaving in range(2 if top > start else 1):
            y, sign = (top - 1, -1.0) if leaving else (bottom, 1.0)
            k = 3
            for i in range(3):
                first = colours[i, y]
                column = columns[i]
                for x in range(width):
                    column[x] += sign * first[x]
                for j in range(i, 3):
                    second = colours[j, y]
                    column = columns[k]
                    for x in range(width):
                        column[x] += sign * np.float64(first[x]) * np.float64(second[x])
                    k += 1
        if top < start:
            continue
        for k in range(9):
            sum_along(columns[k], radius, boxes[k])
            box = boxes[k]
            for x in range(windows):
                box[x] *= share
        k = 3
        for i in range(3):
            for j in range(i, 3):
                moment, mu, other = boxes[k], boxes[i], boxes[j]
                for x in range(windows):
                    moment[x] -= mu[x] * other[x]
                if i == j:
                    for x in range(windows):
                        moment[x] += ridge
                k += 1
        factor_rows(boxes[3:])
        for k in range(9):
            box, plane = boxes[k], mean[k, top] if k < 3 else factors[k - 3, top]
            for x in range(windows):
                plane[x] = box[x]
