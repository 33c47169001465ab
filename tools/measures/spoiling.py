"""Pictures spoilt on purpose: blurred, shaken, dark, reduced, or seen through an image circle."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]

EXPOSURE, DARK_NOISE_CODES = 1 / 30, 4.0
SHOT_NOISE_CODES, SHOT_JPEG, GAMMA = 2.0, 85, 2.2


def read_small(path: Path, side_px: int) -> Picture | None:
    """Encoded picture of a long side of at most `side_px`, where OpenCV reads it."""
    read = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if read is None:
        return None
    return reduced(np.ascontiguousarray(read[:, :, ::-1], np.float32) / 255, side_px)


def reduced(picture: Picture, side_px: int) -> Picture:
    """Picture reduced by area averaging to a long side of at most `side_px`."""
    scale = min(side_px / max(picture.shape), 1)
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def eight_bits(picture: Picture) -> Codes:
    """Codes of an encoded picture."""
    return np.clip(np.rint(255 * picture), 0, 255).astype(np.uint8)


def track(length_px: float, angle: float, bend: float = 0.0) -> Picture:
    """Kernel of a track of constant speed whose heading turns by `bend` (rad) on the way."""
    steps = np.linspace(-0.5, 0.5, max(round(16 * length_px), 2))
    heading = angle + bend * steps
    path = np.cumsum([np.sin(heading), np.cos(heading)], axis=1) * length_px / steps.size
    path -= path.mean(axis=1, keepdims=True)
    reach = int(np.ceil(np.abs(path).max())) + 1
    kernel = np.zeros((2 * reach + 1,) * 2, np.float32)
    corner = np.floor(path + reach).astype(int)
    y, x = path + reach - corner
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = np.abs(1 - down - y) * np.abs(1 - right - x)
        np.add.at(kernel, (corner[0] + down, corner[1] + right), share)
    return kernel / kernel.sum()


def spread(picture: Picture, kernel: Picture) -> Codes:
    """Picture spread by a kernel, as codes."""
    return eight_bits(cv2.filter2D(picture, -1, kernel))


def taken(picture: Picture, kernel: Picture) -> Codes:
    """The same as a camera does it: in linear light, noise and compression afterwards."""
    moved = cv2.filter2D(picture**GAMMA, -1, kernel)
    noise = np.random.default_rng(0).normal(0, SHOT_NOISE_CODES / 255, picture.shape)
    shot = eight_bits(np.maximum(moved, 0) ** (1 / GAMMA) + noise.astype(np.float32))
    return compressed(shot)


def compressed(codes: Codes, quality: int = SHOT_JPEG) -> Codes:
    """Codes after compression as a JPEG."""
    coded = cv2.imencode(".jpg", codes, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


def gaussian(sigma_px: float) -> Picture:
    """Kernel of a Gaussian."""
    axis = np.arange(-int(4 * sigma_px) - 1, int(4 * sigma_px) + 2)
    profile = np.exp(-0.5 * (axis / sigma_px) ** 2)
    kernel = np.outer(profile, profile)
    return np.asarray(kernel / kernel.sum(), np.float32)


def disk(sigma_px: float) -> Picture:
    """Kernel of a disk of a standard deviation (its radius is twice that)."""
    reach = int(np.ceil(2 * sigma_px)) + 1
    y, x = np.indices((2 * reach + 1,) * 2) - reach
    kernel = np.clip(2 * sigma_px + 0.5 - np.hypot(y, x), 0, 1)
    return np.asarray(kernel / kernel.sum(), np.float32)


def dark(picture: Picture) -> Codes:
    """Picture five stops under, with noise."""
    noise = np.random.default_rng(0).normal(0, DARK_NOISE_CODES / 255, picture.shape)
    return eight_bits((EXPOSURE * picture**GAMMA) ** (1 / GAMMA) * 0.5 + noise.astype(np.float32))


def image_circle(
    picture: Picture, radius: float, softness: float, centre: tuple[float, float] = (0, 0)
) -> Codes:
    """Picture within an image circle, black outside, compressed as a JPEG.

    Parameters
    ----------
    picture : Array
        Encoded, HxWx3.
    radius, softness : float
        Of the circle, and width of its falloff; in half diagonals.
    centre : (float, float)
        Offset of the centre (rows, columns) in half diagonals.
    """
    away = _away(picture.shape[:2], centre)
    light = np.clip((radius - away) / softness + 0.5, 0, 1)
    falloff = light * light * (3 - 2 * light)
    return compressed(eight_bits((picture**GAMMA * falloff[..., None]) ** (1 / GAMMA)))


def falloff(picture: Picture, strength: float) -> Codes:
    """Picture with the light falling to `1 - strength` in the corners, not to black."""
    away = np.minimum(_away(picture.shape[:2], (0, 0)), 1)
    light = 1 - strength * away**4
    return compressed(eight_bits((picture**GAMMA * light[..., None]) ** (1 / GAMMA)))


def _away(shape: tuple[int, ...], centre: tuple[float, float]) -> Picture:
    """Distance from the centre in half diagonals."""
    y, x = np.indices(shape[:2], np.float32)
    half = np.hypot(*shape[:2]) / 2
    dy, dx = (
        (place - (n - 1) / 2) / half - at
        for place, n, at in zip((y, x), shape, centre, strict=False)
    )
    return np.asarray(np.hypot(dy, dx), np.float32)
