"""A simulated device in virtual time: stages run here, and their time comes from a model.

    cost = reference ms per megapixel x megapixels x scale x jitter x throttling

The reference costs were measured once for every rung of the quality ladder (`[live]` in
`costs.toml`, written by `tools/reference_costs.py`). Scale and throttling come from the profile.
Jitter is drawn from seed, frame, stage and step, so that the cost of a frame does not depend on
where, when and how often it runs. The clock of this machine is never read.
"""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from camerapipe.costs import SETUP, STEP, live_guesses, part_of
from camerapipe.graph import Graph, Node
from camerapipe.stream.profile import Heat, Profile
from camerapipe.stream.virtual import VirtualClock

# Classes of kernels of stages; all others are stencils.
KIND_OF = {"decode": "decode", "laplacian": "solve", "propagate": "solve", "bokeh": "gather",
           "preview": "gather", "encode_file": "encode"}  # fmt: skip


class Device:
    """Moves a virtual clock by the time that the stages of a frame take on a device.

    Parameters
    ----------
    profile : Profile
        Of the device.
    clock : VirtualClock
        The clock to move.
    seed : int
        Of the jitter.
    place : float
        In the ranges of the profile's scales, from 0 to 1.
    heat : Heat, optional
        Of the device, if other work on it is simulated as well.
    load : callable
        Factor of the time of every stage, for work that shares the processor.
    """

    def __init__(
        self,
        profile: Profile,
        clock: VirtualClock,
        *,
        seed: int,
        place: float,
        heat: Heat | None = None,
        load: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self.profile, self.clock = profile, clock
        self.heat = heat or Heat(profile.thermal)
        self._seed, self._place, self._load = seed, place, load
        self._seq, self._megapixels = 0, 1.0

    def begin(self, seq: int, megapixels: float) -> None:
        """Begin a frame."""
        self._seq, self._megapixels = seq, megapixels

    def spend(self, rung: str, stage: str, part: str = "", step: int = 0) -> None:
        """Spend the time of a stage of the frame, or of a step of it."""
        self.spend_cost(live_guesses(rung)[part_of(stage, part)], stage, step)

    def spend_cost(self, cost: float, stage: str, step: int = 0) -> None:
        """Spend the time of a stage whose reference cost is `cost` ms per megapixel."""
        key = (self._seed, self._seq, zlib.crc32(stage.encode()), step)
        jitter = math.exp(self.profile.jitter * np.random.default_rng(key).standard_normal())
        scale = self.profile.scale_at(KIND_OF.get(stage, "stencil"), self._place)
        slowdown = self.heat.slowdown(self.clock())
        self.clock.spend(cost * self._megapixels * scale * jitter * slowdown * self._load())
        self.heat.work(self.clock())

    def simulate(self, graph: Graph, rung: str) -> Graph:
        """The same graph with the costs of a device: each stage also moves the clock."""
        return graph.with_nodes(lambda node: self._simulated(node, rung))

    def _simulated(self, node: Node, rung: str) -> Node:
        if node.anytime:
            return replace(node, function=self._steps(node, rung))
        return replace(node, function=self._plain(node.function, rung, node.name), fallback=None)

    def _plain(self, function: Any, rung: str, stage: str) -> Any:
        @functools.wraps(function)
        def costly(*arguments: Any, **given: Any) -> Any:
            value = function(*arguments, **given)
            self.spend(rung, stage)
            return value

        return costly

    def _steps(self, node: Node, rung: str) -> Any:
        @functools.wraps(node.function)
        def costly(*arguments: Any) -> Iterator[Any]:
            for step, estimate in enumerate(node.function(*arguments)):
                self.spend(rung, node.name, STEP if step else SETUP, step)
                yield estimate

        return costly
