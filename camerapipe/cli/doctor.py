"""`camerapipe doctor`: versions, threads, limits and caches."""

from __future__ import annotations

import json
from typing import Any

import click

from camerapipe.cli.common import json_option, prepare


@click.command("doctor")
@click.option("--warm-up", is_flag=True, help="compile all kernels now")
@json_option
def doctor_command(warm_up: bool, as_json: bool) -> None:
    """Show versions, threads, limits and caches."""
    from camerapipe import runtime
    from camerapipe.ingest import DEFAULT_MAX_PIXELS, PICTURE_FORMATS, can_write, optional_formats

    runtime.configure()
    if warm_up:
        prepare(quiet=as_json, seldom=True)
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
        "written formats": {name: can_write(name) for name in PICTURE_FORMATS},
        "kernels": {"cache": runtime.kernel_cache()},
    }
    if as_json:
        click.echo(json.dumps(facts))
        return
    for section, rows in facts.items():
        click.echo(section)
        for name, value in rows.items():
            click.echo(f"  {name:<24} {value}")
