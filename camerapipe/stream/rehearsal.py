"""Costs of rungs and check levels, measured on a frame before a stream starts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from camerapipe.assembly import shape_of
from camerapipe.budget import Budget, Clock, wall_s
from camerapipe.capture import Capture
from camerapipe.costs import Costs
from camerapipe.stream.device import Device
from camerapipe.stream.options import StreamOptions
from camerapipe.stream.policy import QualityLadder, QualityPolicy
from camerapipe.stream.rungs import ReadyCheck, ReadyRung, ready_checks, ready_rungs
from camerapipe.stream.shown import Frame, StreamState
from camerapipe.stream.viewfinder import Viewfinder
from camerapipe.stream.virtual import VirtualClock
from stages.findings import Finding, Severity

REPEATS = 3  # of each level: the first fills tables, the quickest of the others counts
BUDGET_TOO_SMALL = "budget_below_ladder"  # code of a finding


class LevelCost(NamedTuple):
    """Cost of a rung (without its check) or of a level of the check."""

    name: str
    ms: float  # a frame

    @property
    def frames_per_second(self) -> float:
        """Rate at which this level alone could run."""
        return 1000 / self.ms


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderCosts:
    """Costs of the rungs and check levels of a stream for its frame size, best first."""

    rungs: tuple[LevelCost, ...]
    checks: tuple[LevelCost, ...]
    width: int
    height: int
    simulated_on: str | None = None  # name of a device; None: measured on this machine

    @property
    def megapixels(self) -> float:
        """Size of the frame."""
        return self.width * self.height / 1e6

    def ladder(self) -> QualityLadder:
        """The ladder of a quality policy that starts from these costs."""
        return QualityLadder(
            tuple(level.ms / self.megapixels for level in self.rungs),
            tuple(level.ms / self.megapixels for level in self.checks),
        )

    def findings(self, budget: Budget) -> tuple[Finding, ...]:
        """A warning if the budget is below the quickest rung, so that every frame will be late."""
        quickest = min(self.rungs, key=lambda level: level.ms)
        total_ms = budget.total_ms
        if total_ms is None or total_ms >= quickest.ms:
            return ()
        message = (
            f"The budget of {total_ms:g} ms is below the quickest rung: {quickest.name!r} takes "
            f"{quickest.ms:.3g} ms for frames of {self.width}x{self.height}, so that frames will "
            "be late. Give more time or smaller frames."
        )
        return (Finding(BUDGET_TOO_SMALL, Severity.WARNING, message, quickest.ms, total_ms),)


def rehearse(options: StreamOptions, capture: Capture) -> LadderCosts:
    """Measure what each rung and each level of the check costs.

    Every level shows the same frame `REPEATS` times, with the memory of the temporal filter as in
    the middle of a stream. With a device profile, the costs are those of the model.

    Parameters
    ----------
    options : StreamOptions
        Of the stream; with `rung`, only that one is measured.
    capture : Capture
        A frame of the size of the stream.
    """
    profile = options.profile
    virtual = VirtualClock() if profile else None
    device = None
    if profile is not None and virtual is not None:
        device = Device(profile, virtual, seed=options.seed, place=options.place)
    rungs = ready_rungs(options.settings, device, only=options.rung)
    checks = ready_checks(options.settings, device)
    clock = virtual or wall_s

    def cost(rung: ReadyRung, check: ReadyCheck) -> tuple[float, float]:
        return _cost(rung, check, options, capture, clock, device)

    height, width = shape_of(capture)
    return LadderCosts(
        rungs=tuple(LevelCost(rung.name, cost(rung, checks[-1])[0]) for rung in rungs),
        checks=tuple(LevelCost(check.name, cost(rungs[-1], check)[1]) for check in checks),
        width=width,
        height=height,
        simulated_on=profile.name if profile else None,
    )


def _cost(
    rung: ReadyRung,
    check: ReadyCheck,
    options: StreamOptions,
    capture: Capture,
    clock: Clock,
    device: Device | None,
) -> tuple[float, float]:
    """Times in ms of the map and of the check."""
    viewfinder = Viewfinder(
        request=replace(options.request, budget=Budget(), force=True),
        policy=QualityPolicy((rung,), (check,)),
        clock=clock,
        costs=Costs(),
        device=device,
    )
    state, map_ms, check_ms = StreamState(), [], []
    for seq in range(REPEATS):
        shown, state = viewfinder.show(Frame(seq, capture), state)
        check_ms.append(shown.check.used_ms)
        map_ms.append(shown.spent_ms - shown.check.used_ms)
    return min(map_ms[1:]), min(check_ms[1:])
