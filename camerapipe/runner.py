"""One frame through one graph: values, grants, fallbacks, provenance. It knows nothing of images.

Plain nodes are paid first: what an anytime node is granted is the time left less what the plain
nodes after it are expected to take. A node with a fallback runs it where its full form is not
expected to fit. Expectations start from the costs declared in the graph and follow what was
measured in this process.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from camerapipe.budget import Budget, Deadline, run_until
from camerapipe.graph import Graph, Node
from camerapipe.report import Caveat, StageReport
from stages.params import Params

LEARNING_RATE = 0.5  # share of the newest measurement in the expected cost


class Costs:
    """Expected time of nodes in ms per megapixel, learnt from what they took."""

    def __init__(self) -> None:
        self._measured: dict[tuple[str, bool], float] = {}
        self._lock = threading.Lock()

    def full(self, node: Node) -> float:
        """Cost of a node in its full form; an anytime node is granted what is left, and costs 0."""
        return 0.0 if node.anytime else self._measured.get((node.name, False), node.cost)

    def least(self, node: Node) -> float:
        """Cost of a node in its cheapest form."""
        if node.fallback is None:
            return self.full(node)
        return self._measured.get((node.name, True), node.fallback_cost)

    def learn(self, node: Node, *, fallback: bool, per_megapixel: float) -> None:
        """Move the expectation towards a measurement."""
        key = (node.name, fallback)
        with self._lock:
            before = self._measured.get(key, per_megapixel)
            self._measured[key] = before + LEARNING_RATE * (per_megapixel - before)


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
        grant = _grant(node, later, budget, deadline, costs, megapixels)
        inputs = [done.values[name] for name in node.inputs]
        section = params[node.params] if node.params else None
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


def _grant(
    node: Node,
    later: tuple[Node, ...],
    budget: Budget,
    deadline: Deadline,
    costs: Costs,
    megapixels: float,
) -> float | None:
    """Time that a node may take, in ms; None without a limit."""
    own = budget.stages_ms.get(node.name)
    left = deadline.remaining_ms()
    if left is None:
        return own
    expected = costs.full if node.anytime else costs.least
    left = max(left - megapixels * sum(expected(other) for other in later), 0.0)
    return left if own is None else min(own, left)


def _run_node(
    node: Node,
    inputs: list[Any],
    section: Params | None,
    grant: float | None,
    deadline: Deadline,
    costs: Costs,
    megapixels: float,
) -> tuple[Any, StageReport]:
    fallback = (
        node.fallback is not None and grant is not None and costs.full(node) * megapixels > grant
    )
    function = node.fallback if fallback and node.fallback else node.function
    caveats = Caveat.FALLBACK if fallback else Caveat.NONE
    started = deadline.clock()
    value = function(*inputs, *([section] if section else []))
    setup_ms, steps, residual = 0.0, 0, None
    if node.anytime:
        outcome = run_until(value, Deadline.after(grant, deadline.clock))
        value, residual, steps, setup_ms = (
            outcome.value, outcome.residual, outcome.steps, outcome.setup_ms,
        )  # fmt: skip
        caveats |= Caveat.NONE if outcome.done else Caveat.UNFINISHED
    used_ms = (deadline.clock() - started) * 1000
    if not node.anytime:
        costs.learn(node, fallback=fallback, per_megapixel=used_ms / megapixels)
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
