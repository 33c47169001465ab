"""Decoding in a process of its own: a file may crash it, hang it or exhaust its memory.

Decoders are large C libraries, and files of strangers may be made to break them. A `Decoder` runs
the readers of `ingest` in another process with limits of memory and time. What goes wrong there
costs that file only: it becomes a `CaptureError` or a `LimitError` of one line, and the next file
has a new process. Arrays travel in shared memory.

This protects from accidents. It is no jail: the process has the rights of the user.
"""

from __future__ import annotations

import mmap
import os
import pickle
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from camerapipe import runtime
from camerapipe.capture import Capture
from camerapipe.errors import CaptureError, LimitError, RequestError
from camerapipe.ingest import DEFAULT_MAX_PIXELS, diverted, open_capture

R = TypeVar("R")
BYTES_PER_PIXEL = 48  # of the largest decoder, LibRaw, with the picture that is made of it
SPARE_BYTES = 512 << 20  # for metadata, previews, gain maps
START_SECONDS = 300.0  # kernels may have to be compiled first
GRACE_SECONDS = 2.0  # after which a process ends itself, if nobody waits for it any more
FILES_PER_PROCESS = 500  # so that leaks of libraries do not add up
ALIGNMENT = 64  # of arrays in a message
MESSAGE = b"m"  # sent with the file that holds the message
COUNT = struct.Struct("<Q")


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderLimits:
    """What reading a file may take.

    Parameters
    ----------
    seconds : float
        Time for a file, waiting for the disk included.
    memory_bytes : int or None
        Address space for a file, besides that of the idle process. None: what a picture of
        `max_pixels` needs, and at most half of the memory of the machine.
    max_pixels : int
        Largest picture.
    """

    seconds: float = 60.0
    memory_bytes: int | None = None
    max_pixels: int = DEFAULT_MAX_PIXELS

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise RequestError(f"seconds: expected more than 0; got {self.seconds}")
        if self.memory_bytes is not None and self.memory_bytes <= 0:
            raise RequestError(f"memory_bytes: expected more than 0; got {self.memory_bytes}")

    @property
    def address_bytes(self) -> int:
        """`memory_bytes`, or its default."""
        if self.memory_bytes is not None:
            return self.memory_bytes
        needed = BYTES_PER_PIXEL * self.max_pixels + SPARE_BYTES
        return min(needed, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2)


class Decoder(AbstractContextManager["Decoder"]):
    """A process that reads files, one at a time; ready for the next file, and replaced if it ends.

    Threads may share it; they wait for each other.

    Parameters
    ----------
    limits : DecoderLimits
        For every file.
    threads : int or None
        Threads that decode and compute; None: as many as there are cores.

    Raises
    ------
    RequestError
        On systems without POSIX limits of processes.

    Examples
    --------
    >>> with Decoder(DecoderLimits(seconds=20)) as decoder:  # doctest: +SKIP
    ...     capture = decoder.open("photo.jpg")
    ...     with decoder.reading():  # all files that the job reads
    ...         result = run_job(job)
    """

    def __init__(
        self, limits: DecoderLimits = DecoderLimits(), *, threads: int | None = None
    ) -> None:
        if not hasattr(socket, "send_fds"):
            raise RequestError("a decoder of its own needs a POSIX system")
        self.limits = limits
        self._threads = threads
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ready, self._files, self._closed = False, 0, False
        self._start()

    def open(self, path: str | os.PathLike[str]) -> Capture:
        """Open a picture, as `ingest.open_capture` does; errors as of `call`."""
        return self.call(open_capture, path, max_pixels=self.limits.max_pixels)

    def call(self, function: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """Call a function of a module in the process; arguments and result must be picklable.

        Returns
        -------
        object
            What the function returns. Arrays are the caller's own.

        Raises
        ------
        CaptureError
            If the process crashes. The message starts with the first argument, a file as a rule.
        LimitError
            If the time or the memory is not sufficient.
        Exception
            What the function raises.
        """
        subject = str(args[0]) if args and isinstance(args[0], str | os.PathLike) else "input"
        with self._lock:
            if self._closed:
                raise RequestError("the decoder is closed")
            if self._process is None or self._files >= FILES_PER_PROCESS:
                self._stop()
                self._start()
            try:
                answer = self._asked(subject, (function, args, kwargs))
            except BaseException as error:  # after Ctrl-C, too, no late answer must be read
                self._stop()
                if isinstance(error, CaptureError) and not self._closed:
                    self._start()  # it gets ready while the caller goes on
                raise
            self._files += 1
        if answer[0] == "value":
            return cast(R, answer[1])
        raise answer[1] from _ElsewhereError(answer[2])

    @contextmanager
    def reading(self) -> Iterator[None]:
        """While the block runs, `ingest` reads the files of this thread in the process."""
        with diverted(self.call):
            yield

    def close(self) -> None:
        """End the process; the decoder cannot be used again. A running call is cut short."""
        self._closed = True
        self._stop()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        self._socket, theirs = socket.socketpair()
        work = f"from camerapipe.isolation import serve; serve({self.limits.seconds!r}, "
        work += f"{self.limits.address_bytes}, {self._threads})"
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", work],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for this process, which ends the other
            )
        self._ready, self._files = False, 0

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            self._socket.close()

    def _asked(self, subject: str, question: object) -> Any:
        """Send a question and wait for the answer."""
        if not self._ready:
            self._socket.settimeout(START_SECONDS)
            try:
                with _told_as(f"{subject}: the decoder did not start", self._process):
                    _receive(self._socket)
            except TimeoutError as error:
                raise LimitError(
                    f"{subject}: the decoder did not start within {START_SECONDS:g} s; "
                    "the machine is too busy: try again"
                ) from error
            self._ready = True
        self._socket.settimeout(self.limits.seconds)
        try:
            with _told_as(f"{subject}: damaged: a decoder crashed on it", self._process):
                _send(self._socket, question)
                return _receive(self._socket)
        except TimeoutError as error:
            raise LimitError(
                f"{subject}: reading it took longer than the limit of {self.limits.seconds:g} s; "
                "it may be damaged: copy it again"
            ) from error


class _ElsewhereError(Exception):
    """Traceback of an exception in the other process, shown as its cause."""

    def __init__(self, text: str) -> None:
        super().__init__(f"\n{text}")


@contextmanager
def _told_as(message: str, process: subprocess.Popen[bytes] | None) -> Iterator[None]:
    """Tell the end of the process as a `CaptureError` with the reason."""
    try:
        yield
    except (EOFError, ConnectionError, pickle.UnpicklingError) as error:
        assert process is not None
        process.kill()
        code = process.wait()
        reason = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        raise CaptureError(f"{message} ({reason}); copy it again, or leave it out") from error


def serve(seconds: float, address_bytes: int, threads: int | None) -> None:
    """Answer the questions of a `Decoder`, which come on standard input; run in the process."""
    runtime.configure(workers=threads)
    runtime.warm_up()
    _limit_process(address_bytes)
    # From here on, what C libraries print before they abort would only confuse.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with socket.socket(fileno=sys.stdin.fileno()) as ours, suppress(EOFError, ConnectionError):
        _send(ours, "ready")
        while True:
            function, args, kwargs = _receive(ours)
            # The other side may have been killed: a process that hangs then ends by this signal.
            signal.setitimer(signal.ITIMER_REAL, seconds + GRACE_SECONDS)
            try:
                _send(ours, ("value", function(*args, **kwargs)))
            except Exception as error:
                _send(ours, ("error", error, traceback.format_exc()))
            signal.setitimer(signal.ITIMER_REAL, 0)


def _limit_process(address_bytes: int) -> None:
    """Limit the address space to what it is now and `address_bytes`; write no core dumps."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError, ValueError):  # not Linux: the system does not tell the size
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + address_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _send(to: socket.socket, value: object) -> None:
    """Send a value: a file in memory that has the pickled value and its arrays one by one."""
    buffers: list[pickle.PickleBuffer] = []
    parts: list[Any] = [pickle.dumps(value, protocol=5, buffer_callback=buffers.append)]
    parts += [buffer.raw() for buffer in buffers]
    sizes = [memoryview(part).nbytes for part in parts]
    with _memory_file() as file:
        file.write(COUNT.pack(len(parts)) + b"".join(map(COUNT.pack, sizes)))
        for part in parts:
            file.seek(-file.tell() % ALIGNMENT, os.SEEK_CUR)
            file.write(part)
        file.flush()
        socket.send_fds(to, [MESSAGE], [file.fileno()])


def _receive(from_: socket.socket) -> Any:
    """Receive a value; its arrays are in the memory of the message, which is private to it."""
    data, handles, _, _ = socket.recv_fds(from_, len(MESSAGE), 1)
    if not data or not handles:
        raise EOFError("the other process has ended")
    with open(handles[0], "rb") as file:
        memory = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    (count,) = COUNT.unpack_from(memory)
    parts, at = [], COUNT.size * (1 + count)
    for k in range(count):
        (size,) = COUNT.unpack_from(memory, COUNT.size * (1 + k))
        at += -at % ALIGNMENT
        parts.append(memory[at : at + size])
        at += size
    return pickle.loads(parts[0], buffers=parts[1:])


def _memory_file() -> BinaryIO:
    """A file without a name, in memory where the system can do that."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("camerapipe"), "w+b")
    return cast(BinaryIO, tempfile.TemporaryFile())
