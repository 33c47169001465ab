"""Exports of a photograph: jobs that start from its file and its recipe, one at a time.

The bytes are those that `camerapipe render --recipe` writes.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from camerapipe.assembly import Request
from camerapipe.errors import RequestError
from camerapipe.ingest import PICTURE_FORMATS, Metadata, can_write, format_named
from camerapipe.isolation import Decoder
from camerapipe.job import Job, JobResult, Writing, run_job
from camerapipe.naming import ENDINGS, Kind, Outputs
from camerapipe.recipe import resolve_with
from camerapipe.runner import watched
from camerapipe.web.desk import Desk, SupersededError

MOST = 20  # exports of a photograph whose files are kept
KINDS: tuple[Kind, ...] = ("picture", "map", "recipe", "report")
Tell = Callable[[Mapping[str, Any]], None]


@dataclass(slots=True, eq=False)
class Export:
    """An export: what was asked for, and its files."""

    number: str
    job: Job
    folder: Path
    cancelled: bool = False
    news: dict[str, Any] = field(default_factory=dict)  # how it goes, as a message for pages


@dataclass(slots=True, eq=False)
class Exports:
    """Exports of a photograph. It belongs to the event loop.

    Parameters
    ----------
    desk : Desk
        The photograph.
    decoder : Decoder
        Reads its file.
    heavy : asyncio.Lock
        Held by one export at a time, of all photographs.
    max_pixels : int
        As for the job.
    tell : callable
        Called with progress and results, as messages for all pages.
    """

    desk: Desk
    decoder: Decoder
    heavy: asyncio.Lock
    max_pixels: int
    tell: Tell
    _kept: dict[str, Export] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self, asked: Mapping[str, Any], folder: Path) -> str:
        """Start an export of the present state, and return its number.

        Parameters
        ----------
        asked : mapping
            `kinds`, a list of `KINDS`; `format`, `bits`, `quality`, `strip_gps` of the picture.
        folder : Path
            Empty folder for its files.

        Raises
        ------
        RequestError
            If something is asked for that does not exist.
        """
        export = Export(secrets.token_urlsafe(9), self._job(asked, folder), folder)
        while len(self._kept) >= MOST:
            oldest = self._kept.pop(next(iter(self._kept)))
            shutil.rmtree(oldest.folder, ignore_errors=True)
        self._kept[export.number] = export
        task = asyncio.create_task(self._run(export))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return export.number

    def cancel(self, number: str) -> None:
        """Cancel an export; it ends at its next stage."""
        if (export := self._kept.get(number)) is not None:
            export.cancelled = True

    def file(self, number: str, kind: str) -> Path | None:
        """A file of an export that is done."""
        export = self._kept.get(number)
        path: Path | None = getattr(export.job.outputs, kind) if export and kind in KINDS else None
        return path if path is not None and path.is_file() else None

    async def close(self) -> None:
        """Cancel all exports, and remove their files."""
        for export in self._kept.values():
            export.cancelled = True
        if self._tasks:
            await asyncio.wait(self._tasks)
        for export in self._kept.values():
            shutil.rmtree(export.folder, ignore_errors=True)
        self._kept.clear()

    def _job(self, asked: Mapping[str, Any], folder: Path) -> Job:
        kinds, bits, quality = asked.get("kinds"), asked.get("bits"), asked.get("quality")
        if not isinstance(kinds, list) or not kinds or not set(map(str, kinds)) <= set(KINDS):
            raise RequestError(f"export: kinds: expected some of {', '.join(KINDS)}; got {kinds!r}")
        name = format_named(str(asked.get("format", "jpeg")))
        if bits is not None and bits not in PICTURE_FORMATS[name].bits:
            raise RequestError(f"export: bits: a {name.upper()} has no {bits!r} bits")
        if quality is not None and not (type(quality) is int and 1 <= quality <= 100):
            raise RequestError(f"export: quality: expected 1 to 100; got {quality!r}")
        stem = self.desk.path.stem
        places: dict[Kind, Path] = {kind: folder / f"{stem}{ENDINGS[kind]}" for kind in KINDS[1:]}
        places["picture"] = (
            folder / f"{stem}{ENDINGS['picture']}{PICTURE_FORMATS[name].suffixes[0]}"
        )
        recipe = self.desk.recipe_now()
        writing = Writing(
            bits=bits,
            quality=quality if PICTURE_FORMATS[name].lossy else None,
            metadata=Metadata.WITHOUT_GPS if asked.get("strip_gps") is True else Metadata.ALL,
        )
        request = Request(settings=resolve_with(recipe), force=self.desk.session.request.force)
        outputs = Outputs(**{kind: places[kind] for kind in kinds})
        return Job(
            source=self.desk.path, request=request, recipe=recipe, outputs=outputs,
            writing=writing, max_pixels=self.max_pixels,
        )  # fmt: skip

    def news(self) -> list[Mapping[str, Any]]:
        """How all exports go, as messages for a page."""
        return [export.news for export in self._kept.values() if export.news]

    def _tell(self, export: Export, **news: Any) -> None:
        export.news = {"op": "export", "export": export.number, **news}
        self.tell(export.news)

    async def _run(self, export: Export) -> None:
        if self.heavy.locked():
            self._tell(export, waits=True)
        async with self.heavy:
            result = await asyncio.to_thread(self._work, export, asyncio.get_running_loop())
        if result is not None and result.error is None:
            places = [(kind, result.written[kind]) for kind in KINDS if kind in result.written]
            files = [
                {"kind": kind, "name": path.name, "bytes": path.stat().st_size}
                for kind, path in places
            ]
            verdict = result.verdict.partition(" -> ")[0]
            self._tell(export, files=files, verdict=verdict, notes=list(result.notes))
            return
        shutil.rmtree(export.folder, ignore_errors=True)
        reason = None if result is None or result.error is None else result.error.message
        self._tell(export, cancelled=result is None, error=reason)

    def _work(self, export: Export, loop: asyncio.AbstractEventLoop) -> JobResult | None:
        """Run the job in a thread; None if it was cancelled."""

        def watcher(stage: str, number: int, count: int) -> None:
            if export.cancelled:
                raise SupersededError
            advance = partial(self._tell, export, stage=stage, part=number / count)
            loop.call_soon_threadsafe(advance)

        if export.cancelled:
            return None
        with self.decoder.reading(), watched(watcher):
            result = run_job(export.job)
        return None if export.cancelled else result


def formats() -> list[dict[str, Any]]:
    """Formats in which a picture can be exported here, as plain data."""
    return [
        {"name": name, "bits": list(each.bits), "lossy": each.lossy}
        for name, each in PICTURE_FORMATS.items()
        if can_write(name)
    ]
