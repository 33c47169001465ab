"""JPEG files with gain maps whose HDR light is known, put together byte by byte.

They are written here without the code of `camerapipe`, after ISO 21496-1, Android's Ultra HDR 1.1
and CIPA DC-007, so that reader and writer are not tested by each other alone.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

Codes = npt.NDArray[np.uint8]
KINDS = ("iso", "iso common", "hdrgm", "apple")  # how metadata are stored
XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
ISO_HEAD = b"urn:iso:std:iso:ts:21496:-1\0"
DENOMINATOR = 10_000
APPLE_NUMBERS = (0.8, 0.005)  # of the maker note: headroom and gain
APPLE_STOPS = 1.8 - 20 * APPLE_NUMBERS[1]  # by Apple's formula


class Gain(NamedTuple):
    """Parameters of a gain map, for one or three channels; stops, and light of 1 at white."""

    low: tuple[float, ...] = (0.0,)
    high: tuple[float, ...] = (2.5,)
    gamma: tuple[float, ...] = (1.0,)
    sdr_offset: tuple[float, ...] = (0.0156,)
    hdr_offset: tuple[float, ...] = (0.0156,)
    headroom: float = 2.5


def hdr_of(light: npt.NDArray[Any], codes: Codes, gain: Gain) -> npt.NDArray[np.float64]:
    """HDR light by the formula of ISO 21496-1, of light HxWx3 and a map of the same size."""
    low, high, gamma, before, after = (np.array(column) for column in gain[:5])
    values = codes.reshape(*codes.shape[:2], -1) / 255
    stops = low + (high - low) * values ** (1 / gamma)
    return np.maximum((light + before) * 2**stops - after, 0)


def apple_hdr_of(light: npt.NDArray[Any], codes: Codes) -> npt.NDArray[np.float64]:
    """HDR light by Apple's formula, of light HxWx3 and a map HxW of the same size."""
    values = codes / 255
    linear = np.where(values < 0.081, values / 4.5, ((values + 0.099) / 1.099) ** (1 / 0.45))
    return np.asarray(light * (1 + (2**APPLE_STOPS - 1) * linear)[..., None])


def gain_map_jpeg(
    base: Codes,
    gains: Codes,
    *,
    kind: str = "iso",
    gain: Gain = Gain(),  # noqa: B008 - an immutable tuple
    shift: int = 0,
    orientation: int = 1,
    quality: int = 100,
) -> bytes:
    """A JPEG file with a gain map.

    Parameters
    ----------
    base : array
        Codes of the picture, HxWx3 or HxW.
    gains : array
        Codes of the gain map, hxw or hxwx3.
    kind : str
        One of `KINDS`.
    gain : Gain
        Not used by Apple's gain maps.
    shift : int
        Added to the offset of the gain map in the index, as in damaged files.
    orientation : int
        Of both pictures, EXIF.
    quality : int
        Of both JPEG files.
    """
    second = [*_kind_segments(kind, gain)]
    gain_file = with_segments(plain_jpeg(gains, quality), second)
    first = [(0xE1, b"Exif\0\0" + exif_of(orientation, apple=kind == "apple"))]
    if kind.startswith("iso"):
        first.append((0xE2, ISO_HEAD + bytes(4)))
    if kind == "hdrgm":
        first.append((0xE1, XMP_HEAD + _packet(_announced(len(gain_file)))))
    picture = with_segments(plain_jpeg(base, quality), first)
    index = _index(0, 0, 0)
    place = sum(4 + len(content) for _, content in first) + 2
    size = len(picture) + 4 + len(index)
    offset = size - (place + 8) + shift
    index = _index(size, len(gain_file), offset)
    segment = struct.pack(">BBH", 0xFF, 0xE2, len(index) + 2) + index
    return picture[:place] + segment + picture[place:] + gain_file


def plain_jpeg(codes: Codes, quality: int = 100) -> bytes:
    """A JPEG file without metadata, colour not subsampled."""
    file = io.BytesIO()
    Image.fromarray(codes).save(file, "JPEG", quality=quality, subsampling=0)
    return file.getvalue()


def with_segments(jpeg: bytes, segments: Sequence[tuple[int, bytes]]) -> bytes:
    """A JPEG file with segments, by marker and content, at its start."""
    added = b"".join(
        struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
        for marker, content in segments
    )
    return jpeg[:2] + added + jpeg[2:]


def _kind_segments(kind: str, gain: Gain) -> list[tuple[int, bytes]]:
    if kind == "hdrgm":
        return [(0xE1, XMP_HEAD + _packet(_hdrgm(gain)))]
    if kind == "apple":
        inner = (
            b'<rdf:Description rdf:about="" xmlns:H="http://ns.apple.com/HDRGainMap/1.0/" '
            b'H:HDRGainMapVersion="65536"/>'
        )
        return [(0xE1, XMP_HEAD + _packet(inner))]
    return [(0xE2, ISO_HEAD + iso_bytes(gain, common=kind == "iso common"))]


def iso_bytes(gain: Gain, *, common: bool = False) -> bytes:
    """Metadata of ISO 21496-1, annex C; `common`: with one denominator for all fractions."""
    channels = len(gain.high)
    flags = 0x40 | (0x80 if channels == 3 else 0) | (0x08 if common else 0)
    numbers = [("I", 0.0), ("I", gain.headroom)]
    for row in zip(*(column * (channels // len(column)) for column in gain[:5]), strict=True):
        numbers += zip("iiIii", row, strict=True)
    data = struct.pack(">HHB", 0, 0, flags) + (struct.pack(">I", DENOMINATOR) if common else b"")
    for letter, value in numbers:
        data += struct.pack(f">{letter}", round(value * DENOMINATOR))
        data += b"" if common else struct.pack(">I", DENOMINATOR)
    return data


def _hdrgm(gain: Gain) -> bytes:
    """Metadata as XMP: simple values as attributes, values of three channels as arrays."""
    names = ("GainMapMin", "GainMapMax", "Gamma", "OffsetSDR", "OffsetHDR")
    simple = f'h:Version="1.0" h:HDRCapacityMin="0" h:HDRCapacityMax="{gain.headroom}"'
    arrays = ""
    for name, values in zip(names, gain[:5], strict=True):
        if len(values) == 1:
            simple += f' h:{name}="{values[0]}"'
        else:
            items = "".join(f"<rdf:li>{value}</rdf:li>" for value in values)
            arrays += f"<h:{name}><rdf:Seq>{items}</rdf:Seq></h:{name}>"
    return (
        f'<rdf:Description rdf:about="" xmlns:h="http://ns.adobe.com/hdr-gain-map/1.0/" {simple}>'
        f"{arrays}</rdf:Description>"
    ).encode()


def _announced(length: int) -> bytes:
    space = "http://ns.google.com/photos/1.0/container/"
    items = (("Primary", ""), ("GainMap", f' i:Length="{length}"'))
    rows = "".join(
        f'<rdf:li rdf:parseType="Resource"><c:Item i:Semantic="{semantic}" i:Mime="image/jpeg"'
        f"{rest}/></rdf:li>"
        for semantic, rest in items
    )
    return (
        f'<rdf:Description rdf:about="" xmlns:h="http://ns.adobe.com/hdr-gain-map/1.0/" '
        f'xmlns:c="{space}" xmlns:i="{space}item/" h:Version="1.0"><c:Directory><rdf:Seq>{rows}'
        "</rdf:Seq></c:Directory></rdf:Description>"
    ).encode()


def _packet(inner: bytes) -> bytes:
    return (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        + inner
        + b"</rdf:RDF></x:xmpmeta>"
    )


def exif_of(orientation: int, *, apple: bool) -> bytes:
    """An EXIF block with an orientation, and with Apple's maker note if wanted."""
    turn = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    if not apple:
        return b"MM\0*" + struct.pack(">IH", 8, 1) + turn + bytes(4)
    note = apple_note(*APPLE_NUMBERS)
    pointer = struct.pack(">HHII", 0x8769, 4, 1, 8 + 2 + 24 + 4)
    first = struct.pack(">H", 2) + turn + pointer + bytes(4)
    place = 8 + len(first) + 2 + 12 + 4
    entry = struct.pack(">HHII", 0x927C, 7, len(note), place)
    return b"MM\0*" + struct.pack(">I", 8) + first + struct.pack(">H", 1) + entry + bytes(4) + note


def apple_note(headroom: float, gain: float) -> bytes:
    """Apple's maker note with its two numbers about HDR (tags 33 and 48)."""
    rows = b"".join(
        struct.pack(">HHII", tag, 10, 1, 14 + 2 + 24 + 4 + 8 * index)
        for index, tag in enumerate((33, 48))
    )
    values = b"".join(
        struct.pack(">ii", round(value * 10_000), 10_000) for value in (headroom, gain)
    )
    return b"Apple iOS\0\0\1MM" + struct.pack(">H", 2) + rows + bytes(4) + values


def _index(first_bytes: int, second_bytes: int, offset: int) -> bytes:
    """Content of the segment with the Multi-Picture index."""
    head = b"MPF\0MM\0*" + struct.pack(">IH", 8, 3)
    tags = struct.pack(">HHI4s", 0xB000, 7, 4, b"0100") + struct.pack(">HHII", 0xB001, 4, 1, 2)
    tags += struct.pack(">HHII", 0xB002, 7, 32, 8 + 2 + 36 + 4)
    rows = struct.pack(">IIIHH", 0x30000, first_bytes, 0, 0, 0)
    rows += struct.pack(">IIIHH", 0, second_bytes, offset & 0xFFFFFFFF, 0, 0)
    return head + tags + bytes(4) + rows
