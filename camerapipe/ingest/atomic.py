"""Outputs: whole under their name, or absent.

Bytes go to a hidden file in the same folder, to the disk, and only then under the final name: by a
hard link, which fails if the name exists meanwhile, or by a rename where overwriting is allowed.
`check_output` answers before the work whether an output can be written at all.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from camerapipe.errors import OutputError
from camerapipe.ingest.formats import PICTURES

KNOWN = (*PICTURES, ".npz", ".json")
NO_LINKS = {"EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EACCES"}  # e.g. exFAT, SMB


def check_output(
    path: str | os.PathLike[str],
    inputs: Iterable[str | os.PathLike[str]] = (),
    *,
    overwrite: bool,
    suffixes: tuple[str, ...] = KNOWN,
) -> None:
    """Refuse an output that could not be written, or would harm an input: `OutputError` says why.

    `suffixes` are the formats to choose from (`PICTURES`, `MAPS`); an empty tuple accepts any name.
    """
    path = Path(path)
    if suffixes and path.suffix.lower() not in suffixes:
        raise OutputError(f"{path}: cannot write {_suffix(path)}; choose {', '.join(suffixes)}")
    try:
        _check_place(path, inputs, overwrite)
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        raise OutputError(f"{path}: cannot be written ({_reason(error)})") from error


def write_text(path: str | os.PathLike[str], text: str, *, overwrite: bool = False) -> None:
    """Write a report or another text, as UTF-8."""
    write_bytes(path, text.encode(), overwrite=overwrite)


def write_bytes(path: str | os.PathLike[str], data: bytes, *, overwrite: bool) -> None:
    """Write a whole file or none; `OutputError` where that fails, and nothing is left behind."""
    with whole_file(path, overwrite=overwrite) as file:
        file.write(data)


@contextmanager
def whole_file(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[BinaryIO]:
    """Open a file that takes its name when the block ends well; after an error none is left."""
    with whole_path(path, overwrite=overwrite) as temporary:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with os.fdopen(handle, "wb") as file:
            yield file


@contextmanager
def whole_path(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[Path]:
    """Name a file, for a library that opens files itself, that takes its name in the same way."""
    path = Path(path)
    check_output(path, overwrite=overwrite, suffixes=())
    target = Path(os.path.realpath(path))  # through a link, not over it
    temporary = target.with_name(f".camerapipe-{secrets.token_hex(8)}.tmp{target.suffix}")
    try:
        yield temporary
        _to_disk(temporary)
        _publish(temporary, target, overwrite)
    except FileExistsError as error:
        raise OutputError(_exists(path)) from error
    except OSError as error:
        raise OutputError(f"{path}: could not be written ({_reason(error)})") from error
    finally:  # also after Ctrl-C
        with suppress(FileNotFoundError):
            temporary.unlink()


def _check_place(path: Path, inputs: Iterable[str | os.PathLike[str]], overwrite: bool) -> None:
    parent = Path(os.path.realpath(path)).parent
    if not parent.is_dir():
        raise OutputError(f"{path}: the folder {parent} does not exist; make it first")
    for source in inputs:
        if _same_file(path, Path(source)):
            raise OutputError(f"{path}: is the input itself; choose another name")
    if path.exists():
        _check_existing(path, overwrite)
    if not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"{path}: the folder {parent} may not be written to")


def _check_existing(path: Path, overwrite: bool) -> None:
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise OutputError(f"{path}: is a folder; name a file in it")
    if not stat.S_ISREG(mode):
        raise OutputError(f"{path}: is a device or a pipe; name a file")
    if not overwrite:
        raise OutputError(_exists(path))
    if not os.access(path, os.W_OK):
        raise OutputError(f"{path}: is write-protected; change its permissions or the name")


def _same_file(path: Path, source: Path) -> bool:
    """Are two names one file, also through symbolic and hard links?"""
    try:
        return os.path.samestat(path.stat(), source.stat())
    except OSError:  # one of them does not exist
        return False


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _publish(temporary: Path, target: Path, overwrite: bool) -> None:
    if overwrite:
        os.replace(temporary, target)
    else:
        _link_or_reserve(temporary, target)
    with suppress(OSError):  # not every file system can sync a folder
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _link_or_reserve(temporary: Path, target: Path) -> None:
    """Take the name only if it is free, also where the file system has no hard links."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError as error:
        if errno.errorcode.get(error.errno or 0) not in NO_LINKS:
            raise
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        try:
            os.replace(temporary, target)
        except BaseException:  # also Ctrl-C: the reserved name must not stay behind, empty
            target.unlink()
            raise


def _exists(path: Path) -> str:
    return f"{path}: exists already; give --overwrite to replace it, or another name"


def _suffix(path: Path) -> str:
    return f"'{path.suffix}' files" if path.suffix else "a file without a suffix"


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
