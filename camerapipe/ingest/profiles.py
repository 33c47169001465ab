"""ICC profiles of our own: a matrix and one tone curve, for colour that a file states by numbers.

Version 4.2 with only the required tags (ICC.1:2022, section 8.3.3 and 8.4): description,
copyright, white point, chromatic adaptation, and colorants with curves or one grey curve.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from camerapipe.ingest.colorimetry import D50, Primaries, adaptation, to_xyz, xyz

HEADER_BYTES = 128
DATE_BYTE, PROFILE_DATE = 24, (2026, 1, 1, 0, 0, 0)  # fixed, so that the bytes are the same
SRGB_PARAMETERS = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)  # IEC 61966-2-1
CURVE_TYPES = {1: 0, 5: 3}  # 'para': function type by its number of parameters


class Gamma(NamedTuple):
    """A power law: light = code ** exponent. None stands for the curve of sRGB."""

    exponent: float | None = None

    @property
    def parameters(self) -> tuple[float, ...]:
        """Parameters of an ICC parametric curve."""
        return SRGB_PARAMETERS if self.exponent is None else (self.exponent,)


@lru_cache
def rgb_profile(name: str, primaries: Primaries, curve: Gamma) -> bytes:
    """Profile of an RGB space of given primaries and tone curve."""
    adapted = adaptation(xyz(primaries.white))
    colorants = adapted @ to_xyz(primaries)
    tags = {f"{letter}XYZ": _xyz(colorants[:, column]) for column, letter in enumerate("rgb")} | {
        f"{letter}TRC": _curve(curve) for letter in "rgb"
    }
    tags["chad"] = b"sf32\0\0\0\0" + _fixed(adapted.ravel())
    return _profile(name, b"RGB ", tags)


@lru_cache
def grey_profile(name: str, curve: Gamma) -> bytes:
    """Profile of a grey picture of a given tone curve."""
    return _profile(name, b"GRAY", {"kTRC": _curve(curve)})


def _profile(name: str, space: bytes, tags: dict[str, bytes]) -> bytes:
    tags = {"desc": _text(name), "cprt": _text("No copyright"), "wtpt": _xyz(D50)} | tags
    table, body = struct.pack(">I", len(tags)), b""
    start = HEADER_BYTES + 4 + 12 * len(tags)
    for tag, content in tags.items():
        table += struct.pack(">4sII", tag.encode(), start + len(body), len(content))
        body += content + b"\0" * (-len(content) % 4)
    head = bytearray(HEADER_BYTES)
    struct.pack_into(">I4xI4s4s4s", head, 0, start + len(body), 0x04200000, b"mntr", space, b"XYZ ")
    struct.pack_into(">6H4s", head, DATE_BYTE, *PROFILE_DATE, b"acsp")
    head[68:80] = _fixed(D50)
    return bytes(head) + table + body


def _text(words: str) -> bytes:
    encoded = words.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II4sII", 1, 12, b"enUS", len(encoded), 28) + encoded


def _xyz(values: np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(values)


def _curve(curve: Gamma) -> bytes:
    parameters = curve.parameters
    head = struct.pack(">HH", CURVE_TYPES[len(parameters)], 0)
    return b"para\0\0\0\0" + head + _fixed(np.array(parameters))


def _fixed(values: np.ndarray) -> bytes:
    """Numbers as s15Fixed16."""
    return struct.pack(f">{len(values)}i", *(round(float(v) * 65536) for v in values))
