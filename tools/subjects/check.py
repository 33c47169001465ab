"""The capture check against what people say of pictures, and against pictures spoilt on purpose.

Labels are those of `labels.json` beside the pictures: `defocus` (a weak verdict counts as right),
`all_in_focus`, `no_sharp`; `either` is left out. Pictures labelled `defocus` or `all_in_focus` are
spoilt in three ways, at the size at which the check looks at them: blurred, shaken along a line of
15 px (each in a direction of its own) and dark. A second table says how long a shake must be to be
found: straight and curved tracks, also as a camera makes them (in linear light, with noise and
compression afterwards).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

import camerapipe

Picture = npt.NDArray[np.float32]

SIDE_PX = 1280
LABELS = {
    "defocus": ("defocus_present", "defocus_weak"),
    "all_in_focus": ("everything_in_focus",),
    "no_sharp": ("no_sharp_subject",),
}
BLUR_PX, MOTION_PX, EXPOSURE, NOISE_CODES = 4.0, 15.0, 1 / 30, 4.0
LENGTHS_PX = (4, 6, 10, 15, 40)
BEND_RAD = 1.0  # between the headings at both ends of a curved track
SHOT_NOISE_CODES, SHOT_JPEG, GAMMA = 2.0, 85, 2.2
TURN_RAD = 2.4  # golden angle: directions of successive pictures are spread evenly
QUICK = 12


def measure(context: Any) -> dict[str, float]:
    """Print the confusion table, give the shares."""
    path = context.picture("labels.json")
    if path is None:
        return {}
    labels = {
        name: label for name, label in json.loads(path.read_text()).items() if label in LABELS
    }
    seen: dict[str, Counter[str]] = {}
    pairs: list[tuple[str, str]] = []
    wrong: list[list[str]] = []
    shaken: dict[str, list[list[bool]]] = {}
    for turn, (name, label) in enumerate(list(labels.items())[: QUICK if context.quick else None]):
        capture = context.picture(name)
        if capture is None:
            continue
        code = camerapipe.check(capture)[0].code
        seen.setdefault(label, Counter())[code] += 1
        pairs.append((label, code))
        if code not in LABELS[label]:
            wrong.append([name, label, code])
        picture = _small(capture)
        if picture is not None and label != "no_sharp" and not name.startswith("sequence"):
            for kind, (spoil, _) in SPOILT.items():
                verdict = camerapipe.check(spoil(picture, turn * TURN_RAD))[0].code
                seen.setdefault(kind, Counter())[verdict] += 1
            if not context.quick:
                for kind, found in _shaken_by_length(picture, turn * TURN_RAD).items():
                    shaken.setdefault(kind, []).append(found)
    codes = sorted({code for counts in seen.values() for code in counts})
    rows = [[kind, *(counts[code] for code in codes)] for kind, counts in seen.items()]
    context.table("verdicts", ["label", *codes], rows)
    context.table("wrong", ["picture", "label", "verdict"], wrong)
    rows = [[kind, *np.mean(found, axis=0)] for kind, found in shaken.items()]
    context.table("share found shaken, by length in px", ["track", *map(str, LENGTHS_PX)], rows)
    judged = [(label, code) for label, code in pairs if label in ("defocus", "all_in_focus")]
    recalls = {
        kind: seen[kind][code] / seen[kind].total()
        for kind, (_, code) in SPOILT.items()
        if kind in seen
    }
    return {
        "check.wrong_share": np.mean([code not in LABELS[label] for label, code in judged]).item(),
        "check.degraded_recall_min": min(recalls.values()),
    } | {f"check.recall_{kind}": share for kind, share in recalls.items()}


def _small(path: Any) -> Picture | None:
    """Encoded picture at the size of the check, where OpenCV reads it."""
    read = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if read is None:
        return None
    scale = min(SIDE_PX / max(read.shape), 1)
    small = cv2.resize(read, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small[:, :, ::-1], np.float32) / 255


def _eight_bits(picture: Picture) -> npt.NDArray[np.uint8]:
    return np.clip(np.rint(255 * picture), 0, 255).astype(np.uint8)


def _blurred(picture: Picture, angle: float) -> npt.NDArray[np.uint8]:
    return _eight_bits(cv2.GaussianBlur(picture, (0, 0), BLUR_PX))


def _track(length_px: float, angle: float, bend: float) -> Picture:
    """Kernel of a track of constant speed whose heading turns by `bend` on the way."""
    steps = np.linspace(-0.5, 0.5, max(round(16 * length_px), 2))
    heading = angle + bend * steps
    path = np.cumsum([np.sin(heading), np.cos(heading)], axis=1) * length_px / steps.size
    path -= path.mean(axis=1, keepdims=True)
    reach = int(np.ceil(np.abs(path).max())) + 1
    kernel = np.zeros((2 * reach + 1,) * 2, np.float32)
    corner = np.floor(path + reach).astype(int)
    y, x = path + reach - corner
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = np.abs(1 - down - y) * np.abs(1 - right - x)
        np.add.at(kernel, (corner[0] + down, corner[1] + right), share)
    return kernel / kernel.sum()


def _shaken(
    picture: Picture, angle: float, length_px: float = MOTION_PX, bend: float = 0.0
) -> npt.NDArray[np.uint8]:
    return _eight_bits(cv2.filter2D(picture, -1, _track(length_px, angle, bend)))


def _taken(picture: Picture, angle: float, length_px: float, bend: float) -> npt.NDArray[np.uint8]:
    """Shaken as a camera does it: in linear light, noise and compression afterwards."""
    moved = cv2.filter2D(picture**GAMMA, -1, _track(length_px, angle, bend))
    noise = np.random.default_rng(0).normal(0, SHOT_NOISE_CODES / 255, picture.shape)
    shot = _eight_bits(np.maximum(moved, 0) ** (1 / GAMMA) + noise.astype(np.float32))
    coded = cv2.imencode(".jpg", shot, [cv2.IMWRITE_JPEG_QUALITY, SHOT_JPEG])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


def _shaken_by_length(picture: Picture, angle: float) -> dict[str, list[bool]]:
    """Was the shake of each length found?"""
    ways = {
        "straight": partial(_shaken, bend=0.0),
        "curved": partial(_shaken, bend=BEND_RAD),
        "straight, noise and JPEG": partial(_taken, bend=0.0),
        "curved, noise and JPEG": partial(_taken, bend=BEND_RAD),
    }
    return {
        kind: [
            camerapipe.check(spoil(picture, angle, length_px=float(length)))[0].code == "shaken"
            for length in LENGTHS_PX
        ]
        for kind, spoil in ways.items()
    }


def _dark(picture: Picture, angle: float) -> npt.NDArray[np.uint8]:
    noise = np.random.default_rng(0).normal(0, NOISE_CODES / 255, picture.shape)
    return _eight_bits((EXPOSURE * picture**2.2) ** (1 / 2.2) * 0.5 + noise.astype(np.float32))


SPOILT: dict[str, tuple[Callable[[Picture, float], npt.NDArray[np.uint8]], str]] = {
    "blurred": (_blurred, "no_sharp_subject"),
    "shaken": (_shaken, "shaken"),
    "dark": (_dark, "too_dark_or_noisy"),
}
