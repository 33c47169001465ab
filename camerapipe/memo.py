"""Memoisation of the values of graphs.

The version of a value is a number that identifies its function, the versions of its inputs, and its
parameters. Two runs that need the same version get the same value, also in different graphs. Memory
is limited: values that have not been used for the longest time are dropped first (LRU).
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from camerapipe.graph import Graph, Node
from stages.grid import BlurMap
from stages.params import Params

T = TypeVar("T")


class Plan(NamedTuple):
    """Plan of a run: versions of all values, and the nodes that must run."""

    versions: Mapping[str, int]
    nodes: tuple[Node, ...]


class Memo:
    """Values by version, of at most `limit_bytes` in all. Not thread-safe."""

    def __init__(self, limit_bytes: float) -> None:
        self.limit_bytes = limit_bytes
        self._numbers: dict[Hashable, int] = {}
        self._values: OrderedDict[int, tuple[Any, int]] = OrderedDict()
        self._bytes = 0

    @property
    def size_bytes(self) -> int:
        """Memory of the stored values, bytes."""
        return self._bytes

    def __contains__(self, version: int) -> bool:
        """Whether the value of a version is stored."""
        return version in self._values

    def __getitem__(self, version: int) -> Any:
        """Stored value of a version; marks it as most recently used."""
        self._values.move_to_end(version)
        return self._values[version][0]

    def __setitem__(self, version: int, value: Any) -> None:
        """Store a value, and drop the least recently used ones beyond the limit."""
        if version in self._values:
            self._bytes -= self._values.pop(version)[1]
        size = size_of(value)
        self._values[version] = value, size
        self._bytes += size
        while self._bytes > self.limit_bytes and self._values:
            self._bytes -= self._values.popitem(last=False)[1][1]

    def clear(self) -> None:
        """Drop all values; versions remain valid."""
        self._values.clear()
        self._bytes = 0

    def plan(
        self,
        graph: Graph,
        sources: Mapping[str, Hashable],
        params: Mapping[type[Params], Params],
        wanted: Iterable[str] = (),
    ) -> Plan:
        """Plan a run of a graph.

        Parameters
        ----------
        graph : Graph
            The graph.
        sources : mapping
            For each source a hashable key, equal for equal values.
        params : mapping
            Parameters by their type.
        wanted : iterable of str
            Intermediate values that are needed besides the outputs.

        Returns
        -------
        Plan
            Versions of all values, and the nodes to run, in order.
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
        """Version for a key: that of an equal key, or a new number."""
        return self._numbers.setdefault(key, len(self._numbers))


def size_of(value: Any) -> int:
    """Memory of the arrays in a value, bytes; arrays that share memory are counted separately."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, tuple | list):
        return sum(map(size_of, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return sum(size_of(getattr(value, field.name)) for field in dataclasses.fields(value))
    return 0


def key_of(value: Any) -> Hashable:
    """Key of a value, equal for equal values: arrays count by their content."""
    if isinstance(value, np.ndarray):
        digest = hashlib.blake2b(np.ascontiguousarray(value).data, digest_size=16).digest()
        return value.shape, value.dtype.str, digest
    if isinstance(value, tuple):
        return tuple(map(key_of, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return type(value), *(key_of(each) for each in _parts_of(value).values())
    return value  # type: ignore[no-any-return]  # what is no container is hashable


def with_arrays(value: T, change: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> T:
    """Value with each array in it replaced by `change` of it; maps lose the history of a solve."""
    found: Any = value
    if isinstance(found, np.ndarray):
        found = change(found)
    elif isinstance(found, tuple):
        parts = [with_arrays(each, change) for each in found]
        found = found._make(parts) if hasattr(found, "_make") else tuple(parts)
    elif size_of(found) and dataclasses.is_dataclass(found):
        kind: Any = BlurMap if isinstance(found, BlurMap) else type(found)
        found = kind(**{k: with_arrays(each, change) for k, each in _parts_of(found).items()})
    return found  # type: ignore[no-any-return]


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Read-only view of an array."""
    view = array.view()
    view.flags.writeable = False
    return view


def own(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Read-only copy of an array; the array itself if it is one."""
    if array.flags.owndata and not array.flags.writeable:
        return array
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def _parts_of(value: Any) -> dict[str, Any]:
    """Fields of a data class; of a blur map those without the history of its solve."""
    kind = BlurMap if isinstance(value, BlurMap) else value
    return {spec.name: getattr(value, spec.name) for spec in dataclasses.fields(kind)}
