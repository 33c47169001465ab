"""Gradients of luma after smoothing, their energy, and what noise contributes to both.

Smoothing is OpenCV's; the Scharr operator and the sum of its squares are one pass over memory.
Planes are HxW float32; outside a picture they are mirrored without repeating the border. Every
value depends on its neighbourhood alone, so that strips of full width with a halo of
`gaussian_radius(scale) + 1` rows give the bits of the whole.
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
    """Luma of a view, HxW; a view of one channel is luma already."""
    return view if view.ndim == 2 else luma(view)


def gaussian_radius(scale_px: float) -> int:
    """Radius of the kernel of a Gaussian."""
    return math.ceil(3 * scale_px)


def smooth(plane: Array, scale_px: float) -> Array:
    """A plane after a Gaussian; itself where the scale is 0."""
    if scale_px == 0:
        return plane
    size = (2 * gaussian_radius(scale_px) + 1,) * 2
    return np.asarray(
        cv2.GaussianBlur(plane, size, scale_px, borderType=cv2.BORDER_REFLECT_101), np.float32
    )


@cache
def smoothing_variance(scale_px: float) -> float:
    """Variance that smoothing adds, px^2: of the Gaussian as it is sampled and cut."""
    if scale_px == 0:
        return 0.0
    radius = gaussian_radius(scale_px)
    weights = cv2.getGaussianKernel(2 * radius + 1, scale_px, cv2.CV_64F)[:, 0]
    return float(np.sum(weights * np.arange(-radius, radius + 1) ** 2))


def gradient(plane: Array, scale_px: float) -> tuple[Array, Array]:
    """Scharr gradient of a plane after Gaussian smoothing, per pixel of the plane."""
    plane = smooth(plane, scale_px)
    return (
        cv2.Scharr(plane, cv2.CV_32F, 1, 0, scale=1 / 32, borderType=cv2.BORDER_REFLECT_101),
        cv2.Scharr(plane, cv2.CV_32F, 0, 1, scale=1 / 32, borderType=cv2.BORDER_REFLECT_101),
    )


def gradient_energy(plane: Array, scale_px: float, rows: slice = ALL_ROWS) -> Array:
    """Squared length of the gradient, of some rows of the plane."""
    start, stop, _ = rows.indices(plane.shape[0])
    energy = np.empty((stop - start, plane.shape[1]), np.float32)
    _energy(np.ascontiguousarray(smooth(plane, scale_px)), start, energy)
    return energy


@cache
def noise_gain(scale_px: float) -> float:
    """Deviation of one Scharr component after a Gaussian, for white noise of deviation 1."""
    size = 2 * (gaussian_radius(scale_px) + 2) + 1
    impulse = np.zeros((size, size), np.float32)
    impulse[size // 2, size // 2] = 1
    return float(np.sqrt(np.sum(gradient(impulse, scale_px)[0].astype(np.float64) ** 2)))


def noise_energy(scale_px: float, noise: float) -> float:
    """Gradient energy that white noise of a deviation leaves at a scale."""
    return 2 * (noise_gain(scale_px) * noise) ** 2


@inline
def scharr_x(above, here, below, left, right):  # type: ignore[no-untyped-def]
    """Component along the row, from three rows of a smoothed plane."""
    centre = CENTRE * (here[right] - here[left])
    return centre + SIDE * ((above[right] - above[left]) + (below[right] - below[left]))


@inline
def scharr_y(above, below, left, x, right):  # type: ignore[no-untyped-def]
    """Component down the column."""
    sides = (below[left] - above[left]) + (below[right] - above[right])
    return CENTRE * (below[x] - above[x]) + SIDE * sides


@inline
def mirrored(index, size):  # type: ignore[no-untyped-def]
    """An index within a plane, or one beyond its end, mirrored at the last sample."""
    return max(min(abs(index), 2 * size - 2 - abs(index)), 0)


@kernel(reads(f32, 2), i64, writes(f32, 2))
def _energy(plane, first, out):  # type: ignore[no-untyped-def]
    height, width = plane.shape
    for y in range(first, first + out.shape[0]):
        above, below = plane[mirrored(y - 1, height)], plane[mirrored(y + 1, height)]
        here = plane[y]
        row = out[y - first]
        for x in range(1, width - 1):
            gx = scharr_x(above, here, below, x - 1, x + 1)
            gy = scharr_y(above, below, x - 1, x, x + 1)
            row[x] = gx * gx + gy * gy
        for x in (0, width - 1):  # along the row, mirrored neighbours are equal
            side = mirrored(x + 1, width)
            gy = scharr_y(above, below, side, x, side)
            row[x] = gy * gy
