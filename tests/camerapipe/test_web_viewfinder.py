"""The viewfinder behind its web socket: frames are accounted, changes act, nothing stays behind."""

import io
import threading
import time
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("starlette", reason='the extra "web" is not installed')
pytest.importorskip("httpx2", reason='the extra "test" is not installed')

from PIL import Image
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from camerapipe.errors import RequestError
from camerapipe.ingest import open_capture
from camerapipe.runtime import versions
from camerapipe.stream.replay import Recording
from camerapipe.stream.sinks import App
from camerapipe.web import live
from camerapipe.web.feed import CREDIT, Feed
from camerapipe.web.frames import palette
from camerapipe.web.messages import MessageError, pack, unpack
from camerapipe.web.serving import Serving
from camerapipe.web.site import site
from camerapipe.web.viewfinder import MOST_VIEWERS, Viewfinder
from camerapipe.web.views import Views, changes_of
from stages.bokeh import RadiusParams

TOKEN = "a-secret"
BASE = "http://127.0.0.1:8737"
SIZE = (240, 136)
PAN = {"op": "start", "source": "synthetic:pan", "profile": "large-phone", "run": 1}
SMALL = {"size": SIZE, "force": True}


class Page:
    """A page of the viewfinder, as far as its messages go; it shows frames at once."""

    def __init__(self, socket):
        self.socket, self.number, self.passed = socket, 0, []
        self.about, self.palette = self.receive("about")

    def receive(self, *ops):
        """The next message with one of these names."""
        for k, (fields, data) in enumerate(self.passed):
            if fields["op"] in ops:
                del self.passed[: k + 1]
                return fields, data
        self.passed.clear()
        while (message := self._next())[0]["op"] not in ops:
            pass
        return message

    def _next(self):
        message = unpack(self.socket.receive_bytes())
        if slot := message.fields.get("slot"):
            self.send({"op": "shown", "slot": slot})
        return message.fields | {"op": message.op, "id": message.id}, message.data

    def send(self, header, data=b""):
        self.socket.send_bytes(pack(header, data))

    def ask(self, header):
        """The answer to a wish; what comes before it is received later."""
        self.number += 1
        self.send({**header, "id": self.number})
        while (message := self._next())[0]["id"] != self.number:
            self.passed.append(message)
        return message[0]


class Site:
    """A server with a viewfinder, and what it opened in the studio."""

    def __init__(self, folder, options, given=None):
        self.opened = []

        async def open_file(path, name):
            self.opened.append((path, name, open_capture(path)))
            return SimpleNamespace(number="a-number")

        views = Views(given, {**SMALL, **options}, recordings=folder / "kept")
        self.part = Viewfinder(views, open_file)
        self.client = TestClient(
            site(Serving(token=TOKEN), [self.part]), base_url=BASE,
            headers={"origin": BASE, "cookie": f"camerapipe-8737={TOKEN}"},
        )  # fmt: skip

    def page(self):
        return self.client.websocket_connect("ws://127.0.0.1:8737/viewfinder/socket")


@pytest.fixture
def opened(tmp_path):
    """Open a site by the options of its streams."""
    sites = []

    def opened(given=None, **options):
        sites.append(Site(tmp_path, options, given))
        sites[-1].client.__enter__()
        return sites[-1]

    yield opened
    for each in sites:
        each.client.__exit__(None, None, None)
        assert not each.part.workplace.path.exists()
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("camerapipe-stream")]


def test_every_frame_has_an_end_and_the_report_agrees(opened):
    with opened(frames=12).page() as socket:
        page = Page(socket)
        assert {"camera", "synthetic:pan"} <= {each["id"] for each in page.about["sources"]}
        assert page.palette == palette() and len(page.palette) == 3 * 256
        page.send({"op": "look", "map": True, "peaking": True, "id": 99})
        page.send({**PAN, "budget_ms": 60, "id": 100})
        frames = []
        while (message := page.receive("frame", "ended"))[0]["op"] == "frame":
            frames.append(message)
        ended = message[0]
        counts, report = ended["counts"], ended["report"]
        assert report["submitted"] == 12 == sum(report[f] for f in ("done", "dropped"))
        assert (counts["done"], counts["dropped"]) == (report["done"], report["dropped"])
        assert sum(counts["drops"].values()) == counts["dropped"]
        assert counts["sent"] + counts["superseded"] == counts["done"]
        assert len(frames) == counts["sent"] >= counts["shown"]
        header, data = frames[-1]
        file, codes = data[: header["picture_bytes"]], data[header["picture_bytes"] :]
        assert Image.open(io.BytesIO(file)).size == tuple(header["frame"]) == SIZE
        sizes = [header[name]["width"] * header[name]["height"] for name in ("map", "peaking")]
        assert len(codes := zlib.decompress(codes)) == sum(sizes)
        assert set(codes[sizes[0] :]) != {0}  # somewhere detail is sharp
        assert header["budget_ms"] == 60 and header["reason"] and header["advice"]["text"]
        assert header["heat"]["temperature_c"] > 20 and "hyperfocal_m" in header["optics"]


def test_the_numbers_of_an_ended_stream_include_a_frame_that_is_being_sent(opened, monkeypatch):
    packed = live.packed

    def slowly(*given):
        time.sleep(0.3)
        return packed(*given)

    monkeypatch.setattr(live, "packed", slowly)
    with opened(frames=3).page() as socket:
        page = Page(socket)
        page.send({**PAN, "id": 100})
        while (message := page.receive("frame", "ended"))[0]["op"] == "frame":
            pass
        counts = message[0]["counts"]
        assert counts["sent"] + counts["superseded"] == counts["done"] > 0


def test_the_newest_frame_wins_where_the_browser_is_slow(opened):
    with opened(frames=8).page() as socket:
        page = Page(socket)
        page.send({**PAN, "budget_ms": None, "rung": "draft", "id": 1})
        seen = []
        while (message := unpack(socket.receive_bytes())).op != "ended":
            seen += [message.fields["seq"]] if message.op == "frame" else []
        counts = message.fields["counts"]
        assert counts["sent"] == len(seen) <= 3 and counts["shown"] == 0
        assert counts["done"] - counts["superseded"] - counts["sent"] in (0, 1)  # one may wait


def test_sliders_act_and_a_recording_replays_to_the_byte(opened, tmp_path):
    with opened().page() as socket:
        page = Page(socket)
        page.ask({**PAN, "budget_ms": 200})
        page.receive("frame")
        answer = page.ask({"op": "record"})
        folder = Path(answer["folder"])
        for strength in (3, 4.5, 6):
            page.receive("frame")
            page.ask(
                {"op": "change", "strength": strength, "rung": "draft" if strength > 4 else ""}
            )
        assert "end that first" in page.ask({"op": "record"})["error"]
        while page.receive("frame")[0]["rung"] != "draft":
            pass
        page.receive("frame")
        answer = page.ask({"op": "end_recording"})
        assert answer["folder"] == str(folder)
        page.ask({"op": "stop"})
        ended, _ = page.receive("ended")
        assert ended["report"]["ended"] == "stopped" and ended["run"] == 1 and ended["traced"]
        source = f"recording:{folder.name}"
        assert source in {each["id"] for each in answer["sources"]}
        page.ask({**PAN, "source": source, "rung": "draft", "budget_ms": None, "run": 2})
        again, _ = page.receive("ended")
        assert again["report"]["submitted"] == len(Recording.open(folder).shown)
        assert not again["report"]["failed"]
    recording = Recording.open(folder)
    asked = (recording.recorded_at(seq).request.settings for seq in recording.shown)
    strengths = {settings.params[RadiusParams].strength for settings in asked}
    assert 6 in strengths and len(strengths) > 1
    found = recording.replay(App(lambda shown: None), versions=versions())
    assert found.frames > 2 and not found.differing


def test_the_shutter_takes_the_newest_frame_without_loss(opened):
    site = opened()
    with site.page() as socket:
        page = Page(socket)
        assert "no frame yet" in page.ask({"op": "shutter"})["error"]
        page.ask({**PAN, "profile": None, "budget_ms": None, "rung": "draft"})
        page.receive("frame")
        assert page.ask({"op": "shutter"})["picture"] == "a-number"
        path, name, capture = site.opened[0]
        assert name.startswith("pan_") and capture.linear.shape == (*SIZE[::-1], 3)
        viewer = next(iter(site.part._viewers.values()))
        again = viewer.live.newest.frame.capture
        assert path.suffix == ".png" and again.bit_depth == 8
        page.ask({"op": "stop"})
        page.receive("ended")
        last = page.ask({"op": "shutter"})
        assert last["picture"] and np.array_equal(
            site.opened[-1][2].linear, viewer.live.newest.frame.capture.linear
        )


def test_a_folder_of_photographs_is_taken_by_its_own_files(opened, tmp_path):
    from PIL import Image

    folder = tmp_path / "shots"
    folder.mkdir()
    for k in range(2):
        Image.new("RGB", (64, 48), (50 * k, 80, 90)).save(folder / f"{k}.png")
    site = opened(given=str(folder))
    with site.page() as socket:
        page = Page(socket)
        assert page.about["sources"][0] == {"id": "given", "label": "shots"}
        page.ask({"op": "start", "source": "given", "profile": "large-phone"})
        page.receive("ended")
        page.ask({"op": "shutter"})
        assert site.opened[0][0] == folder / "1.png"


def test_frames_of_the_page_come_by_credit(opened):
    with opened().page() as socket:
        page = Page(socket)
        page.send({"op": "start", "source": "camera", "rung": "draft", "budget_ms": None, "id": 1})
        rgba = np.full((136, 240, 4), 90, np.uint8)
        credit = sent = shown = 0
        while shown < 3:
            message, data = page.receive("more", "frame")
            shown += message["op"] == "frame"
            credit += message.get("frames", 0) if message["op"] == "more" else 0
            while credit and sent < 20:
                page.send({"op": "frame", "width": 240, "height": 136}, rgba.tobytes())
                credit, sent = credit - 1, sent + 1
        page.ask({"op": "stop"})
        report = page.receive("ended")[0]["report"]
        assert report["submitted"] <= sent and report["done"] >= 3 and not report["failed"]


def test_frames_that_are_none_end_the_connection():
    feed = Feed(lambda: None)
    for fields, data in (
        ({}, b""), ({"width": 2, "height": 2}, b"123"), ({"width": "2", "height": 2}, b""),
        ({"width": 5000, "height": 5000}, b""), ({"width": 0, "height": 2}, b""),
    ):  # fmt: skip
        with pytest.raises(MessageError, match="frame: expected"):
            feed.put(fields, data)
    for _ in range(CREDIT):
        feed.put({"width": 1, "height": 1}, b"abcd")
    with pytest.raises(MessageError, match="more frames than"):
        feed.put({"width": 1, "height": 1}, b"abcd")
    assert next(feed).tolist() == [[[97, 98, 99]]]
    feed.close()
    assert len(list(feed)) == 1


def test_trace_and_report_are_there_while_it_runs_and_after(opened):
    site = opened()
    with site.page() as socket:
        page = Page(socket)
        where = f"/viewfinder/{page.about['viewer']}"
        assert site.client.get(f"{where}/trace.json").status_code == 404
        page.ask({**PAN, "budget_ms": 100})
        for _ in range(3):
            page.receive("frame")
        trace = site.client.get(f"{where}/trace.json")
        assert trace.headers["content-disposition"].startswith("attachment")
        assert trace.json()["otherData"]["run"]["profile"] == "large-phone"
        page.ask({"op": "stop"})
        page.receive("ended")
        report = site.client.get(f"{where}/report.html")
        assert "<h1>synthetic:pan</h1>" in report.text
        policy = report.headers["content-security-policy"]
        assert "'sha256-" in policy and "script-src 'unsafe-inline'" not in policy
    assert site.client.get(f"{where}/trace.json").status_code == 404


def test_a_long_run_keeps_the_newest_part_of_its_trace(opened, monkeypatch):
    monkeypatch.setattr("camerapipe.web.tracing.MOST_FRAMES", 5)
    site = opened(frames=12)
    with site.page() as socket:
        page = Page(socket)
        page.ask({**PAN, "budget_ms": 100})
        page.receive("ended")
        trace = site.client.get(f"/viewfinder/{page.about['viewer']}/trace.json").json()
        numbers = {e["id"] for e in trace["traceEvents"] if e.get("cat") == "frame"}
        assert max(numbers) == 11 and len(numbers) <= 5
        viewer = next(iter(site.part._viewers.values()))
        assert len(list(viewer.folder.glob("*/trace-*.json"))) == 1


@pytest.mark.slow
def test_a_simulated_camera_obeys_and_takes_a_still(opened, tmp_path):
    site = opened()
    with site.page() as socket:
        page = Page(socket)
        page.ask({**PAN, "source": "simulate:portrait", "rung": "draft", "budget_ms": None})
        ranges = page.receive("started")[0]["camera"]
        low, high = ranges["exposure_time_ns"]
        folder = Path(page.ask({"op": "record"})["folder"])
        assert page.receive("frame")[0]["camera"]["af_state"] == "scanning"
        wanted = {"exposure_time_ns": (low + high) // 2, "focus_distance_dpt": 2.5}
        assert "error" not in page.ask({"op": "camera", "controls": wanted})
        while True:
            camera = page.receive("frame")[0]["camera"]
            if wanted.items() <= camera.items() and camera["ae_state"] == "converged":
                break
        page.ask({"op": "camera", "controls": {"focus_distance_dpt": None, "ae_lock": True}})
        page.ask({"op": "focus", "point": [120, 68]})
        while (camera := page.receive("frame")[0]["camera"])["af_state"] != "scanning":
            pass
        while (camera := page.receive("frame")[0]["camera"])["af_state"] == "scanning":
            pass
        assert camera["ae_state"] == "locked"
        for controls, told in (
            ({"zoom": 2}, "zoom cannot be 2"), ({"ae_lock": 1}, "ae_lock cannot be 1"),
            ({"sensitivity": "9"}, "sensitivity cannot be '9'"), ([], "controls by name"),
            ({"sensitivity": -9}, "expected a number from 1"),
        ):  # fmt: skip
            assert told in page.ask({"op": "camera", "controls": controls})["error"]
        assert "a point (x, y)" in page.ask({"op": "focus", "point": 3})["error"]
        assert page.ask({"op": "shutter"})["picture"] == "a-number"
        path, name, capture = site.opened[0]
        assert name.endswith(".dng") and capture.linear.shape == (*SIZE[::-1], 3)
        page.ask({"op": "stop"})
        ended, _ = page.receive("ended")
        report, counts = ended["report"], ended["counts"]
        assert report["done"] == counts["done"] and report["ended"] == "stopped"
    found = Recording.open(folder).replay(App(lambda shown: None), versions=versions())
    assert found.frames > 3 and not found.differing


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"source": "/etc/passwd"}, "source '/etc/passwd' does not exist"),
        ({"source": "given"}, "source 'given' does not exist"),
        ({"strength": "2"}, "strength: expected a number"),
        ({"budget_ms": -5}, "budget"),
        ({"lens": {"focal_mm": 50, "sensor": "1"}}, "'f_number' is missing"),
        ({"lens": {"focal_mm": 50, "f_number": 2, "sensor": "huge"}}, "sensor 'huge'"),
        ({"lens": {"focal_mm": -1, "f_number": 2, "sensor": "1"}}, "focal_length_mm"),
    ],
)
def test_a_wish_that_cannot_be_met_is_told(opened, wish, told):
    with opened().page() as socket:
        page = Page(socket)
        try:
            changes_of(wish)
        except RequestError as error:
            assert told in str(error)
        answer = page.ask({**PAN, **wish})
        error = answer.get("error") or page.receive("ended")[0]["error"]
        assert told in error


def test_what_is_typed_of_the_optics_is_answered_and_used(opened):
    with opened().page() as socket:
        page = Page(socket)
        lens = {"focal_mm": 50, "f_number": 2, "sensor": "full-frame"}
        facts = page.ask({"op": "optics", "lens": lens, "distance_m": 1})["facts"]
        assert facts["hyperfocal_m"] == pytest.approx(43.4, rel=0.01)
        assert facts["background_blur_px"] == pytest.approx(44.66, rel=1e-3)
        told = page.ask({"op": "optics", "lens": lens, "distance_m": 0.01})["error"]
        assert "distance must exceed" in told
        page.ask({**PAN, "lens": lens, "distance_m": 2})
        assert page.receive("frame")[0]["optics"]["lens"] == "50 mm f/2"
        page.ask({"op": "optics", "lens": {**lens, "focal_mm": 85}, "distance_m": 2})
        while page.receive("frame")[0]["optics"]["lens"] != "85 mm f/2":
            pass


def test_an_unknown_message_ends_the_connection(opened):
    with opened().page() as socket:
        page = Page(socket)
        page.send({"op": "fly"})
        with pytest.raises(WebSocketDisconnect) as ended:
            page.receive("answer")
        assert ended.value.code == 1008


def test_the_oldest_page_gives_way(opened):
    site = opened()
    pages = [site.page() for _ in range(MOST_VIEWERS + 1)]
    sockets = [page.__enter__() for page in pages]
    try:
        Page(sockets[-1])
        sockets[0].receive_bytes()
        with pytest.raises(WebSocketDisconnect) as ended:
            sockets[0].receive_bytes()
        assert ended.value.code == 4000 and "more tabs" in ended.value.reason
    finally:
        for page in pages:
            page.__exit__(None, None, None)


def test_a_page_that_goes_ends_its_stream(opened):
    site = opened()
    with site.page() as socket:
        page = Page(socket)
        page.ask(PAN)
        page.receive("frame")
        viewer = next(iter(site.part._viewers.values()))
        stream = viewer.live.stream
    for _ in range(200):
        if not viewer.folder.exists():
            break
        time.sleep(0.05)
    assert stream._ran and not viewer.folder.exists()
