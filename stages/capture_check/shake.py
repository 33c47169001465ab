"""Camera shake: motion removes detail along one direction, in the sharpest areas as well.

A track of length L multiplies the spectrum by about sinc(L f) along its direction and does not
change it across. The picture is cut into blocks. The detail of a block in a direction is its
spectral power in that direction at fine frequencies. For each direction only the tenth of the
blocks with most detail counts, because defocus leaves the subject sharp. A sharp picture has detail
of every direction somewhere. A shaken picture has none along its track anywhere; there is only
noise, which is the same in all directions. The measure is the contrast of detail over direction.

Some scenes are directional themselves (ripples, reeds, blinds). Their coarse structure has the same
direction, so a part of the contrast of the coarse structure is subtracted. Powers are of luma in
[0, 1], frequencies in cycles per pixel of the view.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import fft

from stages.params import Array

BLOCK = 64  # px: the coarse band holds a few of its frequencies
OVERLAP_BELOW_BLOCKS = 96  # a smaller view is cut into blocks that overlap by half
MIN_BLOCKS = 6
DETAILED_SHARE = 0.1  # of the blocks: those with most detail in a direction
# Both fine bands have the same weight. The lower one has the better signal-to-noise ratio. The
# upper one shows short tracks (a track of 6 px has its first zero there). Above is only noise.
FINE = ((0.08, 0.16), (0.16, 0.25))
COARSE = (0.02, 0.05)  # motion of 10 px leaves these
BANDS = (*FINE, COARSE)
DIRECTIONS = 12
CONE_RAD = np.pi / 4  # weights fall linearly to zero there: directions overlap, none is missed
CARRIED = 0.35  # of the coarse structure's contrast; in photographs 0.7 of it is found in detail,
# half of that since a long track marks coarse structure as well
NOISE_FLOOR = 0.5  # of the noise power: what is left when the noise is subtracted from itself


def shake_contrast(plane: Array, noise: float, *, overlap: bool = True) -> float:
    """Contrast of detail over its direction that the scene's structure does not explain.

    Parameters
    ----------
    plane : Array
        HxW float32, luma of a display-encoded view in [0, 1].
    noise : float
        Standard deviation of its noise.
    overlap : bool
        Cut a small view into blocks that overlap: four times the work, and steadier.

    Returns
    -------
    float
        Amplitude of the second harmonic of log power over direction: at 1, detail along the best
        direction has e^2 = 7.4 times the power of that across. 0 where the view is too small.
    """
    if min(plane.shape) < BLOCK:
        return 0.0
    powers = _directional_power(plane, overlap=overlap)
    if len(powers) < MIN_BLOCKS:
        return 0.0
    *fine, coarse = (_second_harmonic(powers[:, band], noise**2) for band in range(len(BANDS)))
    return abs(sum(fine) / len(fine) - CARRIED * coarse)


def _directional_power(plane: Array, *, overlap: bool) -> Array:
    """Mean whitened power of each block in each of `BANDS`: blocks x bands x directions.

    White noise of variance v has power v.
    """
    few = overlap and plane.size < OVERLAP_BELOW_BLOCKS * BLOCK**2
    stride = BLOCK // 2 if few else BLOCK
    blocks = np.lib.stride_tricks.sliding_window_view(plane, (BLOCK, BLOCK))[::stride, ::stride]
    blocks = blocks.reshape(-1, BLOCK, BLOCK)
    window, (used, weights) = _window(), _weights()
    level = blocks.mean(axis=(1, 2), keepdims=True)
    spectra = fft.rfft2((blocks - level) * window).reshape(len(blocks), -1)[:, used]
    power = (spectra.real**2 + spectra.imag**2) @ weights / np.sum(window**2)
    return np.asarray(power, np.float32).reshape(-1, len(BANDS), DIRECTIONS)


def _second_harmonic(powers: Array, noise_power: float) -> complex:
    """Second harmonic over direction of the log power of the most detailed blocks."""
    clean = np.maximum(powers - noise_power, NOISE_FLOOR * noise_power)
    count = max(round(DETAILED_SHARE * len(clean)), 2)
    detail = np.partition(clean, len(clean) - count, axis=0)[-count:].mean(axis=0)
    turns = np.exp(2j * np.pi * np.arange(DIRECTIONS) / DIRECTIONS)
    return complex(np.sum(np.log(detail) * turns) * 2 / DIRECTIONS)


@lru_cache
def _window() -> Array:
    hann = np.hanning(BLOCK + 1)[:-1]
    return np.outer(hann, hann).astype(np.float32)


@lru_cache
def _weights() -> tuple[npt.NDArray[np.intp], Array]:
    """Frequencies of a block that count, and their weights in every band and direction.

    The weights of a band and direction sum to 1, and are whitened by f^2, since the power
    of natural pictures falls as 1 / f^2 (Field 1987).
    """
    fy, fx = np.meshgrid(fft.fftfreq(BLOCK), fft.rfftfreq(BLOCK), indexing="ij")
    frequency, angle = np.hypot(fx, fy), np.arctan2(fy, fx)
    once = ~((fx == 0) & (fy < 0))  # the other half of this column is its mirror image
    columns = []
    for low, high in BANDS:
        band = once & (frequency >= low) & (frequency < high)
        for direction in np.arange(DIRECTIONS) * np.pi / DIRECTIONS:
            apart = np.abs((angle - direction + np.pi / 2) % np.pi - np.pi / 2)
            weight = band * np.maximum(1 - apart / CONE_RAD, 0) * frequency**2
            columns.append(weight.ravel() / weight.sum())
    weights = np.stack(columns, axis=1).astype(np.float32)
    used = np.flatnonzero(weights.any(axis=1))
    return used, weights[used]
