"""The capture check against what people say of pictures, and against pictures spoilt on purpose.

Labels are those of `labels.json` beside the pictures: `defocus` (a weak verdict counts as right),
`all_in_focus`, `no_sharp`; `either` is left out. Pictures labelled `defocus` or `all_in_focus` are
spoilt in three ways, at the size at which the check looks at them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
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
BLUR_PX, MOTION_PX, EXPOSURE, NOISE_CODES = 4.0, 15, 1 / 30, 4.0
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
    for name, label in list(labels.items())[: QUICK if context.quick else None]:
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
                verdict = camerapipe.check(spoil(picture))[0].code
                seen.setdefault(kind, Counter())[verdict] += 1
    codes = sorted({code for counts in seen.values() for code in counts})
    rows = [[kind, *(counts[code] for code in codes)] for kind, counts in seen.items()]
    context.table("verdicts", ["label", *codes], rows)
    context.table("wrong", ["picture", "label", "verdict"], wrong)
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


def _blurred(picture: Picture) -> npt.NDArray[np.uint8]:
    return _eight_bits(cv2.GaussianBlur(picture, (0, 0), BLUR_PX))


def _shaken(picture: Picture) -> npt.NDArray[np.uint8]:
    line = np.full((1, MOTION_PX), 1 / MOTION_PX, np.float32)
    return _eight_bits(cv2.filter2D(picture, -1, line))


def _dark(picture: Picture) -> npt.NDArray[np.uint8]:
    noise = np.random.default_rng(0).normal(0, NOISE_CODES / 255, picture.shape)
    return _eight_bits((EXPOSURE * picture**2.2) ** (1 / 2.2) * 0.5 + noise.astype(np.float32))


SPOILT: dict[str, tuple[Callable[[Picture], npt.NDArray[np.uint8]], str]] = {
    "blurred": (_blurred, "no_sharp_subject"),
    "shaken": (_shaken, "shaken"),
    "dark": (_dark, "too_dark_or_noisy"),
}
