"""The forward model: what a thin lens and a sensor make of a scene that is known in full.

A scene is a stack of layers, each with its light, its matte and the blur of every point (a slanted
surface has many). Every point spreads over its point spread function, a disk or a Gaussian whose
standard deviation is sigma, and the layers are laid over one another from back to front, matte and
light blurred alike. What a layer hides is part of the layer behind it; for a single picture with a
blur map it is made up (`layered_blur`). Linear light, which may exceed 1; sigma in px of the
picture. Truth for tests and benchmarks; the camera itself never runs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from stages.arrays import check_image
from stages.bokeh.disk import FOCUS_PX, Doubles, disk_kernel
from stages.params import Array
from stages.tone import SRGB, ToneCurve, encode, to_codes

PSFS = ("disk", "gauss")
FINEST_RUNG_PX = 0.125  # distance of two neighbouring sizes of a point spread function
RUNG = 0.01  # and their least ratio - 1
LEAST_GAUSS_PX = 0.25  # a sampled Gaussian that is the identity but for a thousandth
GAUSS_REACH = 5.0  # standard deviations that are sampled
LARGEST_SIGMA_PX = 200.0


class Layer(NamedTuple):
    """One layer of a scene: linear light HxWx3, matte HxW in [0, 1], sigma HxW in px >= 0.

    Light is known wherever the matte is above 0. Sigma goes on beyond it as if the surface did.
    """

    linear: Array
    alpha: Array
    sigma: Array


class Blurred(NamedTuple):
    """A layer through the lens: light multiplied by coverage HxWx3, and coverage HxW."""

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


class Ladder(NamedTuple):
    """Sizes of a point spread function in small steps, and the sigma (px) of each."""

    sizes: Doubles
    sigmas: Doubles


@lru_cache(maxsize=8)
def _ladder(psf: str, most_px: float) -> Ladder:
    """Sizes from the identity to the first whose sigma reaches `most_px`."""
    size, sizes, sigmas = (FOCUS_PX if psf == "disk" else LEAST_GAUSS_PX), [0.0], [0.0]
    while sigmas[-1] < most_px:
        size += max(FINEST_RUNG_PX, RUNG * size)
        marginal = point_spread(size, psf).sum(axis=0)
        offsets = np.arange(marginal.size) - marginal.size // 2
        sizes.append(size)
        sigmas.append(float(np.sqrt(marginal @ offsets**2)))
    return Ladder(np.array(sizes), np.array(sigmas))


def spread(planes: Array, sigma: Array, psf: str = "disk") -> Array:
    """Let every pixel spread over a point spread function of its own size.

    A pixel is shared between the two nearest of a ladder of sizes (1 % apart) such that its
    variance is exact. What leaves the picture is lost.

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
    ladder = _ladder(psf, float(np.exp2(np.ceil(np.log2(max(float(sigma.max()), 1.0))))))
    above = np.clip(np.searchsorted(ladder.sigmas, sigma, "left"), 1, len(ladder.sigmas) - 1)
    squares = ladder.sigmas**2
    part = (np.square(sigma, dtype=np.float64) - squares[above - 1]) / np.diff(squares)[above - 1]
    out = np.zeros_like(planes)
    for rung in np.union1d(above, above - 1):
        share = np.where(above == rung, part, 0) + np.where(above == rung + 1, 1 - part, 0)
        _add_rung(planes, share.astype(np.float32), ladder.sizes[rung], psf, out)
    return out


def _add_rung(planes: Array, share: Array, size: float, psf: str, out: Array) -> None:
    """Spread what belongs to one size, within the box that it lies in and reaches."""
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
    """Light and coverage of a layer through the lens, without darkening at the borders."""
    check_image("scene", "linear", layer.linear)
    planes = np.dstack([layer.linear * layer.alpha[..., None], layer.alpha])
    planes = np.dstack([planes, np.ones_like(layer.alpha)])
    blurred = spread(planes, layer.sigma, psf)
    blurred[..., :4] /= np.maximum(blurred[..., 4:], np.finfo(np.float32).tiny)
    return Blurred(blurred[..., :3], np.clip(blurred[..., 3], 0, 1))


def compose(layers: Sequence[Layer], psf: str = "disk") -> Array:
    """Photograph a stack of layers, given from back to front; the first must be opaque.

    Returns
    -------
    Array
        Linear light, HxWx3 float32.
    """
    out = np.zeros_like(layers[0].linear)
    for layer in layers:
        out = _over(blur_layer(layer, psf), out)
    return out


def layered_blur(
    linear: Array,
    sigma: Array,
    psf: str = "disk",
    *,
    nearness: Array | None = None,
    layers: int = 12,
) -> Array:
    """Photograph a picture that is sharp everywhere, with occlusion, given the blur of each pixel.

    The scene is cut into layers of equal nearness. Each goes on behind what is nearer, filled with
    colour and blur of the nearest pixel that is as far or further: slanted surfaces stay closed,
    and behind a subject there is background.

    Parameters
    ----------
    linear : Array
        Linear light, HxWx3 float32; may exceed 1.
    sigma : Array
        Standard deviation of the blur in px, HxW float32.
    psf : str
        "disk" or "gauss".
    nearness : Array, optional
        What is larger lies in front (disparity); without it, what is blurrier lies behind.
    layers : int
        Number of layers.

    Returns
    -------
    Array
        Linear light, HxWx3 float32.
    """
    check_image("scene", "linear", linear)
    _check_sigma(linear.shape[:2], sigma, psf)
    depth = -sigma if nearness is None else nearness
    low, high = float(depth.min()), float(depth.max())
    index = np.floor((depth - low) / max(high - low, 1e-12) * layers).clip(0, layers - 1)
    out = np.zeros_like(linear)
    for own in np.unique(index):
        seen, matte = _nearest(index <= own), index >= own
        reached = tuple(axis[_nearest(matte)] for axis in seen)
        layer = Layer(linear[seen], matte.astype(np.float32), sigma[reached])
        out = _over(blur_layer(layer, psf), out)
    return out


def _over(front: Blurred, behind: Array) -> Array:
    return np.asarray(front.premultiplied + (1 - front.coverage[..., None]) * behind, np.float32)


def _nearest(known: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.intp], ...]:
    """Rows and columns of the nearest known pixel, for each pixel."""
    rows, cols = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    return rows, cols


def sigma_of_disparity(disparity: Array, focus: float, sigma_per_disparity: float) -> Array:
    """Blur by a thin lens focused at a disparity: it grows with the difference, sigma in px."""
    sigma = np.abs(disparity - np.float32(focus)) * np.float32(sigma_per_disparity)
    return np.asarray(sigma, np.float32)


def add_noise(linear: Array, shot: float, read: float, seed: int) -> Array:
    """Add the noise of a sensor: variance shot * light + read^2, as numbers of linear light."""
    rng = np.random.default_rng(seed)
    deviation = np.sqrt(shot * np.maximum(linear, 0) + read * read)
    return np.asarray(linear + deviation * rng.standard_normal(linear.shape), np.float32)


def develop(linear: Array, jpeg_quality: int = 0, curve: ToneCurve = SRGB) -> npt.NDArray[np.uint8]:
    """Codes that a camera writes: clipped, encoded, 8 bits, through JPEG at a quality above 0."""
    codes = to_codes(encode(linear, curve), 8).astype(np.uint8)
    if jpeg_quality == 0:
        return codes
    _, data = cv2.imencode(".jpg", codes[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
    read = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(read[..., ::-1])
