"""Blur maps as files: `.npz`, 16-bit TIFF, OpenEXR, inside of a JPEG, and a coloured PNG.

`.npz` keeps all data bit for bit. A TIFF has sigma as 16-bit codes. Further pages are the
low-resolution map, and the dead zone where it differs by place. The description of a page is JSON
that gives the meaning of its codes: `{"unit": "sigma_px", "scale": pixels per code, ...}`. That of
the first page also has the focus, a digest of the codes, by which edits are detected, and a
likeness of the picture (16x16 codes), by which a map of another picture is detected. A TIFF map can
be edited in an image editor. Sigma is in full-resolution pixels in every file, independent
of the size of the map. OpenEXR (`map_exr`) keeps all data too, with the picture in linear light. A
JPEG (`map_jpeg`) is the picture with the map in its metadata. The PNG is for the eye only.
"""

from __future__ import annotations

import io
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import tifffile

from camerapipe.capture import Capture
from camerapipe.errors import OutputError
from camerapipe.ingest.atomic import check_output, write_bytes
from camerapipe.ingest.colorimetry import BT709
from camerapipe.ingest.encode import encode_picture
from camerapipe.ingest.formats import MAP_FORMATS, MAPS, check_library, format_named, format_of
from camerapipe.ingest.icc import primaries_of
from camerapipe.ingest.map_exr import map_exr_bytes
from camerapipe.ingest.map_jpeg import with_map
from camerapipe.ingest.png import png_bytes, text_chunk
from camerapipe.ingest.saved_map import Focus, SavedMap, digest_of, likeness_of
from camerapipe.ingest.untouched import untouched_bytes
from stages.grid import BlurMap
from stages.params import Array
from stages.tone import encode, to_codes

UNIT = "sigma_px"
TOP = 65535  # largest code of a 16-bit map
INSIDE_STEP = 16  # of the codes of a map inside of a JPEG: 12 bits, since its size matters
REDUCED_PAGE = 1  # NewSubfileType: a reduced-resolution version of another page
MEANING = "sigma = code * scale: standard deviation of the blur in full-resolution pixels"


def encode_map(blur: BlurMap | SavedMap, *, format: str, capture: Capture | None = None) -> bytes:
    """Encode a blur map as a file.

    Parameters
    ----------
    blur : BlurMap or SavedMap
        Sigma in full-resolution px. A plain map has no low-resolution map and no focus.
    format : str
        A format of `MAP_FORMATS`: npz, tiff, exr, jpeg or png. Only npz and exr hold sparse maps;
        png is a picture for the eye, and is not read back.
    capture : Capture, optional
        The picture that the map belongs to. An EXR holds it in linear light. A JPEG is the file of
        the capture with the map added, or its picture encoded, and needs it.

    Returns
    -------
    bytes
        A whole file.

    Raises
    ------
    RequestError
        If the format is not known.
    OutputError
        If the map does not fit the format.
    """
    saved = _for(capture, SavedMap(blur=blur) if isinstance(blur, BlurMap) else blur)
    name = format_named(format, MAP_FORMATS)
    if name == "npz":
        return _npz(saved)
    if name == "exr":
        return _exr(saved, capture)
    if not saved.blur.is_dense:
        raise OutputError("a sparse map has places without data; choose .npz for it")
    if name == "jpeg":
        return _jpeg(saved, capture)
    return _png(saved.blur) if name == "png" else _tiff(saved)


def write_map(
    path: str | os.PathLike[str],
    blur: BlurMap | SavedMap,
    *,
    overwrite: bool = False,
    capture: Capture | None = None,
) -> None:
    """Write a blur map; the suffix chooses the format, the rest is as in `encode_map`."""
    path = Path(path)
    check_output(path, overwrite=overwrite, suffixes=MAPS)
    try:
        data = encode_map(blur, format=format_of(path, MAP_FORMATS), capture=capture)
    except OutputError as error:
        raise OutputError(f"{path}: {error}") from error
    write_bytes(path, data, overwrite=overwrite)


def colour_map(sigma: Array, brightest_px: float | None = None) -> Array:
    """Sigma from 0 (black) to `brightest_px` in OpenCV's INFERNO; HxWx3 in [0, 1].

    Without it, the largest value is the brightest.
    """
    scale = 255 / (brightest_px or _largest(sigma))
    codes = np.rint(np.minimum(sigma * scale, 255)).astype(np.uint8)
    bgr = cv2.applyColorMap(codes, cv2.COLORMAP_INFERNO)
    return np.asarray(bgr[..., ::-1], np.float32) / np.float32(255)


def _largest(sigma: Array) -> float:
    return float(sigma.max()) or 1.0  # an all-sharp map needs a scale too


def _for(capture: Capture | None, saved: SavedMap) -> SavedMap:
    """The map with the likeness of the picture that it belongs to."""
    return saved if capture is None else replace(saved, likeness=likeness_of(capture.linear))


def embed_map(
    jpeg: bytes, saved: SavedMap, orientation: int = 1, capture: Capture | None = None
) -> bytes:
    """A JPEG file with a map in its metadata (`map_jpeg.with_map`), with 12 bits per sample."""
    saved = _for(capture, saved)
    return with_map(jpeg, _tiff(saved, INSIDE_STEP), saved.depth, orientation)


def _jpeg(saved: SavedMap, capture: Capture | None) -> bytes:
    if capture is None:
        raise OutputError("a JPEG with a blur map needs the picture; choose another format")
    whole, orientation = None, capture.meta.orientation.value or 1
    if capture.kind == "display":
        whole = untouched_bytes(capture.name, capture, format="jpeg")
    if whole is None:
        shown = encode(np.clip(capture.linear, 0, 1), capture.curve)
        whole, orientation = encode_picture(shown, capture, format="jpeg"), 1
    return embed_map(whole, saved, orientation)


def _exr(saved: SavedMap, capture: Capture | None) -> bytes:
    check_library("exr", MAP_FORMATS)
    if capture is None:
        return map_exr_bytes(_held(saved), None, None)
    primaries = BT709 if capture.grey else primaries_of(capture.profile)
    return map_exr_bytes(_held(saved), capture.linear, primaries)


def _held(saved: SavedMap) -> dict[str, Any]:
    """Arrays and numbers of a map by name, as files that keep all data have them."""
    planes: dict[str, Any] = {"unit": UNIT, "digest": digest_of(saved.blur.sigma)}
    planes |= _planes(saved.blur, "")
    if saved.likeness is not None:
        planes["likeness"] = saved.likeness.tobytes().hex()
    if saved.low is not None:
        planes |= _planes(saved.low, "low_")
    if saved.focus is not None:
        planes["dead_zone_px"] = np.float64(saved.focus.dead_zone_px)
        if saved.focus.zone is not None:
            planes |= _planes(saved.focus.zone, "zone_")
        planes["focus_step"] = np.int64(saved.focus.step)
        if saved.focus.point is not None:
            planes["focus_point"] = np.asarray(saved.focus.point, np.float64)
    return planes


def _npz(saved: SavedMap) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **_held(saved))
    return buffer.getvalue()


def _planes(blur: BlurMap, prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {
        f"{prefix}sigma": blur.sigma,
        f"{prefix}confidence": blur.confidence,
        f"{prefix}step": np.asarray(blur.grid.step, np.int64),
        f"{prefix}phase": np.asarray(blur.grid.phase, np.float64),
    }


def _tiff(saved: SavedMap, step: int = 1) -> bytes:
    """TIFF of a map; codes are multiples of a step, of which larger ones compress better."""
    codes, meaning = _page(saved.blur)
    rounded = (codes.astype(np.int64) + step // 2) // step * step
    codes = np.minimum(rounded, TOP // step * step).astype(np.uint16)
    meaning["digest"] = digest_of(codes)
    if saved.focus is not None:
        meaning["focus"] = _focus(saved.focus)
    if saved.likeness is not None:
        meaning["likeness"] = saved.likeness.tobytes().hex()
    pages = [(codes, meaning, 0)]
    if saved.low is not None:
        meaning["low"] = {"step": saved.low.grid.step, "phase": saved.low.grid.phase}
        pages.append((*_page(saved.low), REDUCED_PAGE))
    if saved.focus is not None and saved.focus.zone is not None:
        pages.append((*_page(saved.focus.zone, "dead_zone"), REDUCED_PAGE))
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as tiff:
        for plane, said, subfile in pages:
            tiff.write(
                plane,
                photometric="minisblack",
                compression="zlib",
                predictor=True,
                subfiletype=subfile,
                description=json.dumps(said),
                metadata=None,
            )
    return buffer.getvalue()


def _page(blur: BlurMap, of: str = "blur") -> tuple[npt.NDArray[np.uint16], dict[str, Any]]:
    """Codes of a map, and their description; `of` is what the sigma is of."""
    scale = _largest(blur.sigma) / TOP
    meaning = {
        "unit": UNIT,
        "of": of,
        "scale": scale,
        "max": _largest(blur.sigma),
        "step": blur.grid.step,
        "phase": blur.grid.phase,
        "note": MEANING,
    }
    return np.rint(blur.sigma / np.float64(scale)).astype(np.uint16), meaning


def _focus(focus: Focus) -> dict[str, Any]:
    return {"dead_zone_px": focus.dead_zone_px, "point": focus.point, "step": focus.step}


def _png(blur: BlurMap) -> bytes:
    colours = to_codes(colour_map(blur.sigma), 8)
    largest = _largest(blur.sigma)
    text = f"blur map, sigma in full-resolution pixels: black 0, brightest {largest:.4g}"
    return png_bytes(colours, [text_chunk("Description", text)])
