"""Write a picture: JPEG by `jpeg`, TIFF through tifffile, PNG by `png`.

tifffile writes no EXIF directory; it is appended here. The whole file is built in memory and then
written at once (`atomic`).

Values are display-encoded, in [0, 1] or as codes of 8 bits. PNG and TIFF have 16 bits per sample
when the capture had more than 8. Grey stays grey; alpha is kept where the format has it. The
profile of the capture is embedded; a file that came without one leaves without one, and means sRGB
as before.
"""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from camerapipe.capture import Capture, OutputError
from camerapipe.ingest.atomic import PICTURES, check_output, write_bytes
from camerapipe.ingest.attachments import (
    EXIF_IFD,
    GPS_IFD,
    KEPT,
    MAX_EXIF_BYTES,
    MAX_XMP_BYTES,
    ORIENTATION,
    SOFTWARE,
    Attached,
    attached,
    exif_bytes,
)
from camerapipe.ingest.jpeg import jpeg_bytes
from camerapipe.ingest.pixels import as_unit
from camerapipe.ingest.png import exif_chunk, png_bytes, profile_chunk, xmp_chunk
from camerapipe.ingest.quiet import quiet
from camerapipe.version import __version__
from stages.arrays import check_image
from stages.params import Array
from stages.tone import to_codes

Codes = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Pixels = Array | npt.NDArray[np.uint8]
ICC_TAG, XMP_TAG = 34675, 700
STAND_IN = 1  # added to the tags of directories while tifffile, which refuses them, writes the file
ZLIB_LEVEL = 3  # higher levels gain 5 % and take three times as long


def write_picture(
    path: str | os.PathLike[str],
    image: Pixels,
    capture: Capture,
    *,
    overwrite: bool = False,
    quality: int = 95,
) -> None:
    """Write a display-encoded HxWx3 picture with the metadata and profile of its capture.

    It comes in [0, 1], or as codes of 8 bits. The format follows the suffix; `quality` (1..100) is
    that of JPEG. Raises `OutputError`.
    """
    path = Path(path)
    check_output(path, overwrite=overwrite, suffixes=PICTURES)
    if image.dtype != np.uint8:
        check_image("write_picture", "image", image)
    try:
        with quiet():
            blocks = attached(capture, image.shape[1], image.shape[0])
            data = _encoded(path.suffix.lower(), image, capture, blocks, quality)
    except (OSError, ValueError, struct.error) as error:
        raise OutputError(f"{path}: this picture does not fit the format ({error})") from error
    write_bytes(path, data, overwrite=overwrite)


def _encoded(suffix: str, image: Pixels, capture: Capture, blocks: Attached, quality: int) -> bytes:
    if suffix in (".jpg", ".jpeg"):
        return _jpeg(_codes(image, capture, 8, alpha=False), capture, blocks, quality)
    codes = _codes(image, capture, 16 if capture.bit_depth > 8 else 8, alpha=True)
    encode = _png if suffix == ".png" else _tiff
    return encode(codes, capture, blocks)


def _codes(image: Pixels, capture: Capture, bits: int, *, alpha: bool) -> Codes:
    """Codes as they are stored: HxW, or HxWxC with C = 2 (grey + alpha), 3 or 4."""
    extra = capture.alpha if alpha else None
    planes = image[..., 1] if capture.grey else image
    if planes.dtype == np.uint8 and bits == 8 and extra is None:
        return np.ascontiguousarray(planes, np.uint8)
    unit = as_unit(planes) if planes.dtype == np.uint8 else np.asarray(planes, np.float32)
    return to_codes(unit if extra is None else np.dstack([unit, extra]), bits)


def _jpeg(codes: Codes, capture: Capture, blocks: Attached, quality: int) -> bytes:
    metadata: dict[str, Any] = {"exif": exif_bytes(blocks.exif, MAX_EXIF_BYTES)}
    if blocks.xmp and len(blocks.xmp) <= MAX_XMP_BYTES:
        metadata["xmp"] = blocks.xmp
    return jpeg_bytes(np.asarray(codes, np.uint8), quality, icc_profile=capture.profile, **metadata)


def _png(codes: Codes, capture: Capture, blocks: Attached) -> bytes:
    exif = exif_bytes(blocks.exif)
    chunks = [profile_chunk(capture.profile)] if capture.profile else []
    chunks += [exif_chunk(exif)] if exif else []
    chunks += [xmp_chunk(blocks.xmp)] if blocks.xmp else []
    return png_bytes(codes, chunks)


def _tiff(codes: Codes, capture: Capture, blocks: Attached) -> bytes:
    tags: list[tuple[int, int, int, Any, bool]] = [(ORIENTATION, 3, 1, 1, True)]
    if capture.profile:
        tags.append((ICC_TAG, 7, len(capture.profile), capture.profile, True))
    if blocks.xmp:
        tags.append((XMP_TAG, 1, len(blocks.xmp), blocks.xmp, True))
    directories = _directories(blocks.exif)
    tags += [(tag + STAND_IN, 4, 1, 0, True) for tag in directories]  # filled in by `_append`
    tags += _texts(blocks.exif)
    has_alpha = codes.ndim == 3 and codes.shape[2] in (2, 4)
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        codes,
        byteorder="<",
        photometric="rgb" if codes.ndim == 3 and codes.shape[2] > 2 else "minisblack",
        planarconfig="contig" if codes.ndim == 3 else None,
        extrasamples=["unassalpha"] if has_alpha else None,
        compression="zlib",
        compressionargs={"level": ZLIB_LEVEL},
        predictor=True,
        software=f"camerapipe {__version__}",
        metadata=None,
        extratags=tags,
    )
    return _append(buffer, directories)


def _texts(exif: Image.Exif | None) -> list[tuple[int, int, int, Any, bool]]:
    """The texts of the first directory (maker, model, date, author...)."""
    kept = {tag: text for tag, text in (exif or {}).items() if tag in KEPT and tag != SOFTWARE}
    texts = ((tag, text) for tag, text in sorted(kept.items()) if isinstance(text, str) and text)
    return [(tag, 2, 0, text, True) for tag, text in texts]


def _directories(exif: Image.Exif | None) -> dict[int, ImageFileDirectory_v2]:
    """EXIF and GPS as TIFF directories, which tifffile does not write."""
    if exif is None:
        return {}
    found = {}
    for tag in (EXIF_IFD, GPS_IFD):
        found[tag] = ImageFileDirectory_v2(b"II*\0\0\0\0\0", group=tag)
        for key, value in exif.get_ifd(tag).items():
            found[tag][key] = value
    return {tag: directory for tag, directory in found.items() if len(directory)}


def _append(buffer: io.BytesIO, directories: dict[int, ImageFileDirectory_v2]) -> bytes:
    """Put directories behind the pixels and write their offsets into the tags that wait."""
    data = bytearray(buffer.getvalue())
    buffer.seek(0)
    with tifffile.TiffFile(buffer) as tiff:
        places = {tag: tiff.pages.first.tags[tag + STAND_IN].offset for tag in directories}
    for tag, directory in directories.items():
        data += b"\0" * (len(data) % 2)  # directories begin at even offsets
        struct.pack_into("<HHII", data, places[tag], tag, 4, 1, len(data))
        data += directory.tobytes(len(data))
    return bytes(data)
