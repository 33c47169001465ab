"""Formats of outputs: their names, file suffixes and bits per sample. The one table of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from camerapipe.errors import RequestError


class Format(NamedTuple):
    """A file format. The first suffix is the usual one; `bits` are those per sample."""

    suffixes: tuple[str, ...]
    bits: tuple[int, ...]


PICTURE_FORMATS: Mapping[str, Format] = {
    "jpeg": Format((".jpg", ".jpeg"), (8,)),
    "png": Format((".png",), (8, 16)),
    "tiff": Format((".tif", ".tiff"), (8, 16)),
}
MAP_FORMATS: Mapping[str, Format] = {
    "tiff": Format((".tif", ".tiff"), (16,)),
    "npz": Format((".npz",), (32,)),
    "png": Format((".png",), (8,)),
}
PICTURES = tuple(suffix for kind in PICTURE_FORMATS.values() for suffix in kind.suffixes)
MAPS = tuple(suffix for kind in MAP_FORMATS.values() for suffix in kind.suffixes)


def format_named(name: str, formats: Mapping[str, Format] = PICTURE_FORMATS) -> str:
    """Name of a format by its name or one of its suffixes, with or without the dot.

    Raises
    ------
    RequestError
        Listing the formats there are.
    """
    wanted = name.lower().lstrip(".")
    for known, kind in formats.items():
        if wanted == known or f".{wanted}" in kind.suffixes:
            return known
    raise RequestError(f"format: expected {', '.join(formats)}; got {name!r}")


def format_of(path: str | os.PathLike[str], formats: Mapping[str, Format] = PICTURE_FORMATS) -> str:
    """Name of the format of a path by its suffix; errors as of `format_named`."""
    return format_named(Path(path).suffix, formats)


def bits_for(name: str, bits: int | None, source_bits: int) -> int:
    """Bits per sample of a written picture: those asked for, or as many as the source needs.

    Parameters
    ----------
    name : str
        A format of `PICTURE_FORMATS`.
    bits : int or None
        Bits asked for: 8 or 16. None: 16 where the source has more than 8 and the format has 16.
    source_bits : int
        Bits per sample of the source.

    Raises
    ------
    RequestError
        If the format cannot hold as many bits.
    """
    possible = PICTURE_FORMATS[name].bits
    if bits is None:
        return possible[-1] if source_bits > 8 else possible[0]
    if bits in possible:
        return bits
    others = [other for other, kind in PICTURE_FORMATS.items() if bits in kind.bits]
    if others:
        have = " and ".join(map(str, possible))
        raise RequestError(
            f"bits: a {name.upper()} has {have} bits per sample, not {bits}; "
            f"choose {' or '.join(others)}"
        )
    raise RequestError(f"bits: expected 8 or 16; got {bits}")
