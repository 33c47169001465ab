"""Places of outputs: local paths, and remote storage as fsspec knows it (`s3://`, `sftp://`, ...).

A remote place is a path that begins with the scheme, such as `s3:/bucket/out`: pathlib merges the
slashes of a URL, and `url_of` gives them back. A job writes its outputs into a local folder, and
then each is put whole under its remote name, the picture last. Object stores have an object only
when all of it has arrived. Elsewhere a file is written under another name, and renamed.
"""

from __future__ import annotations

import functools
import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path, PurePosixPath
from typing import Any

from camerapipe.errors import OutputError, RequestError, hint
from camerapipe.extras import install
from camerapipe.ingest import remove_leftovers, temporary_beginning
from camerapipe.naming import Outputs

URL = re.compile(r"([a-z][a-z0-9+.-]+):/+(.*)", re.DOTALL)  # two letters: C: is a drive
LOCAL_SCHEMES = ("file", "local")
FOLDERS_KEPT = 8  # of which the names are remembered


def place_of(text: str) -> Path:
    """The folder that a person names: a path or a URL.

    Raises
    ------
    RequestError
        If there is no such storage, or no package for it is installed.
    """
    found = URL.fullmatch(text)
    if found is None or "://" not in text:
        return Path(text)
    scheme, rest = found[1], found[2]
    if scheme in LOCAL_SCHEMES:
        return Path("/" + rest)
    try:
        import fsspec
    except ImportError as error:
        message = f"{scheme}:// needs the package fsspec: {install('remote')}"
        raise RequestError(message) from error
    known = fsspec.available_protocols()
    if scheme not in known:
        raise RequestError(f"{scheme}:// is no storage that fsspec knows{hint(scheme, known)}")
    try:
        fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        raise RequestError(f"{scheme}:// cannot be used: {error}") from error
    return Path(f"{scheme}:/{rest}")


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Whether a path stands for a remote place."""
    return URL.fullmatch(os.fspath(path)) is not None


def url_of(path: str | os.PathLike[str]) -> str:
    """A place as people write it."""
    found = URL.fullmatch(os.fspath(path))
    return os.fspath(path) if found is None else f"{found[1]}://{found[2]}"


def exists(path: str | os.PathLike[str]) -> bool:
    """Whether there is something at a place; remote folders are listed once (see `forget`)."""
    if not is_remote(path):
        return os.path.lexists(path)
    place = PurePosixPath(path)
    return place.name in _names(os.fspath(place.parent))


def forget() -> None:
    """Forget what remote folders hold, before another run."""
    _names.cache_clear()


def remove_partial(outputs: Outputs) -> None:
    """Remove temporary files of outputs whose process was killed; nobody may be writing them."""
    for path in outputs.paths():
        if not is_remote(path):
            remove_leftovers(path)
            continue
        storage, name = _storage(path)
        if not storage.async_impl:
            folder, beginning = os.path.dirname(name), temporary_beginning(path)
            for each in storage.glob(f"{folder}/{beginning}*"):
                with suppress(FileNotFoundError):
                    storage.rm_file(each)


@contextmanager
def staged(outputs: Outputs) -> Iterator[Outputs]:
    """Outputs that a job can write: the same, or those of a local folder for remote ones."""
    if not any(map(is_remote, outputs.paths())):
        yield outputs
        return
    with tempfile.TemporaryDirectory(prefix="camerapipe-") as folder:
        places = {each.name: getattr(outputs, each.name) for each in fields(outputs)}
        yield Outputs(
            **{kind: Path(folder, path.name) for kind, path in places.items() if path is not None}
        )


def publish(written: Mapping[str, Path], outputs: Outputs) -> None:
    """Put what was written under its remote names, in its order.

    Parameters
    ----------
    written : mapping
        Local paths by kind, of `staged` outputs.
    outputs : Outputs
        Where they are to go.

    Raises
    ------
    OutputError
        If that fails; what was there before is there still.
    """
    for kind, local in written.items():
        place: Path = getattr(outputs, kind)
        if local == place:
            continue
        try:
            _put(place, local.read_bytes())
        except Exception as error:  # whatever the library of a storage raises
            message = f"{url_of(place)}: could not be written ({_reason(error)})"
            raise OutputError(message) from error


def _put(place: Path, data: bytes) -> None:
    storage, name = _storage(place)
    if storage.async_impl:  # object stores: one PUT
        storage.pipe_file(name, data)
        return
    folder = os.path.dirname(name)
    storage.makedirs(folder, exist_ok=True)
    temporary = f"{folder}/{temporary_beginning(place)}{secrets.token_hex(8)}.tmp"
    try:
        storage.pipe_file(temporary, data)
        storage.mv(temporary, name)
    except BaseException:
        with suppress(Exception):
            storage.rm_file(temporary)
        raise


def _storage(path: str | os.PathLike[str]) -> tuple[Any, str]:
    """File system of a remote place, and its name there."""
    from fsspec.core import url_to_fs

    storage, name = url_to_fs(url_of(path))
    return storage, name


@functools.lru_cache(maxsize=FOLDERS_KEPT)
def _names(folder: str) -> frozenset[str]:
    """Names in a remote folder."""
    storage, name = _storage(folder)
    storage.invalidate_cache()
    try:
        return frozenset(PurePosixPath(each).name for each in storage.ls(name, detail=False))
    except FileNotFoundError:
        return frozenset()
    except Exception as error:  # whatever the library of a storage raises
        raise OutputError(f"{url_of(folder)}: cannot be listed ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
