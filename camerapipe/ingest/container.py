"""Files that follow a JPEG and that its XMP lists in order: GContainer, Dynamic Depth (Google)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from camerapipe.ingest.announced import ITEM
from camerapipe.ingest.xmp_fields import structures

ITEMS = (ITEM, "http://ns.google.com/photos/dd/1.0/item/")
MAX_ITEMS = 64


class Listed(NamedTuple):
    """What the XMP says of a file by local names, and its begin and end, with padding.

    A damaged list may have a begin before 0 or after the end.
    """

    said: Mapping[str, str]
    start: int
    end: int


def listed_files(packets: Iterable[bytes], size: int) -> Iterator[Listed]:
    """Listed files from the last one, which ends where the whole file of `size` bytes ends.

    Raises
    ------
    BrokenXmpError
        If a packet is damaged.
    """
    found = [each for packet in packets for each in structures(packet)]
    items = [each for each in found if any(name.space in ITEMS for name in each)][:MAX_ITEMS]
    end = size
    for item in reversed(items):
        said = {name.local: text for name, text in item.items() if name.space in ITEMS}
        start = end - _count(said.get("Length", "0")) - _count(said.get("Padding", "0"))
        yield Listed(said, start, end)
        end = start


def _count(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 12 else -1
