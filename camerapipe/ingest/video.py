"""Frames of videos as captures, by the optional library PyAV (extra `video`).

A video tags its colour by code points of ITU-T H.273, which `coding` interprets as for pictures.
The matrix and the range of its Y'CbCr samples are left to libswscale, with exact rounding. A frame
without a matrix is taken as players do: BT.709 if it is large, else BT.601.

Captures of frames are sRGB: other primaries are converted, because streams mix frames and maps, and
write BT.709.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import numpy as np
import numpy.typing as npt

from camerapipe.capture import Capture
from camerapipe.extras import install
from camerapipe.ingest.coding import Cicp, Coding, ColourTags, coding_of
from camerapipe.ingest.colorimetry import BT709, UNSPECIFIED, same, to_srgb_primaries
from camerapipe.ingest.hdr import sdr_light
from camerapipe.ingest.pixels import as_unit, upright
from stages.findings import Finding, Severity
from stages.params import Array
from stages.tone import linearise

# Matrix coefficients of ITU-T H.273, table 4, by names of libswscale.
MATRICES = {1: "ITU709", 4: "FCC", 5: "ITU601", 6: "ITU601", 7: "SMPTE240M", 9: "BT2020",
            10: "BT2020"}  # fmt: skip
IDENTITY = 0  # R'G'B' samples
SD_SIZE = (1279, 576)  # the largest width and height that are BT.601 without a matrix
FULL = 2  # AVColorRange: full range
FULL_RANGE_FORMATS = ("yuvj", "gray", "ya", "rgb", "bgr", "gbr", "pal")  # where none is stated
UNITY_16 = 255 << 8  # code of 1.0 in libswscale's RGB of 16 bits
INSTALL = install("video")
# EXIF orientation by the signs of a display matrix: x' = a x + c y, y' = b x + d y.
ORIENTATIONS = {  # (a, b, c, d)
    (1, 0, 0, 1): 1, (-1, 0, 0, 1): 2, (-1, 0, 0, -1): 3, (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5, (0, 1, -1, 0): 6, (0, -1, -1, 0): 7, (0, -1, 1, 0): 8,
}  # fmt: skip
# Flags of libswscale. Without the last three, colours are up to 3 codes too low; with BILINEAR,
# RGB of 16 bits is wrong altogether.
EXACT = ("BICUBIC", "ACCURATE_RND", "FULL_CHR_H_INT", "FULL_CHR_H_INP")


def has_video() -> bool:
    """Whether PyAV is installed."""
    return importlib.util.find_spec("av") is not None


def library() -> Any:
    """PyAV."""
    return importlib.import_module("av")


def swscale() -> Any:
    """PyAV's interface to libswscale."""
    return importlib.import_module("av.video.reformatter")


def exact_scaling() -> Any:
    """Flags of libswscale for conversions that are right to half a code."""
    flags = swscale().Interpolation
    combined = flags[EXACT[0]]
    for name in EXACT[1:]:
        combined |= flags[name]
    return combined


def frame_coding(frame: Any) -> Coding:
    """Coding of a frame by its colour tags, with findings.

    Parameters
    ----------
    frame : av.VideoFrame
        A decoded frame.
    """
    cicp = Cicp(int(frame.color_primaries), int(frame.color_trc))
    coding = coding_of(ColourTags(cicp=cicp), grey=False)
    matrix = int(frame.colorspace)
    if matrix in (*MATRICES, IDENTITY, UNSPECIFIED):
        return coding
    message = (
        f"The video states colour matrix {matrix}, which cannot be used; colours may be wrong."
    )
    found = Finding("coding_ignored", Severity.WARNING, message)
    return Coding(
        curve=coding.curve,
        hdr=coding.hdr,
        primaries=coding.primaries,
        findings=(*coding.findings, found),
    )


def capture_from_frame(frame: Any, size: tuple[int, int], name: str) -> Capture:
    """Capture of a frame: upright, with square pixels, in linear light.

    Parameters
    ----------
    frame : av.VideoFrame
        A decoded frame.
    size : (width, height)
        Size with square pixels, px, before the frame is turned.
    name : str
        Of the capture.

    Returns
    -------
    Capture
        Without findings: those of `frame_coding` are about the whole video.
    """
    codes = np.ascontiguousarray(upright(_rgb(frame, size), _orientation(frame)))
    linear = _light(codes, frame_coding(frame))
    return Capture(
        name=name, linear=linear, kind="array", bit_depth=8 if codes.dtype == np.uint8 else 16
    )


def _orientation(frame: Any) -> int:
    """EXIF orientation of a frame; upright if it is turned by an odd angle."""
    stated = frame.side_data.get("DISPLAYMATRIX")
    if stated is None:
        return 1
    a, b, _, c, d = np.sign(np.frombuffer(stated, "<i4")[:5]).tolist()
    return ORIENTATIONS.get((a, b, c, d), 1)


def _light(codes: npt.NDArray[Any], coding: Coding) -> Array:
    if coding.hdr is not None:
        return sdr_light(as_unit(codes), coding.hdr, coding.primaries)
    light = linearise(codes, coding.curve)
    if same(coding.primaries, BT709):
        return light
    matrix = to_srgb_primaries(coding.primaries).astype(np.float32)
    return np.asarray(np.clip(light @ matrix.T, 0, 1), np.float32)


def _rgb(frame: Any, size: tuple[int, int]) -> npt.NDArray[Any]:
    """Codes of full range, HxWx3, uint8 or uint16."""
    scaling, form = swscale(), frame.format
    deep = max(component.bits for component in form.components) > 8
    ranges = scaling.ColorRange
    full = int(frame.color_range) == FULL or (
        not int(frame.color_range) and form.name.startswith(FULL_RANGE_FORMATS)
    )
    matrix = None if form.is_rgb else scaling.Colorspace[_matrix_of(frame)]
    converted = frame.reformat(
        width=size[0],
        height=size[1],
        format="rgb48le" if deep else "rgb24",
        src_colorspace=matrix,
        dst_colorspace=matrix,
        src_color_range=ranges.JPEG if full else ranges.MPEG,
        dst_color_range=ranges.JPEG,
        interpolation=exact_scaling(),
        threads=1,
    )
    codes: npt.NDArray[Any] = converted.to_ndarray()
    if not deep:
        return codes
    scaled = np.minimum(codes, UNITY_16).astype(np.float32) * np.float32(65535 / UNITY_16)
    return np.asarray(np.rint(scaled), np.uint16)


def _matrix_of(frame: Any) -> str:
    guess = "ITU601" if is_sd(frame.width, frame.height) else "ITU709"
    return MATRICES.get(int(frame.colorspace), guess)


def is_sd(width: int, height: int) -> bool:
    """Whether players take a video of this size (px), without a matrix, as BT.601."""
    return width <= SD_SIZE[0] and height <= SD_SIZE[1]
