"""What all stages share: the array type, the base of parameters, and the anytime estimate.

A parameter is declared once, as a dataclass field made by `param`: default, range, unit and help.
The command line, the settings file, the documentation and the error messages are derived from it.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field, fields
from typing import Any, Generic, NamedTuple, Self, TypeVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
T = TypeVar("T")


def param(
    default: Any,
    low: float | None = None,
    high: float | None = None,
    *,
    unit: str = "",
    choices: tuple[str, ...] = (),
    help: str,
) -> Any:
    """Declare a parameter: a dataclass field whose type is that of its default.

    Parameters
    ----------
    default : bool, int, float or str
        The default; its type is the type of the parameter.
    low, high : float, optional
        The inclusive range of a number.
    unit : str
        The unit, as a person reads it (`px`, `stops`); empty for a pure number.
    choices : tuple of str
        The legal values of a text parameter.
    help : str
        One sentence for the documentation.
    """
    metadata = {"low": low, "high": high, "unit": unit, "choices": choices, "help": help}
    return field(default=default, metadata=metadata)


class Estimate(NamedTuple, Generic[T]):
    """One step of an anytime stage: a complete and usable result.

    `residual` measures what is missing, in a unit that the stage states. `done` says that further
    steps would not improve `value`.
    """

    value: T
    residual: float
    done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Base of the parameters of a stage: frozen, checked when built.

    Raises
    ------
    ValueError
        Naming the stage, the parameter, what was expected and what came.
    """

    def __post_init__(self) -> None:
        for spec in fields(self):
            value = checked(f"{self.stage()}.{spec.name}", spec, getattr(self, spec.name))
            object.__setattr__(self, spec.name, value)

    @classmethod
    def stage(cls) -> str:
        """Name of the stage: `EdgeBlurParams` are the parameters of `edge_blur`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__.removesuffix("Params")).lower()

    def replace(self, **changes: Any) -> Self:
        """Copy with some parameters changed, checked again."""
        return dataclasses.replace(self, **changes)


def expectation(spec: dataclasses.Field[Any]) -> str:
    """Say what a parameter accepts, for messages and documentation."""
    if spec.metadata["choices"]:
        return "one of " + ", ".join(spec.metadata["choices"])
    kind = type(spec.default).__name__
    low, high = spec.metadata["low"], spec.metadata["high"]
    unit = f" {spec.metadata['unit']}" if spec.metadata["unit"] else ""
    if low is None and high is None:
        return f"{kind}{unit}"
    if high is None:
        return f"{kind} >= {low}{unit}"
    return f"{kind} in {low}..{high}{unit}"


def checked(name: str, spec: dataclasses.Field[Any], value: Any) -> Any:
    """Check one value against its declaration.

    An int is welcome where a float is expected, and a NumPy scalar where a Python one is.
    """
    kind = type(spec.default)
    if isinstance(value, np.generic):
        value = value.item()
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    low, high, choices = (spec.metadata[k] for k in ("low", "high", "choices"))
    legal = (
        type(value) is kind
        and (low is None or value >= low)
        and (high is None or value <= high)
        and (not choices or value in choices)
    )
    if not legal:
        raise ValueError(f"{name}: expected {expectation(spec)}; got {value!r}")
    return value
