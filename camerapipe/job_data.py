"""What a job is asked, and what it returns: plain data (`job` runs it)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from camerapipe.assembly import Request
from camerapipe.camera import Input
from camerapipe.capture import Capture
from camerapipe.errors import ExitCode
from camerapipe.ingest import DEFAULT_MAX_PIXELS, Metadata, format_named, format_of
from camerapipe.naming import PREFERRED, Outputs
from camerapipe.protecting import ProtectionRequest
from camerapipe.recipe import Recipe
from camerapipe.report import Report
from stages.findings import Finding


class Task(StrEnum):
    """What is done with an input."""

    RENDER = "render"
    MAP = "map"
    CHECK = "check"


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How a picture is written; None leaves the choice to the file and its name.

    Parameters
    ----------
    format : str or None
        A format of `PICTURE_FORMATS`; None: by the suffix of the output.
    bits : int or None
        Bits per sample, 8 or 16; None: as many as the input needs.
    quality : int or None
        Of a JPEG, 1..100; None: `DEFAULT_QUALITY`.
    metadata : Metadata
        Which metadata are kept.
    embed_map : bool
        Put the blur map of the capture into the metadata of a JPEG.
    """

    format: str | None = None
    bits: int | None = None
    quality: int | None = None
    metadata: Metadata = Metadata.ALL
    embed_map: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """One input and what is to be made of it.

    Parameters
    ----------
    source : path, array or Capture
        The input.
    request : Request
        Settings, budget and corrections. Its settings have the parameters of the recipe already
        (`recipe.resolve_with`).
    task : Task
        Render a picture, estimate a map, or check.
    outputs : Outputs
        Where results go. Without a path the picture is returned as bytes.
    recipe : Recipe or None
        Corrections that are fitted to the size of the capture.
    foreground, from_map : Path or None
        Files whose size depends on the capture: a mask, and a map to render from.
    from_depth, guide_depth : path or None
        Depth of the capture: files, or `"embedded"` for that in the input.
    protection : ProtectionRequest
        What is to stay sharp, as files and numbers.
    writing : Writing
        How the picture is written.
    protected : tuple of Path
        Files that no output may replace, such as the inputs of other jobs.
    overwrite : bool
        Replace outputs that exist.
    strict_budget, strict_check : bool
        Let the job fail, after its outputs are written, if the budget was missed or there is no
        defocus to magnify.
    max_pixels : int
        Refuse a larger input before it is decoded.
    """

    source: Input
    request: Request
    task: Task = Task.RENDER
    outputs: Outputs = Outputs()
    recipe: Recipe | None = None
    foreground: Path | None = None
    from_map: Path | None = None
    from_depth: str | os.PathLike[str] | None = None
    guide_depth: str | os.PathLike[str] | None = None
    protection: ProtectionRequest = ProtectionRequest()
    writing: Writing = Writing()
    protected: tuple[Path, ...] = ()
    overwrite: bool = False
    strict_budget: bool = False
    strict_check: bool = False
    max_pixels: int = DEFAULT_MAX_PIXELS

    @property
    def name(self) -> str:
        """The input as messages call it."""
        if isinstance(self.source, Capture):
            return self.source.name
        return str(self.path) if self.path else "array"

    @property
    def path(self) -> Path | None:
        """The file that is the input, if it is one."""
        return Path(self.source) if isinstance(self.source, str | os.PathLike) else None

    @property
    def picture_format(self) -> str:
        """Format of the picture, of `PICTURE_FORMATS`."""
        if self.writing.format is not None:
            return format_named(self.writing.format)
        return format_of(self.outputs.picture) if self.outputs.picture else PREFERRED


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError:
    """Why a job failed: its kind, one line for a person, and the traceback if there was one."""

    code: ExitCode
    message: str
    traceback: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """How a job ended.

    `verdict` is one line for a person, `notes` say what was changed in what was asked. `report` is
    None for a check and after an error before the shot. `written` holds the paths of the outputs by
    their kind. `picture` holds the bytes of a picture that has no path. `facts` are further data.
    """

    name: str
    verdict: str
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    report: Report | None = None
    written: Mapping[str, Path] = field(default_factory=dict)
    picture: bytes | None = field(default=None, repr=False)
    facts: Mapping[str, Any] = field(default_factory=dict)
    error: JobError | None = None

    @property
    def exit_code(self) -> ExitCode:
        """What the command line would leave with."""
        return self.error.code if self.error else ExitCode.OK

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        data = self.report.to_dict() if self.report else {}
        data["capture"] = self.name
        if self.findings:
            data["findings"] = [asdict(finding) for finding in self.findings]
        data |= {"verdict": self.verdict, "notes": list(self.notes), **self.facts}
        data["written"] = {kind: str(path) for kind, path in self.written.items()}
        data["exit_code"] = int(self.exit_code)
        return data | ({"error": self.error.message} if self.error else {})
