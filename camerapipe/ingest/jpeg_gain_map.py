"""Gain maps in JPEG files: a second JPEG, found by the Multi-Picture index or a list in the XMP.

Ultra HDR (Android) and ISO 21496-1 store the same gain map. The first has its metadata as XMP
(hdrgm) and announces the gain map in the XMP of the picture; the second has them as binary data in
an APP2 segment. Both are read, and both are written. Apple's gain maps are read.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

import numpy as np

from camerapipe.ingest.announced import CONTAINER, ITEM
from camerapipe.ingest.attachments import MAX_XMP_BYTES
from camerapipe.ingest.colorimetry import Primaries
from camerapipe.ingest.container import listed_files
from camerapipe.ingest.gain_metadata import (
    APPLE,
    HDRGM,
    VERSIONS,
    BrokenGainMapError,
    gain_map_of_apple,
    gain_map_of_iso,
    gain_map_of_xmp,
    hdrgm_properties,
    iso_metadata,
)
from camerapipe.ingest.icc import primaries_of
from camerapipe.ingest.jpeg import jpeg_bytes
from camerapipe.ingest.jpeg_pixels import sound_pixels
from camerapipe.ingest.jpeg_segments import (
    APP1,
    APP2,
    FRAMES,
    XMP_HEAD,
    Segment,
    end_of_applications,
    segment,
    segments_of,
)
from camerapipe.ingest.mpf import other_pictures, with_picture
from camerapipe.ingest.xmp import RDF, BrokenXmpError, values_of, with_description
from stages.findings import Finding, Severity
from stages.gain_map import GainMap
from stages.params import Array
from stages.tone import to_codes

ICC_HEAD = b"ICC_PROFILE\0"
ISO_HEAD = b"urn:iso:std:iso:ts:21496:-1\0"
IGNORED = "gain_map_ignored"  # code of a finding
QUALITY = 95  # of a written gain map
MODES = {1: "L", 3: "RGB"}  # by the number of components


class Read(NamedTuple):
    """A gain map, or a finding that says why there is none; neither where none is announced."""

    gain_map: GainMap | None = None
    findings: tuple[Finding, ...] = ()


def read_gain_map(
    data: bytes, size: tuple[int, int], exif: bytes | None, profile: bytes | None = None
) -> Read:
    """Read the gain map of a JPEG file.

    Parameters
    ----------
    data : bytes
        The whole file.
    size : (width, height)
        Of the picture as stored, px.
    exif, profile : bytes or None
        EXIF and ICC profile of the picture.
    """
    outside = False
    for start, end in (*other_pictures(data), *_listed_in_xmp(data)):
        if not start < end <= len(data):
            outside = True
            continue
        try:
            found = _gain_map_in(data[start:end], size, exif, primaries_of(profile))
        except BrokenGainMapError as error:
            return Read(findings=(ignored(error),))
        if found is not None:
            return Read(found)
    if not _is_announced(data):
        return Read()
    reason = "its place is outside of the file" if outside else "it is not in the file"
    return Read(findings=(ignored(reason),))


def ignored(reason: object) -> Finding:
    """Finding for a gain map that cannot be used."""
    message = f"The gain map (HDR) cannot be used: {reason}. The picture is rendered as SDR."
    return Finding(IGNORED, Severity.WARNING, message)


def check_size(size: tuple[int, int], picture: tuple[int, int]) -> None:
    """Check that a gain map is no larger than its picture, and has the same aspect.

    Raises
    ------
    BrokenGainMapError
        If it does not fit. Each side may be rounded by one pixel.
    """
    (width, height), (full_width, full_height) = size, picture
    fits = 0 < width <= full_width and 0 < height <= full_height
    if not fits or abs(width * full_height - height * full_width) > full_width + full_height:
        raise BrokenGainMapError(
            f"its size of {width} x {height} does not fit the picture of "
            f"{full_width} x {full_height}"
        )


def jpeg_with_gain_map(
    gain_map: GainMap, xmp: bytes | None, encode: Callable[[bytes], bytes]
) -> bytes:
    """JPEG file of a picture with its gain map.

    Parameters
    ----------
    gain_map : GainMap
        Written as 8-bit codes.
    xmp : bytes or None
        Packet of the picture, to which the announcement of the gain map is added.
    encode : function of bytes
        Encodes the picture as a JPEG file with a given XMP packet.
    """
    second = _gain_map_file(gain_map)
    announcement = _announcement(len(second))
    try:
        packet = with_description(xmp, announcement)
    except BrokenXmpError:
        packet = b""
    if not 0 < len(packet) <= MAX_XMP_BYTES:
        packet = with_description(None, announcement)
    first = _with_segment(encode(packet), ISO_HEAD + VERSIONS)
    return with_picture(first, second, end_of_applications(first))


def _gain_map_in(
    data: bytes, size: tuple[int, int], exif: bytes | None, base: Primaries
) -> GainMap | None:
    """Gain map of a JPEG; None if it is another picture, such as a preview or a depth map."""
    segments = list(segments_of(data))
    iso = _content(data, APP2, ISO_HEAD)
    xmp = _content(data, APP1, XMP_HEAD)
    make: Callable[[Array], GainMap]
    if iso is not None and len(iso) > len(VERSIONS):
        binary = iso
        alternate = primaries_of(_profile(segments))
        make = lambda values: gain_map_of_iso(binary, values, base, alternate)  # noqa: E731
    elif _has(xmp, HDRGM):
        packet = xmp or b""
        make = lambda values: gain_map_of_xmp(packet, values)  # noqa: E731
    elif _has(xmp, APPLE):
        make = lambda values: gain_map_of_apple(exif, xmp, values)  # noqa: E731
    else:
        return None
    frames = [each.content for each in segments if each.marker in FRAMES]
    if not frames or len(frames[0]) < 6:
        raise BrokenGainMapError("it is damaged")
    _, height, width, components = struct.unpack_from(">BHHB", frames[0])
    check_size((width, height), size)
    codes = sound_pixels(data, MODES.get(components, ""))
    if codes is None or codes.shape[:2] != (height, width):
        raise BrokenGainMapError("it is damaged")
    return make(codes.astype(np.float32) / np.float32(255))


def _listed_in_xmp(data: bytes) -> list[tuple[int, int]]:
    """Begin and end of gain maps that the XMP lists; some software writes no index."""
    packet = _content(data, APP1, XMP_HEAD)
    try:
        listed = list(listed_files((packet,) if packet else (), len(data)))
    except BrokenXmpError:
        return []
    return [(start, end) for said, start, end in listed if said.get("Semantic") == "GainMap"]


def _profile(segments: list[Segment]) -> bytes | None:
    """ICC profile of a JPEG, joined from its segments, whose numbers follow the head."""
    parts = [
        each.content.removeprefix(ICC_HEAD)
        for each in segments
        if each.marker == APP2 and each.content.startswith(ICC_HEAD)
    ]
    return b"".join(part[2:] for part in sorted(parts)) or None


def _is_announced(data: bytes) -> bool:
    has_iso = _content(data, APP2, ISO_HEAD) is not None
    return has_iso or _has(_content(data, APP1, XMP_HEAD), HDRGM)


def _content(data: bytes, marker: int, head: bytes) -> bytes | None:
    """Content of the first segment with a head, after the head."""
    for each in segments_of(data):
        if each.marker == marker and each.content.startswith(head):
            return each.content.removeprefix(head)
    return None


def _has(packet: bytes | None, space: str) -> bool:
    """Whether a packet has properties of a namespace."""
    try:
        return bool(packet and values_of(packet, space))
    except BrokenXmpError:
        return False


def _gain_map_file(gain_map: GainMap) -> bytes:
    properties = "".join(
        f" hdrgm:{name}={quoteattr(value)}"
        for name, value in hdrgm_properties(gain_map).items()
        if isinstance(value, str)
    )
    arrays = "".join(
        f"<hdrgm:{name}><rdf:Seq>{''.join(f'<rdf:li>{item}</rdf:li>' for item in value)}"
        f"</rdf:Seq></hdrgm:{name}>"
        for name, value in hdrgm_properties(gain_map).items()
        if not isinstance(value, str)
    )
    description = (
        f'<rdf:Description xmlns:rdf="{RDF}" xmlns:hdrgm="{HDRGM}" rdf:about=""{properties}>'
        f"{arrays}</rdf:Description>"
    )
    packet = with_description(None, description.encode())
    codes = np.asarray(to_codes(gain_map.values, 8), np.uint8)
    return _with_segment(jpeg_bytes(codes, QUALITY, xmp=packet), ISO_HEAD + iso_metadata(gain_map))


def _announcement(size_bytes: int) -> bytes:
    """Description that lists the picture and its gain map (Ultra HDR; Google's GContainer)."""

    def item(semantic: str, length: str) -> str:
        return (
            '<rdf:li rdf:parseType="Resource"><Container:Item '
            f'Item:Semantic="{semantic}" Item:Mime="image/jpeg"{length}/></rdf:li>'
        )

    items = item("Primary", "") + item("GainMap", f' Item:Length="{size_bytes}"')
    return (
        f'<rdf:Description xmlns:rdf="{RDF}" xmlns:hdrgm="{HDRGM}" xmlns:Container="{CONTAINER}" '
        f'xmlns:Item="{ITEM}" rdf:about="" hdrgm:Version="1.0"><Container:Directory><rdf:Seq>'
        f"{items}</rdf:Seq></Container:Directory></rdf:Description>"
    ).encode()


def _with_segment(data: bytes, content: bytes) -> bytes:
    """A JPEG file with an APP2 segment after those of other applications."""
    place = end_of_applications(data)
    return data[:place] + segment(APP2, content) + data[place:]
