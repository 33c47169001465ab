"""Display-encoded pictures of up to 8 bits per sample, by Pillow; most JPEG files by OpenCV.

Only the listed formats are tried. Pillow reads many more, but few of them are used for photographs,
and some are risky (EPS runs a program). The size is checked after reading the header, and before
decoding.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib import import_module
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from camerapipe.errors import CaptureError
from camerapipe.ingest.coding import ColourTags
from camerapipe.ingest.files import check_pixels, one_line, over_limit
from camerapipe.ingest.icc import MAX_BYTES, convert, srgb_profile
from camerapipe.ingest.isobmff import TONE_MAP, item_types
from camerapipe.ingest.jpeg_gain_map import Read, ignored, read_gain_map
from camerapipe.ingest.jpeg_pixels import sound_pixels
from camerapipe.ingest.metadata import meta_from, read_exif_block
from camerapipe.ingest.pixels import TURNS, Decoded, Samples
from camerapipe.ingest.tags import FileTags, tags_of
from stages.findings import Finding, Severity

PLUGINS = ("Jpeg", "Mpo", "Png", "Tiff", "WebP", "Gif", "Bmp", "Avif")
for plugin in PLUGINS:
    with suppress(ImportError):  # older Pillow has no AVIF
        import_module(f"PIL.{plugin}ImagePlugin")
FORMATS = tuple(name for name in (p.upper() for p in PLUGINS) if name in Image.OPEN)
ORIENTATION = 0x0112  # EXIF tag

SEVERAL = (
    Finding(
        "first_frame_only",
        Severity.INFO,
        "The file holds several pictures; only the first one is used.",
    ),
)

# Modes of Pillow -> modes with 8-bit samples that keep all channels
PLAIN = {
    "1": "L",
    "L": "L",
    "LA": "LA",
    "La": "LA",
    "RGB": "RGB",
    "RGBA": "RGBA",
    "RGBa": "RGBA",
    "RGBX": "RGB",
    "P": "RGB",
    "PA": "RGBA",
    "YCbCr": "RGB",
    "HSV": "RGB",
}
WITH_ALPHA = {"L": "LA", "RGB": "RGBA", "1": "LA", "P": "RGBA"}


def open_header(file: BinaryIO, max_pixels: int) -> Image.Image:
    """Read the header, and check the size against the limit (by Pillow, and by `check_pixels`)."""
    file.seek(0)
    try:
        with _pillow_limit(max_pixels):
            image = Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError as error:
        said = re.search(r"\d+", str(error))
        size = f"{said[0]} pixels" if said else "its size"
        raise over_limit(size, max_pixels) from error
    except UnidentifiedImageError as error:
        raise CaptureError("its header is damaged; copy it again") from error
    check_pixels(*image.size, max_pixels)
    return image


_limit_lock = threading.Lock()


@contextmanager
def _pillow_limit(max_pixels: int) -> Iterator[None]:
    """Raise Pillow's process-wide limit to `max_pixels` within the block, if it is lower."""
    with _limit_lock:
        before = Image.MAX_IMAGE_PIXELS
        if before is not None:
            Image.MAX_IMAGE_PIXELS = max(before, max_pixels // 2 + 1)  # Pillow refuses twice this
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def decode_display(file: BinaryIO, max_pixels: int) -> Decoded:
    """Decode the first frame of a file in one of `FORMATS`."""
    image = open_header(file, max_pixels)
    findings = first_frame(image)
    tags = tags_of(image, file)
    pixels = _sound_jpeg(file, image)
    if pixels is None:
        image.load()
        samples, converted = _samples(image, tags.colour.icc)
    else:
        samples, converted = pixels, ()
    if converted:
        tags = replace(tags, colour=ColourTags(icc=srgb_profile()))
    turn = image_orientation(image, tags)  # after loading: Pillow turns TIFF files itself
    hdr = _gain_map(file, image, tags)
    return Decoded(
        samples=samples,
        bits=8,
        orientation=turn,
        tags=tags,
        gain_map=hdr.gain_map,
        findings=findings + converted + hdr.findings,
    )


def _sound_jpeg(file: BinaryIO, image: Image.Image) -> Samples | None:
    """Pixels of a JPEG file, or None if it may be damaged or is in another format."""
    if image.format not in ("JPEG", "MPO"):
        return None
    place = file.tell()
    file.seek(0)
    pixels = sound_pixels(file.read(), image.mode)
    file.seek(place)  # Pillow continues to read from here
    return None if pixels is None or pixels.shape[1::-1] != image.size else pixels


def _gain_map(file: BinaryIO, image: Image.Image, tags: FileTags) -> Read:
    """Gain map of a JPEG file; those of AVIF are not given by Pillow."""
    if image.format == "AVIF" and TONE_MAP in item_types(file):
        return Read(findings=(ignored("those of AVIF files cannot be read"),))
    if image.format not in ("JPEG", "MPO"):
        return Read()
    file.seek(0)
    return read_gain_map(file.read(), image.size, tags.exif, tags.colour.icc)


def image_orientation(image: Image.Image, tags: FileTags) -> int:
    """EXIF orientation that is still to be applied, by Pillow or else by ExifRead; 1 if unknown."""
    try:
        value = image.getexif().get(ORIENTATION)
    except Exception:  # Pillow raises exceptions of many types on broken EXIF
        value = None
    if value not in TURNS and image.format != "TIFF":
        value = meta_from(read_exif_block(tags.exif)).orientation.value
    return value or 1


def first_frame(image: Image.Image) -> tuple[Finding, ...]:
    """Finding if a file has several frames; the second picture of an MPO is not a frame."""
    several = image.format != "MPO" and getattr(image, "is_animated", False)
    return SEVERAL if several else ()


def _samples(image: Image.Image, profile: bytes | None) -> tuple[Samples, tuple[Finding, ...]]:
    if image.mode == "CMYK":
        rgb, finding = _from_cmyk(image, profile)
        return np.asarray(rgb), (finding,)
    mode = PLAIN.get(image.mode)
    if mode is None:
        raise CaptureError(
            f"pictures of the kind {image.mode!r} are not supported; export it as RGB"
        )
    if "transparency" in image.info:
        mode = WITH_ALPHA.get(image.mode, mode)
    return np.asarray(image if image.mode == mode else image.convert(mode)), ()


def _from_cmyk(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, Finding]:
    if profile is not None and len(profile) <= MAX_BYTES:
        try:
            return convert(image, profile)
        except (ImageCms.PyCMSError, OSError, ValueError) as error:
            reason = one_line(error)
    else:
        reason = "no usable profile"
    message = f"CMYK picture with {reason}: its colours are approximate."
    return image.convert("RGB"), Finding("cmyk_approximate", Severity.WARNING, message)
