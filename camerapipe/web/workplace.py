"""A folder for uploads and exports, which is gone when the server ends, also after a crash.

The folder has a file that its process keeps locked. A server that starts removes folders whose file
nobody holds any more.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

PREFIX = "camerapipe-studio-"
LOCK = ".lock"
LONGEST_NAME = 100  # characters of a file name that came from a page


class Workplace:
    """The folder of a server."""

    def __init__(self, parent: Path | None = None) -> None:
        parent = parent or Path(tempfile.gettempdir())
        _remove_abandoned(parent)
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        self._lock = _locked(self.path / LOCK)

    def folder(self) -> Path:
        """A new folder in it."""
        return Path(tempfile.mkdtemp(dir=self.path))

    def close(self) -> None:
        """Remove the folder and all in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()


def safe_name(name: str) -> str:
    """File name for what a page calls a file: the last part, without what file systems refuse."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(each for each in last if each.isprintable() and each not in '<>:"|?*')
    kept = kept.strip(" .")
    stem, suffix = os.path.splitext(kept)
    return f"{stem[: LONGEST_NAME - len(suffix[:12])]}{suffix[:12]}" or "photograph"


def _locked(path: Path) -> BinaryIO | None:
    """The file, locked; None if another process holds it."""
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def _remove_abandoned(parent: Path) -> None:
    """Remove the folders of servers that did not end in order, if they are of the same user."""
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            if (folder / LOCK).is_file() and (held := _locked(folder / LOCK)) is not None:
                shutil.rmtree(folder, ignore_errors=True)
                held.close()
