"""Live guidance: one piece of advice from the findings of successive frames, with hysteresis.

The check judges every frame by itself, but a person needs a moment to read and to act. Advice is
replaced if most frames of the last `hold_ms` agree on another one, and if it was shown for at least
that time. Advice about a blocking finding (nothing sharp, too dark) replaces it sooner. Whether the
picture is left untouched follows the same votes, so that a single frame does not switch the effect
off and on. The functions are pure: the state and the time are arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from stages.findings import Finding, Severity
from stages.optics import limit_text
from stages.params import Params, param

WORDS = {  # verdict of the check: code and text of the advice
    "too_dark_or_noisy": ("more_light", "more light"),
    "too_few_edges": ("find_detail", "point at something with detail"),
    "no_sharp_subject": ("refocus", "nothing is sharp: refocus"),
    "shaken": ("hold_still", "hold still"),
    "everything_in_focus": ("move_closer", "move closer"),
    "defocus_weak": ("move_closer", "move closer"),
    "defocus_present": ("shoot", "good: shoot now"),
}
TOO_NEAR = "too_near"  # finding of a viewfinder that knows its lens


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceParams(Params):
    """Hysteresis of the advice."""

    hold_ms: float = param(
        600.0, 0.0, 10_000.0, unit="ms", help="advice replaces another after this time"
    )
    urgent_hold_ms: float = param(
        250.0,
        0.0,
        10_000.0,
        unit="ms",
        help="advice about a blocking finding replaces it after this time",
    )
    agreement: float = param(
        0.75, 0.5, 1.0, help="share of the frames of that time that must agree"
    )
    least_frames: int = param(3, 1, 100, help="frames that must agree at least")


class Advice(NamedTuple):
    """What to do now, in words that fit on a viewfinder."""

    code: str
    text: str
    severity: Severity


FOCUSING = Advice("focusing", "focusing", Severity.INFO)  # before the first advice


class Vote(NamedTuple):
    """Advice of a single frame."""

    time_ms: float
    advice: Advice


@dataclass(frozen=True, slots=True)
class AdviceState:
    """Advice that is shown, since when, the advice of the latest single frames, and the gate.

    `blocked` says that the picture is to be left untouched: the first frame had a blocking finding,
    or most frames of the last `urgent_hold_ms` did, and since then not most of the last `hold_ms`
    had none.
    """

    shown: Advice | None = None
    since_ms: float = 0.0
    votes: tuple[Vote, ...] = ()
    blocked: bool = False


def advise(
    state: AdviceState, findings: Iterable[Finding], time_ms: float, params: AdviceParams
) -> tuple[AdviceState, Advice]:
    """Update the advice by the findings of a frame.

    The advice of the first frame is shown immediately. Later changes are at least `hold_ms` apart
    (`urgent_hold_ms` for blocking findings). If all frames agree from a time T on, their advice is
    shown at the first frame after T plus the hold, but not before the `least_frames`-th.

    Parameters
    ----------
    state : AdviceState
        State after the previous frame; `AdviceState()` at the start.
    findings : iterable of Finding
        Of `capture_check.judge`, and any others after them.
    time_ms : float
        Time of the frame, on any monotonic clock.
    params : AdviceParams
        Hold times and agreement.

    Returns
    -------
    (AdviceState, Advice)
        State after this frame, and the advice to show.

    Raises
    ------
    ValueError
        If time goes backwards, or if no verdict is among the findings.
    """
    if state.votes and time_ms < state.votes[-1].time_ms:
        raise ValueError(
            f"advice: time_ms must not go backwards; got {time_ms:g} after "
            f"{state.votes[-1].time_ms:g}"
        )
    wanted = advice_of(findings)
    votes = _recent((*state.votes, Vote(time_ms, wanted)), time_ms, params)
    if state.shown is None:
        return AdviceState(wanted, time_ms, votes, _blocks(wanted)), wanted
    blocked = state.blocked
    if _blocks(wanted) != blocked and _is_agreed(votes, params, _blocks):
        blocked = not blocked
    held_ms = time_ms - state.since_ms
    if (
        wanted.code != state.shown.code
        and held_ms >= _hold_ms(wanted, params)
        and _is_agreed(votes, params, attrgetter("code"))
    ):
        return AdviceState(wanted, time_ms, votes, blocked), wanted
    return AdviceState(state.shown, state.since_ms, votes, blocked), state.shown


def advice_of(findings: Iterable[Finding]) -> Advice:
    """Advice of a single frame: the text of its verdict, with the distance if it is known."""
    found = {finding.code: finding for finding in findings}
    for verdict, (code, text) in WORDS.items():
        if verdict in found:
            if TOO_NEAR in found:
                code, text = "move_back", "too near: step back and refocus"
            lens = found.get("hyperfocal")
            if code == "move_closer" and lens is not None and lens.limit is not None:
                text = f"{text} than {limit_text(lens.limit)}"
            return Advice(code, text, found[verdict].severity)
    raise ValueError(f"advice: findings have no verdict; got {sorted(found)}")


def _hold_ms(advice: Advice, params: AdviceParams) -> float:
    return min(params.urgent_hold_ms, params.hold_ms) if _blocks(advice) else params.hold_ms


def _recent(votes: tuple[Vote, ...], now_ms: float, params: AdviceParams) -> tuple[Vote, ...]:
    """The votes within the longest hold, and at least the last few."""
    kept = len(votes)
    while kept > params.least_frames and votes[-kept].time_ms < now_ms - params.hold_ms:
        kept -= 1
    return votes[-kept:]


def _blocks(advice: Advice) -> bool:
    return advice.severity is Severity.BLOCKING


def _is_agreed(
    votes: tuple[Vote, ...], params: AdviceParams, aspect: Callable[[Advice], object]
) -> bool:
    """Whether enough votes within the hold of the last one agree with it in an aspect."""
    now_ms, wanted = votes[-1]
    start_ms = now_ms - _hold_ms(wanted, params)
    asked = [vote for vote in votes if vote.time_ms >= start_ms]
    if len(asked) < params.least_frames:
        asked = list(votes[-params.least_frames :])
    agreeing = sum(aspect(vote.advice) == aspect(wanted) for vote in asked)
    return len(asked) >= params.least_frames and agreeing >= params.agreement * len(asked)
