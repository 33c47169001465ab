"""Nodes and graphs, which are checked when they are built. Nothing is executed here."""

from __future__ import annotations

import difflib
import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from camerapipe.hints import argument_hints, describe, fits, result_hint
from stages.params import Params


class GraphError(ValueError):
    """A graph that is wired wrongly."""


@dataclass(frozen=True, slots=True)
class Node:
    """One stage in a graph: a function, the values that it reads, and the value that it makes.

    The function is called with the inputs in order, and then with the parameters of type `params`
    if it has any. An `anytime` function returns an iterator of `Estimate`. `fallback` is a cheaper
    function with the same arguments and result. `steps` returns an iterator of `Estimate` that
    begins with the value of `fallback` and ends with that of `function`. `overwrites` names an
    input whose array `function` gets as `out`, too, if nothing else needs it any more.
    """

    name: str
    function: Callable[..., Any]
    inputs: tuple[str, ...]
    output: str
    params: type[Params] | None = None
    anytime: bool = False
    fallback: Callable[..., Any] | None = None
    steps: Callable[..., Any] | None = None
    overwrites: str | None = None

    def forms(self) -> tuple[Callable[..., Any], ...]:
        """The function and its alternatives, all called with the same arguments."""
        return tuple(form for form in (self.function, self.fallback, self.steps) if form)


def renamed(nodes: Iterable[Node], **values: str) -> tuple[Node, ...]:
    """Copy of nodes with other names of values, as in `renamed(SOLVE, edges="steady_edges")`."""
    return tuple(
        replace(
            node,
            inputs=tuple(values.get(name, name) for name in node.inputs),
            output=values.get(node.output, node.output),
        )
        for node in nodes
    )


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes between sources and outputs; `order` is the order of execution.

    `hints` gives the types of the sources, if they are known. If one function makes a value and
    another reads it, type and kind (`stages.kinds`) must fit.

    Raises
    ------
    GraphError
        If the graph is not valid; the message names the graph, the node and the error.
    """

    name: str
    sources: tuple[str, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    hints: Mapping[str, Any] = field(default_factory=dict, repr=False)
    order: tuple[Node, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        _check_names(self)
        for node in self.nodes:
            _check_call(self, node)
        object.__setattr__(self, "order", _sorted(self))
        _check_hints(self)

    def with_nodes(self, change: Callable[[Node], Node]) -> Graph:
        """Copy of the graph with every node changed, as for a simulated device or a replay."""
        nodes = tuple(change(node) for node in self.nodes)
        return Graph(self.name, self.sources, nodes, self.outputs, self.hints)

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
        """Text for a terminal, with one line per node."""
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


def mermaid(graphs: Iterable[Graph]) -> str:
    """Mermaid flow chart of graphs: one subgraph each, and values as labels of the arrows."""
    return "\n".join(["flowchart TD", *(line for graph in graphs for line in _subgraph(graph))])


def _subgraph(graph: Graph) -> list[str]:
    """Lines of a subgraph; identifiers include its name, since a chart has one namespace."""

    def key(role: str, name: str) -> str:
        return f"{graph.name}-{role}-{name}".replace("-", "_")

    makers = {source: key("source", source) for source in graph.sources}
    makers |= {node.output: key("stage", node.name) for node in graph.order}
    lines = [f"  subgraph {key('graph', '')}[{graph.name}]"]
    lines += [f"    {makers[source]}([{source}])" for source in graph.sources]
    for node in graph.order:
        lines.append(f"    {makers[node.output]}[{node.name}]")
        lines += [f"    {makers[v]} -- {v} --> {makers[node.output]}" for v in node.inputs]
    for output in graph.outputs:
        lines.append(f"    {makers[output]} --> {key('output', output)}([{output}])")
    return [*lines, "  end"]


def _check_names(graph: Graph) -> None:
    """Check that every value is made once, and that every value is read."""
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
    """Check that the functions of a node take as many arguments as it gives."""
    given = len(node.inputs) + (node.params is not None)
    for function in node.forms():
        try:
            inspect.signature(function).bind(*range(given))
        except TypeError as error:
            raise GraphError(
                f"graph {graph.name}: node {node.name!r} gives {function.__name__} "
                f"{given} arguments: {error}"
            ) from error


def _check_hints(graph: Graph) -> None:
    """Check that type and kind of every value fit where the value is read."""
    known: dict[str, Any] = {name: graph.hints.get(name, Any) for name in graph.sources}
    for node in graph.order:
        given = [known[name] for name in node.inputs]
        for function in node.forms():
            wanted = argument_hints(function)
            for value, actual, (argument, expected) in zip(
                node.inputs, given, wanted, strict=False
            ):
                if not fits(actual, expected):
                    raise GraphError(
                        f"graph {graph.name}: node {node.name!r} reads {value!r} as {argument!r}: "
                        f"{describe(expected)} expected, but it is {describe(actual)}"
                    )
        known[node.output] = result_hint(node.function, given, anytime=node.anytime)


def _sorted(graph: Graph) -> tuple[Node, ...]:
    """Topological order of the nodes (Kahn's algorithm), close to the order of declaration."""
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
