"""Who may connect, and what a page may load."""

import pytest

pytest.importorskip("starlette", reason='the extra "web" is not installed')
pytest.importorskip("httpx2", reason='the extra "test" is not installed')

from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from camerapipe.web.serving import Serving
from camerapipe.web.site import site

TOKEN = "a-secret"
BASE = "http://127.0.0.1:8737"
SOCKET = "ws://127.0.0.1:8737/echo/socket"
OTHER = "http://evil.example"


class Echo:
    """A part with one request and one web socket."""

    started = closed = False

    def routes(self):
        async def hello(_):
            return PlainTextResponse("hello")

        async def socket(connection):
            await connection.accept()
            await connection.send_text(await connection.receive_text())

        return [
            Route("/echo", hello, methods=["GET", "POST"]),
            WebSocketRoute("/echo/socket", socket),
        ]

    async def start(self):
        self.started = True

    async def close(self):
        self.closed = True


@pytest.fixture
def client():
    serving = Serving(token=TOKEN)
    with TestClient(site(serving, [Echo()]), base_url=BASE, follow_redirects=False) as client:
        yield client


@pytest.fixture
def known(client):
    client.get("/echo", params={"token": TOKEN})
    return client


def test_the_token_moves_into_a_cookie(client):
    assert client.get("/echo").status_code == 403
    answer = client.get("/echo", params={"token": TOKEN, "other": "1"})
    assert answer.status_code == 303 and answer.headers["location"] == "/echo?other=1"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert client.get("/echo").text == "hello"


@pytest.mark.parametrize("token", ["", "a-secre", "a-secret-2", "ä"])
def test_another_token_is_refused(client, token):
    assert client.get("/echo", params={"token": token}).status_code == 403


def test_the_redirection_stays_on_this_site(client):
    answer = client.get(f"{BASE}//evil.example/", params={"token": TOKEN})
    assert answer.headers["location"] == "/evil.example/"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "192.168.0.9:8737", "localhost;x", "", "[::"]
)
def test_a_foreign_host_is_refused(known, host):
    assert known.get("/echo", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:8737", "127.0.0.1:9000", "[::1]:8737", "LOCALHOST"])
def test_names_of_this_machine_are_known(host):
    with TestClient(site(Serving(token=TOKEN), [Echo()]), base_url=BASE) as client:
        client.cookies.set("camerapipe-8737", TOKEN)
        assert client.get("/echo", headers={"host": host}).status_code == 200


def test_an_address_for_others_is_known_by_number_and_name():
    serving = Serving(host="studio.lan", port=80)
    assert serving.knows_host("studio.lan") and serving.knows_host("192.168.0.9")
    assert not serving.knows_host("evil.example")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": BASE}, 200),
        ({"origin": OTHER}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),  # another server on this machine
        ({"origin": "https://127.0.0.1:8737"}, 403),
        ({"origin": "null"}, 403),
        ({}, 403),
    ],
)
def test_only_our_own_pages_change_something(known, headers, status):
    assert known.post("/echo", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("site", "mode", "status"),
    [
        ("same-origin", "cors", 200), ("none", "navigate", 200), ("cross-site", "navigate", 200),
        ("cross-site", "no-cors", 403), ("same-site", "no-cors", 403),
    ],
)  # fmt: skip
def test_other_pages_load_nothing(known, site, mode, status):
    headers = {"sec-fetch-site": site, "sec-fetch-mode": mode}
    assert known.get("/echo", headers=headers).status_code == status


@pytest.mark.parametrize("origin", [None, OTHER, "null"])
def test_web_sockets_of_other_pages_are_refused(known, origin):
    headers = {"origin": origin} if origin else {}
    with (
        pytest.raises(WebSocketDisconnect),
        known.websocket_connect(SOCKET, headers=headers),
    ):
        pass


def test_a_web_socket_needs_the_token(client):
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect(SOCKET, headers={"origin": BASE}),
    ):
        pass


def test_our_own_web_socket_is_served(known):
    with known.websocket_connect(SOCKET, headers={"origin": BASE}) as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello"


def test_every_answer_says_what_a_page_may_load(known):
    for path in ("/echo", "/static/style.css", "/nothing", "/static/../guards.py"):
        headers = known.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"


def test_files_outside_of_the_static_folder_are_not_served(known):
    for path in ("/static/../guards.py", "/static/%2e%2e/guards.py", "/static//etc/passwd"):
        assert known.get(path).status_code == 404


def test_parts_are_started_and_closed():
    part = Echo()
    with TestClient(site(Serving(), [part]), base_url=BASE):
        assert part.started and not part.closed
    assert part.closed
