"""Rungs and check levels ready to run: their graphs, and parameters of all settings' layers.

`camerapipe.levels` declares them. What a settings file, a recipe or a person sets overrides what a
rung changes (`settings.Layer`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from camerapipe.graph import Graph
from camerapipe.levels import CHECK_LADDER, LADDER
from camerapipe.live import LIVE_CHECK, LIVE_SEE
from camerapipe.settings import Changes, Layer, Settings
from camerapipe.stream.device import Device
from stages.params import Params

Parameters = Mapping[type[Params], Params]


@dataclass(frozen=True, slots=True, eq=False)
class ReadyRung:
    """A rung of the quality ladder, ready to run.

    Attributes
    ----------
    name : str
        That of the rung.
    see : Graph
        From the frame to its view and motion.
    picture : Graph
        From these to map and picture.
    params : mapping
        Parameters of the stages of both.
    instead : ReadyRung or None
        The rung that estimates the blur if this one only carries a map, and there is none.
    """

    name: str
    see: Graph
    picture: Graph
    params: Parameters
    instead: ReadyRung | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ReadyCheck:
    """A level of the check, ready to run."""

    name: str
    graph: Graph
    params: Parameters


def ready_rungs(
    settings: Settings, device: Device | None = None, *, only: str | None = None
) -> tuple[ReadyRung, ...]:
    """The quality ladder, best rung first, or one rung of it.

    Parameters
    ----------
    settings : Settings
        Of the stream.
    device : Device, optional
        Simulate the costs of the stages on this device.
    only : str, optional
        Name of the one rung wanted.
    """
    ready: dict[str, ReadyRung] = {}
    for rung in LADDER:
        ready[rung.name] = ReadyRung(
            rung.name,
            _on(device, LIVE_SEE, rung.name),
            _on(device, rung.graph, rung.name),
            _params(settings, rung.params, rung.name),
            ready[rung.instead] if rung.instead else None,
        )
    return tuple(ready.values()) if only is None else (ready[only],)


def ready_checks(settings: Settings, device: Device | None = None) -> tuple[ReadyCheck, ...]:
    """The levels of the check, best first."""
    return tuple(
        ReadyCheck(
            level.name,
            _on(device, LIVE_CHECK, level.name),
            _params(settings, level.params, level.name),
        )
        for level in CHECK_LADDER
    )


def _on(device: Device | None, graph: Graph, level: str) -> Graph:
    return device.simulate(graph, level) if device else graph


def _params(settings: Settings, changes: Changes, level: str) -> Parameters:
    return settings.with_layer(Layer.RUNG, changes, level).params
