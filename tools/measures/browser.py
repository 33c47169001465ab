"""A server and a real browser, for measurements of the pages and pictures of them."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
)  # fmt: skip
LOCAL = ("127.0.0.1", "localhost")


@contextmanager
def served(*arguments: str | Path) -> Iterator[str]:
    """Address of a server with the token."""
    command = [sys.executable, "-m", "camerapipe", "serve", "--no-browser", "--port", "0"]
    process = subprocess.Popen(
        [*command, *map(str, arguments)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        found = next(filter(None, (re.search(r"http\S+", line) for line in process.stderr)))
        yield found[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate()


@contextmanager
def launched(path: str | None = None) -> Iterator[Any]:
    """The browser of the system, or that of a path."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path or shutil.which("chromium"), args=list(FLAGS)
        )
        yield browser
        browser.close()


def at(link: str, path: str) -> str:
    """Address of another page of a server, with the token."""
    parts = urlsplit(link)
    return f"{parts.scheme}://{parts.netloc}{path}?{parts.query}"


def is_outside(url: str) -> bool:
    """Whether a request goes to anything but this machine."""
    parts = urlsplit(url)
    return parts.scheme not in ("blob", "data") and parts.hostname not in LOCAL
