"""One table of what is measured: key, subject, goal. `bench.py --list` prints it."""

from __future__ import annotations

from typing import NamedTuple


class Goal(NamedTuple):
    """A measured number: its subject in `bench.py`, and what it should be."""

    key: str
    subject: str
    goal: str  # "reported" where there is no threshold
    meaning: str


GOALS = (
    Goal("e2e.total_ms_0.5mp", "e2e", "reported", "whole job, JPEG in and out, median photograph"),
    Goal("e2e.total_ms_2mp", "e2e", "reported", "the same at 2 MP"),
    Goal("e2e.total_ms_12mp", "e2e", "reported", "the same at 12 MP"),
    Goal("e2e.peak_mb_0.5mp", "e2e", "reported", "highest resident memory of the process, MB"),
    Goal("e2e.peak_mb_2mp", "e2e", "reported", "the same at 2 MP"),
    Goal("e2e.peak_mb_12mp", "e2e", "reported", "the same at 12 MP"),
    Goal("e2e.over_gauss_0.5mp", "e2e", "reported", "job / cv2.GaussianBlur sigma 8 of the same"),
    Goal("e2e.over_gauss_2mp", "e2e", "reported", "the same at 2 MP"),
    Goal("e2e.over_gauss_12mp", "e2e", "reported", "the same at 12 MP"),
)
