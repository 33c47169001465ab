"""Running the server: the port, the browser, and the end by Ctrl-C."""

from __future__ import annotations

import errno
import socket
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import replace

import uvicorn
from starlette.applications import Starlette

from camerapipe.errors import RequestError
from camerapipe.web.serving import Serving

BACKLOG = 128
GRACE_S = 3  # for requests that run when the server ends


def listen(serving: Serving) -> tuple[Serving, socket.socket]:
    """Take the port; the result has its number.

    Raises
    ------
    RequestError
        If the port is taken, or the address does not belong to this machine.
    """
    family = socket.AF_INET6 if ":" in serving.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((serving.host, serving.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise RequestError(_reason(serving, error)) from error
    return replace(serving, port=listener.getsockname()[1]), listener


def _reason(serving: Serving, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"--port {serving.port}: is taken, perhaps by another `camerapipe serve`; name another "
            "(0: any free one)"
        )
    if error.errno == errno.EACCES:
        return f"--port {serving.port}: needs rights that this user does not have; name one >= 1024"
    return f"--host {serving.host}: cannot listen there: {error.strerror or error}"


def run(
    application: Starlette,
    serving: Serving,
    listener: socket.socket,
    *,
    started: Callable[[], None],
    browse: str | None = None,
) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Parameters
    ----------
    application : Starlette
        The site.
    serving : Serving
        Of `listen`.
    listener : socket
        Of `listen`.
    started : callable
        Called when pages can be loaded.
    browse : str, optional
        Address to open in the browser of the person.
    """

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                started()
                if browse is not None:  # in a thread, since a browser of the terminal blocks
                    threading.Thread(target=webbrowser.open, args=(browse,), daemon=True).start()

    config = uvicorn.Config(
        application,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="on",
        ws="websockets-sansio",
        ws_max_size=serving.max_message_bytes,
        ws_per_message_deflate=False,  # JPEG files do not compress, and loopback is fast
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=serving.certificate,
        ssl_keyfile=serving.key,
    )
    try:
        Server(config).run(sockets=[listener])
    except KeyboardInterrupt:  # uvicorn has ended in order, and raises the signal again
        return
