"""Fields of XMP structures: what an item of a list says stands together."""

from __future__ import annotations

from camerapipe.ingest.xmp import BrokenXmpError, Name, name_of, parse

Fields = dict[Name, str]
MAX_STRUCTURES = 100_000  # of a packet; real ones have some hundred


def structures(packet: bytes) -> list[Fields]:
    """Simple properties of a packet, grouped by the element that they stand in.

    Parameters
    ----------
    packet : bytes
        UTF-8, with or without the packet wrapper.

    Returns
    -------
    list of dict
        Text by name, one dict for each element with simple properties, in order of their ends.
        Attributes and elements with text count as properties.

    Raises
    ------
    BrokenXmpError
        If the packet is not well-formed, has a document type, or is larger than `xmp.MAX_BYTES` or
        `MAX_STRUCTURES`.
    """
    found: list[Fields] = []
    fields: list[Fields] = [{}]
    texts: list[list[str]] = [[]]

    def start(name: str, attributes: dict[str, str]) -> None:
        fields.append({name_of(key): value.strip() for key, value in attributes.items()})
        texts.append([])

    def end(full: str) -> None:
        own, text = fields.pop(), "".join(texts.pop()).strip()
        if own:
            found.append(own)
            if len(found) > MAX_STRUCTURES:
                raise BrokenXmpError(f"more than {MAX_STRUCTURES} structures are too many")
        elif text:
            fields[-1][name_of(full)] = text

    parse(packet, start=start, end=end, text=lambda text: texts[-1].append(text))
    return found


def all_fields(packets: tuple[bytes, ...]) -> Fields:
    """All simple properties of some packets; of two with one name the first counts."""
    merged: Fields = {}
    for packet in packets:
        for fields in structures(packet):
            for name, value in fields.items():
                merged.setdefault(name, value)
    return merged
