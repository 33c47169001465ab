"""Graphs of stills with a gain map: they also make the HDR light of the picture."""

from __future__ import annotations

from dataclasses import replace

from camerapipe.graph import Graph, Node
from camerapipe.pipelines import graph
from stages.gain_map import hdr_light


def with_hdr(still: Graph) -> Graph:
    """Graph of a still that also makes the HDR light of its picture (`hdr_picture`).

    The HDR light of the capture is blurred by the same disks as its SDR light.
    """
    blur = [node for node in still.nodes if node.output == "bokeh"]
    light = "hdr_light" if blur else "hdr_picture"
    nodes = [Node("hdr", hdr_light, ("linear", "gain_map"), light)]
    for node in blur:
        inputs = ("hdr_light", *node.inputs[1:])
        nodes.append(replace(node, name="hdr_bokeh", inputs=inputs, output="hdr_picture"))
    return graph(still.name, (*still.nodes, *nodes), (*still.outputs, "hdr_picture"))
