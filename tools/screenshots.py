"""Pictures of the studio and the viewfinder for the documentation: `python tools/screenshots.py`.

It needs the extras `web`, `demo` and `test`, and Chromium (`--browser`). The photograph is one that
scikit-learn carries.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from measures.browser import at, launched, served
from PIL import Image

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
DESK, PHONE = (1440, 900), (390, 844)
QUALITY = 88
DEVICE = "large-phone"  # simulated, so that its numbers do not depend on this machine
PATIENCE_MS = 180_000  # kernels may have to be compiled first
STRENGTH = "3.5"


def plain(page: Any) -> None:
    """The studio with a photograph at some strength."""
    settled(page)
    strength = page.locator("#controls input[type=number]").first
    strength.fill(STRENGTH)
    strength.press("Enter")
    strength.blur()
    settled(page)


def with_strokes(page: Any) -> None:
    """A stroke is drawn where the map is to be mended."""
    plain(page)
    page.keyboard.press("b")
    box = page.locator("#picture").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.62, box["y"] + box["height"] * 0.4)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.78, box["y"] + box["height"] * 0.46, steps=9)
    page.mouse.up()
    settled(page)


def with_map(page: Any) -> None:
    """The blur map lies over the picture."""
    plain(page)
    page.click("#map")
    page.wait_for_timeout(500)


def running(page: Any, *layers: str, source: str = "synthetic:static") -> None:
    """The viewfinder shows a scene."""
    page.select_option("#source", source)
    page.select_option("#profile", DEVICE)
    page.fill("#budget", "200")
    page.fill("#strength", STRENGTH)
    page.fill("#distance", "0.4")
    page.click("#start")
    page.wait_for_selector("#advice:not([hidden])")
    for layer in layers:
        page.click(f"#{layer}")
    page.wait_for_timeout(3000)
    page.evaluate("document.querySelector('main').scrollTo(0, 0)")


def peaking(page: Any) -> None:
    """The viewfinder marks what is in focus."""
    running(page, "peaking")


def blur_map(page: Any) -> None:
    """The viewfinder shows its blur map."""
    running(page, "map")


def simulated(page: Any) -> None:
    """The viewfinder shows a simulated camera that is focused by hand."""
    running(page, source="simulate:portrait")
    page.fill("#focus", "0.6")
    for state in ("#af-state:has-text('inactive')", "#ae-state:has-text('converged')"):
        page.wait_for_selector(state)
    page.wait_for_timeout(2000)


SHOTS: tuple[tuple[str, str, tuple[int, int], str, Callable[[Any], None]], ...] = (
    ("studio-light", "/", DESK, "light", plain),
    ("studio-dark", "/", DESK, "dark", with_map),
    ("studio-phone-light", "/", PHONE, "light", plain),
    ("studio-phone-dark", "/", PHONE, "dark", with_strokes),
    ("viewfinder-light", "/viewfinder", DESK, "light", peaking),
    ("viewfinder-dark", "/viewfinder", DESK, "dark", blur_map),
    ("viewfinder-simulated", "/viewfinder", DESK, "light", simulated),
    ("viewfinder-phone-light", "/viewfinder", PHONE, "light", running),
    ("viewfinder-phone-dark", "/viewfinder", PHONE, "dark", peaking),
)


def settled(page: Any) -> None:
    """Wait until the newest state is on the screen."""
    page.wait_for_selector("body[data-state=open]")
    page.wait_for_timeout(400)
    page.wait_for_selector("body:not([data-rendering])")


def take(browser: Any, link: str, folder: Path, parts: list[str]) -> None:
    """Take the pictures whose names have one of the parts; `folder` is for temporary files."""
    for name, path, (width, height), scheme, prepare in SHOTS:
        if not any(part in name for part in parts):
            continue
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(at(link, path))
        prepare(page)
        page.screenshot(path=folder / "shot.png")
        with Image.open(folder / "shot.png") as shot:
            shot.convert("RGB").save(IMAGES / f"{name}.jpg", quality=QUALITY, optimize=True)
        context.close()


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--browser", help="path of Chromium")
    parser.add_argument("parts", nargs="*", help="parts of the names of the pictures wanted")
    given = parser.parse_args()
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory() as folder,
        served("--demo") as link,
        launched(given.browser) as browser,
    ):
        take(browser, link, Path(folder), given.parts or [""])


if __name__ == "__main__":
    main()
