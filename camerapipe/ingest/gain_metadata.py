"""Metadata of gain maps: those of ISO 21496-1, of Adobe and Google (hdrgm), and of Apple.

The binary form is that of ISO 21496-1, annex C; numbers are fractions. The XMP form is that of
Adobe's Gain Map Specification 1.0, which Ultra HDR uses as well. Apple's gain maps state their
scale in the maker note, or in the XMP of the gain map.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from camerapipe.ingest.colorimetry import BT709, Primaries, same, to_xyz
from camerapipe.ingest.exif import EXIF, BrokenExifError, ExifBlock
from camerapipe.ingest.tiff_exif import MAKER_NOTE
from camerapipe.ingest.xmp import BrokenXmpError, values_of
from stages.gain_map import GainCurve, GainMap
from stages.params import Array

HDRGM = "http://ns.adobe.com/hdr-gain-map/1.0/"
APPLE = "http://ns.apple.com/HDRGainMap/1.0/"
MULTICHANNEL, BASE_SPACE, COMMON_DENOMINATOR = 0x80, 0x40, 0x08  # flags of ISO 21496-1
VERSIONS = struct.pack(">HH", 0, 0)  # least version of a reader, and version of the writer
DENOMINATOR = 1 << 20  # of written fractions
STOPS_RANGE = (-24.0, 24.0)  # of plausible gains; a display has up to about 6 stops of headroom
GAMMA_RANGE = (0.01, 100.0)
MAX_OFFSET = 1.0
APPLE_NOTE = b"Apple iOS\0"
APPLE_DIRECTORY = 14  # offset in the maker note; offsets of values count from its start
APPLE_HEADROOM, APPLE_GAIN = 33, 48  # tags of the maker note
SIGNED_RATIONAL = 10


class BrokenGainMapError(ValueError):
    """A gain map that cannot be used; the message says why."""


def gain_map_of_iso(
    content: bytes, values: Array, base: Primaries = BT709, alternate: Primaries = BT709
) -> GainMap:
    """Gain map from its values and the binary metadata of ISO 21496-1.

    `base` are the primaries of the picture, and `alternate` those of the HDR picture, in which the
    gain is applied if the metadata say so.
    """
    try:
        least, _, flags = struct.unpack_from(">HHB", content)
        if least > 0:
            raise BrokenGainMapError(f"its version {least} of ISO 21496-1 is not known")
        number = _fractions(content, 5, common=bool(flags & COMMON_DENOMINATOR))
        headrooms = number("I"), number("I")
        channels = 3 if flags & MULTICHANNEL else 1
        curves = [
            GainCurve(number("i"), number("i"), number("I"), number("i"), number("i"))
            for _ in range(channels)
        ]
    except (struct.error, ZeroDivisionError) as error:
        raise BrokenGainMapError("its metadata are damaged") from error
    found = _checked(curves, headrooms, values)
    if flags & BASE_SPACE or same(base, alternate):
        return found
    matrix = np.linalg.solve(to_xyz(alternate), to_xyz(base))
    return replace(found, space=matrix.astype(np.float32))


def gain_map_of_xmp(packet: bytes, values: Array) -> GainMap:
    """Gain map from its values and the properties of the namespace hdrgm."""
    try:
        found = values_of(packet, HDRGM)
        if found.get("BaseRenditionIsHDR", ("False",))[0].lower() == "true":
            raise BrokenGainMapError("its base picture is HDR")

        def each(name: str, default: float | None = None) -> tuple[float, ...]:
            if name not in found and default is None:
                raise BrokenGainMapError(f"its metadata lack {name}")
            numbers = tuple(map(float, found.get(name, (str(default),))))
            return numbers if len(numbers) == 3 else numbers[:1] * 3

        rows = zip(
            each("GainMapMin", 0), each("GainMapMax"), each("Gamma", 1),
            each("OffsetSDR", 1 / 64), each("OffsetHDR", 1 / 64), strict=True,
        )  # fmt: skip
        curves = [GainCurve(*row) for row in rows]
        headrooms = each("HDRCapacityMin", 0)[0], each("HDRCapacityMax")[0]
    except (BrokenXmpError, ValueError) as error:
        reason = error if isinstance(error, BrokenGainMapError) else "its metadata are damaged"
        raise BrokenGainMapError(str(reason)) from error
    return _checked(curves, headrooms, values)


def gain_map_of_apple(exif: bytes | None, packet: bytes | None, values: Array) -> GainMap:
    """Gain map from Apple's values and metadata.

    The gain is 1 + (headroom - 1) * g, where g is linear and encoded by the curve of BT.709 (Apple,
    "Applying Apple HDR effect to your photos").

    Parameters
    ----------
    exif : bytes or None
        EXIF of the picture, with the maker note.
    packet : bytes or None
        XMP of the gain map, which states the headroom in files of iOS 17 and later.
    values : Array
        Codes in [0, 1], hxw float32.
    """
    headroom = _apple_xmp_headroom(packet) or _apple_headroom(exif)
    if headroom is None:
        raise BrokenGainMapError("the maker note does not state its scale")
    peak = math.log2(max(headroom, 1.0))
    if peak <= 0:
        raise BrokenGainMapError("it states no more light than that of the picture")
    linear = np.where(values < 0.081, values / 4.5, ((values + 0.099) / 1.099) ** (1 / 0.45))
    encoded = np.log2(1 + (headroom - 1) * linear) / peak
    curve = GainCurve(0.0, peak, 1.0, 0.0, 0.0)
    return _checked([curve], (0.0, peak), np.asarray(encoded, np.float32))


def iso_metadata(gain_map: GainMap) -> bytes:
    """Binary metadata of ISO 21496-1."""
    flags = BASE_SPACE | (MULTICHANNEL if gain_map.values.ndim == 3 else 0)
    curves = gain_map.curves[: 3 if flags & MULTICHANNEL else 1]
    parts = [VERSIONS, bytes((flags,)), _fraction("I", 0), _fraction("I", gain_map.headroom_stops)]
    for curve in curves:
        parts += [_fraction(*pair) for pair in zip("iiIii", curve, strict=True)]
    return b"".join(parts)


def hdrgm_properties(gain_map: GainMap) -> dict[str, str | tuple[str, ...]]:
    """Properties of the namespace hdrgm, by their local names."""
    curves = gain_map.curves if gain_map.values.ndim == 3 else gain_map.curves[:1]
    rows = zip(*curves, strict=True)
    names = ("GainMapMin", "GainMapMax", "Gamma", "OffsetSDR", "OffsetHDR")
    made = {name: tuple(map(_text, row)) for name, row in zip(names, rows, strict=True)}
    return {
        "Version": "1.0",
        "BaseRenditionIsHDR": "False",
        "HDRCapacityMin": "0",
        "HDRCapacityMax": _text(gain_map.headroom_stops),
        **{name: row if len(row) > 1 else row[0] for name, row in made.items()},
    }


def _checked(curves: Sequence[GainCurve], headrooms: tuple[float, float], values: Array) -> GainMap:
    base, alternate = headrooms
    if base > alternate:
        raise BrokenGainMapError("its base picture is HDR")
    stops = [each for curve in curves for each in curve[:2]]
    offsets = [abs(each) for curve in curves for each in curve[3:]]
    sane = (
        all(map(math.isfinite, (*stops, *offsets, alternate)))
        and all(STOPS_RANGE[0] <= each <= STOPS_RANGE[1] for each in (*stops, alternate))
        and all(GAMMA_RANGE[0] <= curve.gamma <= GAMMA_RANGE[1] for curve in curves)
        and max(offsets) <= MAX_OFFSET
    )
    if not sane:
        raise BrokenGainMapError("its metadata are not plausible")
    each = curves[0], curves[len(curves) // 2], curves[-1]
    return GainMap(values=values, curves=each, headroom_stops=alternate)


def _fractions(content: bytes, place: int, *, common: bool) -> Callable[[str], float]:
    """Reader of one fraction after the other; its argument is the type of the numerator."""
    shared = 0
    if common:
        (shared,) = struct.unpack_from(">I", content, place)
        place += 4

    def number(kind: str) -> float:
        nonlocal place
        (numerator,) = struct.unpack_from(f">{kind}", content, place)
        denominator = shared or struct.unpack_from(">I", content, place + 4)[0]
        place += 4 if common else 8
        return float(numerator / denominator)

    return number


def _fraction(kind: str, value: float) -> bytes:
    return struct.pack(f">{kind}I", round(value * DENOMINATOR), DENOMINATOR)


def _text(value: float) -> str:
    """A number as the binary form has it, so that both forms agree."""
    return f"{round(value * DENOMINATOR) / DENOMINATOR:.9g}"


def _apple_xmp_headroom(packet: bytes | None) -> float | None:
    try:
        found = values_of(packet or b"", APPLE).get("HDRGainMapHeadroom", ())
        return float(found[0]) if found else None
    except (BrokenXmpError, ValueError):
        return None


def _apple_headroom(exif: bytes | None) -> float | None:
    """Headroom by two numbers of the maker note; None if it does not have both."""
    try:
        block = ExifBlock(exif or b"")
        note = block.entries(EXIF)[MAKER_NOTE].value.data
        if not note.startswith(APPLE_NOTE):
            return None
        numbers = _apple_numbers(note)
        first, second = numbers[APPLE_HEADROOM], numbers[APPLE_GAIN]
    except (BrokenExifError, KeyError, struct.error, ZeroDivisionError):
        return None
    if first < 1:
        stops = 1.8 - 20 * second if second <= 0.01 else 1.601 - 0.101 * second
    else:
        stops = 3.0 - 70 * second if second <= 0.01 else 2.303 - 0.303 * second
    return float(2 ** max(stops, 0))


def _apple_numbers(note: bytes) -> dict[int, Fraction]:
    """Signed fractions in the directory of the maker note, by tag."""
    (count,) = struct.unpack_from(">H", note, APPLE_DIRECTORY)
    found = {}
    for index in range(count):
        tag, kind, _, place = struct.unpack_from(">HHII", note, APPLE_DIRECTORY + 2 + 12 * index)
        if kind == SIGNED_RATIONAL and tag in (APPLE_HEADROOM, APPLE_GAIN):
            found[tag] = Fraction(*struct.unpack_from(">ii", note, place))
    return found
