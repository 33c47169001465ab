"""Frames of a stream as pages show them: what is told of a frame, its picture, and its layers."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from camerapipe.ingest import colour_map
from camerapipe.optics import lens_facts, lens_from, with_meta
from camerapipe.stream.frames import Outcome
from camerapipe.stream.shown import Shown, codes_of
from camerapipe.stream.sinks import BRIGHTEST_SIGMA
from camerapipe.web.screen import jpeg
from stages.capture_check import UnknownOptics

LARGEST_PX = 1280 * 960  # pictures with more pixels are reduced
LARGEST_OVERLAY_PX = 640 * 480
QUALITY = 90  # of JPEG
CODES = 255
FAST = 1  # compression of zlib
INFINITE = 1e9  # for JSON, which has no infinity

Codes = npt.NDArray[np.uint8]


@dataclass(slots=True)
class Layers:
    """What a page lays over the picture."""

    map: bool = False
    peaking: bool = False


def told_of(outcome: Outcome) -> dict[str, Any]:
    """What is told of a frame, as plain data."""
    shown: Shown = outcome.value
    return {
        "seq": outcome.seq,
        "advice": {"text": shown.advice.text, "severity": shown.advice.severity},
        "findings": [found.message for found in shown.findings],
        "rung": shown.label,
        "reason": shown.reason,
        "blocked": shown.blocked,
        "latency_ms": outcome.age_ms,
        "spent_ms": shown.spent_ms,
        "budget_ms": shown.budget.total_ms,
        "late": not shown.in_time,
        "check": shown.check.level,
        "stages": [[row.name, row.used_ms] for row in shown.stages],
        "heat": shown.heat._asdict() if shown.heat else None,
        "optics": _optics(shown),
    }


def _optics(shown: Shown) -> dict[str, Any] | None:
    """What is known of the lens of a frame, and what follows from it."""
    capture = with_meta(shown.frame.capture, shown.meta)
    shape = (shown.image.shape[0], shown.image.shape[1])
    lens = lens_from(capture.meta, shape)
    if isinstance(lens, UnknownOptics):
        return None
    distance_m = shown.request.distance_m or capture.meta.subject_distance_m.value
    facts = lens_facts(lens, distance_m, shape)
    return {
        "lens": f"{lens.focal_length_mm:.3g} mm f/{lens.f_number:.3g}",
        **{name: min(value, INFINITE) for name, value in facts.items()},
    }


def packed(shown: Shown, layers: Layers) -> tuple[dict[str, Any], bytes]:
    """The picture (JPEG) and, after it, what is laid over it (codes from 0 to 255, by zlib)."""
    height, width = shown.image.shape[:2]
    picture = jpeg(_reduced(shown.image, LARGEST_PX), quality=QUALITY, subsampled=True)
    header: dict[str, Any] = {"frame": [width, height], "picture_bytes": len(picture)}
    planes = []
    if layers.map and shown.blur_map is not None:
        top_px = BRIGHTEST_SIGMA * max(width, height)
        planes.append(_codes(shown.blur_map.sigma, CODES / top_px))
        header["map"] = {**_size(planes[-1]), "top_px": top_px}
    if layers.peaking and shown.evidence is not None:
        planes.append(_codes(shown.evidence.confidence, CODES))
        header["peaking"] = _size(planes[-1])
    layers_codes = zlib.compress(b"".join(map(bytes, planes)), FAST) if planes else b""
    return header, b"".join((picture, layers_codes))


def palette() -> bytes:
    """Colours of the codes of a map: 256 times RGB."""
    ramp = np.linspace(0, 1, CODES + 1, dtype=np.float32)[None]
    return codes_of(colour_map(ramp, 1.0)).tobytes()


def _codes(values: npt.NDArray[np.float32], scale: float) -> Codes:
    step = int(np.ceil(np.sqrt(max(values.size / LARGEST_OVERLAY_PX, 1))))
    codes = np.clip(np.rint(values[::step, ::step] * scale), 0, CODES)
    return np.ascontiguousarray(codes, np.uint8)


def _size(plane: Codes) -> dict[str, int]:
    return {"width": plane.shape[1], "height": plane.shape[0]}


def _reduced(image: Codes, most_px: int) -> Codes:
    pixels = image.shape[0] * image.shape[1]
    if pixels <= most_px:
        return image
    factor = (most_px / pixels) ** 0.5
    size = max(round(image.shape[1] * factor), 1), max(round(image.shape[0] * factor), 1)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
