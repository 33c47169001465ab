"""Faults of a source of frames, by script: it starts slowly, stalls, repeats or loses frames.

    [[step]]
    at_frame = 30
    fault = "stall"    # this frame is delivered `ms` late; it was captured on time
    ms = 400

    [[step]]
    at_frame = 90
    fault = "lose"     # `frames` from this one on never arrive; also "repeat": the frame before
    frames = 5         # them is delivered again in their place

`slow_start` delays all frames by `ms` (it has no `at_frame`). The same script works on the sources
of streams and on the sensor of a simulated camera.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from camerapipe.errors import RequestError, hint
from camerapipe.settings import toml_of
from camerapipe.stream.exposures import FrameSource
from camerapipe.stream.frames import Arrival


class FaultKind(StrEnum):
    """What goes wrong."""

    SLOW_START = "slow_start"
    STALL = "stall"
    LOSE = "lose"
    REPEAT = "repeat"


TIMED = (FaultKind.SLOW_START, FaultKind.STALL)  # they have `ms`, the others `frames`


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault.

    Attributes
    ----------
    kind : FaultKind
        What goes wrong.
    at_frame : int
        The first frame that is affected, from 0.
    ms : float
        Delay, of `stall` and `slow_start`.
    frames : int
        How many frames are lost or repeated.

    Raises
    ------
    RequestError
        If a value is out of range, or does not belong to this kind.
    """

    kind: FaultKind
    at_frame: int = 0
    ms: float = 0.0
    frames: int = 1

    def __post_init__(self) -> None:
        if self.at_frame < 0:
            raise RequestError(f"at_frame: expected a number from 0; got {self.at_frame}")
        if self.kind in TIMED and not 0 < self.ms < float("inf"):
            raise RequestError(f"{self.kind}: ms: expected a time above 0; got {self.ms:g}")
        if self.frames < 1:
            raise RequestError(f"{self.kind}: frames: expected at least 1; got {self.frames}")

    @classmethod
    def of(cls, step: Mapping[str, Any]) -> Self:
        """A fault as a step of a script has it: `fault`, and its values.

        Raises
        ------
        RequestError
            If a key or a value does not fit.
        """
        name = step.get("fault")
        if name not in tuple(FaultKind):
            raise RequestError(f"fault {name!r} does not exist{hint(name, FaultKind)}")
        kind = FaultKind(name)
        known = {"fault": str, "ms": float} if kind in TIMED else {"fault": str, "frames": int}
        if kind is not FaultKind.SLOW_START:
            known["at_frame"] = int
        for key, value in step.items():
            if key not in known:
                raise RequestError(f"{key}: {kind} has no such key{hint(key, known)}")
            wanted = int | float if known[key] is float else known[key]
            if not isinstance(value, wanted) or isinstance(value, bool):
                raise RequestError(f"{key}: expected a {known[key].__name__}; got {value!r}")
        for key in known:
            if key not in step and key != "frames":
                raise RequestError(f"{kind}: {key} is missing")
        return cls(kind=kind, **{key: step[key] for key in known if key in step and key != "fault"})


@dataclass(frozen=True, slots=True)
class Faults:
    """All faults of a source."""

    faults: Sequence[Fault] = ()

    @property
    def start_s(self) -> float:
        """Delay of the first frame."""
        return sum(each.ms for each in self.faults if each.kind is FaultKind.SLOW_START) / 1000

    def stall_s(self, frame: int) -> float:
        """By how much a frame is late."""
        stalls = (each for each in self.faults if each.kind is FaultKind.STALL)
        return sum(each.ms for each in stalls if each.at_frame == frame) / 1000

    def loses(self, frame: int) -> bool:
        """Whether a frame is lost."""
        return self._covers(FaultKind.LOSE, frame)

    def repeats(self, frame: int) -> bool:
        """Whether the frame before is delivered in place of this one; there is none before 0."""
        return frame > 0 and self._covers(FaultKind.REPEAT, frame)

    def _covers(self, kind: FaultKind, frame: int) -> bool:
        return any(
            each.at_frame <= frame < each.at_frame + each.frames
            for each in self.faults
            if each.kind is kind
        )


NO_FAULTS = Faults()


def steps_of(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The steps of a script, as they stand in the file.

    Raises
    ------
    RequestError
        If the file cannot be read, or has anything but steps.
    """
    try:
        table = toml_of(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"{path}: is not TOML: {error}") from error
    for key in table:
        if key != "step":
            raise RequestError(f"{path}: {key}: expected [[step]] only")
    steps = table.get("step", [])
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise RequestError(f"{path}: step: expected [[step]] with keys and values")
    return steps


def read_faults(path: str | os.PathLike[str]) -> Faults:
    """The faults of a script that has nothing else.

    Raises
    ------
    RequestError
        Naming the file and the step that does not fit.
    """
    faults = []
    for number, step in enumerate(steps_of(path), 1):
        try:
            faults.append(Fault.of(step))
        except RequestError as error:
            raise RequestError(f"{path}: step {number}: {error}") from None
    return Faults(tuple(faults))


def with_faults(source: FrameSource, faults: Faults) -> FrameSource:
    """A source that has faults. Lost frames are counted in `Arrival.lost_before`."""
    return replace(source, frames=_faulty(source.frames, faults), length=None)


def _faulty(frames: Iterator[Arrival], faults: Faults) -> Iterator[Arrival]:
    before: Arrival | None = None
    lost = 0
    for number, arrival in enumerate(frames):
        if faults.loses(number):
            lost += 1
            continue
        shown = arrival
        if before is not None and faults.repeats(number):
            shown = replace(before, captured_s=arrival.captured_s)
        captured_s = None if shown.captured_s is None else shown.captured_s + faults.start_s
        yield replace(
            shown,
            captured_s=captured_s,
            late_s=shown.late_s + faults.stall_s(number),
            lost_before=shown.lost_before + lost,
        )
        before, lost = shown, 0
