"""RAW files, developed by LibRaw to linear light.

LibRaw applies the white balance of the camera, but no automatic brightness, and converts to linear
light with sRGB primaries. Then one exposure gain is applied, and recorded in the capture. It brings
the 99.5th percentile of linear luma to 0.9 of display white. The gain is limited to 1..8: it never
darkens, and does not amplify the noise of a black frame much. It is applied to float values, so
values above display white are kept as headroom.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
import rawpy

from camerapipe.capture import Capture
from camerapipe.errors import CaptureError
from camerapipe.ingest.attachments import raw_exif
from camerapipe.ingest.files import check_pixels
from camerapipe.ingest.icc import srgb_profile
from camerapipe.ingest.metadata import read_tags, with_libraw
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


class NotRawError(Exception):
    """LibRaw does not support the file or finds no picture in it; it may be display-encoded."""


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
    with _identified(file) as raw:
        height, width = raw.sizes.raw_height, raw.sizes.raw_width
        check_pixels(width, height, max_pixels)
        check_whole(file)
        try:
            raw.unpack()
        except rawpy.LibRawFileUnsupportedError as error:
            raise CaptureError(
                "LibRaw cannot unpack the compression of this RAW; convert it to a plain DNG"
            ) from error
        except rawpy.LibRawIOError as error:
            raise CaptureError("this RAW is cut off; copy it again from the camera") from error
        linear = _developed(raw)
        if is_dng(file):
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
        findings=findings,
    )


def raw_pixels(file: BinaryIO) -> int:
    """Number of pixels of a RAW file by its header; `NotRawError` if LibRaw does not support it."""
    with _identified(file) as raw:
        return int(raw.sizes.raw_height * raw.sizes.raw_width)


@contextmanager
def _identified(file: BinaryIO) -> Iterator[Any]:
    """Open a file by LibRaw, whose pixels are not yet decoded."""
    file.seek(0)
    with rawpy.RawPy() as raw:
        try:
            raw.open_buffer(file)
        except (rawpy.LibRawFileUnsupportedError, rawpy.LibRawIOError) as error:
            raise NotRawError from error
        yield raw


def _developed(raw: Any) -> Array:
    """Linear RGB, upright, HxWx3 float32; 1.0 where all channels of the sensor are saturated."""
    codes = raw.postprocess(
        output_bps=16,
        gamma=(1, 1),
        no_auto_bright=True,
        use_camera_wb=True,
        output_color=rawpy.ColorSpace.sRGB,
    )
    if codes.ndim == 2 or codes.shape[2] == 1:  # monochrome sensors
        codes = np.repeat(codes.reshape(*codes.shape[:2], 1), 3, axis=2)
    return np.asarray(codes, np.float32) / np.float32(65535)


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
