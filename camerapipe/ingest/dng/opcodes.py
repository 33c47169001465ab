"""Opcode lists of a DNG: corrections that a camera leaves to the reader.

A list is parsed completely before anything is corrected. Its sizes are checked against its bytes,
so a damaged list can neither take much memory nor much time. Opcodes are always big-endian.
Chapter 7 of the DNG specification.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from camerapipe.errors import CaptureError
from camerapipe.ingest.dng.levels import Area

Values = npt.NDArray[np.float32]

NAMES = {
    1: "WarpRectilinear", 2: "WarpFisheye", 3: "FixVignetteRadial", 4: "FixBadPixelsConstant",
    5: "FixBadPixelsList", 6: "TrimBounds", 7: "MapTable", 8: "MapPolynomial", 9: "GainMap",
    10: "DeltaPerRow", 11: "DeltaPerColumn", 12: "ScalePerRow", 13: "ScalePerColumn",
    14: "WarpRectilinear2",
}  # fmt: skip
OPTIONAL = 1  # flag of an opcode that a reader may leave out
MAX_OPCODES = 32  # of a list; phones write about ten
MAX_WARPS = 4  # of a list; each resamples the whole picture
MAX_PLANES = 4
MAX_DEGREE = 8  # of MapPolynomial
MAX_COORDINATE = 1 << 31
SQUARED_RADII = np.linspace(0, 1, 33)  # of a warp, up to the farthest corner
MAX_SCALE = 8.0  # by which a warp magnifies; lenses need less than 2


@dataclass(frozen=True, slots=True)
class Region:
    """Pixels that an opcode applies to: every n-th row and column of an area, and some planes."""

    area: Area
    plane: int
    planes: int
    row_pitch: int
    column_pitch: int


@dataclass(frozen=True, slots=True, eq=False)
class GainMap:
    """Factors on a coarse grid: `gains` is V x H x P; spacing and origin are for a unit square."""

    region: Region
    spacing: tuple[float, float]
    origin: tuple[float, float]
    gains: Values


@dataclass(frozen=True, slots=True, eq=False)
class Warp:
    """Lens distortion: per plane, four radial and two tangential coefficients; centre (x, y)."""

    coefficients: npt.NDArray[np.float64]
    centre: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Vignette:
    """Radial gain: coefficients of r^2, r^4 ... r^10; centre (x, y)."""

    coefficients: npt.NDArray[np.float64]
    centre: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class BadPixels:
    """Pixels to be interpolated: those of a code, or points (row, column) and areas."""

    constant: int | None
    points: npt.NDArray[np.int64]
    areas: tuple[Area, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Values of a curve at equal steps from 0 to 1 (`table`), or coefficients of a polynomial."""

    region: Region
    table: Values | None
    polynomial: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """A summand or a factor for each row or column."""

    region: Region
    values: Values
    of_rows: bool
    scale: bool


Correction = GainMap | Warp | Vignette | BadPixels | Curve | Lines


@dataclass(frozen=True, slots=True)
class OpcodeList:
    """Corrections in order, and the names of required opcodes that are not known here."""

    corrections: tuple[Correction, ...] = ()
    missing: tuple[str, ...] = ()


class _Bytes:
    """Big-endian numbers, read in order; `CaptureError` at the end of the data."""

    def __init__(self, data: bytes, name: str) -> None:
        self._data, self._at, self.name = data, 0, name

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise damaged(self.name)
        self._at += size
        return self._data[self._at - size : self._at]

    def integers(self, count: int) -> list[int]:
        return list(struct.unpack(f">{count}I", self.take(4 * count)))

    def numbers(self, count: int, kind: str = ">f8") -> npt.NDArray[np.float64]:
        data = self.take(count * np.dtype(kind).itemsize)
        found = np.frombuffer(data, kind).astype(np.float64)
        if not np.isfinite(found).all() or np.abs(found).max(initial=0) > MAX_COORDINATE:
            raise damaged(self.name)
        return found

    def pair(self) -> tuple[float, float]:
        first, second = self.numbers(2)
        return float(first), float(second)


def damaged(name: str) -> CaptureError:
    """Error for opcodes whose sizes contradict each other or the file."""
    return CaptureError(
        f"its corrections ({name}) are damaged; copy the file again, or export it as TIFF"
    )


def parse_opcodes(data: bytes, name: str) -> OpcodeList:
    """Parse an opcode list.

    Parameters
    ----------
    data : bytes
        Value of the tag.
    name : str
        Name of the tag, for messages.

    Returns
    -------
    OpcodeList
        Optional opcodes that are not known are left out.

    Raises
    ------
    CaptureError
        If the list is damaged.
    """
    source = _Bytes(data, name)
    (count,) = source.integers(1)
    if count > MAX_OPCODES:
        raise damaged(f"{name}: {count} opcodes")
    found: list[Correction] = []
    missing: list[str] = []
    for _ in range(count):
        code, _, flags, size = source.integers(4)
        label = NAMES.get(code, f"opcode {code}")
        content = _Bytes(source.take(size), f"{name}: {label}")
        if code in PARSERS:
            found.append(PARSERS[code](content))
        elif not flags & OPTIONAL:
            missing.append(label)
    if sum(isinstance(each, Warp) for each in found) > MAX_WARPS:
        raise damaged(f"{name}: more than {MAX_WARPS} warps")
    return OpcodeList(tuple(found), tuple(missing))


def _region(source: _Bytes) -> Region:
    top, left, bottom, right, plane, planes, row_pitch, column_pitch = source.integers(8)
    if bottom < top or right < left or not (row_pitch and column_pitch):
        raise damaged(source.name)
    return Region(Area(top, left, bottom, right), plane, planes, row_pitch, column_pitch)


def _gain_map(source: _Bytes) -> GainMap:
    region = _region(source)
    rows, columns = source.integers(2)
    spacing, origin = source.pair(), source.pair()
    (planes,) = source.integers(1)
    if not rows or not columns or not 0 < planes <= MAX_PLANES:
        raise damaged(source.name)
    if rows * columns * planes * 4 != source.left:
        raise damaged(f"{source.name} of {rows} x {columns} points")
    spacing = (spacing[0] if rows > 1 else 1.0, spacing[1] if columns > 1 else 1.0)
    if min(spacing) <= 0:
        raise damaged(source.name)
    gains = source.numbers(rows * columns * planes, ">f4").reshape(rows, columns, planes)
    return GainMap(region, spacing, origin, np.maximum(gains, 0).astype(np.float32))


def _warp(source: _Bytes) -> Warp:
    (planes,) = source.integers(1)
    if not 0 < planes <= MAX_PLANES:
        raise damaged(source.name)
    coefficients = source.numbers(6 * planes).reshape(planes, 6)
    scales = np.polynomial.polynomial.polyval(SQUARED_RADII, coefficients[:, :4].T)
    if scales.min() <= 0 or max(scales.max(), np.abs(coefficients[:, 4:]).max()) > MAX_SCALE:
        raise damaged(source.name)
    return Warp(coefficients, source.pair())


def _vignette(source: _Bytes) -> Vignette:
    return Vignette(source.numbers(5), source.pair())


def _bad_constant(source: _Bytes) -> BadPixels:
    constant, _ = source.integers(2)
    return BadPixels(constant, np.empty((0, 2), np.int64))


def _bad_list(source: _Bytes) -> BadPixels:
    _, points, areas = source.integers(3)
    if points * 8 + areas * 16 != source.left:
        raise damaged(f"{source.name} of {points} points")
    places = np.frombuffer(source.take(points * 8), ">u4").astype(np.int64).reshape(points, 2)
    return BadPixels(None, places, tuple(Area(*source.integers(4)) for _ in range(areas)))


def _table(source: _Bytes) -> Curve:
    region = _region(source)
    (size,) = source.integers(1)
    if not 0 < size <= 1 << 16 or size * 2 != source.left:
        raise damaged(source.name)
    values = np.frombuffer(source.take(size * 2), ">u2").astype(np.float32) / np.float32(65535)
    return Curve(region, np.pad(values, (0, (1 << 16) - size), "edge"), np.empty(0))


def _polynomial(source: _Bytes) -> Curve:
    region = _region(source)
    (degree,) = source.integers(1)
    if degree > MAX_DEGREE:
        raise damaged(source.name)
    return Curve(region, None, source.numbers(degree + 1))


def _lines(*, of_rows: bool, scale: bool) -> Callable[[_Bytes], Lines]:
    def parsed(source: _Bytes) -> Lines:
        region = _region(source)
        (count,) = source.integers(1)
        if count * 4 != source.left:
            raise damaged(source.name)
        values = source.numbers(count, ">f4").astype(np.float32)
        return Lines(region, values, of_rows, scale)

    return parsed


PARSERS: dict[int, Callable[[_Bytes], Correction]] = {
    1: _warp,
    3: _vignette,
    4: _bad_constant,
    5: _bad_list,
    7: _table,
    8: _polynomial,
    9: _gain_map,
    10: _lines(of_rows=True, scale=False),
    11: _lines(of_rows=False, scale=False),
    12: _lines(of_rows=True, scale=True),
    13: _lines(of_rows=False, scale=True),
}
