"""A watched folder: files are taken when they have settled, once, and events are hints only."""

import json
import os
import signal
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from camerapipe.batch import watching
from camerapipe.batch.listing import Found
from camerapipe.batch.order import FileStamp, Outcome, State
from camerapipe.batch.watching import Settling, Watch, events
from camerapipe.cli import cli

SETTLE_S, RESCAN_S = 2.0, 30.0


class Clock:
    """Time that passes only when it is waited for."""

    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s

    def wait(self, seconds):
        self.now_s += seconds


class FakeBatch:
    """Notes what it runs, and stops after some waits."""

    def __init__(self, clock):
        self.clock, self.taken, self.stopped = clock, [], False
        self.journal = self
        self.runs = 0

    def new_run(self):
        self.runs += 1

    def run(self, found):
        self.taken += [(Path(each.path).name, self.clock()) for each in found]


def scan_of(folder):
    return lambda: [Found(str(path), path.name) for path in sorted(folder.iterdir())]


def test_a_file_is_taken_once_when_it_has_settled(tmp_path):
    settling, scan = Settling(SETTLE_S), scan_of(tmp_path)
    file = tmp_path / "a.jpg"
    file.write_bytes(b"part")
    assert settling.take(scan(), 0.0) == [] and settling.next_s() == 2.0
    file.write_bytes(b"part and more")
    assert settling.take(scan(), 2.0) == [] and settling.next_s() == 4.0
    assert settling.take(scan(), 3.9) == []
    assert [each.relative for each in settling.take(scan(), 4.0)] == ["a.jpg"]
    assert settling.take(scan(), 10.0) == [] and settling.next_s() is None


@pytest.mark.parametrize("change", ["content", "recipe", "gone"])
def test_what_changes_is_taken_again(tmp_path, change):
    settling = Settling(0.0)
    file, recipe = tmp_path / "a.jpg", tmp_path / "a.recipe.toml"
    found = [Found(str(file), file.name)]
    file.write_bytes(b"first")
    assert settling.take(found, 0.0) == found and settling.take(found, 1.0) == []
    if change == "content":
        file.write_bytes(b"second")
    elif change == "recipe":
        recipe.write_text("format_version = 1")
    else:
        assert settling.take([], 2.0) == []
    assert settling.take(found, 3.0) == found


def test_scans_find_files_without_any_event(tmp_path):
    clock = Clock()
    batch = FakeBatch(clock)
    scans = []

    def scan():
        scans.append(clock())
        if len(scans) == 2:
            (tmp_path / "b.jpg").write_bytes(b"late")
        batch.stopped = len(batch.taken) == 2
        return scan_of(tmp_path)()

    (tmp_path / "a.jpg").write_bytes(b"first")
    Watch(batch=batch, scan=scan, settling=Settling(SETTLE_S), rescan_s=RESCAN_S,
          wait=clock.wait, clock=clock).run()  # fmt: skip
    assert batch.taken == [("a.jpg", 102.0), ("b.jpg", 104.0)] and batch.runs == 2
    assert scans == [100.0, 102.0, 104.0, 134.0]  # then only from time to time


def test_an_event_makes_the_next_scan_come_earlier(tmp_path):
    clock = Clock()
    batch = FakeBatch(clock)
    scans = []

    def scan():
        scans.append(clock())
        clock.wait(1.0)  # a large folder
        batch.stopped = len(scans) == 3
        return []

    def wait(seconds):
        clock.wait(seconds)
        return {"event"}

    Watch(batch=batch, scan=scan, settling=Settling(SETTLE_S), rescan_s=RESCAN_S, wait=wait,
          clock=clock).run()  # fmt: skip
    assert scans == [100.0, 105.0, 110.0]  # but a quarter of the time goes to scans at most


def test_events_of_the_file_system_are_heard(tmp_path):
    pytest.importorskip("watchfiles", reason="needs the extra batch")
    with events(str(tmp_path), recursive=False, polling=False) as wait:
        wait(0.1)  # it listens from here on
        (tmp_path / "a.jpg").write_bytes(b"new")
        assert any(wait(1.0) for _ in range(100))


@pytest.mark.parametrize("network", [True, False])
def test_a_network_drive_and_polling_have_no_events(tmp_path, monkeypatch, network):
    monkeypatch.setattr(watching, "is_network_drive", lambda folder: network)
    with events(str(tmp_path), recursive=False, polling=not network) as wait:
        assert not wait(0.001)


class FakeEngine:
    """Copies files instead of rendering them, and notes their names."""

    workers = 1
    names: list[str] = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def outcomes(self, orders, *, alone=False):
        for order in orders:
            self.names.append(Path(order.source).name)
            data = Path(order.source).read_bytes()
            if data == b"bad":
                yield order, Outcome(state=State.FAILED, message="it is bad")
                continue
            order.outputs.picture.write_bytes(data)
            stamp = FileStamp.of(order.source)
            yield order, Outcome(state=State.DONE, message="copied", file=stamp, digest=b"0",
                                 written=("picture",))  # fmt: skip


def watched(monkeypatch, folder, out, *steps):
    """Run the command; after each file that it names, a step happens, and Ctrl-C at the end."""
    script = [*steps, ("", lambda: os.kill(os.getpid(), signal.SIGINT))]
    FakeEngine.names = []

    @contextmanager
    def scripted(folder, **_):
        def wait(seconds):
            name, step = script[0]
            if not name or name in FakeEngine.names:
                del script[0]
                step()
            return True

        yield wait

    monkeypatch.setattr(watching, "events", scripted)
    monkeypatch.setattr(watching, "LEAST_WAIT_S", 0.0)
    monkeypatch.setattr("camerapipe.cli.watch.engine_in", lambda options, work: FakeEngine())
    monkeypatch.setattr("camerapipe.cli.watch.prepare", lambda **_: None)
    command = ["watch", str(folder), "-o", str(out), "--settle", "1ms", "--json"]
    result = CliRunner().invoke(cli, command)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    events = [(Path(each["source"]).name, each["event"]) for each in lines if "source" in each]
    return result.exit_code, events, result.stderr


def test_the_command_survives_a_restart_and_touches_no_input(tmp_path, monkeypatch):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"a")

    def add():
        (folder / "b.jpg").write_bytes(b"bad")

    steps = ("a.jpg", add), ("b.jpg", lambda: None)
    code, found, told = watched(monkeypatch, folder, out, *steps)
    assert (code, found) == (1, [("a.jpg", "done"), ("b.jpg", "failed")])
    assert "a.jpg: copied" in told and "it is bad" in told and "ending after" in told
    (folder / "b.jpg").write_bytes(b"good")
    code, found, _ = watched(monkeypatch, folder, out, ("b.jpg", lambda: None))
    assert (code, found) == (0, [("b.jpg", "done")])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "a.jpg": b"a", "b.jpg": b"good"
    }  # fmt: skip
    assert (out / "b_bokeh.jpg").read_bytes() == b"good"


def test_what_cannot_be_watched_is_told(tmp_path):
    for words, message in (
        ([str(tmp_path / "absent")], "expected a folder to watch"),
        ([str(tmp_path), "--settle", "soon"], "--settle"),
    ):
        result = CliRunner().invoke(cli, ["watch", *words, "-o", str(tmp_path / "out")])
        assert result.exit_code == 2 and message in result.stderr


def test_durations_may_be_plain_seconds():
    from camerapipe.cli.watch import _seconds

    assert (_seconds("--settle", "2"), _seconds("--settle", "500ms")) == (2.0, 0.5)
