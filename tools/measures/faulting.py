"""Work that is killed, or meets a full disk, at every step at which it changes a file.

`faults.c` counts those steps inside a process. A child is forked for each step, so that nothing is
left to timing; a process that forks must have one thread.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any

SHIM = Path(__file__).with_name("faults.c")
TEMPORARY = ".camerapipe-*"


class Fault(IntEnum):
    """What happens at a step; the numbers of `faults.c`."""

    NONE = 0
    KILLED = 1
    KILLED_HALFWAY = 2  # through a write, or right after another call
    FULL = 3  # the disk, from there on


def build_shim(folder: Path) -> Path | None:
    """Compile `faults.c`; None where there is no compiler, or no Linux."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        return None
    library = folder / "faults.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SHIM), "-ldl"]
    subprocess.run(command, check=True)
    return library


def run_preloaded(shim: Path, call: str, *args: Any) -> Any:
    """Run `module:function` with plain arguments in a new process that has the shim."""
    module, _, function = call.partition(":")
    code = (
        f"import json, sys; from {module} import {function}; "
        f"json.dump({function}(*json.loads(sys.argv[1])), sys.stdout)"
    )
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(args)],
        env=os.environ | {"LD_PRELOAD": str(shim), "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


def count_steps(work: Callable[[], object]) -> int:
    """Number of steps of some work, which is done."""
    shim = ctypes.CDLL(None)
    shim.fault_arm(ctypes.c_long(0), Fault.NONE)
    work()
    return int(shim.fault_steps())


def forked(work: Callable[[], int], fault: Fault, step: int) -> int:
    """Exit code of work in a child with a fault; negative: the signal that ended it."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            ctypes.CDLL(None).fault_arm(ctypes.c_long(step), fault)
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def every_step(
    work: Callable[[], int],
    prepare: Callable[[], None],
    judge: Callable[[Fault, int], str],
    stride: int = 1,
) -> dict[str, Any]:
    """Let every fault happen at every step.

    Parameters
    ----------
    work : callable
        Gives an exit code.
    prepare : callable
        Restores the folder before each trial.
    judge : callable
        What is wrong after a fault, given the exit code of the child; empty if nothing is.
    stride : int
        Take only each step of this number.

    Returns
    -------
    dict
        `trials`, their number, and `wrong`, a line for each that went wrong.
    """
    prepare()
    steps = count_steps(work)
    trials, wrong = 0, []
    for fault in (Fault.KILLED, Fault.KILLED_HALFWAY, Fault.FULL):
        for step in range(1, steps + 1, stride):
            prepare()
            trials += 1
            code = forked(work, fault, step)
            if found := judge(fault, code):
                wrong.append(f"{fault.name} at step {step}: {found}")
    return {"trials": trials, "wrong": wrong}


def torn(folder: Path, whole: Mapping[str, tuple[bytes | None, ...]]) -> str:
    """Names of files that are neither absent nor whole; None among the contents: may be absent."""
    bad = []
    for name, contents in whole.items():
        path = folder / name
        if (path.read_bytes() if path.exists() else None) not in contents:
            bad.append(name)
    return ", ".join(bad)


def faults_in_writing(place: str) -> dict[str, Any]:
    """A new file and a replaced one, written with every fault; `place` is an empty folder."""
    from camerapipe.errors import OutputError
    from camerapipe.ingest import write_bytes

    folder = Path(place)
    new, old, better = b"new" * 5000, b"old" * 3000, b"better" * 9000

    def prepare() -> None:
        for path in folder.iterdir():
            path.unlink()
        (folder / "replaced").write_bytes(old)

    def work() -> int:
        try:
            write_bytes(folder / "made", new, overwrite=False)
            write_bytes(folder / "replaced", better, overwrite=True)
        except OutputError:
            return 5
        return 0

    def judge(fault: Fault, code: int) -> str:
        found = torn(folder, {"made": (None, new), "replaced": (old, better)})
        if fault is Fault.FULL:
            finished = code == 0 and (folder / "replaced").read_bytes() == better
            found += "" if finished or code == 5 else f" exit code {code}"
            found += "".join(f" left {path.name}" for path in folder.glob(TEMPORARY))
        return found

    return every_step(work, prepare, judge)


def faults_in_a_job(place: str) -> dict[str, Any]:
    """A job with picture, map, report and recipe, done with every fault, and then done again."""
    import cv2
    import numpy as np
    from PIL import Image

    from camerapipe import runtime
    from camerapipe.assembly import Request
    from camerapipe.job import Job, run_job
    from camerapipe.naming import Outputs
    from camerapipe.settings import resolve

    runtime.configure(workers=1)
    cv2.setNumThreads(0)
    folder, source = Path(place) / "out", Path(place) / "in.png"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    Image.fromarray(noise).save(source)
    names = {kind: folder / kind for kind in ("picture.jpg", "map.tiff", "recipe.toml")}
    outputs = Outputs(
        picture=names["picture.jpg"], map=names["map.tiff"], recipe=names["recipe.toml"],
        report=folder / "report.json",
    )  # fmt: skip
    request = Request(settings=resolve(None), force=True)

    def work() -> int:
        return int(run_job(Job(source=source, request=request, outputs=outputs)).exit_code)

    def prepare() -> None:
        for path in folder.iterdir():
            path.unlink()

    def judge(fault: Fault, code: int) -> str:
        found = torn(folder, whole)
        if outputs.report is not None and outputs.report.exists():
            json.loads(outputs.report.read_text())
        if fault is Fault.FULL:
            found += "" if code in (0, 5) else f" exit code {code}"
            found += "".join(f" left {path.name}" for path in folder.glob(TEMPORARY))
        again = run_job(Job(source=source, request=request, outputs=outputs, overwrite=True))
        return found + ("" if again.error is None else f" then {again.error.message}")

    assert work() == 0
    whole = {name: (None, path.read_bytes()) for name, path in names.items()}
    return every_step(work, prepare, judge)


def faults_in_a_batch(place: str, count: int, stride: int = 1) -> dict[str, Any]:
    """A batch with its journal, done with every fault, and then resumed.

    The engine copies files, so that the journal and its outputs are all that is written.
    """
    from camerapipe.batch.journal import JOURNAL_NAME, Journal
    from camerapipe.batch.listing import Listing
    from camerapipe.batch.order import State
    from camerapipe.batch.running import Batch
    from camerapipe.errors import OutputError
    from measures.copying import CopyingEngine, planner_for

    source, folder = Path(place) / "in", Path(place) / "out"
    source.mkdir()
    contents = {f"{number}.jpg": bytes([number]) * 9000 for number in range(count)}
    for name, data in contents.items():
        (source / name).write_bytes(data)
    whole = {name.replace(".", "_bokeh."): (None, data) for name, data in contents.items()}

    def prepare() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()

    def work() -> int:
        try:
            with Journal(folder / JOURNAL_NAME) as journal, CopyingEngine() as engine:
                listing = Listing(sources=[str(source)], output=str(folder))
                Batch(planner=planner_for(journal, folder), engine=engine).run(listing)
                return int(bool(journal.failures()))
        except OutputError:
            return 5

    def judge(fault: Fault, code: int) -> str:
        found = torn(folder, whole)
        if fault is Fault.FULL and code not in (0, 1, 5):
            found += f" exit code {code}"
        with Journal(folder / JOURNAL_NAME) as journal:
            for row in journal.rows(State.DONE):
                if not os.path.exists(os.fsdecode(row.picture)):
                    found += f" {os.fsdecode(row.source)} is done without an output"
        if again := work():
            found += f" resumed with exit code {again}"
        left = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".jpg"}
        if left != {name: data for name, (_, data) in whole.items()}:
            found += f" then {sorted(left)}"
        return found + "".join(f" left {path.name}" for path in folder.glob(TEMPORARY))

    return every_step(work, prepare, judge, stride)
