"""`camerapipe check`, `optics` and `graph`: look, and say in plain words."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click

from camerapipe.cli.common import (
    NEGATIVE,
    OK,
    USAGE,
    Failure,
    Result,
    common_options,
    distance_option,
    for_inputs,
    max_pixels,
    prepare,
    request_errors,
    show_findings,
)

# Diagonals in mm of the sensor types that people name; a bare number is a diagonal in mm.
SENSORS = {
    "1/3.6": 5.0, "1/3.2": 5.68, "1/3": 6.0, "1/2.7": 6.72, "1/2.5": 7.18, "1/2.3": 7.66,
    "1/2": 8.0, "1/1.8": 8.93, "1/1.7": 9.5, "1/1.33": 12.0, "2/3": 11.0, "1": 15.86,
    "4/3": 21.64, "aps-c": 28.2, "aps-c-canon": 26.82, "full-frame": 43.27, "44x33": 54.78,
}  # fmt: skip


@click.command("check")
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IN...")
@distance_option
@click.option("--strict-check", is_flag=True, help="exit 7 where there is nothing to magnify")
@common_options
@request_errors
def check_command(inputs: tuple[Path, ...], **options: Any) -> None:
    """Say whether captures have defocus to magnify, and why or why not."""
    from camerapipe.camera import Options
    from camerapipe.settings import resolve

    settings = resolve(options["preset"], options["config"], options["overrides"])
    looking = Options(settings=settings, distance_m=options["distance"])
    prepare(quiet=options["quiet"], long_running=len(inputs) > 1)
    tasks = [(str(source), partial(_check_one, source, looking, options)) for source in inputs]
    for_inputs(tasks, options)


def _check_one(source: Path, looking: Any, options: dict[str, Any]) -> Result:
    from camerapipe.camera import check_capture, develop
    from stages.capture_check import NEGATIVE_CODES

    capture, _ = develop(source, max_pixels=max_pixels(options))
    findings = check_capture(capture, looking)
    if not options["as_json"]:
        show_findings(source.name, findings, quiet=options["quiet"])
    negative = options["strict_check"] and any(f.code in NEGATIVE_CODES for f in findings)
    data = {
        "capture": str(source),
        "findings": [asdict(finding) for finding in findings],
        "metadata": capture.meta.to_dict(),
    }
    return Result(data, NEGATIVE if negative else OK)


@click.command("optics")
@click.option("--focal", type=float, required=True, metavar="MM", help="focal length in mm")
@click.option("--fnumber", type=float, required=True, metavar="N", help="f-number")
@click.option(
    "--sensor", default="full-frame", show_default=True, metavar="TYPE|MM",
    help="sensor type such as 1/2.5, aps-c, full-frame; or its diagonal in mm",
)  # fmt: skip
@click.option(
    "--coc", type=float, metavar="UM", help="circle of confusion (default: diagonal/1500)"
)
@click.option("--distance", type=float, metavar="M", help="focus distance in metres")
@click.option(
    "--long-side",
    type=click.IntRange(1),
    default=4000,
    show_default=True,
    help="picture width in px",
)
@click.option("--aspect", type=click.FloatRange(1, 100), default=1.5, show_default=True,
              help="long side / short side")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="machine-readable result on stdout")
@request_errors
def optics_command(**options: Any) -> None:
    """Hyperfocal distance, depth of field, and the blur of the background in pixels."""
    from stages.optics import Lens

    lens = Lens(
        focal_length_mm=options["focal"],
        f_number=options["fnumber"],
        sensor_diagonal_mm=_diagonal(options["sensor"]),
        circle_of_confusion_mm=0.0 if options["coc"] is None else options["coc"] / 1000,
    )
    shape = (round(options["long_side"] / options["aspect"]), options["long_side"])
    facts: dict[str, float] = {
        "sensor_diagonal_mm": lens.sensor_diagonal_mm,
        "circle_of_confusion_um": lens.circle_of_confusion_mm * 1000,
        "hyperfocal_m": lens.hyperfocal_mm / 1000,
    }
    if options["distance"] is not None:
        near, far = lens.depth_of_field_mm(options["distance"] * 1000)
        blur_px = lens.background_blur_mm(options["distance"] * 1000) / lens.pixel_mm(shape)
        facts |= {
            "sharp_from_m": near / 1000,
            "sharp_to_m": far / 1000,
            "background_blur_px": blur_px,
            "background_sigma_px": blur_px / 4,  # a disk of diameter d has standard deviation d / 4
            "background_blur_at_1280_px": blur_px * 1280 / options["long_side"],
        }
    if options["as_json"]:
        click.echo(json.dumps({k: v if math.isfinite(v) else None for k, v in facts.items()}))
        return
    for name, value in facts.items():
        label, _, unit = name.rpartition("_")
        shown = f"{value:.3g} {unit}" if math.isfinite(value) else "infinity"
        click.echo(f"{label.replace('_', ' '):<28} {shown}")


@click.command("graph")
@click.argument("names", nargs=-1, metavar="[GRAPH...]")
@click.option("--mermaid", is_flag=True, help="as a Mermaid flow chart")
def graph_command(names: tuple[str, ...], mermaid: bool) -> None:
    """Show the stage graphs: what runs after what, and which values flow."""
    from camerapipe.pipelines import GRAPHS

    for name in names:
        if name not in GRAPHS:
            raise Failure(f"graph {name!r} does not exist; there are: {', '.join(GRAPHS)}", USAGE)
    for name in names or ("check", "default"):
        graph = GRAPHS[name]
        click.echo(graph.mermaid() if mermaid else graph.text())


def _diagonal(sensor: str) -> float:
    if sensor.lower().rstrip('"') in SENSORS:
        return SENSORS[sensor.lower().rstrip('"')]
    try:
        return float(sensor)
    except ValueError:
        raise Failure(
            f"--sensor {sensor!r}: expected a diagonal in mm or one of {', '.join(SENSORS)}", USAGE
        ) from None
