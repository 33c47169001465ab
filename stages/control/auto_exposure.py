"""Auto-exposure: a proportional loop in stops, and a program that splits them.

The metered mean is compared with a target. The exposure that would meet it follows from the
exposure of that very frame, so that the delay between command and statistics does not make the
loop unstable. Of the rest a share is corrected in each frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from stages.control.statistics import FULL_SCALE, Statistics
from stages.params import Params, param

NS = 1_000_000_000
STEPS_PER_EV = 64  # rounding of stops
DARKEST = 8  # mean, of 65536, below which nothing more is read from it
CLIPPED_EV = 2.0  # stops that the mean of a fully clipped frame is taken to be too low


class AutoExposureMode(StrEnum):
    """CONTROL_AE_STATE."""

    INACTIVE = "inactive"
    SEARCHING = "searching"
    CONVERGED = "converged"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoExposureParams(Params):
    """The loop and the program of auto-exposure."""

    target: float = param(0.16, 0.01, 0.9, help="metered mean that is aimed at; 1 is white")
    speed: float = param(0.6, 0.05, 1.0, help="share of the rest that a frame corrects")
    tolerance_ev: float = param(0.06, 0.01, 1.0, unit="stops", help="rest that counts as converged")
    hold_ev: float = param(0.15, 0.01, 2.0, unit="stops", help="rest that starts another search")
    handheld_ms: float = param(
        10.0, 0.1, 1000.0, unit="ms", help="exposure time up to which the sensitivity stays low"
    )
    handheld_iso: float = param(
        800.0, 25.0, 100_000.0, help="sensitivity up to which the time stays there"
    )


class ExposureLimits(NamedTuple):
    """What sensor and frame rate allow."""

    least_ns: int
    most_ns: int
    least_iso: int
    most_iso: int


class AutoExposureState(NamedTuple):
    """Next exposure, and the state of the loop.

    Attributes
    ----------
    exposure_ns, iso : int
        Of the next frame.
    ev : float
        log2(seconds * ISO), rounded to 1/64; the program splits it.
    mode : AutoExposureMode
        As CONTROL_AE_STATE.
    """

    exposure_ns: int = NS // 100
    iso: int = 100
    ev: float = 0.0
    mode: AutoExposureMode = AutoExposureMode.INACTIVE


def step_auto_exposure(
    state: AutoExposureState,
    statistics: Statistics,
    limits: ExposureLimits,
    params: AutoExposureParams,
    *,
    compensation_ev: float = 0.0,
    locked: bool = False,
    exposure_ns: int | None = None,
    iso: int | None = None,
) -> AutoExposureState:
    """Exposure of the next frame from the statistics of an earlier one.

    Parameters
    ----------
    state : AutoExposureState
        State after the previous frame.
    statistics : Statistics
        Of the newest frame that was read.
    limits : ExposureLimits
        Ranges.
    params : AutoExposureParams
        Loop and program.
    compensation_ev : float
        Stops above the target.
    locked : bool
        Keep the exposure.
    exposure_ns, iso : int or None
        Set by hand; the loop has what is left.

    Returns
    -------
    AutoExposureState
        The next exposure; `searching` where limits keep it from the target.
    """
    if exposure_ns is not None and iso is not None:
        ev = _rounded(math.log2(exposure_ns / NS * iso))
        return AutoExposureState(exposure_ns, iso, ev, AutoExposureMode.INACTIVE)
    if locked:
        return state._replace(mode=AutoExposureMode.LOCKED)
    rest = exposure_error_ev(statistics, params.target) + compensation_ev
    metered = math.log2(max(statistics.exposure_ns, 1) / NS * max(statistics.iso, 1))
    lowest = math.log2(limits.least_ns / NS * limits.least_iso)
    highest = math.log2(limits.most_ns / NS * limits.most_iso)
    wanted = min(max(metered + rest, lowest), highest)
    before = state.ev if state.mode is not AutoExposureMode.INACTIVE else metered
    converged = state.mode is AutoExposureMode.CONVERGED
    limit = params.hold_ev if converged else params.tolerance_ev
    if abs(metered + rest - before) <= limit and abs(rest) <= limit:
        mode, ev = AutoExposureMode.CONVERGED, before
    else:
        mode, ev = AutoExposureMode.SEARCHING, before + params.speed * (wanted - before)
        if abs(wanted - ev) < params.tolerance_ev:
            ev = wanted
    ev = _rounded(ev)
    time_ns, sensitivity = split_exposure(ev, limits, params, exposure_ns, iso)
    return AutoExposureState(time_ns, sensitivity, ev, mode)


def exposure_error_ev(statistics: Statistics, target: float) -> float:
    """Stops from the exposure of a frame to that of the target, rounded to 1/64."""
    light = statistics.light
    metered = math.log2(target * FULL_SCALE / max(light.mean, DARKEST))
    return _rounded(metered - CLIPPED_EV * light.clipped / 1000)


def split_exposure(
    ev: float,
    limits: ExposureLimits,
    params: AutoExposureParams,
    exposure_ns: int | None = None,
    iso: int | None = None,
) -> tuple[int, int]:
    """Exposure time in ns and ISO of an exposure; the program favours low sensitivity.

    The time grows up to `handheld_ms`, then the sensitivity up to `handheld_iso`, then the time up
    to its limit, then the sensitivity.

    Parameters
    ----------
    ev : float
        log2(seconds * ISO).
    limits : ExposureLimits
        Ranges.
    params : AutoExposureParams
        The program.
    exposure_ns, iso : int or None
        Set by hand.
    """
    product = 2.0**ev * NS
    if exposure_ns is None and iso is None:
        handheld_ns = min(max(params.handheld_ms * NS / 1000, limits.least_ns), limits.most_ns)
        handheld_iso = min(max(params.handheld_iso, limits.least_iso), limits.most_iso)
        if product <= handheld_ns * handheld_iso:
            time_ns = min(product / limits.least_iso, handheld_ns)
        else:
            time_ns = min(product / handheld_iso, limits.most_ns)
    else:
        time_ns = exposure_ns if exposure_ns is not None else product / (iso or 1)
    time = exposure_ns or round(min(max(time_ns, limits.least_ns), limits.most_ns))
    chosen = iso or round(min(max(product / time, limits.least_iso), limits.most_iso))
    return time, chosen


def _rounded(ev: float) -> float:
    return round(ev * STEPS_PER_EV) / STEPS_PER_EV
