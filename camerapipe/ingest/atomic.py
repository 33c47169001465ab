"""Atomic writing: an output file is complete, or does not exist.

Data are written to a hidden file in the same folder, and synchronised to the disk. Then the file
gets its final name: by a hard link, which fails if the name has come into existence, or by a rename
if overwriting is allowed. `check_output` checks before the work whether an output can be written.
"""

from __future__ import annotations

import errno
import hashlib
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
    """Check that an output can be written, and would not overwrite an input.

    Parameters
    ----------
    path : path
        The output.
    inputs : iterable of path
        Files that must not be overwritten.
    overwrite : bool
        Whether an existing file may be replaced.
    suffixes : tuple of str
        Allowed suffixes (`PICTURES`, `MAPS`); an empty tuple allows any name.

    Raises
    ------
    OutputError
        If it cannot be written; the message has the reason.
    """
    path = Path(path)
    if suffixes and path.suffix.lower() not in suffixes:
        raise OutputError(f"{path}: cannot write {_suffix(path)}; choose {', '.join(suffixes)}")
    try:
        _check_place(path, inputs, overwrite)
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        raise OutputError(f"{path}: cannot be written ({_reason(error)})") from error


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder and those above it, unless it exists; `OutputError` if that fails."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: the folder cannot be made ({_reason(error)})") from error


def write_text(path: str | os.PathLike[str], text: str, *, overwrite: bool = False) -> None:
    """Write a report or another text, as UTF-8."""
    write_bytes(path, text.encode(), overwrite=overwrite)


def write_bytes(path: str | os.PathLike[str], data: bytes, *, overwrite: bool) -> None:
    """Write a file atomically; `OutputError` if that fails, and then no file remains."""
    with whole_file(path, overwrite=overwrite) as file:
        file.write(data)


@contextmanager
def whole_file(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[BinaryIO]:
    """Open a file that gets its name when the block ends; after an exception, no file remains."""
    with whole_path(path, overwrite=overwrite) as temporary:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with os.fdopen(handle, "wb") as file:
            yield file


@contextmanager
def whole_path(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[Path]:
    """Give a temporary path to a library that opens files itself; otherwise as `whole_file`."""
    path = Path(path)
    check_output(path, overwrite=overwrite, suffixes=())
    target = Path(os.path.realpath(path))  # write to the target of a symbolic link
    temporary = target.with_name(
        f"{temporary_beginning(target)}{secrets.token_hex(8)}.tmp{target.suffix}"
    )
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


def remove_leftovers(path: str | os.PathLike[str]) -> None:
    """Remove temporary files of an output whose process was killed; nobody may be writing it."""
    target = Path(os.path.realpath(path))
    with suppress(OSError):
        for temporary in target.parent.glob(f"{temporary_beginning(target)}*.tmp*"):
            temporary.unlink(missing_ok=True)


def temporary_beginning(target: Path) -> str:
    """Beginning of the names of temporary files for an output."""
    digest = hashlib.blake2b(os.fsencode(target.name), digest_size=6).hexdigest()
    return f".camerapipe-{digest}-"


def _check_place(path: Path, inputs: Iterable[str | os.PathLike[str]], overwrite: bool) -> None:
    """Check that the folder exists and is writable, and that the file may be written."""
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
    """Check that an existing file may be replaced."""
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
    """Whether two paths are the same file, also by symbolic and hard links."""
    try:
        return os.path.samestat(path.stat(), source.stat())
    except OSError:  # one of them does not exist
        return False


def _to_disk(path: Path) -> None:
    """Synchronise a file to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _publish(temporary: Path, target: Path, overwrite: bool) -> None:
    """Give a file its final name, and synchronise the folder."""
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
    """Give a file its final name only if that is free, also on file systems without hard links."""
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
        except BaseException:  # also Ctrl-C: the empty reserved file must be removed
            target.unlink()
            raise


def _exists(path: Path) -> str:
    return (
        f"{path}: exists already; choose another name, or replace it by --overwrite "
        "(overwrite=True)"
    )


def _suffix(path: Path) -> str:
    return f"'{path.suffix}' files" if path.suffix else "a file without a suffix"


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
