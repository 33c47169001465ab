"""Colour coding: the tone curve and primaries by which codes become light, for all formats.

Files state them in many ways: an ICC profile, code points of ITU-T H.273 (cICP in PNG, nclx in HEIF
and AVIF, tags of videos), chunks of PNG (sRGB, gAMA, cHRM), EXIF ColorSpace with the
Interoperability index of DCF. A reader collects them in `ColourTags`, and only `coding_of` decides.

Precedence (the first statement that is present counts):

- PNG: cICP, iCCP, sRGB, gAMA with cHRM, EXIF (PNG specification, third edition, section 4.3)
- HEIF and AVIF: ICC, nclx, EXIF (ISO/IEC 23000-22: a profile is the better description). If an nclx
  or a tag 'cicp' of the profile states an HDR signal, it has precedence over the profile.
- all others: ICC, EXIF. Without any statement: sRGB.

A picture keeps its primaries and its curve. If the file has no profile for them, one is made and
written with the picture. Linear and HDR signals are written with the sRGB curve, because 8 bits are
not enough for linear light.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from camerapipe.ingest.colorimetry import (
    ADOBE_RGB,
    BT709,
    BT2020,
    DISPLAY_P3,
    H273_PRIMARIES,
    UNSPECIFIED,
    Primaries,
    same,
    to_xyz,
)
from camerapipe.ingest.exif import EXIF, INTEROPERABILITY, BrokenExifError, ExifBlock
from camerapipe.ingest.hdr import HLG, NAMES, PQ
from camerapipe.ingest.icc import BrokenProfileError, cicp_of, curve_of, ignored
from camerapipe.ingest.profiles import Gamma, grey_profile, rgb_profile
from stages.findings import Finding, Severity
from stages.tone import LINEAR, SRGB, ToneCurve, curve_from

COLOUR_SPACE, INTEROP_INDEX = 0xA001, 0x0001  # tags
SRGB_SPACE, ADOBE_SPACE = 1, 2  # EXIF ColorSpace; 2 is none of the standard
R03 = "R03"  # Interoperability index of DCF for Adobe RGB
ADOBE_GAMMA = 563 / 256  # Adobe RGB (1998) color image encoding, section 4.3.4.2
SRGB_GAMMA = 2.2
SRGB_GAMMA_SLACK = 0.03  # with the primaries of sRGB, a gAMA near 45455 means the curve of sRGB
GAMMA_RANGE = (0.2, 10.0)
LINEAR_SLACK = 0.02
# Transfer characteristics of ITU-T H.273, table 3. Pictures tagged with camera curves of SDR video
# are made to be looked at on the same displays as sRGB, and are read as sRGB by viewers.
H273_GAMMA = {4: 2.2, 5: 2.8, 8: 1.0}
LIKE_SRGB = (1, UNSPECIFIED, 6, 7, 13, 14, 15)


class Cicp(NamedTuple):
    """Code points of ITU-T H.273."""

    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    full_range: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourTags:
    """Statements of a file about its colour.

    `cicp_first` selects the precedence of PNG. `gamma` is the exponent from codes to light (the
    inverse of gAMA). `space` is EXIF ColorSpace, `interop` the Interoperability index. `floats`
    tells that samples are floating-point numbers, which are linear light without other statements.
    """

    icc: bytes | None = None
    cicp: Cicp | None = None
    cicp_first: bool = False
    srgb: bool = False
    gamma: float | None = None
    primaries: Primaries | None = None
    space: int | None = None
    interop: str | None = None
    floats: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """Conversion of codes to light, and encoding of the written picture.

    `curve` is that of the codes, and `written` with `profile` that of the written picture. If
    `convert` is set, codes are first converted to sRGB by the profile. `hdr` is the transfer of an
    HDR signal; its light is converted to SDR with the primaries of sRGB. `primaries` are those of
    the codes, where they are stated by code points or chromaticities.
    """

    curve: ToneCurve = SRGB
    written: ToneCurve = SRGB
    profile: bytes | None = None
    convert: bool = False
    hdr: int | None = None
    primaries: Primaries = BT709
    full_range: bool = True
    findings: tuple[Finding, ...] = ()


def coding_of(tags: ColourTags, *, grey: bool) -> Coding:
    """Decide the coding of a grey or an RGB picture.

    Parameters
    ----------
    tags : ColourTags
        Statements of the file.
    grey : bool
        Whether the picture has one colour channel.

    Returns
    -------
    Coding
        With findings about statements that cannot be used or kept.
    """
    hdr = _hdr(tags)
    if hdr is not None:
        return hdr
    findings: tuple[Finding, ...] = ()
    if tags.cicp is not None and tags.cicp_first:
        return _by_code_points(tags.cicp, grey=grey)
    if tags.icc:
        found = _by_profile(tags.icc, grey=grey)
        if found.profile is not None:
            return found
        findings = found.findings
    rest = _without_profile(tags, grey=grey)
    return Coding(
        curve=rest.curve,
        written=rest.written,
        profile=rest.profile,
        primaries=rest.primaries,
        full_range=rest.full_range,
        findings=findings + rest.findings,
    )


def with_exif(tags: ColourTags, block: bytes | None) -> ColourTags:
    """Colour tags with the statements of an EXIF block added."""
    try:
        exif = ExifBlock(block or b"")
    except BrokenExifError:
        return tags
    space = exif.number(EXIF, COLOUR_SPACE)
    return replace(tags, space=space, interop=exif.text(INTEROPERABILITY, INTEROP_INDEX))


def _without_profile(tags: ColourTags, *, grey: bool) -> Coding:
    if tags.floats:
        return Coding(curve=LINEAR)
    if tags.cicp is not None:
        return _by_code_points(tags.cicp, grey=grey)
    if tags.srgb:
        return Coding()
    if tags.gamma is not None or tags.primaries is not None:
        return _by_chunks(tags.gamma, tags.primaries, grey=grey)
    return _by_exif(tags, grey=grey)


def _hdr(tags: ColourTags) -> Coding | None:
    """An HDR signal, by code points of the file or of its profile."""
    stated = [tags.cicp]
    if tags.icc and not (tags.cicp is not None and tags.cicp_first):
        points = cicp_of(tags.icc)
        stated.append(None if points is None else Cicp(*points))
    for cicp in stated:
        if cicp is not None and cicp.transfer in (PQ, HLG):
            message = (
                f"The picture is HDR ({NAMES[cicp.transfer]}): its SDR picture is made by tone "
                "mapping, and is sRGB."
            )
            return Coding(
                hdr=cicp.transfer,
                primaries=H273_PRIMARIES.get(cicp.primaries, BT2020),
                full_range=cicp.full_range,
                findings=(Finding("hdr_tone_mapped", Severity.INFO, message),),
            )
    return None


def _by_profile(profile: bytes, *, grey: bool) -> Coding:
    try:
        curve = curve_of(profile, grey=grey)
    except BrokenProfileError as error:
        return Coding(findings=(ignored(error),))
    if curve is None:
        return Coding(profile=profile, convert=True)
    return Coding(curve=curve, written=curve, profile=profile)


def _by_code_points(cicp: Cicp, *, grey: bool) -> Coding:
    findings = []
    primaries = H273_PRIMARIES.get(cicp.primaries)
    if primaries is None:
        primaries = BT709
        if cicp.primaries != UNSPECIFIED:
            findings.append(_unknown(f"primaries {cicp.primaries}"))
    exponent = H273_GAMMA.get(cicp.transfer)
    if exponent is None and cicp.transfer not in LIKE_SRGB:
        findings.append(_unknown(f"transfer characteristics {cicp.transfer}"))
    return _stated(primaries, Gamma(exponent), grey, cicp.full_range, findings)


def _by_chunks(gamma: float | None, primaries: Primaries | None, *, grey: bool) -> Coding:
    """The chunks gAMA and cHRM of a PNG."""
    findings = []
    if gamma is not None and not GAMMA_RANGE[0] <= gamma <= GAMMA_RANGE[1]:
        findings.append(_unknown(f"gamma of {gamma:g}"))
        gamma = None
    try:
        to_xyz(primaries or BT709)
    except ValueError as error:
        findings.append(_unknown(f"chromaticities: {error}"))
        primaries = None
    primaries = primaries or BT709
    usual = gamma is None or abs(gamma - SRGB_GAMMA) < SRGB_GAMMA_SLACK
    if usual and (grey or same(primaries, BT709)):
        gamma = None
    return _stated(primaries, Gamma(gamma), grey, True, findings)


def _by_exif(tags: ColourTags, *, grey: bool) -> Coding:
    """Coding by EXIF ColorSpace: sRGB, or Adobe RGB as in DCF (JEITA CP-3461B) and elsewhere."""
    adobe = tags.space == ADOBE_SPACE or (tags.space != SRGB_SPACE and tags.interop == R03)
    return _stated(ADOBE_RGB, Gamma(ADOBE_GAMMA), grey, True, []) if adobe else Coding()


def _stated(
    primaries: Primaries, gamma: Gamma, grey: bool, full_range: bool, findings: list[Finding]
) -> Coding:
    """A coding by primaries and an exponent (None: sRGB's curve), with a profile made for it."""
    curve = SRGB if gamma.exponent is None else _power(gamma.exponent)
    linear = gamma.exponent is not None and abs(gamma.exponent - 1) < LINEAR_SLACK
    written, kept = (SRGB, Gamma()) if linear else (curve, gamma)
    profile = None
    if grey and kept.exponent is not None:
        profile = grey_profile(_name(None, kept), kept)
    elif not grey and (kept.exponent is not None or not same(primaries, BT709)):
        profile = rgb_profile(_name(primaries, kept), primaries, kept)
    return Coding(
        curve=curve,
        written=written,
        profile=profile,
        primaries=primaries,
        full_range=full_range,
        findings=tuple(findings),
    )


def _power(exponent: float) -> ToneCurve:
    if abs(exponent - 1) < LINEAR_SLACK:
        return LINEAR
    return curve_from(f"gamma {exponent:.4g}", lambda code: code**exponent)


def _name(primaries: Primaries | None, gamma: Gamma) -> str:
    """Description of a profile that is made here."""
    known = {ADOBE_RGB: "compatible with Adobe RGB (1998)", DISPLAY_P3: "Display P3"}
    space = known.get(primaries, "RGB") if primaries is not None else "Grey"
    curve = "sRGB curve" if gamma.exponent is None else f"gamma {gamma.exponent:.4g}"
    return f"{space}, {curve}"


def _unknown(what: str) -> Finding:
    message = f"The file states {what}, which cannot be used; sRGB is assumed there."
    return Finding("coding_ignored", Severity.INFO, message)
