"""A connection to a page by a web socket.

Answers and news are sent in order, none is lost. What is only of use while it is new, such as a
picture, goes through a slot: a newer one replaces one that waits there, and at most two of a slot
are with the browser before it says that one was shown (`{"op": "shown", "slot": ...}`). Pages do
the same with what they ask (`socket.js`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from camerapipe.web.messages import Message, MessageError, pack, unpack

IN_FLIGHT = 2  # messages of a slot that the browser has not shown yet
MAX_WAITING = 1000  # messages without slot; a page that reads none of them is gone
SHOWN = "shown"
TRY_AGAIN_LATER, POLICY_VIOLATION = 1013, 1008  # RFC 6455, and the registry of IANA

Handler = Callable[[Message], Awaitable[None]]
Told = Callable[[], None]


@dataclass(slots=True)
class _Slot:
    """What waits, and how many are with the browser."""

    waiting: bytes | None = None
    superseded: Told | None = None
    shown: Told | None = None  # of the one that waits
    in_flight: deque[Told | None] = field(default_factory=deque)  # whom to tell that it was shown
    has_room: asyncio.Event = field(default_factory=asyncio.Event)

    def update(self) -> None:
        """Say whether the next message would leave at once."""
        if self.waiting is None and len(self.in_flight) < IN_FLIGHT:
            self.has_room.set()
        else:
            self.has_room.clear()


@dataclass(slots=True, eq=False)
class Channel:
    """A connection. All methods belong to the event loop.

    Attributes
    ----------
    superseded : int
        Messages of slots that newer ones replaced before they left.
    """

    socket: WebSocket
    superseded: int = 0
    _waiting: deque[bytes] = field(default_factory=deque)
    _slots: dict[str, _Slot] = field(default_factory=dict)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def send(self, header: Mapping[str, Any], data: bytes | memoryview = b"") -> None:
        """Send a message; it is not lost, and stays in order."""
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append(pack(header, data))
        self._news.set()

    def show(
        self,
        slot: str,
        header: Mapping[str, Any],
        data: bytes | memoryview = b"",
        superseded: Told | None = None,
        shown: Told | None = None,
    ) -> None:
        """Send the newest message of a slot.

        `superseded` is called if a newer one replaces it before it leaves, `shown` when the browser
        says that it was shown.
        """
        place = self._slots.setdefault(slot, _Slot())
        if place.waiting is not None:
            self.superseded += 1
            if place.superseded is not None:
                place.superseded()
        place.waiting = pack({**header, "slot": slot}, data)
        place.superseded, place.shown = superseded, shown
        place.update()
        self._news.set()

    async def room(self, slot: str) -> None:
        """Wait until the next message of a slot would leave at once."""
        place = self._slots.setdefault(slot, _Slot())
        place.update()
        await place.has_room.wait()

    async def run(self, handle: Handler) -> None:
        """Accept the connection, and handle its messages one after another until it ends.

        A message that is wrong in form ends the connection; errors of `handle` are its own affair.
        """
        await self.socket.accept()
        sender = asyncio.create_task(self._send_all())
        try:
            while True:
                received = await self.socket.receive()
                if received["type"] == "websocket.disconnect":
                    return
                message = unpack(received.get("bytes") or received.get("text") or "")
                if message.op == SHOWN:
                    self._shown(str(message.fields.get("slot")))
                else:
                    await handle(message)
        except MessageError as error:
            await self.close(POLICY_VIOLATION, str(error))
        except WebSocketDisconnect:
            return
        finally:
            sender.cancel()
            for slot in self._slots.values():  # what still waited is accounted as well
                if slot.waiting is not None and slot.superseded is not None:
                    slot.superseded()

    async def close(self, code: int, reason: str) -> None:
        """End the connection; the page shows the reason."""
        if self.socket.application_state is WebSocketState.CONNECTED:
            await self.socket.close(code, reason.encode()[:120].decode(errors="ignore"))

    def _shown(self, name: str) -> None:
        if slot := self._slots.get(name):
            shown = slot.in_flight.popleft() if slot.in_flight else None
            if shown is not None:
                shown()
            slot.update()
            self._news.set()

    def _next(self) -> bytes | None:
        """The next message that may leave."""
        if self._waiting:
            return self._waiting.popleft()
        for slot in self._slots.values():
            if slot.waiting is not None and len(slot.in_flight) < IN_FLIGHT:
                slot.in_flight.append(slot.shown)
                message, slot.waiting, slot.superseded, slot.shown = slot.waiting, None, None, None
                slot.update()
                return message
        return None

    async def _send_all(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while (message := self._next()) is not None:
                try:
                    await self.socket.send_bytes(message)
                except (WebSocketDisconnect, RuntimeError):  # the page has gone
                    return
