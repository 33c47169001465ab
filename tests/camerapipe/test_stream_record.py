"""Recordings and replays: what is kept, that it gives the same bits, what is said of damage."""

import errno
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from camerapipe.budget import Budget
from camerapipe.cli import cli
from camerapipe.errors import CaptureError, LimitError, OutputError, RequestError
from camerapipe.ingest import capture_from_array, open_capture
from camerapipe.runtime import versions
from camerapipe.settings import resolve
from camerapipe.stream.exposures import Exposure, FrameSource
from camerapipe.stream.frames import Arrival
from camerapipe.stream.options import StreamOptions
from camerapipe.stream.profile import read_profile
from camerapipe.stream.record import Recorder
from camerapipe.stream.replay import Recording
from camerapipe.stream.sinks import App, Nowhere, Pictures
from camerapipe.stream.sources import open_source
from camerapipe.stream.stream import Stream
from camerapipe.synthetic import synthetic_frame
from datasets.synthetic_raw import Optics, sample_mosaic, write_dng
from stages.bokeh import RadiusParams
from stages.optics import Lens
from stages.scribble import Scribble
from stages.tone import linearise

SIZE = (240, 136)
PLAIN = StreamOptions(settings=resolve(), force=True, frames=3)
FULL = "/dev/full"


def picture(k=0):
    return synthetic_frame("pan", k, SIZE[::-1]).picture


def scene(**kwargs):
    return open_source("synthetic:pan", size=SIZE, fps=300, **kwargs)


def folder(path, frames=3, name="{}.png"):
    path.mkdir()
    for k in range(frames):
        done, data = cv2.imencode(".png", picture(k)[..., ::-1])
        assert done
        (path / name.format(k)).write_bytes(data.tobytes())
    return open_source(str(path), paced=False)


def raws(path, **optics):
    path.mkdir()
    for k in range(2):
        mosaic = sample_mosaic(linearise(picture(k)))
        write_dng(path / f"{k}.dng", mosaic, optics=Optics(**optics))
    return open_source(str(path), paced=False)


def arrays(images, encoding):
    captures = [capture_from_array(image, encoding, f"{k}") for k, image in enumerate(images)]
    return handed_over(captures)


def handed_over(captures):
    """A source whose frames are no files."""
    frames = (Arrival(value=Exposure(c.name, lambda c=c: c)) for c in captures)
    return FrameSource("app", "camera", None, frames)


def recorded(path, source, options=PLAIN, sink=None):
    """Run a stream and record it; give the recording and what was shown."""
    shown = []
    Stream(source, sink or App(shown.append), options, record=path).run()
    return Recording.open(path), shown


def replayed(recording, **kwargs):
    """Replay a recording; give what was found and what was shown."""
    shown = []
    found = recording.replay(App(shown.append), versions=versions(), **kwargs)
    return found, shown


def check_same(recording, before):
    """Everything that was shown is shown again, with its findings, to the bit."""
    found, again = replayed(recording)
    assert not found.differing and found.frames == len(before) == len(again) > 0
    for one, other in zip(before, again, strict=True):
        assert np.array_equal(one.image, other.image) and one.image.dtype == other.image.dtype
        assert np.array_equal(one.frame.capture.linear, other.frame.capture.linear)
        assert one.findings == other.findings and one.advice == other.advice
        assert one.check.age_frames == other.check.age_frames
        assert (one.rung, one.label) == (other.rung, other.label)
    return again


def recorded_without(recording, **changes):
    """The same recording with something else asked."""
    request = replace(recording.recorded.request, **changes)
    return replace(recording, recorded=recording.recorded._replace(request=request))


def rewritten(path, change):
    """Change the lines of a recording."""
    lines = [json.loads(line) for line in (path / "frames.jsonl").read_text().splitlines()]
    for line in lines:
        change(line)
    (path / "frames.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Recording.open(path)


def test_a_recording_replays_to_the_bit_all_or_one_alone(tmp_path):
    options = replace(
        PLAIN, profile=read_profile("budget-phone"), budget=Budget(total_ms=40.0),
        policy="latest", frames=12,
    )  # fmt: skip
    recording, before = recorded(tmp_path / "kept", scene(), options)
    assert len(recording.shown) > 2
    check_same(recording, before)
    last = max(recording.shown)
    alone, _ = replayed(recording, only=[last])
    assert alone.frames == 1 and not alone.differing
    with pytest.raises(RequestError, match="999"):
        replayed(recording, only=[999])
    lines = (tmp_path / "kept" / "frames.jsonl").read_text().splitlines()
    assert {json.loads(line)["fate"] for line in lines} == {"done", "dropped"}


def test_a_frame_alone_has_the_advice_and_the_findings_it_had(tmp_path):
    options = replace(
        PLAIN, profile=read_profile("large-phone"), budget=Budget(stages_ms={"check": 0.01}),
        frames=12,
    )  # fmt: skip
    recording, before = recorded(tmp_path / "kept", scene(), options)
    assert before[7].check.age_frames == 7
    found, (again,) = replayed(recording, only=[7])
    assert not found.differing and again.advice == before[7].advice
    assert again.findings == before[7].findings and again.check.age_frames == 7
    assert again.before.advice == before[7].before.advice
    path = tmp_path / "kept"
    other = ["refocus", "nothing is sharp: refocus", "blocking"]
    changed = rewritten(path, lambda line: line["advised"].update(shown=other))
    assert replayed(changed)[0].differing == tuple(range(12))
    with pytest.raises(CaptureError, match="frame 0 is damaged"):
        replayed(rewritten(path, lambda line: line["advised"].update(shown=["?"])))


def test_a_replay_notices_another_result(tmp_path):
    recording, _ = recorded(tmp_path / "kept", scene())
    path = tmp_path / "kept" / "frames" / "1.png"
    cv2.imwrite(str(path), cv2.imread(str(path)) // 2)
    assert replayed(recording)[0].differing == (1,)


def test_the_focus_point_is_part_of_a_recording(tmp_path):
    options = replace(PLAIN, focus_point=(60.0, 80.0))
    source = open_source("synthetic:pan", size=(480, 272), fps=300)  # blurred enough to tell
    recording, before = recorded(tmp_path / "kept", source, options)
    check_same(recording, before)
    without = recorded_without(recording, focus_point=None)
    assert replayed(without)[0].differing


def test_raw_files_replay_with_their_headroom_and_the_distance_told(tmp_path):
    options = replace(PLAIN, distance_m=1000.0)
    recording, before = recorded(
        tmp_path / "kept", raws(tmp_path / "in", focal_length_35mm=50), options
    )
    assert [one.frame.capture.kind for one in before] == ["raw", "raw"]
    check_same(recording, before)
    without = recorded_without(recording, distance_m=None)
    assert replayed(without)[1][0].findings != before[0].findings


def test_what_a_file_leaves_out_is_left_out_again(tmp_path):
    source = raws(tmp_path / "in", focal_length_mm=None)
    recording, before = recorded(tmp_path / "kept", source)
    assert recording.recorded.meta is None
    check_same(recording, before)


def test_settings_are_read_back_by_layer(tmp_path):
    config = tmp_path / "mine.toml"
    config.write_text("[radius]\nstrength = 2.5\n\n[propagate]\niterations = 40\n")
    settings = resolve(None, config, ["radius.strength=3.5"])
    recording, before = recorded(tmp_path / "kept", scene(), replace(PLAIN, settings=settings))
    about = json.loads((tmp_path / "kept" / "run.json").read_text())
    assert about["preset"] == "default" and "params" not in about
    assert about["settings"] == {
        "file": {
            "name": str(config),
            "changes": {"radius": {"strength": 2.5}, "propagate": {"iterations": 40}},
        },
        "person": {"name": "", "changes": {"radius": {"strength": 3.5}}},
    }
    again = recording.recorded.request.settings
    assert again.params == settings.params and again.origins() == settings.origins()
    check_same(recording, before)


def test_scribbles_are_part_of_a_recording(tmp_path):
    blurred = Scribble(((40.0, 60.0), (200.0, 60.0)), 30.0, "sigma", 3.0)
    options = replace(PLAIN, scribbles=(blurred,))
    recording, before = recorded(tmp_path / "kept", scene(), options)
    assert recording.recorded.request.scribbles == (blurred,)
    check_same(recording, before)
    without = recorded_without(recording, scribbles=())
    assert replayed(without)[0].differing


def test_the_lens_of_a_profile_is_part_of_a_recording(tmp_path):
    options = replace(PLAIN, profile=read_profile("budget-phone"))
    recording, before = recorded(tmp_path / "kept", folder(tmp_path / "in"), options)
    assert recording.recorded.meta == options.profile.meta()
    check_same(recording, before)
    without = replace(recording, recorded=recording.recorded._replace(meta=None))
    assert replayed(without)[1][0].findings != before[0].findings


def test_the_limit_of_pixels_is_part_of_a_recording(tmp_path):
    source = replace(folder(tmp_path / "in", 1), max_pixels=1000)
    recording, _ = recorded(tmp_path / "kept", source)
    with pytest.raises(LimitError, match="1000"):
        replayed(recording)


def test_blocked_frames_pass_through_again_by_the_check_of_their_rung(tmp_path):
    (tmp_path / "in").mkdir()
    for k in range(2):
        cv2.imwrite(str(tmp_path / "in" / f"{k}.png"), np.full((136, 240, 3), 40 + k, np.uint8))
    source = open_source(str(tmp_path / "in"), paced=False)
    rung = "draft"
    options = replace(PLAIN, force=False, rung=rung)
    recording, before = recorded(tmp_path / "kept", source, options)
    assert {(one.rung, one.blocked, one.label) for one in before} == {(rung, True, "pass-through")}
    assert all(one.blocked for one in check_same(recording, before))
    assert {(line["rung"], line["blocked"]) for line in recording.shown.values()} == {(rung, True)}


def test_frames_that_were_forced_through_are_forced_again(tmp_path):
    flat = [np.full((136, 240, 3), 40, np.uint8)]
    recording, before = recorded(tmp_path / "kept", arrays(flat, "srgb"))
    assert not before[0].blocked
    assert not check_same(recording, before)[0].blocked


def test_a_rung_that_is_unknown_is_said(tmp_path):
    recorded(tmp_path, scene())
    recording = rewritten(tmp_path, lambda line: line.update(rung="luxury"))
    with pytest.raises(CaptureError, match="luxury.*there are: "):
        replayed(recording)


def test_a_file_without_a_suffix_replays(tmp_path):
    recording, before = recorded(tmp_path / "kept", folder(tmp_path / "in", name="frame{}"))
    names = {path.name for path in (tmp_path / "kept" / "frames").iterdir()}
    assert names == {"0.bin", "1.bin", "2.bin"}
    check_same(recording, before)


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-200])


def change_a_bit(path):
    data = bytearray(path.read_bytes())
    data[data.index(b"look.npy") + 300] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "harm",
    [
        Path.unlink,
        cut_off,
        change_a_bit,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"no archive"),
        lambda path: np.savez(path, look=np.zeros(3)),
    ],
)
def test_a_damaged_memory_is_said_and_no_difference(tmp_path, harm):
    recording, _ = recorded(tmp_path, scene())
    assert [recording.shown[k]["memory"] for k in range(3)] == [False, True, True]
    harm(tmp_path / "memory" / "2.npz")
    with pytest.raises(CaptureError, match=r"2\.npz"):
        replayed(recording)
    assert not replayed(recording, only=[0, 1])[0].differing


UNIT = np.float32(1 / 255)


@pytest.mark.parametrize(
    ("image", "encoding", "suffix"),
    [
        (picture(), "srgb", ".png"),
        (picture()[..., :1], "srgb", ".png"),
        (picture(), "linear", ".npz"),
        (picture().astype(np.uint16) * 257 + 3, "srgb", ".npz"),
        (np.float32(0.9973) * UNIT * picture(), "srgb", ".npz"),
        (1.7 * UNIT * picture(), "linear", ".npz"),
        (np.dstack([picture(), picture()[..., 0]]), "srgb", ".npz"),
    ],
    ids=["uint8", "grey", "linear codes", "uint16", "float", "headroom", "alpha"],
)
def test_pixels_that_are_no_file_are_kept_exactly(tmp_path, image, encoding, suffix):
    recording, before = recorded(tmp_path, arrays([image], encoding))
    assert [path.name for path in (tmp_path / "frames").iterdir()] == [f"0{suffix}"]
    again = check_same(recording, before)[0].frame.capture
    capture = before[0].frame.capture
    for name in ("name", "kind", "bit_depth", "grey", "meta"):
        assert getattr(again, name) == getattr(capture, name)
    assert np.array_equal(again.curve.decode, capture.curve.decode)
    assert (again.alpha is None) == (capture.alpha is None)
    if capture.alpha is not None:
        assert np.array_equal(again.alpha, capture.alpha)


def test_codes_that_do_not_hold_the_pixels_are_not_trusted(tmp_path):
    capture = capture_from_array(picture(), "srgb")
    between = replace(capture, linear=np.float32(0.999) * capture.linear)
    recording, before = recorded(tmp_path, handed_over([between]))
    check_same(recording, before)


def test_a_raw_that_is_no_file_any_more_keeps_kind_and_lens(tmp_path):
    raws(tmp_path / "in")
    capture = open_capture(tmp_path / "in" / "0.dng")
    recording, before = recorded(tmp_path / "kept", handed_over([capture]))
    again = check_same(recording, before)[0].frame.capture
    assert again.kind == "raw" and again.meta == capture.meta


def test_a_damaged_frame_is_said(tmp_path):
    recording, _ = recorded(tmp_path, arrays(2 * [picture()], "linear"))
    (tmp_path / "frames" / "0.npz").write_bytes(b"nothing")
    (tmp_path / "frames" / "1.npz").unlink()
    with pytest.raises(CaptureError, match=r"0\.npz"):
        replayed(recording, only=[0])
    with pytest.raises(CaptureError, match="pixels of frame 1 are missing"):
        replayed(recording, only=[1])


def test_a_recording_never_mixes_with_anything(tmp_path):
    (tmp_path / "something").write_text("")
    for place, told in (("", "not empty"), ("something", "is a file"), ("something/in", "file")):
        with pytest.raises(OutputError, match=told):
            Recorder(tmp_path / place, {})
    with pytest.raises(CaptureError, match="not a recording"):
        Recording.open(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["something"]


def test_nothing_is_made_before_the_stream_runs(tmp_path):
    place = tmp_path / "deep" / "kept"
    Stream(scene(), Nowhere(), PLAIN, record=place)
    assert not list(tmp_path.iterdir())


def test_a_place_that_is_lost_before_the_stream_runs_is_said(tmp_path):
    recorder = Recorder(tmp_path / "kept", {})
    (tmp_path / "kept").write_text("")
    with pytest.raises(OutputError, match="kept"), recorder:
        pytest.fail("there is no place for it")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda about: about.update(format="camerapipe-recording/1"), "its format is"),
        (lambda about: about.pop("preset"), "preset"),
        (lambda about: about.update(preset="fanciful"), "preset 'fanciful' does not exist"),
        (lambda about: about["settings"].update(moon={"name": "", "changes": {}}), "moon"),
        (lambda about: about["settings"]["person"]["changes"].update(moon={}), "section 'moon'"),
        (lambda about: about["settings"]["person"].pop("changes"), "changes"),
        (lambda about: about.update(scribbles=[{}]), "points"),
        (lambda about: about.pop("distance_m"), "distance_m"),
        (lambda about: about.update(focus_point=[1]), "damaged"),
        (lambda about: about.update(meta={"colour": {"value": 1}}), "colour"),
    ],
)
def test_a_damaged_account_of_the_run_is_said(tmp_path, change, told):
    settings = resolve(values={"radius": {"strength": 3.0}})
    recorded(tmp_path, scene(), replace(PLAIN, settings=settings, frames=1))
    about = json.loads((tmp_path / "run.json").read_text())
    change(about)
    (tmp_path / "run.json").write_text(json.dumps(about))
    with pytest.raises(CaptureError, match=told):
        Recording.open(tmp_path)


def test_a_line_that_lacks_something_is_said_and_one_that_was_cut_off_does_not_count(tmp_path):
    recorded(tmp_path, scene())
    lines = tmp_path / "frames.jsonl"
    whole = lines.read_text()
    lines.write_text(whole[:-30])
    assert sorted(Recording.open(tmp_path).shown) == [0, 1]
    lines.write_text(whole)
    with pytest.raises(CaptureError, match="rung not said"):
        rewritten(tmp_path, lambda line: line.pop("rung"))


@pytest.mark.skipif(not Path(FULL).exists(), reason="needs a device that is always full")
def test_a_full_disk_ends_the_recording_and_not_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr("camerapipe.stream.record.FRAMES", FULL)
    check_ended_early(tmp_path, shown=3)


def test_a_frame_that_cannot_be_kept_ends_the_recording_and_not_the_run(tmp_path, monkeypatch):
    write = np.savez

    def full(path, **arrays):
        if path.name == "2.npz":
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, **arrays)

    monkeypatch.setattr("camerapipe.stream.record.np.savez", full)
    check_ended_early(tmp_path, shown=3)
    monkeypatch.undo()
    recording = Recording.open(tmp_path / "kept")
    assert sorted(recording.shown) == [0, 1] and not replayed(recording)[0].differing


def check_ended_early(tmp_path, shown):
    source = scene()
    sink = Pictures(tmp_path / "out", "picture", overwrite=False)
    stream = Stream(source, sink, PLAIN, record=tmp_path / "kept")
    with pytest.raises(OutputError, match="recording ended early.*No space"):
        stream.run()
    assert len(list((tmp_path / "out").iterdir())) == shown


def test_frames_that_were_not_delivered_leave_no_fingerprint_behind(tmp_path):
    def app(shown):
        if shown.frame.seq == 1:
            raise RuntimeError("the app stumbled")

    stream = Stream(scene(), App(app), PLAIN, record=tmp_path)
    stream.run()
    assert sorted(Recording.open(tmp_path).shown) == [0, 2]


def test_a_recording_of_a_part_of_a_stream_with_changes_replays_to_the_bit(tmp_path):
    shown, lens = [], Lens(focal_length_mm=50, f_number=2, sensor_diagonal_mm=43.3)
    blurred = Scribble(((40.0, 60.0), (200.0, 60.0)), 30.0, "sigma", 3.0)
    changes = {
        3: {"strength": 6.0, "budget": "40ms", "scribbles": [blurred]},
        5: {"rung": "draft", "distance_m": 0.8},
        6: {"focus": (20, 30), "lens": lens, "rung": None},
    }  # fmt: skip

    def app(frame):
        shown.append(frame)
        seq = frame.frame.seq
        if seq in changes:
            stream.change(**changes[seq])
        if seq == 1:
            stream.record(tmp_path / "kept")
        if seq == 8:
            with pytest.raises(OutputError, match="end that first"):
                stream.record(tmp_path / "other")
            assert stream.end_recording() == tmp_path / "kept"
            assert stream.end_recording() is None

    options = replace(PLAIN, profile=read_profile("budget-phone"), frames=10)
    stream = Stream(scene(), App(app), options)
    stream.run()
    recording = Recording.open(tmp_path / "kept")
    kept = [frame for frame in shown if frame.frame.seq in recording.shown]
    assert set(range(3, 8)) < set(recording.shown) and 0 not in recording.shown
    assert {frame.request.settings.params[RadiusParams].strength for frame in kept} == {2.0, 6.0}
    assert {"draft"} < {frame.rung for frame in kept} and kept[-1].meta.f_number.value == 2
    check_same(recording, kept)
    alone, _ = replayed(recording, only=[7])
    assert not alone.differing
    other = replace(recording, changed={})
    assert replayed(other)[0].differing


def stream(*args):
    return CliRunner().invoke(cli, ["stream", *map(str, args)])


def test_a_replay_has_the_rate_of_its_recording_and_what_was_asked_for(tmp_path):
    run, film = tmp_path / "run", tmp_path / "film.mp4"
    done = stream("synthetic:pan", "--size", "240x136", "--frames", 2, "--fps", 10, "--force",
                  "--focus", "30,40", "--max-pixels", 100_000, "--record", run)  # fmt: skip
    assert done.exit_code == 0, done.stderr
    about = json.loads((run / "run.json").read_text())
    assert about["force"] and about["focus_point"] == [30, 40] and about["max_pixels"] == 100_000
    again = stream(f"replay:{run}", "-o", film, "--json")
    assert again.exit_code == 0, again.stderr
    assert json.loads(again.stdout)["differing"] == []
    video = cv2.VideoCapture(str(film))
    assert video.get(cv2.CAP_PROP_FPS) == 10
    video.release()


def test_a_recording_that_has_no_place_is_said_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    done = stream("synthetic:pan", "--size", "240x136", "--frames", 1, "--record",
                  tmp_path / "file")  # fmt: skip
    assert done.exit_code == 5 and "is a file" in done.stderr and "Traceback" not in done.stderr
    stream("synthetic:pan", "--size", "240x136", "--rung", "luxury", "--record", tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
