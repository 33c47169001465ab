"""`camerapipe stream`: frames from files, a camera or a scene, measured here or simulated."""

from __future__ import annotations

import json
import os
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from camerapipe.cli.common import (
    OK,
    SOME_FAILED,
    USAGE,
    Failure,
    common_options,
    distance_option,
    failure_of,
    max_pixels,
    overwrite_option,
    point,
    prepare,
    recipe_option,
    request_errors,
    say,
    scribbles_option,
)
from camerapipe.cli.frames import frames_options, size_of, size_option
from camerapipe.cli.telling import (
    Teller,
    code_of,
    costs_data,
    costs_table,
    interrupts,
    tell,
    tell_ending,
    tell_findings,
    tell_written,
)
from camerapipe.errors import CaptureError, OutputError

if TYPE_CHECKING:
    from camerapipe.stream.stream import Stream

OPENCV_QUIET = ("OPENCV_FFMPEG_LOGLEVEL", "-8")  # threads of its decoders print at any time
REPLAY = "replay:"
REPLAYABLE = {  # options of a replay; everything else was decided when it was recorded
    "source", "output", "view", "fps", "only", "overwrite", "as_json", "quiet", "verbose",
}  # fmt: skip
WRITTEN = ("output", "trace", "record")  # options that name what a stream writes
NOT_WITH_COSTS = {"output": "--output", "trace": "--trace", "record": "--record"}


@click.command("stream")
@click.argument("source", metavar="SRC")
@click.option(
    "-o", "--output", metavar="DIR|VIDEO", help="a folder of pictures, or a .mp4; none: measure"
)
@click.option(
    "--view",
    type=click.Choice(["picture", "map", "both"]),
    default="picture",
    show_default=True,
    help="what is written",
)
@click.option("--fps", type=float, help="frames per second (default: the rate of the source)")
@click.option(
    "--policy",
    type=click.Choice(["block", "latest"]),
    help="lose no frame, or the newest frame wins (default: latest for a camera)",
)
@click.option("--frames", type=click.IntRange(1), help="end after so many frames")
@size_option("of a synthetic scene")
@click.option(
    "--budget",
    "budgets",
    multiple=True,
    metavar="66ms|STAGE=5ms",
    help="time of a frame from its pixels to its picture, or of one stage",
)
@click.option("--profile", metavar="NAME|FILE.toml", help="simulate a device in virtual time")
@click.option("--in-flight", type=click.IntRange(1), help="frames in the stages at the same time")
@click.option(
    "--memory",
    type=click.IntRange(1),
    default=2000,
    show_default=True,
    metavar="MB",
    help="for frames in flight",
)
@click.option(
    "--stuck",
    type=click.FloatRange(0, min_open=True),
    default=30,
    show_default=True,
    metavar="S",
    help="a frame that takes a stage longer has failed",
)
@click.option("--record", metavar="DIR", help="keep what is needed to replay the stream")
@click.option(
    "--only", type=int, multiple=True, metavar="N", help="frames of a recording to replay"
)
@click.option("--loop", is_flag=True, help="files begin again when they have ended")
@click.option(
    "--faults", metavar="FILE.toml", help="the source stalls, repeats or loses frames by a script"
)
@click.option("--costs", is_flag=True, help="print what rungs and checks cost, and exit")
@click.option("--focus", metavar="X,Y", help="a point (pixels) that counts as in focus")
@scribbles_option
@recipe_option
@distance_option
@frames_options
@overwrite_option
@click.option(
    "--strict-budget",
    is_flag=True,
    help="exit 6 if a frame missed the budget by more than a step",
)
@common_options
@request_errors
def stream_command(source: str, **options: Any) -> None:
    """Stream frames through the camera: check, blur map, lens blur, advice.

    SRC is a folder of RAW or JPEG files, a video, a photograph, the index of a camera,
    synthetic:SCENE (static, pull, step, pan, cut) or replay:DIR. Ctrl-C (or SIGTERM) ends after the
    frames that came in; a second one ends at once. Outputs are whole either way.
    """
    try:
        if source.startswith(REPLAY):
            code = _replay(Path(source.removeprefix(REPLAY)), options)
        else:
            code = _stream(source, options)
    except (CaptureError, OutputError) as error:
        raise failure_of(error, source, verbose=options["verbose"]) from error
    click.get_current_context().exit(code)


def _stream(text: str, options: dict[str, Any]) -> int:
    """Open and run a stream, and print how it went; gives the exit code."""
    from camerapipe.runtime import configure

    if options["only"]:
        raise Failure(f"--only: expected frames of a recording: {REPLAY}DIR", USAGE)
    if options["costs"]:
        _refuse_with_costs(options)
    configure(long_running=True)  # before the source starts threads
    os.environ.setdefault(*OPENCV_QUIET)
    teller = Teller(quiet=options["quiet"])
    with closing(_opened(text, options, teller)) as stream:
        prepare(quiet=options["quiet"], long_running=True, seldom=True)
        if options["costs"]:
            costs = stream.measure_costs()
            click.echo(json.dumps(costs_data(costs)) if options["as_json"] else costs_table(costs))
            return OK
        stream.prepare()
        if not options["quiet"]:
            tell_findings(stream.findings)
        total = options["frames"] or stream.source.length
        with interrupts(stream) as interrupted, teller.progress(total):
            report = stream.run()
    if options["as_json"]:
        click.echo(json.dumps(report.to_dict()))
    if not options["quiet"]:
        tell(report)
        tell_written(report, *(options[key] for key in WRITTEN))
    tell_ending(report)
    return code_of(report, interrupted, strict=options["strict_budget"])


def _refuse_with_costs(options: dict[str, Any]) -> None:
    given = [option for key, option in NOT_WITH_COSTS.items() if options[key] is not None]
    if given:
        raise Failure(f"--costs: writes nothing; leave out {', '.join(given)}", USAGE)


def _opened(text: str, options: dict[str, Any], teller: Teller) -> Stream:
    from camerapipe.stream.opening import open_stream

    return open_stream(
        text,
        output=options["output"],
        view=options["view"],
        fps=options["fps"],
        policy=options["policy"],
        frames=options["frames"],
        size=size_of(options["size"]),
        strength=options["strength"],
        budget=options["budgets"],
        rung=options["rung"],
        preset=options["preset"],
        config=options["config"],
        overrides=options["overrides"],
        focus=point(options["focus"]),
        scribbles=options["scribbles"] or (),
        recipe=options["recipe_from"],
        distance_m=options["distance"],
        force=options["force"],
        profile=options["profile"],
        speed=options["speed"],
        seed=options["seed"],
        in_flight=options["in_flight"],
        memory_mb=options["memory"],
        stuck_s=options["stuck"],
        trace=options["trace"],
        record=options["record"],
        overwrite=options["overwrite"],
        max_pixels=max_pixels(options),
        observe=teller.note,
        loop=options["loop"],
        faults=options["faults"],
    )


def _replay(folder: Path, options: dict[str, Any]) -> int:
    """Compute the frames of a recording again, and print whether they are the same."""
    _refuse_others(click.get_current_context())
    from camerapipe.runtime import versions
    from camerapipe.stream.opening import sink_for
    from camerapipe.stream.replay import Recording
    from camerapipe.stream.video_sink import is_video, video_findings

    recording = Recording.open(folder)
    rate = options["fps"] or recording.about["fps"]
    sink = sink_for(options["output"], options["view"], fps=rate, overwrite=options["overwrite"])
    if options["output"] and is_video(output := Path(options["output"])) and not options["quiet"]:
        tell_findings(video_findings(output, None, retimed=False))
    prepare(quiet=options["quiet"], long_running=True, seldom=True)
    found = recording.replay(sink, versions=versions(), only=options["only"] or None)
    if options["as_json"]:
        click.echo(json.dumps(asdict(found)))
    for package, (before, now) in found.other_versions.items():
        say(f"{package} was {before} when this was recorded, and is {now}")
    same = found.frames - len(found.differing)
    where = f" -> {options['output']}" if options["output"] else ""
    say(f"{folder}: {found.frames} frames replayed, {same} the same to the bit{where}")
    return SOME_FAILED if found.differing else OK


def _refuse_others(context: click.Context) -> None:
    """Refuse options that a replay would have to ignore."""
    given = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name not in REPLAYABLE
        and context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE
    ]
    if given:
        raise Failure(
            f"replay: {', '.join(given)}: what a picture depends on was decided when it was "
            "recorded; a replay takes --output, --view, --fps, --only and --overwrite",
            USAGE,
        )
