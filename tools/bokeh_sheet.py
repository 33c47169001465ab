"""Contact sheet of the lens blur: `python tools/bokeh_sheet.py -o SHEET.png [--radius 25]`.

A row per scene: the picture, the truth, the fast renderer, the exact one, plain gather, normalised
scatter, and eight times the error of the fast one to the exact one; below, the shapes of the
aperture at night. Crops at 100 %, made to be looked at.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from datasets.scenes import SCENES, KnownScene, hand, night, table
from stages.bokeh import BokehParams, render_bokeh
from stages.bokeh.reference import render_exact, render_gather, render_scatter
from stages.params import Array
from stages.tone import encode, to_codes

CROP = (240, 320)  # px of each picture
PLACES = {"day": (90, 230), "night": (90, 230), "motorcycle": (150, 260), "aloe": (130, 180),
          "hand": (60, 240), "table": (200, 200)}  # fmt: skip
APERTURES = (
    {},
    {"blades": 5},
    {"blades": 6, "rotation_deg": 15.0},
    {"blades": 7, "curvature": 0.5},
    {"blades": 9},
    {"cats_eye": 0.6},
    {"blades": 8, "cats_eye": 0.6},
)
Codes = npt.NDArray[np.uint8]


def cut(linear: Array, place: tuple[int, int], title: str) -> Codes:
    """Encode a crop and write its title on it."""
    rows, cols = (slice(p, p + size) for p, size in zip(place, CROP, strict=True))
    codes = np.ascontiguousarray(to_codes(encode(linear[rows, cols].copy()), 8).astype(np.uint8))
    for colour, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(codes, title, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, width, 16)
    return codes


def row_of(name: str, scene: KnownScene) -> Codes:
    """One scene in every way."""
    given, place = (scene.linear, scene.radius), PLACES[name]
    exact, fast = render_exact(*given), render_bokeh(*given, BokehParams())
    pictures = {
        name: scene.linear, "truth": scene.truth, "fast": fast, "exact": exact,
        "gather": render_gather(*given), "scatter": render_scatter(*given),
        "8 x |fast - exact|": 8 * np.abs(fast - exact),
    }  # fmt: skip
    return np.hstack([cut(picture, place, title) for title, picture in pictures.items()])


def shapes() -> Codes:
    """The apertures, in the upper left corner of the night scene."""
    scene = night(25)
    return np.hstack(
        [
            cut(
                render_bokeh(scene.linear, scene.radius, BokehParams(**params)),
                (0, 0),
                ", ".join(f"{key} {value:g}" for key, value in params.items()) or "disk",
            )
            for params in APERTURES
        ]
    )


def main() -> None:
    """Make the sheet; scenes whose pictures are absent are left out, and named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--radius", type=float, default=25.0, metavar="PX")
    given = parser.parse_args()
    rows = []
    for name, make in SCENES.items():
        try:
            rows.append(row_of(name, make(given.radius, 1)))
        except FileNotFoundError as error:
            print(f"missing: {error}", file=sys.stderr)
    rows += [row_of(make.__name__, make(given.radius)) for make in (hand, table)]
    sheet = np.vstack([*rows, shapes()])
    if not cv2.imwrite(str(given.output), sheet[..., ::-1]):
        sys.exit(f"{given.output}: cannot be written")


if __name__ == "__main__":
    main()
