"""Chunks of a PNG file with colour and metadata, before and after the pixels.

Pillow reads only chunks before the pixels, and OpenCV none. PNG specification, third edition.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from camerapipe.ingest.coding import Cicp, ColourTags
from camerapipe.ingest.colorimetry import Primaries
from camerapipe.ingest.exif import SIGNATURE
from camerapipe.ingest.png import METRE, METRES_PER_INCH
from camerapipe.ingest.png import SIGNATURE as PNG_SIGNATURE

MAX_CHUNK_BYTES = 64 << 20  # of metadata; also when unpacked
MAX_CHUNKS = 100_000
PIXELS = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}  # all that a decoder of the still picture needs
ASIDE = {b"IDAT", b"fcTL", b"fdAT"}  # pixels and those of an animation
XMP_KEYWORD = b"XML:com.adobe.xmp"
RAW_PROFILE = re.compile(rb"\s*(\S+)\s+(\d+)\s")  # ImageMagick's: name, length, hexadecimal digits


class PngTags(NamedTuple):
    """Contents of the chunks of a PNG; `key` is the transparent colour of one without alpha."""

    colour: ColourTags
    exif: bytes | None
    xmp: bytes | None
    iptc: bytes | None
    dpi: tuple[float, float] | None
    key: tuple[int, ...] | None
    animated: bool


def read_chunks(file: BinaryIO) -> PngTags:
    """Read all chunks but pixels; the first of several with one name counts."""
    found: dict[bytes, bytes] = {}
    texts: dict[bytes, bytes] = {}
    for name, content in _chunks(file):
        if name in (b"tEXt", b"zTXt", b"iTXt"):
            keyword, text = _text(name, content)
            texts.setdefault(keyword, text)
        else:
            found.setdefault(name, content)
    exif = found.get(b"eXIf") or _raw_profile(texts, b"exif", b"APP1")
    if exif is not None and not exif.startswith((SIGNATURE, b"II", b"MM")):
        exif = None
    return PngTags(
        colour=_colour(found),
        exif=exif,
        xmp=texts.get(XMP_KEYWORD) or _raw_profile(texts, b"xmp"),
        iptc=_raw_profile(texts, b"iptc", b"8bim"),
        dpi=_dpi(found.get(b"pHYs", b"")),
        key=_key(found),
        animated=b"acTL" in found,
    )


def still_picture(file: BinaryIO) -> bytes:
    """The file without animation and metadata: what every decoder reads alike.

    Its chunks are copied with their checksums, and a cut-off one as it is: decoders find damage.
    """
    parts = [PNG_SIGNATURE]
    file.seek(len(PNG_SIGNATURE))
    for _ in range(MAX_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            break
        size, name = struct.unpack(">I4s", head)
        if name in PIXELS:
            parts += [head, file.read(size + 4)]
        else:
            file.seek(size + 4, 1)
        if name == b"IEND":
            break
    return b"".join(parts)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of all but pixels, up to the end of the file or to where it is cut off."""
    file.seek(len(PNG_SIGNATURE))
    for _ in range(MAX_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            return
        size, name = struct.unpack(">I4s", head)
        if name in ASIDE or size > MAX_CHUNK_BYTES:
            file.seek(size + 4, 1)
            continue
        content = file.read(size)
        if len(content) < size or name == b"IEND":
            return
        file.seek(4, 1)
        yield name, content


def _unpacked(data: bytes) -> bytes:
    """Inflate up to the limit; nothing where the data are damaged."""
    try:
        return zlib.decompressobj().decompress(data, MAX_CHUNK_BYTES)
    except zlib.error:
        return b""


def _text(name: bytes, content: bytes) -> tuple[bytes, bytes]:
    """Keyword and text of a chunk."""
    keyword, _, rest = content.partition(b"\0")
    if name == b"zTXt":
        return keyword, _unpacked(rest[1:])
    if name == b"iTXt":
        packed, rest = rest[:1] == b"\1", rest[2:]
        text = rest.split(b"\0", 2)[-1]  # after language and translated keyword
        return keyword, _unpacked(text) if packed else text
    return keyword, rest


def _raw_profile(texts: dict[bytes, bytes], *names: bytes) -> bytes | None:
    """A block in hexadecimal digits, as ImageMagick and older exiftool write it."""
    for name in names:
        text = texts.get(b"Raw profile type " + name, b"")
        head = RAW_PROFILE.match(text)
        if head is None:
            continue
        digits = b"".join(text[head.end() :].split())
        try:
            return bytes.fromhex(digits.decode("ascii"))[: int(head[2])] or None
        except ValueError:
            continue
    return None


def _colour(found: dict[bytes, bytes]) -> ColourTags:
    icc = found.get(b"iCCP")
    if icc is not None:
        icc = _unpacked(icc.partition(b"\0")[2][1:]) or None
    cicp = found.get(b"cICP", b"")
    gamma = found.get(b"gAMA", b"")
    numbers = found.get(b"cHRM", b"")
    primaries = None
    if len(numbers) == 32:
        x = [value / 100_000 for value in struct.unpack(">8I", numbers)]
        primaries = Primaries((x[0], x[1]), (x[2], x[3]), (x[4], x[5]), (x[6], x[7]))
    stated = int.from_bytes(gamma, "big") if len(gamma) == 4 else None
    return ColourTags(
        icc=icc,
        cicp=Cicp(cicp[0], cicp[1], cicp[3] != 0) if len(cicp) == 4 else None,
        cicp_first=True,
        srgb=b"sRGB" in found,
        gamma=None if stated is None else (100_000 / stated if stated else 0.0),
        primaries=primaries,
    )


def _dpi(content: bytes) -> tuple[float, float] | None:
    if len(content) != 9 or content[8] != METRE:
        return None
    x, y = struct.unpack(">II", content[:8])
    return (x * METRES_PER_INCH, y * METRES_PER_INCH) if x and y else None


def _key(found: dict[bytes, bytes]) -> tuple[int, ...] | None:
    """The transparent code of a grey or RGB picture."""
    content = found.get(b"tRNS", b"")
    if found.get(b"IHDR", bytes(13))[9] not in (0, 2) or len(content) not in (2, 6):
        return None
    return struct.unpack(f">{len(content) // 2}H", content)
