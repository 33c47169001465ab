"""Why a frame got its rung of the quality ladder, in words for people."""

from __future__ import annotations

from camerapipe.stream.policy import CLIMB_AFTER, Choice, FramePlan, QualityLadder, QualityPolicy


def reason_of(policy: QualityPolicy, plan: FramePlan, choice: Choice, megapixels: float) -> str:
    """Why a frame got its rung.

    Parameters
    ----------
    policy : QualityPolicy
        That decided.
    plan, choice : FramePlan, Choice
        What was decided for the frame, and which case occurred.
    megapixels : float
        Size of the frame.

    Returns
    -------
    str
        A sentence without the name of the rung, such as `expected 41 ms of 66; good needs 71`.
    """
    if choice.rung is not plan.see:
        lost = choice is plan.lost
        return "no earlier map to carry" if lost else "the carried map is too old"
    if len(policy.rungs) == 1:
        return "chosen by hand"
    ladder, total_ms, place = plan.state.ladder, policy.budget.total_ms, choice.place
    if ladder is None or total_ms is None or place is None:
        return "no budget: the best rung"
    taken_ms = policy.frame_ms(ladder, place, megapixels)
    fit = f"expected {taken_ms:.0f} ms of {total_ms:g}"
    if taken_ms > total_ms:
        return f"the quickest rung; {fit}"
    return fit + _next_above(policy, ladder, place, megapixels, total_ms)


def _next_above(
    policy: QualityPolicy, ladder: QualityLadder, place: int, megapixels: float, total_ms: float
) -> str:
    """What keeps the frame from the next better rung."""
    if place == 0:
        return ""
    name, needed_ms = policy.rungs[place - 1].name, policy.frame_ms(ladder, place - 1, megapixels)
    if needed_ms > total_ms:
        return f"; {name} needs {needed_ms:.0f}"
    if ladder.fitted:
        return f"; {name} has fitted for {ladder.fitted} of {CLIMB_AFTER} frames"
    return f"; {name} with {needed_ms:.0f} ms leaves too little room"
