"""Where results go: names of outputs, folders, collisions; all settled before the work."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from camerapipe.cli.common import UNWRITTEN, USAGE, Failure

PICTURE_SUFFIXES = {".png": ".png", ".tif": ".tif", ".tiff": ".tiff"}  # all else becomes .jpg
FILE_SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".npz", ".json"}


@dataclass(frozen=True, slots=True)
class Job:
    """One input and where its results go; a picture of None goes to stdout."""

    source: Path
    picture: Path | None
    map: Path | None = None
    report: Path | None = None

    def check(self, inputs: Sequence[Path], *, overwrite: bool) -> None:
        """Refuse outputs that cannot be written; no input is ever an output."""
        from camerapipe.ingest import MAPS, PICTURES, check_output

        for path, suffixes in ((self.picture, PICTURES), (self.map, MAPS), (self.report, ())):
            if path is not None:
                check_output(path, inputs, overwrite=overwrite, suffixes=suffixes)


def name_outputs(
    inputs: Sequence[Path], picture: str, blur_map: str | None, report: str | None
) -> list[Job]:
    """Name the outputs of every input; folders are made where they are asked for."""
    several = len(inputs) > 1
    for target, option in ((picture, "-o"), (blur_map, "--map"), (report, "--report")):
        if target == "" or (target == "-" and (several or option != "-o")):
            raise Failure(f"{option}: expected a file or folder; got {target!r}", USAGE)
    jobs = [
        Job(
            source,
            None if picture == "-" else _place(picture, several, f"{name}_bokeh{_suffix(source)}"),
            None if blur_map is None else _place(blur_map, several, f"{name}_map.tiff"),
            None if report is None else _place(report, several, f"{name}_report.json"),
        )
        for source, name in zip(inputs, _names(inputs), strict=True)
    ]
    _refuse_collisions(jobs)
    return jobs


def _names(inputs: Sequence[Path]) -> list[str]:
    """Stems of the inputs; a RAW and a JPEG of one stem keep their suffixes apart."""
    count = Counter(source.stem for source in inputs)
    return [
        s.stem if count[s.stem] == 1 else f"{s.stem}_{s.suffix.lower().lstrip('.')}" for s in inputs
    ]


def _place(target: str, several: bool, name: str) -> Path:
    """File for a result: the target itself, or a name in the folder that it is."""
    path = Path(target)
    if path.is_dir():
        return path / name
    folder = target.endswith(("/", "\\"))
    if not several and not folder:
        return path
    if path.suffix.lower() in FILE_SUFFIXES and not folder:
        raise Failure(f"{path}: several inputs need a folder, not a file", USAGE)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise Failure(f"{path}: is not a folder for outputs: {reason}", UNWRITTEN) from error
    return path / name


def _suffix(source: Path) -> str:
    return PICTURE_SUFFIXES.get(source.suffix.lower(), ".jpg")


def _refuse_collisions(jobs: list[Job]) -> None:
    taken: dict[str, Path] = {}
    for job in jobs:
        for path in filter(None, (job.picture, job.map, job.report)):
            place = os.path.realpath(path)
            if place in taken:
                raise Failure(
                    f"two results would both be written to {path}: of {taken[place]} and of "
                    f"{job.source}",
                    USAGE,
                )
            taken[place] = job.source
