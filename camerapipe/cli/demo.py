"""`camerapipe demo`: renders of the photographs of scikit-image."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

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
from camerapipe.extras import install

PHOTOGRAPHS = ("chelsea", "coffee")


@click.command("demo")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=Path("demo-output"),
    show_default=True, metavar="DIR", help="folder for pictures, maps, reports, contact sheets",
)  # fmt: skip
@click.option("--strength", type=float, default=3.0, show_default=True, help="magnification")
@overwrite_option
@quiet_option
def demo_command(output: Path, strength: float, overwrite: bool, quiet: bool) -> None:
    """Render real photographs that scikit-image carries, and lay the results side by side."""
    try:
        from skimage import data
    except ImportError as error:
        raise Failure(
            f"demo: its photographs come with scikit-image: {install('demo')}",
            UNREADABLE,
        ) from error
    from camerapipe.ingest import make_folder

    prepare(quiet=quiet, long_running=True)
    try:
        make_folder(output)
        for name in PHOTOGRAPHS:
            _render(name, getattr(data, name)(), output, strength, overwrite=overwrite, quiet=quiet)
    except Exception as error:
        raise failure_of(error, str(output), verbose=False) from error
    say(f"pictures, maps, reports and contact sheets are in {output.resolve()}")
    say(f"look first at {(output / (PHOTOGRAPHS[0] + '_sheet.png')).resolve()}")


def _render(
    name: str, picture: Any, output: Path, strength: float, *, overwrite: bool, quiet: bool
) -> None:
    """Render one photograph and write everything about it."""
    from camerapipe.assembly import Request
    from camerapipe.camera import open_input, shoot
    from camerapipe.ingest import write_picture, write_text
    from camerapipe.settings import resolve
    from camerapipe.sheet import contact_sheet
    from camerapipe.verdict import sentence

    request = Request(settings=resolve(strength=strength))
    capture, before = open_input(picture)
    shot = shoot(capture, request, before=before)
    shot.save(output / f"{name}_bokeh.jpg", overwrite=overwrite)
    if shot.saved_map is not None:
        shot.save_map(output / f"{name}_map.tiff", overwrite=overwrite)
        shot.save_map(output / f"{name}_map.png", overwrite=overwrite)
    colour = replace(shot.capture, grey=False, alpha=None)
    write_picture(output / f"{name}_sheet.png", contact_sheet(shot), colour, overwrite=overwrite)
    report = json.dumps(shot.report.to_dict(), indent=2)
    write_text(output / f"{name}_report.json", report, overwrite=overwrite)
    if not quiet:
        done = f"rendered at strength {strength:g}"
        say(f"{name}: {sentence(shot.report, done, request.budget)}")
