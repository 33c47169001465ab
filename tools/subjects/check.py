"""The capture check against what people say of pictures, and against pictures spoilt on purpose.

`measures.check_cases` has the kinds: straight lines, vignettes and image circles, small files, in
focus, defocused, and what was blurred, shaken or darkened on purpose; some also as a frame of a
stream. Without the pictures of `--data` only the kinds made from nothing and from scikit-image's
textures are measured. Half of the pictures chooses thresholds, the other half reports, by name.
A further table says how long a shake must be to be found.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from measures import spoiling
from measures.check_cases import SIDE_PX, TURN_RAD, Case, cases, sources
from measures.halves import HALVES, print_halves
from measures.spoiling import Codes, Picture

import camerapipe
from camerapipe.assembly import Request, sources_of
from camerapipe.costs import Costs
from camerapipe.ingest import capture_from_array
from camerapipe.runner import Pace, run
from camerapipe.settings import resolve
from camerapipe.stream.rungs import ready_checks, ready_rungs

WRONG = {  # kinds whose share of wrong verdicts is measured, and their keys
    "in focus": "in_focus", "defocused": "defocused", "small files": "small",
    "lines": "lines", "vignettes and fisheyes": "rims", "lines, live": "lines_live",
    "in focus, live": "in_focus_live", "defocused, live": "defocused_live",
}  # fmt: skip
FOUND = {  # kinds whose share of right verdicts is measured
    "blurred": "blurred", "shaken": "shaken", "dark": "dark",
    "shaken along a curve": "curved", "blurred by 2 px": "slight",
    "small, blurred": "small_blurred", "small, shaken": "small_shaken",
    "shaken, live": "shaken_live",
}  # fmt: skip
GOAL_KINDS = ("in focus", "defocused", "small files", "lines", "vignettes and fisheyes")
SPOILT = ("blurred", "shaken", "dark")
LENGTHS_PX = (4, 6, 10, 15, 40)
BEND_RAD = 1.0  # between the headings at both ends of a curved track
QUICK_EVERY = 4


class Judged(NamedTuple):
    """A case and its verdict."""

    case: Case
    code: str

    @property
    def wrong(self) -> bool:
        """Whether the verdict is none of the right ones."""
        return self.code not in self.case.right


def measure(context: Any) -> dict[str, float]:
    """Print verdicts and shares, give the shares of all pictures and of each half."""
    every = QUICK_EVERY if context.quick else 1
    judged = [
        Judged(case, _verdict(case))
        for number, case in enumerate(cases(context))
        if number % every == 0 and context.wants(case.kind)
    ]
    codes = sorted({each.code for each in judged})
    rows, wrong = [], []
    for kind in dict.fromkeys(each.case.kind for each in judged):
        seen = Counter(each.code for each in judged if each.case.kind == kind)
        rows.append([kind, *(seen[code] for code in codes)])
        wrong += [[kind, each.case.name, each.case.half, each.code]
                  for each in judged if each.case.kind == kind and each.wrong]  # fmt: skip
    context.table("verdicts", ["kind", *codes], rows)
    context.table("wrong", ["kind", "picture", "half", "verdict"], wrong)
    results: dict[str, float] = {}
    for half in (None, *HALVES):
        part = [each for each in judged if half in (None, each.case.half)]
        suffix = f"_{half}" if half else ""
        results |= {f"{key}{suffix}": value for key, value in _shares(part).items()}
    print_halves(context, results)
    if not context.quick and context.wants("length"):
        _print_lengths(context)
    return results


def _shares(judged: list[Judged]) -> dict[str, float]:
    """Shares by kind: wrong ones, and found ones."""
    wrong = {
        kind: float(np.mean([each.wrong for each in judged if each.case.kind == kind]))
        for kind in {each.case.kind for each in judged}
    }
    found = {f"check.wrong_{key}": wrong[kind] for kind, key in WRONG.items() if kind in wrong}
    found |= {
        f"check.recall_{key}": 1 - wrong[kind] for kind, key in FOUND.items() if kind in wrong
    }
    if any(kind in wrong for kind in GOAL_KINDS):
        found["check.wrong_share"] = max(wrong[kind] for kind in GOAL_KINDS if kind in wrong)
    if any(kind in wrong for kind in SPOILT):
        found["check.degraded_recall_min"] = min(1 - wrong[k] for k in SPOILT if k in wrong)
    return found


def _verdict(case: Case) -> str:
    made = case.make()
    if not case.live:
        return camerapipe.check(made)[0].code
    assert not isinstance(made, Path)  # frames are arrays
    return live_verdict(made)


def live_verdict(codes: Codes) -> str:
    """Verdict on the first frame of a stream, by the best level of the check."""
    settings, capture = resolve(), capture_from_array(codes, "srgb")
    sources = sources_of(capture, Request(settings=settings), memory=None)
    rung, check = ready_rungs(settings)[0], ready_checks(settings)[0]
    pace = Pace(megapixels=codes.size / 3e6, costs=Costs())
    sources |= run(rung.see, sources, rung.params, pace).values
    return str(run(check.graph, sources, check.params, pace).values["findings"][0].code)


def _print_lengths(context: Any) -> None:
    """Table of the share found shaken, by length and shape of the track."""
    shaken: dict[str, list[list[bool]]] = {}
    for turn, source in enumerate(sources(context)):
        picture = source.load(SIDE_PX)
        if picture is not None and max(picture.shape) == SIDE_PX:
            for kind, found in _by_length(picture, turn * TURN_RAD).items():
                shaken.setdefault(kind, []).append(found)
    rows = [[kind, *np.mean(found, axis=0)] for kind, found in shaken.items()]
    context.table("share found shaken, by length in px", ["track", *map(str, LENGTHS_PX)], rows)


def _by_length(picture: Picture, angle: float) -> dict[str, list[bool]]:
    """Was the shake of each length found?"""
    ways = {"": spoiling.spread, ", noise and JPEG": spoiling.taken}
    shapes = {"straight": 0.0, "curved": BEND_RAD}
    return {
        shape + way: [
            camerapipe.check(make(picture, track(float(length))))[0].code == "shaken"
            for length in LENGTHS_PX
        ]
        for way, make in ways.items()
        for shape, bend in shapes.items()
        for track in (partial(spoiling.track, angle=angle, bend=bend),)
    }
