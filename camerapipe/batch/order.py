"""What a worker is asked, and what it answers: plain data, pickled between processes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from camerapipe.assembly import Request
from camerapipe.errors import ExitCode
from camerapipe.ingest import DEFAULT_MAX_PIXELS
from camerapipe.job_data import Writing
from camerapipe.naming import Outputs
from camerapipe.protecting import ProtectionRequest
from camerapipe.recipe import Recipe

LARGEST = (1 << 63) - 1  # integer of SQLite


class State(StrEnum):
    """State of a file in the journal."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    SKIPPED = "skipped"  # the check found nothing to magnify
    FAILED = "failed"  # an error that the next run may not have
    QUARANTINED = "quarantined"  # a worker crashed, hung or ran out of memory each time


class FileStamp(NamedTuple):
    """What tells a changed file from an unchanged one without reading it."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, file: str | int) -> FileStamp | None:
        """That of a path or an open file; None if it does not exist."""
        try:
            found = os.stat(file)
        except (OSError, ValueError):  # ValueError: a name with a NUL in it
            return None
        return cls(found.st_size, found.st_mtime_ns, found.st_ino & LARGEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of a file: a request, and the corrections that are fitted to its size."""

    request: Request
    recipe: Recipe | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is the same for all files of a batch; a worker gets it when it starts.

    Parameters
    ----------
    asked : Asked
        For files without a recipe of their own.
    writing : Writing
        How pictures are written.
    from_depth, guide_depth : str or None
        `"embedded"`, or None.
    protection : ProtectionRequest
        A model whose mask is to stay sharp.
    max_pixels : int
        Refuse larger files before they are decoded.
    only_suitable : bool
        Render only what passes the check.
    thumbnails : Path or None
        Folder for small copies of inputs and pictures, for the report.
    """

    asked: Asked
    writing: Writing = Writing()
    from_depth: str | None = None
    guide_depth: str | None = None
    protection: ProtectionRequest = ProtectionRequest()
    max_pixels: int = DEFAULT_MAX_PIXELS
    only_suitable: bool = False
    thumbnails: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One file to work on.

    Parameters
    ----------
    number : int
        Of its row in the journal.
    source : str
        Absolute path.
    outputs : Outputs
        Where picture and map go.
    asked : Asked or None
        What its own recipe asks; None: as all files.
    overwrite : bool
        Replace outputs that exist.
    known_digest : bytes or None
        If the content has this digest, nothing is to be done.
    interrupted : bool
        An earlier attempt may have left temporary files.
    attempt : int
        1 for the first of this run.
    granted_bytes : int or None
        Memory that the job may take; None: as much as it needs.
    """

    number: int
    source: str
    outputs: Outputs
    asked: Asked | None = None
    overwrite: bool = False
    known_digest: bytes | None = None
    interrupted: bool = False
    attempt: int = 1
    granted_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an order ended; less than 1 kB.

    `message` is one line for a person, `digest` that of the content, `file` the stamp of the file
    that was read. `unchanged` says that the output of an earlier run is still right.
    `fatal` says that the worker crashed, hung or ran out of memory. `needs_bytes` is set, and
    nothing was done, if the job needs more memory than was granted.
    """

    state: State
    message: str = ""
    code: ExitCode = ExitCode.OK
    digest: bytes | None = None
    file: FileStamp | None = None
    written: tuple[str, ...] = ()  # kinds of outputs
    findings: tuple[str, ...] = ()  # codes
    stages_ms: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    unchanged: bool = False
    fatal: bool = False
    needs_bytes: int | None = None
