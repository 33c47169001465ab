"""Open a stream from the options of the command line or of an app."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy.typing as npt

from camerapipe.arguments import point_of
from camerapipe.budget import Budget, BudgetLike
from camerapipe.errors import OutputError, RequestError, hint
from camerapipe.ingest import DEFAULT_MAX_PIXELS
from camerapipe.recipe import Recipe, as_recipe, resolve_with
from camerapipe.recipe_keys import ScribblesLike, given_scribbles
from camerapipe.stream.exposures import FrameSource
from camerapipe.stream.faults import Faults, read_faults, with_faults
from camerapipe.stream.frames import Observer
from camerapipe.stream.line import DropPolicy
from camerapipe.stream.looping import looped
from camerapipe.stream.options import MAX_BYTES, STUCK_S, StreamOptions
from camerapipe.stream.profile import SPEEDS, read_profile
from camerapipe.stream.recorded import RECORDING, open_recorded
from camerapipe.stream.shown import Shown
from camerapipe.stream.sinks import App, Both, Nowhere, Pictures, Sink, View
from camerapipe.stream.sources import DEFAULT_SIZE, app_source, open_source
from camerapipe.stream.stream import Stream
from camerapipe.stream.video_sink import VIDEOS, Video, is_video, video_findings
from stages.findings import Finding
from stages.optics import Lens

StreamInput = str | int | os.PathLike[str] | Iterable[npt.NDArray[Any]]
MB = 1e6
VIDEO_FPS = 30.0  # of a video whose source has no rate


def open_stream(
    source: StreamInput,
    on_frame: Callable[[Shown], None] | None = None,
    *,
    output: str | os.PathLike[str] | None = None,
    view: View = "picture",
    fps: float | None = None,
    policy: DropPolicy | None = None,
    frames: int | None = None,
    size: tuple[int, int] = DEFAULT_SIZE,
    strength: float | None = None,
    budget: BudgetLike = None,
    rung: str | None = None,
    preset: str | None = None,
    config: str | os.PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    params: Mapping[str, Mapping[str, Any]] | None = None,
    focus: tuple[float, float] | None = None,
    scribbles: ScribblesLike = (),
    recipe: Recipe | str | os.PathLike[str] | None = None,
    distance_m: float | None = None,
    lens: Lens | None = None,
    force: bool = False,
    profile: str | None = None,
    speed: str = "typical",
    seed: int = 0,
    in_flight: int | None = None,
    memory_mb: float = MAX_BYTES / MB,
    stuck_s: float = STUCK_S,
    trace: str | os.PathLike[str] | None = None,
    record: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    workers: int | None = None,
    observe: Observer | None = None,
    loop: bool = False,
    faults: Faults | str | os.PathLike[str] | None = None,
) -> Stream:
    """Open a stream of frames. `run` runs it, `stop` ends it from any thread.

    Opening is quick. What takes time before the first frame is done by `prepare`, or else by `run`.

    Parameters
    ----------
    source : path, str, int or iterable of arrays
        A folder, a video, a photograph, the index of a camera, `synthetic:SCENE`, `recording:DIR`
        (frames of a recording, for which everything is decided anew), or pictures of an app: sRGB
        arrays HxW (grey) or HxWx3, uint8 or uint16 codes, or floats in [0, 1]. Each array is copied
        when it is taken. Anything else among them fails as a frame.
    on_frame : callable, optional
        Is called with every frame in order: picture (HxWx3 uint8), blur map, findings, advice. If
        it raises an error, the frame has failed and the stream continues: `failures` of the report
        says where, and the first traceback is logged.
    output : path, optional
        A folder for pictures, or a video (.mp4, .mov, .avi, .mkv).
    view : str
        What is written to it: `picture`, `map` or `both`.
    fps : float, optional
        Frames per second, instead of the times of the source. By default frames come at those times
        with `latest`, and as fast as possible with `block`.
    policy : str, optional
        With `block` no frame is lost; with `latest` the newest frame wins, and others are dropped
        before any work is done for them. The default is `latest` for a camera, else `block`.
    frames : int, optional
        End after this many.
    size : (width, height)
        Of a synthetic scene, in px.
    strength : float, optional
        Magnification of the defocus, 1 to 8.
    budget : float, str, sequence of str or Budget, optional
        Time of every frame from its pixels to its picture. A number is in seconds: `0.066` is
        `"66ms"`. Stages can have their own: `["66ms", "check=5ms"]`.
    rung : str, optional
        Always this rung of the quality ladder; by default the best that the budget allows.
    preset : str, optional
        A preset with graphs for streams.
    config : path, optional
        A TOML settings file.
    overrides : sequence of str
        Parameters as texts, `section.param=value`.
    params : mapping, optional
        Parameters by section: `{"radius": {"strength": 3.0}}`. They override `overrides`.
    focus : (x, y), optional
        A point that counts as in focus, in px of the upright picture.
    scribbles : path or iterable of Scribble
        Corrections of the blur map of every frame; a file is JSON.
    recipe : Recipe or path, optional
        Preset, parameters, focus point and scribbles to start from, scaled to the first frame; what
        is given beside it overrides it, and scribbles are drawn after those of the recipe.
    distance_m : float, optional
        Distance of the subject, for the check of the optics.
    lens : Lens, optional
        Lens and sensor, for the check of the optics; overrides the metadata of the frames.
    force : bool
        Go on after a blocking finding.
    profile : str, optional
        Simulate a device in virtual time: the name of a profile, or a TOML file.
    speed : str
        Place in the profile's ranges: `fast`, `typical` or `slow`.
    seed : int
        Of the jitter of a simulated device, and of the noise of a synthetic scene.
    in_flight : int, optional
        Frames in the stages at the same time.
    memory_mb : float
        For the frames in flight. A profile has its own limit.
    stuck_s : float
        A frame that takes a stage longer has failed.
    trace : path, optional
        Write a trace for Perfetto and `camerapipe report` (.json).
    record : path, optional
        Keep what is needed to replay the stream in this folder.
    overwrite : bool
        Replace outputs that exist.
    max_pixels : int
        Refuse larger frames.
    workers : int, optional
        Threads that compute; the default is the number of available cores. Pictures do not depend
        on it.
    observe : callable, optional
        Is called with every event of the stream, and with what is in flight.
    loop : bool
        The files of a source begin again when they have ended, as if a camera took them.
    faults : Faults or path, optional
        What goes wrong in the source (`stream.faults`); a path is a script.

    Returns
    -------
    Stream
        `run()` returns a `StreamReport`.

    Raises
    ------
    CaptureError
        If the source cannot be opened.
    OutputError
        If an output exists or cannot be written.
    RequestError
        If a value does not exist or is out of range; the message names it.
    """
    recipe = as_recipe(recipe)
    options = StreamOptions(
        settings=resolve_with(recipe, preset, config, overrides, params, strength=strength),
        budget=Budget.of(budget),
        policy=policy or ("latest" if _is_camera(source) else "block"),
        in_flight=in_flight,
        max_bytes=memory_mb * MB,
        frames=frames, stuck_s=stuck_s, rung=rung,
        profile=None if profile is None else read_profile(profile),
        place=place_of(speed), seed=seed, distance_m=distance_m, lens=lens,
        focus_point=None if focus is None else point_of("focus", focus),
        scribbles=given_scribbles(scribbles),
        force=force, recipe=recipe, workers=workers,
    )  # fmt: skip
    source_of = partial(_source_of, source, options, fps, size, max_pixels)
    with _opened(source_of, loop=loop, faults=faults) as opened:
        sink = sink_for(output, view, opened, fps=fps, overwrite=overwrite, on_frame=on_frame)
        return Stream(
            opened, sink, options, (observe,) if observe else (), trace=trace, record=record,
            overwrite=overwrite, findings=_findings(opened, output, fps),
        )  # fmt: skip


@contextmanager
def _opened(
    source_of: Callable[[], FrameSource],
    *,
    loop: bool,
    faults: Faults | str | os.PathLike[str] | None,
) -> Iterator[FrameSource]:
    """Open a source, and close it if the block raises; otherwise a stream closes it."""
    scripted = faults if faults is None or isinstance(faults, Faults) else read_faults(faults)
    opened = looped(source_of) if loop else source_of()
    opened = opened if scripted is None else with_faults(opened, scripted)
    try:
        yield opened
    except BaseException:
        opened.close()
        raise


def _findings(
    source: FrameSource, output: str | os.PathLike[str] | None, fps: float | None
) -> tuple[Finding, ...]:
    """About the source and its output."""
    if output is None or not is_video(Path(output)):
        return source.findings
    return source.findings + video_findings(Path(output), source, retimed=fps is not None)


def sink_for(
    output: str | os.PathLike[str] | None,
    view: View,
    source: FrameSource | None = None,
    *,
    fps: float | None = None,
    overwrite: bool = False,
    on_frame: Callable[[Shown], None] | None = None,
) -> Sink:
    """The sink of an output (a video by its suffix, else a folder of pictures) and of an app.

    Parameters
    ----------
    output : path, optional
        The video or folder; None: frames are discarded.
    view : str
        What is written.
    source : FrameSource, optional
        Where the frames come from: its rate is that of a video, unless `fps` is given.
    fps : float, optional
        Rate of a video.
    overwrite : bool
        Replace outputs that exist.
    on_frame : callable, optional
        Is called with every frame, after it was written.

    Raises
    ------
    OutputError
        If the output exists, cannot be written, or is the source.
    """
    if on_frame is not None:
        app = App(on_frame)
        if output is None:
            return app
        return Both(sink_for(output, view, source, fps=fps, overwrite=overwrite), app)
    if output is None:
        return Nowhere()
    path = Path(output)
    name = Path(source.name) if source else path
    if source and os.path.exists(path) and os.path.exists(name) and path.samefile(name):
        raise OutputError(f"{path}: is the source itself; choose another output")
    if is_video(path):
        rate = fps or (source.fps if source else None) or VIDEO_FPS
        footage = source.footage if source else None
        if footage is not None and fps is not None:  # sound would not fit the frames
            footage = replace(footage, sound=None)
        return Video(path, view, rate, overwrite=overwrite, footage=footage)
    if _looks_like_file(path) and not os.path.isdir(path):
        raise OutputError(
            f"{path}: expected a folder, or a video ({', '.join(VIDEOS)}); "
            "if this is to be a folder, make it first"
        )
    stems = source.stems if source else ()
    return Pictures(path, view, overwrite=overwrite, stems=stems)


def _looks_like_file(path: Path) -> bool:
    """Whether a name has a suffix; a number, such as a date or a version, is none."""
    suffix = path.suffix[1:]
    return suffix.isalnum() and not suffix.isdigit()


def place_of(speed: str) -> float:
    """Place in the ranges of a profile; `RequestError` if there is no such speed."""
    if speed not in SPEEDS:
        raise RequestError(f"speed {speed!r} does not exist{hint(speed, SPEEDS)}")
    return SPEEDS[speed]


def _is_camera(source: StreamInput) -> bool:
    """Whether a source is the index of a camera."""
    is_number = isinstance(source, int) and not isinstance(source, bool)
    return is_number or (isinstance(source, str) and source.isdecimal())


def _source_of(
    source: StreamInput,
    options: StreamOptions,
    fps: float | None,
    size: tuple[int, int],
    max_pixels: int,
) -> FrameSource:
    if isinstance(source, int) and not isinstance(source, bool):
        if source < 0:
            raise RequestError(f"source: expected the index of a camera, from 0; got {source}")
        source = str(source)
    if isinstance(source, str | os.PathLike):
        name, paced = os.fspath(source), options.policy == "latest" or fps is not None
        if name.startswith(RECORDING):
            return open_recorded(name.removeprefix(RECORDING), fps, paced=paced)
        return open_source(
            name,
            fps=fps,
            paced=paced,
            size=size,
            sensor_fps=options.sensor_fps,
            seed=options.seed,
            max_pixels=max_pixels,
        )
    if isinstance(source, Iterable) and not isinstance(source, Mapping | bytes):
        return app_source(source, fps)
    raise RequestError(
        "source: expected a path, the index of a camera, synthetic:SCENE, or pictures as arrays; "
        f"got {source!r}"
    )
