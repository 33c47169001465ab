"""The process: threads, kernel cache, warm-up, versions. The only room that sets any of them."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from camerapipe import __version__

PACKAGES = ("numpy", "opencv-python-headless", "numba", "scipy", "pillow", "rawpy")
CACHE_VARIABLE = "NUMBA_CACHE_DIR"


def ensure_kernel_cache() -> None:
    """Give compiled kernels a place: beside the code, in the user's cache, else a temporary one."""
    if CACHE_VARIABLE in os.environ:
        return
    beside = Path(__file__).resolve().parents[1] / "stages"
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    if any(_writable(place) for place in (beside, user)):
        return
    temporary = Path(tempfile.gettempdir()) / f"camerapipe-kernels-{_user_name()}"
    try:
        temporary.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return  # no place at all: kernels are compiled anew by every process
    if temporary.stat().st_uid != os.getuid() if hasattr(os, "getuid") else False:
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


def _writable(place: Path) -> bool:
    """Could a folder be made or written at this place?"""
    while not place.exists() and place != place.parent:
        place = place.parent
    return os.access(place, os.W_OK | os.X_OK)


def _user_name() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")


def kernel_cache() -> str:
    """Where compiled kernels are kept, in words."""
    return os.environ.get(CACHE_VARIABLE) or "beside the code, or in the user's cache"


def set_threads(count: int) -> None:
    """Set the number of threads of strips and of OpenCV."""
    import cv2

    from stages import strips

    strips.set_workers(count)
    cv2.setNumThreads(count)


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def warm_up(progress: Callable[[str, int, int], None] | None = None) -> int:
    """Compile every kernel or load it from the cache; give the number of kernels.

    `progress(name, done, total)` is called before each.
    """
    import camerapipe.pipelines  # noqa: F401 - declares all kernels
    from stages.kernels import registered

    kernels = list(registered())
    for done, kernel in enumerate(kernels):
        if progress is not None:
            progress(kernel.name, done, len(kernels))
        kernel.compile()
    return len(kernels)


def peak_mb() -> float | None:
    """Highest resident memory of this process so far; None where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
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
