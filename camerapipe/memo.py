"""Results computed once: values of graphs, kept by what they were computed from.

A value is known by its version: a number for the function, the versions of what it read, and its
parameters. Two runs that ask for the same version get the same value, in whichever graph. Values
are kept within a limit of bytes; those that were not used for longest go first.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from camerapipe.graph import Graph, Node
from stages.params import Params


class Plan(NamedTuple):
    """What a run has to do: versions of all values, and the nodes whose values are not kept."""

    versions: Mapping[str, int]
    nodes: tuple[Node, ...]


class Memo:
    """Values by version, within `limit_bytes`. For one thread at a time."""

    def __init__(self, limit_bytes: float) -> None:
        self.limit_bytes = limit_bytes
        self._numbers: dict[Hashable, int] = {}
        self._values: OrderedDict[int, tuple[Any, int]] = OrderedDict()
        self._bytes = 0

    @property
    def size_bytes(self) -> int:
        """Memory of the values that are kept."""
        return self._bytes

    def __contains__(self, version: int) -> bool:
        """Whether a value is kept."""
        return version in self._values

    def __getitem__(self, version: int) -> Any:
        """A value that is kept; it is now the one that was used last."""
        self._values.move_to_end(version)
        return self._values[version][0]

    def __setitem__(self, version: int, value: Any) -> None:
        """Keep a value, and drop the oldest ones beyond the limit."""
        if version in self._values:
            self._bytes -= self._values.pop(version)[1]
        size = size_of(value)
        self._values[version] = value, size
        self._bytes += size
        while self._bytes > self.limit_bytes and self._values:
            self._bytes -= self._values.popitem(last=False)[1][1]

    def clear(self) -> None:
        """Drop all values; versions stay what they were."""
        self._values.clear()
        self._bytes = 0

    def plan(
        self,
        graph: Graph,
        sources: Mapping[str, Hashable],
        params: Mapping[type[Params], Params],
        wanted: Iterable[str] = (),
    ) -> Plan:
        """Say which nodes must run for the outputs of a graph, and for what else is wanted.

        `sources` names the versions of the sources: equal where their values are.
        """
        versions = {name: self._number(("source", name, sources[name])) for name in graph.sources}
        for node in graph.order:
            section = params[node.params] if node.params else None
            read = tuple(versions[name] for name in node.inputs)
            versions[node.output] = self._number((node.function, read, section))
        needed, nodes = {*graph.outputs, *wanted}, list[Node]()
        for node in reversed(graph.order):
            if node.output in needed and versions[node.output] not in self:
                nodes.append(node)
                needed.update(node.inputs)
        return Plan(versions, tuple(reversed(nodes)))

    def _number(self, key: Hashable) -> int:
        return self._numbers.setdefault(key, len(self._numbers))


def size_of(value: Any) -> int:
    """Memory of the arrays in a value, in bytes; arrays that share memory count each time."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, tuple | list):
        return sum(map(size_of, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return sum(size_of(getattr(value, field.name)) for field in dataclasses.fields(value))
    return 0
