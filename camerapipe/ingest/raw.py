"""RAW files, developed to linear light by LibRaw, or by `dng` where LibRaw leaves something out.

LibRaw applies the white balance of the camera, but no automatic brightness, and converts to linear
light with sRGB primaries. It reads no JPEG XL, takes lossy JPEG for linear light, and ignores the
corrections that phones leave to the reader of their DNG files (opcode lists).

Then one exposure gain is applied, and recorded in the capture. It brings the 99.5th percentile of
linear luma to 0.9 of display white. The gain is limited to 1..8: it never darkens, and does not
amplify the noise of a black frame much. It is applied to float values, so values above display
white are kept as headroom.
"""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
import rawpy

from camerapipe.capture import Capture
from camerapipe.ingest.attachments import raw_exif
from camerapipe.ingest.dng import Negative, develop_dng, read_negative
from camerapipe.ingest.files import check_pixels
from camerapipe.ingest.icc import srgb_profile
from camerapipe.ingest.libraw import demosaiced, identified, unpacked
from camerapipe.ingest.metadata import meta_from, read_tags, with_libraw
from camerapipe.ingest.raw_extent import check_whole
from camerapipe.ingest.tiff_exif import is_dng
from stages.arrays import luma
from stages.findings import Finding, Severity
from stages.params import Array

WHITE_PERCENTILE = 99.5  # of luma; brighter pixels are lamps and reflections, which may clip
WHITE_LEVEL = 0.9  # linear luma of that percentile after the gain; display white is 1
MAX_GAIN = 8.0  # three stops; more would mainly amplify noise
BLACK = 1e-3  # linear luma; if the percentile is below, there is only noise, or no pixels
MIN_BITS = 9  # 8 linear bits resolve some tones more finely than 8 display bits
COLS_FLIPPED, ROWS_FLIPPED, TRANSPOSED = 1, 2, 4  # bits of LibRaw's flip
LUMA_SAMPLES = 1_000_000  # enough pixels for a percentile


def open_raw(file: BinaryIO, max_pixels: int) -> Capture:
    """Develop a RAW file.

    Parameters
    ----------
    file : binary file
        The file; it must have a name.
    max_pixels : int
        Largest size.

    Returns
    -------
    Capture
        Linear light with headroom, upright.

    Raises
    ------
    NotRawError
        If LibRaw does not support the file.
    CaptureError
        If the file is cut off, or its compression is not supported.
    """
    dng = is_dng(file)
    negative, notes = read_negative(file, max_pixels) if dng else (None, ())
    if negative is not None and _is_developed_here(negative):
        linear, bits = develop_dng(file, negative), negative.depth
        meta = meta_from(read_tags(file))
    else:
        with identified(file) as raw:
            check_pixels(raw.sizes.raw_width, raw.sizes.raw_height, max_pixels)
            check_whole(file)
            unpacked(raw)
            linear = demosaiced(raw, rawpy.ColorSpace.sRGB)
            if dng:
                linear = _default_crop(linear, raw.sizes)
            bits = int(raw.white_level).bit_length()
            meta = with_libraw(read_tags(file), raw.other, raw.lens)
    gain, findings = _exposure(linear)
    return Capture(
        name=str(file.name),
        linear=linear * gain,
        kind="raw",
        bit_depth=max(bits, MIN_BITS),
        exposure_gain=float(gain),
        meta=meta,
        profile=srgb_profile(),
        exif=raw_exif(file, meta),
        findings=(*findings, *notes, *_missing(negative)),
    )


def raw_pixels(file: BinaryIO) -> int:
    """Number of pixels of a RAW file by its header; `NotRawError` if LibRaw does not support it."""
    with identified(file) as raw:
        return int(raw.sizes.raw_height * raw.sizes.raw_width)


def _is_developed_here(negative: Negative) -> bool:
    """Whether a DNG needs what LibRaw cannot do, and has a form for which we can."""
    if not negative.readable_by_libraw:
        return True
    return negative.has_corrections and negative.is_supported


def _missing(negative: Negative | None) -> tuple[Finding, ...]:
    """Corrections of a DNG that its camera asks for, and that are not made."""
    if negative is None:
        return ()
    missing = {name for each in negative.opcodes for name in each.missing}
    if negative.has_corrections and not _is_developed_here(negative):
        missing |= {type(c).__name__ for each in negative.opcodes for c in each.corrections}
    if not missing:
        return ()
    message = (
        f"The camera asks for corrections that are not made ({', '.join(sorted(missing))}): "
        "corners may be dark or tinted, or straight lines bent."
    )
    return (Finding("dng_corrections_missing", Severity.WARNING, message),)


def _default_crop(linear: Array, sizes: Any) -> Array:
    """Upright picture of a DNG, cropped by DefaultCropOrigin and DefaultCropSize.

    The active area is larger. Its border is for demosaicing, and may contain invalid pixels.
    """
    top, left = sizes.crop_top_margin - sizes.top_margin, sizes.crop_left_margin - sizes.left_margin
    bottom, right = top + sizes.crop_height, left + sizes.crop_width
    inside = 0 <= top < bottom <= sizes.height and 0 <= left < right <= sizes.width
    transposed = bool(sizes.flip & TRANSPOSED)
    stored = (linear.shape[1], linear.shape[0]) if transposed else linear.shape[:2]
    if not inside or stored != (sizes.height, sizes.width):
        return linear
    rows, cols = slice(top, bottom), slice(left, right)
    if sizes.flip & ROWS_FLIPPED:
        rows = slice(sizes.height - bottom, sizes.height - top)
    if sizes.flip & COLS_FLIPPED:
        cols = slice(sizes.width - right, sizes.width - left)
    return np.ascontiguousarray(linear[cols, rows] if transposed else linear[rows, cols])


def _exposure(linear: Array) -> tuple[np.float32, tuple[Finding, ...]]:
    """Exposure gain, and a finding if the picture is black."""
    values = luma(linear).reshape(-1)
    brightest = float(np.percentile(values[:: values.size // LUMA_SAMPLES + 1], WHITE_PERCENTILE))
    gain = np.float32(min(max(WHITE_LEVEL / max(brightest, WHITE_LEVEL / MAX_GAIN), 1), MAX_GAIN))
    if brightest >= BLACK:
        return gain, ()
    message = "The RAW is black: the frame was not exposed, or the file holds no pixels."
    return gain, (Finding("raw_black", Severity.WARNING, message, brightest, BLACK),)
