import pytest

from camerapipe.graph import Graph, GraphError, Node
from camerapipe.pipelines import GRAPHS, PRESETS


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
        assert f"{node.name}[{node.name}]" in graph.mermaid()


def test_presets_are_the_rows_that_the_paper_compares():
    assert set(PRESETS) == {"default", "paper", "direct"}
    assert "upsample" not in {node.name for node in PRESETS["direct"].picture_graph.nodes}
