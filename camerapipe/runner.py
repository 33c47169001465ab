"""Execution of a graph on one frame: values, granted time, fallbacks. Independent of images.

Plain nodes have priority. An anytime node is granted the time that is left, minus the expected time
of the plain nodes after it. If a node has a fallback and its full form is not expected to fit, the
fallback runs. If the full form will probably fit, but not certainly, a node with steps runs these:
they start with the fallback and end with the full form. Expected times start from a table of first
guesses and are updated by measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from camerapipe.budget import Budget, Deadline, run_until
from camerapipe.costs import Costs, Guesses
from camerapipe.graph import Graph, Node
from camerapipe.memo import Memo
from camerapipe.report import Caveat, StageReport
from stages.params import Params

SAFE_COST_RATIO = 2.0  # granted time over expected time from which a full form certainly fits

Watcher = Callable[[str, int, int], None]
_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Watch the runs of this context, for progress and to cancel.

    Parameters
    ----------
    watcher : callable
        Called before every stage with its name, its number from 0, and the number of stages of the
        run. An exception that it raises ends the run.
    """
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


@dataclass(slots=True)
class Run:
    """Result of a run: outputs and requested intermediate values, and a report of every stage."""

    values: dict[str, Any]
    stages: list[StageReport] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Size of the frame, expected costs and budget: what determines the time of the stages."""

    megapixels: float
    costs: Costs
    guesses: Guesses = field(default_factory=dict)
    budget: Budget = Budget()
    deadline: Deadline = Deadline()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Memo that is shared by several runs, and the versions of the sources of this run.

    `only` names the values that are stored; None: all.
    """

    memo: Memo
    versions: Mapping[str, Hashable]
    only: frozenset[str] | None = None
    previous: Any = None  # value of the source `previous`: history of the last solve

    def keeps(self, node: Node, row: StageReport) -> bool:
        """Whether the value of a stage is stored: it must be complete, and be among `only`."""
        complete = not row.caveats & (Caveat.UNFINISHED | Caveat.FALLBACK)
        return complete and (self.only is None or node.output in self.only)


def run(
    graph: Graph,
    sources: Mapping[str, Any],
    params: Mapping[type[Params], Params],
    pace: Pace,
    *,
    keep: Iterable[str] = (),
    kept: Kept | None = None,
) -> Run:
    """Run a graph on a frame. Being late is a caveat in the reports, never an exception.

    Parameters
    ----------
    graph : Graph
        The graph.
    sources : mapping
        Values of the sources, by name; there may be more than the graph reads.
    params : mapping
        Parameters by their type.
    pace : Pace
        Budget and expected costs.
    keep : iterable of str
        Names of intermediate values to return; names that the graph does not have are ignored.
    kept : Kept, optional
        Memo. Nodes whose values are in it do not run, and values of complete stages are stored.

    Returns
    -------
    Run
        Values and reports.

    Raises
    ------
    ValueError
        If a source is missing. An exception of a stage has a note with the name of the stage.
    """
    missing = set(graph.sources) - set(sources)
    if missing:
        raise ValueError(f"graph {graph.name}: source {sorted(missing)[0]!r} is not given")
    keep = {value for value in keep if value in graph.values()}
    values = {name: sources[name] for name in graph.sources}
    order: Sequence[Node] = graph.order
    versions: Mapping[str, int] = {}
    if kept is not None:
        versions, order = kept.memo.plan(graph, kept.versions, params, keep)
        read = {*(v for node in order for v in node.inputs), *graph.outputs, *keep}
        made = {node.output for node in order}
        values |= {v: kept.memo[versions[v]] for v in read - made - set(graph.sources)}
    done = Run(values)
    last_reader = _last_reader(order, {*graph.outputs, *keep})
    watcher = _watcher.get()
    for position, node in enumerate(order):
        if watcher is not None:
            watcher(node.name, position, len(order))
        grant = _grant_of(node, order[position + 1 :], params, pace)
        inputs = [done.values[name] for name in node.inputs]
        spare = kept is None and last_reader.get(node.overwrites or "") == node.name
        node = _overwriting(node, done.values) if spare else node
        try:
            value, row = _run_node(node, inputs, _section(node, params), grant, pace)
        except Exception as error:
            error.add_note(f"in stage {node.name!r} of graph {graph.name!r}")
            raise
        done.values[node.output] = value
        done.stages.append(row)
        if kept is not None and kept.keeps(node, row):
            kept.memo[versions[node.output]] = value
        del inputs, value
        for name in node.inputs:
            if last_reader.get(name) == node.name:
                done.values.pop(name, None)
    return done


def _last_reader(order: Sequence[Node], results: set[str]) -> dict[str, str]:
    """Name of the last node that reads each value, except for the results of the run."""
    last = {value: node.name for node in order for value in node.inputs}
    return {value: node for value, node in last.items() if value not in results}


def _overwriting(node: Node, values: Mapping[str, Any]) -> Node:
    """The node with an array as `out` that no other value shares; else the node itself."""
    spare = values[str(node.overwrites)]
    others = [value for name, value in values.items() if name != node.overwrites]
    arrays = [each for each in others if isinstance(each, np.ndarray)]
    if not spare.flags.writeable or any(np.may_share_memory(spare, each) for each in arrays):
        return node
    return replace(node, function=partial(node.function, out=spare))


def _section(node: Node, params: Mapping[type[Params], Params]) -> Params | None:
    """Parameters of a node, or None."""
    return params[node.params] if node.params else None


def _grant_of(
    node: Node, later: Sequence[Node], params: Mapping[type[Params], Params], pace: Pace
) -> float | None:
    """Time granted to a node, ms: at most its own budget, and the time left minus a reserve.

    The reserve is the expected time of the nodes after it. None: no limit.
    """
    own_ms, left_ms = pace.budget.stages_ms.get(node.name), pace.deadline.remaining_ms()
    if left_ms is None:
        return own_ms
    expected = pace.costs.full if node.anytime else pace.costs.least
    reserve_ms = sum(
        expected(other, _section(other, params), pace.megapixels, pace.guesses) for other in later
    )
    left_ms = max(left_ms - reserve_ms, 0.0)
    return left_ms if own_ms is None else min(own_ms, left_ms)


def _form(node: Node, expected_ms: float, grant: float | None) -> Callable[..., Any]:
    """Form of a node to run, given the expected time of its full form."""
    if grant is None or expected_ms * (SAFE_COST_RATIO if node.steps else 1.0) <= grant:
        return node.function
    if node.steps and expected_ms <= grant:
        return node.steps
    return node.fallback or node.function


def _run_node(
    node: Node, inputs: list[Any], section: Params | None, grant: float | None, pace: Pace
) -> tuple[Any, StageReport]:
    """Value and report of a node."""
    expected_ms = pace.costs.full(node, section, pace.megapixels, pace.guesses)
    function, clock = _form(node, expected_ms, grant), pace.deadline.clock
    caveats = Caveat.FALLBACK if function is node.fallback else Caveat.NONE
    started = clock()
    value = function(*inputs, *([section] if section else []))
    setup_ms, steps, residual, done = 0.0, 0, None, True
    if node.anytime or function is node.steps:
        result = run_until(value, Deadline.after(grant, clock))
        value, residual, steps, setup_ms, done = (
            result.value, result.residual, result.steps, result.setup_ms, result.done,
        )  # fmt: skip
        caveats |= Caveat.NONE if done else Caveat.UNFINISHED
    used_ms = (clock() - started) * 1000
    if not node.anytime:
        stepped = (steps, setup_ms, done) if function is node.steps else None
        _learn(node, section, pace, used_ms, fallback=function is node.fallback, stepped=stepped)
    if grant and used_ms > grant:  # a node that starts after the deadline has no caveat
        caveats |= Caveat.OVERRUN
    row = StageReport(
        name=node.name,
        used_ms=used_ms,
        granted_ms=grant,
        setup_ms=setup_ms,
        steps=steps,
        residual=residual,
        caveats=caveats,
        params=asdict(section) if section else {},
    )
    return value, row


def _learn(
    node: Node,
    section: Params | None,
    pace: Pace,
    used_ms: float,
    *,
    fallback: bool,
    stepped: tuple[int, float, bool] | None,
) -> None:
    """Update the expected cost of a plain node.

    `stepped` has the number, set-up time and completeness of its steps, if the steps were run.
    """

    def learn(ms: float, *, fallback: bool) -> None:
        pace.costs.learn(node, section, pace.megapixels, pace.guesses, fallback=fallback, ms=ms)

    if stepped is None:
        learn(used_ms, fallback=fallback)
        return
    steps, setup_ms, done = stepped
    if steps == 1:
        if done:  # the first step was the whole stage
            learn(used_ms, fallback=False)
        else:  # only the fallback ran
            learn(setup_ms, fallback=True)
        return
    learn(setup_ms, fallback=True)
    # If the steps were stopped, the full form is assumed to take twice as long.
    learn((used_ms - setup_ms) * (1.0 if done else SAFE_COST_RATIO), fallback=False)
