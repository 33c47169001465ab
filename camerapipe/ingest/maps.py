"""Blur maps as files: ours to keep and edit, and foreign ones to render from.

`.npz` keeps everything (sigma, confidence, grid). `.tif` holds sigma as 16-bit codes, and says in
its description what they mean: `{"unit": "sigma_px", "scale": pixels per code, ...}`; a map that is
opened in an image editor stays a map. `.png` is a picture for the eye, and is not read back.
Sigma is in full-resolution pixels in every file, whatever the size of the map.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
import tifffile

from camerapipe.errors import CaptureError, OutputError
from camerapipe.ingest.atomic import MAPS, check_output, write_bytes
from camerapipe.ingest.files import DEFAULT_MAX_PIXELS, check_pixels, opened, refusing
from camerapipe.ingest.pixels import Samples, split, upright
from camerapipe.ingest.png import png_bytes, text_chunk
from camerapipe.ingest.quiet import muted, quiet
from camerapipe.ingest.reading import DECODERS
from camerapipe.ingest.sniff import Kind, sniff
from stages.grid import BlurMap, Grid, lift
from stages.params import Array
from stages.tone import to_codes

TOP = 65535  # largest code of a 16-bit map
FOREIGN_MAX_PX = 10.0  # sigma of white in a foreign map of integers
ASPECT_SLACK = 0.02  # difference of aspect ratios that rounding of sizes explains
ZIP_MAGIC = b"PK\x03\x04"


def write_map(path: str | os.PathLike[str], blur: BlurMap, *, overwrite: bool = False) -> None:
    """Write a blur map as `.npz`, `.tif` or (colour-mapped) `.png`; sparse maps only as `.npz`."""
    path = Path(path)
    check_output(path, overwrite=overwrite, suffixes=MAPS)
    suffix = path.suffix.lower()
    if suffix != ".npz" and not blur.is_dense:
        raise OutputError(f"{path}: a sparse map has places without data; choose .npz for it")
    encode = {".npz": _npz, ".png": _png}.get(suffix, _tiff)
    write_bytes(path, encode(blur), overwrite=overwrite)


def read_map(
    path: str | os.PathLike[str],
    full_shape: tuple[int, int],
    *,
    foreign_max_px: float = FOREIGN_MAX_PX,
) -> BlurMap:
    """Read a blur map for a picture of `full_shape`: one of ours, or any grey picture.

    A foreign floating-point TIFF holds sigma in full-resolution pixels; in a foreign picture of
    integers the codes 0..max stand for 0..`foreign_max_px` pixels. A map of another size than the
    picture is resized to it, its values unchanged; its aspect ratio must be that of the picture.
    """
    path = Path(path)
    with opened(path) as file, quiet(), refusing(path), muted():
        if file.read(4) == ZIP_MAGIC:
            blur = _from_npz(file, full_shape)
        else:
            blur = _from_picture(file, full_shape, foreign_max_px)
        for name, plane in (("sigma", blur.sigma), ("confidence", blur.confidence)):
            if not np.isfinite(plane).all() or plane.min() < 0:
                raise CaptureError(f"{name} has NaN, infinite or negative values; no map has those")
        return blur


def read_mask(path: str | os.PathLike[str], full_shape: tuple[int, int]) -> Array:
    """Read a grey picture as a mask in [0, 1], resized to a picture of `full_shape`."""
    full = Grid(full_shape)
    return lift(read_map(path, full_shape, foreign_max_px=1.0), full).sigma


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


def _npz(blur: BlurMap) -> bytes:
    buffer = io.BytesIO()
    grid = blur.grid
    np.savez_compressed(
        buffer,
        sigma=blur.sigma,
        confidence=blur.confidence,
        step=np.int64(grid.step),
        phase=np.float64(grid.phase),
        unit=np.array("sigma_px"),
    )
    return buffer.getvalue()


def _tiff(blur: BlurMap) -> bytes:
    scale = _largest(blur.sigma) / TOP
    meaning = {
        "unit": "sigma_px",
        "scale": scale,
        "max": _largest(blur.sigma),
        "step": blur.grid.step,
        "phase": blur.grid.phase,
        "note": "sigma = code * scale: standard deviation of the blur in full-resolution pixels",
    }
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        np.rint(blur.sigma / np.float64(scale)).astype(np.uint16),
        photometric="minisblack",
        compression="zlib",
        predictor=True,
        description=json.dumps(meaning),
        metadata=None,
    )
    return buffer.getvalue()


def _png(blur: BlurMap) -> bytes:
    colours = to_codes(colour_map(blur.sigma), 8)
    largest = _largest(blur.sigma)
    text = f"blur map, sigma in full-resolution pixels: black 0, brightest {largest:.4g}"
    return png_bytes(colours, [text_chunk("Description", text)])


def _limit(full_shape: tuple[int, int]) -> int:
    """A map may be as large as the picture, which is in memory already."""
    return max(DEFAULT_MAX_PIXELS, full_shape[0] * full_shape[1])


def _from_npz(file: BinaryIO, full_shape: tuple[int, int]) -> BlurMap:
    file.seek(0)
    with zipfile.ZipFile(file) as archive:
        pixels = sum(entry.file_size for entry in archive.infolist()) // np.float32().nbytes
    check_pixels(1, pixels, 2 * _limit(full_shape))  # two planes of float32
    file.seek(0)
    with np.load(file, allow_pickle=False) as data:
        sigma = np.asarray(data["sigma"], np.float32)
        known = {name: data[name] for name in ("confidence", "step", "phase") if name in data}
    confidence = np.asarray(known.get("confidence", np.ones_like(sigma)), np.float32)
    if sigma.ndim != 2 or confidence.shape != sigma.shape or sigma.size == 0:
        raise CaptureError("sigma and confidence must be two planes of one size")
    if "step" in known:
        grid = Grid(sigma.shape, int(known["step"]), float(known.get("phase", 0)))
        if _covers(grid, full_shape):
            return BlurMap(sigma, confidence, grid)
    return BlurMap(_fitted(sigma, full_shape), _fitted(confidence, full_shape), Grid(full_shape))


def _from_picture(file: BinaryIO, full_shape: tuple[int, int], foreign_max_px: float) -> BlurMap:
    kind = sniff(file)
    if kind not in DECODERS:
        raise CaptureError("is neither a picture nor an .npz map")
    decoded = DECODERS[kind](file, _limit(full_shape))
    codes = _grey(upright(decoded.samples, decoded.orientation))
    ours = _meaning(file) if kind in (Kind.TIFF, Kind.MAYBE_RAW) else {}
    sigma = _sigma(codes, ours, foreign_max_px)
    if ours:
        grid = Grid(sigma.shape, int(ours.get("step", 1)), float(ours.get("phase", 0)))
        if _covers(grid, full_shape):
            return BlurMap(sigma, np.ones_like(sigma), grid)
    sigma = _fitted(sigma, full_shape)
    return BlurMap(sigma, np.ones_like(sigma), Grid(full_shape))


def _sigma(codes: Samples, ours: dict[str, Any], foreign_max_px: float) -> Array:
    if codes.dtype.kind == "f":
        return codes.astype(np.float32)
    top = np.iinfo(codes.dtype).max
    scale = float(ours["scale"]) * TOP / top if ours else foreign_max_px / top
    return (codes * np.float64(scale)).astype(np.float32)


def _grey(samples: Samples) -> Samples:
    colour, _ = split(samples)
    if colour.ndim == 2:
        return colour
    if not (colour == colour[..., :1]).all():
        raise CaptureError("is a colour picture, and a blur map is grey; give the .tif or .npz map")
    return np.asarray(colour[..., 0])


def _meaning(file: BinaryIO) -> dict[str, Any]:
    """What the description of one of our TIFF maps says; nothing for a foreign one."""
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        text = tiff.pages.first.description
    try:
        meaning = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(meaning, dict) or meaning.get("unit") != "sigma_px":
        return {}
    return meaning if isinstance(meaning.get("scale"), float) else {}


def _covers(grid: Grid, full_shape: tuple[int, int]) -> bool:
    return grid.step >= 1 and grid.shape == tuple(-(-n // grid.step) for n in full_shape)


def _fitted(plane: Array, full_shape: tuple[int, int]) -> Array:
    """A map of another size, resized to the picture; values are in full-resolution pixels."""
    if plane.shape == full_shape:
        return plane
    (rows, cols), (height, width) = plane.shape, full_shape
    if abs(cols * height / (rows * width) - 1) > ASPECT_SLACK:
        raise CaptureError(
            f"the map has {cols} x {rows} pixels and another shape than the picture "
            f"({width} x {height}); make it for this picture"
        )
    shrinking = rows > height
    method = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plane, (width, height), interpolation=method), np.float32)
