"""A stream from its source to its sink, and the account of it.

    source -> door -> decode -> graph -> write

The stages overlap; one frame at a time is in the graph, whose kernels use all cores. With a
device profile the same line runs in virtual time.
"""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import numpy as np

from camerapipe.budget import Budget, BudgetError, Clock
from camerapipe.capture import Capture
from camerapipe.costs import Costs
from camerapipe.errors import OutputError, RequestError
from camerapipe.ingest import capture_from_array
from camerapipe.levels import CHECK_LADDER, LADDER
from camerapipe.pipelines import LIVE, LIVE_CARRY, LIVE_CHECK, LIVE_FULL, LIVE_SEE
from camerapipe.runtime import warm_up
from camerapipe.settings import Layer, Settings
from camerapipe.stream.account import Account, StreamReport
from camerapipe.stream.checking import CHECK, Look
from camerapipe.stream.device import Device
from camerapipe.stream.frames import Arrival, Outcome, Service
from camerapipe.stream.ladder import Ladder
from camerapipe.stream.line import ABORT_GRACE_S, DRAIN_S, Line, Stage
from camerapipe.stream.options import StreamOptions
from camerapipe.stream.sinks import Sink
from camerapipe.stream.sources import DEFAULT_SIZE, Exposure, Source
from camerapipe.stream.viewfinder import Frame, Shown, State, Viewfinder, Way
from camerapipe.stream.worlds import ThreadWorld, VirtualClock, VirtualWorld, World
from camerapipe.trace import GRAPH

DEVELOP, SHOW, DELIVER = "decode", GRAPH, "write"
IO, DECODE, ENCODE = "io", "decode", "encode_file"  # costs of a device that are on no rung
REHEARSALS = 3  # of each rung: the first fills tables, the quickest of the others counts


class Stream:
    """A stream, to be run once. `observe` is told what happens to every frame."""

    def __init__(
        self,
        source: Source,
        sink: Sink,
        options: StreamOptions,
        observe: Callable[[Stream, Service | Outcome], None] = lambda stream, event: None,
    ) -> None:
        profile = options.profile
        self.source, self.options, self._sink = source, options, sink
        self.account = Account()
        self._delivering = threading.Lock()
        _check_stages(options.budget)
        world: World = VirtualWorld() if profile else ThreadWorld()
        self.clock: Clock = world.clock
        self._device = _device(options, world.clock)
        arrivals, first = _peek(itertools.islice(source.frames, options.frames))
        warm_up()
        viewfinder = _viewfinder(options, world.clock, self._device)
        ladder = None
        if options.budget.total_ms is not None or CHECK in options.budget.stages_ms:
            ladder = _rehearsed(options, _first_capture(first))
        timeout_s = options.stuck_s
        stages = (
            Stage(name=DEVELOP, function=self._develop, timeout_s=timeout_s),
            Stage(
                name=SHOW, function=viewfinder.show, state=State(ladder=ladder), timeout_s=timeout_s
            ),
            Stage(name=DELIVER, function=self._deliver, timeout_s=timeout_s),
        )

        def told(event: Service | Outcome) -> None:
            self.account.add(event)
            observe(self, event)

        readout_s = profile.sensor.readout_ms / 1000 if profile else 0.0
        numbered = (
            replace(arrival, value=(seq, arrival), readout_s=readout_s)
            for seq, arrival in enumerate(self._timed(arrivals))
        )
        rules = options.rules
        if source.kind == "folder":  # files that cannot be read do not say that the rest cannot
            rules = replace(rules, give_up_after=sys.maxsize)
        self._line = Line(numbered, stages, world, rules, told)

    def run(self) -> StreamReport:
        """Run until the source has ended or the stream is stopped."""
        with ExitStack() as opened:
            opened.callback(self.source.close)
            opened.enter_context(self._sink)
            tally = self._line.run()
            if not self._delivering.acquire(timeout=ABORT_GRACE_S):
                opened.pop_all()  # closing it under the hands of that delivery would be worse
                raise OutputError("a delivery is stuck: what it was writing is left unfinished")
        return self.account.report(self.source, self.options, tally, self._line.ended)

    @property
    def in_flight(self) -> tuple[int, int]:
        """Frames and bytes beyond the door, as seen by an observer."""
        return self._line.in_flight

    def stop(self, *, drain: bool = True, within_s: float = DRAIN_S) -> None:
        """End after the frames that came in, or at once; from any thread."""
        self._line.stop(drain=drain, within_s=within_s)

    def _timed(self, arrivals: Iterator[Arrival]) -> Iterator[Arrival]:
        """Frames of a live source are captured when they come."""
        first_s: float | None = None
        for arrival in arrivals:
            if self.source.kind == "camera" and arrival.captured_s is None:
                now_s = self.clock()
                first_s = now_s if first_s is None else first_s
                arrival = replace(arrival, captured_s=now_s - first_s, filmed_s=now_s - first_s)
            yield arrival

    def _develop(self, numbered: tuple[int, Arrival], state: None) -> tuple[Frame, None]:
        seq, arrival = numbered
        exposure: Exposure = arrival.value
        frame = Frame(seq, exposure.develop(), exposure.origin, arrival.filmed_s)
        self._spend(frame, DECODE)
        return frame, state

    def _deliver(self, shown: Shown, state: None) -> tuple[Shown, None]:
        if not self._delivering.acquire(blocking=False):
            raise OutputError("an earlier frame, given up, is still being delivered")
        try:
            self._sink.deliver(shown)
        finally:
            self._delivering.release()
        if self._sink.encodes:
            self._spend(shown.frame, ENCODE)
        return shown, state

    def _spend(self, frame: Frame, stage: str) -> None:
        if self._device is not None:
            self._device.begin(frame.seq, frame.megapixels)
            self._device.spend(IO, stage)


def _peek(arrivals: Iterator[Arrival]) -> tuple[Iterator[Arrival], Arrival | None]:
    """The first arrival, and all of them."""
    first = next(arrivals, None)
    return (itertools.chain([first], arrivals) if first else iter(())), first


def _device(options: StreamOptions, clock: Clock) -> Device | None:
    if options.profile is None:
        return None
    assert isinstance(clock, VirtualClock)
    return Device(options.profile, clock, seed=options.seed, place=options.place)


def ways(settings: Settings, device: Device | None = None) -> tuple[Way, ...]:
    """The rungs of the ladder with their parameters; what a person has set is left as it is."""
    simulated = device.simulate if device else lambda graph, rung: graph
    known: dict[str, Way] = {}
    for rung in LADDER:
        known[rung.name] = Way(
            rung.name,
            simulated(LIVE_SEE, rung.name),
            simulated(rung.graph, rung.name),
            settings.with_layer(Layer.RUNG, rung.params, rung.name).params,
            known[rung.instead] if rung.instead else None,
        )
    return tuple(known.values())


def looks(settings: Settings, device: Device | None = None) -> tuple[Look, ...]:
    """The ways to check a frame; what a person has set is left as it is."""
    simulated = device.simulate if device else lambda graph, rung: graph
    return tuple(
        Look(
            look.name,
            simulated(LIVE_CHECK, look.name),
            settings.with_layer(Layer.RUNG, look.params, look.name).params,
        )
        for look in CHECK_LADDER
    )


def _wanted(options: StreamOptions, device: Device | None) -> tuple[Way, ...]:
    """The ways that a stream may take."""
    known = ways(options.settings, device)
    if options.rung is None:
        return known
    if found := tuple(way for way in known if way.name == options.rung):
        return found
    names = ", ".join(way.name for way in known)
    raise RequestError(f"rung {options.rung!r} does not exist; there are: {names}")


def _viewfinder(options: StreamOptions, clock: Clock, device: Device | None) -> Viewfinder:
    return Viewfinder(
        ways=_wanted(options, device),
        looks=looks(options.settings, device),
        clock=clock,
        budget=options.budget,
        costs=Costs(),
        device=device,
        meta=options.profile.meta() if options.profile else None,
        nearest_focus_m=options.nearest_focus_m,
        distance_m=options.distance_m,
        focus_point=options.focus_point,
        force=options.force,
    )


def _check_stages(budget: Budget) -> None:
    graphs = (LIVE_SEE, LIVE_CHECK, LIVE, LIVE_CARRY, LIVE_FULL)
    known = {CHECK} | {node.name for graph in graphs for node in graph.nodes}
    for name in budget.stages_ms:
        if name not in known:
            raise BudgetError(f"budget: a stream has no stage {name!r}; {', '.join(sorted(known))}")


def _first_capture(first: Arrival | None) -> Capture:
    """What the ladder is rehearsed on: the first frame, or grey where that cannot be read."""
    try:
        if first is not None:
            capture: Capture = first.value.develop()
            return capture
    except Exception:  # the stream will say it of the frame itself
        pass
    grey = np.full((DEFAULT_SIZE[1], DEFAULT_SIZE[0], 3), 128, np.uint8)
    return capture_from_array(grey, "srgb")


def _rehearsed(options: StreamOptions, capture: Capture) -> Ladder:
    """A ladder that knows its costs, with a memory as in the middle of a stream."""
    clock: Clock = VirtualClock() if options.profile else ThreadWorld.clock
    device = _device(options, clock)
    ready, checks = _wanted(options, device), looks(options.settings, device)

    def cost(way: Way, look: Look) -> tuple[float, float]:
        """Of the map and of the check, in ms per megapixel."""
        viewfinder = Viewfinder(
            ways=(way,), looks=(look,), clock=clock, costs=Costs(), device=device, force=True
        )
        state, spent_ms, check_ms = State(), [], []
        for seq in range(REHEARSALS):
            shown, state = viewfinder.show(Frame(seq, capture), state)
            check_ms.append(shown.check.used_ms)
            spent_ms.append(shown.spent_ms - shown.check.used_ms)
        megapixels = Frame(0, capture).megapixels
        return min(spent_ms[1:]) / megapixels, min(check_ms[1:]) / megapixels

    return Ladder(
        tuple(cost(way, checks[-1])[0] for way in ready),
        tuple(cost(ready[-1], look)[1] for look in checks),
    )
