"""What pages show: pictures and maps as codes for a canvas.

A canvas has the colours of sRGB or of Display P3. Pictures in one of these are shown by their own
codes; others are converted to sRGB. Previews are JPEG files, since a browser takes longer to
receive pixels than to decode them; parts of the full-size result are pixels (RGBA).
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from camerapipe.capture import Capture
from camerapipe.ingest.colorimetry import BT709, DISPLAY_P3, same
from camerapipe.ingest.icc import primaries_of, to_srgb
from camerapipe.ingest.profiles import Gamma, rgb_profile
from camerapipe.web.messages import MessageError
from stages.grid import BlurMap
from stages.params import Array
from stages.tone import SRGB, encode, to_codes

Codes = npt.NDArray[np.uint8]
Rectangle = tuple[int, int, int, int]  # x, y, width, height, px

CANVAS = {"srgb": BT709, "display-p3": DISPLAY_P3}  # names as of the Canvas API
PREVIEW_QUALITY = 95  # of JPEG
LARGEST_TILE_PX = 4_000_000  # visible parts with more pixels are reduced
UNSURE = 0.03  # confidence of a dense map up to which a place is hatched: data is 30 cells away
TOPS_PX = (0.5, 1, 1.5, 2, 3, 4, 6, 8, 10, 15, 20, 30, 40, 60, 80, 120)  # ends of the legend
TOP_PERCENTILE = 99.5  # of sigma, which the legend reaches at least


@dataclass(frozen=True, slots=True, eq=False)
class Screen:
    """How the pictures of a capture are shown; `space` is the colour space of the canvas."""

    space: str
    profile: bytes | None  # from which codes are converted to sRGB; None: as they are

    @classmethod
    def of(cls, capture: Capture) -> Screen:
        """Screen for a capture."""
        if capture.profile is None or capture.grey:
            return cls("srgb", None)
        primaries = primaries_of(capture.profile)
        if np.abs(capture.curve.decode - SRGB.decode).max() < 1 / 255:
            for space, known in CANVAS.items():
                if same(primaries, known):
                    return cls(space, None)
        return cls("srgb", capture.profile)

    def codes(self, image: Array) -> Codes:
        """Codes of a picture in the encoding of the capture, HxWx3 float32 in [0, 1]."""
        codes = np.asarray(to_codes(image, 8), np.uint8)
        if self.profile is None:
            return codes
        return np.asarray(to_srgb(codes, self.profile)[0], np.uint8)

    def original(self, capture: Capture, part: Rectangle | None = None) -> Codes:
        """Codes of a capture before anything was done to it, or of a part of it."""
        linear = capture.linear if part is None else cut(capture.linear, part)
        return self.codes(encode(np.ascontiguousarray(linear), capture.curve))


@dataclass(slots=True, eq=False)
class View:
    """What a page shows: the visible part in px of the photograph, and what is laid over it."""

    part: Rectangle | None = None
    close: bool = False  # closer than the proxy allows
    before: bool = False  # the photograph as it was, too
    map: bool = False

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> View:
        """View as a page describes it; `MessageError` if it is not understood."""
        part = fields.get("part")
        numbers = isinstance(part, list) and len(part) == 4
        if part is not None and not (numbers and all(type(each) is int for each in part)):
            raise MessageError("view: part: expected [x, y, width, height] in whole px")
        flags = {name: fields.get(name) is True for name in ("close", "before", "map")}
        return cls(None if part is None else tuple(part), **flags)


def cut(plane: npt.NDArray[np.generic], part: Rectangle) -> npt.NDArray[np.generic]:
    """Rectangle of an array HxW or HxWx3."""
    x, y, width, height = part
    return plane[y : y + height, x : x + width]


def inside(part: Rectangle, shape: tuple[int, int]) -> Rectangle:
    """The part of a rectangle that lies in a picture of this shape; at least one pixel."""
    x, y, width, height = part
    left, top = min(max(x, 0), shape[1] - 1), min(max(y, 0), shape[0] - 1)
    right, bottom = min(max(x + width, left + 1), shape[1]), min(max(y + height, top + 1), shape[0])
    return left, top, right - left, bottom - top


def reduced_tile(codes: Codes) -> Codes:
    """Codes for a part that is larger than what a screen shows."""
    step = int(np.ceil(np.sqrt(codes.shape[0] * codes.shape[1] / LARGEST_TILE_PX)))
    if step <= 1:
        return codes
    size = max(codes.shape[1] // step, 1), max(codes.shape[0] // step, 1)
    return np.asarray(cv2.resize(codes, size, interpolation=cv2.INTER_AREA), np.uint8)


def jpeg(
    codes: Codes, space: str = "srgb", *, quality: int = PREVIEW_QUALITY, subsampled: bool = False
) -> memoryview:
    """JPEG file of codes in the colour space of a canvas; colour may have half the size."""
    profile = None if space == "srgb" else rgb_profile(space, CANVAS[space], Gamma())
    file = io.BytesIO()
    picture = Image.fromarray(codes)
    sampling = "4:2:0" if subsampled else "4:4:4"
    picture.save(file, "JPEG", quality=quality, subsampling=sampling, icc_profile=profile)
    return file.getbuffer()


def rgba(codes: Codes) -> memoryview:
    """Bytes of codes for a canvas: RGBA, opaque."""
    return memoryview(cv2.cvtColor(codes, cv2.COLOR_RGB2RGBA).reshape(-1)).cast("B")


def map_planes(blur: BlurMap, scale: float) -> tuple[bytes, float]:
    """Planes of a map for the overlay, and the sigma of the largest code.

    Parameters
    ----------
    blur : BlurMap
        Dense map of a picture that was reduced by `scale`.
    scale : float
        Pixels of the full picture per pixel of this one.

    Returns
    -------
    bytes, float
        Codes of sigma, 0 to 255, and then 1 where the map is not sure of it and 0 elsewhere, each
        HxW; the sigma of code 255 in px of the full picture.
    """
    largest = float(np.percentile(blur.sigma[::4, ::4], TOP_PERCENTILE)) * scale
    top = next((each for each in TOPS_PX if each >= largest), largest)
    codes = np.clip(np.rint(blur.sigma * (scale * 255 / top)), 0, 255).astype(np.uint8)
    return codes.tobytes() + (blur.confidence < UNSURE).astype(np.uint8).tobytes(), top
