"""Reports: the time of every stage, caveats and findings of a frame, as plain data."""

from __future__ import annotations

import enum
import functools
import operator
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from stages.findings import Finding


class Caveat(enum.Flag):
    """What a stage gave up to be on time. Being late is a caveat, never an exception."""

    NONE = 0
    UNFINISHED = enum.auto()  # an anytime stage stopped before it was done
    FALLBACK = enum.auto()  # the cheaper form of a stage ran
    OVERRUN = enum.auto()  # the stage took longer than the positive time that it was granted

    def names(self) -> list[str]:
        """Names of the flags set, in lower case."""
        return [flag.name.lower() for flag in Caveat if flag in self and flag.name]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageReport:
    """One stage of one frame. `granted_ms` is None if the stage had no limit."""

    name: str
    used_ms: float
    granted_ms: float | None = None
    setup_ms: float = 0.0  # part of used_ms: before the first estimate of an anytime stage
    steps: int = 0  # estimates of an anytime stage, 0 for a plain one
    residual: float | None = None
    caveats: Caveat = Caveat.NONE
    params: dict[str, Any] = field(default_factory=dict)


def caveats_of(stages: Iterable[StageReport]) -> Caveat:
    """Union of the caveats of some stages."""
    return functools.reduce(operator.or_, (stage.caveats for stage in stages), Caveat.NONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Report of one frame: time, caveats, findings, metadata, and versions of the software."""

    capture: str
    graph: str
    stages: tuple[StageReport, ...]
    budget_ms: float | None = None
    spent_ms: float = 0.0  # of the budget: from developed pixels to the picture
    late: bool = False  # the budget, or that of a stage, was missed
    findings: tuple[Finding, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    peak_mb: float | None = None  # highest resident memory of the process so far

    @property
    def used_ms(self) -> float:
        """Time of all stages, developing and writing included."""
        return sum(stage.used_ms for stage in self.stages)

    @property
    def caveats(self) -> Caveat:
        """Union of the caveats of all stages."""
        return caveats_of(self.stages)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        data = asdict(self)
        for row, stage in zip(data["stages"], self.stages, strict=True):
            row["caveats"] = stage.caveats.names()
        data["findings"] = [asdict(finding) for finding in self.findings]
        return data | {"used_ms": self.used_ms, "caveats": self.caveats.names()}
