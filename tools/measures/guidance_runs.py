"""All situations of `guidance` in two processes, and what comes of them."""

from __future__ import annotations

import multiprocessing
import statistics
from functools import partial
from typing import Any

from camerapipe.runtime import available_cores
from measures.guidance import Outcome, Situation, Situations, gain_at_start_db, play, shares

HEAD = [
    "scenery", "subject m", "gap m", "lux", "shake mrad", "reachable", "shot s", "good", "codes",
]  # fmt: skip
QUICK, GAINS, QUICK_GAINS = 8, 40, 2  # situations of a quick run, and with pictures


def measure(context: Any) -> dict[str, float]:
    """Shares of good ends and of false advice to shoot, and the gain of where people end."""
    found = Situations.read()
    count = QUICK if context.quick else found.table["count"]
    pictures = QUICK_GAINS if context.quick else GAINS
    situations = list(found.drawn(found.table["reporting_seed"], count))
    with multiprocessing.get_context("spawn").Pool(available_cores()) as pool:
        outcomes = pool.map(partial(_played, pictures), enumerate(situations), chunksize=1)
        ended = [each for each in outcomes if each.gain_db == each.gain_db]
        before = pool.map(_start, [each.situation for each in ended], chunksize=1)
    guided, false = shares(outcomes)
    context.table(
        "guidance",
        [
            "scenery",
            "subject m",
            "gap m",
            "lux",
            "shake mrad",
            "reachable",
            "shot s",
            "good",
            "codes",
        ],
        [_row(each) for each in outcomes if not each.good],
    )
    gained = [each.gain_db - start_db for each, start_db in zip(ended, before, strict=True)]
    results = {"camera.guided_share": guided, "camera.false_shoot": false}
    return results | ({"camera.guided_gain_db": statistics.median(gained)} if gained else {})


def _played(pictures: int, numbered: tuple[int, Situation]) -> Outcome:
    number, situation = numbered
    return play(situation, Situations.read(), with_gain=number < pictures)


def _start(situation: Situation) -> float:
    return gain_at_start_db(situation, Situations.read())


def _row(outcome: Outcome) -> list[Any]:
    return [*outcome.situation[:5], outcome.reachable, outcome.shot_s, outcome.good,
            " ".join(outcome.codes)]  # fmt: skip
