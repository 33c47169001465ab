"""`camerapipe simulate`: a camera in virtual time, before a scene or a recording."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from camerapipe.cli.common import (
    OK,
    SOME_FAILED,
    common_options,
    failure_of,
    max_pixels,
    overwrite_option,
    prepare,
    request_errors,
    say,
)
from camerapipe.cli.frames import frames_options, size_of, size_option
from camerapipe.errors import CaptureError, OutputError

if TYPE_CHECKING:
    from camerapipe.simulator.session import SessionReport

TARGETS = ("metadata", "raw", "picture", "view", "preview")


@click.command("simulate")
@click.argument("scene", metavar="SCENE")
@click.option(
    "--profile",
    default="everyday-phone",
    show_default=True,
    metavar="NAME|FILE.toml",
    help="the device",
)
@click.option(
    "--script", metavar="STEPS.toml", help="controls, captures and faults at given frames"
)
@click.option(
    "--frames", type=click.IntRange(1), help="end after so many preview frames (default 90)"
)
@click.option(
    "--seconds", type=click.FloatRange(0, min_open=True), help="end after so much virtual time"
)
@click.option(
    "--target",
    type=click.Choice(TARGETS),
    default="preview",
    show_default=True,
    help="how far preview frames are processed",
)
@size_option("of the pictures")
@click.option("--budget", "budgets", multiple=True, metavar="66ms", help="time of a preview frame")
@click.option("-o", "--output", metavar="DIR", help="a folder for stills and their RAW files (DNG)")
@frames_options
@overwrite_option
@common_options
@request_errors
def simulate_command(scene: str, **options: Any) -> None:
    """Run a simulated camera: scene, lens, sensor, 3A, requests and results.

    SCENE is portrait, still-life, night, swing or wall, a TOML file of a scene, or else a folder, a
    photograph or a video, which repeats. Time is virtual: the same arguments give the same frames
    everywhere.
    """
    try:
        code = _simulate(scene, options)
    except (CaptureError, OutputError) as error:
        raise failure_of(error, scene, verbose=options["verbose"]) from error
    click.get_current_context().exit(code)


def _simulate(scene: str, options: dict[str, Any]) -> int:
    from camerapipe.runtime import configure
    from camerapipe.simulator.script import Script, read_script
    from camerapipe.simulator.session import Session

    script = read_script(options["script"]) if options["script"] else Script()
    configure(long_running=True)
    session = Session(
        scene,
        script,
        output=options["output"],
        trace=options["trace"],
        overwrite=options["overwrite"],
        tell=(lambda text: None) if options["quiet"] else say,
        profile=options["profile"],
        size=size_of(options["size"]),
        target=options["target"],
        strength=options["strength"],
        budget=options["budgets"],
        rung=options["rung"],
        preset=options["preset"],
        config=options["config"],
        overrides=options["overrides"],
        speed=options["speed"],
        seed=options["seed"],
        force=options["force"],
        max_pixels=max_pixels(options),
    )
    prepare(quiet=options["quiet"], long_running=True)
    report = session.run(frames=options["frames"], seconds=options["seconds"])
    if options["as_json"]:
        click.echo(json.dumps(report.to_dict()))
    if not options["quiet"]:
        _tell(report)
    return SOME_FAILED if report.errors else OK


def _tell(report: SessionReport) -> None:
    """Sum up a session."""
    from camerapipe.cli.telling import tell

    tell(report.preview)
    failed = ", ".join(f"{count} {reason}" for reason, count in report.failures.items())
    say(f"{report.seconds:.2f} s of virtual time; failed requests: {failed or 'none'}")
