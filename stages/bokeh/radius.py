"""Disk radius: the disk that magnifies the defocus that is already in a picture.

The variances of blurs add. To magnify a blur of standard deviation sigma by m, a disk of variance
(m^2 - 1) sigma^2 is needed. A disk of radius r has the variance r^2 / 4 along each axis, so
r = 2 sqrt(m^2 - 1) sigma.

A lens has some blur even in focus, and its variance is subtracted first. The blur map has errors
on a subject, and blur up to the dead zone is therefore not magnified. From there on the radius is
multiplied by a ramp of the variance, from 0 at the dead zone to 1. Where the dead zone is a map,
its least value is the blur in focus. What is beyond is tolerance and is not subtracted. All sigmas
and radii are in full-resolution px.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from stages.bokeh.checks import LARGEST_RADIUS_PX
from stages.bokeh.disk import FOCUS_PX, effective_radius
from stages.bokeh.zone import MAX_SAMPLES
from stages.grid import BlurMap, DenseBlur, Grid, interpolator
from stages.kernels import f32, kernel, reads, writes
from stages.kinds import Radius
from stages.params import Array, Params, param
from stages.strips import run_strips

RAMP_PX = (0.5, 1.5)  # px; smaller radii are set to 0, larger ones are unchanged
TABLE_END_PX = 16.0  # px; larger lattice disks have the second moment of the ideal disk
TABLE_STEPS = 64  # entries per px
LARGEST_PERCENTILE = 95.0  # % of the blurred samples; higher values are outliers and are capped
MIN_RAMP_PX2 = 1e-9  # px^2; lower limit of a divisor, for a dead zone of 0 or a ramp of 1
CHUNK = 1 << 16  # samples per task of a worker, about
LINE = 1 << 10  # samples whose table positions are computed before they are looked up


@dataclass(frozen=True, slots=True, kw_only=True)
class RadiusParams(Params):
    """Parameters of the step from blur to disk radius."""

    strength: float = param(
        2.0, 1.0, 8.0, help="Factor by which the blur of the background is magnified."
    )
    largest_percent: float = param(
        0.0,
        0.0,
        10.0,
        unit="%",
        help="Largest radius relative to the picture's diagonal, instead of strength; 0: off.",
    )
    focus_ramp: float = param(
        1.25, 1.0, 8.0, help="Multiple of the dead zone above which blur is magnified in full."
    )
    max_radius_px: float = param(
        120.0, 1.0, LARGEST_RADIUS_PX, unit="px", help="Largest radius of a disk."
    )


def disk_radius(blur: DenseBlur, dead_zone: float | DenseBlur, params: RadiusParams) -> Radius:
    """Radius of the disk to render at each sample.

    Parameters
    ----------
    blur : BlurMap
        Dense; sigma in full-resolution px.
    dead_zone : float or BlurMap
        Dead zone, the sigma up to which blur is not magnified, >= 0, in full-resolution px. The
        variance of its least value is subtracted. A map must be dense; it may be on any grid over
        the same picture, and is interpolated.
    params : RadiusParams
        Strength and cap, or the largest radius.

    Returns
    -------
    Array
        Radius in full-resolution px, HxW float32, in [0, max_radius_px]; if `largest_percent` is
        given, its radius is the maximum. It is 0 in focus, and 0 everywhere at strength 1.

    Raises
    ------
    ValueError
        If `dead_zone` is negative or not finite.
    """
    zones = _zones(dead_zone, blur.grid)
    width = blur.sigma.shape[1]
    middle, least = _middle(dead_zone), _least(dead_zone)
    factor, cap = _magnification(blur, middle, least, params)
    ramp, share = _ramp(middle, params), params.focus_ramp**2 - 1
    out = np.empty(blur.sigma.shape, np.float32)
    sigma, table = np.ascontiguousarray(blur.sigma), _radius_table()

    def strip(start: int, stop: int) -> None:
        values, radii = sigma[start:stop].reshape(-1), out[start:stop].reshape(-1)
        _radii(values, zones(start, stop), least, ramp, share, factor, table, cap, radii)

    run_strips(strip, len(sigma), max(CHUNK // width, 1))
    return out


def _zones(dead_zone: float | BlurMap, grid: Grid) -> Callable[[int, int], Array]:
    """Function that returns the dead zone of some rows of a grid, flat, or one value for all."""
    given = dead_zone.sigma if isinstance(dead_zone, BlurMap) else [dead_zone]
    sigma = np.asarray(given, np.float32)
    if not (np.isfinite(sigma).all() and sigma.min() >= 0):
        raise ValueError(f"radius: dead_zone must be finite and >= 0; got {sigma.min()}")
    if not isinstance(dead_zone, BlurMap) or sigma.size == 1:
        return lambda start, stop: sigma.reshape(-1)
    rows_of = interpolator(sigma, dead_zone.grid, grid)

    def rows(start: int, stop: int) -> Array:
        zones = np.empty((stop - start, grid.shape[1]), np.float32)
        rows_of(start, stop, zones)
        return zones.reshape(-1)

    return rows


def _middle(dead_zone: float | BlurMap) -> float:
    """Median of the dead zone in px."""
    return float(np.median(dead_zone.sigma)) if isinstance(dead_zone, BlurMap) else dead_zone


def _least(dead_zone: float | BlurMap) -> float:
    """Least value of the dead zone in px: the blur in focus."""
    return float(dead_zone.sigma.min()) if isinstance(dead_zone, BlurMap) else dead_zone


def _ramp(dead_zone: float, params: RadiusParams) -> float:
    """Variance in px^2 above that of the dead zone from which blur is magnified fully."""
    return max((params.focus_ramp**2 - 1) * dead_zone**2, MIN_RAMP_PX2)


class Magnification(NamedTuple):
    """Ratio of radius to sigma (px / px, blur in focus subtracted), and largest radius in px."""

    factor: float
    cap_px: float


def _magnification(
    blur: BlurMap, dead_zone: float, in_focus: float, params: RadiusParams
) -> Magnification:
    """Magnification by the strength, or the one that gives the blurriest samples a given radius.

    A largest radius relative to the diagonal is the same in a preview and at full size.
    """
    if not params.largest_percent:
        return Magnification(2 * float(np.sqrt(params.strength**2 - 1)), params.max_radius_px)
    diagonal = float(np.hypot(*blur.grid.shape)) * blur.grid.step
    largest = min(diagonal * params.largest_percent / 100, LARGEST_RADIUS_PX)
    sigma = blur.sigma.reshape(-1)[:: -(-blur.sigma.size // MAX_SAMPLES)]
    blurred = sigma[sigma > dead_zone]
    if not blurred.size:
        return Magnification(0.0, largest)
    far = float(np.percentile(blurred, LARGEST_PERCENTILE))
    share = min((far**2 - dead_zone**2) / _ramp(dead_zone, params), 1.0)
    return Magnification(largest / (float(np.sqrt(far**2 - in_focus**2)) * share), largest)


@lru_cache(maxsize=1)
def _radius_table() -> Array:
    """Nominal radii of the lattice disks for ideal radii k / TABLE_STEPS up to TABLE_END_PX.

    The lattice disk has the second moment of the ideal disk. Small radii are faded out, so that
    noise of the map on the subject is not rendered.
    """
    asked = np.arange(int(TABLE_END_PX * TABLE_STEPS) + 1) / TABLE_STEPS
    low, high = RAMP_PX
    t = np.clip((asked - low) / (high - low), 0, 1)
    nominal = np.linspace(FOCUS_PX, TABLE_END_PX, asked.size)
    effective = [effective_radius(r) for r in nominal]
    radius = np.interp(asked * t * t * (3 - 2 * t), effective, nominal)
    radius[asked <= low] = 0
    return radius.astype(np.float32)


@kernel(reads(f32, 1), reads(f32, 1), f32, f32, f32, f32, reads(f32, 1), f32, writes(f32, 1))
def _radii(sigma, zones, in_focus, ramp, share, factor, table, cap, out):  # type: ignore[no-untyped-def]
    """Write the radii of samples: magnify sigma, and look up the lattice disk.

    `zones` has one value for all samples, with the ramp `ramp`, or one value per sample. Radii
    beyond the end of the table are offset as its last entry. The look-up is skipped for lines that
    are entirely in focus or entirely beyond the table.
    """
    last, one, least = np.uint64(table.size - 1), np.uint64(1), np.float32(MIN_RAMP_PX2)
    zero, end, steps = np.float32(0), np.float32(last), np.float32(TABLE_STEPS)
    positions = np.empty(LINE, np.float32)
    zone, full = np.full(LINE, zones[0]), np.full(LINE, ramp)
    for first in range(0, sigma.size, LINE):
        values, radii = sigma[first : first + LINE], out[first:]
        inside = blurred = 0
        if zones.size > 1:
            for k in range(values.size):
                zone[k] = zones[first + k]
                full[k] = max(share * zone[k] * zone[k], least)
        for k in range(values.size):
            beyond = max((values[k] - zone[k]) * (values[k] + zone[k]), zero)
            magnified = max((values[k] - in_focus) * (values[k] + in_focus), zero)
            position = factor * np.sqrt(magnified) * min(beyond / full[k], np.float32(1)) * steps
            positions[k] = position
            inside += position < end
            blurred += position > zero
        if blurred == 0:
            radii[: values.size] = zero
            continue
        for k in range(values.size):
            radii[k] = min(table[last] + (positions[k] - end) / steps, cap)
        if inside == 0:
            continue
        for k in range(values.size):
            position = positions[k]
            if position < end:
                lower = np.uint64(position)
                part = position - np.float32(lower)
                radii[k] = min(table[lower] + part * (table[lower + one] - table[lower]), cap)
