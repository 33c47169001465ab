"""ICC profiles: the tone curve of a picture, or its conversion to sRGB.

If a profile has a matrix and three equal tone curves (nearly every camera and screen profile), or
one grey curve, the curve becomes a `ToneCurve`. The picture is linearised by it, keeps its
primaries, and is written with the same profile. Pictures with other profiles (tables, CMYK, curves
that differ between channels) are converted to sRGB by LittleCMS, at 8 bits, with a finding. A
broken profile is ignored.

The layout of profiles and of the tags 'curv' and 'para' is that of ICC.1:2022, sections 7.2, 10.6
and 10.18.
"""

from __future__ import annotations

import io
import struct
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from camerapipe.ingest.colorimetry import BT709, D65, Primaries, adaptation, xyz
from camerapipe.ingest.profiles import DATE_BYTE, PROFILE_DATE
from stages.findings import Finding, Severity
from stages.tone import ToneCurve, curve_from

MAX_BYTES = 16 << 20  # the largest press profiles have a few MB
MAX_TAGS = 1000  # real profiles have about 20
CURVES_DIFFER = 1 / 255  # of linear light; up to this difference, curves are treated as equal
HEADER_BYTES = 128

Floats = npt.NDArray[np.float64]


class BrokenProfileError(ValueError):
    """A profile that lacks required data, or has invalid data."""


def curve_of(profile: bytes, *, grey: bool) -> ToneCurve | None:
    """Tone curve of a profile.

    Parameters
    ----------
    profile : bytes
        ICC profile.
    grey : bool
        Whether the picture is grey; otherwise it is RGB.

    Returns
    -------
    ToneCurve or None
        None if the profile has no single curve (tables, curves that differ between channels). The
        picture must then be converted.

    Raises
    ------
    BrokenProfileError
        If the profile cannot be used at all.
    """
    try:
        tags = _tags(profile)
        expected = b"GRAY" if grey else b"RGB "
        if profile[16:20] != expected:
            raise BrokenProfileError(f"it is made for {profile[16:20].decode('latin-1')!r} data")
        curves = [_decode(tags[name]) for name in ((b"kTRC",) if grey else _RGB_CURVES)]
    except KeyError:
        return None
    except (ValueError, struct.error) as error:
        raise BrokenProfileError(str(error)) from error
    if not grey and (b"A2B0" in tags or not _close(curves)):
        return None
    return curve_from("profile", lambda code: np.interp(code, _CODES, curves[0]))


def cicp_of(profile: bytes) -> tuple[int, int, bool] | None:
    """Code points of a profile: primaries, transfer, full range (tag 'cicp', ICC.1:2022, 10.3).

    None if there are none.
    """
    try:
        tag = _tags(profile).get(b"cicp")
    except (ValueError, struct.error):
        return None
    if tag is None or len(tag) < 12:
        return None
    return tag[8], tag[9], bool(tag[11])


def primaries_of(profile: bytes | None) -> Primaries:
    """Primaries of an RGB profile, for white at D65; those of sRGB if it states none.

    The columns of its matrix are adapted to D50 (ICC.1:2022, 9.2.44).
    """
    try:
        tags = _tags(profile or b"")
        columns = [struct.unpack_from(">3i", tags[name], 8) for name in _COLUMNS]
        rows = np.linalg.solve(adaptation(xyz(D65)), np.array(columns, np.float64).T / 65536).T
        red, green, blue = ((float(x / s), float(y / s)) for x, y, _ in rows
                            if (s := float(x + y + _)))  # fmt: skip
    except (KeyError, ValueError, struct.error):
        return BT709
    return Primaries(D65, red, green, blue)


def to_srgb(
    colour: npt.NDArray[Any], profile: bytes
) -> tuple[npt.NDArray[Any], bytes | None, Finding]:
    """Convert grey or RGB codes to sRGB.

    Parameters
    ----------
    colour : array
        HxW or HxWx3, uint8, uint16 or float.
    profile : bytes
        ICC profile of the codes.

    Returns
    -------
    (array, bytes or None, Finding)
        The converted codes (8 bits), their profile, and a finding. If LittleCMS refuses the
        profile, or if the codes are floating-point numbers, the codes are returned unchanged, with
        None and a finding that the profile was ignored.
    """
    if colour.dtype.kind == "f":
        finding = ignored(ValueError("a floating-point picture is taken as linear sRGB"))
        return colour, None, finding
    codes = (colour >> 8).astype(np.uint8) if colour.dtype == np.uint16 else colour
    try:
        converted, finding = convert(Image.fromarray(np.ascontiguousarray(codes)), profile)
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        return colour, None, ignored(error)
    rgb = np.asarray(converted)
    return (rgb[..., 0] if colour.ndim == 2 else rgb), srgb_profile(), finding


def convert(image: Image.Image, profile: bytes) -> tuple[Image.Image, Finding]:
    """Convert a picture of any mode to sRGB by its profile; return it with a finding."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    target = ImageCms.ImageCmsProfile(io.BytesIO(srgb_profile()))
    result = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    assert result is not None  # only inPlace returns None
    return result, Finding(
        "profile_converted",
        Severity.INFO,
        "The colour profile of this file cannot be kept: it was converted to sRGB, at 8 bits.",
    )


@cache
def srgb_profile() -> bytes:
    """A small sRGB profile, for pictures that this program encodes; always the same bytes."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    struct.pack_into(">6H", made, DATE_BYTE, *PROFILE_DATE)  # instead of the time of this call
    return bytes(made)


def ignored(error: Exception) -> Finding:
    """Finding for a profile that cannot be used."""
    words = " ".join(str(error).split()) or type(error).__name__
    message = f"The embedded colour profile was ignored ({words}); sRGB is assumed."
    return Finding("profile_ignored", Severity.INFO, message)


_COLUMNS = (b"rXYZ", b"gXYZ", b"bXYZ")
_RGB_CURVES = (b"gTRC", b"rTRC", b"bTRC")  # the first one, green, is used if they are equal
_CODES: Floats = np.linspace(0, 1, 4096)  # finer than any table found in profiles


def _tags(profile: bytes) -> dict[bytes, bytes]:
    """Contents of the tags of a profile, by signature."""
    if len(profile) > MAX_BYTES:
        raise BrokenProfileError(f"{len(profile)} bytes are too many")
    if len(profile) < HEADER_BYTES + 4 or profile[36:40] != b"acsp":
        raise BrokenProfileError("it has no valid header")
    (count,) = struct.unpack_from(">I", profile, HEADER_BYTES)
    if count > MAX_TAGS:
        raise BrokenProfileError(f"it claims {count} tags")
    rows = struct.iter_unpack(">4sII", profile[HEADER_BYTES + 4 : HEADER_BYTES + 4 + 12 * count])
    return {name: profile[offset : offset + size] for name, offset, size in rows}


def _close(curves: list[Floats]) -> bool:
    """Whether curves are equal up to `CURVES_DIFFER`."""
    return all(float(np.abs(curve - curves[0]).max()) <= CURVES_DIFFER for curve in curves)


def _decode(tag: bytes) -> Floats:
    """Linear values of `_CODES` according to a curve tag."""
    if tag[:4] == b"curv":
        values = _sampled(tag)
    elif tag[:4] == b"para":
        values = _parametric(tag)
    else:
        raise BrokenProfileError(f"a tone curve of type {tag[:4].decode('latin-1')!r}")
    if not np.all(np.isfinite(values)) or np.any(np.diff(values) < 0) or values[-1] <= values[0]:
        raise BrokenProfileError("its tone curve falls or is flat")
    return values


def _sampled(tag: bytes) -> Floats:
    """Values of a tag 'curv': without entries the identity, with one a gamma, else a table."""
    (count,) = struct.unpack_from(">I", tag, 8)
    table = np.frombuffer(tag[12 : 12 + 2 * count], ">u2").astype(np.float64)
    if table.size != count:
        raise BrokenProfileError("its tone curve is cut off")
    if count == 0:
        return _CODES
    if count == 1:
        return np.asarray(_CODES ** (table[0] / 256))
    return np.interp(_CODES, np.linspace(0, 1, count), table / 65535)


def _parametric(tag: bytes) -> Floats:
    """Values of a tag 'para': (a x + b)^g + e for x >= d, else c x + f.

    Types 0 to 4 have 1 to 7 of the parameters g, a, b, c, d, e, f.
    """
    (kind,) = struct.unpack_from(">H", tag, 8)
    if kind > 4:
        raise BrokenProfileError(f"a parametric tone curve of type {kind}")
    values = [v / 65536 for v in struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}i", tag, 12)]
    gamma, a, b, c, d, e, f = values + [1.0, 0.0, 0.0, 0.0, 0.0, 0.0][len(values) - 1 :]
    if kind in (1, 2):  # the linear part is constant, and applies where a x + b is negative
        shift = c if kind == 2 else 0.0
        c, d, e, f = 0.0, (-b / a if a else 0.0), shift, shift
    power: Floats = np.maximum(a * _CODES + b, 0) ** gamma + e
    return np.clip(np.where(d <= _CODES, power, c * _CODES + f), 0, 1)
