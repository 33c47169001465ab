"""EXIF blocks, changed in place.

An EXIF block has the structure of a TIFF file: directories of entries, values anywhere, and offsets
from the start of the block (TIFF 6.0, section 2; CIPA DC-008). Maker notes contain offsets as well,
in private formats. Therefore nothing is moved: byte order, types and offsets do not change. If a
value fits its entry, it is written there. If a directory grows, it is written at the end of the
block, and only the pointer to it changes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

SIGNATURE = b"Exif\0\0"
FIRST, EXIF, GPS, INTEROPERABILITY = 0, 0x8769, 0x8825, 0xA005  # directories, by their pointers
PARENTS = {EXIF: FIRST, GPS: FIRST, INTEROPERABILITY: EXIF}
THUMBNAIL_AT, THUMBNAIL_BYTES = 0x0201, 0x0202  # in the directory after the first one

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
ENTRY_BYTES, INLINE_BYTES = 12, 4
MAX_ENTRIES = 5000  # of a directory; real ones have up to some 200


class BrokenExifError(ValueError):
    """A block whose directories cannot be read."""


class Value(NamedTuple):
    """A value of an entry: its TIFF type, how many of it, and the bytes in the block's order."""

    kind: int
    number: int
    data: bytes


class Entry(NamedTuple):
    """An entry of a directory: its offset, its value, and the offset of the value."""

    at: int
    value: Value
    value_at: int


class ExifBlock:
    """An EXIF block, with or without its signature in a JPEG.

    Raises
    ------
    BrokenExifError
        If the header or the first directory cannot be read. Directories behind broken pointers are
        taken as absent.
    """

    def __init__(self, block: bytes) -> None:
        self._data = bytearray(block.removeprefix(SIGNATURE))
        if bytes(self._data[:4]) not in (b"II*\0", b"MM\0*"):
            raise BrokenExifError("no TIFF header")
        self._note = (0, 0)
        self.order = "<" if self._data[:2] == b"II" else ">"
        if self._entries(self._first()) is None:
            raise BrokenExifError("no first directory")

    @classmethod
    def empty(cls, order: str = "<") -> ExifBlock:
        """A block without an entry."""
        head = b"II*\0" if order == "<" else b"MM\0*"
        return cls(head + struct.pack(f"{order}IHI", 8, 0, 0))

    def __bytes__(self) -> bytes:
        """The block, without signature."""
        return bytes(self._data)

    def __contains__(self, directory: int) -> bool:
        return self._place(directory) is not None

    @property
    def is_empty(self) -> bool:
        """Whether the first directory has no entry."""
        return self._unpack("H", self._first()) == 0

    def tags(self, directory: int) -> list[int]:
        """Tags in a directory; empty if there is no such directory."""
        return list(self.entries(directory))

    def entries(self, directory: int) -> dict[int, Entry]:
        """Entries of a directory by tag; the first of two with one tag counts."""
        place = self._place(directory)
        return {} if place is None else self._entries(place) or {}

    def raw_entry(self, entry: Entry) -> bytes:
        """The 12 bytes of an entry."""
        return bytes(self._data[entry.at : entry.at + ENTRY_BYTES])

    def number(self, directory: int, tag: int) -> int | None:
        """The first number of an entry of bytes, shorts or longs."""
        entry = self.entries(directory).get(tag)
        if entry is None or entry.value.kind not in (BYTE, SHORT, LONG) or not entry.value.number:
            return None
        size = TYPE_BYTES[entry.value.kind]
        order = "little" if self.order == "<" else "big"
        return int.from_bytes(entry.value.data[:size], order)  # type: ignore[arg-type]

    def text(self, directory: int, tag: int) -> str | None:
        """The text of an entry, up to its first NUL."""
        entry = self.entries(directory).get(tag)
        return None if entry is None else entry.value.data.split(b"\0")[0].decode("latin-1")

    def integer(self, number: int, kind: int = SHORT) -> Value:
        """A value of one short or long."""
        return Value(kind, 1, struct.pack(self.order + ("H" if kind == SHORT else "I"), number))

    def change(self, directory: int, changes: Mapping[int, Value | None]) -> None:
        """Set entries of a directory, add those it does not have, and remove those of None.

        The directory stays where it is if every change fits; its offset changes otherwise. A
        directory that is absent is made.
        """
        have = self.entries(directory)
        todo = {tag: value for tag, value in changes.items() if value is not None or tag in have}
        if any(value is not None and not self._fits(have.get(tag), value)
               for tag, value in todo.items()):  # fmt: skip
            self._move(directory, {tag: v for tag, v in todo.items() if v is not None})
            have = self.entries(directory)
        for tag, value in todo.items():
            if value is not None:
                self._put(have[tag], value)
        self._remove(directory, {tag for tag, value in todo.items() if value is None})

    def place_note(self, place: int, note: bytes) -> None:
        """Write a maker note at its old offset, or at the end of the block if that is in use."""
        place = place if place >= len(self._data) else len(self._data)
        self._data += bytes(place - len(self._data))
        self._note = (place, len(note))
        self._data += note

    def point_to_note(self, tag: int) -> None:
        """Make an entry for the maker note that was placed."""
        place, size = self._note
        self.change(EXIF, {tag: Value(UNDEFINED, INLINE_BYTES, bytes(INLINE_BYTES))})
        entry = self.entries(EXIF)[tag]
        struct.pack_into(f"{self.order}II", self._data, entry.at + 4, size, place)

    def drop(self, directory: int) -> None:
        """Remove a directory and its pointer, and overwrite its contents with zeros."""
        place = self._place(directory)
        if place is None:
            return
        entries = self._all_entries(place) or []
        for _, entry in entries:
            self._data[entry.value_at : entry.value_at + len(entry.value.data)] = bytes(
                len(entry.value.data)
            )
        end = place + 2 + ENTRY_BYTES * len(entries)
        self._data[place:end] = bytes(end - place)
        self._remove(PARENTS[directory], {directory})

    def drop_thumbnail(self) -> None:
        """Remove all directories after the first one, and a thumbnail at the end of the block."""
        link = self._link(self._first())
        if link is None:
            return
        second = self._unpack("I", link)
        struct.pack_into(f"{self.order}I", self._data, link, 0)
        entries = dict(self._all_entries(second) or []) if second else {}
        numbers = {
            tag: struct.unpack(f"{self.order}I", entries[tag].value.data)[0]
            for tag in (THUMBNAIL_AT, THUMBNAIL_BYTES)
            if tag in entries and len(entries[tag].value.data) == 4
        }
        if len(numbers) < 2:
            return
        start = numbers[THUMBNAIL_AT]
        stop = min(start + numbers[THUMBNAIL_BYTES], len(self._data))
        if start >= stop or any(a < stop and start < b for a, b in self._spans()):
            return  # it shares bytes with other entries
        if stop == len(self._data):
            del self._data[start:]
        else:
            self._data[start:stop] = bytes(stop - start)

    def _first(self) -> int:
        return self._unpack("I", 4)

    def _unpack(self, kind: str, at: int) -> int:
        try:
            (number,) = struct.unpack_from(self.order + kind, self._data, at)
        except struct.error as error:
            raise BrokenExifError("it is cut off") from error
        return int(number)

    def _place(self, directory: int) -> int | None:
        """Offset of a directory; None if there is none, or if it cannot be read."""
        if directory == FIRST:
            return self._first()
        pointer = self.entries(PARENTS[directory]).get(directory)
        if pointer is None or pointer.value.kind not in (LONG, 13) or pointer.value.number != 1:
            return None
        (place,) = struct.unpack(f"{self.order}I", pointer.value.data)
        return None if self._entries(place) is None else int(place)

    def _entries(self, place: int) -> dict[int, Entry] | None:
        found = self._all_entries(place)
        if found is None:
            return None
        first: dict[int, Entry] = {}
        for tag, entry in found:
            first.setdefault(tag, entry)
        return first

    def _all_entries(self, place: int) -> list[tuple[int, Entry]] | None:
        """Entries whose values are within the block; None if the directory itself is not."""
        if not 8 <= place <= len(self._data) - 2:
            return None
        count = self._unpack("H", place)
        if count > MAX_ENTRIES or place + 2 + ENTRY_BYTES * count > len(self._data):
            return None
        found = []
        for index in range(count):
            at = place + 2 + ENTRY_BYTES * index
            tag, kind, number = struct.unpack_from(f"{self.order}HHI", self._data, at)
            size = TYPE_BYTES.get(kind, 0) * number
            value_at = at + 8 if size <= INLINE_BYTES else self._unpack("I", at + 8)
            if kind in TYPE_BYTES and value_at + size <= len(self._data):
                data = bytes(self._data[value_at : value_at + size])
                found.append((tag, Entry(at, Value(kind, number, data), value_at)))
        return found

    def _link(self, place: int) -> int | None:
        """Place of the offset of the next directory."""
        link = place + 2 + ENTRY_BYTES * self._unpack("H", place)
        return link if link + 4 <= len(self._data) else None

    def _spans(self) -> Iterator[tuple[int, int]]:
        """Bytes of all directories and their values."""
        for directory in (FIRST, *PARENTS):
            place = self._place(directory)
            if place is None:
                continue
            yield place, place + 2 + ENTRY_BYTES * self._unpack("H", place) + 4
            for entry in self.entries(directory).values():
                yield entry.value_at, entry.value_at + len(entry.value.data)

    @staticmethod
    def _fits(entry: Entry | None, value: Value) -> bool:
        if entry is None:
            return False
        return len(value.data) <= max(INLINE_BYTES, len(entry.value.data))

    def _put(self, entry: Entry, value: Value) -> None:
        """Write a value that fits into an entry."""
        inline = len(value.data) <= INLINE_BYTES
        at = entry.at + 8 if inline else entry.value_at
        room = INLINE_BYTES if inline else len(entry.value.data)
        struct.pack_into(f"{self.order}HI", self._data, entry.at + 2, value.kind, value.number)
        self._data[at : at + room] = value.data.ljust(room, b"\0")

    def _rows(self, place: int | None) -> dict[int, bytes]:
        """The entries of a directory as they stand, also those that cannot be read."""
        if place is None:
            return {}
        end = place + 2 + ENTRY_BYTES * self._unpack("H", place)
        starts = range(place + 2, end, ENTRY_BYTES)
        rows = [bytes(self._data[at : at + ENTRY_BYTES]) for at in starts]
        return {struct.unpack_from(f"{self.order}H", row)[0]: row for row in reversed(rows)}

    def _remove(self, directory: int, tags: set[int]) -> None:
        """Close up the gaps of entries; the block keeps its length."""
        place = self._place(directory)
        if place is None or not tags:
            return
        count = self._unpack("H", place)
        start, end = place + 2, place + 2 + ENTRY_BYTES * count
        rows = [bytes(self._data[at : at + ENTRY_BYTES]) for at in range(start, end, ENTRY_BYTES)]
        kept = [row for row in rows if struct.unpack_from(f"{self.order}H", row)[0] not in tags]
        link = bytes(self._data[end : end + 4])
        body = b"".join(kept) + link
        self._data[start : end + len(link)] = body.ljust(end + len(link) - start, b"\0")
        struct.pack_into(f"{self.order}H", self._data, place, len(kept))

    def _move(self, directory: int, values: Mapping[int, Value]) -> None:
        """Write a directory at the end of the block, with room for all values."""
        have = self.entries(directory)
        place = self._place(directory)
        link = None if place is None else self._link(place)
        following = 0 if link is None or directory != FIRST else self._unpack("I", link)
        self._data += b"\0" * (len(self._data) % 2)
        rows = self._rows(place)
        start = len(self._data)
        value_at = start + 2 + ENTRY_BYTES * len({*rows, *values}) + 4
        tail = b""
        for tag, value in values.items():
            if self._fits(have.get(tag), value):
                continue  # written where it lies, by `_put`
            head = struct.pack(f"{self.order}HHI", tag, value.kind, value.number)
            if len(value.data) <= INLINE_BYTES:
                rows[tag] = head + value.data.ljust(INLINE_BYTES, b"\0")
            else:
                rows[tag] = head + struct.pack(f"{self.order}I", value_at + len(tail))
                tail += value.data + b"\0" * (len(value.data) % 2)
        body = b"".join(rows[tag] for tag in sorted(rows))
        self._data += struct.pack(f"{self.order}H", len(rows)) + body
        self._data += struct.pack(f"{self.order}I", following) + tail
        if directory == FIRST:
            struct.pack_into(f"{self.order}I", self._data, 4, start)
        else:
            self.change(PARENTS[directory], {directory: self.integer(start, LONG)})
