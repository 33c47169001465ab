"""Measure what every stage of every rung costs here, for `camerapipe/stream/reference.toml`.

Simulated devices are so many times slower than the machine on which this ran. Medians over frames
of a moving synthetic scene at 720p, in ms per megapixel.

    python tools/reference_costs.py > camerapipe/stream/reference.toml
"""

from __future__ import annotations

import platform
import statistics
from collections import defaultdict

import cv2
import numpy as np

from camerapipe.budget import WALL, Stopwatch
from camerapipe.ingest import capture_from_array
from camerapipe.runner import Costs
from camerapipe.runtime import available_cores, set_threads, warm_up
from camerapipe.settings import resolve
from camerapipe.stream.device import SETUP, STEP
from camerapipe.stream.session import ways
from camerapipe.stream.viewfinder import Frame, State, Viewfinder
from camerapipe.synthetic import synthetic_frame

SCENE, SIZE, FRAMES, SKIPPED = "pan", (720, 1280), 24, 4
JPEG_QUALITY = 95


def main() -> None:
    """Measure and print the table."""
    set_threads(available_cores())
    warm_up()
    pictures = [synthetic_frame(SCENE, k, SIZE, 1).picture for k in range(FRAMES)]
    print(f"# Measured on {platform.machine()}, {available_cores()} cores, {SIZE[1]}x{SIZE[0]};")
    print("# medians, in ms per megapixel. Written by tools/reference_costs.py.")
    _print("io", _io(pictures))
    for way in ways(resolve()):
        _print(way.name, _stages(way, pictures))


def _stages(way, pictures):  # type: ignore[no-untyped-def]
    viewfinder, state = Viewfinder(ways=(way,), clock=WALL, costs=Costs(), force=True), State()
    found: dict[str, list[float]] = defaultdict(list)
    for seq, picture in enumerate(pictures):
        frame = Frame(seq, capture_from_array(picture, "srgb"))
        shown, state = viewfinder.show(frame, state)
        if seq < SKIPPED:
            continue
        for row in shown.stages:
            if row.steps:
                found[f"{row.name}.{SETUP}"].append(row.setup_ms / frame.megapixels)
                step_ms = (row.used_ms - row.setup_ms) / max(row.steps - 1, 1)
                found[f"{row.name}.{STEP}"].append(step_ms / frame.megapixels)
            else:
                found[row.name].append(row.used_ms / frame.megapixels)
    return found


def _io(pictures):  # type: ignore[no-untyped-def]
    found: dict[str, list[float]] = defaultdict(list)
    megapixels = SIZE[0] * SIZE[1] / 1e6
    for picture in pictures:
        with Stopwatch() as encoding:
            _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        with Stopwatch() as decoding:
            capture_from_array(np.ascontiguousarray(cv2.imdecode(data, 1)), "srgb")
        found["decode"].append(decoding.ms / megapixels)
        found["encode_file"].append(encoding.ms / megapixels)
    return found


def _print(rung, found):  # type: ignore[no-untyped-def]
    print(f"\n[costs.{rung}]")
    for stage, values in found.items():
        name = f'"{stage}"' if "." in stage else stage
        print(f"{name} = {statistics.median(values):.3g}")


if __name__ == "__main__":
    main()
