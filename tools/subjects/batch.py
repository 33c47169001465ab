"""Batches: two workers against one process, overhead of a file, memory of the parent, the journal.

Worker processes are started before anything is timed. Serial and parallel rounds take turns in one
run, on the same photographs. Kill tests end a batch by SIGKILL after a number of files, run it
again, and compare every picture with that of an undisturbed run.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil

from camerapipe.assembly import Request
from camerapipe.batch.disks import memory_bytes
from camerapipe.batch.journal import Journal
from camerapipe.batch.listing import Found, Listing
from camerapipe.batch.local import LocalEngine
from camerapipe.batch.order import Asked, Order, Outcome, State, Work
from camerapipe.batch.planning import Planner
from camerapipe.batch.running import Batch, Ended
from camerapipe.batch.template import DEFAULT_TEMPLATE, Template
from camerapipe.budget import Stopwatch, cpu_s
from camerapipe.job import Job, run_job
from camerapipe.naming import Outputs
from camerapipe.runtime import configure, warm_up
from camerapipe.settings import resolve

PHOTOGRAPHS = (
    "photos/dandelion_16mp.jpg",
    "photos/canon_eos5d_tomatoes.jpg",
    "photos/kodak_pixpro_s1_koi.jpg",
)
WORKERS = 2
LARGE, SMALL = (4000, 3000), (64, 48)  # width and height, px
COUNT, ROUNDS, SMALL_COUNT = 40, 5, 1000
NAMES, EARLY_NAMES = 300_000, 100_000  # listed, and of them before memory is first looked at
CHANGES, GROUP = 30_000, 64  # of the journal, and those that are committed together
KILLS, KILL_COUNT = 10, 40
MEGA = 1 << 20


def measure(context: Any) -> dict[str, float]:
    """Measure all keys but those of clusters."""
    photographs = [path for name in PHOTOGRAPHS if (path := context.picture(name))]
    warm_up()
    results: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        if photographs:
            count = 6 if context.quick else COUNT
            large = photographs_of(photographs, root / "large", count, LARGE)
            results |= _against_one_process(context, large, 1 if context.quick else ROUNDS)
        results |= _overhead(_small(root / "small", 200 if context.quick else SMALL_COUNT))
        results |= _parent(root, NAMES // 10 if context.quick else NAMES)
        results |= _journal(root, CHANGES // 10 if context.quick else CHANGES)
        kept = _small(root / "kept", KILL_COUNT)
        results |= _killed(kept, root, 2 if context.quick else KILLS)
    return results


def _against_one_process(context: Any, large: Path, rounds: int) -> dict[str, float]:
    """Wall time over that of one process that renders the same list, and share of busy workers."""
    paths = sorted(large.iterdir())
    here, there = multiprocessing.get_context("spawn").Pipe()
    serial = multiprocessing.get_context("spawn").Process(target=_render_on_demand, args=(there,))
    serial.start()
    rows, ratios, shares = [], [], []
    with local_engine() as engine, tempfile.TemporaryDirectory(dir=large.parent) as folder:
        for number in range(rounds + 1):  # the first one warms up
            some = paths if number else paths[:WORKERS]
            place = Path(folder) / str(number)
            here.send((some, place / "serial"))
            serial_s, serial_cpu_s = here.recv()
            wall_s, ended = run_batch(engine, some, place)
            if number:
                busy_s = sum(each.outcome.cpu_seconds for each in ended)
                ratios.append(wall_s / serial_s)
                shares.append(busy_s / (WORKERS * wall_s))
                rows.append(
                    [number, serial_s, wall_s, ratios[-1], serial_cpu_s, busy_s, shares[-1]]
                )
    here.send(None)
    serial.join()
    head = ["round", "one process s", f"{WORKERS} workers s", "ratio", "its processor s",
            "theirs", "busy share"]  # fmt: skip
    context.table(f"{len(paths)} photographs of 12 MP", head, rows)
    return {
        "batch.over_serial": statistics.median(ratios),
        "batch.busy_share": statistics.median(shares),
    }


def _render_on_demand(there: Connection) -> None:
    """Render lists of photographs as `camerapipe render` does, and send the time of each list."""
    configure(long_running=True)
    warm_up()
    request = Request(settings=resolve())
    while (asked := there.recv()) is not None:
        paths, folder = asked
        folder.mkdir(parents=True)
        before = cpu_s()
        with Stopwatch() as watch:
            for path in paths:
                outputs = Outputs(picture=folder / path.name)
                result = run_job(Job(source=path, request=request, outputs=outputs))
                assert result.error is None, result.error
        there.send((watch.ms / 1000, cpu_s() - before))


def _overhead(small: Path) -> dict[str, float]:
    """Time of a worker between jobs."""
    paths = sorted(small.iterdir())
    with local_engine() as engine, tempfile.TemporaryDirectory(dir=small.parent) as folder:
        run_batch(engine, paths[: 10 * WORKERS], Path(folder) / "warm")
        wall_s, ended = run_batch(engine, paths, Path(folder) / "timed")
    job_s = sum(each.outcome.seconds for each in ended)
    return {"batch.overhead_ms": 1000 * (WORKERS * wall_s - job_s) / len(paths)}


def run_batch(engine: Any, paths: Iterable[Path], folder: Path) -> tuple[float, list[Ended]]:
    """One batch with a journal of its own: wall time, and how each file ended."""
    ended: list[Ended] = []
    folder.mkdir(parents=True, exist_ok=True)
    with Stopwatch() as watch, Journal(folder / "journal.sqlite") as journal:
        batch = Batch(
            planner=_planner(journal, folder),
            engine=engine,
            observe=lambda each: ended.append(each) if each else None,
        )
        batch.run(Listing(sources=[str(path) for path in paths], output=str(folder)))
    assert all(each.outcome.state is State.DONE for each in ended), ended
    return watch.ms / 1000, ended


def local_engine() -> LocalEngine:
    """An engine of `WORKERS` processes, which share half of the memory."""
    memory = memory_bytes() // 2
    return LocalEngine(
        work_of_all(), workers=WORKERS, memory_bytes=memory, largest_bytes=memory, timeout_s=600
    )


def _planner(journal: Journal, folder: Path) -> Planner:
    template = Template(DEFAULT_TEMPLATE, folder)
    return Planner(
        journal=journal,
        template=template,
        work=work_of_all(),
        request_for=lambda _: work_of_all().asked.request,
    )


def work_of_all() -> Work:
    """What is asked of all files: the defaults."""
    return Work(asked=Asked(request=Request(settings=resolve())))


class _NoOp:
    """An engine whose jobs do nothing."""

    workers = WORKERS

    def __enter__(self) -> _NoOp:
        return self

    def __exit__(self, *_: object) -> None: ...

    def outcomes(
        self, orders: Iterable[Order], *, alone: bool = False
    ) -> Iterator[tuple[Order, Outcome] | None]:
        for order in orders:
            yield order, Outcome(state=State.DONE)


def _parent(root: Path, names: int) -> dict[str, float]:
    """Memory that the parent gains for each million of names, after the first ones."""
    process, sizes = psutil.Process(), []
    early = names * EARLY_NAMES // NAMES

    def listed() -> Iterator[Found]:
        for number in range(names):
            if number in (early, names - 1):
                sizes.append(process.memory_info().rss)
            yield Found(f"/photos/{number % 1000:03d}/IMG_{number:08d}.JPG", f"{number:08d}.JPG")

    with Journal(root / "names.sqlite") as journal:
        Batch(planner=_planner(journal, root), engine=_NoOp()).run(listed())
    gained = (sizes[1] - sizes[0]) / MEGA / (names - early) * 1e6
    return {"batch.parent_mb_per_million": gained}


def _journal(root: Path, changes: int) -> dict[str, float]:
    """Time of a change of state, commits of groups included."""
    outcome = Outcome(state=State.DONE, message="rendered", stages_ms={"bokeh": 100.0})
    outputs = [Outputs(picture=root / f"{number}.jpg") for number in range(changes // 3)]
    with Journal(root / "changes.sqlite") as journal, Stopwatch() as watch:
        for number, each in enumerate(outputs):
            row = journal.claim(
                f"/{number}.jpg", each, None, recipe=b"r" * 16, version="1", owned=True
            )
            assert row is not None
            journal.started(row)
            journal.ended(row, outcome)
            if journal.changes >= GROUP:
                journal.commit()
    return {"batch.journal_us": 1000 * watch.ms / changes}


def _killed(kept: Path, root: Path, kills: int) -> dict[str, float]:
    """Files that are lost, or come out with other bytes, when batches are killed and run again."""
    wanted = _digests(_command(kept, root / "whole"), root / "whole")
    lost = doubled = 0
    for number in range(kills):
        folder = root / f"killed{number}"
        command = _command(kept, folder)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdout is not None
        for _ in range(1 + number * (KILL_COUNT - 2) // kills):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        found = _digests(command, folder)
        lost += len(wanted.keys() - found.keys())
        doubled += sum(found.get(name, digest) != digest for name, digest in wanted.items())
        doubled += len(found.keys() - wanted.keys())  # temporary files that stay
    return {"batch.lost": lost, "batch.doubled": doubled}


def _command(source: Path, folder: Path) -> list[str]:
    return [sys.executable, "-m", "camerapipe", "batch", str(source), "-o", str(folder),
            "--workers", str(WORKERS), "--json"]  # fmt: skip


def _digests(command: list[str], folder: Path) -> dict[str, str]:
    """Run a batch to its end; digests of the pictures and of whatever else is there."""
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["done"] + summary["unchanged"] == summary["seen"] == KILL_COUNT, summary
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if "sqlite" not in path.name
    }


def photographs_of(sources: list[Path], folder: Path, count: int, size: tuple[int, int]) -> Path:
    """Photographs of a size, each mirrored or shifted, so that no two are equal."""
    folder.mkdir()
    pictures = [
        cv2.resize(cv2.imread(str(path)), size, interpolation=cv2.INTER_CUBIC) for path in sources
    ]
    for number in range(count):
        picture = np.roll(pictures[number % len(pictures)], 8 * number, axis=1)
        cv2.imwrite(str(folder / f"{number:03d}.jpg"), picture)
    return folder


def _small(folder: Path, count: int) -> Path:
    """Pictures of `SMALL` with a sharp middle and a blurred surround."""
    folder.mkdir()
    width, height = SMALL
    for number in range(count):
        rng = np.random.default_rng(number)
        sharp = rng.integers(0, 255, (height // 4, width // 4, 3), np.uint8)
        sharp = sharp.repeat(4, axis=0).repeat(4, axis=1)
        picture = cv2.GaussianBlur(sharp, (0, 0), 2.5)
        rows, cols = slice(height // 4, -height // 4), slice(width // 4, -width // 4)
        picture[rows, cols] = sharp[rows, cols]
        cv2.imwrite(str(folder / f"{number:04d}.jpg"), picture)
    return folder
