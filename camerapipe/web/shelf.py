"""The photographs that a person named when the server started, with the verdict of the check.

A page names them by number, so that it reaches no other files.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from camerapipe.assembly import Request
from camerapipe.camera import check_capture
from camerapipe.errors import CaptureError, explain
from camerapipe.ingest import encode_picture
from camerapipe.isolation import Decoder, DecoderLimits
from camerapipe.naming import find_inputs
from camerapipe.session import reduced
from camerapipe.settings import resolve
from camerapipe.verdict import answer
from stages.tone import encode

THUMBNAIL_MEGAPIXELS = 0.03
THUMBNAIL_QUALITY = 85


@dataclass(slots=True, eq=False)
class Item:
    """A photograph on the shelf; `verdict` is None until it was checked."""

    path: Path
    verdict: dict[str, Any] | None = None
    thumbnail: bytes | None = None
    picture: str | None = None  # number of the open photograph

    def to_plain(self) -> dict[str, Any]:
        """As a page shows it."""
        shown = self.thumbnail is not None
        return {"name": self.path.name, "verdict": self.verdict, "thumbnail": shown}


@dataclass(slots=True, eq=False)
class Shelf:
    """Files and folders that a person named. It belongs to the event loop.

    Parameters
    ----------
    items : list of Item
        See `of`.
    is_folder : bool
        Whether a folder was named: then all of its pictures are checked.
    """

    items: list[Item] = field(default_factory=list)
    is_folder: bool = False
    _task: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, named: Iterable[Path]) -> Shelf:
        """Shelf of the files, and of the pictures in the folders, that a person named.

        Raises
        ------
        CaptureError
            If something does not exist, or a folder has no pictures in it.
        """
        named = list(named)
        for path in named:
            if not path.exists():
                raise CaptureError(f"{path}: does not exist; check the name")
        found = find_inputs(named)
        folders = [folder.resolve() for folder in found.folders]
        files = {path.resolve() for path in named if path.is_file()}
        kept = [
            path
            for path in map(os.path.abspath, found.paths)
            if (real := Path(path).resolve()) in files
            or any(real.is_relative_to(folder) for folder in folders)
        ]  # links in a folder lead nowhere else
        return cls([Item(Path(path)) for path in kept], is_folder=bool(folders))

    def start(self, max_pixels: int, heavy: asyncio.Lock) -> None:
        """Check the pictures of a folder, one after another, while nothing heavy runs."""
        if self.is_folder:
            self._task = asyncio.create_task(self._check_all(max_pixels, heavy))

    async def close(self) -> None:
        """Stop to check."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _check_all(self, max_pixels: int, heavy: asyncio.Lock) -> None:
        decoder = await asyncio.to_thread(Decoder, DecoderLimits(max_pixels=max_pixels), threads=1)
        try:
            for item in self.items:
                async with heavy:
                    await asyncio.to_thread(_check, item, decoder)
        finally:
            decoder.close()


def _check(item: Item, decoder: Decoder) -> None:
    """Find the verdict and the thumbnail of a photograph."""
    try:
        capture = decoder.open(item.path)
        found = check_capture(capture, Request(settings=resolve()))
        small = reduced(capture, THUMBNAIL_MEGAPIXELS)
        image = encode(small.linear, small.curve)
        item.thumbnail = encode_picture(image, small, format="jpeg", quality=THUMBNAIL_QUALITY)
        item.verdict = {"answer": answer(found), **asdict(found[0])}
    except Exception as error:
        item.verdict = {
            "answer": "unreadable", "severity": "blocking", "code": "unreadable",
            "message": explain(error, item.path.name),
        }  # fmt: skip
