"""The photographs that are open: they are opened one at a time, and few stay open."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from camerapipe.assembly import shape_of
from camerapipe.capture import Capture
from camerapipe.isolation import Decoder, DecoderLimits
from camerapipe.recipe import Recipe
from camerapipe.web.desk import Desk, session_for
from camerapipe.web.editing import Editing
from camerapipe.web.exports import Exports
from camerapipe.web.serving import Serving

FACTS = ("model", "lens", "focal_length_mm", "f_number", "exposure_s", "iso")
TOO_MANY = "It was closed, because more photographs were opened. Open it again to go on."


@dataclass(slots=True, eq=False)
class Picture:
    """An open photograph; `number` is how pages call it, and `folder` goes when it is closed."""

    number: str
    name: str
    editing: Editing
    exports: Exports
    folder: Path | None = None

    def about(self) -> dict[str, Any]:
        """What a page tells of the photograph, as plain data."""
        capture = self.editing.desk.session.capture
        height, width = shape_of(capture)
        meta = capture.meta.to_dict()
        return {
            "name": self.name,
            "width": width,
            "height": height,
            "proxy": list(shape_of(self.editing.desk.session.proxy))[::-1],
            "kind": capture.kind,
            "bits": capture.bit_depth,
            "facts": {name: meta[name]["value"] for name in FACTS if name in meta},
        }


@dataclass(slots=True, eq=False)
class Pictures:
    """All open photographs. It belongs to the event loop.

    Parameters
    ----------
    serving : Serving
        Limits.
    options : mapping
        Options of `Session`: preset, config, recipe.
    """

    serving: Serving
    options: Mapping[str, Any] = field(default_factory=dict)
    heavy: asyncio.Lock = field(default_factory=asyncio.Lock)
    _open: dict[str, Picture] = field(default_factory=dict)  # the least recently used first
    _decoder: Decoder | None = None
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def start(self) -> None:
        """Start the process that reads files."""
        limits = DecoderLimits(max_pixels=self.serving.max_pixels)
        self._decoder = await asyncio.to_thread(Decoder, limits)

    async def close(self) -> None:
        """Close all photographs."""
        for number in list(self._open):
            await self.shut(number, "The server has ended.")
        if self._decoder is not None:
            await asyncio.to_thread(self._decoder.close)

    @property
    def decoder(self) -> Decoder:
        """The process that reads files."""
        assert self._decoder is not None  # `start` was called
        return self._decoder

    def find(self, number: str) -> Picture | None:
        """An open photograph, which is used from now on."""
        picture = self._open.pop(number, None)
        if picture is not None:
            self._open[number] = picture
        return picture

    async def open(self, path: Path, name: str, folder: Path | None = None) -> Picture:
        """Open a photograph; the least recently used ones are closed for it.

        Parameters
        ----------
        path : Path
            Its file.
        name : str
            What pages call it.
        folder : Path, optional
            A folder that is removed when the photograph is closed.

        Raises
        ------
        CaptureError, RequestError, MemoryError
            If it cannot be opened.
        """
        async with self._opening:
            await self._make_room()
            desk = await asyncio.to_thread(self._desk, path)
        editing = Editing(desk, self.heavy)
        exports = Exports(desk, self.decoder, self.heavy, self.serving.max_pixels, editing.tell)
        picture = Picture(secrets.token_urlsafe(9), name, editing, exports, folder)
        self._open[picture.number] = picture
        editing.start()
        return picture

    async def shut(self, number: str, reason: str) -> None:
        """Close a photograph."""
        picture = self._open.pop(number)
        await picture.exports.close()
        await picture.editing.close(reason)
        if picture.folder is not None:
            shutil.rmtree(picture.folder, ignore_errors=True)

    def _desk(self, path: Path) -> Desk:
        capture: Capture = self.decoder.open(path)
        with self.decoder.reading():  # masks that a recipe names
            session = session_for(capture, **self.options)
        recipe = self.options.get("recipe")
        return Desk(session, path, recipe if isinstance(recipe, Recipe) else None)

    async def _make_room(self) -> None:
        """Close what is over the limits; what no page shows goes first."""
        while self._open and (
            len(self._open) >= self.serving.max_pictures
            or sum(each.editing.bytes for each in self._open.values()) > self.serving.max_bytes
        ):
            unused = (number for number, each in self._open.items() if not each.editing.in_use)
            await self.shut(next(unused, next(iter(self._open))), TOO_MANY)
