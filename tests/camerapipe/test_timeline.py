"""The report of a trace: read back exactly, summed up right, shown safely and alone."""

import dataclasses
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from click.testing import CliRunner

from camerapipe.cli import cli, main
from camerapipe.errors import CaptureError
from camerapipe.timeline import drawing, page, read_trace, summarise
from camerapipe.timeline.page import embedded
from camerapipe.timeline.summary import Quantiles
from camerapipe.trace import GRAPH, TraceHeader, Tracer

SIMULATED = TraceHeader(
    mode="simulated",
    source="synthetic:pull",
    profile="phone",
    scale_range=(1.3, 1.9),
    budget_ms=30.0,
    interval_ms=100.0,
)
EVIL = "</script><script>alert(1)</script><!-- & \u2028"


def write(path, run=SIMULATED, **end):
    """Five frames, 100 ms apart: three done (one late, one contended), one dropped, one failed."""
    tracer = Tracer(path, run)
    for seq, stages in enumerate([(10.0, 15.0), (12.0, 17.0), (20.0, 25.0)]):
        start = captured = seq * 0.1
        tracer.span("decode", "decode", start, start + 0.005, frame=seq)
        start += 0.005
        tracer.span(GRAPH, f"frame {seq}", start, start + sum(stages) / 1000, frame=seq, outer=True)
        for name, ms in zip(("propagate", "bokeh"), stages, strict=True):
            told = {"granted_ms": 14.0, "steps": 3 + seq} if name == "propagate" else {}
            flags = ["overrun", "unfinished"] if seq == 2 and name == "propagate" else []
            tracer.span(GRAPH, name, start, start + ms / 1000, frame=seq, caveats=flags, **told)
            start += ms / 1000
        tracer.frame(
            seq, captured, start, fate="done", late=seq == 1, contended=seq == 2, rung="full",
            spent_ms=sum(stages), budget_ms=28.0, step_ms=2.0,
        )  # fmt: skip
    tracer.frame(3, 0.3, 0.35, fate="dropped", stage="ingest", reason="newer", lateness_ms=50.0)
    tracer.frame(4, 0.4, 0.41, fate="failed", stage="decode", reason="CaptureError")
    tracer.instant(GRAPH, "scene change", 0.25, score=0.5)
    for at, depth in enumerate((0, 2, 1)):
        tracer.counter("queue", at * 0.1, depth)
    tracer.close(**end)
    return path


@pytest.fixture
def trace(tmp_path):
    return read_trace(write(tmp_path / "t.json"))


class TestReading:
    def test_what_was_written_is_read(self, trace):
        assert trace.header == SIMULATED and trace.end == {"ended": "complete"}
        assert [frame.fate for frame in trace.frames] == ["done"] * 3 + ["dropped", "failed"]
        last = trace.frames[2]
        assert (last.spent_ms, last.late, last.contended, last.rung) == (45.0, False, True, "full")
        assert last.captured_s == pytest.approx(0.2) and last.latency_ms == pytest.approx(50.0)
        dropped = trace.frames[3]
        assert (dropped.stage, dropped.reason, dropped.lateness_ms) == ("ingest", "newer", 50.0)
        assert np.isnan(dropped.spent_ms) and dropped.rung is None

    def test_spans_are_columns_in_the_order_of_their_start(self, trace):
        spans = trace.spans
        assert len(spans.ms) == 12 and int(spans.outer.sum()) == 3
        assert np.all(np.diff(spans.start_s) >= 0)
        bokeh = spans.where(spans.kind == trace.kinds.index((GRAPH, "bokeh")))
        np.testing.assert_allclose(bokeh.ms, [15, 17, 25], atol=1e-9)
        assert bokeh.frame.tolist() == [0, 1, 2] and np.isnan(bokeh.granted_ms).all()
        slow = spans.where(spans.steps == 5)
        assert trace.caveats[slow.caveats[0]] == ("overrun", "unfinished")

    def test_neighbouring_spans_stay_neighbours(self, tmp_path):
        with Tracer(tmp_path / "t.json", SIMULATED) as tracer:
            edges = np.cumsum(np.full(500, 1e-3 / 7))
            for start, end in zip(edges, edges[1:], strict=False):
                tracer.span(GRAPH, "step", start, end)
        text = json.loads((tmp_path / "t.json").read_text())
        spans = [e for e in text["traceEvents"] if e["ph"] == "X"]
        for before, after in zip(spans, spans[1:], strict=False):
            assert round(before["ts"] + before["dur"], 3) == after["ts"]

    def test_moments_and_counters(self, trace):
        (moment,) = trace.moments
        assert (moment.track, moment.name, moment.args) == (GRAPH, "scene change", {"score": 0.5})
        times, values = trace.counters["queue"]
        np.testing.assert_allclose(times, [0, 0.1, 0.2])
        np.testing.assert_allclose(values, [0, 2, 1])

    def test_any_layout_of_the_json_is_read(self, tmp_path, trace):
        data = json.loads((tmp_path / "t.json").read_text())
        (tmp_path / "pretty.json").write_text(json.dumps(data, indent=2, sort_keys=True))
        assert summarise(read_trace(tmp_path / "pretty.json")) == summarise(trace)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "is not JSON"),
            ('{"traceEvents":[', "is not JSON, or was cut off"),
            ('{"traceEvents":[{"ph":"X","ts":NaN}]}', "is not JSON"),
            ("[" * 100_000, "is not JSON"),
            ("\udcff", "is not JSON"),
            ("[]", "is not a Chrome trace"),
            ('{"a":1}', "is not a Chrome trace"),
            ('{"traceEvents":[]}', "not of camerapipe"),
            ('{"traceEvents":[{"ph":"X"}],"otherData":{"format":"other"}}', "not of camerapipe"),
            ('{"traceEvents":[],"otherData":{"format":"camerapipe-trace/1"}}', "what was run"),
            ('{"traceEvents":[],"otherData":{"format":"camerapipe-trace/1","run":{"mode":"x"}}}',
             "measured or simulated"),
        ],
    )  # fmt: skip
    def test_what_is_no_trace_is_refused(self, tmp_path, text, message):
        path = tmp_path / "bad.json"
        path.write_text(text, "utf-8", errors="surrogateescape")
        with pytest.raises(CaptureError, match=message) as caught:
            read_trace(path)
        assert str(path) in str(caught.value) and len(str(caught.value)) < 300

    @pytest.mark.parametrize(
        ("event", "message"),
        [
            ('{"ph":"X","cat":"stage","name":"a","tid":1,"ts":0}', "event 1 .*'dur'"),
            ('{"ph":"X","cat":"stage","name":"a","tid":1,"ts":1e999,"dur":1}', "infinite"),
            ('{"ph":"X","cat":"stage","name":"a","tid":1,"ts":"x","dur":1}', "event 1"),
            ('{"ph":"b","id":1,"ts":0,"args":{"fate":"lost","latency_ms":1}}', "fate 'lost'"),
            ('{"ph":"b","id":1,"ts":0,"args":{"fate":"done"}}', "latency_ms"),
            ('{"ph":"C","name":"q","ts":0,"args":[]}', "event 1"),
        ],
    )
    def test_events_that_make_no_sense_are_named(self, tmp_path, event, message):
        path = tmp_path / "bad.json"
        told = '{"format":"camerapipe-trace/1","run":{"mode":"measured"}}'
        path.write_text(f'{{"traceEvents":[{event}],"otherData":{told}}}')
        with pytest.raises(CaptureError, match=message):
            read_trace(path)

    def test_a_frame_ends_once(self, tmp_path):
        with Tracer(tmp_path / "t.json", SIMULATED) as tracer:
            for _ in range(2):
                tracer.frame(7, 0.0, 0.1, fate="done")
        with pytest.raises(CaptureError, match="frame 7 ends twice"):
            read_trace(tmp_path / "t.json")

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(CaptureError, match=r"none\.json: cannot be read"):
            read_trace(tmp_path / "none.json")

    def test_times_begin_with_zero(self, trace):
        later = dataclasses.replace(
            trace,
            frames=tuple(f._replace(captured_s=f.captured_s + 7) for f in trace.frames),
            spans=dataclasses.replace(trace.spans, start_s=trace.spans.start_s + 7),
            moments=tuple(m._replace(at_s=m.at_s + 7) for m in trace.moments),
            counters={name: (at + 7, v) for name, (at, v) in trace.counters.items()},
        )
        found = later.from_zero()
        assert found.frames[0].captured_s == 0
        assert found.spans.start_s == pytest.approx(trace.spans.start_s)
        assert found.moments[0].at_s == pytest.approx(trace.moments[0].at_s)
        assert found.counters["queue"][0] == pytest.approx(trace.counters["queue"][0])


class TestSummary:
    def test_numbers_by_hand(self, trace):
        summary = summarise(trace)
        assert summary.frames == 5
        assert summary.fates == {"done": 3, "failed": 1, "dropped": 1, "cancelled": 0}
        # captures at 0, 100, .. 400 ms; ends of done frames at 30, 134 and 250 ms
        assert summary.offered_fps == pytest.approx(10.0)
        assert summary.fps == pytest.approx(2 / 0.220)
        assert summary.duration_s == pytest.approx(0.41)
        assert summary.latency_ms is not None and summary.spent_ms is not None
        assert summary.latency_ms.median == pytest.approx(34.0)
        assert summary.latency_ms.p95 == pytest.approx(34.0 + 0.9 * 16.0)
        assert summary.latency_intervals == pytest.approx(0.484)
        assert summary.spent_ms.largest == pytest.approx(45.0)
        # budget 28 ms: of the two frames of their own time 25 ms is within, 29 ms only with a step
        assert (summary.within_budget, summary.within_step) == (0.5, 1.0)
        assert (summary.late, summary.contended) == (1, 1)
        assert summary.moments == {"scene change": 1} and summary.peaks == {"queue": 2.0}
        assert summary.rungs == {"full": 3}

    def test_late_and_within_budget_agree(self, trace, tmp_path):
        """Also where a frame spent more than its budget and no flag says that it was late."""
        summary = summarise(trace)
        judged = summary.fates["done"] - summary.contended
        assert summary.within_budget == pytest.approx(1 - summary.late / judged)
        unflagged = tuple(frame._replace(late=False) for frame in trace.frames)
        again = summarise(dataclasses.replace(trace, frames=unflagged))
        assert (again.late, again.within_budget) == (summary.late, summary.within_budget)

    def test_stages_by_hand(self, trace):
        rows = summarise(trace).stages
        assert [(row.track, row.name) for row in rows] == [
            ("decode", "decode"), (GRAPH, "propagate"), (GRAPH, "bokeh"),
        ]  # fmt: skip
        propagate = rows[1]
        assert (propagate.count, propagate.granted_ms, propagate.steps) == (3, 14.0, 4.0)
        assert (propagate.overruns, propagate.fallbacks, propagate.unfinished) == (1, 0, 1)
        assert propagate.ms.median == pytest.approx(12.0)
        assert propagate.share == pytest.approx(42 / (15 + 42 + 57))
        assert sum(row.share for row in rows) == pytest.approx(1)

    def test_losses_by_hand(self, trace):
        failed, dropped = sorted(summarise(trace).losses, key=lambda row: row.stage)
        assert (failed.fate, failed.reason, failed.count) == ("failed", "CaptureError", 1)
        assert failed.lateness_ms is None
        assert (dropped.stage, dropped.reason) == ("ingest", "newer")
        assert dropped.lateness_ms == Quantiles(50.0, 50.0, 50.0, 50.0)

    def test_nothing_at_all(self, tmp_path):
        Tracer(tmp_path / "t.json", TraceHeader(mode="measured")).close()
        summary = summarise(read_trace(tmp_path / "t.json"))
        assert summary.frames == 0 and summary.latency_ms is None and summary.fps is None
        assert summary.within_budget is None and summary.stages == () and summary.losses == ()

    def test_as_plain_data(self, trace):
        data = json.loads(json.dumps(summarise(trace).to_dict(), allow_nan=False))
        assert data["fates"]["done"] == 3 and data["run"]["mode"] == "simulated"


class TestDrawing:
    def long(self, tmp_path, count):
        with Tracer(tmp_path / "long.json", SIMULATED) as tracer:
            for seq in range(count):
                ms = 40.0 if 9_000 <= seq < 9_050 else 20.0
                tracer.span(GRAPH, "bokeh", seq, seq + ms / 1000, frame=seq)
                tracer.frame(seq, seq, seq + ms / 1000, fate="done", spent_ms=ms)
                tracer.counter("queue", seq, 7 if seq == 5_001 else seq % 2)
        return read_trace(tmp_path / "long.json")

    def test_short_runs_are_whole(self, trace):
        drawn = drawing.drawing(trace, summarise(trace))
        assert len(drawn["frames"]) == 5 and len(drawn["spans"]) == 12 and drawn["gaps"] == []
        assert drawn["stacks"]["size"] == 1
        means = [group[3] for group in drawn["stacks"]["groups"]]
        assert means == [[10, 15], [12, 17], [20, 25]]
        assert sum(drawn["latency"]["counts"]) == 3

    def test_long_runs_are_thinned_and_say_so(self, tmp_path):
        trace = self.long(tmp_path, 12_000)
        summary = summarise(trace)
        drawn = drawing.drawing(trace, summary)
        shown = [row[0] for row in drawn["frames"]]
        assert len(shown) <= drawing.MAX_FRAMES < 12_000 and shown == sorted(shown)
        assert set(range(9_000, 9_050)) <= set(shown)  # the worst stretch is there
        assert {row[2] for row in drawn["spans"]} == set(shown)
        # every frame is either shown or within a gap
        gaps = [(a / 1000, b / 1000) for a, b in drawn["gaps"]]
        left_out = sorted(set(range(12_000)) - set(shown))
        assert left_out and all(any(a <= seq < b for a, b in gaps) for seq in left_out)
        assert not any(a <= seq < b for a, b in gaps for seq in shown[::50])
        # charts count every frame; a counter keeps its peak
        assert sum(drawn["latency"]["counts"]) == 12_000 == summary.frames
        assert drawn["stacks"]["size"] == 20
        assert max(value for _, value in drawn["counters"]["queue"]) == 7
        html = page(trace)
        assert f"{len(shown):,} of 12,000 frames are shown" in html and len(html) < 5_000_000

    def test_the_end_of_a_long_run_is_shown(self, tmp_path):
        drawn = drawing.drawing(trace := self.long(tmp_path, 10_020), summarise(trace))
        assert drawn["frames"][-1][0] == 10_019 and drawn["frames"][0][0] == 0


class Elements(HTMLParser):
    """Tags with their attributes, and the text of scripts."""

    def __init__(self, html):
        super().__init__()
        self.found, self.scripts = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, text):
        if self.scripts and self.found[-1][0] == "script":
            self.scripts[-1] += text


class TestPage:
    def test_loads_nothing(self, trace):
        html = page(trace)
        elements = Elements(html)
        for tag, attributes in elements.found:
            assert tag not in ("img", "iframe", "object", "embed", "audio", "video")
            for name in ("src", "href", "action"):
                assert attributes.get(name, "data:,") == "data:,"
        links = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"]*", html))
        assert links == {"http://www.w3.org/2000/svg"}  # a name, nothing that is loaded
        assert "default-src 'none'" in html
        assert "@import" not in html and "url(" not in html

    def test_evil_names_stay_text(self, tmp_path):
        run = TraceHeader(mode="measured", source=EVIL, settings={EVIL: EVIL})
        with Tracer(tmp_path / "t.json", run) as tracer:
            tracer.span(GRAPH, EVIL, 0.0, 0.1, frame=0)
            tracer.instant(GRAPH, EVIL, 0.0, text=EVIL)
            tracer.counter(EVIL, 0.0, 1)
            tracer.frame(0, 0.0, 0.1, fate="failed", stage=EVIL, reason=EVIL)
        html = page(read_trace(tmp_path / "t.json"))
        elements = Elements(html)
        assert [tag for tag, _ in elements.found].count("script") == 2
        assert "alert(1)</script>" not in html and "<!--" not in html.replace("<!DOCTYPE", "")
        data = json.loads(elements.scripts[0])
        assert data["kinds"] == [[GRAPH, EVIL]] and EVIL in data["words"]

    def test_embedded_json_is_the_same_data(self):
        data = {"a": EVIL, "b": [1, 2.5, None]}
        assert json.loads(embedded(data)) == data
        assert not set(embedded(data)) & set("<>&\u2028")

    def test_says_what_the_times_are(self, tmp_path, trace):
        html = page(trace)
        assert "<strong>simulated</strong>" in html and "<strong>measured</strong>" not in html
        assert "profile phone, CPU scale 1.3 to 1.9, not calibrated" in html
        measured = page(read_trace(write(tmp_path / "m.json", TraceHeader(mode="measured"))))
        assert "<strong>measured</strong>" in measured and "calibrated" not in measured

    def test_says_how_a_broken_run_ended(self, tmp_path, trace):
        assert "the numbers cover the frames until then" not in page(trace)
        broken = page(read_trace(write(tmp_path / "b.json", ended="KeyboardInterrupt")))
        assert "ended by KeyboardInterrupt" in broken
        stopped = page(read_trace(write(tmp_path / "s.json", ended="stopped")))
        assert "The run was stopped; the numbers cover the frames until then." in stopped

    def test_says_why_no_budget_was_judged(self, tmp_path):
        for budget_ms, why in ((None, "none was given"), (10.0, "none could be judged")):
            path = tmp_path / f"{budget_ms}.json"
            with Tracer(path, TraceHeader(mode="measured", budget_ms=budget_ms)) as tracer:
                tracer.frame(0, 0.0, 0.1, fate="done", budget_ms=budget_ms, contended=True)
            assert f"of done frames; {why}; " in page(read_trace(path))

    def test_numbers_are_text_without_a_script(self, trace):
        html = re.sub(r"(?s)<script.*?</script>", "", page(trace))
        text = re.sub(r"<[^>]+>", " ", html)
        for told in ("of 5: 1 failed, 1 dropped, 0 cancelled", "100 % with one step more", "1 late",
                     "1 contended", "propagate", "CaptureError", "9.09", "queue 2"):  # fmt: skip
            assert told in text, told

    def test_same_trace_same_bytes(self, tmp_path, trace):
        assert page(trace) == page(read_trace(write(tmp_path / "again.json")))

    def test_an_empty_trace_has_a_page(self, tmp_path):
        Tracer(tmp_path / "t.json", TraceHeader(mode="measured")).close()
        assert "All 0 frames are shown" in page(read_trace(tmp_path / "t.json"))


class TestCommand:
    def run(self, *args):
        return CliRunner().invoke(cli, ["report", *map(str, args)])

    def code(self, *args):
        with pytest.raises(SystemExit) as left:
            main(["report", *map(str, args)])
        return left.value.code

    def test_page_and_numbers(self, tmp_path):
        source, target = write(tmp_path / "t.json"), tmp_path / "t.html"
        result = self.run(source, "-o", target, "--json", "-q")
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["frames"] == 5
        assert target.read_text("utf-8") == page(read_trace(source))
        assert self.code(source, "-o", target) == 5  # never overwritten unless asked
        assert self.code(source, "-o", target, "--overwrite", "-q") == 0

    def test_exit_codes(self, tmp_path, capsys):
        source = write(tmp_path / "t.json")
        assert self.code(source) == 2
        assert self.code(tmp_path / "none.json", "--json") == 3
        assert self.code(source, "-o", tmp_path / "t.pdf") == 5
        assert self.code(source, "-o", tmp_path / "no" / "t.html") == 5
        (tmp_path / "bad.json").write_text("{}")
        assert self.code(tmp_path / "bad.json", "-o", tmp_path / "b.html") == 3
        assert "not a Chrome trace" in capsys.readouterr().err
        assert not list(tmp_path.glob("*.html"))
