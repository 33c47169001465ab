"""Cases for the capture check: pictures of every kind, and the verdicts that are right for them.

A case belongs to a half by the name of the picture that it is made of (`half_of`), so that all
cases made of one picture are in the same half. Thresholds are chosen on the half `choosing` only.
Sizes and blur of spoilt pictures are given at a long side of `SIDE_PX`, and scaled with the file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from datasets.lines import SCENES, picture_of_lines
from measures import spoiling
from measures.halves import HALVES
from measures.spoiling import Codes, Picture

SIDE_PX = 1280
SMALL_PX = (320, 420, 520, 640, 720)
DEFOCUS = frozenset({"defocus_present", "defocus_weak"})
IN_FOCUS = frozenset({"everything_in_focus"})
NO_SHARP = frozenset({"no_sharp_subject"})
SHAKEN = frozenset({"shaken"})
NOT_SHAKEN = IN_FOCUS | {"too_few_edges"}  # a few lines in an empty picture
STOPPED = NO_SHARP | SHAKEN
DARK = frozenset({"too_dark_or_noisy"})
TURN_RAD = 2.4  # golden angle: directions of successive pictures are spread evenly
BLUR_PX, SLIGHT_BLUR_PX, MOTION_PX, CURVED_PX = 4.0, 2.0, 15.0, 14.0
BENDS_RAD = (1.0, 1.8, 2.6)  # between the headings at both ends of a curved track
CIRCLES = (  # radius, falloff and centre of image circles, in half diagonals
    (0.56, 0.01, (0.0, 0.0)), (0.62, 0.05, (0.0, 0.03)), (0.8, 0.03, (0.0, 0.0)),
    (0.88, 0.1, (0.02, 0.0)), (0.94, 0.02, (0.0, 0.0)), (0.92, 0.06, (0.05, 0.05)),
)  # fmt: skip
CORNER_FALLOFF = 0.85
# Pictures beside those with labels, by what they are.
MORE_IN_FOCUS = (
    "depth_gt/teddy/im2.png", "depth_gt/cones/im2.png", "depth_gt/aloe/aloeL.jpg",
    "depth_gt/motorcycle/motorcycle_left.png", "aperture_series/vabd_0001_f16.jpg",
    "aperture_series/vabd_0003_f16.jpg", "aperture_series/vabd_0099_f16.jpg",
    "aperture_series/ebb_2977_narrow.jpg", "aperture_series/ebb_4545_narrow.jpg",
    "raw/gopro_hero6_GOPR0024.dng",
)  # fmt: skip
MORE_DEFOCUS = (
    *(f"blur_gt/masks/{name}" for name in (
        "cuhk_0011.jpg", "cuhk_0031.jpg", "cuhk_0080.jpg", "dut_1.jpg", "dut_3.jpg", "dut_5.jpg",
        "xu_1.png", "xu_3.png", "xu_5.png")),
    "aperture_series/vabd_0001_f1.8.jpg", "aperture_series/vabd_0003_f1.8.jpg",
    "aperture_series/vabd_0099_f1.8.jpg", "aperture_series/ebb_2977_wide.jpg",
    "aperture_series/ebb_4545_wide.jpg",
)  # fmt: skip
SKIMAGE_IN_FOCUS = ("brick", "grass", "gravel", "page")
TEXTURE_LEVEL = 0.9  # of a scikit-image texture's white


class Case(NamedTuple):
    """One picture and the verdicts that are right for it."""

    kind: str
    name: str
    half: str
    make: Callable[[], Path | Codes]
    right: frozenset[str]
    live: bool = False  # judged as the first frame of a stream


class Source(NamedTuple):
    """A photograph and what a person says of it."""

    name: str
    right: frozenset[str]
    file: Path | None  # None: made
    load: Callable[[int], Picture | None]  # encoded, of a long side of at most so many px


def half_of(name: str) -> str:
    """The half that a picture of this name belongs to."""
    return HALVES[crc32(name.encode()) % 2]


def sources(context: Any) -> Iterator[Source]:
    """Photographs that people have judged, as far as they are at hand."""
    labels = context.picture("labels.json")
    judged: dict[str, frozenset[str]] = {}
    if labels is not None:
        known = {"defocus": DEFOCUS, "all_in_focus": IN_FOCUS}
        said = json.loads(labels.read_text())
        judged = {name: known[label] for name, label in said.items() if label in known}
    judged |= dict.fromkeys(MORE_IN_FOCUS, IN_FOCUS) | dict.fromkeys(MORE_DEFOCUS, DEFOCUS)
    for name, right in judged.items():
        path = context.picture(name)
        if path is not None:
            yield Source(name, right, path, partial(spoiling.read_small, path))
    yield from _of_skimage(context)


def _of_skimage(context: Any) -> Iterator[Source]:
    """Flat textures that come with scikit-image, in focus everywhere."""
    try:
        from skimage import data
    except ImportError:
        context.missing.append("pictures of scikit-image: python -m pip install scikit-image")
        return
    for name in SKIMAGE_IN_FOCUS:
        grey = np.asarray(getattr(data, name)(), np.float32) / 255 * TEXTURE_LEVEL
        picture = np.repeat(grey[..., None], 3, axis=2)
        yield Source(f"skimage/{name}", IN_FOCUS, None, partial(spoiling.reduced, picture))


def cases(context: Any) -> Iterator[Case]:
    """All cases; pictures are made when they are asked for."""
    for name in SCENES:
        make = partial(picture_of_lines, name)
        yield Case("lines", name, half_of(f"lines {name}"), make, NOT_SHAKEN)
        yield Case("lines, live", name, half_of(f"lines {name}"), make, NOT_SHAKEN, live=True)
    for turn, source in enumerate(sources(context)):
        yield from _of_source(source, turn)


def _of_source(source: Source, turn: int) -> Iterator[Case]:
    """The photograph as it is, and all that is made of it."""
    whole = source.load(SIDE_PX)
    kind = "in focus" if source.right == IN_FOCUS else "defocused"

    def case(kind: str, make: Callable[[], Any], right: frozenset[str], live: bool = False) -> Case:
        return Case(kind, source.name, half_of(source.name), make, right, live)

    yield case(kind, lambda: source.file or spoiling.eight_bits(_of(whole)), source.right)
    if whole is None:  # OpenCV does not read it
        return
    yield case(f"{kind}, live", partial(spoiling.eight_bits, whole), source.right, live=True)
    side, angle = max(whole.shape), turn * TURN_RAD
    scale = side / SIDE_PX
    small = spoiling.reduced(whole, SMALL_PX[turn % len(SMALL_PX)])
    part = max(small.shape) / side * scale
    make = (spoiling.spread, spoiling.taken)[turn % 2]  # as a camera does it, every other one
    if max(small.shape) < side:
        yield case("small files", partial(spoiling.eight_bits, small), source.right)
    yield case("small, blurred", partial(make, small, spoiling.gaussian(BLUR_PX * part)), NO_SHARP)
    line = spoiling.track(MOTION_PX * part, angle)
    yield case("small, shaken", partial(make, small, line), STOPPED)
    if source.right == IN_FOCUS:
        radius, softness, centre = CIRCLES[turn % len(CIRCLES)]
        circle = partial(spoiling.image_circle, whole, radius, softness, centre)
        yield case("vignettes and fisheyes", circle, IN_FOCUS)
        corners = partial(spoiling.falloff, whole, CORNER_FALLOFF)
        yield case("vignettes and fisheyes", corners, IN_FOCUS)
    if side < 1000:
        return
    spot = (spoiling.gaussian, spoiling.disk)[turn // 2 % 2]
    yield case("blurred", partial(make, whole, spot(BLUR_PX * scale)), NO_SHARP)
    yield case("blurred by 2 px", partial(make, whole, spot(SLIGHT_BLUR_PX * scale)), NO_SHARP)
    line = spoiling.track(MOTION_PX * scale, angle)
    yield case("shaken", partial(make, whole, line), SHAKEN)
    yield case("shaken, live", partial(make, whole, line), SHAKEN, live=True)
    bent = spoiling.track(CURVED_PX * scale, angle, BENDS_RAD[turn % len(BENDS_RAD)])
    yield case("shaken along a curve", partial(make, whole, bent), STOPPED)
    yield case("dark", partial(spoiling.dark, whole), DARK)


def _of(picture: Picture | None) -> Picture:
    assert picture is not None  # only files may be unreadable
    return picture
