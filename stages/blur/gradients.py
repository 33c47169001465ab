"""Gradients of smoothed luma, their energy, and the contribution of noise to both.

Smoothing is OpenCV's. The Scharr operator and the sum of its squares are fused into one pass over
memory. Planes are HxW float32, mirrored at the border without repeating the outermost pixels. Each
value depends on its neighbourhood alone, so full-width strips with a halo of
`gaussian_radius(scale) + 1` rows give the same bits as the whole plane.
"""

from __future__ import annotations

import math
from functools import cache

import cv2
import numpy as np

from stages.arrays import luma
from stages.kernels import f32, i64, inline, kernel, reads, writes
from stages.params import Array

ALL_ROWS = slice(None)
CENTRE, SIDE = np.float32(10 / 32), np.float32(3 / 32)  # weights of the Scharr operator


def plane_of(view: Array) -> Array:
    """Luma of a view.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1]; or HxW, its luma.

    Returns
    -------
    Array
        HxW float32 in [0, 1]; `view` itself if it is HxW.
    """
    return view if view.ndim == 2 else luma(view)


def gaussian_radius(scale_px: float) -> int:
    """Radius of the sampled kernel of a Gaussian, px."""
    return math.ceil(3 * scale_px)


def smooth(plane: Array, scale_px: float) -> Array:
    """Gaussian smoothing of a plane, with mirrored borders.

    Parameters
    ----------
    plane : Array
        HxW float32.
    scale_px : float
        Standard deviation of the Gaussian, px of the plane; >= 0.

    Returns
    -------
    Array
        HxW float32; `plane` itself if the scale is 0.
    """
    if scale_px == 0:
        return plane
    size = (2 * gaussian_radius(scale_px) + 1,) * 2
    return np.asarray(
        cv2.GaussianBlur(plane, size, scale_px, borderType=cv2.BORDER_REFLECT_101), np.float32
    )


@cache
def smoothing_variance(scale_px: float) -> float:
    """Variance that smoothing adds, px^2: that of the sampled and truncated Gaussian."""
    if scale_px == 0:
        return 0.0
    radius = gaussian_radius(scale_px)
    weights = cv2.getGaussianKernel(2 * radius + 1, scale_px, cv2.CV_64F)[:, 0]
    return float(np.sum(weights * np.arange(-radius, radius + 1) ** 2))


def gradient(plane: Array, scale_px: float) -> tuple[Array, Array]:
    """Scharr gradient of a plane after Gaussian smoothing.

    Parameters
    ----------
    plane : Array
        HxW float32.
    scale_px : float
        Standard deviation of the Gaussian, px of the plane; 0: no smoothing.

    Returns
    -------
    Array, Array
        Derivatives along x and y, HxW float32, per px.
    """
    plane = smooth(plane, scale_px)
    return (
        cv2.Scharr(plane, cv2.CV_32F, 1, 0, scale=1 / 32, borderType=cv2.BORDER_REFLECT_101),
        cv2.Scharr(plane, cv2.CV_32F, 0, 1, scale=1 / 32, borderType=cv2.BORDER_REFLECT_101),
    )


def gradient_energy(plane: Array, scale_px: float, rows: slice = ALL_ROWS) -> Array:
    """Squared magnitude of the gradient of a smoothed plane.

    Parameters
    ----------
    plane : Array
        HxW float32 luma.
    scale_px : float
        Standard deviation of the smoothing, px of the plane; 0: none.
    rows : slice
        Rows to compute.

    Returns
    -------
    Array
        NxW float32 for N rows, luma^2 / px^2.
    """
    start, stop, _ = rows.indices(plane.shape[0])
    energy = np.empty((stop - start, plane.shape[1]), np.float32)
    _energy(np.ascontiguousarray(smooth(plane, scale_px)), start, energy)
    return energy


@cache
def noise_gain(scale_px: float) -> float:
    """Standard deviation of a Scharr component of smoothed white noise of deviation 1."""
    size = 2 * (gaussian_radius(scale_px) + 2) + 1
    impulse = np.zeros((size, size), np.float32)
    impulse[size // 2, size // 2] = 1
    return float(np.sqrt(np.sum(gradient(impulse, scale_px)[0].astype(np.float64) ** 2)))


def noise_energy(scale_px: float, noise: float) -> float:
    """Expected gradient energy of smoothed white noise of a standard deviation."""
    return 2 * (noise_gain(scale_px) * noise) ** 2


@inline
def scharr_x(above, here, below, left, right):  # type: ignore[no-untyped-def]
    """Derivative along the row at one pixel, from three rows of a smoothed plane."""
    centre = CENTRE * (here[right] - here[left])
    return centre + SIDE * ((above[right] - above[left]) + (below[right] - below[left]))


@inline
def scharr_y(above, below, left, x, right):  # type: ignore[no-untyped-def]
    """Derivative down the column at one pixel."""
    sides = (below[left] - above[left]) + (below[right] - above[right])
    return CENTRE * (below[x] - above[x]) + SIDE * sides


@inline
def mirrored(index, size):  # type: ignore[no-untyped-def]
    """Index, mirrored at the first or last sample if it is outside of the plane."""
    return max(min(abs(index), 2 * size - 2 - abs(index)), 0)


@kernel(reads(f32, 2), i64, writes(f32, 2))
def _energy(plane, first, out):  # type: ignore[no-untyped-def]
    """Write the gradient energy of rows of a plane, starting with row `first`."""
    height, width = plane.shape
    for y in range(first, first + out.shape[0]):
        above, below = plane[mirrored(y - 1, height)], plane[mirrored(y + 1, height)]
        here = plane[y]
        row = out[y - first]
        for x in range(1, width - 1):
            gx = scharr_x(above, here, below, x - 1, x + 1)
            gy = scharr_y(above, below, x - 1, x, x + 1)
            row[x] = gx * gx + gy * gy
        for x in (0, width - 1):  # mirrored neighbours are equal: the derivative along x is 0
            side = mirrored(x + 1, width)
            gy = scharr_y(above, below, side, x, side)
            row[x] = gy * gy
