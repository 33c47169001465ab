"""Pictures of more than 8 bits per sample: 16-bit PNG by OpenCV, TIFF by tifffile.

Integer codes are scaled to the full range of 16 bits. Floating-point TIFF is linear light. TIFF of
8 bits (any compression, palette, bilevel) and CMYK are decoded by Pillow. If tifffile cannot decode
a compression, such as LZW, OpenCV is used.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, BinaryIO

import cv2
import numpy as np
import tifffile

from camerapipe.errors import CaptureError
from camerapipe.ingest.display import (
    ORIENTATION,
    SEVERAL,
    decode_display,
    image_orientation,
    open_header,
)
from camerapipe.ingest.files import CUT_OFF, check_pixels, file_size
from camerapipe.ingest.packed import PACKED_BITS, packed_samples
from camerapipe.ingest.pages import MIN_IS_BLACK, MIN_IS_WHITE, RGB, choose_page, with_first
from camerapipe.ingest.pixels import TURNS, Decoded, Samples
from camerapipe.ingest.png_chunks import read_chunks, still_picture
from camerapipe.ingest.tags import png_tags, tiff_tags

PNG_COLOUR_TYPE = 25  # offset of the colour type in the header
PNG_GREY = (0, 4)  # colour types without colour
CMYK = 5  # photometric interpretation
ASSOCIATED_ALPHA = 1
MAX_SAMPLES = 8  # channels: three colours, alpha and a few spot colours


def decode_png16(file: BinaryIO, max_pixels: int) -> Decoded:
    """Decode a PNG of 16 bits per sample; of an animation, the still picture."""
    image = open_header(file, max_pixels)
    chunks = read_chunks(file)
    tags = png_tags(chunks)
    file.seek(PNG_COLOUR_TYPE)
    grey = file.read(1)[0] in PNG_GREY
    samples = _by_opencv(still_picture(file))
    if grey and samples.ndim == 3:
        samples = samples[..., [0, 3]] if samples.shape[2] == 4 else samples[..., 0]
    if chunks.key is not None:
        opaque = (np.atleast_3d(samples) != np.array(chunks.key)).any(axis=2)
        samples = np.dstack([samples, np.where(opaque, 65535, 0).astype(np.uint16)])
    return Decoded(
        samples=samples,
        bits=16,
        orientation=image_orientation(image, tags),
        tags=tags,
        findings=SEVERAL if chunks.animated else (),
    )


def decode_tiff(file: BinaryIO, max_pixels: int) -> Decoded:
    """Decode the full picture of a TIFF."""
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        try:
            choice = choose_page(tiff)
        except IndexError as error:  # of tifffile, if there is no first page
            raise CaptureError(CUT_OFF) from error
        if not choice.is_first:
            decoded = decode_tiff(with_first(file, choice.page.offset), max_pixels)
            return _with_tags_of(file, tiff.pages.first, choice.page, decoded)
        page = choice.page
        check_pixels(page.imagewidth, page.imagelength, max_pixels)
        _check_complete(page, file_size(file))
        if page.dtype is None or page.photometric == CMYK or _is_plain(tiff, page):
            return decode_display(file, max_pixels)
        samples, turn = _stored(file, page)
        return Decoded(
            samples=_plain_channels(_full_range(samples, page.bitspersample), page),
            bits=page.bitspersample,
            orientation=turn if turn in TURNS else 1,
            tags=tiff_tags(file),
            findings=SEVERAL if choice.several else (),
        )


def tiff_pixels(file: BinaryIO) -> int:
    """Number of pixels of the full picture of a TIFF by its header."""
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        page = choose_page(tiff).page
        return int(page.imagewidth * page.imagelength)


def _is_plain(tiff: Any, page: Any) -> bool:
    """Whether Pillow decodes a page completely: it has 8 bits, and is no big-endian BigTIFF."""
    return bool(page.dtype.itemsize == 1 and not (tiff.is_bigtiff and tiff.byteorder == ">"))


def _with_tags_of(file: BinaryIO, first: Any, page: Any, decoded: Decoded) -> Decoded:
    """Decoded picture that follows a preview, with the tags that only the first directory has."""
    tags = tiff_tags(file, page.offset)
    turn = decoded.orientation
    if ORIENTATION not in page.tags:
        turn = _tag(first, ORIENTATION, 1)
    return replace(decoded, tags=tags, orientation=turn if turn in TURNS else 1, findings=())


def _stored(file: BinaryIO, page: Any) -> tuple[Samples, int]:
    """Samples as stored in the file, HxW or HxWxC, and the orientation still to be applied."""
    if page.photometric not in (MIN_IS_WHITE, MIN_IS_BLACK, RGB):
        raise CaptureError("a deep TIFF of an unusual colour model; export it as RGB")
    if page.samplesperpixel > MAX_SAMPLES or page.imagedepth != 1:
        raise CaptureError(f"{page.samplesperpixel} samples per pixel are no picture")
    if page.bitspersample in PACKED_BITS:
        return packed_samples(file, page), _tag(page, ORIENTATION, 1)
    try:
        samples = page.asarray()
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        file.seek(0)
        return _by_opencv(file.read()), 1  # OpenCV turns TIFF files itself
    samples = np.moveaxis(samples, 0, 2) if page.axes.startswith("S") else samples
    return samples, _tag(page, ORIENTATION, 1)


def _tag(page: Any, code: int, default: Any) -> Any:
    """Value of a tag of a page, or the default."""
    tag = page.tags.get(code)
    return default if tag is None else tag.value


def _check_complete(page: Any, size: int) -> None:
    """Check that the file contains all pixel data; libtiff would print messages otherwise."""
    ends = (at + count for at, count in zip(page.dataoffsets, page.databytecounts, strict=False))
    if max(ends, default=0) > size:
        raise CaptureError("the file is cut off before its pixels end; copy it again")


def _by_opencv(data: bytes) -> Samples:
    """Samples of an encoded picture, in RGB order, decoded by OpenCV."""
    samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None:
        raise CaptureError("damaged, or compressed in a way that is not supported; copy it again")
    if samples.ndim == 3:  # BGR order
        order = cv2.COLOR_BGRA2RGBA if samples.shape[2] == 4 else cv2.COLOR_BGR2RGB
        samples = cv2.cvtColor(samples, order)
    return np.asarray(samples)


def _full_range(samples: Samples, bits: int) -> Samples:
    """Samples scaled to the full range of 16 bits if they are integers, else float32."""
    if samples.dtype.kind == "f":
        return samples.astype(np.float32)
    if samples.dtype == np.uint8 and bits == 8:
        return samples
    if samples.dtype.kind != "u" or bits < samples.dtype.itemsize * 4:
        raise CaptureError(f"samples of type {samples.dtype} ({bits} bits); export 16 bits")
    if samples.dtype.itemsize > 2 or bits < 16:
        top = np.float64(2**bits - 1)
        return np.rint(samples * (65535 / top)).astype(np.uint16)
    return samples.astype(np.uint16)


def _plain_channels(samples: Samples, page: Any) -> Samples:
    """Grey or RGB samples, with straight alpha if the file has alpha, without spot colours."""
    expected = {page.samplesperpixel, 4 if page.samplesperpixel == 3 else page.samplesperpixel}
    other = samples.dtype.itemsize == 1 and page.bitspersample != 8
    if other or (samples.ndim == 3 and samples.shape[2] not in expected):
        raise CaptureError("compressed in a way that is not supported; save it without compression")
    if page.photometric == MIN_IS_WHITE:
        top = 1 if samples.dtype.kind == "f" else np.iinfo(samples.dtype).max
        samples = top - samples
    colours = 3 if page.photometric == RGB else 1
    if samples.ndim == 2 or not page.extrasamples or page.extrasamples[0] not in (1, 2):
        return samples if samples.ndim == 2 else samples[..., :colours]
    samples = samples[..., : colours + 1]
    return _straight(samples) if page.extrasamples[0] == ASSOCIATED_ALPHA else samples


def _straight(samples: Samples) -> Samples:
    """Samples with straight alpha, from premultiplied ones."""
    alpha = samples[..., -1:]
    if samples.dtype.kind == "f":
        colour = samples[..., :-1] / np.where(alpha > 0, alpha, 1)
    else:
        top = np.float32(np.iinfo(samples.dtype).max)
        ratio = samples[..., :-1] * (top / np.maximum(alpha, 1).astype(np.float32))
        colour = np.minimum(np.rint(ratio), top)
    return np.concatenate([colour.astype(samples.dtype), alpha], axis=-1)
