"""The inputs of a batch, as a stream: files, folders, globs, or a list on standard input.

Names never lie in memory together: a folder is listed into a temporary SQLite file, which sorts it
and groups files of one stem.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import groupby
from pathlib import Path, PurePath
from typing import BinaryIO

from camerapipe.batch.journal import holds_a_journal
from camerapipe.batch.thumbnails import REPORT_FOLDER
from camerapipe.errors import RequestError
from camerapipe.ingest.folders import Pairs, is_picture, passed_over

DIGITS = 20  # to which numbers in names are padded, so that text sorts in natural order
CHUNK = 1 << 16  # bytes that are read from a list at once
MAX_NAME = 1 << 15  # bytes; longer ones are not names, and the list is none


@dataclass(frozen=True, slots=True)
class Found:
    """An input: absolute path, path below its SRC, and whether an input beside it has its stem."""

    path: str
    relative: str
    shares_stem: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Part `index` of `count`, counted from 1: files by a digest of their path below SRC."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read `i/n`; `RequestError` if it is none."""
        index, _, count = text.partition("/")
        if index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count):
            return cls(index=int(index), count=int(count))
        raise RequestError(f"--shard: expected i/n with i from 1 to n, such as 2/8; got {text!r}")

    def has(self, relative: str) -> bool:
        """Whether a path below SRC belongs to this part."""
        key = os.fsencode(PurePath(relative).as_posix())
        number = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big")
        return number % self.count == self.index - 1


@dataclass(kw_only=True)
class Listing:
    """Iterates over inputs; it can be iterated again unless a list is read.

    Parameters
    ----------
    sources : sequence of str
        Files, folders and globs; `-` is the list.
    output : str
        The folder of the outputs. Below a folder of inputs it is passed over, as are the outputs of
        earlier batches.
    is_output : callable
        Whether a path is an output of this batch.
    recursive : bool
        Look into subfolders.
    include : sequence of str
        Patterns; name or path of a file in a folder must match one.
    pairs : Pairs
        Which file of a RAW+JPEG pair in a folder is used.
    shard : Shard or None
        Only this part.
    names : binary file
        The list: paths with `separator` after each.
    separator : bytes
        One byte.
    problem : callable
        Called with one line about a folder that cannot be read, or a glob without files.
    """

    sources: Sequence[str]
    output: str
    is_output: Callable[[str], bool] = lambda path: False
    recursive: bool = False
    include: Sequence[str] = ()
    pairs: Pairs = Pairs.RAW
    shard: Shard | None = None
    names: BinaryIO | None = None
    separator: bytes = b"\n"
    problem: Callable[[str], None] = lambda line: None

    def __iter__(self) -> Iterator[Found]:
        folders = [source for source in self.sources if os.path.isdir(source)]
        for source in self.sources:
            for found in self._of(source, several=len(folders) > 1):
                if self.shard is None or self.shard.has(found.relative):
                    yield found

    def _of(self, source: str, *, several: bool) -> Iterator[Found]:
        path = os.path.abspath(source)
        if source == "-":
            for name in names_in(self.names, self.separator) if self.names else ():
                yield Found(os.path.abspath(name), _named(name))
        elif os.path.isdir(source):
            below = os.path.basename(path) if several else ""
            yield from self._folder(path, below, self._is_included, recursive=self.recursive)
        elif glob.has_magic(source) and not os.path.lexists(source):
            yield from self._glob(path)
        else:
            yield Found(path, os.path.basename(path))

    def _glob(self, pattern: str) -> Iterator[Found]:
        parts = PurePath(pattern).parts
        fixed = next(place for place, part in enumerate(parts) if glob.has_magic(part))
        found = False
        for each in self._folder(
            os.path.join(*parts[:fixed]), "",
            lambda relative: _matches(PurePath(relative).parts, parts[fixed:]),
            recursive=len(parts) > fixed + 1,
        ):  # fmt: skip
            found = True
            yield each
        if not found:
            self.problem(f"{pattern}: no picture has such a name")

    def _folder(
        self, folder: str, below: str, wanted: Callable[[str], bool], *, recursive: bool
    ) -> Iterator[Found]:
        """Inputs in a folder, then those in its subfolders. Links to folders are not followed."""
        with _Names() as names:
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if entry.name.startswith("."):
                            continue
                        if entry.is_dir(follow_symlinks=False):
                            if recursive:
                                names.add(entry.name, is_folder=True)
                        elif self._is_input(entry, os.path.join(below, entry.name), wanted):
                            names.add(entry.name)
            except OSError as error:
                self.problem(f"{folder}: cannot be read ({error.strerror or error})")
            for name, shares in names.files(self.pairs):
                yield Found(os.path.join(folder, name), os.path.join(below, name), shares)
            for name in names.folders():
                inner = os.path.join(folder, name)
                if not self._has_outputs(inner):
                    yield from self._folder(
                        inner, os.path.join(below, name), wanted, recursive=recursive
                    )

    def _is_input(
        self, entry: os.DirEntry[str], relative: str, wanted: Callable[[str], bool]
    ) -> bool:
        if not wanted(relative) or self.is_output(entry.path):
            return False
        try:
            return entry.is_file() and is_picture(Path(entry.path))
        except OSError:  # a fault of the disk: it is told as that of the file
            return True

    def _is_included(self, relative: str) -> bool:
        texts = (relative, os.path.basename(relative))
        return not self.include or any(fnmatch(t, p) for p in self.include for t in texts)

    def _has_outputs(self, folder: str) -> bool:
        own = os.path.realpath(folder) == os.path.realpath(self.output)
        return own or os.path.basename(folder) == REPORT_FOLDER or holds_a_journal(folder)


class _Names:
    """Names of one folder in a temporary file, in natural order (`IMG_2` before `IMG_10`)."""

    def __enter__(self) -> _Names:
        self._base = sqlite3.connect("", isolation_level=None)
        self._base.execute("PRAGMA journal_mode = OFF")
        self._base.execute("CREATE TABLE names (is_folder, stem, name BLOB)")
        self._base.execute("BEGIN")
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()

    def add(self, name: str, *, is_folder: bool = False) -> None:
        """Add a file or a subfolder."""
        values = (is_folder, os.fsencode(_padded(Path(name).stem)), os.fsencode(name))
        self._base.execute("INSERT INTO names VALUES (?, ?, ?)", values)

    def files(self, pairs: Pairs) -> Iterator[tuple[str, bool]]:
        """Names of files that are used, and whether another one has the same stem."""
        for _, group in groupby(self._sorted(is_folder=False), lambda row: row[0]):
            paths = [Path(os.fsdecode(name)) for _, name in group]
            left_out = passed_over(paths, pairs)
            used = [path for path in paths if path not in left_out]
            yield from ((path.name, len(used) > 1) for path in used)

    def folders(self) -> Iterator[str]:
        """Names of subfolders."""
        yield from (os.fsdecode(name) for _, name in self._sorted(is_folder=True))

    def _sorted(self, *, is_folder: bool) -> Iterator[tuple[bytes, bytes]]:
        query = "SELECT stem, name FROM names WHERE is_folder = ? ORDER BY stem, name"
        yield from self._base.execute(query, (is_folder,))


def names_in(stream: BinaryIO, separator: bytes) -> Iterator[str]:
    """Paths of a list, read in chunks; empty ones are passed over.

    Raises
    ------
    RequestError
        If a name is longer than any path.
    """
    rest = b""
    while chunk := stream.read1(CHUNK) if hasattr(stream, "read1") else stream.read(CHUNK):
        *names, rest = (rest + chunk).split(separator)
        yield from (os.fsdecode(name) for name in names if name)
        if len(rest) > MAX_NAME:
            raise RequestError(
                f"-: the list has a name of more than {MAX_NAME} bytes; expected one path a line, "
                "or with -0 a NUL after each"
            )
    if rest:
        yield os.fsdecode(rest)


def _named(name: str) -> str:
    """A path of a list, without what would lead out of a folder."""
    path = PurePath(os.path.normpath(name))
    return str(PurePath(*(part for part in path.parts if part not in (path.anchor, ".."))))


def _padded(stem: str) -> str:
    """A stem whose text sorts in natural order, whatever the case of its letters."""
    return re.sub(r"[0-9]+", lambda digits: digits[0].zfill(DIGITS), stem.casefold())


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether parts of a path match those of a glob; `**` stands for any number of folders."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return _matches(parts, pattern[1:]) or (bool(parts) and _matches(parts[1:], pattern))
    return bool(parts) and fnmatch(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])
