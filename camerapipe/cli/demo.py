"""`camerapipe demo`: a photograph of a flower, and a synthetic portrait at night of full size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import click

from camerapipe.cli.common import (
    UNREADABLE,
    Failure,
    failure_of,
    overwrite_option,
    prepare,
    quiet_option,
    say,
)


class Example(NamedTuple):
    """What is rendered: a name, a capture, and the middle (x, y) of the detail at 100 %."""

    name: str
    capture: Any
    centre: tuple[float, float]


@click.command("demo")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=Path("demo-output"),
    show_default=True, metavar="DIR", help="folder for pictures, maps, reports, contact sheets",
)  # fmt: skip
@click.option("--strength", type=float, default=3.0, show_default=True, help="magnification")
@overwrite_option
@quiet_option
def demo_command(output: Path, strength: float, overwrite: bool, quiet: bool) -> None:
    """Render a photograph and a synthetic portrait at night of 12 MP, before and after.

    The photograph is a flower that scikit-learn carries.
    """
    from camerapipe.ingest import make_folder
    from camerapipe.night_portrait import night_portrait
    from camerapipe.samples import flower_path

    try:
        flower = flower_path()
    except FileNotFoundError as error:
        raise Failure(f"demo: {error}", UNREADABLE) from error
    prepare(quiet=quiet, long_running=True)
    try:
        make_folder(output)
        _render(Example("flower", flower, (0.5, 0.5)), output, strength, overwrite, quiet)
        night = Example("night", night_portrait(), (0.67, 0.5))
        _render(night, output, strength, overwrite, quiet)
    except Exception as error:
        raise failure_of(error, str(output), verbose=False) from error
    if not quiet:
        for line in _directions(output):
            say(line)


def _render(example: Example, output: Path, strength: float, overwrite: bool, quiet: bool) -> None:
    """Render one example and write everything about it."""
    from camerapipe.assembly import Request
    from camerapipe.camera import open_input, shoot
    from camerapipe.ingest import write_picture, write_text
    from camerapipe.settings import resolve
    from camerapipe.sheet import capture_codes, contact_sheet
    from camerapipe.verdict import sentence

    request = Request(settings=resolve(strength=strength))
    capture, before = open_input(example.capture)
    shot = shoot(capture, request, before=before)
    pictures = {
        "capture": capture_codes(shot),
        "bokeh": shot.to_uint8(),
        "sheet": contact_sheet(shot, example.centre),
    }
    for kind, picture in pictures.items():
        path = output / f"{example.name}_{kind}.jpg"
        write_picture(path, picture, shot.capture, overwrite=overwrite)
    if shot.saved_map is not None:
        shot.save_map(output / f"{example.name}_map.png", overwrite=overwrite)
    report = json.dumps(shot.report.to_dict(), indent=2)
    write_text(output / f"{example.name}_report.json", report, overwrite=overwrite)
    if not quiet:
        rows, cols = shot.image.shape[:2]
        done = f"{rows * cols / 1e6:.1f} MP rendered at strength {strength:g}"
        say(f"{example.name}: {sentence(shot.report, done, request.budget)}")


def _directions(output: Path) -> tuple[str, ...]:
    """Where to look, and what comes next."""
    return (
        f"look at {(output / 'night_sheet.jpg').resolve()}",
        f"    and {(output / 'flower_sheet.jpg').resolve()}",
        "    above: capture, blur map, picture; below: the same detail before and after, at 100 %",
        "    beside them: *_capture.jpg, *_bokeh.jpg (full size), *_map.png, *_report.json",
        "your own: camerapipe render photo.jpg -o bokeh.jpg --strength 3",
        "in the browser: camerapipe serve photo.jpg",
    )
