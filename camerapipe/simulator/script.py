"""Scripts of a camera session: controls and faults at given frames.

[[step]]
at_frame = 30
focus_distance_dpt = 2.0     # any control, until it is set again; "auto" gives it back

[[step]]
at_frame = 60
capture = true               # take a still

[[step]]
at_frame = 90
fault = "stall"              # as in `stream.faults`
ms = 400
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from camerapipe.errors import RequestError, hint
from camerapipe.simulator.requests import CONTROLS, CaptureControls
from camerapipe.stream.faults import Fault, Faults, steps_of

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Step:
    """What an app does when a preview frame of this number or a later one has come."""

    at_frame: int
    changes: Mapping[str, Any]
    captures: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    """The steps of an app, by frame, and the faults of the sensor."""

    steps: tuple[Step, ...] = ()
    faults: Faults = Faults()


def read_script(path: str | os.PathLike[str]) -> Script:
    """Read a script.

    Raises
    ------
    RequestError
        Naming the file, the step, and what does not fit.
    """
    steps, faults = [], []
    for number, table in enumerate(steps_of(path), 1):
        try:
            if "fault" in table:
                faults.append(Fault.of(table))
            else:
                steps.append(_step(table))
        except RequestError as error:
            raise RequestError(f"{path}: step {number}: {error}") from None
    return Script(tuple(sorted(steps, key=lambda step: step.at_frame)), Faults(tuple(faults)))


def _step(table: Mapping[str, Any]) -> Step:
    known = ("at_frame", "capture", "fault", *CONTROLS)
    for key in table:
        if key not in known:
            raise RequestError(f"{key}: there is no such key{hint(key, known)}")
    at_frame, captures = table.get("at_frame"), table.get("capture", False)
    if not isinstance(at_frame, int) or isinstance(at_frame, bool) or at_frame < 0:
        raise RequestError(f"at_frame: expected a number from 0; got {at_frame!r}")
    if not isinstance(captures, bool):
        raise RequestError(f"capture: expected true or false; got {captures!r}")
    changes: dict[str, Any] = {
        key: None if value == AUTO else value for key, value in table.items() if key in CONTROLS
    }
    if not changes and not captures:
        raise RequestError("expected a control and its value, a capture, or a fault")
    replace(CaptureControls(), **changes)  # raises if a value does not fit
    return Step(at_frame, changes, captures)
