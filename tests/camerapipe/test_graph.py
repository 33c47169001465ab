import re
from collections.abc import Iterator
from typing import Annotated

import pytest

from camerapipe.graph import Graph, GraphError, Node, mermaid, renamed
from camerapipe.presets import PRESETS, graphs
from stages.grid import BlurMap, DenseBlur, SparseBlur
from stages.kinds import Encoded, Like, LinearLight
from stages.params import Array, Estimate

GRAPHS = graphs()


def add(a, b):
    return a + b


def double(a):
    return 2 * a


def test_order_follows_the_values_and_not_the_lines():
    graph = Graph(
        "g", ("x",), (Node("late", double, ("sum",), "out"), Node("add", add, ("x", "x"), "sum")),
        ("out",),
    )  # fmt: skip
    assert [node.name for node in graph.order] == ["add", "late"]
    assert graph.last_reader() == {"x": "add", "sum": "late"}


@pytest.mark.parametrize(
    "nodes, outputs, message",
    [
        ([Node("a", double, ("y",), "z")], ("z",), "nothing makes 'y'"),
        ([Node("a", double, ("xx",), "z")], ("z",), "did you mean 'x'"),
        ([Node("a", double, ("x",), "x")], ("x",), "value 'x' is made twice"),
        (
            [Node("a", double, ("x",), "y"), Node("a", double, ("y",), "z")],
            ("z",),
            "node 'a' is made twice",
        ),
        ([Node("a", double, ("x",), "y")], ("x",), "nothing reads 'y'"),
        ([Node("a", add, ("x",), "y")], ("y",), "gives add 1 arguments"),
        (
            [Node("a", double, ("x",), "y", fallback=add)],
            ("y",),
            "gives add 1 arguments",
        ),
        (
            [Node("a", add, ("x", "z"), "y"), Node("b", double, ("y",), "z")],
            ("z",),
            "wait for each other: a, b",
        ),
    ],
)
def test_wrong_wiring_is_refused_when_built(nodes, outputs, message):
    with pytest.raises(GraphError, match=message):
        Graph("g", ("x",), tuple(nodes), outputs)


@pytest.mark.parametrize("name", GRAPHS)
def test_every_graph_can_be_shown(name):
    graph = GRAPHS[name]
    assert graph.name == name
    for node in graph.nodes:
        assert node.name in graph.text()
        assert f"[{node.name}]" in mermaid([graph])


def test_a_chart_of_several_graphs_has_no_name_twice():
    chart = mermaid(GRAPHS.values())
    assert chart.count("flowchart") == 1
    declared = re.findall(r"^ +(\w+)(?:\[|\(\[)", chart, re.MULTILINE)
    assert len(declared) == len(set(declared)) > 100
    arrows = re.findall(r"^ +(\w+) -- \S+ --> (\w+)$", chart, re.MULTILINE)
    assert {name for arrow in arrows for name in arrow} <= set(declared)


def test_presets_are_the_rows_that_the_paper_compares():
    assert set(PRESETS) == {"default", "paper", "elder-zucker", "direct"}
    assert "upsample" not in {node.name for node in PRESETS["direct"].picture_graph.nodes}


def test_renamed_nodes_stand_between_other_values():
    (node,) = renamed([Node("a", add, ("x", "y"), "z")], y="b", z="c")
    assert (node.inputs, node.output) == (("x", "b"), "c")


def light(view: Encoded) -> LinearLight:
    return view


def view(light: LinearLight) -> Encoded:
    return light


def brightness(picture: Array) -> float:
    return float(picture.mean())


def reduced(picture: Array) -> Annotated[Array, Like("picture")]:
    return picture


def estimate(view: Encoded) -> SparseBlur: ...
def spread(edges: SparseBlur, view: Encoded) -> Iterator[Estimate[DenseBlur]]: ...
def draw(blur: DenseBlur, number: float, point: tuple[int, int] | None) -> Encoded: ...


def wired(*nodes, source=LinearLight, outputs=None):
    hints = {"x": source, "point": tuple[int, int] | None}
    read = {v for node in nodes for v in node.inputs}
    outputs = outputs or tuple(n.output for n in nodes if n.output not in read)
    return Graph("g", tuple(s for s in hints if s in read), nodes, outputs, hints)


def test_kinds_that_fit_are_accepted():
    wired(
        Node("view", view, ("x",), "view"),
        Node("half", reduced, ("view",), "half"),
        Node("estimate", estimate, ("half",), "edges"),
        Node("spread", spread, ("edges", "view"), "blur", anytime=True),
        Node("mean", brightness, ("x",), "mean"),
        Node("draw", draw, ("blur", "mean", "point"), "picture"),
    )


@pytest.mark.parametrize(
    "nodes, message",
    [
        ([Node("e", estimate, ("x",), "y")], "display-encoded values expected.*is linear light"),
        (
            [Node("h", reduced, ("x",), "h"), Node("e", estimate, ("h",), "y")],
            "node 'e' reads 'h' as 'view': display-encoded values expected, but it is linear light",
        ),
        (
            [Node("v", view, ("x",), "v"), Node("e", estimate, ("v",), "y"),
             Node("m", brightness, ("x",), "m"), Node("d", draw, ("y", "m", "point"), "p")],
            "dense blur map expected, but it is sparse blur data",
        ),
        (
            [Node("m", brightness, ("x",), "m"), Node("v", view, ("m",), "v")],
            "linear light expected, but it is float",
        ),
        (
            [Node("v", view, ("x",), "v", fallback=light)],
            "display-encoded values expected, but it is linear light",
        ),
    ],
)  # fmt: skip
def test_kinds_that_do_not_fit_are_refused_when_built(nodes, message):
    with pytest.raises(GraphError, match=message):
        wired(*nodes)


def test_a_map_of_unknown_kind_is_no_dense_map():
    def some_map(light: LinearLight) -> BlurMap: ...

    with pytest.raises(GraphError, match="dense blur map expected, but it is BlurMap"):
        wired(
            Node("s", some_map, ("x",), "s"),
            Node("m", brightness, ("x",), "m"),
            Node("d", draw, ("s", "m", "point"), "p"),
        )


def test_every_function_of_the_graphs_says_what_it_takes_and_gives():
    for graph in GRAPHS.values():
        for node in graph.nodes:
            for function in node.forms():
                hints = function.__annotations__
                assert "return" in hints and len(hints) > len(node.inputs), function.__name__


def test_encoding_twice_is_refused():
    """Swapping linear light for encoded values in a graph of ours is found when it is built."""
    default = PRESETS["default"].picture_graph
    swapped = [
        renamed([node], view="linear")[0] if node.name == "survey" else node
        for node in default.nodes
    ]
    with pytest.raises(GraphError, match="'survey' reads 'linear' as 'view'"):
        Graph("swapped", default.sources, tuple(swapped), default.outputs, default.hints)
