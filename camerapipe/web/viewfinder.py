"""The viewfinder: what a phone would show, at the rate at which this machine can show it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import secrets
from collections.abc import Sequence
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from camerapipe.timeline import page as report_page
from camerapipe.timeline import read_trace
from camerapipe.web.channel import Channel
from camerapipe.web.frames import palette
from camerapipe.web.site import page
from camerapipe.web.viewer import OpenFile, Viewer
from camerapipe.web.views import Views
from camerapipe.web.workplace import Workplace

MOST_VIEWERS = 3
TOO_MANY = "It was closed, because the viewfinder was opened in more tabs. Reload to go on here."
SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


class Viewfinder:
    """The part of the site at `/viewfinder`.

    Parameters
    ----------
    views : Views
        What can be shown.
    open_file : callable
        Opens a still in the studio.
    """

    def __init__(self, views: Views, open_file: OpenFile) -> None:
        self.views, self.open_file = views, open_file
        self._viewers: dict[str, Viewer] = {}  # the oldest first
        self._ending: set[asyncio.Task[None]] = set()

    def routes(self) -> Sequence[BaseRoute]:
        """Page, web socket, and files of a run."""
        return [
            page("/viewfinder", "viewfinder.html"),
            WebSocketRoute("/viewfinder/socket", self._socket),
            Route("/viewfinder/{viewer}/trace.json", self._trace),
            Route("/viewfinder/{viewer}/report.html", self._report),
        ]

    async def start(self) -> None:
        """Make a folder for temporary files."""
        self.workplace = Workplace()

    async def close(self) -> None:
        """End all streams, and remove temporary files."""
        for number in list(self._viewers):
            await self._viewers.pop(number).close("The server has ended.")
        await asyncio.gather(*self._ending)
        self.workplace.close()

    async def _socket(self, socket: WebSocket) -> None:
        if len(self._viewers) >= MOST_VIEWERS:
            await self._viewers.pop(next(iter(self._viewers))).close(TOO_MANY)
        channel, number = Channel(socket), secrets.token_urlsafe(9)
        folder = self.workplace.folder()
        viewer = Viewer(channel, self.views, folder, self.open_file)
        self._viewers[number] = viewer
        channel.send({"op": "about", "viewer": number, **self.views.about()}, palette())
        try:
            await channel.run(viewer.handle)
        finally:
            if self._viewers.pop(number, None) is not None:  # also if this task is cancelled
                ending = asyncio.create_task(viewer.close())
                self._ending.add(ending)
                ending.add_done_callback(self._ending.discard)

    async def _trace(self, request: Request) -> Response:
        path = await self._traced(request)
        return FileResponse(path, filename="camerapipe-trace.json", media_type="application/json")

    async def _report(self, request: Request) -> Response:
        path = await self._traced(request)
        html = await asyncio.to_thread(lambda: report_page(read_trace(path)))
        return HTMLResponse(html, headers={"content-security-policy": _policy(html)})

    async def _traced(self, request: Request) -> Path:
        viewer = self._viewers.get(request.path_params["viewer"])
        trace = viewer.live.trace if viewer is not None and viewer.live is not None else None
        if trace is None:
            raise HTTPException(404, "There is no trace: nothing has run, or its page is closed.")
        return await asyncio.to_thread(trace.take)


def _policy(html: str) -> str:
    """Content security policy of a report, which allows the scripts that are in it."""
    digests = (hashlib.sha256(text.encode()).digest() for text in SCRIPT.findall(html))
    scripts = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
