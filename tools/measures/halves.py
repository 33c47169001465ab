"""Numbers over all pictures and over each half: the one that chooses defaults, and the other.

Every measured row names its half, `choosing` or `reporting`. A key of the whole becomes the keys of
the halves by a suffix.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Any

HALVES = ("choosing", "reporting")


def mean(values: Iterable[float]) -> float:
    """Mean of the values that are numbers; not a number where none is."""
    found = [value for value in values if not math.isnan(value)]
    return statistics.fmean(found) if found else math.nan


def largest(values: Iterable[float]) -> float:
    """Largest of the values that are numbers; not a number where none is."""
    return max((value for value in values if not math.isnan(value)), default=math.nan)


def by_halves(
    key: str,
    rows: Sequence[Any],
    value: Callable[[Any], float],
    reduce: Callable[[Iterable[float]], float] = mean,
) -> dict[str, float]:
    """Reduce the values of rows, of all and of each half; what is not a number is left out.

    Parameters
    ----------
    key : str
        Key of the whole.
    rows : sequence
        With an attribute `half`.
    value : callable
        Value of a row.
    reduce : callable
        Values to one.
    """
    parts = {key: rows} | {f"{key}_{h}": [row for row in rows if row.half == h] for h in HALVES}
    found = {name: reduce([value(row) for row in part]) for name, part in parts.items() if part}
    return {name: number for name, number in found.items() if not math.isnan(number)}


def print_halves(context: Any, results: dict[str, float]) -> None:
    """Print each key beside its halves."""
    whole = [key for key in results if not key.endswith(HALVES)]
    rows = [
        [key, results[key], *(results.get(f"{key}_{half}", "") for half in HALVES)] for key in whole
    ]
    context.table("by halves", ["key", "all", *HALVES], rows)
