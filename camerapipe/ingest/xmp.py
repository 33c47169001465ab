"""XMP packets, changed in place after parsing the XML.

A packet is parsed with namespaces, so a property is recognised with any prefix, as an attribute or
as an element. Only the bytes of properties that change are replaced; all other bytes, including
order and padding, stay the same. Properties are those of ISO 16684-1.

XMP packets have no document type. A packet with one is refused before its entities are expanded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple
from xml.parsers import expat
from xml.sax.saxutils import escape

META = "adobe:ns:meta/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
TIFF = "http://ns.adobe.com/tiff/1.0/"
EXIF = "http://ns.adobe.com/exif/1.0/"
XMP = "http://ns.adobe.com/xap/1.0/"
NOTE = "http://ns.adobe.com/xmp/note/"
FRAME = (META, RDF)  # namespaces of what properties stand in

ATTRIBUTE = re.compile(rb"""\s+([^\s=/>"']+)\s*=\s*("[^"]*"|'[^']*')""")
QUOTE = {'"': "&quot;"}
FRAME_OF_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    f'<x:xmpmeta xmlns:x="{META}"><rdf:RDF xmlns:rdf="{RDF}">%b</rdf:RDF></x:xmpmeta>'
    '<?xpacket end="w"?>'
)
MAX_BYTES = 64 << 20  # real packets have some kB; ones with embedded pictures a few MB


class Name(NamedTuple):
    """A property: namespace and local name."""

    space: str
    local: str


class BrokenXmpError(ValueError):
    """A packet that is not well-formed XML, or has a document type."""


class Edit(NamedTuple):
    """Replacement of the bytes [start, stop) of a packet."""

    start: int
    stop: int
    content: bytes


def edited(
    packet: bytes,
    *,
    values: Mapping[Name, str] = {},
    removed: Callable[[Name], bool] = lambda name: False,
) -> bytes:
    """Change the properties of a packet.

    Parameters
    ----------
    packet : bytes
        UTF-8, with or without the packet wrapper.
    values : mapping of Name to str
        Simple properties of the picture and their new values; one that the packet does not have is
        not added.
    removed : function of Name
        Whether to remove a property, with all that is in it; at any depth.

    Raises
    ------
    BrokenXmpError
        If the packet cannot be parsed.
    """
    packet = packet.rstrip(b"\0")
    edits = _Editor(packet, values, removed).edits()
    parts, place = [], 0
    for edit in edits:
        parts += [packet[place : edit.start], edit.content]
        place = edit.stop
    return b"".join([*parts, packet[place:]])


def properties(packet: bytes) -> frozenset[Name]:
    """Names of all properties and fields in a packet; `BrokenXmpError` as above."""
    found: set[Name] = set()

    def see(name: Name) -> bool:
        found.add(name)
        return False

    edited(packet, removed=see)
    return frozenset(found)


class _Open(NamedTuple):
    """An element that is still open: its name, and the offsets of its start tag."""

    name: Name
    start: int
    content: int  # where the start tag ends


class _Editor:
    """Parser of a packet that collects edits in order."""

    def __init__(
        self, packet: bytes, values: Mapping[Name, str], removed: Callable[[Name], bool]
    ) -> None:
        self._packet = packet
        self._values = values
        self._removed = removed
        self._open: list[_Open] = []
        self._within: int | None = None  # depth of the element that is being removed or replaced
        self._edits: list[Edit] = []
        self._parser = expat.ParserCreate("UTF-8", " ")
        self._parser.ordered_attributes = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._doctype

    def edits(self) -> list[Edit]:
        """Parse the packet."""
        if len(self._packet) > MAX_BYTES:
            raise BrokenXmpError(f"{len(self._packet)} bytes are too many")
        try:
            self._parser.Parse(self._packet, True)
        except expat.ExpatError as error:
            raise BrokenXmpError(str(error)) from error
        return self._edits

    def _doctype(self, *_: object) -> None:
        raise BrokenXmpError("it has a document type")

    def _start(self, name: str, attributes: list[str]) -> None:
        start = self._parser.CurrentByteIndex
        element = _Open(name_of(name), start, _tag_end(self._packet, start))
        if self._within is None:
            gone = element.name.space not in FRAME and self._removed(element.name)
            if gone or self._new_value(element.name) is not None:
                self._within = len(self._open)
            else:
                self._attributes(element, attributes)
        self._open.append(element)

    def _end(self, _: str) -> None:
        element = self._open.pop()
        if self._within != len(self._open):
            return
        self._within = None
        empty = self._packet[element.content - 2 : element.content] == b"/>"
        inner = element.content if empty else self._parser.CurrentByteIndex
        stop = element.content if empty else self._packet.index(b">", inner) + 1
        value = self._new_value(element.name)
        if value is None or self._removed(element.name):
            self._edits.append(Edit(element.start, stop, b""))
        elif not empty:
            self._edits.append(Edit(element.content, inner, escape(value).encode()))

    def _attributes(self, element: _Open, attributes: list[str]) -> None:
        """Edit the properties that are attributes of a description."""
        tag = self._packet[element.start : element.content]
        found = [m for m in ATTRIBUTE.finditer(tag) if not m[1].startswith(b"xmlns")]
        is_description = element.name == (RDF, "Description")
        for match, full in zip(found, attributes[::2], strict=True):
            name = name_of(full)
            if name.space in ("", *FRAME):
                continue
            value = self._new_value(name, element=element) if is_description else None
            first, last = (element.start + place for place in match.span())
            if self._removed(name):
                self._edits.append(Edit(first, last, b""))
            elif value is not None:
                quoted = f'"{escape(value, QUOTE)}"'.encode()
                self._edits.append(Edit(element.start + match.start(2), last, quoted))

    def _new_value(self, name: Name, element: _Open | None = None) -> str | None:
        """New value of a property of the picture, but not of a nested description."""
        path = [*self._open, element] if element else self._open
        above = [each.name for each in path[-2:]]
        depth = sum(each.name == (RDF, "Description") for each in path)
        if above != [(RDF, "RDF"), (RDF, "Description")] or depth != 1:
            return None
        return self._values.get(name)


def name_of(full: str) -> Name:
    """A name as the parser gives it, `namespace local`, in parts."""
    space, _, local = full.rpartition(" ")
    return Name(space, local)


def _tag_end(packet: bytes, start: int) -> int:
    """End of a start tag: the first `>` outside of quotes."""
    place, quote = start, 0
    while True:
        code = packet[place]
        if quote:
            quote = 0 if code == quote else quote
        elif code in b"\"'":
            quote = code
        elif code == 0x3E:
            return place + 1
        place += 1


def values_of(packet: bytes, space: str) -> dict[str, tuple[str, ...]]:
    """Values of the properties of a namespace by local name, at any depth.

    A simple property has one value, an array those of its items. If several structures have the
    same field, its values are in order. `BrokenXmpError` as above.
    """
    found: dict[str, tuple[str, ...]] = {}
    opened: list[list[str]] = []  # texts of the elements that are open

    def add(local: str, values: tuple[str, ...]) -> None:
        found[local] = found.get(local, ()) + values

    def start(name: str, attributes: dict[str, str]) -> None:
        opened.append([""])
        for full, value in attributes.items():
            attribute = name_of(full)
            if attribute.space == space:
                add(attribute.local, (value.strip(),))

    def text(data: str) -> None:
        if opened:
            opened[-1][0] += data

    def end(full: str) -> None:
        own, *items = opened.pop()
        name = name_of(full)
        if name.space == space:
            add(name.local, tuple(items) or (own.strip(),))
        elif opened:  # items of an array, and what is in its frame
            opened[-1] += [own.strip()] if name == (RDF, "li") else items

    if packet.rstrip(b"\0"):
        parse(packet, start=start, end=end, text=text)
    return found


def parse(
    packet: bytes,
    *,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    text: Callable[[str], None],
) -> None:
    """Call functions for the start tags, end tags and text of a packet, in its order.

    Names are `namespace local`. `BrokenXmpError` if the packet is not well-formed, has a document
    type, or is larger than `MAX_BYTES`.
    """

    def doctype(*_: object) -> None:
        raise BrokenXmpError("it has a document type")

    packet = packet.rstrip(b"\0")
    if len(packet) > MAX_BYTES:
        raise BrokenXmpError(f"{len(packet)} bytes are too many")
    parser = expat.ParserCreate("UTF-8", " ")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(packet, True)
    except expat.ExpatError as error:
        raise BrokenXmpError(str(error)) from error


def with_description(packet: bytes | None, description: bytes) -> bytes:
    """Packet with one more description of the picture; a new packet if there is none.

    Parameters
    ----------
    packet : bytes or None
        UTF-8, with or without the packet wrapper.
    description : bytes
        An element rdf:Description that declares its namespaces, rdf included.

    Raises
    ------
    BrokenXmpError
        If the packet cannot be parsed or has no frame rdf:RDF.
    """
    if not packet:
        return FRAME_OF_PACKET.encode() % description
    packet = packet.rstrip(b"\0")
    properties(packet)  # refuses what cannot be parsed
    ends: list[tuple[int, bool]] = []
    parser = expat.ParserCreate("UTF-8", " ")

    def end(full: str) -> None:
        if name_of(full) == (RDF, "RDF"):
            place = parser.CurrentByteIndex
            ends.append((place, packet[place : place + 2] == b"</"))

    parser.EndElementHandler = end
    parser.Parse(packet, True)
    if not ends or not ends[0][1]:
        raise BrokenXmpError("it has no frame for a description")
    place = ends[0][0]
    return packet[:place] + description + packet[place:]
