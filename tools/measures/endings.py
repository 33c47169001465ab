"""Batches that are interrupted at chance moments, and long ones: what they leave and take."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import NamedTuple

import cv2
import numpy as np
import psutil

from camerapipe.batch.disks import memory_bytes
from camerapipe.batch.journal import JOURNAL_NAME, Journal
from camerapipe.batch.listing import Listing
from camerapipe.batch.local import LocalEngine
from camerapipe.batch.order import State
from camerapipe.batch.running import Batch, Ended
from measures.copying import planner_for, work_of_copies
from measures.faulting import TEMPORARY

SIDE = 48  # px, of small pictures
SIGNALS = (signal.SIGINT, signal.SIGTERM)
CODES = {0, 128 + signal.SIGINT, 128 + signal.SIGTERM, -signal.SIGINT, -signal.SIGTERM}
ENDS_S = 120.0  # after which an interrupted batch hangs
STARTS_S = 6.0  # within which it may be interrupted before its first file
EVERY = 100  # files between two looks at the memory
MEGA = 1 << 20


class Soaked(NamedTuple):
    """What a long batch took of its parent: MB for 1,000 files, descriptors; and its workers."""

    mb_per_1000: float
    descriptors: int
    workers: int


def small_pictures(folder: Path, count: int) -> Path:
    """Small pictures of noise."""
    folder.mkdir()
    for number in range(count):
        picture = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        cv2.imwrite(str(folder / f"{number:05d}.png"), picture)
    return folder


def interrupted(source: Path, folder: Path, number: int) -> str:
    """Interrupt a batch at a moment that `number` chooses, and judge what it leaves.

    Parameters
    ----------
    source, folder : Path
        Photographs, and a new folder for pictures.
    number : int
        Chooses signals and moment.

    Returns
    -------
    str
        What is wrong; empty if nothing is.
    """
    rng = np.random.default_rng([9, number])
    kind = SIGNALS[rng.integers(len(SIGNALS))]
    process = subprocess.Popen(
        [sys.executable, "-m", "camerapipe", "batch", str(source), "-o", str(folder), "--json",
         "--workers", "2"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    timers = []
    if rng.random() < 0.3:  # perhaps before the first file
        timers.append(Timer(rng.uniform(0, STARTS_S), _send, (process, kind)))
    else:
        for _ in range(rng.integers(1, len(list(source.iterdir())))):
            process.stdout.readline()
        _send(process, kind)
    if rng.random() < 0.3:  # a person who does not wait
        timers.append(Timer(rng.uniform(0, 0.3), _send, (process, kind)))
    for timer in timers:
        timer.start()
    try:
        _, told = process.communicate(timeout=ENDS_S)
    except subprocess.TimeoutExpired:
        _kill_session(process.pid)
        process.communicate()
        return f"did not end within {ENDS_S:g} s"
    finally:
        for timer in timers:
            timer.cancel()
    found = "" if process.returncode in CODES else f" exit code {process.returncode}"
    found += " a traceback" if "Traceback" in told else ""
    found += "".join(f" orphan {left}" for left in _kill_session(process.pid))
    if folder.is_dir():
        found += "".join(f" left {path.name}" for path in folder.rglob(TEMPORARY))
        found += _untrue(folder)
    return found.strip()


def soaked(source: Path, folder: Path) -> Soaked:
    """Run a long batch with two workers, and look at the process that runs it."""
    parent = psutil.Process()
    sizes: list[tuple[int, float, int]] = []
    workers: set[int] = set()
    ended = 0

    def observe(each: Ended | None) -> None:
        nonlocal ended
        if each is None:
            return
        ended += 1
        if ended % EVERY == 0:
            sizes.append((ended, parent.memory_info().rss / MEGA, parent.num_fds()))
            workers.update(child.pid for child in parent.children())

    memory = memory_bytes() // 2
    engine = LocalEngine(
        work_of_copies(), workers=2, memory_bytes=memory, largest_bytes=memory, timeout_s=300
    )
    folder.mkdir()
    with Journal(folder / JOURNAL_NAME) as journal, engine:
        batch = Batch(planner=planner_for(journal, folder), engine=engine, observe=observe)
        batch.run(Listing(sources=[str(source)], output=str(folder)))
    counts, megabytes, descriptors = zip(*sizes[len(sizes) // 4 :], strict=True)
    slope = np.polyfit(counts, megabytes, 1)[0]
    return Soaked(1000 * float(slope), max(descriptors) - min(descriptors), len(workers))


def _send(process: subprocess.Popen[str], kind: signal.Signals) -> None:
    """Signal the process as a person does, who reaches its whole group by Ctrl-C."""
    with suppress(ProcessLookupError):
        if kind is signal.SIGINT:
            os.killpg(process.pid, kind)
        else:
            process.send_signal(kind)


def _kill_session(pid: int) -> list[str]:
    """End what is left of a session; give the commands."""
    left = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getsid(process.pid) == pid and process.status() != psutil.STATUS_ZOMBIE:
                psutil.wait_procs([process], timeout=5)  # it may be about to end
                if process.is_running():
                    left.append(" ".join(process.cmdline())[:80])
                    process.kill()
    return left


def _untrue(folder: Path) -> str:
    """What the journal says that is not so."""
    if not (folder / JOURNAL_NAME).exists():
        return ""
    with Journal(folder / JOURNAL_NAME) as journal:
        rows = [os.fsdecode(row.picture) for row in journal.rows(State.DONE)]
    absent = [path for path in rows if cv2.imread(path) is None]
    return f" done, but absent or torn: {absent}" if absent else ""
