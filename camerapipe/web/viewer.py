"""A page of the viewfinder: what it asks for, and the stream that runs for it."""

from __future__ import annotations

import asyncio
import shutil
from asyncio import wrap_future
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from camerapipe.arguments import point_of
from camerapipe.errors import CaptureError, OutputError, RequestError
from camerapipe.ingest import write_picture
from camerapipe.stream.shown import Shown
from camerapipe.web.channel import Channel
from camerapipe.web.feed import CREDIT, Feed
from camerapipe.web.frames import INFINITE, Layers
from camerapipe.web.live import Live
from camerapipe.web.messages import Message, MessageError
from camerapipe.web.pictures import Picture
from camerapipe.web.simulated import SimulatedStream, set_controls, still
from camerapipe.web.views import CAMERA, Views, changes_of, facts_of, lens_of
from stages.tone import encode

LONGEST_RECORDING_S = 30.0  # a frame of 720p takes some MB
CLOSED = 4000  # code of the socket for an end that is meant
OpenFile = Callable[[Path, str], Awaitable[Picture]]  # opens a file in the studio


@dataclass(slots=True, eq=False)
class Viewer:
    """A page of the viewfinder.

    Parameters
    ----------
    channel : Channel
        To the page.
    views : Views
        What can be shown.
    folder : Path
        For traces and stills; removed in the end.
    open_file : callable
        Opens a still in the studio.
    """

    channel: Channel
    views: Views
    folder: Path
    open_file: OpenFile
    live: Live | None = None
    layers: Layers = field(default_factory=Layers)
    _stills: int = 0
    _limit: asyncio.TimerHandle | None = None

    async def handle(self, message: Message) -> None:
        """Do what the page asks for, and answer it."""
        if message.op == "frame":
            if self.live is not None and self.live.feed is not None:
                self.live.feed.put(message.fields, message.data)
            return
        act = {
            "start": self._start, "stop": self._stop, "change": self._change, "look": self._look,
            "optics": self._optics, "shutter": self._shutter, "record": self._record,
            "end_recording": self._end_recording, "camera": self._camera, "focus": self._focus,
        }.get(message.op)  # fmt: skip
        if act is None:
            raise MessageError(f"{message.op}: is not known")
        try:
            answer = await act(message.fields)
        except (RequestError, CaptureError, OutputError) as error:
            answer = {"error": str(error)}
        self.channel.send({"op": "answer", "id": message.id, **answer})

    async def close(self, reason: str | None = None) -> None:
        """End the stream and, with a reason, the connection."""
        if self.live is not None:
            await self.live.close()
        if reason is not None:
            await self.channel.close(CLOSED, reason)
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _start(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        opening = self.views.opening(wish)
        if self.live is not None:
            await self.live.close()
        feed = self._feed() if wish.get("source") == CAMERA else None
        self.live = Live(self.channel, self.folder, self.layers, feed, run=wish.get("run"))
        self.live.start(opening)
        return {}

    def _feed(self) -> Feed:
        """The camera of the page, which may send as many frames as the stream takes."""
        loop = asyncio.get_running_loop()

        def more() -> None:
            loop.call_soon_threadsafe(self.channel.send, {"op": "more", "frames": 1})

        self.channel.send({"op": "more", "frames": CREDIT})
        return Feed(more)

    async def _stop(self, _: Mapping[str, Any]) -> dict[str, Any]:
        if self.live is not None:
            await self.live.stop()
        return {}

    async def _change(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        changes = changes_of(wish)
        if self.live is not None:
            self.live.change(changes)
        return {}

    async def _look(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        self.layers.map, self.layers.peaking = wish.get("map") is True, wish.get("peaking") is True
        return {}

    async def _optics(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        """Check with a lens that was typed, and say what it does at the size of the stream."""
        lens = lens_of(wish.get("lens") or {})
        changes = changes_of(wish)
        shape = self.live.newest.image.shape if self.live and self.live.newest else (720, 1280)
        facts = facts_of(lens, changes.get("distance_m"), (shape[0], shape[1]))
        if self.live is not None:
            self.live.change(changes)
        return {"facts": {name: min(value, INFINITE) for name, value in facts.items()}}

    def _simulated(self) -> SimulatedStream | None:
        """The simulated camera that runs."""
        stream = self.live.stream if self.live is not None else None
        return stream if isinstance(stream, SimulatedStream) and stream.running else None

    async def _camera(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        """Set controls of the simulated camera."""
        act, camera = set_controls(wish), self._simulated()
        if camera is not None:
            await wrap_future(camera.ask(act))
        return {}

    async def _focus(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        """Start autofocus at a point, px of the frame."""
        point, camera = point_of("point", wish.get("point")), self._simulated()
        if camera is not None:
            await wrap_future(camera.ask(lambda camera: camera.focus(point)))
        return {}

    async def _shutter(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """A still of the simulated camera, or the newest frame at full quality, in the studio."""
        camera = self._simulated()
        if camera is not None:
            self._stills += 1
            folder = self.folder / f"still-{self._stills}"
            path = await wrap_future(camera.ask(lambda camera: still(camera, folder)))
            return {"picture": (await self.open_file(path, path.name)).number}
        shown = self.live.newest if self.live is not None else None
        if shown is None:
            raise RequestError("There is no frame yet.")
        self._stills += 1
        path = await asyncio.to_thread(_still, shown, self.folder / f"still-{self._stills}")
        return {"picture": (await self.open_file(path, shown.frame.capture.name)).number}

    async def _record(self, _: Mapping[str, Any]) -> dict[str, Any]:
        stream = self.live.stream if self.live is not None else None
        if stream is None:
            raise RequestError("There is nothing to record: start the viewfinder first.")
        folder = self._new_recording()
        await asyncio.to_thread(stream.record, folder)
        self._cancel_limit()  # of a recording that ended with its stream
        loop = asyncio.get_running_loop()
        self._limit = loop.call_later(
            LONGEST_RECORDING_S, lambda: loop.create_task(self._end_at_limit())
        )
        return {"folder": str(folder), "longest_s": LONGEST_RECORDING_S}

    async def _end_recording(self, _: Mapping[str, Any]) -> dict[str, Any]:
        self._cancel_limit()
        stream = self.live.stream if self.live is not None else None
        folder = await asyncio.to_thread(stream.end_recording) if stream is not None else None
        return {"folder": None if folder is None else str(folder), "sources": self.views.sources()}

    def _cancel_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()

    async def _end_at_limit(self) -> None:
        try:
            answer = await self._end_recording({})
        except OutputError as error:
            answer = {"error": str(error)}
        self.channel.send({"op": "recorded", **answer})

    def _new_recording(self) -> Path:
        number = 1
        while (folder := self.views.recordings / f"recording-{number:03d}").exists():
            number += 1
        return folder


def _still(shown: Shown, folder: Path) -> Path:
    """File of a frame at full quality: its own, or its pixels without loss."""
    capture, origin = shown.frame.capture, shown.frame.origin
    if origin is not None:
        return origin
    folder.mkdir(parents=True)
    path = (
        folder
        / f"{Path(capture.name).stem or 'frame'}{'.png' if capture.bit_depth == 8 else '.tif'}"
    )
    write_picture(path, encode(capture.linear, capture.curve), capture)
    return path
