"""Pictures of the studio and the viewfinder for the documentation: `python tools/screenshots.py`.

It needs the extras `web`, `demo` and `test`, and Chromium (`--browser`). The photograph is one that
scikit-image carries.
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync")
DESK, PHONE = (1440, 900), (390, 844)
QUALITY = 88
STRENGTH = "3.5"


def with_strokes(page: Any) -> None:
    """A stroke is drawn where the map is to be mended."""
    page.keyboard.press("b")
    box = page.locator("#picture").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.62, box["y"] + box["height"] * 0.4)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.78, box["y"] + box["height"] * 0.46, steps=9)
    page.mouse.up()
    settled(page)


def with_map(page: Any) -> None:
    """The blur map lies over the picture."""
    page.click("#map")
    page.wait_for_timeout(500)


def plain(page: Any) -> None:
    """Nothing was done."""


SHOTS: tuple[tuple[str, str, tuple[int, int], str, Callable[[Any], None]], ...] = (
    ("studio-light", "/", DESK, "light", plain),
    ("studio-dark", "/", DESK, "dark", with_map),
    ("studio-phone-light", "/", PHONE, "light", plain),
    ("studio-phone-dark", "/", PHONE, "dark", with_strokes),
)


def settled(page: Any) -> None:
    """Wait until the newest state is on the screen."""
    page.wait_for_selector("body[data-state=open]")
    page.wait_for_timeout(400)
    page.wait_for_selector("body:not([data-rendering])")


@contextmanager
def served(*arguments: str) -> Iterator[str]:
    """Address of a server with the token."""
    command = [sys.executable, "-m", "camerapipe", "serve", "--no-browser", "--port", "0"]
    process = subprocess.Popen([*command, *arguments], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        found = next(filter(None, (re.search(r"http\S+", line) for line in process.stderr)))
        yield found[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate()


def take(browser: Any, link: str, folder: Path) -> None:
    """Take all pictures into a folder."""
    for name, path, (width, height), scheme, prepare in SHOTS:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        page = context.new_page()
        page.goto(link.replace("/?", f"{path}?"))
        settled(page)
        strength = page.locator("#controls input[type=number]").first
        strength.fill(STRENGTH)
        strength.press("Enter")
        strength.blur()
        settled(page)
        prepare(page)
        page.screenshot(path=folder / "shot.png")
        with Image.open(folder / "shot.png") as shot:
            shot.convert("RGB").save(IMAGES / f"{name}.jpg", quality=QUALITY, optimize=True)
        context.close()


def main() -> None:
    """Take the pictures."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--browser", default=shutil.which("chromium"), help="path of Chromium")
    browser_path = parser.parse_args().browser
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory() as folder,
        served("--demo") as link,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=browser_path, args=list(FLAGS))
        take(browser, link, Path(folder))
        browser.close()


if __name__ == "__main__":
    main()
