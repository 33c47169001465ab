"""Auto white balance: grey world (Buchsbaum 1980) with damping."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from stages.control.statistics import Light
from stages.params import Params, param

STEPS = 256  # rounding of gains
LEAST_LIGHT = 64  # mean, of 65536, below which colours are noise


class WhiteBalanceMode(StrEnum):
    """CONTROL_AWB_STATE."""

    INACTIVE = "inactive"
    SEARCHING = "searching"
    CONVERGED = "converged"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True, kw_only=True)
class WhiteBalanceParams(Params):
    """The loop of auto white balance."""

    speed: float = param(0.3, 0.01, 1.0, help="share of the rest that a frame corrects")
    tolerance: float = param(0.02, 0.001, 0.5, help="rest that counts as converged")
    least_gain: float = param(0.5, 0.1, 1.0, help="least gain of red and blue over green")
    most_gain: float = param(5.0, 1.0, 16.0, help="largest gain of red and blue over green")


class WhiteBalanceState(NamedTuple):
    """Gains of red and blue over green, and the state of the loop."""

    red: float = 2.0
    blue: float = 1.6
    mode: WhiteBalanceMode = WhiteBalanceMode.INACTIVE


def step_white_balance(
    state: WhiteBalanceState,
    light: Light,
    params: WhiteBalanceParams,
    *,
    locked: bool = False,
    gains: tuple[float, float] | None = None,
) -> WhiteBalanceState:
    """Gains for the next frame.

    Parameters
    ----------
    state : WhiteBalanceState
        State after the previous frame.
    light : Light
        Colour of a frame.
    params : WhiteBalanceParams
        The loop.
    locked : bool
        Keep the gains.
    gains : (float, float) or None
        Red and blue, set by hand.

    Returns
    -------
    WhiteBalanceState
        The next gains.
    """
    if gains is not None:
        return WhiteBalanceState(*gains, WhiteBalanceMode.INACTIVE)
    if locked:
        return state._replace(mode=WhiteBalanceMode.LOCKED)
    if min(light.red, light.green, light.blue) < LEAST_LIGHT:
        return state._replace(mode=WhiteBalanceMode.SEARCHING)
    wanted = [
        min(max(light.green / part, params.least_gain), params.most_gain)
        for part in (light.red, light.blue)
    ]
    before = (state.red, state.blue)
    rest = max(abs(goal / now - 1) for goal, now in zip(wanted, before, strict=True))
    if rest <= params.tolerance:
        return state._replace(mode=WhiteBalanceMode.CONVERGED)
    red, blue = (
        round((now + params.speed * (goal - now)) * STEPS) / STEPS
        for goal, now in zip(wanted, before, strict=True)
    )
    return WhiteBalanceState(red, blue, WhiteBalanceMode.SEARCHING)
