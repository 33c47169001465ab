"""A picture as the bytes of a file: JPEG by `jpeg`, TIFF through tifffile, PNG by `png`.

tifffile writes no EXIF directory; it is appended here. Values are display-encoded, in [0, 1] or
codes of 8 bits. Grey stays grey; alpha is kept where the format has it. The profile of the capture
is embedded; a file that came without one leaves without one, and means sRGB as before.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from camerapipe.capture import Capture
from camerapipe.errors import OutputError
from camerapipe.ingest.attachments import (
    EXIF_IFD,
    GPS_IFD,
    KEPT,
    MAX_EXIF_BYTES,
    MAX_XMP_BYTES,
    ORIENTATION,
    SOFTWARE,
    Attached,
    Metadata,
    attached,
    exif_bytes,
)
from camerapipe.ingest.formats import bits_for, format_named
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
DEFAULT_QUALITY = 95  # of JPEG
ZLIB_LEVEL = 3  # higher levels gain 5 % and take three times as long


def encode_picture(
    image: Pixels,
    capture: Capture,
    *,
    format: str,
    bits: int | None = None,
    quality: int = DEFAULT_QUALITY,
    metadata: Metadata | str = Metadata.ALL,
) -> bytes:
    """Encode a picture as a file, with the profile and metadata of its capture.

    Parameters
    ----------
    image : array
        HxWx3 display-encoded, float32 in [0, 1] or uint8 codes.
    capture : Capture
        Where it comes from: grey, alpha, profile and metadata are taken from it.
    format : str
        A format of `PICTURE_FORMATS`: jpeg, png or tiff.
    bits : int or None
        Bits per sample, 8 or 16. None: 16 where the capture had more than 8 and the format can.
    quality : int
        Of a JPEG, 1..100.
    metadata : Metadata
        Which metadata are kept: all, without-gps or none.

    Returns
    -------
    bytes
        A whole file.

    Raises
    ------
    RequestError
        If the format is not known, or cannot hold what was asked for.
    OutputError
        If the picture does not fit the format.
    """
    name = format_named(format)
    bits = bits_for(name, bits, capture.bit_depth)
    if image.dtype != np.uint8:
        check_image("encode_picture", "image", image)
    try:
        with quiet():
            blocks = attached(capture, image.shape[1], image.shape[0], Metadata(metadata))
            if name == "jpeg":
                return _jpeg(_codes(image, capture, 8, alpha=False), capture, blocks, quality)
            encode = _png if name == "png" else _tiff
            return encode(_codes(image, capture, bits, alpha=True), capture, blocks)
    except (OSError, ValueError, struct.error) as error:
        raise OutputError(f"this picture does not fit {name.upper()} ({error})") from error


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
