"""What runs after what: nodes and graphs, checked when built. Nothing is executed here."""

from __future__ import annotations

import difflib
import inspect
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from stages.params import Params


class GraphError(ValueError):
    """A graph that is wired wrongly."""


@dataclass(frozen=True, slots=True)
class Node:
    """One stage in a graph: a function, the values it reads, the value it makes.

    The function is called with the inputs in order, and then the parameters of type `params` where
    there are any. An `anytime` function returns an iterator of `Estimate`. `fallback` is a cheaper
    function of the same shape; `steps` is an iterator of `Estimate` that begins with its value and
    ends with that of `function`. `cost` and `fallback_cost` are first guesses of their time, in ms
    per megapixel, until they have been measured in this process.
    """

    name: str
    function: Callable[..., Any]
    inputs: tuple[str, ...]
    output: str
    params: type[Params] | None = None
    anytime: bool = False
    fallback: Callable[..., Any] | None = None
    steps: Callable[..., Any] | None = None
    cost: float = 0.0
    fallback_cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes between sources and outputs; `order` is the order of execution.

    Raises
    ------
    GraphError
        Naming the graph, the node and what is wrong.
    """

    name: str
    sources: tuple[str, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    order: tuple[Node, ...] = field(init=False)

    def __post_init__(self) -> None:
        _check_names(self)
        for node in self.nodes:
            _check_call(self, node)
        object.__setattr__(self, "order", _sorted(self))

    def last_reader(self) -> dict[str, str]:
        """Name of the last node that reads each value; outputs are never released."""
        last = {value: node.name for node in self.order for value in node.inputs}
        return {value: node for value, node in last.items() if value not in self.outputs}

    def values(self) -> tuple[str, ...]:
        """Names of all values: sources, and what the nodes make."""
        return (*self.sources, *(node.output for node in self.order))

    def sections(self) -> tuple[type[Params], ...]:
        """Types of the parameters, each once, in order of execution."""
        return tuple(dict.fromkeys(node.params for node in self.order if node.params))

    def text(self) -> str:
        """Render for a terminal: one line a node."""
        width = max((len(node.name) for node in self.order), default=0)
        lines = [f"{self.name}: {', '.join(self.sources)} -> {', '.join(self.outputs)}"]
        for node in self.order:
            marks = ["anytime"] * node.anytime
            marks += [f"fallback {node.fallback.__name__}"] if node.fallback else []
            marks += [f"steps {node.steps.__name__}"] if node.steps else []
            note = f"   [{', '.join(marks)}]" if marks else ""
            reads = ", ".join(node.inputs)
            lines.append(f"  {node.name:<{width}}  {reads} -> {node.output}{note}")
        return "\n".join(lines)

    def mermaid(self) -> str:
        """Render as a Mermaid flow chart; values are the labels of the arrows."""
        makers = {node.output: node.name for node in self.order}
        lines = ["flowchart TD"]
        lines += [f"    {source}([{source}])" for source in self.sources]
        for node in self.order:
            lines.append(f"    {node.name}[{node.name}]")
            for value in node.inputs:
                maker = makers.get(value)
                arrow = f"{maker} -- {value} -->" if maker else f"{value} -->"
                lines.append(f"    {arrow} {node.name}")
        lines += [f"    {makers.get(o, o)} --> out_{o}([{o}])" for o in self.outputs]
        return "\n".join(lines)


def _check_names(graph: Graph) -> None:
    made = [*graph.sources, *(node.output for node in graph.nodes)]
    for what, names in (("value", made), ("node", [node.name for node in graph.nodes])):
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise GraphError(f"graph {graph.name}: {what} {twice[0]!r} is made twice")
    read = {value for node in graph.nodes for value in node.inputs} | set(graph.outputs)
    for value in sorted(read - set(made)):
        close = difflib.get_close_matches(value, made, 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise GraphError(f"graph {graph.name}: nothing makes {value!r}{hint}")
    for value in made:
        if value not in read:
            raise GraphError(f"graph {graph.name}: nothing reads {value!r}")


def _check_call(graph: Graph, node: Node) -> None:
    given = len(node.inputs) + (node.params is not None)
    for function in filter(None, (node.function, node.fallback, node.steps)):
        try:
            inspect.signature(function).bind(*range(given))
        except TypeError as error:
            raise GraphError(
                f"graph {graph.name}: node {node.name!r} gives {function.__name__} "
                f"{given} arguments: {error}"
            ) from error


def _sorted(graph: Graph) -> tuple[Node, ...]:
    """Topological order that keeps the declared order wherever it can (Kahn)."""
    known, waiting, order = set(graph.sources), list(graph.nodes), list[Node]()
    while waiting:
        ready = next((node for node in waiting if known.issuperset(node.inputs)), None)
        if ready is None:
            names = ", ".join(node.name for node in waiting)
            raise GraphError(f"graph {graph.name}: these nodes wait for each other: {names}")
        waiting.remove(ready)
        order.append(ready)
        known.add(ready.output)
    return tuple(order)
