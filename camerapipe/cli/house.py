"""`camerapipe demo` and `doctor`: see it work, and see what it stands on."""

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
    prepare,
    say,
    show_findings,
    show_report,
)

PHOTOGRAPHS = ("chelsea", "coffee")


@click.command("demo")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=Path("demo-output"),
    show_default=True, metavar="DIR", help="folder for pictures, maps, reports, contact sheets",
)  # fmt: skip
@click.option("--strength", type=float, default=3.0, show_default=True, help="magnification")
@click.option("--overwrite", is_flag=True, help="replace outputs that exist")
@click.option("-q", "--quiet", is_flag=True, help="errors only")
def demo_command(output: Path, strength: float, overwrite: bool, quiet: bool) -> None:
    """Render real photographs that scikit-image carries, and lay the results side by side."""
    try:
        from skimage import data
    except ImportError as error:
        raise Failure(
            'demo: its photographs come with scikit-image: pip install "camerapipe[demo]"',
            UNREADABLE,
        ) from error
    from camerapipe.api import render
    from camerapipe.ingest import write_map, write_picture, write_text
    from camerapipe.sheet import contact_sheet

    prepare(quiet=quiet, long_running=True)
    try:
        output.mkdir(parents=True, exist_ok=True)
        for name in PHOTOGRAPHS:
            shot = render(getattr(data, name)(), strength=strength)
            show_findings(name, shot.findings, quiet=quiet)
            write_picture(
                output / f"{name}_bokeh.jpg", shot.image, shot.capture, overwrite=overwrite
            )
            if shot.blur_map is not None:
                write_map(output / f"{name}_map.tiff", shot.blur_map, overwrite=overwrite)
                write_map(output / f"{name}_map.png", shot.blur_map, overwrite=overwrite)
            sheet = contact_sheet(shot)
            colour = replace(shot.capture, grey=False, alpha=None)
            write_picture(output / f"{name}_sheet.png", sheet, colour, overwrite=overwrite)
            report = json.dumps(shot.report.to_dict(), indent=2)
            write_text(output / f"{name}_report.json", report, overwrite=overwrite)
            if not quiet:
                show_report(shot.report, verbose=False)
    except Exception as error:
        raise failure_of(error, str(output), verbose=False) from error
    say(f"pictures, maps, reports and contact sheets are in {output.resolve()}")
    say(f"look first at {(output / (PHOTOGRAPHS[0] + '_sheet.png')).resolve()}")


@click.command("doctor")
@click.option("--warm-up", is_flag=True, help="compile all kernels now")
@click.option("--json", "as_json", is_flag=True, help="machine-readable result on stdout")
def doctor_command(warm_up: bool, as_json: bool) -> None:
    """Show versions, threads, limits and caches."""
    from camerapipe import runtime
    from camerapipe.ingest import DEFAULT_MAX_PIXELS, optional_formats

    runtime.configure()
    if warm_up:
        prepare(quiet=as_json)
    import cv2

    from stages import strips

    facts: dict[str, dict[str, Any]] = {
        "versions": runtime.versions(),
        "threads": {
            "cores": runtime.available_cores(),
            "strips": strips.workers(),
            "opencv": cv2.getNumThreads(),
        },
        "limits": {"max_pixels": DEFAULT_MAX_PIXELS},
        "formats": optional_formats(),
        "kernels": {"cache": runtime.kernel_cache()},
    }
    if as_json:
        click.echo(json.dumps(facts))
        return
    for section, rows in facts.items():
        click.echo(section)
        for name, value in rows.items():
            click.echo(f"  {name:<24} {value}")
