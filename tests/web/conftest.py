"""A server and a real browser. Nothing but loopback is reachable; requests to elsewhere count."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image

from camerapipe.synthetic import synthetic_frame

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)  # fmt: skip
LOCAL = ("127.0.0.1", "localhost")
LINK = re.compile(r"(http://\S+)")
SLOW_MS = 60_000  # for what a page waits, on a busy machine as well


@dataclass
class Server:
    """A running `camerapipe serve`; `link` has the token."""

    process: subprocess.Popen[str]
    link: str

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        parts = urlsplit(self.link)
        return f"{parts.scheme}://{parts.netloc}"

    def at(self, path: str) -> str:
        """Address of a page with the token."""
        return f"{self.origin}{path}?{urlsplit(self.link).query}"


def _started(*arguments: str | Path) -> Server:
    command = [sys.executable, "-m", "camerapipe", "serve", "--no-browser", "--port", "0"]
    process = subprocess.Popen(
        [*command, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    said = []
    for line in process.stderr:
        said.append(line)
        if found := LINK.search(line):
            return Server(process, found[1])
    process.wait()
    pytest.fail(f"the server has not started: {''.join(said)}")


@pytest.fixture(scope="session")
def start(chromium: object) -> Iterator[Callable[..., Server]]:
    """Start servers by their arguments; afterwards each ends by Ctrl-C and leaves nothing."""
    servers: list[Server] = []

    def started(*arguments: str | Path) -> Server:
        servers.append(_started(*arguments))
        return servers[-1]

    yield started
    for server in servers:
        server.process.send_signal(signal.SIGINT)
        _, said = server.process.communicate(timeout=30)
        assert server.process.returncode == 0 and "Traceback" not in said, said


@pytest.fixture(scope="session")
def chromium(browser_path: str) -> Iterator[object]:
    """A browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def new_page(chromium: object) -> Iterator[Callable[..., object]]:
    """Open pages, each in its own profile; afterwards none may have asked elsewhere or failed."""
    outside: list[str] = []
    errors: list[str] = []
    contexts = []

    def watch(page):
        page.on("request", lambda request: note(request.url))
        page.on("websocket", lambda websocket: note(websocket.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: said.type == "error" and errors.append(said.text))
        page.set_default_timeout(SLOW_MS)

    def note(url):
        parts = urlsplit(url)
        if parts.scheme not in ("blob", "data") and parts.hostname not in LOCAL:
            outside.append(url)

    def opened(url: str, **options: object):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        context.on("page", watch)
        page = context.new_page()
        page.goto(url, wait_until="networkidle")  # then the page takes files
        return page

    opened.expected_errors = []
    yield opened
    for context in contexts:
        context.close()
    assert not outside, f"requests to elsewhere: {outside}"
    unexpected = [e for e in errors if not any(part in e for part in opened.expected_errors)]
    assert not unexpected, f"errors in pages: {unexpected}"


@pytest.fixture(scope="session")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small JPEG with defocus."""
    picture = synthetic_frame("static", 0, (400, 600)).picture
    path = tmp_path_factory.mktemp("photographs") / "flower.jpg"
    Image.fromarray(picture).save(path, quality=95)
    return path


@pytest.fixture(scope="session")
def no_serious_fault() -> Callable[..., None]:
    """Check a page by axe, in the colours of day and of night."""
    from axe_playwright_python.sync_playwright import Axe

    def check(page) -> None:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(250)  # colours fade
            found = Axe().run(page).response["violations"]
            serious = [each for each in found if each["impact"] in ("serious", "critical")]
            said = [(each["id"], each["nodes"][0]["html"][:200]) for each in serious]
            assert not said, f"{scheme}: {said}"

    return check
