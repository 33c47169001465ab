import cv2
import numpy as np
import pytest

from camerapipe.costs import Costs
from camerapipe.levels import DEFAULT_RUNG, LADDER
from camerapipe.live import LIVE, LIVE_CHECK, LIVE_SEE
from camerapipe.runner import Pace, run
from camerapipe.settings import resolve
from camerapipe.stream.rungs import ready_checks, ready_rungs
from camerapipe.synthetic import EPISODE, synthetic_frame
from stages.grid import Grid, lift
from stages.steady import Memory
from stages.tone import SRGB, linearise

SIZE = (360, 640)
WARM_UP = 8
NAMES = [rung.name for rung in LADDER]


def play(pictures, rung=DEFAULT_RUNG.name, memory=None, **values):
    """Values of every frame."""
    ready, check = rung_of(rung, **values), ready_checks(resolve())[0]
    frames = []
    for picture in pictures:
        sources = {
            "linear": linearise(picture), "optics": None, "focus_point": None, "curve": SRGB,
            "scribbles": (), "memory": memory, "headroom": False,
        }  # fmt: skip
        seen = sources | run_one(LIVE_SEE, sources, ready)
        now = ready.instead if ready.instead and seen["motion"].memory is None else ready
        frames.append(seen | run_one(LIVE_CHECK, seen, check) | run_one(now.picture, seen, now))
        memory = frames[-1]["next_memory"]
    return frames


def rung_of(name, **values):
    (rung,) = ready_rungs(resolve(values=values), only=name)
    return rung


def run_one(graph, sources, level):
    return run(graph, sources, level.params, Pace(megapixels=0.06, costs=Costs())).values


def pictures(scene, frames, size=SIZE):
    return [synthetic_frame(scene, k, size).picture for k in frames]


def dense(values, size=SIZE):
    return lift(values["blur"], Grid(size)).sigma


@pytest.fixture(scope="module")
def static():
    return play(pictures("static", range(6)))


@pytest.mark.parametrize("rung", NAMES)
def test_every_rung_makes_a_picture_a_map_a_verdict_and_a_memory(rung):
    values = play(pictures("static", range(2)), rung)[-1]
    assert values["picture"].shape == (*SIZE, 3) and values["picture"].dtype == np.uint8
    assert values["blur"].is_dense and np.isfinite(values["blur"].sigma).all()
    assert values["findings"][0].code in ("defocus_present", "defocus_weak")
    assert isinstance(values["next_memory"], Memory)


def test_what_is_in_focus_is_shown_to_the_code(static):
    truth = synthetic_frame("static", 5, SIZE)
    same = (static[-1]["picture"] == truth.picture).all(axis=2)
    flower = cv2.erode((truth.sigma < 0.6).astype(np.uint8), np.ones((5, 5))) > 0
    wall = cv2.erode((truth.sigma > 2).astype(np.uint8), np.ones((9, 9))) > 0
    assert same[flower].mean() > 0.8
    assert same[wall].mean() < 0.5


def test_a_frame_can_be_computed_again_alone(static, tmp_path):
    np.savez(tmp_path / "memory.npz", **static[4]["next_memory"].to_arrays())
    with np.load(tmp_path / "memory.npz") as arrays:
        memory = Memory.from_arrays(arrays)
    alone = play(pictures("static", [5]), memory=memory)[0]
    assert np.array_equal(alone["picture"], static[5]["picture"])
    for name, array in alone["next_memory"].to_arrays().items():
        assert np.array_equal(array, static[5]["next_memory"].to_arrays()[name]), name


def test_threads_do_not_change_a_bit(set_workers):
    moving = pictures("pan", range(12, 16))
    results, threads = [], cv2.getNumThreads()
    for count in (1, 3):
        set_workers(count)
        cv2.setNumThreads(count)
        results.append(play(moving)[-1])
    cv2.setNumThreads(threads)
    assert np.array_equal(results[0]["picture"], results[1]["picture"])
    one, three = (r["next_memory"].to_arrays() for r in results)
    assert all(np.array_equal(one[name], three[name]) for name in one)


def test_memory_calms_the_map():
    still = pictures("static", range(WARM_UP + 6))
    flicker = []
    for history_frames in (8.0, 0.0):
        frames = play(still, steady={"history_frames": history_frames})
        maps = [dense(values) for values in frames[WARM_UP:]]
        flicker.append(np.percentile(np.abs(np.diff(maps, axis=0)), 95))
    assert flicker[0] <= 0.5 * flicker[1]


def test_the_second_frame_has_the_map_of_the_first(static):
    maps = [dense(values) for values in static[:2]]
    assert np.percentile(np.abs(maps[1] - maps[0]), 95) < 0.12  # px; a third of that is noise


def test_a_step_of_the_focus_is_followed_within_three_frames():
    numbers = range(EPISODE - WARM_UP, EPISODE + 10)
    truth = [synthetic_frame("step", k, SIZE).sigma for k in numbers]
    frames = play(pictures("step", numbers))
    errors = [np.abs(dense(v) - t).mean() for v, t in zip(frames, truth, strict=True)][WARM_UP:]
    assert max(errors[3:]) <= 1.2 * np.median(errors[-3:])
    stale = np.abs(dense(frames[WARM_UP - 1]) - truth[-1]).mean()
    assert errors[3] < 0.5 * stale


def test_after_a_cut_nothing_is_left_of_the_scene_before():
    frames = play(pictures("cut", range(EPISODE - 4, EPISODE + 1)))
    fresh = play(pictures("cut", [EPISODE]))[0]
    assert frames[-2]["next_memory"].age.mean() > 3
    assert np.array_equal(frames[-1]["picture"], fresh["picture"])


def test_memory_carries_over_to_another_rung():
    still = pictures("static", range(WARM_UP))
    memory = play(still)[-1]["next_memory"]
    for rung in NAMES:
        values = play(pictures("static", [WARM_UP]), rung, memory=memory)[0]
        assert values["next_memory"].age.mean() > 2, rung


def test_without_light_there_is_a_picture_all_the_same():
    values = play([np.zeros((*SIZE, 3), np.uint8)] * 2)[-1]
    assert values["findings"][0].code == "too_dark_or_noisy"
    assert not values["picture"].any()


def test_a_focus_point_decides():
    rung = rung_of(DEFAULT_RUNG.name)
    sources = {
        "linear": linearise(pictures("step", [EPISODE])[0]), "curve": SRGB, "scribbles": (),
        "memory": None,
    }  # fmt: skip
    seen = sources | run_one(LIVE_SEE, sources, rung)
    zones = []
    for point in ((320, 160), (20, 20)):  # the flower is out of focus, the wall is not
        values = run_one(LIVE, seen | {"focus_point": point}, rung)
        zones.append(values["next_memory"].dead_zone)
    assert zones[0] > 1.5 * zones[1]


@pytest.mark.parametrize("rung", NAMES)
def test_frames_larger_than_the_view_come_out_at_their_size(rung):
    size = (96, 1700)
    values = play(pictures("static", [0], size), rung)[0]
    assert values["picture"].shape == (*size, 3)
