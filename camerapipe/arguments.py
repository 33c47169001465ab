"""Arguments as callers give them, as plain values; a `RequestError` names the one that is wrong."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from camerapipe.errors import RequestError

Point = tuple[float, float]  # x, y in px
NO_BOUND = -math.inf


def point_of(name: str, value: Any, expected: str = "a point (x, y) in px") -> Point:
    """A point from two finite numbers, in any sequence or array."""
    try:
        x, y = (number_of(name, each) for each in value)
    except (TypeError, ValueError):
        raise RequestError(f"{name}: expected {expected}; got {value!r}") from None
    return x, y


def focus_of(value: Any) -> tuple[Point | None, float | None]:
    """What is to be in focus: a point (x, y), or a distance in metres; both None without it."""
    if value is None:
        return None, None
    if is_number(value):
        return None, float(value)
    return point_of("focus", value, "a point (x, y) in px, or a distance in metres"), None


def number_of(name: str, value: Any, *, above: float = NO_BOUND, unit: str = "") -> float:
    """A finite number above a bound."""
    if not is_number(value) or not above < value < math.inf:
        bound = "" if above == NO_BOUND else f" above {above:g}"
        raise RequestError(f"{name}: expected a number{bound}{unit}; got {value!r}")
    return float(value)


def flag_of(name: str, value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool | np.bool_):
        raise RequestError(f"{name}: expected True or False; got {value!r}")
    return bool(value)


def workers_of(value: Any) -> int | None:
    """A number of threads; None stays None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise RequestError(f"workers: expected a whole number; got {value!r}")
    if value < 1:
        raise RequestError(f"workers: expected at least 1; got {value}")
    return int(value)


def names_of(name: str, value: Any) -> tuple[str, ...]:
    """Names, in any iterable but a text."""
    if isinstance(value, str) or not np.iterable(value):
        raise RequestError(f"{name}: expected a sequence of names; got {value!r}")
    return tuple(str(each) for each in value)


def is_number(value: Any) -> bool:
    """Whether a value is one real number; `True` and `False` are none."""
    real = isinstance(value, int | float | np.integer | np.floating)
    return real and not isinstance(value, bool)
