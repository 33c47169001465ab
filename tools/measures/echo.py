"""A server with nothing behind it, which answers a small message by bytes of a size."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

REPEATS = 40
PAGE = """<!doctype html><title>echo</title><script>
async function measure() {
  const socket = new WebSocket(`ws://${location.host}/socket`);
  socket.binaryType = "arraybuffer";
  await new Promise((done) => (socket.onopen = done));
  const times = [];
  for (let k = 0; k < REPEATS; k++) {
    const since = performance.now();
    const answer = new Promise((done) => (socket.onmessage = done));
    socket.send("more");
    await answer;
    times.push(performance.now() - since);
  }
  return times;
}
</script>""".replace("REPEATS", str(REPEATS))


@contextmanager
def echoing(size: int) -> Iterator[str]:
    """Address of a page with a function `measure()`, which gives the times of echoes, ms."""
    data = bytes(size)

    async def page(_: object) -> HTMLResponse:
        return HTMLResponse(PAGE)

    async def socket(connection: WebSocket) -> None:
        await connection.accept()
        try:
            while True:
                await connection.receive_text()
                await connection.send_bytes(data)
        except WebSocketDisconnect:
            return

    routes = [Route("/", page), WebSocketRoute("/socket", socket)]
    config = uvicorn.Config(
        Starlette(routes=routes), port=0, log_level="error", ws="websockets-sansio",
        ws_per_message_deflate=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    server.should_exit = True
    thread.join()
