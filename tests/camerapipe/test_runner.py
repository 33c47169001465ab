from dataclasses import dataclass

import numpy as np
import pytest

from camerapipe.budget import Budget, Deadline
from camerapipe.costs import Costs
from camerapipe.graph import Graph, Node
from camerapipe.memo import Memo
from camerapipe.report import Caveat
from camerapipe.runner import Kept, Pace, run, watched
from stages.params import Estimate, Params, param


class World:
    """A clock and stages that take a known time on it."""

    def __init__(self):
        self.now_s = 0.0

    def clock(self):
        return self.now_s

    def spend(self, ms):
        self.now_s += ms / 1000

    def plain(self, ms):
        def stage(value):
            self.spend(ms)
            return value + 1

        return stage

    def refine(self, value):
        for index in range(50):
            self.spend(10)
            yield Estimate(value + index, 50.0 - index, index == 49)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleParams(Params):
    factor: int = param(3, 1, 9, help="factor")


def scale(value, params):
    return value * params.factor


def run_graph(world, nodes, outputs, budget=Budget(), costs=None, guesses=(), x=1, **more):
    pace = Pace(
        megapixels=1.0,
        costs=costs or Costs(),
        guesses=dict(guesses),
        budget=budget,
        deadline=Deadline.after(budget.total_ms, world.clock)
        if budget.total_ms
        else Deadline(clock=world.clock),
    )
    graph = Graph("g", ("x",), tuple(nodes), outputs)
    return run(graph, {"x": x}, {ScaleParams: ScaleParams(factor=4)}, pace, **more)


def test_values_flow_and_are_released_after_their_last_reader():
    world = World()
    nodes = [
        Node("a", world.plain(5), ("x",), "y"),
        Node("scale", scale, ("y",), "z", ScaleParams),
    ]
    done = run_graph(world, nodes, ("z",))
    assert done.values == {"z": 8}
    assert [row.name for row in done.stages] == ["a", "scale"]
    assert done.stages[0].used_ms == pytest.approx(5)
    assert done.stages[1].params == {"factor": 4}
    assert run_graph(world, nodes, ("z",), keep=["y"]).values == {"y": 2, "z": 8}


def test_an_array_is_overwritten_only_where_nothing_else_needs_it():
    def double(value, out=None):
        return np.multiply(value, 2, out=out)

    def nodes(make):
        return [
            Node("make", make, ("x",), "y"),
            Node("double", double, ("y",), "z", overwrites="y"),
        ]

    made: list[np.ndarray] = []

    def make(value):
        made.append(np.full(3, value))
        return made[-1]

    assert run_graph(World(), nodes(make), ("z",)).values["z"] is made[-1]
    for needed in ({"outputs": ("y", "z")}, {"outputs": ("z",), "keep": ["y"]}):
        values = run_graph(World(), nodes(make), **needed).values
        assert (values["y"] == 1).all() and (values["z"] == 2).all()
    source = np.ones(3)
    shared = [*nodes(lambda x: x[:]), Node("add", np.add, ("x", "z"), "sum")]
    assert (run_graph(World(), shared, ("sum",), x=source).values["sum"] == 3).all()
    read_only = np.broadcast_to(1, 3)
    assert (run_graph(World(), nodes(lambda x: read_only), ("z",)).values["z"] == 2).all()


def test_plain_nodes_are_paid_before_an_anytime_node():
    world = World()
    nodes = [
        Node("refine", world.refine, ("x",), "y", anytime=True),
        Node("late", world.plain(60), ("y",), "z"),
    ]
    done = run_graph(world, nodes, ("z",), Budget(200), guesses={"late": 60})
    refine, late = done.stages
    assert refine.granted_ms == pytest.approx(140)
    assert refine.used_ms <= 140
    assert refine.caveats == Caveat.UNFINISHED
    assert late.caveats == Caveat.NONE
    assert world.now_s <= 0.200


def test_an_early_finisher_passes_its_time_on():
    world = World()
    nodes = [
        Node("quick", world.plain(1), ("x",), "y"),
        Node("refine", world.refine, ("y",), "z", anytime=True),
    ]
    done = run_graph(world, nodes, ("z",), Budget(600), guesses={"quick": 100})
    assert done.stages[1].caveats == Caveat.NONE


def test_a_fallback_runs_where_the_full_form_would_not_fit():
    world = World()
    node = Node("blur", world.plain(80), ("x",), "y", fallback=world.plain(10))
    after = Node("after", world.plain(30), ("y",), "z")
    guesses = {"blur": 80, "blur.fallback": 10, "after": 30}
    tight = run_graph(world, [node, after], ("z",), Budget(100), guesses=guesses).stages[0]
    assert tight.caveats == Caveat.FALLBACK and tight.used_ms == pytest.approx(10)
    roomy = run_graph(world, [node, after], ("z",), Budget(150), guesses=guesses).stages[0]
    assert roomy.caveats == Caveat.NONE


def test_being_late_is_a_caveat():
    world = World()
    nodes = [Node("slow", world.plain(500), ("x",), "y"), Node("a", world.plain(1), ("y",), "z")]
    done = run_graph(world, nodes, ("z",), Budget(100))
    assert done.values["z"] == 3
    assert [Caveat.OVERRUN in row.caveats for row in done.stages] == [True, False]
    assert [row.granted_ms for row in done.stages] == [pytest.approx(100), 0]


QUICK = {"blur": 10, "blur.fallback": 5}


def test_costs_are_learnt():
    world, costs = World(), Costs()
    slow = Node("blur", world.plain(300), ("x",), "y", fallback=world.plain(5))
    first, second = (
        run_graph(world, [slow], ("y",), Budget(100), costs, QUICK).stages[0] for _ in range(2)
    )
    assert first.caveats == Caveat.OVERRUN
    assert second.caveats == Caveat.FALLBACK


def test_a_full_form_that_was_slow_once_comes_back():
    world, costs = World(), Costs()
    times = iter([400.0] + [10.0] * 50)
    node = Node(
        "blur", lambda value: world.plain(next(times))(value), ("x",), "y",
        fallback=world.plain(5),
    )  # fmt: skip
    runs = [run_graph(world, [node], ("y",), Budget(100), costs, QUICK) for _ in range(40)]
    caveats = [done.stages[0].caveats for done in runs]
    assert caveats[1] == Caveat.FALLBACK and caveats[-1] == Caveat.NONE


def coarse_first(world, full_ms):
    """A node with steps: 10 ms for the coarse form, ten steps for the full one."""

    def steps(value):
        world.spend(10)
        yield Estimate(-1, 1.0, done=False)
        for index in range(10):
            world.spend(full_ms / 10)
            yield Estimate(value + 1 if index == 9 else -1, 0.0, done=index == 9)

    def coarse(value):
        world.spend(10)
        return -1

    return Node("blur", world.plain(full_ms), ("x",), "y", fallback=coarse, steps=steps)


STEPPED = {"blur": 100, "blur.fallback": 10}


@pytest.mark.parametrize(
    ("budget_ms", "value", "used_ms", "steps", "caveats"),
    [
        (250, 2, 100, 0, Caveat.NONE),  # sure to fit: no time is lost on the coarse form
        (150, 2, 110, 11, Caveat.NONE),
        (90, -1, 10, 0, Caveat.FALLBACK),  # not begun, and its time is passed on
    ],
)
def test_coarse_first_then_full_detail(budget_ms, value, used_ms, steps, caveats):
    world = World()
    done = run_graph(world, [coarse_first(world, 100)], ("y",), Budget(budget_ms), None, STEPPED)
    row = done.stages[0]
    assert (done.values["y"], row.steps, row.caveats) == (value, steps, caveats)
    assert row.used_ms == pytest.approx(used_ms)


def test_full_detail_that_takes_longer_than_expected_is_given_up_in_time():
    world, costs = World(), Costs()
    node = coarse_first(world, 300)
    done = run_graph(world, [node], ("y",), Budget(150), costs, STEPPED)
    row = done.stages[0]
    assert done.values["y"] == -1 and row.caveats == Caveat.UNFINISHED
    assert row.used_ms <= 150
    again = run_graph(world, [node], ("y",), Budget(150), costs, STEPPED).stages[0]
    assert again.caveats == Caveat.FALLBACK and again.used_ms == pytest.approx(10)


def test_steps_tell_what_both_forms_cost():
    world, costs = World(), Costs()
    node = coarse_first(world, 120)
    run_graph(world, [node], ("y",), Budget(180), costs, STEPPED)
    assert costs.full(node, None, 1.0, STEPPED) == pytest.approx(120)
    assert costs.least(node, None, 1.0, STEPPED) == pytest.approx(10)


def steps_of_one(world, *, done, ms):
    """A node with steps whose first takes `ms`, and is all there is if `done`."""

    def steps(value):
        world.spend(ms)
        yield Estimate(-1, 0.0, done=done)
        yield Estimate(value + 1, 0.0, done=True)

    return Node("blur", world.plain(100), ("x",), "y", fallback=world.plain(10), steps=steps)


def test_a_first_step_that_is_all_of_it_tells_what_the_full_form_costs():
    world, costs = World(), Costs()
    node = steps_of_one(world, done=True, ms=120)
    run_graph(world, [node], ("y",), Budget(150), costs, STEPPED)
    assert costs.full(node, None, 1.0, STEPPED) == pytest.approx(120)
    assert costs.least(node, None, 1.0, STEPPED) == 10


def test_a_full_form_that_was_not_begun_tells_nothing():
    world, costs = World(), Costs()
    node = steps_of_one(world, done=False, ms=160)
    row = run_graph(world, [node], ("y",), Budget(150), costs, STEPPED).stages[0]
    assert row.steps == 1 and Caveat.UNFINISHED in row.caveats
    assert costs.full(node, None, 1.0, STEPPED) == 100
    assert costs.least(node, None, 1.0, STEPPED) == pytest.approx(160)


def test_what_a_small_frame_took_says_nothing_of_a_large_one():
    world, costs = World(), Costs()
    node, guesses = Node("a", world.plain(40), ("x",), "y"), {"a": 10}
    costs.learn(node, None, 0.001, guesses, fallback=False, ms=40)
    assert costs.full(node, None, 2.0, guesses) == 20
    assert costs.full(node, None, 0.001, guesses) == pytest.approx(40)


def test_a_stage_budget_holds_without_a_total():
    world = World()
    nodes = [Node("refine", world.refine, ("x",), "y", anytime=True)]
    row = run_graph(world, nodes, ("y",), Budget(None, {"refine": 95.0})).stages[0]
    assert row.granted_ms == 95 and row.used_ms <= 95 and row.caveats == Caveat.UNFINISHED


def test_an_error_names_its_stage():
    def broken(value):
        raise ValueError("no")

    with pytest.raises(ValueError) as caught:
        run_graph(World(), [Node("broken", broken, ("x",), "y")], ("y",))
    assert caught.value.__notes__ == ["in stage 'broken' of graph 'g'"]


def test_a_missing_source_is_named():
    with pytest.raises(ValueError, match="source 'x' is not given"):
        run(Graph("g", ("x",), (Node("a", scale, ("x",), "y", ScaleParams),), ("y",)), {}, {},
            Pace(megapixels=1.0, costs=Costs()))  # fmt: skip


def kept(memo, x):
    return {"kept": Kept(memo=memo, versions={"x": x}), "x": x}


def counted(calls, name, function):
    def stage(*arguments):
        calls.append(name)
        return function(*arguments)

    return stage


def test_only_what_depends_on_a_change_runs_again():
    world, memo, calls = World(), Memo(1e6), []
    nodes = [
        Node("a", counted(calls, "a", lambda x: np.full(3, x % 10)), ("x",), "y"),
        Node("b", counted(calls, "b", lambda y: y + 1), ("y",), "z"),
        Node("c", counted(calls, "c", scale), ("z",), "w", ScaleParams),
    ]
    first = run_graph(world, nodes, ("w",), **kept(memo, 1))
    again = run_graph(world, nodes, ("w",), **kept(memo, 1))
    assert calls == ["a", "b", "c"] and again.stages == []
    np.testing.assert_array_equal(first.values["w"], again.values["w"])
    run_graph(world, nodes, ("w",), **kept(memo, 2))
    assert calls == ["a", "b", "c"] * 2
    run_graph(world, nodes[:2], ("z",), **kept(memo, 2))  # another graph of the same stages
    assert len(calls) == 6


def test_an_evicted_value_is_computed_again_only_where_it_is_read():
    world, calls = World(), []
    nodes = [
        Node("large", counted(calls, "large", lambda x: np.zeros(1000)), ("x",), "y"),
        Node("small", counted(calls, "small", lambda y: y[:1] + 1), ("y",), "z"),
    ]
    memo = Memo(limit_bytes=1000)
    run_graph(world, nodes, ("z",), **kept(memo, 1))
    assert memo.size_bytes == 8  # the large value does not fit
    run_graph(world, nodes, ("z",), **kept(memo, 1))
    assert calls == ["large", "small"]
    run_graph(world, nodes, ("y", "z"), **kept(memo, 1))
    assert calls == ["large", "small", "large"]


def test_what_was_given_up_for_time_is_not_kept():
    world, memo = World(), Memo(1e6)
    node = Node("refine", world.refine, ("x",), "y", anytime=True)
    done = run_graph(world, [node], ("y",), Budget(100), **kept(memo, 1))
    assert done.stages[0].caveats == Caveat.UNFINISHED
    assert run_graph(world, [node], ("y",), **kept(memo, 1)).stages[0].caveats == Caveat.NONE
    assert run_graph(world, [node], ("y",), **kept(memo, 1)).stages == []


def test_a_watcher_sees_every_stage_and_can_end_the_run():
    world, seen = World(), []
    nodes = [
        Node("a", world.plain(5), ("x",), "y"),
        Node("scale", scale, ("y",), "z", ScaleParams),
    ]
    with watched(lambda *stage: seen.append(stage)):
        run_graph(world, nodes, ("z",))
    assert seen == [("a", 0, 2), ("scale", 1, 2)]

    def refuse(name, number, count):
        if number == 1:
            raise InterruptedError(name)

    with pytest.raises(InterruptedError, match="scale"), watched(refuse):
        run_graph(world, nodes, ("z",))
    assert run_graph(world, nodes, ("z",)).values == {"z": 8}  # outside, nobody watches
