"""Sessions by script, recordings as cameras, traces of cameras, and the command line."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import camerapipe
from camerapipe.cli import main
from camerapipe.errors import OutputError, RequestError
from camerapipe.simulator.requests import CaptureRequest, Target
from camerapipe.simulator.script import read_script
from camerapipe.stream.sources import open_source
from camerapipe.timeline import read_trace, summarise

SIZE = (160, 96)
SCRIPT = """
[[step]]
at_frame = 2
exposure_time_ns = 8000000
sensitivity = 300

[[step]]
at_frame = 4
capture = true

[[step]]
at_frame = 6
fault = "lose"
frames = 2

[[step]]
at_frame = 10
sensitivity = "auto"
exposure_time_ns = "auto"
"""


@functools.cache
def scene():
    return camerapipe.make_scene("portrait", subject_m=0.4, background_m=4.0)


def run(*args):
    with pytest.raises(SystemExit) as left:
        main(["simulate", *map(str, args)])
    return left.value.code


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A session on the command line: its report, trace and folder of stills."""
    folder = tmp_path_factory.mktemp("session")
    (folder / "steps.toml").write_text(SCRIPT)
    import contextlib
    import io

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = run(
            "portrait", "--size", "160x96", "--frames", 14, "--target", "view", "--force",
            "--script", folder / "steps.toml", "-o", folder / "out", "--trace",
            folder / "trace.json", "--json",
        )  # fmt: skip
    assert code == 0
    return json.loads(out.getvalue()), folder


def test_a_session_follows_its_script(played):
    report, folder = played
    assert report["preview"]["mode"] == "simulated" and report["preview"]["lost"] == 2
    assert report["failures"] == {"lost": 2}
    (capture,) = report["captures"]
    assert capture["ms"] > 0
    files = [Path(file) for file in capture["files"]]
    assert [file.suffix for file in files] == [".jpg", ".dng"]
    assert files[0].parent == folder / "out"
    raw = camerapipe.render(files[1], preset="direct", force=True)
    assert raw.capture.meta.iso.value == 300
    assert raw.image.shape == (96, 160, 3)


def test_a_trace_of_a_camera_has_its_sensor_its_lanes_and_its_ceiling(played):
    _, folder = played
    trace = read_trace(folder / "trace.json")
    assert trace.counters["frames lost by the source"][1][-1] == 2
    assert trace.counters["frames in the sensor"][1].min() == 0
    assert {"isp", "graph", "still isp", "still"} <= set(trace.tracks)
    summary = summarise(trace)
    assert summary.ceiling.fps > 0
    assert any(moment.name.startswith("ae_state: ") for moment in trace.moments)
    data = json.loads((folder / "trace.json").read_text())
    phases = {e["name"] for e in data["traceEvents"] if e["ph"] == "b" and e["cat"] == "frame"}
    assert {"frame", "sensor", "isp", "graph"} <= phases
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is in the extra 'test'")
    schema = Path(camerapipe.__file__).parent / "trace.schema.json"
    jsonschema.Draft202012Validator(json.loads(schema.read_text())).validate(data)


def test_frames_without_pictures_count_and_the_sensor_is_empty_in_the_end(tmp_path):
    path = tmp_path / "trace.json"
    with camerapipe.open_camera(
        "everyday-phone", scene(), size=SIZE, target="metadata", trace=path
    ) as camera:
        lag_free = CaptureRequest(target=Target.METADATA, zero_shutter_lag=True)
        camera.submit([lag_free])  # there is nothing in the ring: a new frame is taken
        camera.run(frames=8)
        report = camera.report()
    assert report.done == 8 and report.frames_per_second == pytest.approx(30, rel=0.2)
    trace = read_trace(path)
    assert trace.counters["frames in the sensor"][1][-1] == 0
    frames = [e for e in json.loads(path.read_text())["traceEvents"] if e["ph"] == "b"]
    assert sum(event["name"] == "frame" for event in frames) >= 8


def test_two_stills_of_a_recording_have_names_of_their_own(tmp_path, capsys):
    pictures(tmp_path, 1)
    (tmp_path / "steps.toml").write_text(
        "".join(f"[[step]]\nat_frame = {k}\ncapture = true\n" for k in (0, 1, 900))
    )
    code = run(
        tmp_path / "p0.png", "--target", "metadata", "--frames", 4, "--script",
        tmp_path / "steps.toml", "-o", tmp_path / "out",
    )  # fmt: skip
    assert code == 0 and len(list((tmp_path / "out").iterdir())) == 2
    assert "the session ended before the steps at 900" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[[step]]\nat_frame = 1\nfocus = 2", "step 1: focus: there is no such key"),
        ("[[step]]\nsensitivity = 2", "at_frame: expected a number from 0; got None"),
        ("[[step]]\nat_frame = 1", "expected a control and its value"),
        ("[[step]]\nat_frame = 1\nsensitivity = -2", "sensitivity: expected a number from 1"),
        ("[[step]]\nat_frame = 1\ncapture = 2", "capture: expected true or false"),
        ("[[step]]\nat_frame = 1\nfault = 'stal'", "did you mean 'stall'"),
    ],
)
def test_what_does_not_fit_a_script_is_named(tmp_path, text, match):
    path = tmp_path / "steps.toml"
    path.write_text(text)
    with pytest.raises(RequestError, match=match):
        read_script(path)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["portrai"], "scene 'portrai' does not exist; did you mean 'portrait'"),
        (["portrait", "--size", "tiny"], "expected WIDTHxHEIGHT"),
        (["portrait", "--profile", "phone"], "profile 'phone' does not exist"),
        (["portrait", "--script", "none.toml"], "none.toml: cannot be read"),
    ],
)
def test_bad_arguments_are_usage_errors(args, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(*args) == 2
    assert message in capsys.readouterr().err


def pictures(folder, count, size=(48, 32)):
    rng = np.random.default_rng(0)
    for number in range(count):
        values = rng.integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
        Image.fromarray(values).save(folder / f"p{number}.png")


def test_a_folder_repeats_as_a_camera_with_frame_numbers_that_go_on(tmp_path):
    pictures(tmp_path, 2)
    with camerapipe.open_camera("everyday-phone", tmp_path, target="picture") as camera:
        results = [result for result, _ in zip(camera, range(5), strict=False)]
    assert [result.frame_number for result in results] == [0, 1, 2, 3, 4]
    names = [Path(result.picture.name).name for result in results]
    assert names == ["p0.png", "p1.png", "p0.png", "p1.png", "p0.png"]
    stamps = np.diff([result.metadata.sensor_timestamp_ns for result in results])
    assert np.allclose(stamps, 1e9 / 30, atol=2)


def test_a_folder_without_frames_is_refused(tmp_path):
    with pytest.raises(camerapipe.CaptureError):
        camerapipe.open_camera("everyday-phone", tmp_path)


@pytest.fixture(scope="module")
def raw_video(tmp_path_factory):
    """A folder of RAW frames of a burst."""
    folder = tmp_path_factory.mktemp("raw")
    with camerapipe.open_camera("everyday-phone", scene(), size=SIZE, target="metadata") as camera:
        for number, future in enumerate(camera.burst(4, Target.RAW)):
            future.result().save_raw(folder / f"frame_{number}.dng")
    return folder


def test_a_folder_of_dng_frames_is_raw_video_with_times(raw_video):
    source = open_source(str(raw_video))
    times = [arrival.filmed_s for arrival in source.frames]
    assert np.allclose(np.diff(times), 1 / 30, atol=1e-6)
    assert source.fps == pytest.approx(30, abs=0.01)


def test_other_folders_have_no_times(tmp_path, raw_video):
    pictures(tmp_path, 2)
    with pytest.raises(RequestError, match="a folder has no rate"):
        open_source(str(tmp_path))
    for number in range(2):
        data = (raw_video / "frame_1.dng").read_bytes()
        (tmp_path / f"same_{number}.dng").write_bytes(data)
    (tmp_path / "p0.png").unlink()
    (tmp_path / "p1.png").unlink()
    with pytest.raises(RequestError, match="a folder has no rate"):
        open_source(str(tmp_path))


def test_a_looped_stream_goes_on(raw_video):
    stream = camerapipe.open_stream(
        raw_video, loop=True, frames=6, fps=20, rung="draft", force=True
    )
    assert stream.run().done == 6


def test_without_a_raw_frame_there_is_no_dng(tmp_path):
    pictures(tmp_path, 1)
    with camerapipe.open_camera("everyday-phone", tmp_path, target="metadata") as camera:
        result = camera.submit([CaptureRequest(target=Target.PICTURE)])[0].result()
        with pytest.raises(OutputError, match="has no RAW"):
            result.save_raw(tmp_path / "out.dng")
