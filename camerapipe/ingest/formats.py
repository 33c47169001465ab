"""Formats of outputs: their names, file suffixes and bits per sample. The one table of them."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from camerapipe.errors import RequestError
from camerapipe.extras import install


class Format(NamedTuple):
    """A file format.

    The first suffix is the usual one. `bits` are those per sample. `needs` names a library that may
    be absent and how to install it. `lossy` says that it has a quality, `hdr` that it holds HDR.
    """

    suffixes: tuple[str, ...]
    bits: tuple[int, ...]
    needs: tuple[str, str] | None = None
    lossy: bool = False
    hdr: bool = False


def _extra(library: str, extra: str) -> tuple[str, str]:
    """A library, and how it is installed."""
    return library, install(extra)


PICTURE_FORMATS: Mapping[str, Format] = {
    "jpeg": Format((".jpg", ".jpeg"), (8,), lossy=True, hdr=True),
    "png": Format((".png",), (8, 16)),
    "tiff": Format((".tif", ".tiff"), (8, 16)),
    "avif": Format((".avif",), (8,), ("PIL._avif", "python -m pip install pillow"), lossy=True),
    "heic": Format((".heic", ".heif", ".hif"), (8, 10), _extra("pillow_heif", "heif"), lossy=True),
    "jxl": Format((".jxl",), (8, 16), _extra("imagecodecs", "jxl"), lossy=True),
    "exr": Format((".exr",), (16, 32), _extra("OpenEXR", "exr"), hdr=True),
}
MAP_FORMATS: Mapping[str, Format] = {
    "tiff": Format((".tif", ".tiff"), (16,)),
    "npz": Format((".npz",), (32,)),
    "png": Format((".png",), (8,)),
    "exr": Format((".exr",), (32,), _extra("OpenEXR", "exr")),
    "jpeg": Format((".jpg", ".jpeg"), (16,)),
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
        Bits asked for. None: as many as the source has, or else the most that the format has.
    source_bits : int
        Bits per sample of the source.

    Raises
    ------
    RequestError
        If the format cannot hold as many bits.
    """
    possible = PICTURE_FORMATS[name].bits
    if bits is None:
        return next((each for each in possible if each >= source_bits), possible[-1])
    if bits in possible:
        return bits
    others = [other for other, kind in PICTURE_FORMATS.items() if bits in kind.bits]
    if others:
        have = " and ".join(map(str, possible))
        raise RequestError(
            f"bits: a {name.upper()} has {have} bits per sample, not {bits}; "
            f"choose {' or '.join(others)}"
        )
    every = sorted({each for kind in PICTURE_FORMATS.values() for each in kind.bits})
    raise RequestError(f"bits: expected {', '.join(map(str, every))}; got {bits}")


def can_write(name: str, formats: Mapping[str, Format] = PICTURE_FORMATS) -> bool:
    """Whether the library that writes a format is installed."""
    needs = formats[name].needs
    try:
        return needs is None or importlib.util.find_spec(needs[0]) is not None
    except ModuleNotFoundError:
        return False


def check_library(name: str, formats: Mapping[str, Format] = PICTURE_FORMATS) -> None:
    """Check that the library that writes a format is installed.

    Raises
    ------
    RequestError
        If it is not; the message says how to install it.
    """
    needs = formats[name].needs
    if needs is not None and not can_write(name, formats):
        raise RequestError(f"format: to write {name.upper()}, a library is missing: {needs[1]}")
