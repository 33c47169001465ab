"""The studio: one photograph, its edits, and what they look like."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute

from camerapipe.web.serving import Serving
from camerapipe.web.site import page


class Studio:
    """The part of the site at `/`."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving

    def routes(self) -> Sequence[BaseRoute]:
        """Page and requests."""
        return [page("/", "studio.html")]

    async def start(self) -> None:
        """Nothing runs yet."""

    async def close(self) -> None:
        """Nothing runs yet."""
