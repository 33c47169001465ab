"""Inputs and the names of their outputs: folders, suffixes, collisions; settled before the work."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal, NamedTuple

from camerapipe.errors import RequestError
from camerapipe.ingest import (
    MAP_FORMATS,
    MAPS,
    PICTURE_FORMATS,
    PICTURES,
    format_named,
    make_folder,
)
from camerapipe.ingest.folders import Pairs, passed_over, pictures_in

FILE_SUFFIXES = frozenset({*PICTURES, *MAPS, ".json", ".toml"})
PREFERRED = "jpeg"  # format of a picture whose own format cannot be written

Kind = Literal["picture", "map", "report", "recipe"]
ENDINGS: Mapping[
    Kind, str
] = {  # of a name in a folder; the suffix of a picture depends on its input
    "picture": "_bokeh",
    "map": "_map.tiff",
    "report": "_report.json",
    "recipe": "_recipe.toml",
}


class Inputs(NamedTuple):
    """Files to work on, and the folders that they were found in.

    `several` says that their outputs need a folder. `passed_over` counts files of RAW+JPEG pairs
    whose other file is used.
    """

    paths: tuple[Path, ...]
    several: bool
    folders: tuple[Path, ...] = ()
    passed_over: int = 0


class Target(NamedTuple):
    """Destination of one kind of output: a file, or a folder for several.

    `option` is what messages call it, such as `--map`. `format` decides the suffix of names in a
    folder.
    """

    option: str
    text: str
    format: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Paths of the results of one input; None is not wanted."""

    picture: Path | None = None
    map: Path | None = None
    report: Path | None = None
    recipe: Path | None = None

    def paths(self) -> tuple[Path, ...]:
        """The paths that are wanted."""
        return tuple(filter(None, (self.picture, self.map, self.report, self.recipe)))


def find_inputs(named: Iterable[str | os.PathLike[str]], pairs: Pairs | str = Pairs.RAW) -> Inputs:
    """Files that a person named, and the pictures in folders; each only once.

    Parameters
    ----------
    named : iterable of path
        Files and folders.
    pairs : Pairs
        Which files of a RAW+JPEG pair in a folder are used: raw, jpeg or both. A file that is named
        itself is always used.

    Raises
    ------
    CaptureError
        If a folder cannot be read or has no pictures in it.
    """
    paths: dict[str, Path] = {}
    folders: list[Path] = []
    left_out: set[str] = set()
    for path in map(Path, named):
        files = [path]
        if os.path.isdir(path):  # False for a name that is too long
            folders.append(path)
            files = pictures_in(path)
            others = passed_over(files, Pairs(pairs))
            left_out |= {os.path.abspath(other) for other in others}
            files = [each for each in files if each not in others]
        for found in files:
            paths.setdefault(os.path.abspath(found), found)
    return Inputs(
        tuple(paths.values()),
        several=bool(folders) or len(paths) > 1,
        folders=tuple(folders),
        passed_over=len(left_out - set(paths)),
    )


def name_outputs(inputs: Inputs, targets: Mapping[Kind, Target]) -> list[Outputs]:
    """Name the outputs of every input; folders are made if they do not exist.

    Raises
    ------
    RequestError
        If several inputs are to go to one file, two results to one name, or results to the folder
        that the inputs come from; if a format contradicts a suffix.
    OutputError
        If a folder cannot be made.
    """
    for kind, target in targets.items():
        _check_format(kind, target)
    names = distinct_names(inputs.paths)
    made: list[Outputs] = []
    for source, name in zip(inputs.paths, names, strict=True):
        places: dict[Kind, Path] = {
            kind: _place(target, name + _ending(kind, target, source), inputs)
            for kind, target in targets.items()
        }
        made.append(Outputs(**places))
    _refuse_collisions(inputs.paths, made)
    return made


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """A name for each input: its stem, with what tells it from inputs of the same stem.

    A RAW and a JPEG of one stem keep their suffixes (`photo_dng`, `photo_jpg`); files of one name
    keep the names of their folders (`A_photo`, `B_photo`).
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for place, path in enumerate(paths):
        groups[path.stem.casefold()].append(place)
    names = [path.stem for path in paths]
    for group in groups.values():
        if len(group) > 1:
            distinct = _distinct_names([paths[place] for place in group])
            for place, name in zip(group, distinct, strict=True):
                names[place] = name
    return names


def _distinct_names(paths: list[Path]) -> list[str]:
    """The shortest names that differ, made of folders, stem and suffix."""
    folders = [Path(os.path.abspath(path)).parent.parts[1:] for path in paths]
    names: list[str] = []
    for depth in range(max(map(len, folders)) + 1):
        for with_suffix in (False, True):
            names = [
                "_".join(
                    (
                        *parts[len(parts) - min(depth, len(parts)) :],
                        path.stem,
                        *((path.suffix.lower().lstrip("."),) if with_suffix else ()),
                    )
                )
                for path, parts in zip(paths, folders, strict=True)
            ]
            if len({name.casefold() for name in names}) == len(names):
                return names
    return names  # the same file twice: refused when outputs collide


def _ending(kind: Kind, target: Target, source: Path) -> str:
    """Ending of a name in a folder."""
    ending = ENDINGS[kind]
    if kind == "picture":
        return ending + picture_suffix(target.format, source)
    if kind == "map" and target.format is not None:
        return f"{Path(ending).stem}.{format_named(target.format, MAP_FORMATS)}"
    return ending


def picture_suffix(wanted: str | None, source: PurePath) -> str:
    """Suffix of the format that was asked for, else of that of the input, if it can be written."""
    own = source.suffix.lower()
    name = format_named(wanted or (own if own in PICTURES else PREFERRED))
    suffixes = PICTURE_FORMATS[name].suffixes
    return own if own in suffixes and name != PREFERRED else suffixes[0]


def _check_format(kind: Kind, target: Target) -> None:
    """Refuse a format that contradicts the suffix of a file that was named."""
    if target.format is None:
        return
    formats, suffixes = (MAP_FORMATS, MAPS) if kind == "map" else (PICTURE_FORMATS, PICTURES)
    wanted, own = format_named(target.format, formats), Path(target.text).suffix.lower()
    if own in suffixes and own not in formats[wanted].suffixes and not os.path.isdir(target.text):
        raise RequestError(
            f"{target.option} {target.text}: is not the name of a {wanted.upper()}; "
            f"leave out --format, or name it {formats[wanted].suffixes[0]}"
        )


def _place(target: Target, name: str, inputs: Inputs) -> Path:
    """File for a result: the target itself, or a name in the folder that it is."""
    path, text, several = Path(target.text), target.text, inputs.several
    if os.path.isdir(path):
        if any(path.samefile(folder) for folder in inputs.folders):
            raise RequestError(
                f"{target.option} {text}: is the folder of the inputs, where results would be "
                "taken for inputs the next time; name another"
            )
        return path / name
    names_folder = text.endswith(("/", "\\"))
    if not several and not names_folder:
        return path
    if path.suffix.lower() in FILE_SUFFIXES and not names_folder:
        raise RequestError(f"{target.option} {text}: several inputs need a folder, not a file")
    make_folder(path)
    return path / name


def _refuse_collisions(inputs: Sequence[Path], made: Sequence[Outputs]) -> None:
    taken: dict[str, Path] = {}
    for source, outputs in zip(inputs, made, strict=True):
        for path in outputs.paths():
            place = os.path.realpath(path)
            if place in taken:
                raise RequestError(
                    f"two results would both be written to {path}: of {taken[place]} and of "
                    f"{source}"
                )
            taken[place] = source
