"""Arrays that are slow to make, kept on disk under a digest of all that they follow from.

Whoever asks names the parts that decide the result: names, numbers, arrays, source files. A change
of any part gives another digest, so that a kept result is never out of date. Files are written
under a temporary name first and are whole or absent.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from datasets.sources import download_folder

Arrays = Mapping[str, npt.NDArray[Any]]


def truth_folder() -> Path:
    """Folder of kept results where none is named: below `XDG_CACHE_HOME`, else `~/.cache`."""
    return download_folder().with_name("truth")


def digest(*parts: object) -> str:
    """Name of a result that follows from the parts, 32 hexadecimal digits.

    Parameters
    ----------
    *parts : object
        Arrays count with shape, type and values, paths with the bytes of their files, anything
        else with its `repr`.
    """
    found = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            found.update(f"{part.shape} {part.dtype} ".encode())
            found.update(np.ascontiguousarray(part).data)
        elif isinstance(part, Path):
            found.update(hashlib.sha256(part.read_bytes()).digest())
        else:
            found.update(f"{part!r} ".encode())
    return found.hexdigest()[:32]


def kept(folder: Path, name: str, make: Callable[[], Arrays]) -> Arrays:
    """Arrays that `make` gives, from the folder where they were made before.

    Parameters
    ----------
    folder : Path
        Made where it is absent.
    name : str
        A digest of everything that the arrays follow from.
    make : callable
        Gives the arrays by their names.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    path = folder / f"{name}.npz"
    if path.is_file():
        with suppress(OSError, ValueError, zipfile.BadZipFile), np.load(path) as archive:
            return {key: archive[key] for key in archive.files}
    made = make()
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **made)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return made
