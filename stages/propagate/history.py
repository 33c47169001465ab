"""Warm starts: from the solves behind one map to the map after an edit of its data.

A map with bounds is made by a sequence of solves (`bounds.py`), each with weights from the map of
the solve before. A solve that merely starts from the map before the edit ends elsewhere than the
sequence for the edited data. The sequence does not run to its fixed point, so that its result
depends on the maps in between; and a solve that stops at a tolerance leaves an error that can be
several times the tolerance where data is far. Here the sequence is replayed, and its first and last
solve, which are the expensive ones, are corrected instead of repeated.

Let x be the map of a solve of the system A x = b, stopped at the residual r = b - A x. The
corrected map x' solves the edited system A' x' = b' up to the same residual:

    A' x' = b' - r.

Where nothing has changed it therefore has the same error as x, which is nearly the error that a
new solve leaves. Only the weights W on the diagonal of A change, so from the start x the residual
of this system is

    (b' - b) - (W' - W) x,

which needs no product with the Laplacian and vanishes where data and weights are unchanged. The
residual that a correction itself leaves is kept as `remainder` and added to that of the next one.
Every correction thus refers to the original solve, and errors do not add up over many edits.

The solves in between take few steps, and the number of steps decides how much is left of the error
of the first map. They are repeated from the corrected first map exactly as in a new sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from stages.grid import BlurMap
from stages.laplacian import MattingLaplacian
from stages.params import Array, Estimate
from stages.propagate.fill import nearness
from stages.propagate.solver import PropagateParams, data_weight, solve_into, tolerance_px
from stages.propagate.two_level import Step, residual_steps, subtract_product
from stages.propagate.weights import early_params, is_last_solve, reweighted

# A correction stops when a step changes at most one pixel in a thousand by more than its tolerance,
# a multiple of `tolerance_px`. The largest change, by which a new solve stops, is dominated by
# isolated pixels beside the edit. With these multiples 99.9 % of the pixels of photographs at 1 MP
# are usually within 0.05 px of a new solve. A flat, clipped region may be 0.2 px off: it moves as a
# whole by less than any step that could be asked for.
UNSETTLED_SHARE = 1e-3
FIRST_TOLERANCE, LAST_TOLERANCE = 4.0, 1.0


class Solved(NamedTuple):
    """One solve: its data, its map, and the part of the residual that is still to be corrected.

    `sigma` (HxW float32, px) is the map before it is clipped at zero. `remainder` (HxW float32) is
    zero after a new solve, whatever its residual.
    """

    system: BlurMap
    sigma: Array
    remainder: Array


@dataclass(frozen=True, slots=True, eq=False)
class SolveHistory:
    """The solves behind a map of `propagate_bounded`, from which an edited map is found quickly.

    With an empty history, `SolveHistory()`, the map is solved from the beginning and its history is
    returned. A history is valid for one Laplacian and one set of parameters; with others it is
    treated as empty.

    Attributes
    ----------
    laplacian : MattingLaplacian or None
        The operator of all solves, compared by identity.
    params : PropagateParams or None
        The parameters of all solves.
    first, last : Solved or None
        The first solve, without active bounds, and the last one; None if not finished.
    before_last : Array or None
        HxW, px, the map that the last solve started from, before it is clipped at zero.
    corrections : int
        Number of edits since the map was solved from the beginning; 0: it is that of a new solve.
    """

    laplacian: MattingLaplacian | None = None
    params: PropagateParams | None = None
    first: Solved | None = None
    last: Solved | None = None
    before_last: Array | None = None
    corrections: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class SolvedMap(BlurMap):
    """A dense blur map and the history of its solves."""

    history: SolveHistory


def with_history(estimate: Estimate[BlurMap], history: SolveHistory) -> Estimate[BlurMap]:
    """Attach a history to the map of an estimate."""
    blur = estimate.value
    return estimate._replace(value=SolvedMap(blur.sigma, blur.confidence, blur.grid, history))


def replayed(
    laplacian: MattingLaplacian,
    constraints: BlurMap,
    bounds: BlurMap,
    history: SolveHistory,
    params: PropagateParams,
) -> Iterator[Estimate[BlurMap]]:
    """Propagate with upper bounds from a history of solves, as an anytime generator.

    Parameters
    ----------
    laplacian, constraints, bounds, params
        As for `propagate_bounded`, checked, with a system to solve, for the solver `two_level`.
    history : SolveHistory
        That of the map before the edit, or an empty one.

    Yields
    ------
    Estimate
        Values are `SolvedMap`. The history of every estimate is complete enough to continue from,
        also if the replay is not pursued to its end.
    """
    if history.laplacian is not laplacian or history.params != params:
        history = SolveHistory(laplacian, params)
    if history.first is not None:
        history = replace(history, corrections=history.corrections + 1)
    system, before = constraints, None
    raw: Array | None = None
    shown: BlurMap | None = None
    for update in range(params.bound_updates + 1):
        last = is_last_solve(update, system, before, params)
        keep = partial(_kept, history, raw, update, last)
        old = history.last if last else history.first if update == 0 else None
        solve: Generator[Estimate[BlurMap], None, tuple[Solved, Estimate[BlurMap]]]
        if old is None:
            start: Array | None = None if raw is None else np.maximum(raw, 0)
            options = params if last else early_params(params)
            solve = _repeated(laplacian, system, start, options, history, shown)
        elif last:
            lead = _difference(raw, history.before_last)
            solve = _corrected(laplacian, system, old, lead, None, LAST_TOLERANCE, params, keep)
        else:
            offset = _difference(history.last and history.last.sigma, old.sigma)
            solve = _corrected(laplacian, system, old, None, offset, FIRST_TOLERANCE, params, keep)
        solved, estimate = yield from solve
        history, raw = keep(solved), solved.sigma
        yield with_history(estimate._replace(done=estimate.done and last), history)
        if last:
            return
        shown = estimate.value if history.last is not None else None
        before, system = system, reweighted(constraints, bounds, np.maximum(raw, 0), params)


def _difference(one: Array | None, other: Array | None) -> Array | None:
    """Difference of two maps that are both known."""
    return None if one is None or other is None else one - other


def _kept(
    history: SolveHistory, raw: Array | None, update: int, last: bool, solved: Solved
) -> SolveHistory:
    """History with a solve in its place; that of a solve in between is not kept."""
    if last:
        return replace(history, last=solved, before_last=raw)
    return replace(history, first=solved) if update == 0 else history


def _repeated(
    laplacian: MattingLaplacian,
    system: BlurMap,
    start: Array | None,
    params: PropagateParams,
    history: SolveHistory,
    shown: BlurMap | None,
) -> Generator[Estimate[BlurMap], None, tuple[Solved, Estimate[BlurMap]]]:
    """Solve as without a history; if `shown` is given, the estimates have it as their value."""
    sigma = np.zeros(laplacian.shape, np.float32)
    for estimate in solve_into(sigma, laplacian, system, start, params):
        if shown is not None:
            estimate = estimate._replace(value=shown)
        if estimate.done:
            break
        yield with_history(estimate, history)
    return Solved(system, sigma, np.zeros_like(sigma)), estimate


def _corrected(
    laplacian: MattingLaplacian,
    system: BlurMap,
    old: Solved,
    lead: Array | None,
    offset: Array | None,
    tolerance: float,
    params: PropagateParams,
    keep: Callable[[Solved], SolveHistory],
) -> Generator[Estimate[BlurMap], None, tuple[Solved, Estimate[BlurMap]]]:
    """Correct a solve for new data.

    `lead` is a first guess of the correction; `offset` is added to the maps of the estimates.
    """
    weight = data_weight(system, params, np.float32)
    residual = _residual(weight, system, old, params)
    sigma = old.sigma.copy()
    if lead is not None:
        sigma += lead
        subtract_product(laplacian, weight, lead, residual)
    confidence = nearness(system.confidence)

    def estimate(done: bool) -> Estimate[BlurMap]:
        dense = np.maximum(sigma if offset is None else sigma + offset, 0)
        return Estimate(BlurMap(dense, confidence, system.grid), largest_px, done)

    enough_px, largest_px, done = tolerance * tolerance_px(system.grid, params), 0.0, True
    steps = residual_steps(laplacian, weight, residual, sigma) if residual.any() else ()
    for count, taken in enumerate(steps, 1):
        largest_px = taken.largest_px
        if _is_settled(taken, enough_px):
            break
        if count == params.iterations:
            done = params.tolerance_px == 0
            break
        if count % params.steps_per_estimate == 0:
            unfinished = Solved(system, sigma.copy(), residual.copy())
            yield with_history(estimate(done=False), keep(unfinished))
    return Solved(system, sigma, residual), estimate(done)


def _residual(weight: Array, system: BlurMap, old: Solved, params: PropagateParams) -> Array:
    """Residual of the map of an old solve in the system that corrects it, HxW."""
    old_weight = data_weight(old.system, params, np.float32)
    residual = weight * system.sigma
    residual -= old_weight * old.system.sigma
    residual -= (weight - old_weight) * old.sigma
    residual += old.remainder
    return residual


def _is_settled(taken: Step, enough_px: float) -> bool:
    """Whether a step changed no more than a small share of the pixels noticeably."""
    changed = np.abs(taken.direction) > enough_px / abs(taken.length)
    return bool(np.count_nonzero(changed) <= UNSETTLED_SHARE * changed.size)
