"""`camerapipe optics`: depth of field and blur of the background."""

from __future__ import annotations

import json
import math
from typing import Any

import click

from camerapipe.cli.common import json_option, request_errors


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
    from camerapipe.optics import lens_facts, sensor_diagonal_mm
    from stages.optics import Lens

    lens = Lens(
        focal_length_mm=options["focal"],
        f_number=options["fnumber"],
        sensor_diagonal_mm=sensor_diagonal_mm(options["sensor"]),
        circle_of_confusion_mm=0.0 if options["coc"] is None else options["coc"] / 1000,
    )
    shape = (round(options["long_side"] / options["aspect"]), options["long_side"])
    facts = lens_facts(lens, options["distance"], shape)
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
