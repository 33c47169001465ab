"""Traces: valid whatever happens, bounded, safe to write from any thread."""

import errno
import json
import math
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import camerapipe
from camerapipe.errors import OutputError, RequestError
from camerapipe.trace import GRAPH, TraceHeader, Tracer

HEADER = TraceHeader(
    mode="simulated", source="synthetic:pull", profile="phone", scale_range=(1.3, 1.9)
)
REQUIRED = {  # keys of the trace-event format, by phase
    "M": {"pid", "name", "args"},
    "X": {"pid", "tid", "name", "ts", "dur"},
    "i": {"pid", "tid", "name", "ts", "s"},
    "C": {"pid", "name", "ts", "args"},
    "b": {"pid", "tid", "name", "ts", "cat", "id"},
    "e": {"pid", "tid", "name", "ts", "cat", "id"},
    "s": {"pid", "tid", "name", "ts", "cat", "id"},
    "t": {"pid", "tid", "name", "ts", "cat", "id"},
    "f": {"pid", "tid", "name", "ts", "cat", "id", "bp"},
}


def one_of_each(tracer):
    tracer.span(GRAPH, "frame 7", 1.0, 1.03, frame=7, outer=True)
    tracer.span(GRAPH, "propagate", 1.0, 1.02, frame=7, granted_ms=15.0, steps=3)
    tracer.instant(GRAPH, "scene change", 1.01, score=0.5)
    tracer.counter("queue", 1.0, 2)
    tracer.flow(7, [("decode", 0.9), (GRAPH, 1.0), ("write", 1.04)])
    tracer.frame(7, 0.9, 1.05, fate="done", late=False)
    tracer.frame(8, 0.95, 1.0, fate="dropped", reason="newer frame", lateness_ms=20.0)


def schema():
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is in the extra 'test'")
    text = (Path(camerapipe.__file__).parent / "trace.schema.json").read_text()
    return jsonschema.Draft202012Validator(json.loads(text))


def load(path):
    return json.loads(path.read_bytes())


def events_of(path, phase):
    return [e for e in load(path)["traceEvents"] if e["ph"] == phase]


def test_every_event_has_the_fields_that_chrome_requires(tmp_path):
    path = tmp_path / "t.json"
    with Tracer(path, HEADER) as tracer:
        one_of_each(tracer)
    data = load(path)
    assert data["displayTimeUnit"] == "ms"
    assert {e["ph"] for e in data["traceEvents"]} == set(REQUIRED)
    for event in data["traceEvents"]:
        assert REQUIRED[event["ph"]] <= set(event), event
        assert event.get("dur", 0) >= 0
    tracks = {
        e["tid"]: e["args"]["name"] for e in events_of(path, "M") if e["name"] == "thread_name"
    }
    assert list(tracks.values()) == ["decode", "graph", "write", "ends"]
    assert all(e["tid"] in tracks for phase in "Xi" for e in events_of(path, phase))


def test_what_was_run_and_how_it_ended(tmp_path):
    path = tmp_path / "t.json"
    tracer = Tracer(path, HEADER)
    tracer.close(ended="complete", peak_in_flight=4)
    told = load(path)["otherData"]
    assert told["format"] == "camerapipe-trace/1"
    assert told["run"]["mode"] == "simulated" and told["run"]["scale_range"] == [1.3, 1.9]
    assert told["end"] == {"ended": "complete", "peak_in_flight": 4}


def test_times_are_microseconds_from_the_origin(tmp_path):
    path = tmp_path / "t.json"
    with Tracer(path, HEADER, origin_s=1000.0) as tracer:
        tracer.span(GRAPH, "bokeh", 1000.5, 1000.5 + 1.25e-6)
        tracer.span(GRAPH, "backwards", 1001.0, 1000.0)
    first, second = events_of(path, "X")
    assert (first["ts"], first["dur"]) == (500_000, 1.25)
    assert (second["ts"], second["dur"]) == (1_000_000, 0)


def test_an_outer_span_given_first_stays_before_its_stages(tmp_path):
    path = tmp_path / "t.json"
    with Tracer(path, HEADER) as tracer:
        one_of_each(tracer)
    outer, inner = events_of(path, "X")
    assert outer["cat"] == "outer" and inner["cat"] == "stage" and outer["ts"] == inner["ts"]
    assert outer["ts"] + outer["dur"] >= inner["ts"] + inner["dur"]


def test_flow_runs_from_start_through_steps_to_finish(tmp_path):
    path = tmp_path / "t.json"
    with Tracer(path, HEADER) as tracer:
        one_of_each(tracer)
        tracer.flow(8, [("decode", 1.0)])  # nothing to link
        tracer.flow(9, [])
    flows = [e for e in load(path)["traceEvents"] if e.get("cat") == "flow"]
    assert [e["ph"] for e in flows] == ["s", "t", "f"] and {e["id"] for e in flows} == {7}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_the_file_is_valid_after_an_error(tmp_path, error):
    path = tmp_path / "t.json"
    with pytest.raises(error), Tracer(path, HEADER) as tracer:
        one_of_each(tracer)
        raise error
    assert load(path)["otherData"]["end"] == {"ended": error.__name__}
    assert len(events_of(path, "b")) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["t.json"]


def test_nothing_under_the_name_before_the_end(tmp_path):
    path = tmp_path / "t.json"
    with Tracer(path, HEADER) as tracer:
        one_of_each(tracer)
        assert not path.exists()
    assert load(path)


def test_a_trace_is_not_overwritten_unless_asked(tmp_path):
    path = tmp_path / "t.json"
    path.write_text("theirs")
    with pytest.raises(OutputError, match="exists already"):
        Tracer(path, HEADER)
    assert path.read_text() == "theirs"
    Tracer(path, HEADER, overwrite=True).close()
    assert load(path)


def test_a_full_disk_does_not_stop_the_run(tmp_path):
    tracer = Tracer(tmp_path / "t.json", HEADER)
    whole, calls = tracer._file, []

    class Full:
        def write(self, data):
            calls.append(data)
            raise OSError(errno.ENOSPC, "No space left on device")

    tracer._file = Full()
    one_of_each(tracer)
    with pytest.raises(OutputError, match="No space left"):
        tracer.close()
    assert len(calls) == 1 and whole.closed and not list(tmp_path.iterdir())


def test_close_twice_is_once_and_late_events_are_ignored(tmp_path):
    path = tmp_path / "t.json"
    tracer = Tracer(path, HEADER)
    tracer.close()
    before = path.read_bytes()
    one_of_each(tracer)
    tracer.close(ended="again")
    assert path.read_bytes() == before


def test_what_json_cannot_say_is_left_out_or_plain(tmp_path):
    path = tmp_path / "t.json"
    with Tracer(path, HEADER) as tracer:
        args = {"residual": math.nan, "granted_ms": np.float32(0.5), "steps": np.int64(3)}
        tracer.span(
            GRAPH, 'say "</script>" \u2028', 0.0, 1.0, frame=np.int64(4), caveats=[], **args
        )
        tracer.instant(GRAPH, "x", 0.0, value=math.inf, nested={"a": [math.nan, 1.0]}, path=path)
    (span,), (moment,) = events_of(path, "X"), events_of(path, "i")
    assert span["name"] == 'say "</script>" \u2028'
    assert span["args"] == {"frame": 4, "granted_ms": 0.5, "steps": 3}
    assert moment["args"] == {"nested": {"a": [None, 1.0]}, "path": str(path)}


def test_many_threads_write_whole_events(tmp_path):
    path = tmp_path / "t.json"

    def work(worker):
        for i in range(200):
            tracer.span(f"track {worker}", "stage", i, i + 0.5, frame=i)
            tracer.counter("queue", i, worker)

    with Tracer(path, HEADER) as tracer:
        threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    spans = events_of(path, "X")
    assert len(spans) == 1600 and len(events_of(path, "C")) == 1600
    for track in {e["tid"] for e in spans}:  # every thread's own events stay in order
        assert [e["args"]["frame"] for e in spans if e["tid"] == track] == list(range(200))


def test_memory_does_not_grow_with_events(tmp_path):
    with Tracer(tmp_path / "t.json", HEADER) as tracer:

        def write(frames):
            for i in range(frames):
                tracer.span(GRAPH, "bokeh", i, i + 0.01, frame=i, granted_ms=15.0, steps=4)
                tracer.frame(i, i, i + 0.02, fate="done", late=False)

        write(500)
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        write(3_000)  # 9,000 events: 1.4 MB in the file
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
    assert grown < 100_000
    size = (tmp_path / "t.json").stat().st_size
    assert size / 10_500 < 160  # bytes of an event


def test_same_calls_give_the_same_bytes(tmp_path):
    for name in "ab":
        with Tracer(tmp_path / name, HEADER) as tracer:
            one_of_each(tracer)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_wrong_words_are_refused(tmp_path):
    with pytest.raises(RequestError, match="measured or simulated"):
        TraceHeader(mode="guessed")
    with (
        Tracer(tmp_path / "t.json", HEADER) as tracer,
        pytest.raises(RequestError, match="fate: expected done, failed, dropped, cancelled"),
    ):
        tracer.frame(0, 0.0, 1.0, fate="lost")


def test_a_trace_fits_the_schema(tmp_path):
    path = tmp_path / "t.json"
    with Tracer(path, HEADER) as tracer:
        one_of_each(tracer)
        tracer.frame(9, 1.0, 1.1, [("sensor", 1.0, 1.02), ("graph", 1.03, 1.1)], fate="done")
    schema().validate(load(path))


@pytest.mark.parametrize(
    "broken",
    [
        {"ph": "X", "pid": 1, "name": "graph", "tid": 1, "ts": 0, "dur": -1, "cat": "stage"},
        {"ph": "b", "pid": 1, "name": "frame", "tid": 0, "ts": 0, "cat": "frame"},
        {"ph": "C", "pid": 1, "name": "queue", "ts": 0, "args": {}},
        {"ph": "?", "pid": 1, "name": "queue"},
    ],
)
def test_the_schema_refuses_what_no_viewer_understands(tmp_path, broken):
    path = tmp_path / "t.json"
    with Tracer(path, HEADER) as tracer:
        one_of_each(tracer)
    data = load(path)
    assert schema().is_valid(data)
    data["traceEvents"].append(broken)
    assert not schema().is_valid(data)


def test_phases_of_a_frame_lie_inside_its_slice(tmp_path):
    path = tmp_path / "t.json"
    with Tracer(path, HEADER) as tracer:
        tracer.frame(3, 1.0, 1.1, [("sensor", 1.0, 1.02), ("graph", 1.03, 1.1)], fate="done")
    slices = [(e["ph"], e["name"], e["ts"]) for e in load(path)["traceEvents"] if e.get("id") == 3]
    assert slices == [
        ("b", "frame", 1_000_000), ("b", "sensor", 1_000_000), ("e", "sensor", 1_020_000),
        ("b", "graph", 1_030_000), ("e", "graph", 1_100_000), ("e", "frame", 1_100_000),
    ]  # fmt: skip
