"""Choice of the full picture among the pages of a TIFF file.

Scanners and converters may write a preview first, and the picture in a SubIFD or in a later page
(NewSubfileType, TIFF 6.0 section 8; SubIFDs, TIFF technical note 1). The choice is made before
decoding. Decoders read the first directory. Another directory becomes the first if the offset in
the header is changed, which leaves all other offsets valid.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import tifffile

REDUCED, MASK = 1, 4  # bits of NewSubfileType
SUB_IFDS = 330
MIN_IS_WHITE, MIN_IS_BLACK, RGB = 0, 1, 2  # photometric interpretations
RAW_PHOTOMETRICS = (32803, 34892)  # colour filter array, linear RAW
MAX_PAGES = 32  # pages that are examined


class Choice(NamedTuple):
    """Page of the full picture, whether it is the first, if there are RAW pages, or several."""

    page: Any
    is_first: bool
    has_raw: bool
    several: bool


def choose_page(tiff: Any) -> Choice:
    """Choose the picture of an open `tifffile.TiffFile`.

    The first page that is neither a reduced copy nor a mask is chosen. If there is none, the first
    such SubIFD of a page is chosen, and otherwise the largest page.
    """
    first = tiff.pages.first
    chain = list(_chain(tiff))
    every = _with_inner(tiff, chain)
    full = [page for page in every if not page.subfiletype & (REDUCED | MASK)]
    chosen = full[0] if full else max(every, key=lambda page: page.imagewidth * page.imagelength)
    whole = [page for page in chain if not page.subfiletype & (REDUCED | MASK)]
    return Choice(
        page=chosen,
        is_first=chosen.offset == first.offset,
        has_raw=any(page.photometric in RAW_PHOTOMETRICS for page in every),
        several=len(whole) > 1,
    )


def every_page(tiff: Any) -> list[Any]:
    """Pages of an open `tifffile.TiffFile` and those in their SubIFDs, up to damaged ones."""
    return _with_inner(tiff, list(_chain(tiff)))


def with_first(file: BinaryIO, offset: int) -> BinaryIO:
    """Copy of a file in memory, in which the directory at an offset is the first."""
    file.seek(0)
    data = bytearray(file.read())
    order = "<" if data[:2] == b"II" else ">"
    if bytes(data[2:4]) in (b"+\0", b"\0+"):
        struct.pack_into(f"{order}Q", data, 8, offset)
    else:
        struct.pack_into(f"{order}I", data, 4, offset)
    return io.BytesIO(bytes(data))


def _with_inner(tiff: Any, chain: list[Any]) -> list[Any]:
    return [*chain, *(inner for page in chain for inner in _inner(tiff, page))]


def _chain(tiff: Any) -> Iterator[Any]:
    """First pages of the file, up to a damaged one."""
    yield tiff.pages.first
    for index in range(1, MAX_PAGES):
        try:
            page = tiff.pages[index]
        except Exception:  # the end of the file, or damage; the pages before are valid
            return
        if not isinstance(page, tifffile.TiffPage):
            return
        yield page


def _inner(tiff: Any, page: Any) -> list[Any]:
    """Pages in the SubIFDs of a page."""
    found = []
    try:
        if SUB_IFDS in page.tags:
            found = [each for each in page.pages[:MAX_PAGES] if each is not None]
    except Exception:  # damaged SubIFDs are ignored
        return []
    return [each for each in found if isinstance(each, tifffile.TiffPage)]
