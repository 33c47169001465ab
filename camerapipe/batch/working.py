"""One order in a worker process: from a path to an outcome."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from multiprocessing import connection, parent_process
from pathlib import Path

from camerapipe import runtime
from camerapipe.batch.memory import ADDRESS_SPACE, Size, job_bytes, limited_address_space
from camerapipe.batch.order import FileStamp, Order, Outcome, State, Work
from camerapipe.batch.places import publish, remove_partial, staged, url_of
from camerapipe.batch.suitable import checked
from camerapipe.batch.thumbnails import write_thumbnails
from camerapipe.budget import Stopwatch, cpu_s
from camerapipe.errors import ExitCode, OutputError
from camerapipe.ingest import count_pixels, make_folder
from camerapipe.job import Job, JobResult, run_job

DIGEST_BYTES = 16
MESSAGE_CHARACTERS = 400  # that are kept of a message

_work: Work | None = None
_started = Size(0, 0)  # of this process when it was ready


def prepare_worker(work: Work, threads: int) -> None:
    """Set up this process for orders of a batch; it ends if its parent does.

    Parameters
    ----------
    work : Work
        What is asked of all files.
    threads : int
        That compute in this worker.
    """
    global _work, _started
    threading.Thread(target=_end_with_parent, daemon=True).start()
    runtime.configure(workers=threads, long_running=True)
    runtime.warm_up()
    _work, _started = work, Size.now()
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stderr__.fileno() if sys.__stderr__ else 2)


def perform(order: Order) -> Outcome:
    """Work on one file. Whatever goes wrong is in the outcome."""
    assert _work is not None
    return timed(lambda: _perform(order, _work))


def timed(perform: Callable[[], Outcome]) -> Outcome:
    """The outcome of a function, with the time and processor time that it took."""
    cpu_before = cpu_s()
    with Stopwatch() as watch:
        outcome = perform()
    return replace(outcome, seconds=watch.ms / 1000, cpu_seconds=cpu_s() - cpu_before)


def _perform(order: Order, work: Work) -> Outcome:
    if order.interrupted:
        remove_partial(order.outputs)
    file, digest = _content(order.source)
    if digest is not None and digest == order.known_digest:
        return Outcome(state=State.DONE, digest=digest, file=file, unchanged=True)
    pixels = count_pixels(order.source)
    bytes_ = job_bytes(pixels or 0)
    if order.granted_bytes is not None and _started.resident + bytes_ > order.granted_bytes:
        return Outcome(state=State.QUEUED, needs_bytes=_started.resident + bytes_)
    unsure = pixels is None or order.attempt > 1
    room = max(bytes_, order.granted_bytes or 0) if unsure else bytes_
    limit = max(_started.virtual, Size.now().virtual) + int(ADDRESS_SPACE * room)
    with limited_address_space(limit):
        outcome = _run(order, work)
    outcome = replace(outcome, message=outcome.message[:MESSAGE_CHARACTERS])
    if FileStamp.of(order.source) != file and outcome.code is ExitCode.OK:
        message = f"{order.source}: changed while it was read; run again when it is complete"
        return Outcome(state=State.FAILED, message=message, code=ExitCode.UNREADABLE)
    if order.granted_bytes is not None and Size.now().resident > order.granted_bytes:
        runtime.release_memory()
    return replace(outcome, digest=digest, file=file)


def _run(order: Order, work: Work) -> Outcome:
    with staged(order.outputs) as outputs:
        outcome, written = _written(replace(order, outputs=outputs), work)
        if outcome.state is State.FAILED:
            return outcome
        try:
            publish(written, order.outputs)
        except OutputError as error:
            return _unwritten(error)
    message = outcome.message
    for kind, local in written.items():
        message = message.replace(str(local), url_of(getattr(order.outputs, kind)))
    return replace(outcome, message=message)


def _written(order: Order, work: Work) -> tuple[Outcome, Mapping[str, Path]]:
    """How the job of an order ended, and the files that it wrote, by their kind."""
    asked = order.asked or work.asked
    job = Job(
        source=order.source,
        request=asked.request,
        recipe=asked.recipe,
        outputs=order.outputs,
        writing=work.writing,
        from_depth=work.from_depth,
        guide_depth=work.guide_depth,
        protection=work.protection,
        overwrite=order.overwrite,
        max_pixels=work.max_pixels,
    )
    outcome: Outcome | None = None
    written: Mapping[str, Path] = {}
    if work.only_suitable:
        job, outcome = checked(job)
    if outcome is None:
        outcome, written = _rendered(job)
    if work.thumbnails is not None and outcome.state is not State.FAILED:
        write_thumbnails(work.thumbnails, order)
    return outcome, written


def _rendered(job: Job) -> tuple[Outcome, Mapping[str, Path]]:
    try:
        for path in job.outputs.paths():
            make_folder(path.parent)
    except OutputError as error:
        return _unwritten(error), {}
    result = run_job(job)
    return _outcome(result), result.written


def _unwritten(error: OutputError) -> Outcome:
    return Outcome(state=State.FAILED, message=str(error), code=ExitCode.UNWRITTEN)


def _outcome(result: JobResult) -> Outcome:
    error = result.error
    message = error.message if error else result.verdict
    return Outcome(
        state=State.FAILED if error else State.DONE,
        message=message,
        code=result.exit_code,
        written=tuple(result.written),
        findings=tuple(finding.code for finding in result.findings),
        stages_ms={row.name: row.used_ms for row in result.report.stages} if result.report else {},
        fatal=error is not None and "MemoryError" in error.traceback,
    )


def _content(source: str) -> tuple[FileStamp | None, bytes | None]:
    """Stamp and digest of a file; None if it cannot be read, which the job then explains."""
    try:
        if not os.path.isfile(source):  # opening a pipe would wait for a writer
            return None, None
        with open(source, "rb") as file:
            stamp = FileStamp.of(file.fileno())
            blake = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=DIGEST_BYTES))
            return stamp, blake.digest()
    except (OSError, ValueError):
        return None, None


def _end_with_parent() -> None:
    """Wait for the end of the parent process, then end this one."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
