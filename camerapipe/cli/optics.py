"""`camerapipe optics`: depth of field and blur of the background."""

from __future__ import annotations

import json
import math
from typing import Any

import click

from camerapipe.cli.common import USAGE, Failure, json_option, request_errors

# Diagonals in mm of the sensor types that people name; a bare number is a diagonal in mm.
SENSORS = {
    "1/3.6": 5.0, "1/3.2": 5.68, "1/3": 6.0, "1/2.7": 6.72, "1/2.5": 7.18, "1/2.3": 7.66,
    "1/2": 8.0, "1/1.8": 8.93, "1/1.7": 9.5, "1/1.33": 12.0, "2/3": 11.0, "1": 15.86,
    "4/3": 21.64, "aps-c": 28.2, "aps-c-canon": 26.82, "full-frame": 43.27, "44x33": 54.78,
}  # fmt: skip


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
@json_option
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
        click.echo(f"{label.replace('_', ' '):<28} {_shown(value, unit)}")


def _shown(value: float, unit: str) -> str:
    """Value for people."""
    from stages.optics import distance_text

    if not math.isfinite(value):
        return "infinity"
    return distance_text(value, 3) if unit == "m" else f"{value:.3g} {unit}"


def _diagonal(sensor: str) -> float:
    if sensor.lower().rstrip('"') in SENSORS:
        return SENSORS[sensor.lower().rstrip('"')]
    try:
        return float(sensor)
    except ValueError:
        raise Failure(
            f"--sensor {sensor!r}: expected a diagonal in mm or one of {', '.join(SENSORS)}", USAGE
        ) from None
