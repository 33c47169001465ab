"""Pictures of more than 8 bits per sample: 16-bit PNG through OpenCV, TIFF through tifffile.

Integer codes are stretched to the full range of 16 bits; floating-point TIFF is linear light. TIFF
of 8 bits (any compression, palette, bilevel) and CMYK go to Pillow. tifffile alone cannot expand
LZW; OpenCV can, and is asked where tifffile says so.
"""

from __future__ import annotations

from typing import Any, BinaryIO

import cv2
import numpy as np
import tifffile

from camerapipe.errors import CaptureError
from camerapipe.ingest.display import (
    ORIENTATION,
    SEVERAL,
    XMP_TAG,
    attachments,
    decode_display,
    first_frame,
    image_orientation,
    open_header,
)
from camerapipe.ingest.files import check_pixels, file_size
from camerapipe.ingest.pixels import TURNS, Decoded, Samples

PNG_COLOUR_TYPE = 25  # offset of the colour type in the header
PNG_GREY = (0, 4)  # colour types without colour
ICC_TAG = 34675
MIN_IS_WHITE, MIN_IS_BLACK, RGB, CMYK = 0, 1, 2, 5  # photometric interpretations
WHOLE_BITS = (16, 32, 64)  # samples that fill their bytes
ASSOCIATED_ALPHA = 1
MAX_SAMPLES = 8  # per pixel: three colours, alpha and a few spot channels


def decode_png16(file: BinaryIO, max_pixels: int) -> Decoded:
    """Decode a PNG of 16 bits per sample."""
    image = open_header(file, max_pixels)
    findings, side = first_frame(image), attachments(image)
    turn = image_orientation(image)
    file.seek(PNG_COLOUR_TYPE)
    grey = file.read(1)[0] in PNG_GREY
    samples = _by_opencv(file)
    if grey and samples.ndim == 3:
        samples = samples[..., [0, 3]] if samples.shape[2] == 4 else samples[..., 0]
    return Decoded(samples=samples, bits=16, orientation=turn, findings=findings, **side)


def decode_tiff(file: BinaryIO, max_pixels: int) -> Decoded:
    """Decode the first page of a TIFF."""
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages.first
        check_pixels(page.imagewidth, page.imagelength, max_pixels)
        _check_complete(page, file_size(file))
        if page.dtype is None or page.dtype.itemsize == 1 or page.photometric == CMYK:
            return decode_display(file, max_pixels)
        samples, turn = _stored(file, page)
        return Decoded(
            samples=_plain_channels(_full_range(samples, page.bitspersample), page),
            bits=page.bitspersample,
            orientation=turn if turn in TURNS else 1,
            icc=_tag(page, ICC_TAG, None),
            xmp=_tag(page, XMP_TAG, None),
            exif=_exif(file, max_pixels),
            findings=SEVERAL if _has_second(tiff) else (),
        )


def _stored(file: BinaryIO, page: Any) -> tuple[Samples, int]:
    """Samples as the file holds them, HxW or HxWxC, and the orientation left to apply."""
    if page.photometric not in (MIN_IS_WHITE, MIN_IS_BLACK, RGB):
        raise CaptureError("a deep TIFF of an unusual colour model; export it as RGB")
    if page.samplesperpixel > MAX_SAMPLES or page.imagedepth != 1:
        raise CaptureError(f"{page.samplesperpixel} samples per pixel are no picture")
    try:
        samples = page.asarray()
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        if page.bitspersample not in WHOLE_BITS:
            raise CaptureError(f"packed {page.bitspersample}-bit TIFF; export 16 bits") from error
        return _by_opencv(file), 1  # OpenCV turns TIFF files itself
    samples = np.moveaxis(samples, 0, 2) if page.axes.startswith("S") else samples
    return samples, _tag(page, ORIENTATION, 1)


def _tag(page: Any, code: int, default: Any) -> Any:
    tag = page.tags.get(code)
    return default if tag is None else tag.value


def _has_second(tiff: Any) -> bool:
    try:
        return tiff.pages[1] is not None
    except Exception:  # the end of the chain, or damage in it: the first page is what counts
        return False


def _exif(file: BinaryIO, max_pixels: int) -> bytes | None:
    """EXIF through Pillow, which reads the header of most deep files too."""
    try:
        return attachments(open_header(file, max_pixels))["exif"]
    except Exception:  # a kind that Pillow does not know (float RGB): no EXIF, but a picture
        return None


def _check_complete(page: Any, size: int) -> None:
    """Refuse a file that ends before its pixels do, before libtiff prints complaints."""
    ends = (at + count for at, count in zip(page.dataoffsets, page.databytecounts, strict=False))
    if max(ends, default=0) > size:
        raise CaptureError("the file is cut off before its pixels end; copy it again")


def _by_opencv(file: BinaryIO) -> Samples:
    file.seek(0)
    samples = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None:
        raise CaptureError("damaged, or compressed in a way that is not supported; copy it again")
    if samples.ndim == 3:  # BGR order
        order = cv2.COLOR_BGRA2RGBA if samples.shape[2] == 4 else cv2.COLOR_BGR2RGB
        samples = cv2.cvtColor(samples, order)
    return np.asarray(samples)


def _full_range(samples: Samples, bits: int) -> Samples:
    """Integers to the full range of 16 bits, floats to float32."""
    if samples.dtype.kind == "f":
        return samples.astype(np.float32)
    if samples.dtype.kind != "u" or bits < samples.dtype.itemsize * 4:
        raise CaptureError(f"samples of type {samples.dtype} ({bits} bits); export 16 bits")
    if samples.dtype.itemsize > 2 or bits < 16:
        top = np.float64(2**bits - 1)
        return np.rint(samples * (65535 / top)).astype(np.uint16)
    return samples.astype(np.uint16)


def _plain_channels(samples: Samples, page: Any) -> Samples:
    """Grey or RGB, with straight alpha where the file has alpha; spot channels are left out."""
    expected = {page.samplesperpixel, 4 if page.samplesperpixel == 3 else page.samplesperpixel}
    if samples.dtype.itemsize == 1 or (samples.ndim == 3 and samples.shape[2] not in expected):
        raise CaptureError("compressed in a way that is not supported; save it without compression")
    if page.photometric == MIN_IS_WHITE:
        samples = np.iinfo(samples.dtype).max - samples
    colours = 3 if page.photometric == RGB else 1
    if samples.ndim == 2 or not page.extrasamples or page.extrasamples[0] not in (1, 2):
        return samples if samples.ndim == 2 else samples[..., :colours]
    samples = samples[..., : colours + 1]
    return _straight(samples) if page.extrasamples[0] == ASSOCIATED_ALPHA else samples


def _straight(samples: Samples) -> Samples:
    """Undo the multiplication of the colours by alpha."""
    alpha = samples[..., -1:]
    if samples.dtype.kind == "f":
        colour = samples[..., :-1] / np.where(alpha > 0, alpha, 1)
    else:
        top = np.float32(65535)
        ratio = samples[..., :-1] * (top / np.maximum(alpha, 1).astype(np.float32))
        colour = np.minimum(np.rint(ratio), top)
    return np.concatenate([colour.astype(samples.dtype), alpha], axis=-1)
