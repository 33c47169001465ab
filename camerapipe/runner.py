"""One frame through one graph: values, grants, fallbacks, provenance. It knows nothing of images.

Plain nodes are paid first: an anytime node is granted the time left less what the plain nodes after
it are expected to take. If the full form of a node with a fallback is not expected to fit, the
fallback runs. If it is likely but not sure to fit, a node that also has steps goes from the one to
the other. Expectations start from a table of first guesses and follow what was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from camerapipe.budget import Budget, Deadline, run_until
from camerapipe.costs import Costs, Guesses
from camerapipe.graph import Graph, Node
from camerapipe.memo import Memo
from camerapipe.report import Caveat, StageReport
from stages.params import Params

SURE = 2.0  # times its expected cost: what is granted as much is sure to fit


@dataclass(slots=True)
class Run:
    """Values that outlived the run (outputs and what was kept), and a row for every stage."""

    values: dict[str, Any]
    stages: list[StageReport] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What decides how long the stages of a frame may take."""

    megapixels: float
    costs: Costs
    guesses: Guesses = field(default_factory=dict)
    budget: Budget = Budget()
    deadline: Deadline = Deadline()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Values kept from run to run, and the versions of the sources of this one.

    `only` names the values that are kept; None: all.
    """

    memo: Memo
    versions: Mapping[str, Hashable]
    only: frozenset[str] | None = None

    def keeps(self, node: Node, row: StageReport) -> bool:
        """Whether the value of a stage is to be kept: it must be complete."""
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
    """Run a graph on a frame; being late is a caveat in the rows, never an exception.

    With `kept`, only nodes run whose values are not in the memo; the values of complete stages are
    put there.
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
    for position, node in enumerate(order):
        grant = _grant_of(node, order[position + 1 :], params, pace)
        inputs = [done.values[name] for name in node.inputs]
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


def _last_reader(order: Sequence[Node], held: set[str]) -> dict[str, str]:
    """Name of the last node that reads each value, but for those that are held."""
    last = {value: node.name for node in order for value in node.inputs}
    return {value: node for value, node in last.items() if value not in held}


def _section(node: Node, params: Mapping[type[Params], Params]) -> Params | None:
    return params[node.params] if node.params else None


def _grant_of(
    node: Node, later: Sequence[Node], params: Mapping[type[Params], Params], pace: Pace
) -> float | None:
    """Time that a node may take: its own budget, and what is left less the reserve for others."""
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
    """Which form of a node runs, by what its full form is expected to take."""
    if grant is None or expected_ms * (SURE if node.steps else 1.0) <= grant:
        return node.function
    if node.steps and expected_ms <= grant:
        return node.steps
    return node.fallback or node.function


def _run_node(
    node: Node, inputs: list[Any], section: Params | None, grant: float | None, pace: Pace
) -> tuple[Any, StageReport]:
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
    if grant and used_ms > grant:  # with no time left at its start, it is not to blame
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
    """Learn what a plain node took; `stepped`: steps, set-up time and completeness of its steps."""

    def learn(ms: float, *, fallback: bool) -> None:
        pace.costs.learn(node, section, pace.megapixels, pace.guesses, fallback=fallback, ms=ms)

    if stepped is None:
        learn(used_ms, fallback=fallback)
        return
    steps, setup_ms, done = stepped
    if steps == 1:
        if done:  # the first step was all of it
            learn(used_ms, fallback=False)
        else:  # the full form was not begun
            learn(setup_ms, fallback=True)
        return
    learn(setup_ms, fallback=True)
    # what was given up would have taken longer: twice as long, say
    learn((used_ms - setup_ms) * (1.0 if done else SURE), fallback=False)
