"""The process: settings (`configure`), compilation of kernels, versions, peak memory.

`configure` is the only function that changes settings of the process, and only programs call it:
the command line, a server, a worker. `camerapipe.render`, `check` and `open_stream` do not need it.
They do not change memory options, garbage collector, threads of OpenCV and BLAS, or environment.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import hashlib
import importlib
import os
import platform
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cv2
from threadpoolctl import threadpool_limits

from camerapipe.version import __version__
from stages import kernels, strips
from stages.kernels import Kernel
from stages.strips import available_cores as available_cores

PACKAGES = ("numpy", "opencv-python-headless", "numba", "scipy", "pillow", "rawpy")
CODE = ("camerapipe", "stages")  # our packages
CACHE_VARIABLE = "NUMBA_CACHE_DIR"
M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8  # of <malloc.h>
MAX_HELPERS = 7  # processes that help to compile; each takes some 200 MB
KEPT_BYTES = (1 << 31) - 1  # of freed memory: the largest value that mallopt accepts

_long_running = False


def configure(*, workers: int | None = None, long_running: bool = False) -> None:
    """Set up a process that belongs to camerapipe. Call it first; it takes no time.

    Strips and OpenCV get `workers` threads, and BLAS, which is used for small products only, gets
    one. A long-running process also keeps freed memory for the next arrays (on glibc; up to 2 GB
    stay with the process), and once `warm_up` has loaded the kernels, the garbage collector no
    longer visits the objects that exist by then.

    Parameters
    ----------
    workers : int, optional
        Number of threads that compute, at least 1; the default is the number of available cores.
        Pictures do not depend on it.
    long_running : bool
        Whether the process takes more than one shot, as a stream, a batch or a server does. For a
        single shot, the defaults of the C library need less memory.

    Notes
    -----
    The functions of `camerapipe` work without this call, on all available cores, and return the
    same bytes. They then lose time: from the second shot of 24 MP on they need 1.6 times the
    processor time (5.3 s against 3.4 s on two cores), because the system clears the pages of every
    large array anew; peak memory is 1.4 GB against 1.7 GB. In a stream, a full garbage collection
    may delay a frame by a tenth of a second.
    """
    global _long_running
    _long_running = long_running
    if long_running:
        _keep_freed_memory()
    threads = available_cores() if workers is None else workers
    strips.set_workers(threads)
    cv2.setNumThreads(threads)
    threadpool_limits(limits=1, user_api="blas")


def _keep_freed_memory() -> None:
    """Let glibc keep freed arrays in one heap, which all threads share.

    Otherwise large arrays are returned to the system, which has to clear the pages of every new
    one. Heaps of threads are too small for large arrays. Once a thread has a heap (OpenCV creates
    threads at its first call), later threads reuse it; therefore this must be called before.
    """
    _set_malloc({M_ARENA_MAX: 1, M_MMAP_MAX: 0, M_TRIM_THRESHOLD: KEPT_BYTES})


def release_memory() -> None:
    """Return freed memory to the system, which a long-running process keeps (on glibc)."""
    gc.collect()
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def _set_malloc(options: dict[int, int]) -> None:
    """Set options of glibc; other C libraries have no such function."""
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in options.items():
            mallopt(option, value)


def kernel_cache() -> str | None:
    """Folder of compiled kernels of `stages`, next to those of its subfolders; None if none."""
    with suppress(RuntimeError):
        path: str = kernels.KernelCache(kernels.total_of.py_func).cache_path
        return path
    return None


@functools.cache
def _temporary_cache() -> str | None:
    """Folder for kernels, for when neither the code's folder nor the user's cache is writable.

    None if this folder cannot be written either, or belongs to another user.
    """
    folder = Path(tempfile.gettempdir()) / f"camerapipe-kernels-{_user_name()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
            return None  # compiled code from the folder of another user must not be run
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return None
    warnings.warn(
        "no writable place for compiled kernels beside the code or in the user's cache; "
        f"using {folder} (set {CACHE_VARIABLE} to choose another)",
        RuntimeWarning,
        stacklevel=2,
    )
    return str(folder)


def _user_name() -> str:
    """Name that distinguishes the user from others of this computer."""
    return str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")


kernels.set_cache_fallback(_temporary_cache)


def warm_up(
    progress: Callable[[str, int, int], None] | None = None,
    compiling: Callable[[], None] | None = None,
    *,
    seldom: bool = True,
) -> int:
    """Compile every kernel, or load it from the cache.

    Parameters
    ----------
    progress : callable, optional
        `progress(name, done, total)` is called before each kernel.
    compiling : callable, optional
        Called once, after the first kernel that was not in the cache.
    seldom : bool
        Whether those that most photographs do not need are included. If not, these are compiled
        when they are first called, so that a first picture is there sooner.

    Returns
    -------
    int
        Number of kernels.
    """
    known, found = [kernel for kernel in _kernels() if seldom or not kernel.seldom], False
    with _rare_collection(), closing(_in_turn(known)) as turn:
        for done, kernel in enumerate(turn):
            if progress is not None:
                progress(kernel.name, done, len(known))
            if kernel.compile() and compiling is not None and not found:
                found = True
                compiling()
    if _long_running and not gc.get_freeze_count():
        _freeze_objects()
    return len(known)


def _freeze_objects() -> None:
    """Exempt all present objects from garbage collection.

    Compiled kernels are many objects. A full collection visits each, which takes a tenth of a
    second in the middle of a frame.
    """
    gc.collect()
    gc.freeze()


def _in_turn(known: list[Kernel]) -> Generator[Kernel, None, None]:
    """Yield the kernels in the order in which this process compiles or loads them.

    If kernels are not in the cache, other processes help, one for each further core: all read the
    index of the next kernel from one pipe. The kernels that others have compiled come last, to be
    loaded from the cache.
    """
    ours: set[int] = set()
    for place, kernel in enumerate(known):
        ours.add(place)
        was_ready = kernel.ready
        yield kernel
        if kernel.is_new and not was_ready and available_cores() > 1:
            break
    modules = sorted({kernel.name.rpartition(".")[0] for kernel in known})
    with _helpers(range(len(ours), len(known)), modules) as places:
        for place in places:
            ours.add(place)
            yield known[place]
    yield from (kernel for place, kernel in enumerate(known) if place not in ours)


@contextmanager
def _helpers(places: range, modules: Sequence[str]) -> Iterator[Iterator[int]]:
    """Start processes that compile, and give the indices of the kernels for this process.

    They import the given modules, which have kernels of this process, so that an index means the
    same. At the end of the block, the processes are awaited, since each may still compile its last
    kernel. If the block raises an exception, they are stopped.
    """
    imported = ", ".join(modules)
    work = f"import {imported}; from camerapipe.runtime import compile_in_turn as go; go()"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    null = subprocess.DEVNULL
    reader, writer = os.pipe()
    os.write(writer, bytes(places))
    os.close(writer)
    with ExitStack() as ending:
        ending.callback(os.close, reader)
        processes = []
        with suppress(OSError):  # if no process can be started, this one compiles all kernels
            for _ in range(min(available_cores() - 1, MAX_HELPERS, len(places))):
                process = subprocess.Popen(
                    [sys.executable, "-c", work],
                    env=environment, stdin=reader, stdout=null, stderr=null,
                )  # fmt: skip
                processes.append(ending.enter_context(process))
                ending.callback(process.kill)
        yield _numbers_from(reader)
        for process in processes:
            process.wait()


def compile_in_turn() -> None:
    """Compile the kernels whose indices come from standard input; run by a helping process."""
    known = _kernels()
    with _rare_collection():
        for place in _numbers_from(sys.stdin.fileno()):
            known[place].compile()


def _numbers_from(pipe: int) -> Iterator[int]:
    """Yield numbers from a pipe, one byte each, until it is empty.

    Several processes may read from the same pipe.
    """
    while place := os.read(pipe, 1):
        yield place[0]


@contextmanager
def _rare_collection() -> Iterator[None]:
    """Collect garbage rarely: it takes an eighth of the time of compiling, and frees little."""
    usual = gc.get_threshold()
    gc.set_threshold(400_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _kernels() -> list[Kernel]:
    """All kernels; those that are seldom needed come last, else the longest first.

    The order does not depend on what was imported before, because processes that help know a kernel
    by its place in this list. The very first is a short one: it tells soon whether they are cached.
    """
    import camerapipe.presets  # noqa: F401 - it has all graphs, and so all their kernels

    known = sorted(kernels.registered(), key=lambda k: (k.seldom, -k.length, k.name))
    shortest = min(known, key=lambda k: (k.seldom, k.length, k.name))
    return [shortest, *(kernel for kernel in known if kernel is not shortest)]


def peak_mb() -> float | None:
    """Peak resident memory of this process so far, MB; None if the system does not report it."""
    with suppress(OSError):  # not Linux
        status = Path("/proc/self/status").read_text()
        if found := re.search(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE):
            return int(found[1]) / 1024
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(
        resource.RUSAGE_SELF
    ).ru_maxrss  # on Linux at least that of the parent
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def versions() -> dict[str, str]:
    """Versions of the software that results depend on, by package."""
    return dict(_versions())


@functools.cache
def _versions() -> Mapping[str, str]:
    """Versions of this process; to look for them takes milliseconds."""
    found = {"camerapipe": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def code_versions() -> dict[str, str]:
    """Versions of packages and of Python, and a digest of our code: equal for equal pictures."""
    found = versions()
    found["python"] = ".".join(found["python"].split(".")[:2])
    blake = hashlib.blake2b(digest_size=8)
    for name in CODE:
        package = Path(importlib.import_module(name).__path__[0])
        for path in sorted(package.rglob("*.py")):
            blake.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return found | {"code": blake.hexdigest()}
