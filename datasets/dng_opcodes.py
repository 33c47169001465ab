"""Opcode lists of DNG files, as phones write them: lens shading, distortion, defective pixels.

Layout: Adobe's DNG specification 1.7.1, chapter 7. Opcodes are always big-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from camerapipe.ingest.dng.writing import SHORT, SRATIONAL, UNDEFINED, Tag, rationals

LIST_TAGS = (51008, 51009, 51022)  # OpcodeList1, 2 and 3
VERSION = bytes((1, 3, 0, 0))
OPTIONAL = 1
REGION = struct.Struct(">8I")  # top, left, bottom, right, plane, planes, row and column pitch

Region = tuple[int, int, int, int, int, int, int, int]


def opcode(code: int, content: bytes, *, optional: bool = False) -> bytes:
    """An opcode with its head."""
    return struct.pack(">I", code) + VERSION + struct.pack(">II", optional, len(content)) + content


def opcode_list(number: int, opcodes: Iterable[bytes]) -> Tag:
    """Tag of opcode list 1, 2 or 3."""
    found = list(opcodes)
    data = struct.pack(">I", len(found)) + b"".join(found)
    return LIST_TAGS[number - 1], UNDEFINED, len(data), data


def gain_map(region: Region, gains: npt.NDArray[np.floating]) -> bytes:
    """GainMap of V x H x P gains, the first and the last on the border of the picture."""
    rows, columns, planes = gains.shape
    spacing = (1 / max(rows - 1, 1), 1 / max(columns - 1, 1))
    head = REGION.pack(*region) + struct.pack(">II4dI", rows, columns, *spacing, 0, 0, planes)
    return opcode(9, head + gains.astype(">f4").tobytes())


def bayer_gain_maps(shape: Sequence[int], gains: Sequence[npt.NDArray[np.floating]]) -> list[bytes]:
    """Four gain maps (each V x H), one for each place of a Bayer pattern."""
    return [
        gain_map((*divmod(place, 2), shape[0], shape[1], 0, 1, 2, 2), each[..., None])
        for place, each in enumerate(gains)
    ]


def warp_rectilinear(coefficients: Any, centre: tuple[float, float] = (0.5, 0.5)) -> bytes:
    """WarpRectilinear: P x 6 coefficients."""
    table = np.atleast_2d(np.asarray(coefficients, ">f8"))
    return opcode(1, struct.pack(">I", len(table)) + table.tobytes() + struct.pack(">2d", *centre))


def fix_vignette(coefficients: Any, centre: tuple[float, float] = (0.5, 0.5)) -> bytes:
    """FixVignetteRadial: 5 coefficients."""
    return opcode(3, np.asarray([*coefficients, *centre], ">f8").tobytes())


def bad_pixels_constant(code: int) -> bytes:
    """FixBadPixelsConstant."""
    return opcode(4, struct.pack(">II", code, 0))


def bad_pixels_list(
    points: Sequence[tuple[int, int]] = (), areas: Sequence[tuple[int, int, int, int]] = ()
) -> bytes:
    """FixBadPixelsList: points (row, column) and areas (top, left, bottom, right)."""
    numbers = [0, len(points), len(areas), *np.ravel(points), *np.ravel(areas)]
    return opcode(5, struct.pack(f">{len(numbers)}I", *(int(each) for each in numbers)))


def map_polynomial(region: Region, coefficients: Sequence[float]) -> bytes:
    """MapPolynomial, from the constant on."""
    numbers = struct.pack(f">I{len(coefficients)}d", len(coefficients) - 1, *coefficients)
    return opcode(8, REGION.pack(*region) + numbers)


def map_table(region: Region, table: npt.NDArray[np.integer]) -> bytes:
    """MapTable of 16-bit values."""
    return opcode(
        7, REGION.pack(*region) + struct.pack(">I", len(table)) + table.astype(">u2").tobytes()
    )


def per_line(code: int, region: Region, values: Any) -> bytes:
    """DeltaPerRow (10), DeltaPerColumn (11), ScalePerRow (12) or ScalePerColumn (13)."""
    table = np.asarray(values, ">f4")
    return opcode(code, REGION.pack(*region) + struct.pack(">I", len(table)) + table.tobytes())


def two_illuminants(
    colour: Sequence[Any], forward: Sequence[Any] | None = None, lights: Sequence[int] = (17, 21)
) -> list[Tag]:
    """Colour matrices, and optionally forward matrices, of two illuminants (EXIF light sources)."""
    codes = [(50721, colour[0]), (50722, colour[1])]
    if forward is not None:
        codes += [(50964, forward[0]), (50965, forward[1])]
    matrices: list[Tag] = [(code, SRATIONAL, 9, rationals(matrix)) for code, matrix in codes]
    return [*matrices, (50778, SHORT, 1, lights[0]), (50779, SHORT, 1, lights[1])]
