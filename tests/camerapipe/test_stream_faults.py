"""Sources with faults: late, repeated and lost frames, in streams and in their account."""

from itertools import islice

import numpy as np
import pytest

import camerapipe
from camerapipe.errors import RequestError
from camerapipe.stream.exposures import FrameSource
from camerapipe.stream.faults import Fault, FaultKind, Faults, read_faults, with_faults
from camerapipe.stream.frames import Arrival

FPS = 10


def source():
    frames = (Arrival(value=k, captured_s=k / FPS, filmed_s=k / FPS) for k in range(12))
    return FrameSource("test", "folder", FPS, frames, length=12)


def arrivals(*faults):
    return list(with_faults(source(), Faults(faults)).frames)


def test_without_faults_nothing_changes():
    assert arrivals() == list(source().frames)


def test_a_slow_start_delays_all_frames_and_a_stall_one():
    slow = arrivals(Fault(kind=FaultKind.SLOW_START, ms=500))
    assert [each.captured_s for each in slow[:2]] == [0.5, 0.6]
    stalled = arrivals(Fault(kind=FaultKind.STALL, at_frame=3, ms=250))
    assert [each.late_s for each in stalled[2:5]] == [0, 0.25, 0]
    assert [each.captured_s for each in stalled] == [k / FPS for k in range(12)]


def test_lost_frames_are_missing_and_counted():
    found = arrivals(Fault(kind=FaultKind.LOSE, at_frame=2, frames=3))
    assert [each.value for each in found] == [0, 1, *range(5, 12)]
    assert [each.lost_before for each in found[:4]] == [0, 0, 3, 0]


def test_repeated_frames_come_at_new_times():
    found = arrivals(Fault(kind=FaultKind.REPEAT, at_frame=2, frames=2))
    assert [each.value for each in found[:5]] == [0, 1, 1, 1, 4]
    assert [each.captured_s for each in found[:4]] == [0, 0.1, 0.2, 0.3]
    assert [each.filmed_s for each in found[:4]] == [0, 0.1, 0.1, 0.1]


def test_a_stream_tells_what_its_source_lost(tmp_path):
    script = tmp_path / "faults.toml"
    script.write_text(
        '[[step]]\nat_frame = 2\nfault = "lose"\nframes = 2\n'
        '[[step]]\nat_frame = 5\nfault = "stall"\nms = 400\n'
    )
    picture = np.full((32, 48, 3), 128, np.uint8)
    report = camerapipe.open_stream(
        islice([picture] * 8, 8), fps=20, profile="everyday-phone", policy="latest",
        rung="draft", faults=script,
    ).run()  # fmt: skip
    assert report.lost == 2 and report.submitted == 6
    assert report.ceiling.stage in {"source", "decode", "graph", "write"}
    assert set(report.stages_ms["graph"]) == {"p50", "p95", "p99"}
    assert report.latency_ms["p99"] >= 400


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('[[step]]\nfault = "stal"\nat_frame = 1', "step 1: fault 'stal' does not exist"),
        ('[[step]]\nfault = "stall"\nat_frame = 1', "stall: ms is missing"),
        ('[[step]]\nfault = "stall"\nat_frame = 1\nms = "x"', "ms: expected a float; got 'x'"),
        ('[[step]]\nfault = "lose"\nat_frame = 1\nms = 3', "ms: lose has no such key"),
        ('[[step]]\nfault = "lose"\nat_frame = -1', "at_frame: expected a number from 0"),
        ('[[step]]\nfault = "slow_start"\nms = 0', "ms: expected a time above 0"),
        ('[[steps]]\nfault = "lose"', r"steps: expected \[\[step\]\] only"),
        ("[[step", "is not TOML"),
    ],
)
def test_what_does_not_fit_a_script_is_named(tmp_path, text, match):
    path = tmp_path / "faults.toml"
    path.write_text(text)
    with pytest.raises(RequestError, match=match):
        read_faults(path)
