"""The forward model: the photograph that a thin lens and a sensor take of a known scene.

A scene is a stack of layers, each with its light, its matte and the blur of every point (which
varies over a slanted surface). Every point is spread by its point spread function, a disk or a
Gaussian of standard deviation sigma. The blurred layers, premultiplied by their blurred mattes, are
composited from back to front with the over operator (`compose`). For a single picture with measured
depth, rays are traced through the lens instead, and hidden surfaces are extrapolated (`lens_blur`).
Linear light, which may exceed 1; sigma in px of the picture. Truth for tests and benchmarks; the
camera does not use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from stages.arrays import check_image
from stages.bokeh.aperture import Doubles
from stages.bokeh.disk import FOCUS_PX, disk_kernel
from stages.bokeh.reference import run_bands
from stages.kernels import f32, f64, i64, inline, kernel, reads, writes
from stages.params import Array

PSFS = ("disk", "gauss")
MIN_SIZE_STEP_PX = 0.125  # between neighbouring sizes of a point spread function
MIN_SIZE_RATIO = 0.01  # and their minimum ratio - 1
MIN_GAUSS_PX = 0.25  # a sampled Gaussian that is the identity but for a thousandth
GAUSS_REACH = 5.0  # standard deviations that are sampled
LARGEST_SIGMA_PX = 200.0
JUMP_PX = 0.75  # difference of sigma from which neighbours are not one surface
PIXEL_VARIANCE = 1 / 12  # px^2; added by rounding the hit of a ray to a pixel


class Layer(NamedTuple):
    """One layer of a scene: linear light HxWx3, matte HxW in [0, 1], sigma HxW in px >= 0.

    Light is known wherever the matte is above 0. Sigma is extrapolated beyond it.
    """

    linear: Array
    alpha: Array
    sigma: Array


class Blurred(NamedTuple):
    """A layer through the lens: premultiplied light HxWx3, and coverage HxW."""

    premultiplied: Array
    coverage: Array


def point_spread(size_px: float, psf: str) -> Doubles:
    """Normalised weights of one point spread function: a disk of a radius, or a Gaussian."""
    if psf == "disk":
        return disk_kernel(size_px)
    axis = np.arange(-int(np.ceil(GAUSS_REACH * size_px)), int(np.ceil(GAUSS_REACH * size_px)) + 1)
    profile = np.exp(-0.5 * (axis / size_px) ** 2)
    weights = np.outer(profile, profile)
    return np.asarray(weights / weights.sum(), np.float64)


class Sizes(NamedTuple):
    """Sizes of a point spread function in small steps, and the sigma (px) of each."""

    sizes: Doubles
    sigmas: Doubles


@lru_cache(maxsize=8)
def _sizes(psf: str, most_px: float) -> Sizes:
    """Sizes from the identity to the first whose sigma reaches `most_px`."""
    size, sizes, sigmas = (FOCUS_PX if psf == "disk" else MIN_GAUSS_PX), [0.0], [0.0]
    while sigmas[-1] < most_px:
        size += max(MIN_SIZE_STEP_PX, MIN_SIZE_RATIO * size)
        marginal = point_spread(size, psf).sum(axis=0)
        offsets = np.arange(marginal.size) - marginal.size // 2
        sizes.append(size)
        sigmas.append(float(np.sqrt(marginal @ offsets**2)))
    return Sizes(np.array(sizes), np.array(sigmas))


def spread(planes: Array, sigma: Array, psf: str = "disk") -> Array:
    """Scatter every pixel by a point spread function of its own size.

    A pixel is distributed over the two nearest of a list of sizes (1 % apart), such that its
    variance is exact. Light that leaves the picture is lost.

    Parameters
    ----------
    planes : Array
        HxWxC float32.
    sigma : Array
        Standard deviation in px, HxW float32, in [0, 200].
    psf : str
        "disk" or "gauss".

    Returns
    -------
    Array
        HxWxC float32.

    Raises
    ------
    ValueError
        If `sigma` does not fit, or `psf` has another name.
    """
    _check_sigma(planes.shape[:2], sigma, psf)
    known = _sizes(psf, float(np.exp2(np.ceil(np.log2(max(float(sigma.max()), 1.0))))))
    above = np.clip(np.searchsorted(known.sigmas, sigma, "left"), 1, len(known.sigmas) - 1)
    squares = known.sigmas**2
    part = (np.square(sigma, dtype=np.float64) - squares[above - 1]) / np.diff(squares)[above - 1]
    out = np.zeros_like(planes)
    for index in np.union1d(above, above - 1):
        share = np.where(above == index, part, 0) + np.where(above == index + 1, 1 - part, 0)
        _add_size(planes, share.astype(np.float32), known.sizes[index], psf, out)
    return out


def _add_size(planes: Array, share: Array, size: float, psf: str, out: Array) -> None:
    """Scatter the share of one size, within the bounding box of its result."""
    rows, cols = (np.flatnonzero(share.any(axis=axis)) for axis in (1, 0))
    if rows.size == 0:
        return
    kernel = point_spread(size, psf) if size else np.ones((1, 1))
    reach = len(kernel) // 2
    box = tuple(slice(max(found[0] - reach, 0), found[-1] + 1 + reach) for found in (rows, cols))
    part, target = planes[box] * share[box][..., None], out[box]
    for channel in range(planes.shape[2]):
        target[..., channel] += cv2.filter2D(
            np.ascontiguousarray(part[..., channel], np.float64), -1, kernel,
            borderType=cv2.BORDER_CONSTANT,
        )  # fmt: skip


def _check_sigma(shape: tuple[int, ...], sigma: Array, psf: str) -> None:
    if psf not in PSFS:
        raise ValueError(f"scene: psf must be one of {', '.join(PSFS)}; got {psf!r}")
    if sigma.shape != shape or sigma.dtype != np.float32:
        raise ValueError(f"scene: sigma must be {shape} float32; got {sigma.shape} {sigma.dtype}")
    low, high = float(sigma.min()), float(sigma.max())
    if not (low >= 0 and high <= LARGEST_SIGMA_PX):  # NaN fails both
        raise ValueError(
            f"scene: sigma must lie in [0, {LARGEST_SIGMA_PX:g}] px; got {low:g}..{high:g}"
        )


def blur_layer(layer: Layer, psf: str = "disk") -> Blurred:
    """Blur a layer, without darkening at the borders of the picture.

    Parameters
    ----------
    layer : Layer
        Linear light, matte and sigma.
    psf : str
        "disk" or "gauss".

    Returns
    -------
    Blurred
        Premultiplied light and coverage.
    """
    check_image("scene", "linear", layer.linear)
    planes = np.dstack([layer.linear * layer.alpha[..., None], layer.alpha])
    planes = np.dstack([planes, np.ones_like(layer.alpha)])
    blurred = spread(planes, layer.sigma, psf)
    blurred[..., :4] /= np.maximum(blurred[..., 4:], np.finfo(np.float32).tiny)
    return Blurred(blurred[..., :3], np.clip(blurred[..., 3], 0, 1))


def compose(layers: Sequence[Layer], psf: str = "disk") -> Array:
    """Photograph a stack of layers.

    Parameters
    ----------
    layers : sequence of Layer
        From back to front; the first is opaque.
    psf : str
        "disk" or "gauss".

    Returns
    -------
    Array
        Linear light, HxWx3 float32.
    """
    out = np.zeros_like(layers[0].linear)
    for layer in layers:
        premultiplied, coverage = blur_layer(layer, psf)
        out = premultiplied + (1 - coverage[..., None]) * out
    return out


def lens_blur(
    linear: Array, sigma: Array, psf: str = "disk", rays: int = 512, every: int = 1
) -> Array:
    """Photograph a picture that is sharp everywhere, given its depth as the blur of each pixel.

    Rays from points all over the lens meet in each pixel of the result. Each ray is traced from the
    front to the back until it hits a surface. Depth is expressed as signed sigma, in which rays are
    straight: a ray deviates by sigma times its point on the lens. Neighbours that differ by more
    than `JUMP_PX` belong to different surfaces. Behind an edge the farther surface is extrapolated
    with its last visible colour. Every ray returns a pixel of the picture, so that few rays leave
    noise in large disks. Slow: rays x sigma steps for each pixel.

    Parameters
    ----------
    linear : Array
        Linear light, HxWx3 float32; may exceed 1.
    sigma : Array
        Standard deviation of the blur in px, HxW float32; negative in front of the focus.
    psf : str
        "disk" or "gauss".
    rays : int
        Rays to each pixel.
    every : int
        Trace rays for one of so many bands of rows; the others are NaN.

    Returns
    -------
    Array
        Linear light, HxWx3 float32.
    """
    check_image("scene", "linear", linear)
    _check_sigma(linear.shape[:2], np.abs(sigma), psf)
    cells = np.sqrt(np.maximum(sigma.astype(np.float64) ** 2 - PIXEL_VARIANCE, 0))
    depth = np.ascontiguousarray(np.copysign(cells, sigma))
    image, lens = np.ascontiguousarray(linear), _lens_points(psf, rays)
    out = np.full_like(image, np.nan)
    run_bands(lambda y0, y1: _trace(image, depth, lens, y0, y1, out), len(out), every)
    return out


def _lens_points(psf: str, rays: int) -> Doubles:
    """Points on the lens in a sunflower pattern, rows (y, x) of variance 1 along each axis."""
    share = (np.arange(rays) + 0.5) / rays
    distance = np.sqrt(share) if psf == "disk" else np.sqrt(-np.log1p(-share))
    distance *= np.sqrt(2 / np.mean(distance**2))
    angle = np.arange(rays) * np.pi * (3 - np.sqrt(5))
    return np.stack([distance * np.sin(angle), distance * np.cos(angle)], axis=1)


@kernel(reads(f32, 3), reads(f64, 2), reads(f64, 2), i64, i64, writes(f32, 3))
def _trace(image, depth, lens, start, stop, out):  # type: ignore[no-untyped-def]
    """Mean colour of the hits of rays to each pixel; rays that leave the picture are ignored."""
    height, width = depth.shape
    front, back = depth.min(), depth.max()
    for y in range(start, stop):
        for x in range(width):
            red = green = blue = 0.0
            hits = 0
            for k in range(len(lens)):
                hit = _first_surface(depth, y, x, lens[k, 0], lens[k, 1], front, back)
                if hit >= 0:
                    j, i = hit // width, hit % width
                    red += image[j, i, 0]
                    green += image[j, i, 1]
                    blue += image[j, i, 2]
                    hits += 1
            if hits > 0:
                out[y, x, 0], out[y, x, 1], out[y, x, 2] = red / hits, green / hits, blue / hits
            else:
                out[y, x] = image[y, x]


@inline
def _first_surface(depth, y, x, across, along, front, back):  # type: ignore[no-untyped-def]
    """Index of the first pixel that a ray hits, -1 if none; steps of one pixel along the ray."""
    height, width = depth.shape
    step = 1 / max(max(abs(across), abs(along)), 1e-6)
    at, found, last, last_depth, behind = front, -1, -1, np.inf, False
    while found < 0 and at < back + step:
        j, i = int(np.rint(y - across * at)), int(np.rint(x - along * at))
        if 0 <= j < height and 0 <= i < width:
            here = depth[j, i]
            if here > at:  # the ray is in front of this surface
                last, last_depth, behind = j * width + i, here, False
            elif not behind and (last_depth - here <= JUMP_PX or (last < 0 and at - here <= step)):
                found = j * width + i
                j, i = int(np.rint(y - across * here)), int(np.rint(x - along * here))
                if 0 <= j < height and 0 <= i < width and abs(depth[j, i] - here) <= JUMP_PX:
                    found = j * width + i  # it hit the surface before this step
            else:
                behind = True
                if at >= last_depth:  # the hidden part of the farther surface
                    found = j * width + i if abs(here - last_depth) <= JUMP_PX else last
        at += step
    return found


def sigma_of_disparity(disparity: Array, focus: float, sigma_per_disparity: float) -> Array:
    """Blur of a thin lens that is focused at a disparity.

    Parameters
    ----------
    disparity : Array
        HxW float32, in any unit in which it is proportional to the inverse of the distance.
    focus : float
        Disparity in focus.
    sigma_per_disparity : float
        px of sigma per unit of disparity.

    Returns
    -------
    Array
        Sigma in px, HxW float32; negative for points nearer than the focus.
    """
    sigma = (np.float32(focus) - disparity) * np.float32(sigma_per_disparity)
    return np.asarray(sigma, np.float32)
