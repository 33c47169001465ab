"""Device profiles: a simulated phone, described by a TOML file.

A profile has sensor, lens, memory, heat, and for each class of kernels the range of factors by
which the device is slower than the machine of the reference costs, with the source of the numbers.
If the numbers were not measured on a device (`calibrated = false`), every output says so. Not
simulated: cores of different kinds, graphics and neural units, contention for memory, and the
jitter of an operating system.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any

from camerapipe.capture import CaptureMeta, Sourced
from camerapipe.errors import RequestError
from camerapipe.settings import toml_of
from stages.actuator import Actuator

DATA = resources.files("camerapipe.stream")
PACKAGED = DATA / "profiles"
SPEEDS = {"fast": 0.0, "typical": 0.5, "slow": 1.0}  # places in the range of a scale
KINDS = ("decode", "stencil", "solve", "gather", "encode")


class ProfileError(RequestError):
    """A device profile that does not exist or is incomplete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor:
    """The sensor of a device."""

    width_mm: float
    fps: float
    readout_ms: float  # from the capture to the last row


@dataclass(frozen=True, slots=True, kw_only=True)
class LensData:
    """Optics of frames that have no metadata, for the capture check."""

    focal_length_mm: float
    f_number: float
    nearest_focus_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Thermal:
    """First-order heat: capacity dT/dt = power - (T - ambient) / resistance, and a throttle."""

    ambient_c: float
    power_w: float  # while a stage computes
    resistance_c_per_w: float
    capacity_j_per_c: float
    throttle_above_c: float
    recover_below_c: float
    throttled: float  # factor by which it is slower while throttled


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A device. If it is not `calibrated`, its scales are guesses."""

    name: str
    about: str
    source: str  # of the numbers
    calibrated: bool
    sensor: Sensor
    lens: LensData
    scale: Mapping[str, tuple[float, float]]  # by class of kernels: reference machine = 1
    jitter: float  # standard deviation of the logarithm of a cost
    memory_mb: float  # for frames in flight
    thermal: Thermal
    actuator: Actuator = Actuator()  # of the lens

    def meta(self) -> CaptureMeta:
        """Metadata for frames that have none."""
        source = f"profile {self.name}"
        return CaptureMeta(
            focal_length_mm=Sourced(self.lens.focal_length_mm, source),
            f_number=Sourced(self.lens.f_number, source),
            sensor_width_mm=Sourced(self.sensor.width_mm, source),
        )

    def scale_at(self, kind: str, place: float) -> float:
        """Scale at a place in its range, from 0 (fastest) to 1 (slowest), in equal ratios."""
        low, high = self.scale[kind]
        return float(low * (high / low) ** place)


def profile_names() -> list[str]:
    """Names of the profiles in the package."""
    return sorted(p.name.removesuffix(".toml") for p in PACKAGED.iterdir() if p.name.endswith("l"))


def read_profile(name: str) -> Profile:
    """Read a profile of the package by its name, or a TOML file.

    Raises
    ------
    ProfileError
        If there is none, or a number is missing or out of range.
    """
    if not name.endswith(".toml") and name not in profile_names():
        known = ", ".join(profile_names())
        raise ProfileError(f"profile {name!r} does not exist; there are {known}, or a .toml file")
    try:
        if name.endswith(".toml"):
            table = toml_of(Path(name).read_text(encoding="utf-8"))
        else:
            table = tomllib.loads((PACKAGED / f"{name}.toml").read_text(encoding="utf-8"))
        return _profile(table)
    except OSError as error:
        raise ProfileError(f"profile {name}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(f"profile {name}: is not TOML: {error}") from error
    except KeyError as error:
        raise ProfileError(f"profile {name}: {error} is missing") from error
    except (TypeError, ValueError) as error:
        raise ProfileError(f"profile {name}: {error}") from error


def _profile(table: Mapping[str, Any]) -> Profile:
    scale = {kind: _range(kind, table["cpu"]["scale"][kind]) for kind in KINDS}
    return Profile(
        name=str(table["name"]),
        about=str(table["about"]),
        source=str(table["source"]),
        calibrated=bool(table["calibrated"]),
        sensor=_section(Sensor, table["sensor"]),
        lens=_section(LensData, table["lens"]),
        scale=scale,
        jitter=_at_least_0("cpu.jitter", table["cpu"]["jitter"]),
        memory_mb=_at_least_0("memory.frames_mb", table["memory"]["frames_mb"]),
        thermal=_section(Thermal, table["thermal"]),
        actuator=_section(Actuator, table["actuator"]) if "actuator" in table else Actuator(),
    )


def _at_least_0(name: str, value: Any) -> float:
    if not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"{name}: expected a number >= 0; got {value}")
    return float(value)


def _section(kind: type[Any], table: Mapping[str, Any]) -> Any:
    """A section whose numbers are all positive."""
    known = [spec.name for spec in fields(kind)]
    for key in table:
        if key not in known:
            raise ValueError(f"{kind.__name__.lower()}.{key} does not exist; known: {known}")
    for key in known:
        value = table[key]
        if not isinstance(value, int | float) or not value > 0 or math.isinf(value):
            raise ValueError(f"{kind.__name__.lower()}.{key}: expected a number > 0; got {value}")
    return kind(**table)


def _range(kind: str, given: Any) -> tuple[float, float]:
    low, high = given
    if not 0 < low <= high:
        raise ValueError(f"cpu.scale.{kind}: expected [least, most] above 0; got {given}")
    return float(low), float(high)


@dataclass(slots=True)
class Heat:
    """Temperature of a device: it rises while the device computes, and falls otherwise."""

    thermal: Thermal
    temperature_c: float = field(init=False)
    throttled: bool = False
    _at_s: float = 0.0

    def __post_init__(self) -> None:
        self.temperature_c = self.thermal.ambient_c

    def slowdown(self, now_s: float) -> float:
        """Factor by which the device is slower at a time."""
        self._pass(now_s, 0.0)
        return self.thermal.throttled if self.throttled else 1.0

    def work(self, until_s: float) -> None:
        """Heat the device from the last moment until this one."""
        self._pass(until_s, self.thermal.power_w)

    def _pass(self, now_s: float, power_w: float) -> None:
        """Advance the exact solution for constant power."""
        thermal, passed_s = self.thermal, max(now_s - self._at_s, 0.0)
        limit_c = thermal.ambient_c + power_w * thermal.resistance_c_per_w
        decay = math.exp(-passed_s / (thermal.resistance_c_per_w * thermal.capacity_j_per_c))
        self.temperature_c = limit_c + (self.temperature_c - limit_c) * decay
        self._at_s = max(self._at_s, now_s)
        if self.temperature_c > thermal.throttle_above_c:
            self.throttled = True
        elif self.temperature_c < thermal.recover_below_c:
            self.throttled = False
