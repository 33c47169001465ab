"""Loss of fine detail by direction: blur takes it in all directions, camera shake in one.

A track of length L multiplies the spectrum by about sinc(L f) along its direction and does not
change it across. A curved track does so in more directions, and blur in all. The picture is cut
into blocks. In each direction only the blocks with most fine detail count, because defocus leaves
the subject sharp. The loss in a direction is the power of their coarse structure over that of their
fine detail: 8 to 20 dB if the picture is sharp somewhere, as the spectra of texture and of sharp
edges fall so far, and more than 26 dB if the detail is gone everywhere.

The comparison is within one direction. A direction in which there is no coarse structure says
nothing, so that straight lines (a horizon, poles, striped cloth) are not mistaken for shake: along
them there is no detail that could be lost. Powers are of luma in [0, 1].
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import fft

from stages.params import Array
from stages.strips import run_strips

BLOCK = 64  # px: the coarse band holds a few of its frequencies
OVERLAP_BELOW_BLOCKS = 192  # a smaller view is cut into blocks that overlap by half
AT_ONCE = 32  # blocks in a part of the work; results do not depend on the threads
MIN_BLOCKS = 6
DETAILED_SHARE = 0.08  # of the blocks: those with most detail in a direction
MIN_DETAILED = 3
# Cycles per px of a view with a long side of `UNIT_PX`. The coarse band remains after a blur of
# 2 px or a track of 15 px, the fine band does not. Higher frequencies are mostly noise.
COARSE, FINE = (0.03, 0.07), (0.16, 0.25)
UNIT_PX = 1280
LARGEST_FREQUENCY = 0.4  # cycles per px; above, a sharp picture has little as well
DIRECTIONS = 12
CONE_RAD = np.pi / 6  # weights fall linearly to zero there: directions overlap, none is missed
STRUCTURE_DB = -11.0  # coarse power of a direction over the largest, from which it says something
SOFT_DB = 25.0  # loss of a block over all directions, above which it is soft
STRUCTURE_OVER_NOISE = 100.0  # coarse power over that of noise, for a block to count
STRUCTURE_SHARE = 0.003  # and over the largest in the picture (its 95 % quantile)
NOISE_FLOOR = 0.5  # of the noise power: what is left when the noise is subtracted from itself
DB = 10 / np.log(10)


class DetailLoss(NamedTuple):
    """Loss of fine detail against coarse structure, over the directions that have structure.

    Attributes
    ----------
    least, median, most : float
        Loss in the direction that lost least, in the middle, and in that which lost most, dB.
    contrast : float
        Loss along the direction of a track over that across it, dB: peak to peak of the second
        harmonic over direction. Grids and facades, whose detail has two directions at right angles,
        have none.
    across : float
        The same for a long track, which spares the detail of few directions only: the loss at right
        angles to a direction (the least of three) over the loss in it, dB, where it is largest.
    directions : int
        Number of directions with structure, of `DIRECTIONS`; 0 if nothing could be measured.
    soft_share : float
        Share of the blocks with structure that have lost their fine detail; 1 if there are too
        few.
    """

    least: float = 0.0
    median: float = 0.0
    most: float = 0.0
    contrast: float = 0.0
    across: float = 0.0
    directions: int = 0
    soft_share: float = 1.0

    @property
    def overall(self) -> float:
        """Loss that all directions have, dB: the mean of the least and the median."""
        return (self.least + self.median) / 2


def detail_loss(
    plane: Array,
    noise: float,
    inside: npt.NDArray[np.bool_] | None = None,
    *,
    overlap: bool = True,
) -> DetailLoss:
    """Measure the loss of fine detail in each direction.

    Parameters
    ----------
    plane : Array
        HxW float32, luma of a display-encoded view in [0, 1]. Frequencies are relative to its long
        side, as far as its pixels allow.
    noise : float
        Standard deviation of its noise.
    inside : array of bool, optional
        HxW: blocks whose centre is outside do not count.
    overlap : bool
        Cut a small view into blocks that overlap: four times the work, and steadier.

    Returns
    -------
    DetailLoss
        Nothing measured if the view is too small.
    """
    if min(plane.shape) < BLOCK:
        return DetailLoss()
    few = overlap and plane.size < OVERLAP_BELOW_BLOCKS * BLOCK**2
    coarse, fine = _directional_power(plane, inside, BLOCK // 2 if few else BLOCK)
    if len(fine) < MIN_BLOCKS:
        return DetailLoss()
    coarse, fine = (_without_noise(power, noise**2) for power in (coarse, fine))
    soft_share = _soft_share(coarse.mean(axis=1), fine.mean(axis=1), noise**2)
    count = max(round(DETAILED_SHARE * len(fine)), MIN_DETAILED)
    detailed = np.argpartition(fine, len(fine) - count, axis=0)[-count:]
    coarse, fine = (
        np.take_along_axis(each, detailed, axis=0).mean(axis=0) for each in (coarse, fine)
    )
    structured = coarse > coarse.max() * 10 ** (STRUCTURE_DB / 10)
    every_loss = DB * np.log(coarse / fine)
    loss = every_loss[structured]
    return DetailLoss(
        float(loss.min()),
        float(np.median(loss)),
        float(loss.max()),
        _contrast(loss, np.flatnonzero(structured)),
        _across(every_loss, structured),
        int(structured.sum()),
        soft_share,
    )


def _contrast(loss: Array, directions: npt.NDArray[np.intp]) -> float:
    """Peak to peak of the second harmonic, fitted to the loss in some of the directions."""
    turns = 2 * np.pi * directions / DIRECTIONS
    waves = np.stack([np.ones_like(turns), np.cos(turns), np.sin(turns)], axis=1)
    fitted = np.linalg.lstsq(waves, loss, rcond=None)[0]
    return float(2 * np.hypot(fitted[1], fitted[2]))


def _across(loss: Array, structured: npt.NDArray[np.bool_]) -> float:
    """Largest difference of the loss at right angles to a direction and in it; 0 if there is none.

    A direction without structure is not compared. Of the three directions around the right angle,
    the one that lost least counts, so that the detail of a grid is found there.
    """
    around = np.arange(DIRECTIONS)[:, None] + DIRECTIONS // 2 + np.array([-1, 0, 1])
    turned = np.where(structured, loss, np.inf)[around % DIRECTIONS].min(axis=1)
    compared = structured & np.isfinite(turned)
    return float((turned - loss)[compared].max(initial=0.0))


def _soft_share(coarse: Array, fine: Array, noise_power: float) -> float:
    """Share of soft blocks among those with structure, from their powers over all directions."""
    least = max(
        STRUCTURE_OVER_NOISE * noise_power, STRUCTURE_SHARE * float(np.quantile(coarse, 0.95))
    )
    counted = coarse > least
    if np.count_nonzero(counted) < MIN_BLOCKS:
        return 1.0
    return float(np.mean(coarse[counted] > fine[counted] * 10 ** (SOFT_DB / 10)))


def _without_noise(power: Array, noise_power: float) -> Array:
    return np.asarray(np.maximum(power - noise_power, NOISE_FLOOR * noise_power))


def _directional_power(
    plane: Array, inside: npt.NDArray[np.bool_] | None, stride: int
) -> tuple[Array, Array]:
    """Mean power of each block, coarse and fine: blocks x directions.

    White noise of variance v has power v.
    """
    blocks = np.lib.stride_tricks.sliding_window_view(plane, (BLOCK, BLOCK))[::stride, ::stride]
    rows, cols = blocks.shape[:2]
    blocks = blocks.reshape(-1, BLOCK, BLOCK)
    if inside is not None:
        centres = inside[BLOCK // 2 :: stride, BLOCK // 2 :: stride][:rows, :cols]
        blocks = blocks[centres.reshape(-1)]
    if not len(blocks):
        return np.zeros((0, DIRECTIONS), np.float32), np.zeros((0, DIRECTIONS), np.float32)
    window, (used, weights) = _window(), _weights(_stretch(max(plane.shape)))

    def strip(start: int, stop: int) -> Array:
        part = blocks[start:stop]
        level = part.mean(axis=(1, 2), keepdims=True)
        spectra = fft.rfft2((part - level) * window).reshape(len(part), -1)[:, used]
        return np.asarray((spectra.real**2 + spectra.imag**2) @ weights, np.float32)

    power = np.concatenate(run_strips(strip, len(blocks), AT_ONCE)) / np.sum(window**2)
    coarse, fine = np.split(np.asarray(power, np.float32), 2, axis=1)
    return coarse, fine


def _stretch(side_px: int) -> float:
    """Factor of the frequencies for a view of this long side, in steps of 1/20."""
    return round(20 * min(UNIT_PX / side_px, LARGEST_FREQUENCY / FINE[1])) / 20


@lru_cache
def _window() -> Array:
    hann = np.hanning(BLOCK + 1)[:-1]
    return np.outer(hann, hann).astype(np.float32)


@lru_cache(maxsize=8)
def _weights(stretch: float) -> tuple[npt.NDArray[np.intp], Array]:
    """Frequencies of a block that count, and their weights: coarse, then fine, by direction.

    The weights of a band and direction sum to 1. They grow as f^2, since the power of natural
    pictures falls as 1 / f^2 (Field 1987): all frequencies of a band then count equally.
    """
    fy, fx = np.meshgrid(fft.fftfreq(BLOCK), fft.rfftfreq(BLOCK), indexing="ij")
    frequency, angle = np.hypot(fx, fy), np.arctan2(fy, fx)
    once = ~((fx == 0) & (fy < 0))  # the other half of this column is its mirror image
    columns = []
    for low, high in (COARSE, FINE):
        band = once & (frequency >= low * stretch) & (frequency < high * stretch)
        for direction in np.arange(DIRECTIONS) * np.pi / DIRECTIONS:
            apart = np.abs((angle - direction + np.pi / 2) % np.pi - np.pi / 2)
            weight = band * np.maximum(1 - apart / CONE_RAD, 0) * frequency**2
            columns.append(weight.ravel() / weight.sum())
    weights = np.stack(columns, axis=1).astype(np.float32)
    used = np.flatnonzero(weights.any(axis=1))
    return used, weights[used]
