"""Pictures of the documentation: `python tools/gallery.py` renders them anew.

They are free: photographs come with scikit-learn (CC BY, credited in docs/gallery.md) and with
scikit-image (CC0, or public domain by NASA), and the portrait at night is synthetic. Each is shown
as `camerapipe.sheet` lays it out: capture, blur map and picture, and below, details of capture and
picture at 100 %. Of the synthetic one the true picture of the wider lens is shown as well. Failures
are shown, too, and corrected ones beside them. The picture of the README is that of the night.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # before an installed copy

import camerapipe  # noqa: E402
from camerapipe.night_portrait import night_portrait  # noqa: E402
from camerapipe.samples import flower_path  # noqa: E402
from camerapipe.sheet import (  # noqa: E402
    Codes,
    capture_codes,
    contact_sheet,
    detail,
    map_codes,
    side_by_side,
    stacked,
)
from camerapipe.shot import Shot  # noqa: E402

IMAGES = ROOT / "docs" / "images"
README_PICTURE = ROOT / ".github" / "demo.jpg"
QUALITY = 92
STRENGTH = 3.0


def skimage_picture(name: str) -> Callable[[], Any]:
    """A photograph of `skimage.data`, which is loaded when it is called."""

    def load() -> Any:
        from skimage import data

        return getattr(data, name)()

    return load


class Example(NamedTuple):
    """What is rendered: a capture, options of `render`, and the centre of a detail (x, y)."""

    capture: Callable[[], Any]
    options: Mapping[str, Any] = {"strength": STRENGTH}
    centre: tuple[float, float] = (0.5, 0.5)


# Values of the graph, in the order of the panels after the capture.
STEPS = ("edge_data", "sharpness_bounds", "blur_low", "blur", "signed_radius")
LEAST_SHOWN_PX = 0.6  # so that sharp data differ from no data, which is black
STEPS_OF = "flower"  # the example whose steps are shown
NIGHT = "night"  # the example whose true picture is known
EXAMPLES = {
    "night": Example(night_portrait, centre=(0.67, 0.5)),
    "flower": Example(flower_path),
    "cat": Example(skimage_picture("chelsea")),
    "portrait": Example(
        skimage_picture("astronaut"), {"strength": STRENGTH, "look": "portrait"}, (0.55, 0.3)
    ),
    "coffee": Example(skimage_picture("coffee")),
    "coffee-protected": Example(
        skimage_picture("coffee"), {"strength": STRENGTH, "subject": (80, 60, 430, 320)}
    ),
}


def steps_picture(shot: Shot) -> Codes:
    """What the stages make of a capture, in two rows of three panels; see `STEPS`."""
    before = capture_codes(shot)
    panels = [before]
    for name in STEPS:
        value = shot.kept[name]
        plane = getattr(value, "sigma", value)
        if name in ("edge_data", "sharpness_bounds"):
            plane = np.where(value.confidence > 0, np.maximum(plane, LEAST_SHOWN_PX), 0)
        colours = map_codes(plane.astype(np.float32))
        size = before.shape[1::-1]
        panels.append(np.asarray(cv2.resize(colours, size, interpolation=cv2.INTER_NEAREST)))
    return stacked([side_by_side(panels[:3]), side_by_side(panels[3:])])


def truth_picture(shot: Shot, centre: tuple[float, float]) -> Codes:
    """Details of our picture and of the true one of a lens `STRENGTH` times as wide, at 100 %."""
    true = night_portrait(shot.image.shape[:2], lens=STRENGTH)
    return side_by_side([detail(each, centre) for each in (shot.to_uint8(), true)])


def main() -> None:
    """Render the examples and write their pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, metavar="DIR",
                        help="folder (docs/images, and the picture of the README)")  # fmt: skip
    parser.add_argument("--only", nargs="+", choices=EXAMPLES, metavar="NAME", default=[*EXAMPLES])
    given = parser.parse_args()
    folder = given.output or IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    for name in given.only:
        try:
            _draw(name, EXAMPLES[name], folder, of_readme=given.output is None)
        except (ImportError, FileNotFoundError) as error:
            parser.error(f"{name}: {error}")


def _draw(name: str, example: Example, folder: Path, *, of_readme: bool) -> None:
    keep = STEPS if name == STEPS_OF else ()
    shot = camerapipe.render(example.capture(), keep=keep, **example.options)
    sheet = contact_sheet(shot, example.centre)
    _write(folder / f"gallery-{name}.jpg", sheet)
    if keep:
        _write(folder / "steps.jpg", steps_picture(shot))
    if name == NIGHT:
        _write(folder / "truth-night.jpg", truth_picture(shot, example.centre))
        if of_readme:
            _write(README_PICTURE, sheet)
    verdict = shot.findings[0].code if shot.findings else "no findings"
    largest = 0.0 if shot.blur_map is None else float(shot.blur_map.sigma.max())
    print(f"{name}: {verdict}, sigma up to {largest:.1f} px")


def _write(path: Path, picture: Codes) -> None:
    cv2.imwrite(str(path), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    print(path)


if __name__ == "__main__":
    main()
