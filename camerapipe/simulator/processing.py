"""What the processor of a simulated device does with frames, and how stills and preview share it.

The processor has two lanes. While both have work, each gets its share of it (`STILL_SHARE`): the
stages of a still take 1 / STILL_SHARE times as long, those of the preview 1 / (1 - STILL_SHARE)
times. A lane that works alone has the whole processor. This is decided at the beginning of each
stage; for a still, whether the preview repeats counts. Both lanes heat the same device.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from camerapipe.budget import Budget
from camerapipe.camera import shoot
from camerapipe.costs import SETUP, STEP, Guesses, live_guesses, part_of, still_guesses
from camerapipe.levels import LADDER
from camerapipe.report import StageReport
from camerapipe.shot import Shot
from camerapipe.simulator.lanes import Ticket
from camerapipe.simulator.requests import Target
from camerapipe.stream.controls import Controls
from camerapipe.stream.device import Device
from camerapipe.stream.options import StreamOptions
from camerapipe.stream.shown import Frame, StreamState
from camerapipe.stream.stream import DECODE, IO
from camerapipe.stream.virtual import VirtualClock

BEST_RUNG = LADDER[0].name  # has the costs of stages that the table of stills does not list
SCANNING = "scanning"  # state of autofocus
STILL_SHARE = 0.5  # of the processor, while preview and stills both have work


class Processor:
    """Processes the frames of a camera; its methods are the stages of the lanes.

    Parameters
    ----------
    options : StreamOptions
        With a profile.
    clock : VirtualClock
        Moved by the time that stages take.
    repeats : callable
        Whether a repeating request makes work for the preview.
    """

    def __init__(
        self, options: StreamOptions, clock: VirtualClock, repeats: Callable[[], bool]
    ) -> None:
        assert options.profile is not None
        self._clock, self._repeats = clock, repeats
        self._still_until_s = 0.0  # when the still lane has finished its present work
        profile, seed, place = options.profile, options.seed, options.place
        self._preview = Device(profile, clock, seed=seed, place=place, load=self._preview_load)
        self._stills = Device(
            profile, clock, seed=seed, place=place, heat=self._preview.heat, load=self._still_load
        )
        self.controls = Controls(options, clock, self._preview)

    def develop_preview(self, ticket: Ticket, state: None) -> tuple[Ticket, None]:
        """Read the mosaic of a preview frame, and develop it if its target says so."""
        _develop(ticket, self._preview)
        return ticket, state

    def develop_still(self, ticket: Ticket, state: None) -> tuple[Ticket, None]:
        """The same for a still."""
        _develop(ticket, self._stills)
        self._still_until_s = self._clock()
        return ticket, state

    def show(self, ticket: Ticket, state: StreamState | None) -> tuple[Ticket, StreamState | None]:
        """Blur map, lens blur and advice of a preview frame."""
        if ticket.request.target not in (Target.VIEW, Target.PREVIEW):
            return ticket, state
        assert ticket.picture is not None and ticket.exposure is not None
        focusing = ticket.metadata is not None and ticket.metadata.af_state == SCANNING
        exposure = ticket.exposure
        plain = ticket.request.target is Target.VIEW
        frame = Frame(exposure.number, ticket.picture, None, exposure.start_s, focusing, plain)
        ticket.shown, after = self.controls.show(frame, state or StreamState())
        return ticket, after

    def shoot(self, ticket: Ticket, state: None) -> tuple[Ticket, None]:
        """The `Shot` of a still, in the time that its stages take on the device."""
        if ticket.request.target is not Target.STILL:
            return ticket, state
        assert ticket.picture is not None
        request = replace(self.controls.options.request, budget=Budget())
        ticket.shot = self._timed(shoot(ticket.picture, request), ticket)
        self._still_until_s = self._clock()
        return ticket, state

    def _timed(self, shot: Shot, ticket: Ticket) -> Shot:
        """A shot whose report has the times of the device."""
        assert ticket.exposure is not None
        height, width = shot.image.shape[:2]
        self._stills.begin(ticket.exposure.number, height * width / 1e6)
        guesses = {**live_guesses(BEST_RUNG), **still_guesses(shot.report.graph)}
        rows = tuple(self._spend_row(row, guesses) for row in shot.report.stages)
        spent_ms = sum(row.used_ms for row in rows)
        return replace(shot, report=replace(shot.report, stages=rows, spent_ms=spent_ms))

    def _spend_row(self, row: StageReport, guesses: Guesses) -> StageReport:
        before_s = self._clock()
        setup_ms = 0.0
        if row.steps:
            self._stills.spend_cost(guesses.get(part_of(row.name, SETUP), 0.0), row.name)
            setup_ms = (self._clock() - before_s) * 1000
            step = guesses.get(part_of(row.name, STEP), 0.0)
            for number in range(1, row.steps):
                self._stills.spend_cost(step, row.name, number)
        else:
            self._stills.spend_cost(guesses.get(row.name, 0.0), row.name)
        used_ms = (self._clock() - before_s) * 1000
        return replace(row, used_ms=used_ms, setup_ms=setup_ms)

    def _preview_load(self) -> float:
        return 1 / (1 - STILL_SHARE) if self._clock() < self._still_until_s else 1.0

    def _still_load(self) -> float:
        return 1 / STILL_SHARE if self._repeats() else 1.0


def _develop(ticket: Ticket, device: Device) -> None:
    exposure, target = ticket.exposure, ticket.request.target
    assert exposure is not None
    if exposure.raw is not None:
        ticket.raw = exposure.raw()
    if target is Target.RAW:
        return
    ticket.picture = exposure.develop(ticket.raw)
    height, width = ticket.picture.linear.shape[:2]
    device.begin(exposure.number, height * width / 1e6)
    device.spend(IO, DECODE)
