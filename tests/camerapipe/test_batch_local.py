"""Batches in worker processes: faults cost their file only, and the command as a person uses it."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("pebble", reason="needs the extra batch")

from camerapipe.assembly import Request
from camerapipe.batch.local import LocalEngine
from camerapipe.batch.order import Asked, Order, State, Work
from camerapipe.errors import WorkersError
from camerapipe.naming import Outputs
from camerapipe.recipe import resolve_with

HELPERS = Path(__file__).parent / "workers"


@pytest.fixture
def engine(monkeypatch):
    """Makes engines whose workers do what the names of sources say."""
    monkeypatch.syspath_prepend(str(HELPERS))
    import batch_faults

    def make(prepare=batch_faults.prepare, **values):
        options = {"workers": 2, "memory_bytes": 1000, "largest_bytes": 1500, "timeout_s": 60}
        work = Work(asked=Asked(request=Request(settings=resolve_with(None))))
        return LocalEngine(
            work, **{**options, **values}, perform=batch_faults.perform, prepare=prepare
        )

    return make


def orders(folder, *names):
    for number, name in enumerate(names):
        yield Order(
            number=number, source=f"/in/{name}.jpg", outputs=Outputs(picture=folder / f"{name}.jpg")
        )


def performed(engine, orders, **options):
    ended = filter(None, engine.outcomes(orders, **options))
    return {Path(order.source).stem: outcome for order, outcome in ended}


def test_faults_cost_their_file_only(engine, tmp_path):
    names = ["a", "killed", "b", "hang", "memory", "c", "error", "crash", "d"]
    with engine(timeout_s=5) as workers:
        found = performed(workers, orders(tmp_path, *names))
    assert found.keys() == set(names)
    assert all(found[name].state is State.DONE for name in "abcd")
    fatal = {name: found[name].message for name in names if found[name].fatal}
    assert fatal.keys() == {"killed", "hang", "memory", "crash"}
    assert "killed by SIGKILL" in fatal["killed"] and "killed by SIGSEGV" in fatal["crash"]
    assert "5 s of --timeout" in fatal["hang"] and "memory" in fatal["memory"]
    assert "of the worker" in found["error"].message


def test_memory_is_admitted_by_bytes_and_workers_are_recycled(engine, tmp_path):
    names = ["a", "large700", "b", "large1200", "large1600", "c"]
    with engine(recycled_after=3) as workers:
        found = performed(workers, orders(tmp_path, *names))
    pids, granted = zip(
        *(found[name].message.split() for name in names if name != "large1600"), strict=True
    )
    assert granted == ("500", "700", "500", "1200", "500") and len(set(pids)) > 2
    assert found["large1600"].state is State.FAILED and "needs about" in found["large1600"].message


def test_workers_that_cannot_start_are_told(engine, tmp_path, monkeypatch):
    import batch_faults

    monkeypatch.setattr("camerapipe.batch.local.MAX_RESTARTS", 1)

    with (
        engine(prepare=batch_faults.prepare_in_vain, workers=1) as workers,
        pytest.raises(WorkersError, match="camerapipe doctor"),
    ):
        performed(workers, orders(tmp_path, "a"))


def test_a_flaky_file_is_done_at_the_second_attempt_alone(engine, tmp_path):
    with engine(workers=1) as workers:
        (first,) = performed(workers, orders(tmp_path, "flaky")).values()
        (order,) = orders(tmp_path, "flaky")
        again = performed(workers, [replace(order, attempt=2)], alone=True)
    assert first.fatal and again["flaky"].state is State.DONE


def picture(path, sharp_share=0.4):
    """A picture with a sharp middle and a blurred surround."""
    small = np.random.default_rng(5).integers(20, 236, (20, 30, 3)).astype(np.uint8)
    sharp = cv2.resize(small, (360, 240), interpolation=cv2.INTER_NEAREST)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 3.5)
    rows, cols = (round(n * (1 - sharp_share) / 2) for n in (240, 360))
    blurred[rows : 240 - rows, cols : 360 - cols] = sharp[rows : 240 - rows, cols : 360 - cols]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), blurred)


def test_a_folder_is_rendered_and_resumed(tmp_path, run):
    photos, out = tmp_path / "photos", tmp_path / "photos" / "out"
    for name in ("1.jpg", "sub/2.png", "3.jpg"):
        picture(photos / name)
    picture(photos / "sharp.jpg", sharp_share=1)
    (photos / "3.recipe.toml").write_text("format_version = 1\n[params.radius]\nstrength = 1\n")
    (photos / "bad.jpg").write_bytes(b"no picture")
    before = {path: path.read_bytes() for path in photos.rglob("*.*")}
    command = ("batch", photos, "-r", "-o", out, "--workers", 1, "--map", "--report", "--json")
    code, text, err = run(*command, "--only-suitable", "--strength", "3")
    events = [json.loads(line) for line in text.splitlines()]
    states = {Path(each["source"]).name: each["event"] for each in events[:-1]}
    assert code == 1 and states == {
        "1.jpg": "done", "2.png": "done", "3.jpg": "done", "sharp.jpg": "skipped",
        "bad.jpg": "failed",
    }  # fmt: skip
    assert events[-1]["event"] == "summary" and events[-1]["done"] == 3
    pictures = {path.relative_to(out).as_posix() for path in out.rglob("*_bokeh.*")}
    assert pictures == {"1_bokeh.jpg", "3_bokeh.jpg", "sub/2_bokeh.png"}
    assert (out / "1_map.tiff").is_file() and "bad.jpg" in err
    assert all(path.read_bytes() == data for path, data in before.items())
    assert (
        "rendered at strength 3"
        in next(e for e in events if e["source"].endswith("3.jpg"))["message"]
    )

    code, text, _ = run(*command, "--only-suitable", "--strength", "3", "--dry-run")
    due = [json.loads(line) for line in text.splitlines()]
    assert code == 0 and [Path(each["source"]).name for each in due] == ["bad.jpg"]
    (photos / "bad.jpg").unlink()
    code, text, _ = run(*command, "--only-suitable", "--strength", "3")
    assert code == 0 and json.loads(text)["unchanged"] == 4


def test_usage_errors_of_a_batch(tmp_path, run):
    picture(tmp_path / "1.jpg")
    batch = ("batch", tmp_path, "-o", tmp_path / "out")
    for options, part in (
        (("--memory", "much"), "--memory: expected bytes"),
        (("--timeout", "soon"), "--timeout: expected a duration"),
        (("--template", "{name}{ext}"), "--template"),
        (("--shard", "3/2"), "--shard"),
        (("--from-depth", "depth.png"), "'embedded' only"),
    ):
        code, _, err = run(*batch, *options)
        assert code == 2 and part in err, err
    (tmp_path / "empty").mkdir()
    code, _, err = run("batch", tmp_path / "empty", "-o", tmp_path / "out")
    assert code == 3 and "there are no pictures" in err
