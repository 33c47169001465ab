"""`camerapipe stream`: what comes out, exit codes, Ctrl-C."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest
from click.testing import CliRunner

from camerapipe.budget import Budget
from camerapipe.cli import cli
from camerapipe.cli.telling import Teller
from camerapipe.levels import LADDER
from camerapipe.settings import resolve
from camerapipe.stream.options import StreamOptions
from camerapipe.stream.profile import read_profile
from camerapipe.stream.sinks import App
from camerapipe.stream.sources import open_source
from camerapipe.stream.stream import Stream
from camerapipe.synthetic import synthetic_frame

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--size", "240x136", "--force")
PHONE = ("--profile", "budget-phone", "--policy", "latest", "--fps", "300", "--budget", "20ms")


@pytest.fixture
def stream():
    def invoke(*args):
        return CliRunner().invoke(cli, ["stream", *map(str, args)])

    return invoke


def test_measure_tells_the_account_as_json(stream):
    done = stream("synthetic:pan", *SMALL, "--frames", 4, "--json", "-q")
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["done"] == report["submitted"] == 4 and report["mode"] == "measured"


def test_simulated_says_so(stream):
    done = stream("synthetic:pan", *SMALL, *PHONE, "--frames", 20)
    assert done.exit_code == 0
    assert "simulated on budget-phone (not calibrated)" in done.stderr
    assert "dropped at the door" in done.stderr
    assert "with waiting" in done.stderr and "from pixels to picture" in done.stderr
    assert "% of frames: processing within 20 ms and one step" in done.stderr


def test_costs_are_printed_and_nothing_runs(stream):
    args = ("synthetic:pan", *SMALL, "--profile", "budget-phone", "--costs")
    done = stream(*args)
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "frames of 240x136, simulated on budget-phone"
    rungs = [line.split()[0] for line in lines if line]
    assert rungs[1:-1] == ["rung", *(rung.name for rung in LADDER), "check", "check", "glance"]
    data = json.loads(stream(*args, "--json").stdout)
    assert list(data["rungs_ms"]) == [rung.name for rung in LADDER]
    assert f"{data['rungs_ms']['good']:.1f}" in done.stdout


def test_a_budget_that_no_rung_fits_is_said_at_the_start(stream):
    args = ("synthetic:pan", *SMALL, "--profile", "budget-phone", "--frames", 2)
    done = stream(*args, "--budget", "1ms")
    assert done.exit_code == 0
    assert "warning: The budget of 1 ms is below the quickest rung" in done.stderr
    assert done.stderr.index("quickest rung") < done.stderr.index("2 frames")
    assert "quickest rung" not in stream(*args, "--budget", "10s").stderr


def test_the_line_of_progress_has_frames_rate_rung_and_late():
    teller, shown = Teller(quiet=True), []
    source = open_source("synthetic:pan", size=(240, 136), paced=False)
    options = StreamOptions(
        settings=resolve(), profile=read_profile("budget-phone"), budget=Budget(1.0),
        force=True, frames=3,
    )  # fmt: skip
    assert teller.status == "0 frames, 0 late"
    report = Stream(source, App(shown.append), options, [teller.note]).run()
    assert report.done == 3
    pattern = r"3 frames, \d+\.\d a second, rung carry, 3 late"
    assert re.fullmatch(pattern, teller.status), teller.status


def test_progress_is_shown_on_a_terminal_only(monkeypatch, capsys):
    teller = Teller(quiet=False)
    with teller.progress(3):
        pass
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with Teller(quiet=True).progress(3):
        pass
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("TERM", "xterm")
    with teller.progress(3):
        teller._show(1, teller.status)
    assert "0 frames, 0 late" in capsys.readouterr().err


def test_record_replay_trace_and_report(stream, tmp_path):
    run, trace, page = tmp_path / "run", tmp_path / "t.json", tmp_path / "t.html"
    done = stream("synthetic:pan", *SMALL, *PHONE, "--frames", 12, "--record", run,
                  "--trace", trace)  # fmt: skip
    assert done.exit_code == 0, done.stderr
    again = stream(f"replay:{run}", "-o", tmp_path / "again", "--json")
    assert again.exit_code == 0, again.stderr
    replayed = json.loads(again.stdout)
    assert replayed["frames"] > 1 and replayed["differing"] == []
    assert len(list((tmp_path / "again").iterdir())) == replayed["frames"]
    shown = CliRunner().invoke(cli, ["report", str(trace), "-o", str(page)])
    assert shown.exit_code == 0 and "simulated" in page.read_text()


def test_a_folder_goes_through_and_a_broken_file_gives_one(stream, tmp_path):
    (tmp_path / "in").mkdir()
    for k in range(3):
        cv2.imwrite(
            str(tmp_path / "in" / f"{k}.jpg"), synthetic_frame("pan", k, (136, 240)).picture
        )
    (tmp_path / "in" / "1.jpg").write_bytes(b"nothing")
    done = stream(tmp_path / "in", "-o", tmp_path / "out", "--force")
    assert done.exit_code == 1
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["0.jpg", "2.jpg"]
    assert "1.jpg" in done.stderr and "Traceback" not in done.stderr
    assert f"2 frames -> {tmp_path / 'out'}" in done.stderr


def test_a_missed_budget_matters_only_where_it_is_strict(stream):
    args = ("synthetic:pan", *SMALL, "--profile", "budget-phone", "--budget", "1ms", "--frames", 4)
    assert stream(*args).exit_code == 0
    assert stream(*args, "--strict-budget").exit_code == 6


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        (["no/such/place"], 3, "does not exist"),
        (["synthetic:nothing"], 2, "pull"),
        (["synthetic:pan", "--profile", "no-phone"], 2, "everyday-phone"),
        (["synthetic:pan", "--size", "big"], 2, "WIDTHxHEIGHT"),
        (["synthetic:pan", "--rung", "luxury"], 2, "preview"),
        (["synthetic:pan", "--fps", "0"], 2, "fps"),
        (["replay:nowhere"], 3, "not a recording"),
        (["replay:nowhere", "--focus", "3,4", "--force"], 2, "--focus, --force"),
        (["replay:nowhere", "--distance", "2"], 2, "--distance"),
        (["replay:nowhere", "--max-pixels", "9"], 2, "--max-pixels"),
        (["replay:nowhere", "--set", "radius.strength=3"], 2, "--set"),
        (["synthetic:pan", "--only", "3"], 2, "replay:DIR"),
        (["synthetic:pan", "--preset", "paper"], 2, "is for photographs only"),
        (["synthetic:pan", "--set", "radius"], 2, "expected section.param=value"),
        (["synthetic:pan", "--set", "octaves.x=1"], 2, "'octaves' is a stage"),
        (["synthetic:pan", "--costs", "-o", "out", "--trace", "t.json"], 2, "--output, --trace"),
        (["synthetic:pan", "-o", "film.webm"], 5, "a video (.mp4"),
        (["synthetic:pan", "-o", "no/such/film.mp4"], 5, "does not exist; make it first"),
        (["synthetic:pan", "--trace", "t.txt"], 5, "cannot write '.txt' files"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(stream, args, code, told):
    done = stream(*args)
    assert done.exit_code == code, done.stderr
    assert told in done.stderr and "Traceback" not in done.stderr


@pytest.fixture
def filming(tmp_path):
    """A stream that writes a video without end, as a process of its own."""
    if not hasattr(os, "fork"):
        pytest.skip("signals as on POSIX")
    film = tmp_path / "film.mp4"
    job = subprocess.Popen(
        [sys.executable, "-m", "camerapipe", "stream", "synthetic:pan", *SMALL, "-o", str(film)],
        cwd=ROOT, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        while not [p for p in tmp_path.iterdir() if p.suffix == ".mp4"]:  # it has begun to write
            assert job.poll() is None
            time.sleep(0.05)
        yield job, film
    finally:
        job.kill()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_after_what_came_in_and_leaves_whole_outputs(filming, number, code):
    job, film = filming
    job.send_signal(number)
    _, told = job.communicate(timeout=120)
    assert job.returncode == code, told
    assert "ending after the frames that came in" in told and "Traceback" not in told
    assert [p.name for p in film.parent.iterdir()] == ["film.mp4"]
    video = cv2.VideoCapture(str(film))
    frames = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    assert frames > 0 and all(video.read()[0] for _ in range(frames))
    video.release()


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_at_once_and_leaves_whole_outputs(filming, second):
    job, film = filming
    job.send_signal(signal.SIGSTOP)  # so that both signals wait for it, in this order
    job.send_signal(signal.SIGTERM)
    job.send_signal(signal.SIGCONT)
    while "ending after" not in (line := job.stderr.readline()):
        assert line, "it ended before it was told to"
    job.send_signal(second)
    _, told = job.communicate(timeout=120)
    assert job.returncode == 143 and "Traceback" not in told
    assert [p.name for p in film.parent.iterdir()] == ["film.mp4"]
    video = cv2.VideoCapture(str(film))
    assert video.read()[0]
    video.release()


def test_a_video_lasts_as_long_as_what_was_filmed(stream, tmp_path):
    film = tmp_path / "film.mp4"
    phone = ("--profile", "budget-phone", "--policy", "latest", "--fps", "60", "--rung", "full")
    done = stream("synthetic:static", *SMALL, *phone, "--frames", 60, "-o", film, "--json")
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    assert 0 < report["done"] < 40
    video = cv2.VideoCapture(str(film))
    lasts_s = video.get(cv2.CAP_PROP_FRAME_COUNT) / video.get(cv2.CAP_PROP_FPS)
    assert 50 / 60 <= lasts_s <= 61 / 60
    video.release()
