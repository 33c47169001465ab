"""One frame through one graph: values, grants, fallbacks, provenance. It knows nothing of images.

Plain nodes are paid first: what an anytime node is granted is the time left less what the plain
nodes after it are expected to take. A node with a fallback runs it where its full form is not
expected to fit; one that also has steps goes from the one to the other where that is likely but not
sure to fit. Expectations start from the costs declared in the graph and follow what was measured in
this process.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from camerapipe.budget import Budget, Deadline, run_until
from camerapipe.graph import Graph, Node
from camerapipe.report import Caveat, StageReport
from stages.params import Params

LEARNING_RATE = 0.5  # share of the newest measurement in the expected cost
SURE = 2.0  # times its expected cost: what is granted as much is sure to fit
FORGETTING_RATE = 0.1  # share of the declared cost, for each time that only the fallback ran


class Costs:
    """Expected time of stages in ms, learnt from what they took.

    What was learnt holds for the same function with the same parameters, and for frames of about
    the same size (within an octave of megapixels): overheads and capped working sizes make a cost
    per megapixel wrong for others, which start from the declared cost.
    """

    def __init__(self) -> None:
        self._measured: dict[Hashable, float] = {}  # ms per megapixel
        self._lock = threading.Lock()

    def full(self, node: Node, section: Params | None, megapixels: float) -> float:
        """Cost of a node in its full form; an anytime node is granted what is left, and costs 0."""
        if node.anytime:
            return 0.0
        return self._expected(node.function, section, megapixels, node.cost)

    def least(self, node: Node, section: Params | None, megapixels: float) -> float:
        """Cost of a node in its cheapest form."""
        if node.fallback is None:
            return self.full(node, section, megapixels)
        return self._expected(node.fallback, section, megapixels, node.fallback_cost)

    def learn(
        self, node: Node, section: Params | None, megapixels: float, *, fallback: bool, ms: float
    ) -> None:
        """Move the expectation towards a measurement.

        Where a fallback ran, that of the full form moves towards its declared cost: one bad
        measurement must not shut it out for good.
        """
        if fallback:
            self._move(node.function, section, megapixels, node.cost, FORGETTING_RATE, known=True)
        function = node.fallback if fallback else node.function
        self._move(function, section, megapixels, ms / megapixels, LEARNING_RATE)

    def _expected(
        self, function: object, section: Params | None, megapixels: float, declared: float
    ) -> float:
        key = _cost_key(function, section, megapixels)
        return megapixels * self._measured.get(key, declared)

    def _move(
        self,
        function: object,
        section: Params | None,
        megapixels: float,
        towards: float,
        rate: float,
        *,
        known: bool = False,
    ) -> None:
        key = _cost_key(function, section, megapixels)
        with self._lock:
            before = self._measured.get(key)
            if before is not None:
                self._measured[key] = before + rate * (towards - before)
            elif not known:
                self._measured[key] = towards


def _cost_key(function: object, section: Params | None, megapixels: float) -> Hashable:
    return function, section, round(math.log2(megapixels))


@dataclass(slots=True)
class Run:
    """Values that outlived the run (outputs and what was kept), and a row for every stage."""

    values: dict[str, Any]
    stages: list[StageReport] = field(default_factory=list)


def run(
    graph: Graph,
    sources: Mapping[str, Any],
    params: Mapping[type[Params], Params],
    *,
    megapixels: float,
    costs: Costs,
    budget: Budget = Budget(),  # noqa: B008 - immutable
    deadline: Deadline = Deadline(),  # noqa: B008 - immutable
    keep: Iterable[str] = (),
) -> Run:
    """Run a graph on a frame; late is a caveat in the rows, never an exception."""
    missing = set(graph.sources) - set(sources)
    if missing:
        raise ValueError(f"graph {graph.name}: source {sorted(missing)[0]!r} is not given")
    done = Run({name: sources[name] for name in graph.sources})
    last_reader = graph.last_reader()
    kept = set(keep)
    for position, node in enumerate(graph.order):
        later = graph.order[position + 1 :]
        expected = costs.full if node.anytime else costs.least
        reserve = sum(expected(other, _section(other, params), megapixels) for other in later)
        grant = _grant(budget.stages_ms.get(node.name), deadline.remaining_ms(), reserve)
        inputs = [done.values[name] for name in node.inputs]
        section = _section(node, params)
        try:
            value, row = _run_node(node, inputs, section, grant, deadline, costs, megapixels)
        except Exception as error:
            error.add_note(f"in stage {node.name!r} of graph {graph.name!r}")
            raise
        done.values[node.output] = value
        done.stages.append(row)
        del inputs, value
        for name in node.inputs:
            if last_reader.get(name) == node.name and name not in kept:
                done.values.pop(name, None)
    return done


def _section(node: Node, params: Mapping[type[Params], Params]) -> Params | None:
    return params[node.params] if node.params else None


def _grant(own_ms: float | None, left_ms: float | None, reserve_ms: float) -> float | None:
    """Time that a node may take: its own budget, and what is left less the reserve for others."""
    if left_ms is None:
        return own_ms
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
    node: Node,
    inputs: list[Any],
    section: Params | None,
    grant: float | None,
    deadline: Deadline,
    costs: Costs,
    megapixels: float,
) -> tuple[Any, StageReport]:
    function = _form(node, costs.full(node, section, megapixels), grant)
    fallback = function is node.fallback
    caveats = Caveat.FALLBACK if fallback else Caveat.NONE
    started = deadline.clock()
    value = function(*inputs, *([section] if section else []))
    setup_ms, steps, residual, done = 0.0, 0, None, True
    if node.anytime or function is node.steps:
        outcome = run_until(value, Deadline.after(grant, deadline.clock))
        value, residual, steps, setup_ms, done = (
            outcome.value, outcome.residual, outcome.steps, outcome.setup_ms, outcome.done,
        )  # fmt: skip
        caveats |= Caveat.NONE if done else Caveat.UNFINISHED
    used_ms = (deadline.clock() - started) * 1000
    full_ms = used_ms
    if function is node.steps and not (steps == 1 and done):  # else the first step was all of it
        costs.learn(node, section, megapixels, fallback=True, ms=setup_ms)
        # what was given up would have taken longer: twice as long, say
        full_ms = (used_ms - setup_ms) * (1.0 if done else SURE)
    if not node.anytime and (steps != 1 or done):  # else the full form was not begun
        costs.learn(node, section, megapixels, fallback=fallback, ms=full_ms)
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
