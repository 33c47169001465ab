"""Pictures of the documentation: `python tools/gallery.py` renders them anew into docs/images.

The photographs come with scikit-image (extra `demo`) and are free: CC0, or public domain by NASA.
Each is shown as the capture, its blur map and the picture, and below, details of capture and
picture at 100 %. Failures are shown as well, and corrected ones beside them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # before an installed copy

import camerapipe  # noqa: E402
from camerapipe.ingest import colour_map  # noqa: E402
from camerapipe.shot import Shot  # noqa: E402
from stages.tone import encode, to_codes  # noqa: E402

IMAGES = ROOT / "docs" / "images"
Codes = npt.NDArray[np.uint8]
DETAIL = (400, 600)  # most rows and columns of a detail, px
GAP_PX = 6
QUALITY = 90


class Example(NamedTuple):
    """A photograph of `skimage.data`, options of `render`, and the centre of a detail (x, y)."""

    photograph: str
    options: Mapping[str, Any]
    centre: tuple[float, float]


# Values of the graph, in the order of the panels after the capture.
STEPS = ("edge_data", "sharpness_bounds", "blur_low", "blur", "signed_radius")
LEAST_SHOWN_PX = 0.6  # so that sharp data differ from no data, which is black
STEPS_OF = "cat"  # the example whose steps are shown
EXAMPLES = {
    "cat": Example("chelsea", {"strength": 3}, (0.5, 0.5)),
    "portrait": Example("astronaut", {"strength": 3, "look": "portrait"}, (0.55, 0.3)),
    "coffee": Example("coffee", {"strength": 3}, (0.5, 0.5)),
    "coffee-protected": Example(
        "coffee", {"strength": 3, "subject": (80, 60, 430, 320)}, (0.5, 0.5)
    ),
}


def page_picture(shot: Shot, centre: tuple[float, float]) -> Codes:
    """Capture, map and picture side by side; below, details around `centre` at 100 %."""
    before = to_codes(encode(shot.capture.linear, shot.capture.curve), 8)
    after = to_codes(shot.image, 8)
    height, width = before.shape[:2]
    panels = [before, after]
    if shot.blur_map is not None:
        panels.insert(1, to_codes(colour_map(shot.blur_map.sigma), 8))
    rows, cols = min(DETAIL[0], height), min(DETAIL[1], width)
    top = round(np.clip(centre[1] * height - rows / 2, 0, height - rows))
    left = round(np.clip(centre[0] * width - cols / 2, 0, width - cols))
    lower = _row([each[top : top + rows, left : left + cols] for each in (before, after)])
    gaps = GAP_PX * (len(panels) - 1)
    across = (lower.shape[1] - gaps) // len(panels)
    size = (across, round(across * height / width))
    upper = _row([cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in panels])
    gap = np.full((GAP_PX, lower.shape[1], 3), 255, np.uint8)
    return np.concatenate([_widened(upper, lower.shape[1]), gap, lower])


def steps_picture(shot: Shot) -> Codes:
    """What the stages make of a capture, in two rows of three panels; see `STEPS`."""
    before = to_codes(encode(shot.capture.linear, shot.capture.curve), 8)
    size = before.shape[1::-1]
    panels = [before]
    for name in STEPS:
        value = shot.kept[name]
        plane = getattr(value, "sigma", value)
        if name in ("edge_data", "sharpness_bounds"):
            plane = np.where(value.confidence > 0, np.maximum(plane, LEAST_SHOWN_PX), 0)
        colours = to_codes(colour_map(plane.astype(np.float32)), 8)
        panels.append(cv2.resize(colours, size, interpolation=cv2.INTER_NEAREST))
    upper, lower = _row(panels[:3]), _row(panels[3:])
    gap = np.full((GAP_PX, upper.shape[1], 3), 255, np.uint8)
    return np.concatenate([upper, gap, lower])


def _row(panels: list[Any]) -> Codes:
    gap = np.full((panels[0].shape[0], GAP_PX, 3), 255, np.uint8)
    spaced = [part for panel in panels for part in (panel, gap)]
    return np.concatenate(spaced[:-1], axis=1)


def _widened(picture: Codes, width: int) -> Codes:
    missing = width - picture.shape[1]
    return np.pad(picture, ((0, 0), (0, missing), (0, 0)), constant_values=255)


def main() -> None:
    """Render the examples and write their pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=IMAGES, metavar="DIR")
    parser.add_argument("--only", nargs="+", choices=EXAMPLES, metavar="NAME", default=[*EXAMPLES])
    given = parser.parse_args()
    try:
        from skimage import data
    except ImportError:
        parser.error('the photographs come with scikit-image: pip install ".[demo]"')
    given.output.mkdir(parents=True, exist_ok=True)
    for name in given.only:
        example = EXAMPLES[name]
        keep = STEPS if name == STEPS_OF else ()
        shot = camerapipe.render(getattr(data, example.photograph)(), keep=keep, **example.options)
        path = given.output / f"gallery-{name}.jpg"
        _write(path, page_picture(shot, example.centre))
        if keep:
            _write(given.output / "steps.jpg", steps_picture(shot))
        verdict = shot.findings[0].code if shot.findings else "no findings"
        print(f"{path}: {verdict}, sigma up to {_largest(shot):.1f} px")


def _write(path: Path, picture: Codes) -> None:
    cv2.imwrite(str(path), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


def _largest(shot: Shot) -> float:
    return 0.0 if shot.blur_map is None else float(shot.blur_map.sigma.max())


if __name__ == "__main__":
    main()
