"""Type hints for the check of graphs: whether a result fits the argument of the next function."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from stages.kinds import Kind, Like

RETURN = "return"


def argument_hints(function: Callable[..., Any]) -> tuple[tuple[str, Any], ...]:
    """Names and hints of the arguments of a function, in order; `Any` if there is no hint."""
    hints = _hints(inspect.unwrap(function))
    return tuple((name, hints.get(name, Any)) for name in inspect.signature(function).parameters)


def result_hint(function: Callable[..., Any], given: Sequence[Any], *, anytime: bool) -> Any:
    """Hint of the result of a function, given the hints of its arguments.

    The result of an `anytime` function is the value of its estimates. If the result is `Like` an
    argument, its hint is that of the given value.
    """
    hint = _hints(inspect.unwrap(function)).get(RETURN, Any)
    if anytime and get_args(hint):  # Iterator[Estimate[value]]
        (estimate,) = get_args(hint)
        hint = get_args(estimate)[0] if get_args(estimate) else Any
    like = next((part for part in _notes(hint) if isinstance(part, Like)), None)
    if like is None:
        return hint
    names = [name for name, _ in argument_hints(function)]
    return given[names.index(like.argument)]


def fits(actual: Any, expected: Any) -> bool:
    """Whether every alternative of the hint `actual` fits an alternative of `expected`."""
    return all(any(_one_fits(a, b) for b in _alternatives(expected)) for a in _alternatives(actual))


def describe(hint: Any) -> str:
    """Text for a hint: its kind if it has one, else the name of its type."""
    return " or ".join(_describe_one(alternative) for alternative in _alternatives(hint))


@functools.lru_cache(maxsize=1024)
def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError):  # hints that are only defined for a type checker
        return {}


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _notes(hint: Any) -> tuple[Any, ...]:
    return hint.__metadata__ if get_origin(hint) is Annotated else ()


def _kind(hint: Any) -> Kind | None:
    return next((note for note in _notes(hint) if isinstance(note, Kind)), None)


def _base(hint: Any) -> Any:
    plain = hint.__origin__ if get_origin(hint) is Annotated else hint
    return get_origin(plain) or plain


def _one_fits(actual: Any, expected: Any) -> bool:
    base, wanted = _base(actual), _base(expected)
    if Any in (base, wanted) or isinstance(wanted, TypeVar):
        return True
    if isinstance(base, type) and isinstance(wanted, type):
        number = wanted is float and issubclass(base, int)
        if not (issubclass(base, wanted) or number):
            return False
    elif base is not wanted:
        return False
    return _kind(expected) is None or _kind(actual) == _kind(expected)


def _describe_one(hint: Any) -> str:
    kind, base = _kind(hint), _base(hint)
    return kind.name if kind else getattr(base, "__name__", str(base))
