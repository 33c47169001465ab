"""Guards of the server: who may connect, from which page, and what a page may load.

A request is refused if its host is not one of this server (DNS rebinding), if it comes from a page
of another origin (cross-site requests, cross-site web sockets), or if it does not have the token.
The address that is opened first carries the token; it moves into a cookie at once, so that it does
not stay in the history of the browser.
"""

from __future__ import annotations

import re
import secrets
from urllib.parse import urlencode

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from camerapipe.web.serving import Serving

TOKEN = "token"
OWN = ("same-origin", "none")  # values of Sec-Fetch-Site; none: typed, or opened by a program
SAFE_METHODS = ("GET", "HEAD")
HOST = re.compile(r"(?:\[(?P<number>[0-9a-f:.]+)\]|(?P<name>[a-z0-9.-]+))(?::[0-9]{1,5})?")
NO_TOKEN = (
    "This page needs the link that `camerapipe serve` printed when it started: it carries a token "
    "that only you have. Open it once in this browser."
)


class Guard:
    """ASGI middleware that refuses what is not from our own pages, and adds security headers."""

    def __init__(self, app: ASGIApp, serving: Serving) -> None:
        self.app, self.serving = app, serving
        self.cookie = f"camerapipe-{serving.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        answer = self._answer(scope, headers)
        if answer is None:
            await self.app(scope, receive, _with_headers(send, headers.get("host", "")))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "refused"})
        else:
            await answer(scope, receive, _with_headers(send, ""))

    def _answer(self, scope: Scope, headers: Headers) -> Response | None:
        """Answer to a request that is not passed on."""
        if not self._host_is_ours(headers):
            return PlainTextResponse("This server is not reached by that name.", 421)
        if not _origin_is_ours(scope, headers):
            return PlainTextResponse("A page of another site cannot use this server.", 403)
        query = QueryParams(scope.get("query_string", b""))
        if scope["type"] == "http" and self._is_token(query.get(TOKEN)):
            return self._with_cookie(scope["path"], query)
        cookies = cookie_parser(headers.get("cookie", ""))
        if not self._is_token(cookies.get(self.cookie)):
            return PlainTextResponse(NO_TOKEN, 403)
        return None

    def _host_is_ours(self, headers: Headers) -> bool:
        values = headers.getlist("host")
        name = _host_name(values[0]) if len(values) == 1 else None
        return name is not None and self.serving.knows_host(name)

    def _is_token(self, given: str | None) -> bool:
        return given is not None and secrets.compare_digest(
            given.encode(), self.serving.token.encode()
        )

    def _with_cookie(self, path: str, query: QueryParams) -> Response:
        """Redirection to the same page without the token, which goes into a cookie."""
        rest = urlencode([pair for pair in query.multi_items() if pair[0] != TOKEN])
        local = "/" + path.lstrip("/\\")  # `//host` would be another site
        answer = RedirectResponse(f"{local}?{rest}" if rest else local, 303)
        answer.set_cookie(
            self.cookie, self.serving.token, httponly=True, samesite="strict",
            secure=self.serving.certificate is not None,
        )  # fmt: skip
        return answer


def _host_name(text: str) -> str | None:
    """Name or number of the header `Host`, in lower case, without the port; None if malformed."""
    found = HOST.fullmatch(text.lower())
    return found and (found["number"] or found["name"])


def _origin_is_ours(scope: Scope, headers: Headers) -> bool:
    """Whether a request is from a page of this origin, or from no page.

    Browsers send `Origin` with every web socket and every request that may change something.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
    if origin is not None:
        secure = scope["scheme"] in ("https", "wss")
        return origin == f"{'https' if secure else 'http'}://{headers['host']}"
    if scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS:
        return False
    return site in OWN or headers.get("sec-fetch-mode") == "navigate"


def _with_headers(send: Send, host: str) -> Send:
    """`send` with the security headers added to every response."""
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        f"media-src 'self' blob:; connect-src 'self' ws://{host} wss://{host}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    added = {
        "content-security-policy": policy,
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(self), microphone=(), geolocation=()",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in added.items():
                headers.setdefault(name, value)  # a report has a policy of its own
            headers.setdefault("cache-control", "no-cache")
        await send(message)

    return sending
