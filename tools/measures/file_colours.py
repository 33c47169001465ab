"""Colours of files: SDR codings, written formats, HDR signals and gain maps."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from camerapipe.capture import Capture
from camerapipe.ingest import PICTURE_FORMATS, open_capture
from datasets import case_files
from datasets.coded_files import (
    PATCHES,
    coded,
    gamma_curve,
    patches_of,
    png_file,
    scene,
    srgb_curve,
)
from datasets.gain_map_files import Gain, apple_hdr_of, hdr_of, plain_jpeg
from measures.file_cases import (
    MAX_CODES,
    RNG_SEED,
    SHAPE,
    Floats,
    Found,
    Outcome,
    decoded,
    off_by,
    opened,
    rendered,
    smooth,
    writable_formats,
)
from stages.gain_map import hdr_light
from stages.tone import encode, linearise

MAX_HUE_DEG = 3.0  # of patches of HDR signals
MAX_HDR_ERROR = 0.03  # of HDR light, relative to it plus `HDR_FLOOR`
HDR_FLOOR = 0.1
BELOW_KNEE = slice(2, None)  # patches below half of reference white


def shown(path: Path) -> Floats:
    """Mean sRGB codes of the patches of a picture, as a colour-managed viewer shows it."""
    with Image.open(path) as image:
        profile = image.info.get("icc_profile")
        picture: Any = image.convert("RGB")
        if profile is not None:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            picture = ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"))
        return patches_of(np.asarray(picture))


def codings(folder: Path) -> Found:
    """Patches of all SDR codings, written as PNG and shown by LittleCMS."""
    outcomes, worst = [], 0.0
    for name, data in case_files.sdr_files().items():
        rendered(opened(folder, name, data), folder / "out.png", bits=8)
        errors = np.abs(shown(folder / "out.png") - PATCHES)
        worst = max(worst, float(errors.max()))
        outcomes.append(Outcome("SDR codings", name, off_by(errors, MAX_CODES)))
    return Found(outcomes, worst)


def formats(folder: Path) -> Found:
    """Patches written in every format, in codes of the primaries and curve of the picture."""
    spaces = {
        "sRGB": ("srgb", srgb_curve, []),
        "P3": ("p3", srgb_curve, [(b"cICP", bytes([12, 13, 0, 1]))]),
        "Adobe RGB": ("adobe", gamma_curve(2.2), [case_files.gama(45_455), case_files.CHRM]),
    }
    outcomes, worst = [], 0.0
    for space, (primaries, curve, chunks) in spaces.items():
        codes = coded(primaries, curve)
        path = opened(folder, "in.png", png_file(codes, chunks))
        for name in writable_formats():
            out = folder / f"out{PICTURE_FORMATS[name].suffixes[0]}"
            capture = rendered(path, out)
            errors = np.abs(_written_patches(out, name, capture) - _wanted(name, codes))
            worst = max(worst, float(errors.max()))
            outcomes.append(
                Outcome("written formats", f"{space}.{name}", off_by(errors, MAX_CODES))
            )
    return Found(outcomes, worst)


def _wanted(name: str, codes: Floats) -> Floats:
    return PATCHES if name == "jxl" else patches_of(codes)  # JPEG XL is always sRGB


def _written_patches(path: Path, name: str, capture: Capture) -> Floats:
    if name == "jxl":
        import imagecodecs

        return patches_of(imagecodecs.jpegxl_decode(path.read_bytes()))
    if name == "exr":
        import OpenEXR

        with OpenEXR.File(str(path)) as file:
            light = file.channels()["RGB"].pixels.astype(np.float32)
        return patches_of(encode(np.ascontiguousarray(light), capture.curve) * 255)
    back = open_capture(path)
    return patches_of(encode(back.linear, back.curve) * 255)


def hdr_signals(folder: Path) -> Found:
    """HDR signals: patches below half of white, hue of all, and a finding."""
    outcomes = []
    for name, data in case_files.hdr_files().items():
        capture = rendered(opened(folder, name, data), folder / "out.png", bits=8)
        found = shown(folder / "out.png")
        wrong = off_by(np.abs(found - PATCHES)[BELOW_KNEE], MAX_CODES)
        wrong = wrong or off_by(np.abs(_hues(found) - _hues(PATCHES)), MAX_HUE_DEG, "degrees")
        told = [each.code for each in capture.findings] == ["hdr_tone_mapped"]
        outcomes.append(Outcome("HDR signals", name, wrong or ("" if told else "not told")))
        rendered(folder / name, folder / "out.jpg", quality=100)
        wrong = _hdr_error(open_capture(folder / "out.jpg"), scene())
        outcomes.append(Outcome("HDR signals", f"{name}, HDR in a JPEG", wrong))
    return Found(outcomes)


def _hues(codes: Floats) -> Floats:
    """Hue angles of patches that are not grey, in the plane of opponent colours of linear light."""
    red, green, blue = linearise((codes / 255).astype(np.float32)[None]).astype(float)[0].T
    angles = np.degrees(np.arctan2(np.sqrt(3) * (green - blue), 2 * red - green - blue))
    return np.asarray(angles[np.ptp(codes, axis=1) > MAX_CODES])


def gain_maps(folder: Path) -> Found:
    """HDR light of gain maps: read, and after the picture was written again."""
    rng = np.random.default_rng(RNG_SEED)
    base, gains = (smooth(rng, *SHAPE, *more) for more in ((3,), ()))
    outcomes, missing = [], []
    light = linearise(decoded(plain_jpeg(base)))
    for name, data in case_files.gain_map_files(base, gains).items():
        map_codes = decoded(plain_jpeg(gains))
        apple = name.startswith("apple")
        right = apple_hdr_of(light, map_codes) if apple else hdr_of(light, map_codes, Gain())
        path = opened(folder, name, data)
        found = open_capture(path)
        wrong = _hdr_error(found, right)
        outcomes.append(Outcome("gain maps", f"{name}, read", wrong))
        out = folder / "out.jpg"
        rendered(path, out, quality=100)
        outcomes.append(
            Outcome("gain maps", f"{name}, written", _hdr_error(open_capture(out), right))
        )
        theirs = _by_libultrahdr(out)
        if theirs is None:
            missing.append("libultrahdr (imagecodecs), as an independent reader of gain maps")
            continue
        error = np.abs(theirs - right) / (right + HDR_FLOOR)
        wrong = off_by(np.array([np.percentile(error, 99)]), MAX_HDR_ERROR, "of HDR light")
        outcomes.append(Outcome("gain maps", f"{name}, by libultrahdr", wrong))
    return Found(outcomes, missing=tuple(dict.fromkeys(missing)))


def _hdr_error(capture: Capture, right: Floats) -> str:
    if capture.gain_map is None:
        return "no gain map"
    error = np.abs(hdr_light(capture.linear, capture.gain_map) - right) / (right + HDR_FLOOR)
    return off_by(np.array([np.percentile(error, 99)]), MAX_HDR_ERROR, "of HDR light")


def _by_libultrahdr(path: Path) -> Floats | None:
    try:
        import imagecodecs
    except ImportError:
        return None
    if not imagecodecs.ULTRAHDR.available:
        return None
    light = imagecodecs.ultrahdr_decode(path.read_bytes())
    return np.asarray(light[..., :3], np.float32)
