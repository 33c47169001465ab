"""Blur maps as files: `.npz`, 16-bit TIFF, and a coloured PNG for viewing.

`.npz` keeps all data bit for bit. A TIFF has sigma as 16-bit codes. Further pages are the
low-resolution map, and the dead zone where it differs by place. The description of a page is JSON
that gives the meaning of its codes: `{"unit": "sigma_px", "scale": pixels per code, ...}`. That of
the first page also has the focus, and a digest of the codes, by which edits are detected. A TIFF
map can be edited in an image editor. Sigma is in full-resolution pixels in every file, independent
of the size of the map.
"""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import tifffile

from camerapipe.errors import OutputError
from camerapipe.ingest.atomic import check_output, write_bytes
from camerapipe.ingest.formats import MAP_FORMATS, MAPS, format_named, format_of
from camerapipe.ingest.png import png_bytes, text_chunk
from camerapipe.ingest.saved_map import Focus, SavedMap, digest_of
from stages.grid import BlurMap
from stages.params import Array
from stages.tone import to_codes

UNIT = "sigma_px"
TOP = 65535  # largest code of a 16-bit map
REDUCED_PAGE = 1  # NewSubfileType: a reduced-resolution version of another page
MEANING = "sigma = code * scale: standard deviation of the blur in full-resolution pixels"


def encode_map(blur: BlurMap | SavedMap, *, format: str) -> bytes:
    """Encode a blur map as a file.

    Parameters
    ----------
    blur : BlurMap or SavedMap
        Sigma in full-resolution px. A plain map has no low-resolution map and no focus.
    format : str
        A format of `MAP_FORMATS`: npz, tiff or png. Only npz holds sparse maps; png is a picture
        for the eye, and is not read back.

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
    saved = SavedMap(blur=blur) if isinstance(blur, BlurMap) else blur
    name = format_named(format, MAP_FORMATS)
    if name == "npz":
        return _npz(saved)
    if not saved.blur.is_dense:
        raise OutputError("a sparse map has places without data; choose .npz for it")
    return _png(saved.blur) if name == "png" else _tiff(saved)


def write_map(
    path: str | os.PathLike[str], blur: BlurMap | SavedMap, *, overwrite: bool = False
) -> None:
    """Write a blur map; the suffix chooses the format, the rest is as in `encode_map`."""
    path = Path(path)
    check_output(path, overwrite=overwrite, suffixes=MAPS)
    try:
        data = encode_map(blur, format=format_of(path, MAP_FORMATS))
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


def _npz(saved: SavedMap) -> bytes:
    planes: dict[str, Any] = dict(_planes(saved.blur, ""))
    if saved.low is not None:
        planes |= _planes(saved.low, "low_")
    if saved.focus is not None:
        planes["dead_zone_px"] = np.float64(saved.focus.dead_zone_px)
        if saved.focus.zone is not None:
            planes |= _planes(saved.focus.zone, "zone_")
        planes["focus_step"] = np.int64(saved.focus.step)
        if saved.focus.point is not None:
            planes["focus_point"] = np.asarray(saved.focus.point, np.float64)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, unit=np.array(UNIT), digest=np.array(digest_of(saved.blur.sigma)), **planes
    )
    return buffer.getvalue()


def _planes(blur: BlurMap, prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {
        f"{prefix}sigma": blur.sigma,
        f"{prefix}confidence": blur.confidence,
        f"{prefix}step": np.asarray(blur.grid.step, np.int64),
        f"{prefix}phase": np.asarray(blur.grid.phase, np.float64),
    }


def _tiff(saved: SavedMap) -> bytes:
    codes, meaning = _page(saved.blur)
    meaning["digest"] = digest_of(codes)
    if saved.focus is not None:
        meaning["focus"] = _focus(saved.focus)
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
