"""A stream that runs for a page: its frames on their way to the browser, and the account of them.

The stream has its own threads; all methods here belong to the event loop. A frame is turned into a
message when the browser has room for it, so that no time is spent on frames that newer ones
replace.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from camerapipe.budget import wall_s
from camerapipe.errors import CaptureError, OutputError, RequestError, explain
from camerapipe.runtime import versions
from camerapipe.stream.frames import Event, Fate, InFlight, Outcome
from camerapipe.stream.shown import Shown
from camerapipe.stream.stream import Stream
from camerapipe.stream.tracing import header_of
from camerapipe.web.channel import Channel
from camerapipe.web.feed import Feed
from camerapipe.web.frames import Layers, packed, told_of
from camerapipe.web.simulated import SimulatedStream
from camerapipe.web.tracing import RunningTrace

logger = logging.getLogger(__name__)
SLOT = "frame"
QUIET_S = 0.5  # without a frame, after which counts are sent by themselves


@dataclass(slots=True)
class Counts:
    """Where frames ended. Submitted = in flight + failed + dropped + cancelled + delivered; and
    delivered = waiting + with the browser + superseded + shown + lost.
    """

    fates: Counter[str] = field(default_factory=Counter)
    drops: Counter[str] = field(default_factory=Counter)  # by reason
    shown: int = 0
    superseded: int = 0  # a newer frame came before the browser had room
    sent: int = 0

    def plain(self) -> dict[str, Any]:
        """As pages show them."""
        return {
            **{fate.value: self.fates[fate] for fate in Fate},
            "drops": dict(self.drops), "shown": self.shown, "superseded": self.superseded,
            "sent": self.sent,
        }  # fmt: skip


Opening = Callable[["Live"], Stream | SimulatedStream]


class Live:
    """A stream that runs for a page.

    Parameters
    ----------
    channel : Channel
        To the page.
    folder : Path
        In which it has one for temporary files.
    layers : Layers
        What the page lays over the picture.
    feed : Feed, optional
        The camera of the page, if that is the source.
    run : optional
        By which the page knows this run.
    """

    def __init__(
        self,
        channel: Channel,
        folder: Path,
        layers: Layers,
        feed: Feed | None = None,
        *,
        run: Any = None,
    ) -> None:
        self.run = run
        folder = Path(tempfile.mkdtemp(dir=folder))
        self.channel, self.folder, self.layers, self.feed = channel, folder, layers, feed
        self.counts = Counts()
        self.newest: Shown | None = None
        self.stream: Stream | SimulatedStream | None = None
        self.trace: RunningTrace | None = None
        self._loop = asyncio.get_running_loop()
        self._waiting: Outcome | None = None
        self._sending = False
        self._news = asyncio.Event()
        self._over = threading.Event()
        self._opening = threading.Lock()
        self._changes: dict[str, Any] = {}  # that came before the stream was open
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="camerapipe-viewfinder")
        self._tasks: list[asyncio.Task[None]] = []
        self._begun: tuple[float, float] | None = None  # wall and virtual time of the first frame

    def start(self, opening: Opening) -> None:
        """Open and run a stream."""
        self._tasks = [
            asyncio.create_task(self._run(opening)),
            asyncio.create_task(self._send_frames()),
        ]

    def change(self, changes: Mapping[str, Any]) -> None:
        """Change options of the stream; `RequestError` if a value is out of range."""
        with self._opening:
            if self.stream is None:
                self._changes |= changes
                return
        self.stream.change(**changes)

    async def stop(self) -> None:
        """End the stream and wait until it has ended; its numbers remain."""
        self._over.set()
        if self.feed is not None:
            self.feed.close()
        if self.stream is not None:
            await asyncio.to_thread(self.stream.stop, within_s=1.0)
        if self._tasks:
            with suppress(asyncio.CancelledError):
                await self._tasks[0]

    async def close(self) -> None:
        """End all that runs."""
        await self.stop()
        for task in self._tasks:
            task.cancel()
        self._pool.shutdown(wait=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def observe(self, event: Event, in_flight: InFlight) -> None:
        """Take an event, in a thread of the stream."""
        if self.trace is not None:
            self.trace.note(event, in_flight)
        if isinstance(event, Outcome):
            self._loop.call_soon_threadsafe(self._end_of, event)

    def pace(self, shown: Shown) -> None:
        """Keep virtual time from running ahead of that of the person, in a thread of the stream."""
        assert self.stream is not None
        virtual_s, now_s = self.stream.clock(), wall_s()
        if self._begun is None:
            self._begun = now_s, virtual_s
        ahead_s = (virtual_s - self._begun[1]) - (now_s - self._begun[0])
        if ahead_s > 0:
            self._over.wait(ahead_s)

    async def _run(self, opening: Opening) -> None:
        said: dict[str, Any] = {}
        try:
            report = await self._loop.run_in_executor(self._pool, self._ran, opening)
            said = {"report": report}
        except Exception as error:  # one line for the page; the log has what nobody expects
            if not isinstance(error, RequestError | CaptureError | OutputError):
                logger.exception("a stream has failed")
            said = {"error": explain(error, "viewfinder")}
        await self._flush()
        traced = self.trace is not None
        counts = self.counts.plain()
        self.channel.send(
            {"op": "ended", "run": self.run, **said, "traced": traced, "counts": counts}
        )

    def _ran(self, opening: Opening) -> dict[str, Any]:
        """Open and run the stream; its report."""
        stream = opening(self)
        try:
            if self._over.is_set():
                raise RequestError("it was stopped before it began")
            with self._opening:
                stream.change(**self._changes)
                self.stream = stream
        except RequestError:
            stream.close()
            raise
        stream.prepare()
        header = header_of(stream.source, stream.options, versions())
        self.trace = RunningTrace(header, self.folder)
        self._loop.call_soon_threadsafe(self._tell_start, stream)
        try:
            report = stream.run()
        finally:
            self.trace.close()
        return report.to_dict()

    def _tell_start(self, stream: Stream | SimulatedStream) -> None:
        findings = [{"severity": f.severity, "message": f.message} for f in stream.findings]
        ranges = stream.ranges._asdict() if isinstance(stream, SimulatedStream) else None
        self.channel.send(
            {"op": "started", "run": self.run, "findings": findings, "camera": ranges}
        )

    def _end_of(self, outcome: Outcome) -> None:
        """Count a frame, and let it wait for the browser."""
        self.counts.fates[outcome.fate.value] += 1
        if outcome.fate is Fate.DROPPED:
            self.counts.drops[outcome.reason] += 1
        elif outcome.fate is Fate.FAILED:
            self.counts.drops[f"{outcome.stage}: {outcome.reason}"] += 1
        elif outcome.fate is Fate.DONE:
            if self._waiting is not None:
                self._superseded()
            self._waiting, self.newest = outcome, outcome.value
            self._news.set()

    def _superseded(self) -> None:
        self.counts.superseded += 1

    def _shown(self) -> None:
        self.counts.shown += 1

    async def _send_frames(self) -> None:
        """Send the newest frame whenever the browser has room, and counts if none comes."""
        while True:
            try:
                async with asyncio.timeout(QUIET_S):
                    await self._news.wait()
            except TimeoutError:
                self.channel.show("counts", {"op": "counts", "counts": self.counts.plain()})
                continue
            await self.channel.room(SLOT)
            self._news.clear()
            outcome, self._waiting = self._waiting, None
            if outcome is not None:
                self._sending = True
                try:
                    await self._send(outcome)
                finally:
                    self._sending = False

    async def _send(self, outcome: Outcome) -> None:
        header, data = await asyncio.to_thread(packed, outcome.value, self.layers)
        self.counts.sent += 1
        stream = self.stream
        recorded = stream.recorded if stream is not None else None
        camera = stream.told(outcome.seq) if isinstance(stream, SimulatedStream) else None
        told = {
            **told_of(outcome), **header, "counts": self.counts.plain(), "camera": camera,
            "recorded": recorded._asdict() if recorded else None,
        }  # fmt: skip
        self.channel.show(SLOT, {"op": "frame", **told}, data, self._superseded, self._shown)

    async def _flush(self) -> None:
        """Give the last frame a moment to leave; without room for it, it counts as superseded."""
        with suppress(TimeoutError):
            async with asyncio.timeout(QUIET_S):
                while self._waiting is not None:
                    await asyncio.sleep(0.01)
        if self._waiting is not None:
            self._waiting = None
            self._superseded()
        while self._sending:
            await asyncio.sleep(0.01)
