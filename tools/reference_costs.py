"""Measure what every stage of every rung costs here, in ms per megapixel.

    python tools/reference_costs.py                       # print the [live] tables
    python tools/reference_costs.py --write               # put them into camerapipe/costs.toml
    python tools/reference_costs.py --write --keep-pace   # measured on a machine of another pace
    python tools/reference_costs.py --scale               # on a device: [cpu.scale] of its profile
    python tools/reference_costs.py --profile pixel -o pixel.toml  # on a device: its profile

The costs are medians over frames of a moving synthetic scene at 720p. The scale of a simulated
device is the ratio of its times to these. `--scale` prints that ratio for each class of kernels, as
a range from the quickest tenth of the stages to the slowest. `--keep-pace` divides all costs by the
median ratio to the present table. As long as most stages are unchanged, that is the pace of the
machine, so that the scales of profiles remain valid. `--profile` writes a profile of this device:
its scales and the jitter of its stages are measured; sensor, lens, memory and heat are those of the
profile that it is `--like`, to be corrected by hand.
"""

from __future__ import annotations

import argparse
import itertools
import math
import platform
import statistics
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import tomli_w

import camerapipe
from camerapipe.assembly import Request
from camerapipe.budget import Stopwatch, wall_s
from camerapipe.costs import SETUP, STEP, Costs, cost_table, part_of
from camerapipe.ingest import capture_from_array, write_text
from camerapipe.runtime import available_cores, configure, warm_up
from camerapipe.settings import resolve
from camerapipe.stream.device import KIND_OF
from camerapipe.stream.policy import QualityPolicy
from camerapipe.stream.profile import KINDS, read_profile
from camerapipe.stream.rungs import ReadyCheck, ReadyRung, ready_checks, ready_rungs
from camerapipe.stream.shown import Frame, StreamState
from camerapipe.stream.stream import DECODE, ENCODE, IO
from camerapipe.stream.viewfinder import Viewfinder
from camerapipe.synthetic import SIZE, synthetic_frame

COSTS_FILE = Path(camerapipe.__file__).parent / "costs.toml"
MEASURED = "# Measured on"  # the beginning of the part of the table that this tool writes

Table = dict[str, dict[str, float]]  # rung, stage: ms per megapixel

SCENE, FRAMES, SKIPPED = "pan", 24, 4
JPEG_QUALITY = 95
ENDS = (10, 90)  # percentiles of the ratios that make a range
MAD_TO_SIGMA = 1.4826  # of a normal distribution
MIN_JITTER = 0.01
LEAST_COST = 0.3  # ms per megapixel; below, a ratio is noise


def main() -> None:
    """Measure; print the table, or its ratio to the reference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--scale", action="store_true", help="print the ratio to the reference")
    parser.add_argument("--write", action="store_true", help=f"put them into {COSTS_FILE.name}")
    parser.add_argument("--keep-pace", action="store_true", help="at the pace of the reference")
    parser.add_argument("--profile", metavar="NAME", help="write a profile of this device")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.toml", help="where")
    parser.add_argument("--like", default="everyday-phone", help="profile for what is not measured")
    given = parser.parse_args()
    if (given.profile is None) != (given.output is None):
        parser.error("--profile and -o go together")
    configure(long_running=True)
    warm_up()
    pictures = [synthetic_frame(SCENE, k, SIZE, 1).picture for k in range(FRAMES)]
    rungs, checks = ready_rungs(resolve()), ready_checks(resolve())
    found = {IO: _io(pictures)}
    for check in checks:
        every = _stages(rungs[-1], check, pictures)
        found[check.name] = {node.name: every[node.name] for node in check.graph.nodes}
    for rung in rungs:
        every = _stages(rung, checks[0], pictures)
        nodes = [node.name for node in (*rung.see.nodes, *rung.picture.nodes)]
        found[rung.name] = {
            stage: cost for stage, cost in every.items() if stage.partition(".")[0] in nodes
        }
    if given.scale:
        print(tomli_w.dumps({"cpu": {"scale": _scales(found)}}), end="")
        return
    if given.profile:
        jitter = _jitter(rungs[-1], checks[0], pictures)
        table = profile_table(given.profile, given.like, _scales(found), jitter)
        write_text(given.output, tomli_w.dumps(table))
        print(f"{given.output}: check what is copied from {given.like}")
        return
    text = _live_tables(found, keep_pace=given.keep_pace)
    if given.write:
        _write(text)
    else:
        print(text, end="")


def _live_tables(found: Table, *, keep_pace: bool) -> str:
    """The part of the cost table that was measured, as TOML."""
    lines = [
        f"{MEASURED} {platform.machine()}, {available_cores()} cores, {SIZE[1]}x{SIZE[0]}:",
        "# medians, in ms per megapixel. Written by tools/reference_costs.py.",
    ]
    pace = 1.0
    if keep_pace:
        pace = statistics.median(itertools.chain.from_iterable(_ratios(found).values()))
        lines.append(f"# Divided by {pace:.2f}, the median ratio to the table before this.")
    for level, costs in found.items():
        lines += ["", f"[live.{level}]"]
        for stage, cost in costs.items():
            name = f'"{stage}"' if "." in stage else stage
            lines.append(f"{name} = {cost / pace:.3g}")
    return "\n".join(lines) + "\n"


def _write(live: str) -> None:
    """Replace the measured part of the cost table; the guesses for stills stand before it."""
    stills, _, _ = COSTS_FILE.read_text(encoding="utf-8").partition(MEASURED)
    COSTS_FILE.write_text(stills + live, encoding="utf-8")


def _viewfinder(rung: ReadyRung, check: ReadyCheck) -> Viewfinder:
    """A viewfinder that always has one rung and one level of the check."""
    return Viewfinder(
        request=Request(settings=resolve(), force=True),
        policy=QualityPolicy((rung,), (check,)),
        clock=wall_s,
        costs=Costs(),
    )


def _stages(
    rung: ReadyRung, check: ReadyCheck, pictures: list[npt.NDArray[np.uint8]]
) -> dict[str, float]:
    viewfinder = _viewfinder(rung, check)
    state = StreamState()
    found: dict[str, list[float]] = defaultdict(list)
    for seq, picture in enumerate(pictures):
        frame = Frame(seq, capture_from_array(picture, "srgb"))
        shown, state = viewfinder.show(frame, state)
        for row in shown.stages if seq >= SKIPPED and shown.rung == rung.name else ():
            if row.steps:
                step_ms = (row.used_ms - row.setup_ms) / max(row.steps - 1, 1)
                found[part_of(row.name, SETUP)].append(row.setup_ms / frame.megapixels)
                found[part_of(row.name, STEP)].append(step_ms / frame.megapixels)
            else:
                found[row.name].append(row.used_ms / frame.megapixels)
    return {stage: statistics.median(values) for stage, values in found.items()}


def _io(pictures: list[npt.NDArray[np.uint8]]) -> dict[str, float]:
    decoding, encoding = [], []
    for picture in pictures:
        with Stopwatch() as watch:
            _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        encoding.append(watch.ms)
        with Stopwatch() as watch:
            capture_from_array(np.ascontiguousarray(cv2.imdecode(data, 1)), "srgb")
        decoding.append(watch.ms)
    megapixels = SIZE[0] * SIZE[1] / 1e6
    medians = (statistics.median(values) / megapixels for values in (decoding, encoding))
    return dict(zip((DECODE, ENCODE), medians, strict=True))


def _ratios(found: Mapping[str, Mapping[str, float]]) -> dict[str, list[float]]:
    """Ratios to the reference, of each class of kernels."""
    ratios: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for rung, costs in cost_table()["live"].items():
        for stage, cost in costs.items():
            if cost >= LEAST_COST:
                kind = KIND_OF.get(stage.partition(".")[0], "stencil")
                ratios[kind].append(found[rung][stage] / cost)
    return ratios


def _scales(found: Mapping[str, Mapping[str, float]]) -> dict[str, list[float]]:
    """Range of the ratios to the reference, of each class of kernels."""
    return {
        kind: [round(float(end), 2) for end in np.percentile(values, ENDS)]
        for kind, values in _ratios(found).items()
    }


def _jitter(rung: ReadyRung, check: ReadyCheck, pictures: list[npt.NDArray[np.uint8]]) -> float:
    """Standard deviation of the logarithm of the time of a frame, robust against outliers."""
    viewfinder = _viewfinder(rung, check)
    state, times = StreamState(), []
    for seq, picture in enumerate(pictures):
        shown, state = viewfinder.show(Frame(seq, capture_from_array(picture, "srgb")), state)
        times.append(math.log(shown.spent_ms))
    kept = times[SKIPPED:]
    middle = statistics.median(kept)
    deviation = MAD_TO_SIGMA * statistics.median(abs(each - middle) for each in kept)
    return round(max(deviation, MIN_JITTER), 3)


def profile_table(
    name: str, like: str, scales: Mapping[str, list[float]], jitter: float
) -> dict[str, Any]:
    """A profile with measured scales and jitter, as the table of its file."""
    other = read_profile(like)
    machine = f"{platform.machine()}, {available_cores()} cores"
    return {
        "name": name,
        "about": f"Measured on {machine}.",
        "source": "cpu: tools/reference_costs.py; sensor, lens, actuator, memory and thermal: "
        f"copied from {like}, to be corrected by hand",
        "calibrated": True,
        "sensor": asdict(other.sensor),
        "lens": asdict(other.lens),
        "actuator": asdict(other.actuator),
        "cpu": {"jitter": jitter, "scale": dict(scales)},
        "memory": {"frames_mb": other.memory_mb},
        "thermal": asdict(other.thermal),
    }


if __name__ == "__main__":
    main()
