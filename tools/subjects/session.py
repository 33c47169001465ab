"""Editing: what a change costs beside a cold picture, and how near the map stays to a fresh one.

At the size of a proxy, on photographs. A scribble is drawn after the first picture; the stages of
the map graph that run then are held against those of a fresh session. The map is compared with that
of a fresh session with the same scribbles, after each of a few strokes and after taking one back.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from camerapipe.runtime import warm_up
from camerapipe.session import PROXY_MEGAPIXELS, Session
from camerapipe.shot import Shot
from stages.scribble import Scribble

PHOTOGRAPHS = (
    "photos/dandelion_16mp.jpg",
    "photos/canon_eos5d_tomatoes.jpg",
    "photos/kodak_pixpro_s1_koi.jpg",
    "photos/astronaut.png",
)
MEGAPIXELS = 1.0
REPEATS = 5
PERCENTILE = 99.9
STRENGTH = 3.0

Picture = npt.NDArray[np.uint8]


def measure(context: Any) -> dict[str, float]:
    """Time a scribble and changes that only render; follow the error of the map over edits."""
    warm_up()
    paths = [path for name in PHOTOGRAPHS if (path := context.picture(name))]
    rows, ratios, errors, likeness = [], [], [], []
    for path in paths[: 1 if context.quick else None]:
        picture = _at(path, MEGAPIXELS)
        times = [_times(picture) for _ in range(2 if context.quick else REPEATS)]
        cold, warm, render = (statistics.median(column) for column in zip(*times, strict=True))
        ratios.append(statistics.median(b / a for a, b, _ in times))
        errors.append(max(_errors(picture)))
        likeness.append(_likeness(_at(path, 12 * MEGAPIXELS)))
        rows.append([path.name, cold, warm, render, ratios[-1], errors[-1], likeness[-1]])
    if not rows:
        return {}
    head = ["photograph", "cold map, ms", "after a scribble", "after a change of the aperture"]
    context.table(
        f"editing at {MEGAPIXELS:g} MP", [*head, "ratio", "map error, px", "proxy, dB"], rows
    )
    return {
        "session.scribble_over_cold": statistics.median(ratios),
        "session.map_error_px": max(errors),
        "session.proxy_db": min(likeness),
        "session.aperture_ms": statistics.median(row[3] for row in rows),
    }


def _times(picture: Picture) -> tuple[float, float, float]:
    """Map cold, map after a scribble, and whole picture after a change of the aperture; ms."""
    session = Session(picture, proxy_megapixels=MEGAPIXELS)
    first = session.change(force=True).render()
    second = session.scribble(_strokes(picture)[0]).render()
    third = session.change({"bokeh": {"blades": 6}}).render()
    map_stages = {node.name for node in session.request.settings.preset.map_graph.order}
    cold, warm = (
        sum(row.used_ms for row in shot.report.stages if row.name in map_stages)
        for shot in (first, second)
    )
    return cold, warm, third.report.spent_ms


def _errors(picture: Picture) -> list[float]:
    """Distance of the map to a fresh one after every edit, px at a high percentile."""
    session = Session(picture, proxy_megapixels=MEGAPIXELS).change(force=True)
    session.render()
    found = []
    for stroke in _strokes(picture):
        found.append(_distance(session.scribble(stroke).render(), picture, session))
    session.undo()
    return [*found, _distance(session.render(), picture, session)]


def _distance(shot: Shot, picture: Picture, session: Session) -> float:
    fresh = Session(picture, proxy_megapixels=MEGAPIXELS).apply(session.request).render()
    assert shot.blur_map is not None and fresh.blur_map is not None
    return float(np.percentile(np.abs(shot.blur_map.sigma - fresh.blur_map.sigma), PERCENTILE))


def _likeness(picture: Picture) -> float:
    """PSNR of the proxy's picture to the full one, reduced to it."""
    session = Session(picture, proxy_megapixels=PROXY_MEGAPIXELS)
    session.change(force=True, strength=STRENGTH)
    small, full = session.render().image, session.export().image
    reduced = cv2.resize(full, small.shape[1::-1], interpolation=cv2.INTER_AREA)
    return float(-10 * np.log10(np.mean((small - reduced) ** 2)))


def _strokes(picture: Picture) -> list[Scribble]:
    """One stroke of each kind, in different parts of the picture."""
    rows, cols = picture.shape[:2]

    def stroke(kind: str, x: float, y: float, sigma_px: float = 0.0) -> Scribble:
        ends = ((x * cols, y * rows), ((x + 0.12) * cols, (y + 0.05) * rows))
        return Scribble(points=ends, width_px=0.03 * cols, kind=kind, sigma_px=sigma_px)

    return [
        stroke("sharp", 0.2, 0.25), stroke("blurred", 0.6, 0.7), stroke("sigma", 0.4, 0.5, 2.0)
    ]  # fmt: skip


def _at(path: Path, megapixels: float) -> Picture:
    """A photograph at a size, RGB."""
    read = cv2.imread(str(path))
    assert read is not None, path
    scale = (megapixels * 1e6 / (read.shape[0] * read.shape[1])) ** 0.5
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.ascontiguousarray(
        cv2.resize(read, None, fx=scale, fy=scale, interpolation=how)[..., ::-1]
    )
