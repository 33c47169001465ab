"""Contact sheet: `python tools/contact_sheet.py -o DIR [--against TREE]`, one page a photograph.

A page shows the photograph, the picture that the checkout at TREE makes of it, and the picture of
this one, side by side: the whole reduced, and fixed crops along outlines at 100 %, one pixel of the
page for one of the picture. Pages are made to be looked at: faults that no number finds show here.
Photographs that are absent are named and left out.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # before an installed copy

from camerapipe.camera import open_input  # noqa: E402
from stages.tone import encode, to_codes  # noqa: E402

Codes = npt.NDArray[np.uint8]
CROP = (480, 640)  # rows and columns of each tile, px
GAP_PX = 6
GROUND = 32  # code of what lies between tiles
STRENGTH = 3.0
SKIMAGE = {"photos/chelsea_cat.png": "chelsea.png", "photos/astronaut.png": "astronaut.png"}


class Subject(NamedTuple):
    """A photograph, and the centres (x, y) of its crops, as parts of the sides."""

    path: str
    centres: tuple[tuple[float, float], ...]


SUBJECTS = {
    "cat": Subject("photos/chelsea_cat.png", ((0.5, 0.5),)),
    "tomatoes": Subject(
        "photos/canon_eos5d_tomatoes.jpg", ((0.62, 0.2), (0.8, 0.36), (0.3, 0.7), (0.75, 0.6))
    ),
    "butterfly": Subject(
        "photos/kodak_dx4330_butterfly.jpg", ((0.3, 0.43), (0.46, 0.2), (0.75, 0.35), (0.53, 0.65))
    ),
    "dandelion": Subject(
        "photos/dandelion_16mp.jpg", ((0.17, 0.2), (0.42, 0.42), (0.29, 0.62), (0.62, 0.45))
    ),
    "bird": Subject("photos/zhuo_sim/bird_input.png", ((0.5, 0.4), (0.55, 0.8))),
    "anemones": Subject("photos/zhuo_sim/flower_input.png", ((0.6, 0.35), (0.45, 0.72))),
    "pumpkins": Subject("photos/zhuo_sim/pumpkin_input.png", ((0.3, 0.55), (0.75, 0.8))),
    "building": Subject("photos/zhuo_sim/building_input.png", ((0.6, 0.5),)),
    "dragonfly": Subject("photos/dragonfly_13mp.jpg", ((0.56, 0.38), (0.68, 0.5), (0.72, 0.9))),
    "ladybird": Subject(
        "photos/ladybird.jpg", ((0.7, 0.5), (0.45, 0.36), (0.12, 0.28), (0.4, 0.7))
    ),
    "two wings": Subject("photos/twowings.jpg", ((0.45, 0.4), (0.8, 0.42), (0.64, 0.82))),
    "pug": Subject(
        "photos/iphone13pro_portrait_pug.heic", ((0.62, 0.58), (0.42, 0.62), (0.22, 0.75))
    ),
    "astronaut": Subject("photos/astronaut.png", ((0.5, 0.25), (0.6, 0.75))),
    "night f8": Subject("aperture_series/vabd_0099_f8.jpg", ((0.2, 0.2), (0.62, 0.3))),
    "night f2.8": Subject("aperture_series/vabd_0099_f2.8.jpg", ((0.2, 0.2), (0.62, 0.3))),
    "lamp f2.8": Subject("aperture_series/vabd_0001_f2.8.jpg", ((0.6, 0.35), (0.15, 0.3))),
}


def main() -> None:
    """Render, lay out, write a page for each photograph."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--against", type=Path, metavar="TREE", help="another checkout")
    parser.add_argument("--only", nargs="+", choices=SUBJECTS, metavar="NAME", default=[*SUBJECTS])
    parser.add_argument("--strength", type=float, default=STRENGTH, metavar="M")
    parser.add_argument("--options", default="", help='of `render`, such as "--look portrait"')
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", metavar="DIR")
    given = parser.parse_args()
    if given.against and not (given.against / "camerapipe").is_dir():
        parser.error(f"--against {given.against}: expected a checkout with a folder camerapipe")
    given.output.mkdir(parents=True, exist_ok=True)
    options = ["--strength", f"{given.strength:g}"]
    trees = [(given.against, options)] if given.against else []
    trees.append((ROOT, [*options, *shlex.split(given.options)]))
    for name in given.only:
        subject = SUBJECTS[name]
        path = located(subject.path, given.data)
        if path is None:
            print(f"missing: {given.data / subject.path}", file=sys.stderr)
            continue
        pictures = [("photograph", opened(path))]
        pictures += [(tree.name, rendered(path, tree, more)) for tree, more in trees]
        target = given.output / f"{name.replace(' ', '_')}.png"
        if not cv2.imwrite(str(target), page(pictures, subject.centres)[..., ::-1]):
            sys.exit(f"{target}: cannot be written")
        print(target)


def located(name: str, data: Path) -> Path | None:
    """Where a photograph is: in the data folder, or among those that scikit-image ships."""
    places = [data / name]
    library = find_spec("skimage")
    if name in SKIMAGE and library is not None and library.origin is not None:
        places.append(Path(library.origin).parent / "data" / SKIMAGE[name])
    return next((place for place in places if place.is_file()), None)


def opened(path: Path) -> Codes:
    """A photograph, upright, as it is shown."""
    capture, _ = open_input(path)
    return to_codes(encode(capture.linear, capture.curve), 8).astype(np.uint8)


def rendered(path: Path, tree: Path, options: list[str]) -> Codes:
    """The picture that a checkout makes of a photograph, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.png"
        command = [sys.executable, "-m", "camerapipe", "render", str(path.resolve())]
        subprocess.run([*command, "-o", str(out), "--force", "-q", *options], cwd=tree, check=True)
        return np.asarray(cv2.imread(str(out), cv2.IMREAD_COLOR)[..., ::-1], np.uint8)


def page(pictures: list[tuple[str, Codes]], centres: tuple[tuple[float, float], ...]) -> Codes:
    """Tiles of a photograph: a column for each picture; the whole, then its crops.

    Parameters
    ----------
    pictures : list of (str, array)
        Titles, and pictures HxWx3 of one size.
    centres : tuple of (x, y)
        Of the crops, as parts of the sides.
    """
    rows = [[titled(reduced(picture), title) for title, picture in pictures]]
    rows += [[crop(picture, centre) for _, picture in pictures] for centre in centres]
    return np.vstack([np.hstack([framed(tile) for tile in row]) for row in rows])


def reduced(picture: Codes) -> Codes:
    """A picture as large as fits into a tile; never enlarged."""
    scale = min(*(tile / n for tile, n in zip(CROP, picture.shape, strict=False)), 1.0)
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


def crop(picture: Codes, centre: tuple[float, float]) -> Codes:
    """Part of a picture at 100 %, moved inwards where it would leave the picture."""
    spans = []
    for part, length, tile in zip(centre[::-1], picture.shape, CROP, strict=False):
        start = min(max(round(part * length - tile / 2), 0), max(length - tile, 0))
        spans.append(slice(start, start + tile))
    return picture[tuple(spans)]


def framed(tile: Codes) -> Codes:
    """A tile of full size, on a dark ground, with a gap at its right and lower side."""
    out = np.full((CROP[0] + GAP_PX, CROP[1] + GAP_PX, 3), GROUND, np.uint8)
    out[: tile.shape[0], : tile.shape[1]] = tile
    return out


def titled(tile: Codes, title: str) -> Codes:
    """Write a title on a tile."""
    out = np.ascontiguousarray(tile)
    for colour, width in (((0, 0, 0), 4), ((255, 255, 255), 1)):
        cv2.putText(out, title, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.55, colour, width, cv2.LINE_AA)
    return out


if __name__ == "__main__":
    main()
