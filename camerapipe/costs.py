"""Expected time of stages: first guesses from a table, then measurements of this process."""

from __future__ import annotations

import functools
import math
import threading
import tomllib
from collections.abc import Hashable, Mapping
from importlib import resources
from typing import Any

from camerapipe.graph import Node
from stages.params import Params

LEARNING_RATE = 0.5  # weight of the newest measurement in the expected cost
FORGETTING_RATE = 0.1  # weight of the first guess, each time that only the fallback ran
FALLBACK, SETUP, STEP = "fallback", "setup", "step"  # parts of a stage in the table

Guesses = Mapping[str, float]  # ms per megapixel by stage, or by stage.part


def part_of(stage: str, part: str) -> str:
    """Name of a part of a stage in the table."""
    return f"{stage}.{part}" if part else stage


@functools.cache
def cost_table() -> Mapping[str, Mapping[str, Guesses]]:
    """Table of first guesses: `still` by preset, `live` by rung."""
    text = resources.files("camerapipe").joinpath("costs.toml").read_text(encoding="utf-8")
    table: dict[str, Any] = tomllib.loads(text)
    return table


def still_guesses(graph: str) -> Guesses:
    """First guesses for a graph of stills, by name; those of `default` if it is not listed."""
    table = cost_table()["still"]
    return table.get(graph.removesuffix("-map"), table["default"])


def live_guesses(rung: str) -> Guesses:
    """First guesses for a rung of the quality ladder, or of the ladder of the check."""
    return cost_table()["live"][rung]


class Costs:
    """Expected time of stages in ms, learnt from measurements.

    A measurement applies to the same function with the same parameters, and to frames of about the
    same size (within an octave of megapixels). For other sizes, overheads and limited working sizes
    make a cost per megapixel wrong; they start from the first guess.
    """

    def __init__(self) -> None:
        self._measured: dict[Hashable, float] = {}  # ms per megapixel
        self._lock = threading.Lock()

    def full(
        self, node: Node, section: Params | None, megapixels: float, guesses: Guesses
    ) -> float:
        """Expected cost of the full form of a node, ms; 0 for an anytime node.

        An anytime node is granted the time that is left.
        """
        if node.anytime:
            return 0.0
        return self._expected(node.function, section, megapixels, guesses.get(node.name, 0.0))

    def least(
        self, node: Node, section: Params | None, megapixels: float, guesses: Guesses
    ) -> float:
        """Expected cost of the cheapest form of a node, ms."""
        if node.fallback is None:
            return self.full(node, section, megapixels, guesses)
        guess = guesses.get(part_of(node.name, FALLBACK), 0.0)
        return self._expected(node.fallback, section, megapixels, guess)

    def learn(
        self,
        node: Node,
        section: Params | None,
        megapixels: float,
        guesses: Guesses,
        *,
        fallback: bool,
        ms: float,
    ) -> None:
        """Update the expected cost by a measurement of `ms`.

        If a fallback ran, the expected cost of the full form moves towards its first guess.
        Otherwise one bad measurement could exclude the full form forever.
        """
        if fallback:
            guess = guesses.get(node.name, 0.0)
            self._move(node.function, section, megapixels, guess, FORGETTING_RATE, known=True)
        function = node.fallback if fallback else node.function
        self._move(function, section, megapixels, ms / megapixels, LEARNING_RATE)

    def _expected(
        self, function: object, section: Params | None, megapixels: float, guess: float
    ) -> float:
        key = _cost_key(function, section, megapixels)
        return megapixels * self._measured.get(key, guess)

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
