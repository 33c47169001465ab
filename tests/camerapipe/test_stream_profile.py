"""Device profiles, heat, and what a stage costs on a device."""

import math

import pytest

from camerapipe.costs import SETUP, STEP, Costs, live_guesses
from camerapipe.graph import Graph, Node
from camerapipe.levels import CHECK_LADDER, LADDER
from camerapipe.live import LIVE_CHECK, LIVE_SEE
from camerapipe.runner import Pace, run
from camerapipe.stream.device import Device
from camerapipe.stream.profile import (
    KINDS,
    PACKAGED,
    Heat,
    ProfileError,
    Thermal,
    profile_names,
    read_profile,
)
from camerapipe.stream.stream import DECODE, ENCODE, IO
from camerapipe.stream.virtual import VirtualClock
from stages.params import Estimate

THERMAL = Thermal(
    ambient_c=20, power_w=2, resistance_c_per_w=10, capacity_j_per_c=5,
    throttle_above_c=35, recover_below_c=30, throttled=2,
)  # fmt: skip


@pytest.mark.parametrize("name", profile_names())
def test_packaged_profiles_are_complete_and_say_that_they_are_guesses(name):
    profile = read_profile(name)
    assert profile.name == name and not profile.calibrated and "invented" in profile.source
    for kind in KINDS:
        low, high = profile.scale[kind]
        assert profile.scale_at(kind, 0) == pytest.approx(low)
        assert profile.scale_at(kind, 1) == pytest.approx(high)
        assert profile.scale_at(kind, 0.5) == pytest.approx(math.sqrt(low * high))
    heat = profile.thermal
    hottest_c = heat.ambient_c + heat.power_w * heat.resistance_c_per_w
    assert heat.ambient_c < heat.recover_below_c < heat.throttle_above_c < hottest_c


@pytest.mark.parametrize(
    ("line", "change", "told"),
    [
        ("fps = 30", "fps = -1", "sensor.fps: expected a number > 0"),
        ("fps = 30", "", "fps"),
        ("fps = 30", "fps = 30\nzoom = 2", "sensor.zoom does not exist"),
        ("decode = [2.0, 3.5]", "decode = [3.5, 2.0]", "cpu.scale.decode"),
        ("[sensor]", "[sensor", "is not TOML"),
    ],
)
def test_a_wrong_profile_says_what_is_wrong(tmp_path, line, change, told):
    text = (PACKAGED / "everyday-phone.toml").read_text()
    assert line in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(line, change))
    with pytest.raises(ProfileError, match="mine.toml") as error:
        read_profile(str(path))
    assert told in str(error.value)


def test_an_unknown_profile_names_those_that_exist():
    with pytest.raises(ProfileError, match="everyday-phone"):
        read_profile("no-phone")


def test_heat_follows_the_exact_solution_and_cools():
    heat = Heat(THERMAL)
    heat.work(30.0)
    expected_c = 40 - 20 * math.exp(-30 / 50)  # of dT/dt = P/C - (T - Ta)/RC
    assert heat.temperature_c == pytest.approx(expected_c)
    heat.slowdown(60.0)
    assert heat.temperature_c == pytest.approx(20 + (expected_c - 20) * math.exp(-30 / 50))


def test_throttling_has_hysteresis():
    heat = Heat(THERMAL)
    heat.work(200.0)
    assert heat.slowdown(200.0) == 2 and heat.temperature_c > 35
    cooled_s = 200.0
    while heat.slowdown(cooled_s) == 2:
        cooled_s += 1
    assert 29 < heat.temperature_c < 30


def test_every_stage_of_every_rung_has_a_reference_cost():
    for rung in LADDER:
        known = live_guesses(rung.name)
        for node in (*LIVE_SEE.nodes, *rung.graph.nodes):
            names = [f"{node.name}.{SETUP}", f"{node.name}.{STEP}"] if node.anytime else [node.name]
            assert set(names) <= set(known), f"run tools/reference_costs.py: {rung.name} {names}"
    for look in CHECK_LADDER:
        assert {node.name for node in LIVE_CHECK.nodes} == set(live_guesses(look.name))
    assert {DECODE, ENCODE} <= set(live_guesses(IO))


def test_costs_depend_on_seed_and_frame_and_not_on_the_order():
    def costs(order, seed=1):
        device = Device(read_profile("large-phone"), VirtualClock(), seed=seed, place=0.5)
        found = {}
        for seq in order:
            device.begin(seq, 1.0)
            before = device.clock()
            device.spend("draft", "edges")
            found[seq] = pytest.approx(device.clock() - before)
        return found

    assert costs([0, 1, 2]) == costs([2, 0, 1])
    assert costs([0]) != costs([0], seed=2)


def test_a_simulated_graph_gives_the_same_values_and_costs_the_model():
    def steps(x):
        for k in range(4):
            yield Estimate(x + k, 0.0, k == 3)

    graph = Graph(
        "toy", ("x",),
        (Node("edges", lambda x: 2 * x, ("x",), "y"),
         Node("propagate", steps, ("y",), "z", anytime=True)), ("z",),
    )  # fmt: skip
    profile = read_profile("everyday-phone")
    device = Device(profile, VirtualClock(), seed=0, place=0.0)
    device.begin(0, 2.0)
    from camerapipe.budget import Deadline

    done = run(
        device.simulate(graph, "draft"), {"x": 1}, {},
        Pace(megapixels=2.0, costs=Costs(), deadline=Deadline(None, device.clock)),
    )  # fmt: skip
    assert done.values["z"] == 5
    costs = live_guesses("draft")
    plain, anytime = done.stages
    low = profile.scale["stencil"][0]
    assert plain.used_ms == pytest.approx(2 * costs["edges"] * low, rel=0.3)  # jitter of 5 %
    setup_ms = 2 * costs["propagate.setup"] * profile.scale["solve"][0]
    assert anytime.setup_ms == pytest.approx(setup_ms, rel=0.3)
    assert sum(row.used_ms for row in done.stages) == pytest.approx(1000 * device.clock())
