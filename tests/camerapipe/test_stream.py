"""A stream from its source to its sink: accounts, budgets, virtual time."""

import os
import resource
import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest

import camerapipe
from camerapipe.budget import Budget
from camerapipe.errors import CaptureError, OutputError, RequestError
from camerapipe.levels import LADDER
from camerapipe.settings import resolve
from camerapipe.stream.account import TimeHistogram
from camerapipe.stream.opencv_writer import opencv_writer
from camerapipe.stream.options import StreamOptions
from camerapipe.stream.profile import read_profile
from camerapipe.stream.record import digest
from camerapipe.stream.rungs import ready_rungs
from camerapipe.stream.sinks import App, Nowhere, Pictures
from camerapipe.stream.sources import app_source, open_source
from camerapipe.stream.stream import Stream
from camerapipe.stream.video_sink import Video
from camerapipe.synthetic import synthetic_frame
from camerapipe.timeline.reading import read_trace
from stages.advice import advice_of
from stages.propagate import PropagateParams

SIZE = (240, 136)
PLAIN = StreamOptions(settings=resolve(), force=True, frames=6)


def scene(name="pan", fps=300, **kwargs):
    return open_source(f"synthetic:{name}", size=SIZE, fps=fps, **kwargs)


def simulated(**changes):
    profile = read_profile("budget-phone")
    budget = Budget(total_ms=40.0)
    return replace(PLAIN, profile=profile, budget=budget, policy="latest", **changes)


def shown_by(options, name="pan"):
    shown, events = [], []
    source = scene(name, paced=options.policy == "latest")
    report = Stream(source, App(shown.append), options, [lambda e, _: events.append(e)]).run()
    return report, shown, events


def test_every_frame_is_shown_in_order_with_its_findings_and_advice():
    report, shown, _ = shown_by(PLAIN)
    assert report.done == report.submitted == 6 and report.mode == "measured"
    assert [s.frame.seq for s in shown] == list(range(6))
    for one in shown:
        assert one.image.shape == (SIZE[1], SIZE[0], 3)
        assert one.findings and one.advice.text and one.blur_map is not None
    assert [s.before.memory is None for s in shown] == [True] + 5 * [False]


def test_blocking_findings_show_the_frame_untouched(tmp_path):
    for k in range(3):
        cv2.imwrite(str(tmp_path / f"{k}.png"), np.full((136, 240, 3), 40 + k, np.uint8))
    shown = []
    options = replace(PLAIN, force=False)
    report = Stream(open_source(str(tmp_path), paced=False), App(shown.append), options).run()
    assert len(shown) == 3 and report.rungs == {"pass-through": 3}
    for one in shown:
        assert one.blocked and one.label == "pass-through" and one.blur_map is None
        assert one.image.dtype == np.uint8
        assert np.array_equal(one.image, np.full((136, 240, 3), 40 + one.frame.seq))


def test_one_unreadable_file_fails_alone(tmp_path):
    for k in range(3):
        cv2.imwrite(str(tmp_path / f"{k}.jpg"), synthetic_frame("pan", k, SIZE[::-1]).picture)
    (tmp_path / "1.jpg").write_bytes(b"no picture")
    report = Stream(open_source(str(tmp_path), paced=False), Nowhere(), PLAIN).run()
    assert (report.done, report.failed) == (2, 1)
    assert "1.jpg" in report.failures[0]


def test_virtual_time_tells_the_same_story_and_never_reads_the_clock(monkeypatch):
    import time

    def told(seed):
        report, shown, events = shown_by(simulated(seed=seed))
        fates = [(e.seq, e.fate, e.ended_s) for e in events if hasattr(e, "fate")]
        grants = [[row.granted_ms for row in s.stages] for s in shown]
        return report, fates, grants, [digest(s) for s in shown]

    first = told(1)
    with pytest.raises(pytest.fail.Exception), monkeypatch.context() as patched:
        patched.setattr(time, "perf_counter", lambda: pytest.fail("it would be noticed"))
        shown_by(PLAIN)
    for clock in ("perf_counter", "time", "monotonic", "process_time"):
        monkeypatch.setattr(time, clock, lambda: pytest.fail("a clock was read"))
    assert told(1) == first
    assert first[0].mode == "simulated" and first[0].dropped > 0
    assert told(2)[1] != first[1]


def test_a_faster_device_shows_more():
    slow, fast = (
        shown_by(simulated(place=place, frames=30, rung="carry"))[0] for place in (1.0, 0.0)
    )
    assert fast.done > slow.done and slow.submitted == fast.submitted == 30


def test_budgets_choose_the_rung_before_the_frame_starts():
    options = simulated(frames=12)
    rungs = [rung.name for rung in ready_rungs(options.settings)]
    best = []
    for budget_ms in (2.0, 20.0, 1000.0):
        report, shown, _ = shown_by(replace(options, budget=Budget(total_ms=budget_ms)), "static")
        best.append(min(rungs.index(s.rung) for s in shown[1:]))  # the first has nothing to carry
    assert best[0] == len(rungs) - 1 and best[2] == 0 and best == sorted(best, reverse=True)
    assert report.within_budget == 1.0


def test_a_rung_that_does_not_exist_is_refused():
    with pytest.raises(RequestError, match="preview"):
        Stream(scene(), Nowhere(), replace(PLAIN, rung="luxury"))


def test_a_trace_accounts_for_every_frame(tmp_path):
    path, options = tmp_path / "trace.json", simulated(frames=20)
    source = scene()
    report = Stream(source, Nowhere(), options, trace=path).run()
    trace = read_trace(path)
    assert len(trace.frames) == report.submitted == 20
    assert sum(frame.fate == "dropped" for frame in trace.frames) == report.dropped > 0
    assert trace.header.mode == "simulated" and not trace.header.calibrated


def test_pictures_and_videos_are_whole_or_absent(tmp_path):
    Stream(scene(paced=False), Pictures(tmp_path / "out", "both", overwrite=False), PLAIN).run()
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"pan_{k:06d}.jpg" for k in range(6)]
    assert cv2.imread(str(tmp_path / "out" / names[0])).shape == (SIZE[1], 2 * SIZE[0], 3)
    film = tmp_path / "film.mp4"
    Stream(scene(paced=False), Video(film, "picture", 300, overwrite=False), PLAIN).run()
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".mp4"] == ["film.mp4"]
    video = cv2.VideoCapture(str(film))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 6
    video.release()
    with pytest.raises(OutputError, match="exists"):
        Video(film, "picture", 300, overwrite=False)


def test_an_app_that_raises_fails_its_frame_only():
    def app(shown):
        if shown.frame.seq == 2:
            raise RuntimeError("the app stumbled")

    report = Stream(scene(paced=False), App(app), PLAIN).run()
    assert (report.done, report.failed) == (5, 1) and "stumbled" in report.failures[0]


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ("synthetic:nothing", RequestError, "pull"),
        ("no/such/place", CaptureError, "does not exist"),
    ],
)
def test_a_source_that_is_not_there_says_what_is_expected(text, error, told):
    with pytest.raises(error, match=told):
        open_source(text)


def test_a_file_that_is_no_video_and_an_empty_folder_are_refused(tmp_path):
    with pytest.raises(CaptureError, match="no pictures"):
        open_source(str(tmp_path))
    (tmp_path / "a.mp4").write_bytes(b"nothing")
    with pytest.raises(CaptureError, match="not a video"):
        open_source(str(tmp_path / "a.mp4"))


def test_frames_that_do_not_fit_the_memory_fail_at_the_door():
    report = Stream(scene(paced=False), Nowhere(), replace(PLAIN, max_bytes=1e5)).run()
    assert report.failed == 6 and "MB" in report.failures[0]


def test_percentiles_are_exact_to_a_percent():
    spread, values = TimeHistogram(), np.random.default_rng(1).lognormal(3, 1, 2000)
    for value in values:
        spread.add(float(value))
    for percent in (5, 50, 95, 99):
        assert spread.percentile(percent) == pytest.approx(np.percentile(values, percent), rel=0.03)
    assert TimeHistogram().percentile(50) is None


def params_of(rung):
    return {kind.stage(): values for kind, values in rung.params.items()}


@pytest.mark.parametrize("iterations", [7, PropagateParams().iterations])
def test_what_a_person_sets_stays_on_every_rung_even_if_it_is_the_default(iterations):
    rungs = ready_rungs(resolve(overrides=[f"propagate.iterations={iterations}"]))
    assert {params_of(rung)["propagate"].iterations for rung in rungs} == {iterations}
    estimating = [rung for rung in rungs if rung.instead is None]
    assert len({(rung.picture.name, str(rung.params)) for rung in estimating}) == len(rungs) - 1


def test_what_nobody_sets_is_as_the_rungs_declare_it(tmp_path):
    for ready, declared in zip(ready_rungs(resolve()), LADDER, strict=True):
        for section, changes in declared.params.items():
            for key, value in changes.items():
                assert getattr(params_of(ready)[section], key) == value
    config = tmp_path / "mine.toml"
    config.write_text("[propagate]\niterations = 9\n")
    rungs = ready_rungs(resolve(config=config))
    assert {params_of(rung)["propagate"].iterations for rung in rungs} == {9}


@pytest.mark.parametrize("preset", ["paper", "direct"])
def test_a_preset_without_live_graphs_is_refused_with_what_to_do(preset):
    with pytest.raises(RequestError, match=f"{preset!r} is for photographs only.*choose 'default'"):
        camerapipe.open_stream("synthetic:pan", preset=preset)


def test_two_files_of_one_name_become_two_pictures_and_no_original_is_touched(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for suffix, k in ((".jpg", 0), (".png", 1)):
        cv2.imwrite(str(folder / f"a{suffix}"), synthetic_frame("pan", k, SIZE[::-1]).picture)
    before = (folder / "a.jpg").read_bytes()
    reports = [
        Stream(
            open_source(str(folder), paced=False), Pictures(to, "picture", overwrite=True), PLAIN
        ).run()
        for to in (out, folder)
    ]
    assert sorted(path.name for path in out.iterdir()) == ["a-2.jpg", "a.jpg"]
    assert reports[1].failed == 1 and "is the input itself" in reports[1].failures[0]
    assert (folder / "a.jpg").read_bytes() == before


def test_a_delivery_that_is_stuck_is_not_joined_by_another():
    free, inside = threading.Event(), []

    def app(shown):
        inside.append(shown.frame.seq)
        assert free.wait(60)

    options = replace(PLAIN, frames=3, stuck_s=1.0, rung="carry")
    stream = Stream(scene(paced=False), App(app), options)
    with pytest.raises(OutputError, match="stuck"):
        stream.run()
    assert inside == [0]
    free.set()


def test_what_cannot_be_is_refused_before_it_starts(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((32, 32, 3), np.uint8))
    with pytest.raises(RequestError, match="fps"):
        open_source(str(tmp_path), paced=True)
    with pytest.raises(RequestError, match="size"):
        open_source("synthetic:pan", size=(0, 10))
    with pytest.raises(RequestError, match="no stage 'nosuch'"):
        Stream(scene(), Nowhere(), replace(PLAIN, budget=Budget(stages_ms={"nosuch": 5.0})))
    with pytest.raises(RequestError, match="policy"):
        camerapipe.open_stream("synthetic:pan", policy="lastest")


def test_a_camera_is_free_again_after_the_run(tmp_path):
    path = tmp_path / "a.mp4"
    Stream(scene(paced=False), Video(path, "picture", 30, overwrite=False), PLAIN).run()
    closed = []
    source = open_source(str(path), paced=False)
    released = source.close
    Stream(replace(source, close=lambda: (released(), closed.append(True))), Nowhere(), PLAIN).run()
    assert closed == [True]


def test_nobody_is_sent_closer_than_the_lens_can_focus():
    profile = read_profile("large-phone")
    near = replace(profile, lens=replace(profile.lens, nearest_focus_m=9.0))
    options = replace(simulated(), profile=near, rung="good", frames=1)
    rng, sharp, shown = np.random.default_rng(2), np.full((480, 640, 3), 128, np.uint8), []
    for _ in range(600):
        centre = tuple(int(v) for v in rng.integers(0, (640, 480)))
        colour = tuple(float(v) for v in rng.integers(20, 236, 3))
        cv2.circle(sharp, centre, int(rng.integers(4, 30)), colour, -1, cv2.LINE_AA)
    Stream(app_source([sharp], 30), App(shown.append), options).run()
    assert shown[0].findings[0].code == "everything_in_focus"
    assert shown[0].advice.text == "move closer than 9 m"


def film_of(path, frames, fps=30):
    """Write frames, (code of its grey, time) each, by OpenCV; give the greys that it shows."""
    with opencv_writer(path, path.name, (240, 136), fps) as writer:
        for grey, at_s in frames:
            writer.write(np.full((136, 240, 3), grey, np.uint8), at_s)
    reader, greys = cv2.VideoCapture(str(path)), []
    while (read := reader.read())[0]:
        greys.append(round(float(read[1].mean()) / 10) * 10)
    reader.release()
    return greys


def test_a_video_of_a_fixed_rate_shows_every_frame_at_its_time(tmp_path):
    path = tmp_path / "film.mp4"
    dropped = [(20, 0.0), (80, 1 / 30), (140, 4 / 30), (200, 5 / 30)]
    assert film_of(path, dropped) == [20, 80, 80, 80, 140, 200]
    jitter = [(20, 0.0), (80, 0.6 / 30), (140, 1.4 / 30), (200, 3 / 30)]
    assert film_of(path, jitter) == [20, 80, 140, 200]
    fast = [(20 + 10 * k, k / 120) for k in range(13)]  # four times as many as fit
    assert len(film_of(path, fast)) in (4, 5, 6)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits as on POSIX")
@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_a_video_that_does_not_fit_the_disk_is_said_and_leaves_nothing(tmp_path, suffix):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))  # files cannot become larger
    try:
        options = replace(PLAIN, frames=40, rung="draft")
        sink = Video(tmp_path / f"film{suffix}", "picture", 300, overwrite=False)
        with pytest.raises(OutputError, match=f"film{suffix}: .*room on the disk"):
            Stream(scene(paced=False), sink, options).run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


def test_frames_of_a_live_source_know_when_they_came():
    pictures = [synthetic_frame("pan", k, SIZE[::-1]).picture for k in range(3)]
    shown = []
    Stream(app_source(pictures, None), App(shown.append), PLAIN).run()
    times = [one.frame.at_s for one in shown]
    assert times[0] == 0 and times == sorted(times)


def test_what_is_filmed_keeps_its_time_where_it_comes_as_there_is_room():
    _, shown, _ = shown_by(PLAIN)
    assert [one.frame.at_s for one in shown] == pytest.approx([k / 300 for k in range(6)])


def focus_sweep(folder, fps):
    """Advice of each picture, and what it would be by itself."""
    source = open_source(str(folder), fps=fps, paced=False)
    shown = []
    Stream(source, App(shown.append), replace(PLAIN, frames=10, rung="draft")).run()
    return [one.advice.code for one in shown], [advice_of(one.findings).code for one in shown]


def test_pictures_taken_one_by_one_are_advised_one_by_one(shared_data):
    told, alone = focus_sweep(shared_data / "sequence/focus_sweep_pcb", None)
    assert told == alone == 2 * ["refocus"] + 5 * ["shoot"] + 3 * ["refocus"]


def test_advice_is_held_for_a_time_of_the_film_however_long_that_takes_here(shared_data):
    told, _ = focus_sweep(shared_data / "sequence/focus_sweep_pcb", 5.0)
    assert told == 4 * ["refocus"] + 5 * ["shoot"] + ["refocus"]
    told, _ = focus_sweep(shared_data / "sequence/focus_sweep_pcb", 30.0)
    assert set(told) == {"refocus"}  # all of it takes 0.3 s
