"""The process: threads, memory, kernel cache, warm-up, versions. The only room that sets them."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from camerapipe import __version__

if TYPE_CHECKING:
    from stages.kernels import Kernel

PACKAGES = ("numpy", "opencv-python-headless", "numba", "scipy", "pillow", "rawpy")
CACHE_VARIABLE = "NUMBA_CACHE_DIR"
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -3, -4, -8  # of <malloc.h>
KEPT_BYTES = (1 << 31) - 1  # of freed memory, the most that mallopt can be told
LARGE_BYTES = 1 << 18  # of an array that is returned when it is freed


def ensure_kernel_cache() -> None:
    """Give compiled kernels a place: beside the code, in the user's cache, else a temporary one."""
    if CACHE_VARIABLE in os.environ:
        return
    beside, user = _cache_places()
    if _writable(beside) or _writable(user):
        return
    temporary = Path(tempfile.gettempdir()) / f"camerapipe-kernels-{_user_name()}"
    try:
        temporary.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return  # no place at all: kernels are compiled anew by every process
    if hasattr(os, "getuid") and temporary.stat().st_uid != os.getuid():
        return  # somebody else's folder: compiled code from it is not to be trusted
    os.environ[CACHE_VARIABLE] = str(temporary)
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = str(temporary)
    warnings.warn(
        f"no writable place for compiled kernels beside the code or in {user}; "
        f"using {temporary} (set {CACHE_VARIABLE} to choose another)",
        RuntimeWarning,
        stacklevel=2,
    )


def _cache_places() -> tuple[Path, Path]:
    """Where Numba keeps compiled kernels: beside the code, else in the user's cache."""
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(__file__).resolve().parents[1] / "stages", user


def _writable(place: Path) -> bool:
    """Could a folder be made or written at this place?"""
    while not place.exists() and place != place.parent:
        place = place.parent
    return os.access(place, os.W_OK | os.X_OK)


def _user_name() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")


def kernel_cache() -> str:
    """Folder in which compiled kernels are kept."""
    if CACHE_VARIABLE in os.environ:
        return os.environ[CACHE_VARIABLE]
    beside, user = _cache_places()
    return str(beside / "**" / "__pycache__" if _writable(beside) else user / "numba")


def return_freed_memory() -> bool:
    """Let the C library return each large array to the system when it is freed.

    Left alone it keeps more and more of them. Has no effect any more after `keep_freed_memory`.
    """
    return _tell_malloc({M_MMAP_THRESHOLD: LARGE_BYTES})


def keep_freed_memory() -> bool:
    """Let the C library keep freed arrays for the next ones, from now on.

    Otherwise every stage waits for the system to clear the pages of its arrays: up to half of the
    time of a large picture. Up to 2 GB at the end of the heap stay with the process.
    """
    return share_heap() and _tell_malloc({M_MMAP_MAX: 0, M_TRIM_THRESHOLD: KEPT_BYTES})


def share_heap() -> bool:
    """Let all threads that begin from now on share one heap, the one that keeps freed memory.

    Heaps of their own are too small to keep large arrays. Those that threads have already (of
    OpenCV, from its first call on) are handed to new threads in turns, so this comes before them.
    """
    return _tell_malloc({M_ARENA_MAX: 1})


def settle_objects() -> None:
    """Look for garbage once, and from now on only among what is made later.

    Compiled kernels are many objects: looking them through takes a tenth of a second, in the midst
    of some frame.
    """
    gc.collect()
    gc.freeze()


def _tell_malloc(options: dict[int, int]) -> bool:
    """Set options of glibc; tell whether this is glibc."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return all(mallopt(option, value) for option, value in options.items())


def set_threads(count: int) -> None:
    """Set the number of threads of strips and of OpenCV; BLAS, for small products only, has one."""
    import cv2
    from threadpoolctl import threadpool_limits

    from stages import strips

    strips.set_workers(count)
    cv2.setNumThreads(count)
    threadpool_limits(limits=1, user_api="blas")


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def warm_up(
    progress: Callable[[str, int, int], None] | None = None,
    compiling: Callable[[], None] | None = None,
) -> int:
    """Compile every kernel or load it from the cache; give the number of kernels.

    `progress(name, done, total)` is called before each, and `compiling()` once where the first is
    found that was not in the cache.
    """
    kernels, found = _kernels(), False
    with _seldom_collecting(), closing(_in_turn(kernels)) as turn:
        for done, kernel in enumerate(turn):
            if progress is not None:
                progress(kernel.name, done, len(kernels))
            if kernel.compile() and compiling is not None and not found:
                found = True
                compiling()
    return len(kernels)


def _in_turn(kernels: list[Kernel]) -> Generator[Kernel, None, None]:
    """The kernels in the order in which they are to be compiled here.

    Where there is much to compile, a process beside this one takes part: each takes what is next
    from one pipe. What the other has put into the cache comes last, to be loaded from there.
    """
    ours: set[int] = set()
    for place, kernel in enumerate(kernels):
        ours.add(place)
        known = kernel.ready
        yield kernel
        if kernel.is_new and not known and available_cores() > 1:
            break
    with _helper(range(len(ours), len(kernels))) as places:
        for place in places:
            ours.add(place)
            yield kernels[place]
    yield from (kernel for place, kernel in enumerate(kernels) if place not in ours)


@contextmanager
def _helper(places: range) -> Iterator[Iterator[int]]:
    """Have another process compile too; give the places of the kernels that are left to this one.

    It is waited for, since it may be at its last kernel, and stopped if things go wrong here.
    """
    work = "from camerapipe.runtime import compile_in_turn; compile_in_turn()"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    null = subprocess.DEVNULL
    reader, writer = os.pipe()
    os.write(writer, bytes(places))
    os.close(writer)
    with ExitStack() as ending:
        ending.callback(os.close, reader)
        process = None
        if places:
            with suppress(OSError):  # no process to be had: this one does it all
                process = subprocess.Popen(
                    [sys.executable, "-c", work],
                    env=environment, stdin=reader, stdout=null, stderr=null,
                )  # fmt: skip
        if process is not None:
            ending.enter_context(process)
            ending.callback(process.kill)
        yield _taken_from(reader)
        if process is not None:
            process.wait()


def compile_in_turn() -> None:
    """Compile the kernels whose places come from standard input: the work of a helper."""
    kernels = _kernels()
    with _seldom_collecting():
        for place in _taken_from(sys.stdin.fileno()):
            kernels[place].compile()


def _taken_from(pipe: int) -> Iterator[int]:
    """Numbers from a pipe, one byte each, until it is empty; several may read from it."""
    while place := os.read(pipe, 1):
        yield place[0]


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Collect garbage seldom: it takes an eighth of the time of compiling, and finds little."""
    usual = gc.get_threshold()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _kernels() -> list[Kernel]:
    import camerapipe.pipelines  # noqa: F401 - declares all kernels
    from stages.kernels import registered

    return list(registered())


def peak_mb() -> float | None:
    """Highest resident memory of this process so far; None where the system does not say."""
    with suppress(OSError):  # not Linux
        status = Path("/proc/self/status").read_text()
        if found := re.search(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE):
            return int(found[1]) / 1024
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # Linux: or that of what started it
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def versions() -> dict[str, str]:
    """Versions of what decides a result."""
    found = {"camerapipe": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
