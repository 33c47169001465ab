"""`camerapipe stream`: a camera in motion, live or from files, measured here or simulated."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

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
    point,
    prepare,
    request_errors,
    say,
)
from camerapipe.cli.telling import Teller, code_of, interrupts, tell
from camerapipe.errors import CaptureError, OutputError

REPLAY = "replay:"
PLACES = {"fast": 0.0, "typical": 0.5, "slow": 1.0}


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
    help="what is written of a frame",
)
@click.option("--fps", type=float, help="frames per second; that of the source where not given")
@click.option(
    "--policy",
    type=click.Choice(["block", "latest"]),
    help="lose nothing, or the newest frame wins (default for a camera)",
)
@click.option("--frames", type=click.IntRange(1), help="end after so many frames")
@click.option(
    "--size", default="1280x720", show_default=True, metavar="WxH", help="of a synthetic scene"
)
@click.option("--strength", type=float, help="magnification of the defocus, 1 to 8 (default 2)")
@click.option(
    "--budget",
    "budgets",
    multiple=True,
    metavar="66ms|STAGE=5ms",
    help="time of a frame from its pixels to its picture, or of one stage",
)
@click.option(
    "--rung", metavar="NAME", help="always this rung of the quality ladder (see `camerapipe graph`)"
)
@click.option("--profile", metavar="NAME|FILE.toml", help="simulate a device in virtual time")
@click.option(
    "--speed",
    type=click.Choice(list(PLACES)),
    default="typical",
    show_default=True,
    help="where in the profile's ranges",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="of jitter and of a scene",
)
@click.option("--in-flight", type=click.IntRange(1), help="frames in the stages at once")
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
@click.option("--record", metavar="DIR", help="keep what is needed to replay the run")
@click.option(
    "--only", type=int, multiple=True, metavar="N", help="frames of a recording to replay"
)
@click.option(
    "--trace", metavar="FILE.json", help="write a trace for Perfetto and `camerapipe report`"
)
@click.option("--focus", metavar="X,Y", help="a point (pixels) that counts as in focus")
@distance_option
@click.option("--force", is_flag=True, help="go on after a blocking finding")
@click.option("--overwrite", is_flag=True, help="replace outputs that exist")
@click.option(
    "--strict-budget",
    is_flag=True,
    help="exit 6 where a frame missed the budget by more than a step",
)
@common_options
@request_errors
def stream_command(source: str, **options: Any) -> None:
    """Stream frames through the camera: check, blur map, lens blur, advice.

    SRC is a folder of RAW or JPEG files, a video, the index of a camera, synthetic:SCENE (static,
    pull, step, pan, cut) or replay:DIR. Ctrl-C (or SIGTERM) ends after the frames that came in; a
    second one ends at once. Outputs are whole either way.
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
    """Open everything, run the stream, tell how it went."""
    from camerapipe.runtime import configure, versions
    from camerapipe.stream.record import Recorder, about_of
    from camerapipe.stream.session import Stream
    from camerapipe.stream.sources import open_source
    from camerapipe.stream.tracing import Tracing, run_of
    from camerapipe.trace import Tracer

    if options["only"]:
        raise Failure(f"--only: frames of a recording are meant: {REPLAY}DIR", USAGE)
    configure(long_running=True)  # before the source has threads
    taking = _options(text, options)
    source = open_source(
        text, fps=options["fps"], paced=taking.policy == "latest" or options["fps"] is not None,
        size=_size(options["size"]), sensor_fps=taking.sensor_fps, seed=options["seed"],
        max_pixels=max_pixels(options),
    )  # fmt: skip
    prepare(quiet=options["quiet"], long_running=True)
    sink = _sink(options, source.fps, text)
    noting: list[Callable[[Any, Any], None]] = [Teller(quiet=options["quiet"]).note]
    tracers: list[Tracer] = []
    with ExitStack() as opened:
        if options["trace"]:
            run = run_of(source, taking, versions())
            tracer = Tracer(options["trace"], run, overwrite=options["overwrite"])
            tracers.append(opened.enter_context(tracer))
            noting.append(Tracing(tracer).note)
        if options["record"]:
            about = about_of(source, taking, versions(), max_pixels(options))
            sink = recorder = Recorder(Path(options["record"]), sink, about)
            noting.append(recorder.note)

        def note_all(stream: Any, event: Any) -> None:
            for note in noting:
                note(stream, event)

        stream = Stream(source, sink, taking, note_all)
        with interrupts(stream) as interrupted:
            report = stream.run()
        for tracer in tracers:
            tracer.close(ended=report.ended)
    if options["as_json"]:
        click.echo(json.dumps(report.to_dict()))
    if not options["quiet"]:
        tell(report)
    return code_of(report, interrupted, strict=options["strict_budget"])


def _options(text: str, options: dict[str, Any]) -> Any:
    from camerapipe.budget import Budget
    from camerapipe.settings import resolve
    from camerapipe.stream.options import StreamOptions
    from camerapipe.stream.profile import read_profile

    strength = options["strength"]
    values = {} if strength is None else {"radius": {"strength": strength}}
    return StreamOptions(
        settings=resolve(options["preset"], options["config"], options["overrides"], values),
        budget=Budget.parse(options["budgets"]),
        policy=options["policy"] or ("latest" if text.isdecimal() else "block"),
        rung=options["rung"],
        in_flight=options["in_flight"],
        max_bytes=options["memory"] * 1e6,
        frames=options["frames"],
        stuck_s=options["stuck"],
        profile=read_profile(options["profile"]) if options["profile"] else None,
        place=PLACES[options["speed"]],
        seed=options["seed"],
        distance_m=options["distance"],
        focus_point=point(options["focus"]),
        force=options["force"],
    )


REPLAYABLE = {  # what is asked of a replay; all else was decided when it was recorded
    "source", "output", "view", "fps", "only", "overwrite", "as_json", "quiet", "verbose",
}  # fmt: skip


def _refuse_others(context: click.Context) -> None:
    """Say which options a replay would have to ignore."""
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


def _replay(folder: Path, options: dict[str, Any]) -> int:
    _refuse_others(click.get_current_context())
    from camerapipe.runtime import versions
    from camerapipe.settings import resolve
    from camerapipe.stream.replay import Recording
    from camerapipe.stream.session import looks, ways

    recording = Recording.open(folder)
    prepare(quiet=options["quiet"], long_running=True)
    settings, sink = (
        resolve(values=recording.about["params"]),
        _sink(options, recording.about["fps"]),
    )
    found = recording.replay(
        ways(settings), looks(settings), sink, versions=versions(), only=options["only"] or None
    )
    if options["as_json"]:
        click.echo(json.dumps(asdict(found)))
    for package, (before, now) in found.other_versions.items():
        say(f"{package} was {before} when this was recorded, and is {now}")
    same = found.frames - len(found.differing)
    say(f"{folder}: {found.frames} frames replayed, {same} the same to the bit")
    return SOME_FAILED if found.differing else OK


def _sink(options: dict[str, Any], fps: float | None, source: str = "") -> Any:
    from camerapipe.stream.sinks import VIDEOS, Nowhere, Pictures, Video

    if options["output"] is None:
        return Nowhere()
    path, view, overwrite = Path(options["output"]), options["view"], options["overwrite"]
    if source and path.exists() and Path(source).exists() and path.samefile(source):
        raise OutputError(f"{path}: is the source itself; choose another output")
    if path.suffix.lower() in VIDEOS:
        return Video(path, view, options["fps"] or fps or 30.0, overwrite=overwrite)
    return Pictures(path, view, overwrite=overwrite)


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise Failure(f"--size: expected WIDTHxHEIGHT; got {text!r}", USAGE) from None
    return width, height
