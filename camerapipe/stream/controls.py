"""The graph stage of a stream, whose options may change between two frames."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypedDict

import numpy as np

from camerapipe.arguments import point_of
from camerapipe.assembly import check_request
from camerapipe.budget import Budget, BudgetLike, Clock
from camerapipe.capture import Capture
from camerapipe.costs import Costs
from camerapipe.errors import RequestError
from camerapipe.optics import optics_of, with_meta
from camerapipe.recipe_keys import ScribblesLike, given_scribbles
from camerapipe.stream.device import Device
from camerapipe.stream.options import StreamOptions
from camerapipe.stream.policy import CHECK, QualityLadder, QualityPolicy
from camerapipe.stream.rehearsal import LadderCosts, rehearse
from camerapipe.stream.rungs import ready_checks, ready_rungs
from camerapipe.stream.shown import Frame, Shown, StreamState
from camerapipe.stream.viewfinder import Viewfinder
from stages.optics import Lens


class Changes(TypedDict, total=False):
    """What may change while a stream runs, by the names of `open_stream`."""

    strength: float
    params: Mapping[str, Mapping[str, Any]]  # added to those that were set before
    budget: BudgetLike
    rung: str | None
    focus: tuple[float, float] | None
    scribbles: ScribblesLike
    distance_m: float | None
    lens: Lens | None
    force: bool


def changed(options: StreamOptions, changes: Changes) -> StreamOptions:
    """Options with changes.

    Raises
    ------
    RequestError
        If one does not exist, or a value is out of range.
    """
    if unknown := changes.keys() - Changes.__annotations__.keys():
        known = ", ".join(Changes.__annotations__)
        raise RequestError(f"{min(unknown)}: cannot change while a stream runs; {known} can")
    given: dict[str, Any] = dict(changes)
    strength, params = given.pop("strength", None), given.pop("params", None)
    if strength is not None or params is not None:
        given["settings"] = options.settings.changed_by_person(params, strength=strength)
    if "budget" in given:
        given["budget"] = Budget.of(given["budget"])
    if "focus" in given:
        focus = given.pop("focus")
        given["focus_point"] = None if focus is None else point_of("focus", focus)
    if "scribbles" in given:
        given["scribbles"] = given_scribbles(given["scribbles"])
    return replace(options, **given)


class Controls:
    """Shows frames as the options ask that hold when a frame comes.

    Parameters
    ----------
    options : StreamOptions
        At the start.
    clock : Clock
        Time in seconds.
    device : Device, optional
        Simulates the costs; None if they are measured.
    """

    def __init__(self, options: StreamOptions, clock: Clock, device: Device | None) -> None:
        self._options, self._clock, self._device = options, clock, device
        self._stage_costs = Costs()
        self._costs: dict[str | None, LadderCosts] = {}  # by the rung that is asked for
        self._used: tuple[StreamOptions, Viewfinder] | None = None  # for the last frame
        self._empty: Capture | None = None  # of the size of the frames, without their pixels
        self._changing = threading.Lock()

    @property
    def options(self) -> StreamOptions:
        """Those of the next frame."""
        return self._options

    def change(self, changes: Changes) -> None:
        """Change options from the next frame on, in any thread."""
        with self._changing:
            options = changed(self._options, changes)
            if self._empty is not None:
                check_request(self._empty, options.request)
                optics_of(with_meta(self._empty, options.meta), options.distance_m)
            self._options = options

    def fit(self, first: Capture) -> None:
        """Fit focus point and scribbles to the first frame; `RequestError` if they do not fit."""
        with self._changing:
            options = self._options.fitted(first)
            check_request(first, options.request)
            self._options = options

    def measure(self, capture: Capture) -> LadderCosts:
        """Costs of the rungs and check levels for frames of this size."""
        options = self._options
        costs = self._costs[options.rung] = rehearse(options, capture)
        return costs

    def show(self, frame: Frame, state: StreamState) -> tuple[Shown, StreamState]:
        """Show a frame. Costs that a new budget needs are measured on it first."""
        options, used = self._options, self._used
        if used is None or used[0] is not options:
            self._empty = _without_pixels(frame.capture)
            same_rungs = used is not None and used[0].rung == options.rung
            ladder = state.policy.ladder if same_rungs else None
            if ladder is None and needs_costs(options):
                ladder = self._ladder(options, frame.capture)
            state = state._replace(policy=state.policy._replace(ladder=ladder))
            used = options, self._viewfinder(options)
        shown, after = used[1].show(frame, state)
        self._used = used
        return shown, after

    def _ladder(self, options: StreamOptions, capture: Capture) -> QualityLadder:
        """The ladder of the rungs that are asked for, measured if it is not known."""
        found = self._costs.get(options.rung)
        if found is None and (of_all := self._costs.get(None)) is not None:
            found = replace(of_all, rungs=tuple(r for r in of_all.rungs if r.name == options.rung))
        return (found or self.measure(capture)).ladder()

    def _viewfinder(self, options: StreamOptions) -> Viewfinder:
        return Viewfinder(
            request=options.request,
            policy=QualityPolicy(
                ready_rungs(options.settings, self._device, only=options.rung),
                ready_checks(options.settings, self._device),
                options.budget,
            ),
            clock=self._clock,
            costs=self._stage_costs,
            device=self._device,
            meta=options.meta,
            nearest_focus_m=options.nearest_focus_m,
        )


def needs_costs(options: StreamOptions) -> bool:
    """Whether decisions depend on what rungs or check levels cost."""
    return options.budget.total_ms is not None or CHECK in options.budget.stages_ms


def _without_pixels(capture: Capture) -> Capture:
    """A capture of the same size and metadata that takes no memory."""
    black = np.broadcast_to(np.float32(0), capture.linear.shape)
    return replace(capture, linear=black, alpha=None, gain_map=None)
