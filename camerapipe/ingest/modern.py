"""Writing of AVIF by Pillow, HEIC by pillow-heif, and JPEG XL by imagecodecs.

Colour is not subsampled at high quality. Pictures without a profile are tagged or known as sRGB.
JPEG XL files are always sRGB, because imagecodecs writes no profile.
"""

from __future__ import annotations

import importlib
import io
import struct

import numpy as np
import numpy.typing as npt
from PIL import Image

from camerapipe.ingest.attachments import ORIENTATION
from camerapipe.ingest.exif import FIRST, SIGNATURE, ExifBlock
from camerapipe.ingest.jpeg import FULL_CHROMA_QUALITY

Codes = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # by channels
LARGEST_SIDE = 65_535  # px; of AV1 and HEVC in these files
LOSSLESS_QUALITY = 100  # of JPEG XL


def avif_bytes(
    codes: npt.NDArray[np.uint8],
    quality: int,
    *,
    exif: bytes = b"",
    xmp: bytes | None = None,
    profile: bytes | None = None,
) -> bytes:
    """Encode HxW, HxWx3 or HxWx4 codes of 8 bits; `exif` is a block without signature.

    Pillow would write an EXIF block with an orientation anew, and so move maker notes. An upright
    picture needs none.
    """
    _check_side(codes)
    chroma = "4:4:4" if quality >= FULL_CHROMA_QUALITY else "4:2:0"
    if codes.ndim == 2:
        chroma = "4:0:0"
    file = io.BytesIO()
    Image.fromarray(codes).save(
        file,
        "AVIF",
        quality=quality,
        subsampling=chroma,
        exif=SIGNATURE + _without_turn(exif) if exif else b"",
        xmp=xmp or b"",
        icc_profile=profile or b"",
    )
    return file.getvalue()


def heic_bytes(
    codes: Codes,
    quality: int,
    *,
    exif: bytes = b"",
    xmp: bytes | None = None,
    profile: bytes | None = None,
) -> bytes:
    """Encode HxW, HxWx3 or HxWx4 codes; those of 16 bits are stored with 10."""
    _check_side(codes)
    library = importlib.import_module("pillow_heif")
    mode = MODES[codes.shape[2] if codes.ndim == 3 else 1]
    if codes.dtype == np.uint16:
        mode += ";16"
    file = io.BytesIO()
    picture = library.from_bytes(mode, codes.shape[1::-1], codes.tobytes())
    for each in picture:
        each.info["icc_profile"] = profile
    picture.save(
        file,
        format="HEIF",
        quality=quality,
        chroma=444 if quality >= FULL_CHROMA_QUALITY else 420,
        exif=SIGNATURE + exif if exif else None,
        xmp=xmp or None,
    )
    return file.getvalue()


def jxl_bytes(codes: Codes, quality: int, *, exif: bytes = b"", xmp: bytes | None = None) -> bytes:
    """Encode HxW or HxWxC sRGB codes (grey, grey + alpha, RGB, RGB + alpha) of 8 or 16 bits.

    Metadata are boxes after the pixels (ISO/IEC 18181-2).
    """
    library = importlib.import_module("imagecodecs")
    how = {"lossless": True} if quality == LOSSLESS_QUALITY else {"distance": _distance(quality)}
    data = bytes(library.jpegxl_encode(np.ascontiguousarray(codes), usecontainer=True, **how))
    if exif:
        data += _box(b"Exif", bytes(4) + exif)  # the offset of its header comes first
    return data + (_box(b"xml ", xmp) if xmp else b"")


def _without_turn(exif: bytes) -> bytes:
    block = ExifBlock(exif)
    block.change(FIRST, {ORIENTATION: None})
    return bytes(block)


def _distance(quality: int) -> float:
    """Distance of libjxl for a quality as JPEG has it (`JxlEncoderDistanceFromQuality`)."""
    if quality >= 30:
        return 0.1 + (100 - quality) * 0.09
    return 53 / 3000 * quality**2 - 23 / 20 * quality + 25


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, name) + content


def _check_side(codes: Codes) -> None:
    if max(codes.shape[:2]) > LARGEST_SIDE:
        raise ValueError(f"a side is at most {LARGEST_SIDE} px")
