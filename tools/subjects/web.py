"""The pages of `camerapipe serve` in a real browser: what they add to the session and the stream.

Latencies are taken in the page, from the event to the task after the frame that shows its effect.
Messages of the server carry the session's own time. A bare echo sends as many bytes through a
server with nothing behind it.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from measures.browser import at, is_outside, launched, served
from measures.echo import echoing

from camerapipe.runtime import warm_up
from camerapipe.synthetic import synthetic_frame

REPEATS, QUICK_REPEATS = 40, 5
PROXY = (1200, 833)  # px, 1 MP
LARGE = (6000, 4000)  # px, 24 MP
FRAMES, FPS = 720, 60  # of the clip, faster than the stream
PAIRS, QUICK_PAIRS = 3, 1  # of alternating runs with and without the browser
BUDGET_MS = 66
PROBE = (Path(__file__).with_name("web_probe.js")).read_text()


def measure(context: Any) -> dict[str, float]:
    """Measure the studio and the viewfinder."""
    warm_up()
    repeats = QUICK_REPEATS if context.quick else REPEATS
    outside: list[str] = []
    found: dict[str, float] = {}
    with TemporaryDirectory() as name, launched() as browser:
        folder = Path(name)
        small, large, clip = _photographs(folder, context)
        with served("--viewfinder", clip, "--recordings", folder / "kept") as link:
            page = _page(browser, link, "/", outside)
            found |= _studio(context, page, small, repeats)
            found["web.open_s_24mp"] = _opening(page, large, 2 if context.quick else 5)
            page.context.close()
            page = _page(browser, link, "/viewfinder", outside)
            found |= _viewfinder(context, page, clip, QUICK_PAIRS if context.quick else PAIRS)
            _click_everything(page)
            page.context.close()
    found["web.external_requests"] = len(outside)
    return found


def _photographs(folder: Path, context: Any) -> tuple[Path, Path, Path]:
    """A photograph of 1 MP, one of 24 MP, and a clip of 720p."""
    scene = synthetic_frame("static", 0, PROXY[::-1]).picture
    small, large, clip = folder / "small.jpg", folder / "large.jpg", folder / "clip.mp4"
    cv2.imwrite(str(small), scene[..., ::-1])
    path = context.picture("photos/dandelion_16mp.jpg")
    photograph = scene[..., ::-1] if path is None else cv2.imread(str(path))
    cv2.imwrite(str(large), cv2.resize(photograph, LARGE, interpolation=cv2.INTER_CUBIC))
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"mp4v"), FPS, (1280, 720))
    frames = [synthetic_frame("pan", k, (720, 1280)).picture[..., ::-1] for k in range(12)]
    for k in range(FRAMES):
        writer.write(np.ascontiguousarray(frames[k % len(frames)]))
    writer.release()
    return small, large, clip


def _page(browser: Any, link: str, path: str, outside: list[str]) -> Any:
    """A page that is probed, and whose requests to elsewhere are counted."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.set_default_timeout(120_000)
    for kind in ("request", "websocket"):
        page.on(kind, lambda each: is_outside(each.url) and outside.append(each.url))
    page.add_init_script(PROBE)
    page.goto(at(link, path))
    return page


def _open(page: Any, path: Path) -> float:
    """Open a photograph, and wait for its first picture; ms."""
    page.evaluate("probe.reset()")
    page.set_input_files("#file", path)
    return float(page.evaluate("probe.firstPicture()"))


def _settled(page: Any) -> None:
    page.wait_for_timeout(100)
    page.wait_for_selector("body:not([data-rendering])")
    page.wait_for_timeout(1500)  # until the map was solved from the beginning


def _studio(context: Any, page: Any, path: Path, repeats: int) -> dict[str, float]:
    """Latency of sliders and strokes."""
    _open(page, path)
    _settled(page)
    sliders = ("radius.strength", "bokeh.curvature")
    changes = []
    for k in range(repeats):
        key, value = sliders[k % 2], (2 + 0.1 * (k % 20)) if k % 2 == 0 else 0.02 * (k % 40)
        changes.append(page.evaluate("([key, value]) => probe.slide(key, value)", [key, value]))
        page.wait_for_timeout(50)
    echo_ms = _echo(page.context.browser, int(statistics.median(c["bytes"] for c in changes)))
    page.keyboard.press("b")
    page.evaluate("document.getElementById('picture').focus()")
    strokes = [_stroke(page, k) for k in range(repeats)]
    overhead = [each["first_ms"] - each["session_ms"] - echo_ms for each in changes]
    seen = [ms for each in strokes for ms in each["seen_ms"]]
    rows = [
        ["slider, first picture", *_two(each["first_ms"] for each in changes)],
        ["  session's share", *_two(each["session_ms"] for each in changes)],
        ["slider, proxy", *_two(each["last_ms"] for each in changes)],
        ["stroke, first picture", *_two(each["first_ms"] for each in strokes)],
        ["  session's share", *_two(each["session_ms"] for each in strokes)],
        ["stroke, proxy", *_two(each["last_ms"] for each in strokes)],
        ["ink on the screen", *_two(seen)],
        ["echo of the same bytes", echo_ms, ""],
        ["what the web adds", *_two(overhead)],
    ]
    context.table(f"studio, 1 MP, {repeats} changes, ms", ["what", "median", "p95"], rows)
    return {
        "web.overhead_ms": rows[8][1],
        "web.overhead_p95_ms": rows[8][2],
        "web.slider_ms": rows[0][1],
        "web.stroke_ms": rows[3][1],
        "web.stroke_seen_ms": rows[6][1],
        "web.stroke_seen_p95_ms": rows[6][2],
    }


def _stroke(page: Any, k: int) -> dict[str, Any]:
    """Draw a short stroke with the mouse, and wait for its picture."""
    box = page.locator("#picture").bounding_box()
    x, y = box["x"] + box["width"] * (0.3 + 0.01 * (k % 40)), box["y"] + box["height"] * 0.45
    page.evaluate("probe.stroke()")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 20, steps=6)
    page.mouse.up()
    return dict(page.evaluate("probe.strokeDone()"))


def _echo(browser: Any, size: int) -> float:
    """Median time of a bare echo of messages of a size, ms."""
    with echoing(size) as address:
        page = browser.new_context().new_page()
        page.goto(address)
        times = page.evaluate("measure()")
        page.context.close()
    return float(statistics.median(times))


def _opening(page: Any, path: Path, repeats: int) -> float:
    """Median time to open a photograph of 24 MP, s."""
    times = []
    for _ in range(repeats):
        times.append(_open(page, path) / 1000)
        _settled(page)
    return statistics.median(times)


def _viewfinder(context: Any, page: Any, clip: Path, pairs: int) -> dict[str, float]:
    """Frames shown in the browser over those of the stream alone, in alternating runs."""
    ratios, rows = [], []
    page.wait_for_selector("#source option", state="attached")
    page.click("#map")
    page.click("#peaking")
    page.check("#force")
    for _ in range(pairs):
        alone = _alone(clip)
        report, shown = _shown(page, rung="preview")
        with_page = shown / report["seconds"]
        ratios.append(with_page / alone)
        rows.append([alone, report["frames_per_second"], with_page, ratios[-1]])
    context.table(
        "viewfinder, 720p, rung preview, frames a second",
        ["stream alone", "stream with a page", "shown", "ratio"], rows,
    )  # fmt: skip
    report, _ = _shown(page, rung="")
    shares = {name: count / report["done"] for name, count in report["rungs"].items()}
    context.table(
        f"viewfinder, budget {BUDGET_MS} ms", ["rung", "share of frames"],
        [[name, share] for name, share in shares.items()],
    )  # fmt: skip
    return {"web.viewfinder_fps": statistics.median(ratios)}


def _alone(clip: Path) -> float:
    """Frames a second of the stream without a page."""
    command = [sys.executable, "-m", "camerapipe", "stream", str(clip), "--policy", "latest"]
    done = subprocess.run(
        [*command, "--rung", "preview", "--force", "--quiet", "--json"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return float(json.loads(done.stdout)["frames_per_second"])


def _shown(page: Any, rung: str) -> tuple[dict[str, Any], int]:
    """Report of a run that the page shows to its end, and the frames that it has shown."""
    page.select_option("#rung", rung)
    if page.is_checked("#limited") is bool(rung):
        page.click("#limited")
    page.evaluate("probe.reset()")
    page.click("#start")
    ended = page.evaluate("probe.ended()")
    return ended["report"], ended["counts"]["shown"]


def _click_everything(page: Any) -> None:
    """Use every button and link of the viewfinder and of the studio."""
    page.click("#start")
    page.wait_for_selector("#advice:not([hidden])")
    for button in ("#map", "#peaking", "#record", "#record"):
        page.click(button)
        page.wait_for_timeout(300)
    for button in ("#shutter", "#report"):
        with page.expect_popup() as popup:
            page.click(button)
        popup.value.wait_for_load_state()
        popup.value.wait_for_timeout(500)
        popup.value.close()
    page.dispatch_event("#stop", "click")  # it is hidden if the clip has ended
    page.click(".tabs a[href='/']")
    page.wait_for_load_state()


def _two(values: Iterator[float] | list[float]) -> tuple[float, float]:
    """Median and 95th percentile."""
    found = list(values)
    return float(np.median(found)), float(np.percentile(found, 95))
