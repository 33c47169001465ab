"""Edits of one photograph in the order in which they come, and pictures of the newest state.

After an edit the quick preview is shown first, then the proxy. If no edit has come for a moment,
the map is solved from the beginning. If a page looks closer than the proxy allows, the visible part
of the full-size result follows, which is computed in the background. Whatever is under way for an
older state ends at its next stage.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from camerapipe.errors import explain
from camerapipe.session import Size
from camerapipe.web.channel import Channel
from camerapipe.web.desk import Desk, Shown, Stop, SupersededError
from camerapipe.web.messages import Message, MessageError
from camerapipe.web.screen import (
    Codes,
    View,
    cut,
    inside,
    jpeg,
    map_planes,
    reduced_tile,
    rgba,
)

logger = logging.getLogger(__name__)
T = TypeVar("T")

REST_S = (
    0.15  # without edits, after which the proxy follows the quick preview in the midst of a drag
)
DRAWN_S = 0.1  # at most, for pages to draw the quick preview, for which they need the processor too
SETTLE_S = 0.8  # without edits, after which a map is solved from the beginning
MAX_WAITING = 1000  # edits
CLOSED = 4000  # code with which the server ends a connection for good


@dataclass(slots=True, eq=False)
class Edit:
    """An edit that waits, and who is told how it went."""

    message: Message
    channel: Channel


@dataclass(slots=True, eq=False)
class Editing:
    """The edits of a photograph, for all pages that show it. It belongs to the event loop.

    Parameters
    ----------
    desk : Desk
        The photograph.
    heavy : asyncio.Lock
        Held while something is computed at full size, by all photographs and exports.
    """

    desk: Desk
    heavy: asyncio.Lock
    revision: int = 0
    _views: dict[Channel, View] = field(default_factory=dict)
    _waiting: list[Edit] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _shown: dict[Size, tuple[int, Shown]] = field(default_factory=dict)  # with revisions
    _full: tuple[int, Codes] | None = None
    _drawn: bool = True  # the newest picture, by some page
    _resting: bool = True  # no gesture is under way
    _gesture: object = None  # of the last edit
    _closed: bool = False
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _refining: asyncio.Task[None] | None = None

    @property
    def in_use(self) -> bool:
        """Whether a page shows the photograph."""
        return bool(self._views)

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return self.desk.bytes + (self._full[1].nbytes if self._full else 0)

    def start(self) -> None:
        """Start to work on edits."""
        self._tasks.append(asyncio.create_task(self._run()))

    async def close(self, reason: str) -> None:
        """End it, and tell the pages why."""
        self._closed = True  # ends what is being computed at its next stage
        for channel in list(self._views):
            await channel.close(CLOSED, reason)
        for task in [*self._tasks, *([self._refining] if self._refining else [])]:
            task.cancel()
        self._shown.clear()
        self._full = None

    def join(self, channel: Channel) -> None:
        """A page begins to show the photograph: it gets all that there is."""
        self._views[channel] = View()
        channel.send({"op": "state", "revision": self.revision, **self.desk.state()})
        before = self.desk.screen.original(self.desk.session.proxy)
        fields, data = self._packed(before)
        channel.send({"op": "before", **fields}, data)
        newest = max(self._shown.values(), key=lambda each: (each[0], -each[1].scale), default=None)
        if newest is not None:
            self._show(channel, *self._picture(*newest))
        self._news.set()

    def leave(self, channel: Channel) -> None:
        """A page has gone."""
        self._views.pop(channel, None)

    def ask(self, message: Message, channel: Channel) -> None:
        """An edit, which is answered when its picture was shown or it was refused.

        One of a gesture replaces one that still waits.
        """
        gesture, last = message.fields.get("gesture"), self._waiting[-1:]
        if gesture is not None and last and last[0].message.fields.get("gesture") == gesture:
            self._waiting.pop()
            last[0].channel.send({"op": "done", "id": last[0].message.id})
        if len(self._waiting) >= MAX_WAITING:
            raise MessageError("edit: too many are waiting")
        self._waiting.append(Edit(message, channel))
        self._news.set()

    def look(self, view: View, channel: Channel) -> None:
        """A page shows another part, or other layers."""
        before, self._views[channel] = self._views.get(channel), view
        if view.map and before is not None and not before.map:
            self._show_map(channel)
        self._show_tiles(channel)
        self._news.set()

    def probe(self, x: float, y: float) -> dict[str, float]:
        """Sigma and radius at a point of the photograph, if they are known."""
        shown = self._newest()
        return (shown.probe(x, y) if shown else None) or {}

    async def _run(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await self._work()
            except SupersededError:
                continue
            except Exception as error:
                logger.exception("a picture could not be made")
                self.tell({"op": "failed", "message": explain(error, self.desk.path.name)})

    async def _work(self) -> None:
        """Apply what waits, and show the newest state in better and better quality."""
        edits, self._waiting = self._waiting, []
        if edits:
            edits = await self._apply(edits)
        if not self._views:
            return
        first, *better = self.desk.sizes
        try:
            await self._render(first, self._is_let_go)
        finally:
            for edit in edits:
                edit.channel.send({"op": "done", "id": edit.message.id})
        if better:
            await self._pause(DRAWN_S, lambda: self._drawn)
        if better and not self._resting:
            await self._pause(REST_S)
        for size in better:
            await self._render(size, self._is_edited)
        if not self.desk.session.is_settled("proxy"):
            await self._pause(SETTLE_S)
            self._shown.pop("proxy", None)
            self._keep(await self._thread(self.desk.settle, "proxy", stop=self._is_edited))
        if self._refining is None or self._refining.done():
            self._refining = asyncio.create_task(self._refine())

    async def _apply(self, edits: list[Edit]) -> list[Edit]:
        """Apply edits in order, and return those that were accepted; others are answered.

        The end of a gesture often changes nothing more: then the revision stays.
        """
        before = self.desk.state()
        accepted: list[Edit] = []
        refused: list[tuple[Edit, str]] = []
        for edit in edits:
            fields = dict(edit.message.fields)
            resting = fields.pop("resting", True) is not False
            try:
                await asyncio.to_thread(self.desk.do, edit.message.op, fields)
            except Exception as error:
                if not isinstance(error, ValueError):
                    logger.exception("an edit failed")
                refused.append((edit, str(error)))
            else:
                accepted.append(edit)
                self._resting, self._gesture = resting, fields.get("gesture")
        after = self.desk.state()
        self.revision += after != before
        if after != before or refused:  # a page shows what it had wished
            self.tell({"op": "state", "revision": self.revision, **after})
        for edit, reason in refused:
            edit.channel.send({"op": "done", "id": edit.message.id, "error": reason})
        return accepted

    async def _render(self, size: Size, stop: Stop) -> None:
        """Render a size of the current state and show it, unless that was done."""
        if self._shown.get(size, (-1,))[0] != self.revision:
            self._keep(await self._thread(self.desk.render, size, stop=stop))

    async def _thread(self, work: Callable[..., T], *arguments: Any, stop: Stop) -> T:
        """Result of work in a thread, which ends early when `stop` says so."""
        return await asyncio.to_thread(work, *arguments, lambda: self._closed or stop())

    def _is_edited(self) -> bool:
        return bool(self._waiting)

    def _is_let_go(self) -> bool:
        """Whether the end of the gesture waits whose beginning is being rendered."""
        return self._gesture is not None and any(
            fields.get("gesture") == self._gesture and fields.get("resting") is not False
            for fields in (edit.message.fields for edit in list(self._waiting))
        )

    async def _pause(self, seconds: float, over: Callable[[], bool] = lambda: False) -> None:
        """Wait, at most until `over`; `SupersededError` if there are edits."""
        try:
            async with asyncio.timeout(seconds):
                while not self._waiting:
                    if over():
                        return
                    await self._news.wait()
                    self._news.clear()
        except TimeoutError:
            return
        self._news.set()
        raise SupersededError

    def _keep(self, shown: Shown) -> None:
        """Show a picture of the current state to all pages."""
        known = self._newest()
        self._shown[shown.size] = self.revision, shown
        self._drawn = False
        picture = self._picture(self.revision, shown)
        for channel, view in self._views.items():
            self._show(channel, *picture)
            if view.map and (known is None or known.blur is not shown.blur):
                self._show_map(channel)

    def _newest(self) -> Shown | None:
        """The best picture of the newest state that was rendered."""
        kept = max(self._shown.values(), key=lambda each: (each[0], -each[1].scale), default=None)
        return kept[1] if kept else None

    def _picture(self, revision: int, shown: Shown) -> tuple[dict[str, Any], memoryview]:
        """A picture as a message, which is the same for all pages."""
        fields, data = self._packed(shown.codes)
        header = {
            "op": "picture", "revision": revision, "size": shown.size, "session_ms": shown.ms,
            "settled": shown.settled,
            "findings": shown.findings, "blocked": shown.blocked, **fields,
        }  # fmt: skip
        return header, data

    def _show(self, channel: Channel, header: dict[str, Any], data: memoryview) -> None:
        channel.show("picture", header, data, shown=self._tell_drawn)

    def _tell_drawn(self) -> None:
        self._drawn = True
        self._news.set()

    def _show_map(self, channel: Channel) -> None:
        shown = self._newest()
        if shown is None or shown.blur is None:
            channel.show("map", {"op": "map", "width": 0, "height": 0, "top_px": 0})
            return
        planes, top = map_planes(shown.blur, shown.scale)
        height, width = shown.blur.sigma.shape
        channel.show("map", {"op": "map", "width": width, "height": height, "top_px": top}, planes)

    def _show_tiles(self, channel: Channel) -> None:
        """Show the visible part of the full-size result, if it is known, and of the original."""
        view = self._views[channel]
        if view.part is None or not view.close:
            return
        part = inside(view.part, self.desk.shape)
        header = {"op": "tile", "part": part, "revision": self.revision}
        if self._full is not None and self._full[0] == self.revision:
            tile = reduced_tile(cut(self._full[1], part))  # type: ignore[arg-type]
            fields, data = self._packed(tile, exact=True)
            channel.show("tile", {**header, "which": "after", **fields}, data)
        if view.before:
            tile = reduced_tile(self.desk.screen.original(self.desk.session.capture, part))
            fields, data = self._packed(tile, exact=True)
            channel.show("tile-before", {**header, "which": "before", **fields}, data)

    async def _refine(self) -> None:
        """Compute the full-size result while pages look closely, and show the visible parts."""
        while any(view.close for view in self._views.values()):
            async with self.heavy:
                revision = self.revision
                if self._full is not None and self._full[0] == revision:
                    return
                self._full = None
                self.tell({"op": "refining", "revision": revision})
                try:
                    codes = await self._thread(self.desk.full, stop=self._is_edited)
                except SupersededError:
                    return  # the next edit starts it again
            if revision == self.revision:
                self._full = revision, codes
                for channel in self._views:
                    self._show_tiles(channel)

    def _packed(self, codes: Codes, *, exact: bool = False) -> tuple[dict[str, Any], memoryview]:
        """A picture for pages, and what they must know of it.

        Pixels are sent if it shall be exact, or has all those of the photograph; else a JPEG file.
        """
        exact = exact or codes.shape[:2] == self.desk.shape
        screen, (height, width) = self.desk.screen, codes.shape[:2]
        fields = {"width": width, "height": height, "space": screen.space}
        if exact:
            return {**fields, "coding": "rgba"}, rgba(codes)
        return {**fields, "coding": "jpeg"}, jpeg(codes, screen.space)

    def tell(self, header: Mapping[str, Any]) -> None:
        """Send a message to all pages."""
        for channel in self._views:
            channel.send(header)
