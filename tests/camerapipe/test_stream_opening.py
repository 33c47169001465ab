"""Opening a stream: what an app may give, what is refused when, costs before the first frame."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import camerapipe
from camerapipe.budget import BudgetError
from camerapipe.errors import CaptureError, OutputError, RequestError
from camerapipe.ingest import capture_from_array
from camerapipe.ingest.folders import is_photograph
from camerapipe.levels import CHECK_LADDER, LADDER
from camerapipe.recipe import Recipe
from camerapipe.runtime import versions
from camerapipe.stream import opencv_source, sources
from camerapipe.stream.record import digest
from camerapipe.stream.rehearsal import BUDGET_TOO_SMALL
from camerapipe.stream.replay import Recording
from camerapipe.stream.sinks import Nowhere
from camerapipe.synthetic import synthetic_frame
from camerapipe.timeline.reading import read_trace
from stages.scribble import Scribble
from stages.strips import workers

SIZE = (240, 136)
PAN = "synthetic:pan"
PHONE = {"profile": "large-phone", "size": SIZE, "force": True}


def pictures(count=3):
    return [synthetic_frame("pan", k, SIZE[::-1]).picture for k in range(count)]


def shown_by(source, **options):
    shown = []
    options = {"rung": "draft", "force": True} | options
    report = camerapipe.open_stream(source, shown.append, **options).run()
    return report, shown


def test_a_bug_of_the_app_fails_its_frames_and_says_where(caplog):
    def on_frame(shown):
        raise KeyError("picture")

    report = camerapipe.open_stream(pictures(2), on_frame, rung="draft", force=True).run()
    assert (report.failed, report.done, report.ended) == (2, 0, "complete")
    assert (
        "write: KeyError: 'picture' (in on_frame: test_stream_opening.py, line"
        in (report.failures[0])
    )
    (logged,) = caplog.records  # once, with the traceback
    assert logged.exc_info[0] is KeyError and logged.name.startswith("camerapipe")


class FakeVideo:
    """A camera with two frames, or none if it cannot be opened."""

    def __init__(self, address):
        self.address, self.left, self.released = address, 2, False

    def isOpened(self):  # noqa: N802 - as OpenCV calls it
        return self.address == 0

    def get(self, prop):
        return {cv2.CAP_PROP_FRAME_WIDTH: SIZE[0], cv2.CAP_PROP_FRAME_HEIGHT: SIZE[1]}.get(prop, 30)

    def set(self, prop, value):
        return True

    def read(self):
        self.left -= 1
        return self.left >= 0, pictures(1)[0]

    def release(self):
        self.released = True


def test_a_number_is_the_index_of_a_camera_and_the_newest_frame_wins(monkeypatch):
    monkeypatch.setattr(opencv_source.cv2, "VideoCapture", FakeVideo)
    stream = camerapipe.open_stream(0, frames=2, force=True, rung="draft")
    assert stream.source.kind == "camera" and stream.options.policy == "latest"
    assert stream.run().submitted == 2
    with pytest.raises(CaptureError, match="camera 1 cannot be opened"):
        camerapipe.open_stream(1)
    with pytest.raises(RequestError, match="index of a camera, from 0; got -1"):
        camerapipe.open_stream(-1)
    with pytest.raises(RequestError, match="expected a path, the index of a camera.*got True"):
        camerapipe.open_stream(True)


def test_a_number_as_budget_is_seconds():
    for budget in (0.066, "66ms", ["1s", "66ms"]):
        stream = camerapipe.open_stream(PAN, budget=budget)
        assert stream.options.budget.total_ms == pytest.approx(66)
        stream.close()
    for wrong in (0, -1.0, float("nan"), float("inf"), True):
        with pytest.raises(BudgetError, match="expected seconds above 0"):
            camerapipe.open_stream(PAN, budget=wrong)


def test_what_is_no_picture_fails_as_a_frame_with_clear_words():
    good = pictures(1)[0]
    report, shown = shown_by([good, None, "frame", np.zeros(5, np.uint8), good])
    assert (report.done, report.failed, len(shown)) == (2, 3, 2)
    told = "\n".join(report.failures)
    assert "frame_000001: expected a picture as an array HxW or HxWx3; got None" in told
    assert (
        "frame_000002: expected a picture as an array HxW or HxWx3; got a value of type str" in told
    )
    assert "frame_000003: expected HxW" in told


def test_one_picture_is_no_stream():
    with pytest.raises(RequestError, match=r"one array of shape \(136, 240, 3\).*give a list"):
        camerapipe.open_stream(pictures(1)[0])
    assert shown_by(np.stack(pictures(2)))[0].done == 2


def test_two_dimensional_codes_of_16_bits_are_read_as_grey():
    grey = cv2.cvtColor(pictures(1)[0], cv2.COLOR_RGB2GRAY).astype(np.uint16) * 257
    report, (one,) = shown_by([grey])
    assert report.done == 1
    capture = one.frame.capture
    assert capture.grey and capture.bit_depth == 16
    assert np.array_equal(capture.linear, capture_from_array(grey, "srgb").linear)
    assert one.image.shape == (*grey.shape, 3) and np.ptp(one.image, axis=2).max() <= 1


def test_a_buffer_that_an_app_reuses_is_copied():
    def reusing():
        buffer = np.empty((*SIZE[::-1], 3), np.uint8)
        for picture in pictures(6):
            buffer[:] = picture
            yield buffer

    _, reused = shown_by(reusing(), in_flight=4)
    _, separate = shown_by(pictures(6), in_flight=4)
    assert [digest(one) for one in reused] == [digest(one) for one in separate]


@pytest.mark.parametrize("force", [True, False])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_every_picture_that_is_delivered_has_one_dtype(force, dtype):
    scale = {np.uint8: 1, np.uint16: 257, np.float32: np.float32(1 / 255)}[dtype]
    flat = (np.full((*SIZE[::-1], 3), 90) * scale).astype(dtype)
    _, (one,) = shown_by([flat], force=force)
    assert one.blocked is not force
    assert one.image.dtype == np.uint8 and one.image.shape == flat.shape
    if one.blocked:
        assert (one.image == 90).all()


class Untouched:
    """Frames that nobody may take yet."""

    def __init__(self):
        self.taken, self.closed = 0, False

    def __iter__(self):
        for picture in pictures(2):
            self.taken += 1
            yield picture


def test_opening_takes_no_frame_and_compiles_nothing(monkeypatch):
    warmed, frames = [], Untouched()
    monkeypatch.setattr("camerapipe.stream.stream.warm_up", lambda: warmed.append(True))
    stream = camerapipe.open_stream(frames, budget=1.0, force=True, rung="draft")
    assert frames.taken == 0 and not warmed
    stream.prepare()
    assert frames.taken == 1 and warmed
    before = len(warmed)
    stream.prepare()
    assert frames.taken == 1 and len(warmed) == before
    report = stream.run()
    assert report.done == report.submitted == frames.taken == 2
    assert len(warmed) == before


def test_a_stream_runs_once():
    stream = camerapipe.open_stream(pictures(1), force=True, rung="draft")
    stream.run()
    with pytest.raises(RuntimeError, match="a stream runs once; open another one"):
        stream.run()


def test_a_stream_can_be_stopped_before_it_runs():
    stream = camerapipe.open_stream(pictures(3), force=True, rung="draft")
    stream.stop()
    report = stream.run()
    assert report.ended == "stopped" and report.done == 0


def test_costs_are_those_of_all_levels_in_order():
    stream = camerapipe.open_stream(PAN, **PHONE)
    costs = stream.measure_costs()
    stream.close()
    assert [level.name for level in costs.rungs] == [rung.name for rung in LADDER]
    assert [level.name for level in costs.checks] == [level.name for level in CHECK_LADDER]
    times = [level.ms for level in costs.rungs]
    assert times == sorted(times, reverse=True) and costs.checks[0].ms > costs.checks[1].ms
    assert (costs.width, costs.height, costs.simulated_on) == (*SIZE, "large-phone")
    assert costs.rungs[0].frames_per_second == pytest.approx(1000 / times[0])
    one = camerapipe.open_stream(PAN, rung="good", **PHONE).measure_costs()
    assert [level.name for level in one.rungs] == ["good"]
    assert one.rungs[0].ms == pytest.approx(times[2], rel=0.2)  # but for jitter and heat


def test_costs_are_what_frames_then_take():
    costs = camerapipe.open_stream(PAN, rung="good", **PHONE).measure_costs()
    _, shown = shown_by(PAN, frames=6, **PHONE | {"rung": "good"})
    map_ms = [one.spent_ms - one.check.used_ms for one in shown[1:]]
    assert np.median(map_ms) == pytest.approx(costs.rungs[0].ms, rel=0.1)


def test_a_budget_below_the_quickest_rung_says_so_before_the_first_frame():
    stream = camerapipe.open_stream(PAN, budget="1ms", frames=2, **PHONE)
    stream.prepare()
    (finding,) = stream.findings
    assert finding.code == BUDGET_TOO_SMALL and finding.limit == 1 and finding.value > 1
    assert "budget of 1 ms is below the quickest rung: 'carry' takes" in finding.message
    assert "240x136" in finding.message
    report = stream.run()
    assert report.done == 2 and report.findings == (finding,)
    assert report.to_dict()["findings"][0]["code"] == BUDGET_TOO_SMALL
    enough = camerapipe.open_stream(PAN, budget="1s", **PHONE)
    enough.prepare()
    assert enough.findings == ()


def test_places_outside_of_the_first_frame_are_refused_before_it_is_shown():
    outside = Scribble(((900.0, 10.0),), 4.0)
    for options, told in (
        ({"focus": (500.0, 10.0)}, "focus: expected a point within 240x136"),
        ({"scribbles": [outside]}, "stroke 1 lies outside"),
    ):
        _, shown = [], []
        stream = camerapipe.open_stream(PAN, shown.append, size=SIZE, force=True, **options)
        with pytest.raises(RequestError, match=told):
            stream.run()
        assert not shown


def test_scribbles_and_focus_reach_every_frame():
    sharp = Scribble(((120.0, 0.0), (120.0, 135.0)), 400.0, "sigma", 0.3)
    _, plain = shown_by(PAN, frames=2, size=SIZE)
    _, corrected = shown_by(PAN, frames=2, size=SIZE, scribbles=[sharp])
    for before, after in zip(plain, corrected, strict=True):
        assert after.blur_map.sigma.max() < 0.5 < before.blur_map.sigma.max()
    focused = camerapipe.open_stream(PAN, focus=(3.0, 4.0), size=SIZE)
    assert focused.options.request.focus_point == (3.0, 4.0)


def test_outputs_are_checked_before_anything_is_done(tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"")
    (tmp_path / "t.json").write_text("")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "pan_000000.jpg").write_bytes(b"")
    before = sorted(tmp_path.rglob("*"))
    for options, told in (
        ({"output": "film.mp4"}, "film.mp4: exists"),
        ({"output": "film.webm"}, "expected a folder, or a video"),
        ({"output": "t.json/out"}, "t.json is a file"),
        ({"output": "no/film.mp4"}, "the folder .* does not exist"),
        ({"output": "full"}, "pan_000000.jpg: exists"),
        ({"trace": "t.json"}, "t.json: exists"),
        ({"trace": "trace.txt"}, "cannot write '.txt' files"),
        ({"record": "full"}, "full: is not empty"),
        ({"record": "t.json"}, "t.json is a file"),
    ):
        options = {key: tmp_path / name for key, name in options.items()}
        with pytest.raises(OutputError, match=told):
            camerapipe.open_stream(PAN, **options)
    assert sorted(tmp_path.rglob("*")) == before
    camerapipe.open_stream(PAN, output=tmp_path / "full", overwrite=True)
    camerapipe.open_stream(PAN, output=tmp_path / "shots.2024")  # a date is no suffix
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_may_not_be_written_to_is_said_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("camerapipe.stream.sinks.os.access", lambda place, mode: False)
    for key in ("output", "record"):
        with pytest.raises(OutputError, match="may not be written to"):
            camerapipe.open_stream(PAN, **{key: tmp_path / "out"})


def test_the_source_is_closed_if_an_output_is_refused(monkeypatch):
    closed = []
    monkeypatch.setattr(opencv_source.cv2, "VideoCapture", FakeVideo)
    monkeypatch.setattr(FakeVideo, "release", lambda self: closed.append(self.address))
    with pytest.raises(OutputError):
        camerapipe.open_stream(0, output="film.webm")
    assert closed == [0]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"speed": "warp"}, "speed 'warp' does not exist"),
        ({"view": "maps"}, "view: expected one of picture, map, both"),
        ({"policy": "lastest"}, "policy: expected one of block, latest"),
        ({"in_flight": -1}, "in_flight: expected at least 1"),
        ({"rung": "prevew"}, "rung 'prevew' does not exist; did you mean 'preview'"),
        ({"budget": "preveiw=5ms"}, "a stream has no stage 'preveiw'; did you mean 'preview'"),
        ({"overrides": ["radius.strength"]}, "expected section.param=value"),
        ({"params": {"octaves": {"x": 1}}}, "'octaves' is a stage"),
        ({"workers": 0}, "workers: expected at least 1; got 0"),
        ({"recipe": Recipe(foreground=Path("m.png"))}, "foreground: a mask belongs to one photogr"),
        ({"recipe": Recipe(preset="paper")}, "preset 'paper' is for photographs only"),
        ({"recipe": Recipe(look="portrait")}, "look 'portrait' is for photographs only"),
        ({"recipe": "nowhere.toml"}, "nowhere.toml: cannot be read"),
    ],
)
def test_what_does_not_exist_is_named(tmp_path, options, told):
    with pytest.raises(RequestError, match=told):
        camerapipe.open_stream(PAN, output=tmp_path / "out", **options)


def recipe_of_size(scale):
    """Edits of a picture that is `scale` times as wide and high as the frames."""
    stroke = Scribble(((30.0, 40.0), (90.0, 60.0)), 12.0, "sharp").scaled((scale, scale))
    return Recipe(
        params={"radius": {"strength": 3.5}},
        size_px=(scale * SIZE[0], scale * SIZE[1]),
        focus_point=((120 + 0.5) * scale - 0.5, (68 + 0.5) * scale - 0.5),
        scribbles=(stroke,),
    )


@pytest.mark.parametrize("scale", [1, 3])
def test_a_recipe_is_fitted_to_the_frames_and_recorded(tmp_path, scale):
    recipe_of_size(scale).write(tmp_path / "edits.toml")
    frames = pictures(1)
    _, (edited,) = shown_by(frames, recipe=tmp_path / "edits.toml", record=tmp_path / "run")
    by_hand = recipe_of_size(1)
    _, (expected,) = shown_by(
        frames, params=by_hand.params, focus=by_hand.focus_point, scribbles=by_hand.scribbles
    )
    np.testing.assert_array_equal(edited.image, expected.image)
    assert np.any(edited.image != shown_by(frames)[1][0].image)
    recording = Recording.open(tmp_path / "run")
    assert recording.about["settings"]["recipe"]["changes"] == by_hand.params
    replayed = recording.replay(Nowhere(), versions=versions())
    assert (replayed.frames, replayed.differing) == (1, ())


def test_what_is_given_beside_a_recipe_overrides_it():
    stroke = Scribble(((200.0, 100.0),), 5.0, "blurred")
    stream = camerapipe.open_stream(
        pictures(1), recipe=recipe_of_size(2), strength=2.5, focus=(1, 2), scribbles=[stroke]
    )
    stream.prepare()
    assert stream.options.focus_point == (1, 2)
    assert stream.options.scribbles == (*recipe_of_size(1).scribbles, stroke)
    assert stream.options.settings.origins()["radius"]["strength"].value == 2.5


def test_a_recipe_that_does_not_fit_the_frames_is_refused():
    tall = Recipe(size_px=(100, 200), focus_point=(5, 5))
    with pytest.raises(RequestError, match=r"picture of 100x200 pixels, and this one has 240x136"):
        camerapipe.open_stream(pictures(1), recipe=tall).run()
    with pytest.raises(RequestError, match="the first frame of app cannot be read"):
        camerapipe.open_stream([None], recipe=tall).run()


def test_workers_limit_the_threads_of_every_frame_and_change_no_bit():
    seen = []

    def counted(shown):
        seen.append((workers(), shown.image))

    for count in (1, 2):
        stream = camerapipe.open_stream(
            pictures(1), counted, rung="draft", force=True, workers=count
        )
        before = workers()
        stream.run()
        assert workers() == before
    assert [count for count, _ in seen] == [1, 2]
    np.testing.assert_array_equal(seen[0][1], seen[1][1])


def test_a_stream_writes_traces_recordings_and_pictures_and_calls_the_app(tmp_path):
    events, (run, trace, out) = [], (tmp_path / name for name in ("run", "t.json", "out"))
    report, shown = shown_by(
        PAN, frames=3, size=SIZE, output=out, trace=trace, record=run,
        observe=lambda event, in_flight: events.append((event, in_flight)),
    )  # fmt: skip
    assert report.done == len(shown) == 3
    assert sorted(path.name for path in out.iterdir()) == [f"pan_{k:06d}.jpg" for k in range(3)]
    read = read_trace(trace)
    assert len(read.frames) == 3 and read.end["ended"] == "complete"
    replayed = Recording.open(run).replay(Nowhere(), versions=versions())
    assert replayed.frames == 3 and not replayed.differing
    assert {event.seq for event, _ in events} == {0, 1, 2}
    assert all(0 <= in_flight.frames <= 4 for _, in_flight in events)


def grey(path, code):
    cv2.imwrite(str(path), np.full((32, 48, 3), code, np.uint8))


def test_a_folder_has_natural_order_and_strays_are_passed_over(tmp_path):
    for k in range(1, 13):
        grey(tmp_path / f"img{k}.jpg", 10 * k)
    for name in ("img3.xmp", "notes.txt", "Thumbs.db", ".hidden.jpg"):
        (tmp_path / name).write_bytes(b"\xd0\xcf\x11\xe0 no picture")
    source = sources.open_source(str(tmp_path), paced=False)
    assert source.length == 12
    assert [a.value.name for a in source.frames] == [f"img{k}.jpg" for k in range(1, 13)]


def test_a_pair_of_raw_and_jpeg_is_one_frame(tmp_path):
    for name in ("a.dng", "a.JPG", "b.jpg"):
        (tmp_path / name).touch()
    opened = sources.open_source(str(tmp_path), paced=False)
    assert opened.length == 2 and opened.stems == ("a", "b")
    assert [each.code for each in opened.findings] == ["pairs_passed_over"]
    assert opened.findings[0].message.startswith("1 of 3 files")


@pytest.mark.parametrize("source", [{}, b"folder"])
def test_what_is_no_sequence_of_pictures_is_refused(source):
    with pytest.raises(RequestError, match="source: expected a path"):
        camerapipe.open_stream(source)


def test_no_frame_in_flight_is_refused():
    with pytest.raises(RequestError, match="in_flight: expected at least 1; got 0"):
        camerapipe.open_stream("synthetic:static", in_flight=0)


def test_a_photograph_is_opened_as_one(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (48, 32), (90, 90, 90)).save(tmp_path / "a.jpg", exif=exif)
    source = sources.open_source(str(tmp_path / "a.jpg"), paced=False)
    (arrival,) = source.frames
    capture = arrival.value.develop()
    assert capture.linear.shape == (48, 32, 3) and capture.meta.orientation.value == 6
    assert arrival.value.origin == tmp_path / "a.jpg" and source.kind == "folder"


@pytest.mark.parametrize(
    ("name", "single"),
    [("a.jpg", True), ("a.dng", True), ("a", True), ("a.gif", False), ("a.mjpeg", False)],
)
def test_single_pictures_are_told_from_moving_ones(tmp_path, name, single):
    Image.new("RGB", (48, 32)).save(tmp_path / name, format="JPEG")
    assert is_photograph(tmp_path / name) is single
