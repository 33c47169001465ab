"""Suppression of messages that image libraries print about unusual data.

Problems are reported by exceptions and findings instead. `quiet` ignores warnings and log messages
while at least one thread is inside it. C libraries (libtiff, libpng in OpenCV) write to file
descriptor 2 directly, so `muted` redirects it to the null device while they decode. OpenEXR prints
to `sys.stdout`, which `unprinted` replaces.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOGGERS = ("PIL", "exifread", "tifffile", "pillow_heif")


class _Shared:
    """Process-wide state, set when the first thread enters, and reset when the last one leaves."""

    def __init__(self, enter: Callable[[], Callable[[], None]]) -> None:
        self._enter = enter
        self._lock = threading.Lock()
        self._inside = 0
        self._leave: Callable[[], None] = lambda: None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if self._inside == 0:
                self._leave = self._enter()
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    self._leave()


def _hush() -> Callable[[], None]:
    """Ignore warnings and log messages; return a function that restores the previous state."""
    saved = warnings.catch_warnings()
    saved.__enter__()
    warnings.simplefilter("ignore")
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)

    def leave() -> None:
        saved.__exit__(None, None, None)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)

    return leave


def _mute() -> Callable[[], None]:
    """Redirect file descriptor 2; return a function that restores it."""
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, ValueError):  # there is no stderr, so nothing can be printed
        return lambda: None
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)

    def leave() -> None:
        os.dup2(kept, 2)
        os.close(kept)

    return leave


def _print_nothing() -> Callable[[], None]:
    """Replace `sys.stdout`; return a function that restores it."""
    kept, sys.stdout = sys.stdout, io.StringIO()

    def leave() -> None:
        sys.stdout = kept

    return leave


quiet = _Shared(_hush)
muted = _Shared(_mute)
unprinted = _Shared(_print_nothing)
