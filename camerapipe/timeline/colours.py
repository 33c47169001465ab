"""Colours of stages: a hue for each room of `stages`, and a lightness for each stage in it."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

LIGHTNESS = (0.36, 0.76)  # of the first and the last stage of a room
SATURATION = 0.5
FIRST_HUE = 0.58  # blue
TURN = 0.381966  # of a circle between successive rooms (golden section): neighbours differ most


def stage_colours(kinds: Sequence[tuple[str, str]]) -> list[str]:
    """Colour of each kind of span, as `#rrggbb`.

    Parameters
    ----------
    kinds : sequence of (str, str)
        Track and stage. Stages of no graph belong to the room of their track.
    """
    known = _rooms()
    rooms = [known.get(stage, track) for track, stage in kinds]
    order = {room: number for number, room in enumerate(dict.fromkeys(rooms))}
    found = []
    for number, room in enumerate(rooms):
        low, high = LIGHTNESS
        part = rooms[:number].count(room) / max(rooms.count(room) - 1, 1)
        hue = (FIRST_HUE + TURN * order[room]) % 1
        rgb = colorsys.hls_to_rgb(hue, low + (high - low) * part, SATURATION)
        found.append("#" + "".join(f"{round(255 * channel):02x}" for channel in rgb))
    return found


def _rooms() -> dict[str, str]:
    """Room of `stages` of every stage, by the name of the stage."""
    from camerapipe.presets import graphs  # imports all stages, which a page without spans spares

    return {
        node.name: node.function.__module__.split(".")[1]
        for graph in graphs().values()
        for node in graph.order
        if node.function.__module__.startswith("stages.")
    }
