"""The studio: requests of its page, and the web socket over which a photograph is edited."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from camerapipe.errors import explain
from camerapipe.web.channel import Channel
from camerapipe.web.controls import controls
from camerapipe.web.editing import CLOSED
from camerapipe.web.exports import formats
from camerapipe.web.messages import Message, MessageError
from camerapipe.web.pictures import Picture, Pictures
from camerapipe.web.screen import View
from camerapipe.web.serving import MEGABYTE, Serving
from camerapipe.web.shelf import Item, Shelf
from camerapipe.web.site import page
from camerapipe.web.workplace import Workplace, safe_name
from stages.scribble import KINDS

NOT_OPEN = "This photograph is no longer open on the server; open it again."


class Studio:
    """The part of the site at `/`.

    Parameters
    ----------
    serving : Serving
        Limits.
    shelf : Shelf
        The photographs that a person named.
    options : mapping
        Options of `Session` for every photograph: preset, config, recipe.
    """

    def __init__(
        self, serving: Serving, shelf: Shelf | None = None, options: Mapping[str, Any] = {}
    ) -> None:
        self.serving = serving
        self.shelf = shelf or Shelf()
        self.pictures = Pictures(serving, options)
        self._opening = asyncio.Lock()

    def routes(self) -> Sequence[BaseRoute]:
        """Page and requests."""
        return [
            page("/", "studio.html"),
            Route("/studio/start", self._start_data),
            Route("/studio/upload", self._upload, methods=["POST"]),
            Route("/studio/shelf", self._shelf_data),
            Route("/studio/shelf/{number:int}/open", self._open_item, methods=["POST"]),
            Route("/studio/shelf/{number:int}/thumbnail", self._thumbnail),
            Route("/studio/pictures/{picture}/exports/{export}/{kind}", self._download),
            WebSocketRoute("/studio/pictures/{picture}", self._socket),
        ]

    async def start(self) -> None:
        """Start the decoder, and the check of the shelf."""
        self.workplace = Workplace()
        await self.pictures.start()
        self.shelf.start(self.serving.max_pixels, self.pictures.heavy)

    async def close(self) -> None:
        """Close all photographs, and remove uploads and exports."""
        await self.shelf.close()
        await self.pictures.close()
        self.workplace.close()

    async def open_file(self, path: Path, name: str) -> Picture:
        """Open a file of this machine, such as a frame of the viewfinder.

        Raises
        ------
        CaptureError, RequestError, MemoryError
            If it cannot be opened.
        """
        return await self.pictures.open(path, name)

    async def _start_data(self, _: Request) -> Response:
        return JSONResponse({
            "controls": controls(),
            "formats": formats(),
            "kinds": KINDS,
            "shelf": len(self.shelf.items),
            "first": self.shelf.items[0].path.name if self.shelf.items else None,
            "folder": self.shelf.is_folder,
            "max_upload_bytes": self.serving.max_upload_bytes,
        })  # fmt: skip

    async def _upload(self, request: Request) -> Response:
        """Store the body of a request as a file, and open it."""
        name = safe_name(request.query_params.get("name", ""))
        folder = self.workplace.folder()
        try:
            await self._store(request, folder / name)
            picture = await self.pictures.open(folder / name, name, folder)
        except HTTPException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        except Exception as error:
            shutil.rmtree(folder, ignore_errors=True)
            return _refused(error, folder / name)
        return JSONResponse({"picture": picture.number})

    async def _store(self, request: Request, path: Path) -> None:
        limit, size = self.serving.max_upload_bytes, 0
        announced = request.headers.get("content-length", "0")
        too_large = HTTPException(
            413, f"{path.name}: is larger than {limit // MEGABYTE} MB; see --max-upload"
        )
        if announced.isdigit() and int(announced) > limit:
            raise too_large
        try:
            with path.open("xb") as file:
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > limit:
                        raise too_large
                    file.write(chunk)
        except ClientDisconnect:
            raise HTTPException(400, "The page has gone.") from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise HTTPException(507, f"{path.name}: cannot be stored: {reason}") from error

    async def _shelf_data(self, _: Request) -> Response:
        return JSONResponse([item.to_plain() for item in self.shelf.items])

    def _item(self, request: Request) -> Item:
        number: int = request.path_params["number"]
        if not 0 <= number < len(self.shelf.items):
            raise HTTPException(404)
        return self.shelf.items[number]

    async def _open_item(self, request: Request) -> Response:
        """Open a photograph of the shelf; all pages share it."""
        item = self._item(request)
        async with self._opening:
            if item.picture is not None and self.pictures.find(item.picture):
                return JSONResponse({"picture": item.picture})
            try:
                picture = await self.pictures.open(item.path, item.path.name)
            except Exception as error:
                return _refused(error, item.path)
            item.picture = picture.number
        return JSONResponse({"picture": picture.number})

    async def _thumbnail(self, request: Request) -> Response:
        thumbnail = self._item(request).thumbnail
        if thumbnail is None:
            raise HTTPException(404)
        return Response(thumbnail, media_type="image/jpeg")

    async def _download(self, request: Request) -> Response:
        places = request.path_params
        picture = self.pictures.find(places["picture"])
        path = picture.exports.file(places["export"], places["kind"]) if picture else None
        if path is None:
            raise HTTPException(404)
        return FileResponse(path, filename=path.name, content_disposition_type="attachment")

    async def _socket(self, socket: WebSocket) -> None:
        """Serve a page that shows a photograph."""
        channel = Channel(socket)
        picture = self.pictures.find(socket.path_params["picture"])
        if picture is None:
            await socket.accept()
            await channel.close(CLOSED, NOT_OPEN)
            return

        async def handle(message: Message) -> None:
            self._handle(message, picture, channel)

        channel.send({"op": "opened", **picture.about()})
        picture.editing.join(channel)
        for news in picture.exports.news():
            channel.send(news)
        try:
            await channel.run(handle)
        finally:
            picture.editing.leave(channel)

    def _handle(self, message: Message, picture: Picture, channel: Channel) -> None:
        fields, editing = message.fields, picture.editing
        match message.op:
            case "edit" | "recipe" | "undo" | "redo" | "reset":
                editing.ask(message, channel)
            case "view":
                editing.look(View.of(fields), channel)
            case "probe":
                x, y = fields.get("x"), fields.get("y")
                if not isinstance(x, int | float) or not isinstance(y, int | float):
                    raise MessageError("probe: expected numbers x and y")
                channel.send(
                    {"op": "probe", "id": message.id, "x": x, "y": y, **editing.probe(x, y)}
                )
            case "export":
                try:
                    number = picture.exports.start(fields, self.workplace.folder())
                except ValueError as error:
                    channel.send({"op": "done", "id": message.id, "error": str(error)})
                else:
                    channel.send({"op": "done", "id": message.id, "export": number})
            case "cancel":
                picture.exports.cancel(str(fields.get("export")))
            case other:
                raise MessageError(f"message: there is no {other!r}")


def _refused(error: Exception, path: Path) -> Response:
    """Answer that says why a photograph cannot be opened."""
    message = explain(error, path.name).replace(str(path), path.name)
    return JSONResponse({"error": message}, 422)
