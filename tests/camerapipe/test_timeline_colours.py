"""Colours of the page of a trace: by room, and different for every stage."""

import colorsys

from camerapipe.pipelines import CHECK
from camerapipe.presets import graphs
from camerapipe.timeline.colours import stage_colours
from camerapipe.trace import GRAPH


def test_stages_of_a_graph_differ_and_those_of_a_room_share_a_hue():
    rooms = {}
    for graph in graphs().values():
        for node in graph.order:
            rooms.setdefault(node.name, set()).add(node.function.__module__.split(".")[1])
    names = {node.name for each in (CHECK, graphs()["default"]) for node in each.order}
    one_room = sorted(name for name in names if len(rooms[name]) == 1)
    found = stage_colours([(GRAPH, name) for name in one_room])
    assert len(set(found)) == len(one_room) > 30
    hues = {}
    for name, colour in zip(one_room, found, strict=True):
        code = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        (room,) = rooms[name]
        hues.setdefault(room, []).append(colorsys.rgb_to_hls(*code)[0])
    for room, those in hues.items():
        assert max(those) - min(those) < 0.02, room


def test_what_is_in_no_graph_has_the_hue_of_its_track():
    assert len(set(stage_colours([("decode", "decode"), ("write", "write")]))) == 2
