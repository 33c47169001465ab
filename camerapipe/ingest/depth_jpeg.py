"""Depth in JPEG files: GDepth, Dynamic Depth, and Apple's auxiliary pictures.

- GDepth: the depth picture is a property of the XMP, usually of its extended packet (Google,
  Depthmap Metadata, 2014).
- Dynamic Depth 1.0 (Google, 2019): it follows the JPEG in the file. A directory in the XMP lists
  what follows, in order.
- Apple: it is a further picture of the Multi-Picture index, and its own XMP describes it.
"""

from __future__ import annotations

import base64
import binascii
import io
import math

from camerapipe.errors import CaptureError
from camerapipe.ingest.container import listed_files
from camerapipe.ingest.depth_values import DepthPicture
from camerapipe.ingest.extended_xmp import BrokenExtensionError, xmp_packets
from camerapipe.ingest.mpf import other_pictures
from camerapipe.ingest.pixels import Decoded, Samples
from camerapipe.ingest.reading import DECODERS
from camerapipe.ingest.sniff import sniff
from camerapipe.ingest.xmp import BrokenXmpError, Name
from camerapipe.ingest.xmp_fields import Fields, all_fields

GDEPTH = "http://ns.google.com/photos/1.0/depthmap/"
GFOCUS = "http://ns.google.com/photos/1.0/focus/"
DYNAMIC = "http://ns.google.com/photos/dd/1.0/depthmap/"
APPLE_PIXELS = "http://ns.apple.com/pixeldatainfo/1.0/"
APPLE_DEPTH = "http://ns.apple.com/depthData/1.0/"
UNITS_M = {"m": 1.0, "mm": 1e-3, "meters": 1.0, "metres": 1.0}
FORMATS = {"rangeinverse": True, "rangelinear": False}  # whether linear in inverse distance


def jpeg_depth(data: bytes, orientation: int, max_pixels: int) -> DepthPicture | None:
    """The depth picture of a JPEG file; None if it has none.

    Parameters
    ----------
    data : bytes
        The whole file.
    orientation : int
        EXIF orientation of the photograph, in which the depth is stored too.
    max_pixels : int
        Largest size of the depth picture.

    Raises
    ------
    CaptureError
        If depth is announced, and cannot be read.
    """
    try:
        packets = xmp_packets(data)
        fields = all_fields(packets)
        found = _gdepth(fields, max_pixels)
        found = found or _dynamic_depth(data, packets, fields, max_pixels)
        found = found or _apple(data, max_pixels)
    except (BrokenExtensionError, BrokenXmpError) as error:
        raise CaptureError(f"its XMP, where depth would stand, is damaged: {error}") from error
    return None if found is None else found._replace(orientation=orientation)


def decoded(data: bytes, max_pixels: int) -> Decoded:
    """A picture that stands within a file."""
    file = io.BytesIO(data)
    kind = sniff(file)
    if kind not in DECODERS:
        raise CaptureError("the embedded depth is no picture")
    return DECODERS[kind](file, max_pixels)


def apple_depth(fields: Fields, samples: Samples) -> DepthPicture | None:
    """Depth picture that Apple's properties describe; None if they describe something else.

    Disparity is inverse distance in 1/m. It is metric only if its accuracy is `absolute`.
    """
    kind = fields.get(Name(APPLE_PIXELS, "AuxiliaryImageType"), "").lower()
    if kind not in ("disparity", "depth"):
        return None
    ends = [_number(fields, APPLE_PIXELS, f"Float{end}Value") for end in ("Min", "Max")]
    if None in ends or ends[0] == ends[1]:
        raise CaptureError("its depth map does not say the range of its values")
    first, last = (float(end or 0) for end in ends)
    metric = fields.get(Name(APPLE_DEPTH, "Accuracy"), "").lower() == "absolute"
    return DepthPicture(
        samples, first, last, is_inverse=kind == "disparity", unit_m=1.0 if metric else None
    )


def _gdepth(fields: Fields, max_pixels: int) -> DepthPicture | None:
    text = fields.get(Name(GDEPTH, "Data"))
    if text is None:
        if Name(GDEPTH, "Near") in fields:
            raise CaptureError("its XMP announces a depth map that is not in the file")
        return None
    try:
        data = base64.b64decode(text, validate=False)
    except binascii.Error as error:
        raise CaptureError("its depth map is damaged (no base64)") from error
    return _ranged(fields, GDEPTH, decoded(data, max_pixels))


def _ranged(fields: Fields, space: str, picture: Decoded) -> DepthPicture:
    """Depth picture between a nearest and a farthest distance, code 0 being the nearest."""
    format = fields.get(Name(space, "Format"), "RangeInverse").lower()
    near, far = (_number(fields, space, end) for end in ("Near", "Far"))
    if format not in FORMATS or near is None or far is None or not 0 < near < far:
        raise CaptureError("its depth map does not say the range of its values")
    units = fields.get(Name(space, "Units"), "").lower()
    unit_m, is_inverse = UNITS_M.get(units), FORMATS[format]
    if units == "diopters":
        near, far, unit_m = 1 / far, 1 / near, 1.0
    first, last = (1 / near, 1 / far) if is_inverse else (near, far)
    focus = _number(fields, GFOCUS, "FocalDistance")
    return DepthPicture(
        picture.samples, first, last, is_inverse, unit_m,
        focus=focus if focus and focus > 0 else None,
    )  # fmt: skip


def _dynamic_depth(
    data: bytes, packets: tuple[bytes, ...], fields: Fields, max_pixels: int
) -> DepthPicture | None:
    uri = fields.get(Name(DYNAMIC, "DepthURI"))
    if uri is None:
        return None
    for said, start, end in listed_files(packets, len(data)):
        if not 0 <= start <= end:
            raise CaptureError("its directory lists a depth map outside of the file")
        if uri in (said.get("DataURI"), said.get("URI")):
            return _ranged(fields, DYNAMIC, decoded(data[start:end], max_pixels))
    raise CaptureError("its XMP announces a depth map that is not in the file")


def _apple(data: bytes, max_pixels: int) -> DepthPicture | None:
    for start, end in other_pictures(data):
        if not 0 < start < end <= len(data):
            continue
        packets = xmp_packets(data[start:end])
        fields = all_fields(packets)
        if Name(APPLE_PIXELS, "AuxiliaryImageType") in fields:
            found = apple_depth(fields, decoded(data[start:end], max_pixels).samples)
            if found is not None:
                return found
    return None


def _number(fields: Fields, space: str, local: str) -> float | None:
    try:
        value = float(fields[Name(space, local)])
    except (KeyError, ValueError):
        return None
    return value if math.isfinite(value) else None
