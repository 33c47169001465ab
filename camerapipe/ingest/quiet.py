"""Silence: what image libraries print or warn of on odd data is not for the person at the terminal.

Their trouble reaches us as exceptions and findings. Warnings and log levels are set while at least
one thread is inside `quiet`; C libraries (libtiff, libpng inside OpenCV) write to file descriptor 2
themselves, so `muted` points it at the null device for the moment of decoding.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOGGERS = ("PIL", "exifread", "tifffile", "pillow_heif")


class _Shared:
    """Process-wide state that the first of several threads enters and the last one leaves."""

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
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, ValueError):  # no stderr at all: nothing can be printed either
        return lambda: None
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)

    def leave() -> None:
        os.dup2(kept, 2)
        os.close(kept)

    return leave


quiet = _Shared(_hush)
muted = _Shared(_mute)
