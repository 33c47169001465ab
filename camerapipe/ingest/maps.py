"""Blur maps from files: ours, edited or not, and foreign ones to render from.

`map_encoding` describes the files that camerapipe writes. Any grey picture can be read as a map as
well. Properties that it does not state are assumed, and the assumptions are returned with it.
"""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
import tifffile

from camerapipe.errors import CaptureError
from camerapipe.ingest.diverting import divertible
from camerapipe.ingest.exr_reading import EXR_MAGIC, depth_plane
from camerapipe.ingest.files import DEFAULT_MAX_PIXELS, check_pixels, opened, refusing
from camerapipe.ingest.map_encoding import TOP, UNIT
from camerapipe.ingest.map_exr import read_map_exr
from camerapipe.ingest.map_jpeg import map_in
from camerapipe.ingest.pixels import Samples, split, upright
from camerapipe.ingest.quiet import muted, quiet
from camerapipe.ingest.reading import DECODERS
from camerapipe.ingest.saved_map import (
    LIKENESS_SIDE,
    Focus,
    SavedMap,
    after_edit,
    coarse_grid,
    digest_of,
    fitted_map,
)
from camerapipe.ingest.sniff import JPEG_MAGIC, Kind, sniff
from stages.grid import BlurMap, Grid, lift
from stages.params import Array

FOREIGN_MAX_PX = 10.0  # sigma of white in a foreign map of integers
MAX_PAGES = 3  # of a TIFF map: blur, the map before upsampling, the dead zone
MAX_STEP = 64  # of a grid; real ones have 1 to 8
FOCUS_UNKNOWN = "The map does not say what is in focus: the sharpest part of it is taken."
DESCRIPTION_LOST = (
    "If an editor dropped the description of a map that camerapipe wrote, let it keep the image "
    "description (TIFF tag 270), or edit the map as .npz, .exr or floating-point TIFF."
)
ZIP_MAGIC = b"PK\x03\x04"


class Codes(NamedTuple):
    """A page of a map: its codes, and their description (empty for a foreign map)."""

    plane: Samples
    meaning: dict[str, Any]


def read_map(
    path: str | os.PathLike[str],
    full_shape: tuple[int, int],
    *,
    foreign_max_px: float = FOREIGN_MAX_PX,
) -> BlurMap:
    """Read the map to render from, and nothing else of it: `read_saved_map(...).blur`."""
    return read_saved_map(path, full_shape, foreign_max_px=foreign_max_px).blur


@divertible
def read_saved_map(
    path: str | os.PathLike[str],
    full_shape: tuple[int, int],
    *,
    foreign_max_px: float = FOREIGN_MAX_PX,
) -> SavedMap:
    """Read a blur map: one of ours, or any grey picture.

    Parameters
    ----------
    path : path
        `.npz` or a picture; the format is detected by its content.
    full_shape : (int, int)
        Rows and columns of the picture that the map is for. A map of another size is resized to
        it, its values unchanged; its aspect ratio must be that of the picture.
    foreign_max_px : float
        Sigma of white in a foreign picture of integers, px. A foreign floating-point TIFF holds
        sigma in full-resolution pixels.

    Returns
    -------
    SavedMap
        With the low-resolution map and the focus where the file has them, and what was assumed.

    Raises
    ------
    CaptureError
        If the file cannot be read, or is no map for this picture.
    """
    path = Path(path)
    with opened(path) as file, quiet(), refusing(path), muted():
        saved = _read(file, full_shape, foreign_max_px)
        zone = saved.focus.zone if saved.focus else None
        for blur in (saved.blur, saved.low, zone):
            if blur is not None:
                _check_values(blur)
        if saved.focus is None:
            saved = replace(saved, assumptions=(*saved.assumptions, FOCUS_UNKNOWN))
        return fitted_map(saved, full_shape)


@divertible
def read_mask(path: str | os.PathLike[str], full_shape: tuple[int, int]) -> Array:
    """Read a grey picture as a mask in [0, 1], resized to a picture of `full_shape`."""
    full = Grid(full_shape)
    return lift(read_map(path, full_shape, foreign_max_px=1.0), full).sigma


def _read(file: BinaryIO, full_shape: tuple[int, int], foreign_max_px: float) -> SavedMap:
    head = file.read(4)
    if head == ZIP_MAGIC:
        return _from_npz(file, full_shape)
    if head == EXR_MAGIC:
        held = read_map_exr(file, _limit(full_shape))
        if held is None:
            return _foreign(depth_plane(file, _limit(full_shape)), foreign_max_px)
        return _from_held(held)
    if head.startswith(JPEG_MAGIC):
        file.seek(0)
        inside = map_in(file.read())
        if inside is not None:
            file = io.BytesIO(inside)
    return _from_picture(file, full_shape, foreign_max_px)


def _check_values(blur: BlurMap) -> None:
    for name, plane in (("sigma", blur.sigma), ("confidence", blur.confidence)):
        if not np.isfinite(plane).all() or plane.min() < 0:
            raise CaptureError(f"{name} has NaN, infinite or negative values; no map has those")


def _limit(full_shape: tuple[int, int]) -> int:
    """A map may be as large as the picture, which is in memory already."""
    return max(DEFAULT_MAX_PIXELS, full_shape[0] * full_shape[1])


def _from_npz(file: BinaryIO, full_shape: tuple[int, int]) -> SavedMap:
    file.seek(0)
    with zipfile.ZipFile(file) as archive:
        pixels = sum(entry.file_size for entry in archive.infolist()) // np.float32().nbytes
    check_pixels(1, pixels, 4 * _limit(full_shape))  # two maps of two planes of float32
    file.seek(0)
    with np.load(file, allow_pickle=False) as data:
        held = {name: data[name] for name in data.files}
    if "sigma" not in held:
        raise CaptureError("has no array named sigma")
    return _from_held(held)


def _from_held(held: dict[str, Any]) -> SavedMap:
    """Map from its arrays and numbers by name."""
    blur = _map_of(held, "")
    notes = (
        ()
        if "unit" in held
        else ("The map names no unit: sigma is taken as full-resolution pixels.",)
    )
    low = _map_of(held, "low_") if "low_sigma" in held else None
    focus = None
    if "dead_zone_px" in held:
        point = held.get("focus_point")
        zone = _map_of(held, "zone_") if "zone_sigma" in held else None
        focus = _focus(held["dead_zone_px"], point, held.get("focus_step", 1), zone)
    likeness = _likeness(held.get("likeness"))
    saved = SavedMap(blur=blur, low=low, focus=focus, likeness=likeness, assumptions=notes)
    edited = "digest" in held and str(held["digest"]) != digest_of(blur.sigma)
    return after_edit(saved, low.grid) if edited and low is not None else saved


def _likeness(text: Any) -> npt.NDArray[np.uint8] | None:
    """The likeness of a picture from its text; None if there is none."""
    try:
        codes = np.frombuffer(bytes.fromhex(str(text)), np.uint8)
        return codes.reshape(LIKENESS_SIDE, LIKENESS_SIDE)
    except ValueError:
        return None


def _map_of(held: dict[str, Any], prefix: str) -> BlurMap:
    sigma = np.asarray(held[f"{prefix}sigma"], np.float32)
    confidence = np.asarray(held.get(f"{prefix}confidence", np.ones_like(sigma)), np.float32)
    if sigma.ndim != 2 or confidence.shape != sigma.shape or sigma.size == 0:
        raise CaptureError("sigma and confidence must be two planes of one size")
    return BlurMap(sigma, confidence, _grid(sigma, held, prefix))


def _grid(plane: Samples, said: dict[str, Any], prefix: str = "") -> Grid:
    step, phase = int(said.get(f"{prefix}step", 1)), float(said.get(f"{prefix}phase", 0))
    if not (1 <= step <= MAX_STEP and abs(phase) <= step):
        raise CaptureError(f"a grid of step {step} and phase {phase:g} is none of a blur map")
    return Grid((plane.shape[0], plane.shape[1]), step, phase)


def _focus(dead_zone_px: Any, point: Any, step: Any, zone: BlurMap | None) -> Focus:
    dead_zone = float(dead_zone_px)
    if not (math.isfinite(dead_zone) and dead_zone >= 0):
        raise CaptureError(f"its dead zone of {dead_zone:g} px is none")
    place = None
    if point is not None:
        x, y = (float(at) for at in point)
        if not (math.isfinite(x) and math.isfinite(y)):
            raise CaptureError(f"its focus point {x:g},{y:g} is none")
        place = (x, y)
    return Focus(dead_zone_px=dead_zone, zone=zone, point=place, step=int(step))


def _from_picture(file: BinaryIO, full_shape: tuple[int, int], foreign_max_px: float) -> SavedMap:
    kind = sniff(file)
    if kind not in DECODERS:
        raise CaptureError("is neither a picture nor an .npz map")
    decoded = DECODERS[kind](file, _limit(full_shape))
    codes = _grey(upright(decoded.samples, decoded.orientation))
    pages = _pages(file, _limit(full_shape)) if kind in (Kind.TIFF, Kind.MAYBE_RAW) else []
    if not pages or not pages[0].meaning:
        return _foreign(codes, foreign_max_px)
    meaning = pages[0].meaning
    blur = _dense(Codes(codes, meaning))
    further = {page.meaning.get("of", "blur"): _dense(page) for page in pages[1:] if page.meaning}
    low, focus = further.get("blur"), None
    if isinstance(meaning.get("focus"), dict):
        said, zone = meaning["focus"], further.get("dead_zone")
        focus = _focus(said.get("dead_zone_px"), said.get("point"), said.get("step", 1), zone)
    likeness = _likeness(meaning.get("likeness"))
    saved = SavedMap(blur=blur, low=low, focus=focus, likeness=likeness)
    grid = _low_grid(meaning, low, blur)
    unchanged = meaning.get("digest") in (None, digest_of(codes))
    if grid is None or (unchanged and low is not None):
        return saved
    return after_edit(saved, grid)


def _low_grid(meaning: dict[str, Any], low: BlurMap | None, blur: BlurMap) -> Grid | None:
    """The grid of the map before upsampling, also where an editor has dropped its page."""
    if low is not None:
        return low.grid
    said = meaning.get("low")
    if not isinstance(said, dict):
        return None
    one = _grid(np.empty((1, 1)), said)
    full = tuple(size * blur.grid.step for size in blur.grid.shape)
    return coarse_grid((full[0], full[1]), one.step, one.phase)


def _dense(page: Codes) -> BlurMap:
    sigma = _sigma(page.plane, float(page.meaning["scale"]) * TOP)
    return BlurMap(sigma, np.ones_like(sigma), _grid(sigma, page.meaning))


def _foreign(codes: Samples, foreign_max_px: float) -> SavedMap:
    """A map without a description: floats are px, integers a part of a range."""
    if codes.dtype.kind == "f":
        said = "its values are taken as sigma in full-resolution pixels"
    else:
        top = np.iinfo(codes.dtype).max
        said = f"its codes 0 to {top} are taken as sigma from 0 to {foreign_max_px:g} px"
    advice = f" {DESCRIPTION_LOST}" if codes.dtype == np.uint16 else ""
    sigma = _sigma(codes, foreign_max_px)
    blur = BlurMap(sigma, np.ones_like(sigma), Grid((sigma.shape[0], sigma.shape[1])))
    return SavedMap(blur=blur, assumptions=(f"The map has no description: {said}.{advice}",))


def _sigma(codes: Samples, largest_px: float) -> Array:
    """Sigma in px: floats as they are, integers as parts of the largest."""
    if codes.dtype.kind == "f":
        return codes.astype(np.float32)
    return (codes * np.float64(largest_px / np.iinfo(codes.dtype).max)).astype(np.float32)


def _grey(samples: Samples) -> Samples:
    colour, _ = split(samples)
    if colour.ndim == 2:
        return colour
    if not (colour == colour[..., :1]).all():
        raise CaptureError("is a colour picture; a blur map or a mask is a grey one")
    return np.asarray(colour[..., 0])


def _pages(file: BinaryIO, max_pixels: int) -> list[Codes]:
    """Descriptions of the pages of a TIFF map of camerapipe, and the codes of all but the first."""
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        first = _meaning(tiff.pages.first.description)
        found = [Codes(np.empty((0, 0)), first)]
        for page in tiff.pages[1:MAX_PAGES] if first else ():
            check_pixels(page.imagewidth, page.imagelength, max_pixels)
            if page.dtype == np.uint16 and page.samplesperpixel == 1:
                found.append(Codes(page.asarray(), _meaning(page.description)))
    return found


def _meaning(text: str) -> dict[str, Any]:
    """Contents of a description; empty for a foreign one."""
    try:
        meaning = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(meaning, dict) or meaning.get("unit") != UNIT:
        return {}
    return meaning if isinstance(meaning.get("scale"), float) else {}
