"""The site: its parts behind the guards, static files, and the end of the server.

A part is a page with what is behind it. It gives its routes, and `close` ends what it has running.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import FileResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from camerapipe.web.guards import Guard
from camerapipe.web.serving import Serving

STATIC = Path(__file__).with_name("static")


class Part(Protocol):
    """A part of the site, such as the studio."""

    def routes(self) -> Sequence[BaseRoute]:
        """Its pages, requests and web sockets; their paths start with its name."""

    async def start(self) -> None:
        """Start what runs beside requests; called in the event loop."""

    async def close(self) -> None:
        """End all that runs, and remove temporary files."""


def page(path: str, file: str) -> Route:
    """Route of a page: a file of `static/`."""

    async def answer(_: object) -> FileResponse:
        return FileResponse(STATIC / file)

    return Route(path, answer)


def site(serving: Serving, parts: Sequence[Part]) -> Starlette:
    """The application of a server.

    Parameters
    ----------
    serving : Serving
        Address, token and limits.
    parts : sequence of Part
        Started with the server and closed with it.
    """

    @asynccontextmanager
    async def running(_: Starlette) -> AsyncIterator[None]:
        try:
            for part in parts:
                await part.start()
            yield
        finally:
            for part in reversed(parts):
                await part.close()

    routes = [route for part in parts for route in part.routes()]
    files = Mount("/static", StaticFiles(directory=STATIC))
    return Starlette(
        routes=[*routes, files],
        middleware=[Middleware(Guard, serving=serving)],
        lifespan=running,
    )
