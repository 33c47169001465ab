"""Tone curves: linear light <-> display encoding.

Domain: encoded values lie in [0, 1]; linear light has 1.0 at display white and may exceed it (RAW
headroom). Encoding clips to [0, 1], because a display does.

A curve is a table of the linear values of the 65536 codes k/65535. It has every 8-bit and 16-bit
code exactly, so that a file that is decoded and encoded again keeps its codes. Encoding uses a
table over the square root of light. sRGB, the curve of nearly every picture, is computed in vector
code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from stages.kernels import f32, i64, inline, kernel, reads, u8, u16, writes
from stages.kinds import Encoded, LinearLight
from stages.params import Array
from stages.strips import run_strips

CODES = 65536  # entries of a table: 65535 = 255 * 257, so 8-bit codes are entries too
CHUNK = 1 << 16  # values that one worker converts at a time
LINE = 1 << 10  # values whose places in a table are found before they are looked up
TOE = 0.0031308  # linear light up to which sRGB is a straight line


@dataclass(frozen=True, eq=False)
class ToneCurve:
    """A display encoding, as the increasing table of linear values of all 16-bit codes."""

    name: str
    decode: Array

    def __post_init__(self) -> None:
        table = self.decode
        if table.shape != (CODES,) or table.dtype != np.float32:
            got = f"{table.shape} {table.dtype}"
            raise ValueError(f"tone: a curve needs ({CODES},) float32; got {got}")
        if not np.all(np.isfinite(table)) or np.any(np.diff(table) < 0) or table[-1] <= table[0]:
            raise ValueError("tone: a curve must be finite and must not fall")

    @cached_property
    def encode(self) -> Array:
        """Encoded values at the linear values (k/65535)**2: even steps of the square root."""
        roots = np.linspace(0, 1, CODES)
        codes = np.linspace(0, 1, CODES)
        return np.interp(roots**2, self.decode, codes).astype(np.float32)

    @cached_property
    def encoder(self) -> Array:
        """The table for `encode_line`: `encode`, or an empty one for sRGB."""
        return self.encode[:0] if np.array_equal(self.decode, SRGB.decode) else self.encode


def curve_from(name: str, decode: Callable[[npt.NDArray[np.float64]], object]) -> ToneCurve:
    """Tabulate a decoding function.

    Parameters
    ----------
    name : str
        Name of the curve.
    decode : callable
        Takes encoded values in [0, 1], float64, and gives linear light of the same shape.

    Returns
    -------
    ToneCurve
        The curve as a table of 65536 values.
    """
    values = np.asarray(decode(np.linspace(0, 1, CODES)), np.float64)
    return ToneCurve(name, values.astype(np.float32))


def _srgb(code: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """IEC 61966-2-1."""
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def _srgb_polynomial() -> tuple[float, ...]:
    """Polynomial q of sRGB(t^4) = 1 + (t - 1) q(t) above the toe, smooth there; within 2e-7."""
    ends = (TOE**0.25, 1.0)
    q = np.polynomial.Chebyshev.interpolate(
        lambda t: (1.055 * t ** (4 / 2.4) - 1.055) / (t - 1), 7, ends
    )
    return tuple(map(float, q.convert(kind=np.polynomial.Polynomial).coef))


SRGB_POLYNOMIAL = _srgb_polynomial()
SRGB = curve_from("sRGB", _srgb)
LINEAR = curve_from("linear", lambda code: code)


def linearise(encoded: npt.NDArray[np.generic], curve: ToneCurve = SRGB) -> LinearLight:
    """Decode display-encoded values to linear light.

    Parameters
    ----------
    encoded : array of uint8, uint16 or float32
        Integer codes of full range, or floats in [0, 1] (clipped); any shape.
    curve : ToneCurve
        The encoding of the values.

    Returns
    -------
    Array
        Linear light of the same shape, float32.
    """
    if encoded.dtype == np.uint8:
        table = np.ascontiguousarray(curve.decode[:: CODES // 256 + 1])
        return np.asarray(cv2.LUT(encoded, table), np.float32).reshape(encoded.shape)
    if encoded.dtype == np.uint16:
        return np.asarray(curve.decode[encoded], np.float32)
    values = _floats("linearise", encoded)
    out = np.empty_like(values)
    flat_in, flat_out = values.reshape(-1), out.reshape(-1)
    run_strips(lambda a, b: _decode(flat_in, curve.decode, a, b, flat_out), values.size, CHUNK)
    return out


def encode(linear: LinearLight, curve: ToneCurve = SRGB) -> Encoded:
    """Encode linear light for display; values outside [0, 1] are clipped.

    Parameters
    ----------
    linear : Array
        Linear light, float32, any shape.
    curve : ToneCurve
        The encoding wanted.

    Returns
    -------
    Array
        Encoded values in [0, 1], float32.
    """
    values = _floats("encode", linear)
    out = np.empty_like(values)
    flat_in, flat_out, table = values.reshape(-1), out.reshape(-1), curve.encoder
    run_strips(lambda a, b: _encode(flat_in, table, a, b, flat_out), values.size, CHUNK)
    return out


def to_codes(encoded: Array, bits: int) -> npt.NDArray[np.unsignedinteger]:
    """Round encoded values to codes.

    Parameters
    ----------
    encoded : Array
        Display-encoded in [0, 1] (clipped), float32, any shape.
    bits : int
        8 or 16.

    Returns
    -------
    array of uint8 or uint16
        The same shape.
    """
    values = _floats("to_codes", encoded)
    codes = np.empty(values.shape, f"uint{bits}")
    flat_in, flat_out = values.reshape(-1), codes.reshape(-1)
    round_to = _to_8_bits if bits == 8 else _to_16_bits
    run_strips(lambda a, b: round_to(flat_in, a, b, flat_out), values.size, CHUNK)
    return codes


def _floats(function: str, values: npt.NDArray[np.generic]) -> Array:
    if values.dtype != np.float32:
        raise ValueError(f"tone.{function}: expected uint8, uint16 or float32; got {values.dtype}")
    return np.ascontiguousarray(values)


@inline
def look_up(values, table, root, places, parts, out):  # type: ignore[no-untyped-def]
    """Interpolate a line of values in a table over [0, 1], by value or by its square root.

    Places are found for the whole line at once and kept in `places` and `parts`, so that all but
    the look-up itself runs in vectors.
    """
    last, top = np.float32(table.size - 1), np.float32(table.size - 2)
    for k in range(values.size):
        x = min(max(values[k], np.float32(0)), np.float32(1))
        position = (np.sqrt(x) if root else x) * last
        place = np.uint32(min(position, top))
        places[k] = place
        parts[k] = position - np.float32(place)
    for k in range(values.size):
        lower = np.uint64(places[k])
        out[k] = table[lower] + parts[k] * (table[lower + np.uint64(1)] - table[lower])


@inline
def srgb_of(light):  # type: ignore[no-untyped-def]
    """Encode a value as sRGB, without branches."""
    x = min(max(light, np.float32(0)), np.float32(1))
    t = np.sqrt(np.sqrt(x))
    q = np.float32(SRGB_POLYNOMIAL[7])
    for k in range(7):
        q = q * t + np.float32(SRGB_POLYNOMIAL[6 - k])
    above = np.float32(1) + (t - np.float32(1)) * q
    return above if x > np.float32(TOE) else np.float32(12.92) * x


@inline
def encode_line(values, table, places, parts, out):  # type: ignore[no-untyped-def]
    """Encode a line of linear light by `ToneCurve.encoder`; `places` and `parts` are scratch."""
    if table.size:
        look_up(values, table, True, places, parts, out)
    else:
        for k in range(values.size):
            out[k] = srgb_of(values[k])


@kernel(reads(f32, 1), reads(f32, 1), i64, i64, writes(f32, 1))
def _encode(values, table, start, stop, out):  # type: ignore[no-untyped-def]
    """Encode values, line by line."""
    places, parts = np.empty(LINE, np.uint32), np.empty(LINE, np.float32)
    for first in range(start, stop, LINE):
        end = min(first + LINE, stop)
        encode_line(values[first:end], table, places, parts, out[first:end])


@kernel(reads(f32, 1), reads(f32, 1), i64, i64, writes(f32, 1))
def _decode(values, table, start, stop, out):  # type: ignore[no-untyped-def]
    """Look values up, line by line."""
    places, parts = np.empty(LINE, np.uint32), np.empty(LINE, np.float32)
    for first in range(start, stop, LINE):
        end = min(first + LINE, stop)
        look_up(values[first:end], table, False, places, parts, out[first:end])


@inline
def _code(value, largest):  # type: ignore[no-untyped-def]
    return np.rint(min(max(value, np.float32(0)), np.float32(1)) * largest)


@kernel(reads(f32, 1), i64, i64, writes(u8, 1))
def _to_8_bits(values, start, stop, out):  # type: ignore[no-untyped-def]
    """Round to codes of 8 bits."""
    values, out = values[start:stop], out[start:stop]
    for k in range(values.size):
        out[k] = np.uint8(_code(values[k], np.float32(255)))


@kernel(reads(f32, 1), i64, i64, writes(u16, 1), seldom=True)
def _to_16_bits(values, start, stop, out):  # type: ignore[no-untyped-def]
    """Round to codes of 16 bits."""
    values, out = values[start:stop], out[start:stop]
    for k in range(values.size):
        out[k] = np.uint16(_code(values[k], np.float32(65535)))
