"""Blur maps inside of JPEG files, as properties of their XMP.

The map is the 16-bit TIFF of `map_encoding`, as base64, in a namespace of our own. It belongs to
the picture that the blur was measured in. If the map came from depth, the depth is added as GDepth
(Google, Depthmap Metadata, 2014); a blur map is never written as depth. Both stand in the extended
packet, besides properties of others that it has.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from xml.sax.saxutils import quoteattr

import cv2
import numpy as np

from camerapipe.errors import CaptureError, OutputError
from camerapipe.ingest.announced import BLUR
from camerapipe.ingest.attachments import MAX_XMP_BYTES
from camerapipe.ingest.depth_jpeg import GDEPTH
from camerapipe.ingest.extended_xmp import (
    HEAD,
    BrokenExtensionError,
    extension_segments,
    guid_of,
    xmp_packets,
)
from camerapipe.ingest.jpeg_segments import APP0, APP1, START, XMP_HEAD, segment, segments_of
from camerapipe.ingest.mpf import with_first_size
from camerapipe.ingest.pixels import TURNS, Samples
from camerapipe.ingest.xmp import (
    MAX_BYTES,
    NOTE,
    RDF,
    BrokenXmpError,
    Name,
    edited,
    with_description,
)
from camerapipe.ingest.xmp_fields import all_fields
from stages.depth import DepthMap

PREFIXES = {BLUR: "blur", GDEPTH: "GDepth", NOTE: "xmpNote", RDF: "rdf"}
DATA, EXTENSION = Name(BLUR, "Data"), Name(NOTE, "HasExtendedXMP")
LEAST_SHARE = 0.02  # nearest distance over the farthest, at least, in a written depth
DEPTH_TOP = 65535  # largest code of a written depth


def with_map(data: bytes, tiff: bytes, depth: DepthMap | None, orientation: int = 1) -> bytes:
    """A JPEG file with a blur map in its XMP; its pixels are the same bytes.

    Parameters
    ----------
    data : bytes
        The whole file.
    tiff : bytes
        The map as a TIFF file.
    depth : DepthMap or None
        The depth that the map came from.
    orientation : int
        EXIF orientation of the file; the depth is stored as its pixels are.

    Raises
    ------
    OutputError
        If the XMP of the file is damaged or too large.
    """
    short = {Name(BLUR, "Unit"): "sigma_px", Name(BLUR, "Mime"): "image/tiff"}
    long = {DATA: base64.b64encode(tiff).decode()}
    if depth is not None:
        said, codes = _gdepth(depth, orientation)
        short |= said
        long[Name(GDEPTH, "Data")] = base64.b64encode(codes).decode()
    replaced = {name.space for name in long}

    def removed(name: Name) -> bool:
        return name == EXTENSION or name.space in replaced

    try:
        first, *others = xmp_packets(data) or (b"",)
        extended = _changed(others[0] if others else b"", removed, long)
        packet = _changed(first, removed, short | {EXTENSION: guid_of(extended)})
    except (BrokenXmpError, BrokenExtensionError) as error:
        raise OutputError(f"its XMP is damaged and cannot carry a map: {error}") from error
    if len(packet) > MAX_XMP_BYTES or len(extended) > MAX_BYTES:
        raise OutputError("its XMP with a blur map would be too large; write the map as .tiff")
    written = segment(APP1, XMP_HEAD + packet) + extension_segments(extended)
    return with_first_size(_with_segments(data, written))


def map_in(data: bytes) -> bytes | None:
    """The map in a JPEG file, as a TIFF file; None if it has none.

    Raises
    ------
    CaptureError
        If a map is announced, and is damaged or not there.
    """
    try:
        fields = all_fields(xmp_packets(data))
        if not any(name.space == BLUR for name in fields):
            return None
        return base64.b64decode(fields[DATA], validate=True)
    except (BrokenXmpError, BrokenExtensionError, KeyError, ValueError) as error:
        raise CaptureError("the blur map in its XMP is damaged or missing") from error


def _changed(packet: bytes, removed: Callable[[Name], bool], added: Mapping[Name, str]) -> bytes:
    """A packet without some properties, and with a description of others."""
    spaces = " ".join(
        f"xmlns:{PREFIXES[space]}={quoteattr(space)}"
        for space in dict.fromkeys((RDF, *(name.space for name in added)))
    )
    said = " ".join(
        f"{PREFIXES[name.space]}:{name.local}={quoteattr(value)}" for name, value in added.items()
    )
    description = f'<rdf:Description rdf:about="" {spaces} {said}/>'.encode()
    return with_description(edited(packet, removed=removed) if packet else None, description)


def _with_segments(data: bytes, written: bytes) -> bytes:
    """A file whose XMP segments are replaced; they come first but for JFIF and EXIF."""
    kept: list[bytes] = []
    place, leading = len(START), 0
    for each in segments_of(data):
        is_xmp = each.marker == APP1 and each.content.startswith((XMP_HEAD, HEAD))
        if not is_xmp:
            kept.append(data[place : each.end])
            if each.marker in (APP0, APP1) and leading == len(kept) - 1:
                leading = len(kept)
        place = each.end
    return START + b"".join([*kept[:leading], written, *kept[leading:]]) + data[place:]


def _gdepth(depth: DepthMap, orientation: int) -> tuple[dict[Name, str], bytes]:
    """Properties of a depth map, and its codes as PNG: 0 is the nearest, linear in 1 / distance."""
    inverse = depth.inverse.astype(np.float64)
    low, high = float(inverse.min()), float(inverse.max())
    if not depth.is_metric:  # any offset: the distances must be positive
        inverse = inverse - low + LEAST_SHARE * (high - low)
        low, high = float(inverse.min()), float(inverse.max())
    low = max(low, high / DEPTH_TOP)
    share = (high - np.maximum(inverse, low)) / (high - low)
    codes = np.rint(share * DEPTH_TOP).astype(np.uint16)
    png = cv2.imencode(".png", np.ascontiguousarray(_stored(codes, orientation)))[1]
    said = {"Format": "RangeInverse", "Near": repr(1 / high), "Far": repr(1 / low),
            "Mime": "image/png"}  # fmt: skip
    said |= {"Units": "m"} if depth.is_metric else {}
    return {Name(GDEPTH, local): text for local, text in said.items()}, png.tobytes()


def _stored(plane: Samples, orientation: int) -> Samples:
    """An upright plane, turned as the pixels of a file of an EXIF orientation."""
    transpose, rows, cols = TURNS[orientation]
    flipped = plane[:: -1 if rows else 1, :: -1 if cols else 1]
    return np.swapaxes(flipped, 0, 1) if transpose else flipped
