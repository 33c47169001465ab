"""Open a simulated camera before a scene or a recording."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from camerapipe.budget import Budget, BudgetLike
from camerapipe.errors import RequestError, hint
from camerapipe.ingest import DEFAULT_MAX_PIXELS, check_output
from camerapipe.runtime import versions
from camerapipe.settings import resolve
from camerapipe.simulator.camera import Camera
from camerapipe.simulator.engine import Engine
from camerapipe.simulator.module import CameraModule
from camerapipe.simulator.recorded import RecordedModule
from camerapipe.simulator.requests import (
    REPEATING,
    CameraEvent,
    CaptureControls,
    CaptureRequest,
    Target,
)
from camerapipe.simulator.scene_module import SceneModule, ThreeA
from camerapipe.simulator.scenes import Scene, is_scene, read_scene
from camerapipe.simulator.tracing import CameraTracing
from camerapipe.stream.exposures import FrameSource
from camerapipe.stream.faults import NO_FAULTS, Faults, read_faults
from camerapipe.stream.frames import Event, InFlight
from camerapipe.stream.looping import looped
from camerapipe.stream.opening import place_of
from camerapipe.stream.options import StreamOptions
from camerapipe.stream.profile import read_profile
from camerapipe.stream.sources import DEFAULT_SIZE, MIN_SIDE_PX, open_source
from camerapipe.stream.tracing import header_of
from camerapipe.trace import GRAPH, TRACES, Tracer
from stages.forward import SCENERIES

DEFAULT_RUNG = "preview"
DEFAULT_DEVICE = "everyday-phone"
TRACKS = ("isp", GRAPH, "still isp", "still")

Observe = Callable[[str, Event, InFlight], None]


def open_camera(
    profile: str = DEFAULT_DEVICE,
    scene: str | os.PathLike[str] | Scene | CameraModule = "portrait",
    *,
    seed: int = 0,
    size: tuple[int, int] = DEFAULT_SIZE,
    target: Target | str = Target.PREVIEW,
    controls: CaptureControls = CaptureControls(),  # noqa: B008 - immutable
    control: ThreeA | None = None,
    faults: Faults | str | os.PathLike[str] = NO_FAULTS,
    strength: float | None = None,
    budget: BudgetLike = None,
    rung: str | None = None,
    preset: str | None = None,
    config: str | os.PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    params: Mapping[str, Mapping[str, Any]] | None = None,
    force: bool = False,
    speed: str = "typical",
    workers: int | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    trace: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    observe: Observe | None = None,
) -> Camera:
    """Open a simulated camera, whose preview repeats.

    Parameters
    ----------
    profile : str
        The device: the name of a profile, or a TOML file.
    scene : str, path, Scene or CameraModule
        What it sees: the name of a scenery (`portrait`, `still-life`, `night`, `swing`, `wall`), a
        TOML file of a scene, or a scene; or else a folder, photograph or video, which repeats.
    seed : int
        Of scenery, shake, noise, and the jitter of the device.
    size : (width, height)
        Of its pictures in px, even numbers.
    target : Target or str
        How far preview frames are processed: `metadata`, `raw`, `picture` or `preview`.
    controls : CaptureControls
        What is set by hand.
    control : ThreeA, optional
        Algorithms of 3A.
    faults : Faults or path
        Of the sensor; a path is a script (`stream.faults`).
    strength : float, optional
        Magnification of the defocus, 1 to 8.
    budget : float, str, sequence of str or Budget, optional
        Time of a preview frame, for which the best rung is chosen; without one, each frame has
        `rung`. Stills have no budget.
    rung : str, optional
        Always this rung of the quality ladder; `preview` if there is no budget.
    preset, config, overrides, params
        Settings, as for `open_stream`.
    force : bool
        Go on after a blocking finding.
    speed : str
        Place in the profile's ranges: `fast`, `typical` or `slow`.
    workers : int, optional
        Threads that compute. Nothing depends on it.
    max_pixels : int
        Refuse larger pictures of a recording.
    trace : path, optional
        Write a trace for Perfetto and `camerapipe report` (.json).
    overwrite : bool
        Replace a trace that exists.
    observe : callable, optional
        Is called with `preview` or `capture`, every event of that lane, and what is in flight.

    Returns
    -------
    Camera
        To be closed, best by a `with` block.

    Raises
    ------
    CaptureError
        If a file cannot be read.
    RequestError
        If a value does not exist or is out of range; the message names it.
    """
    limits = Budget.of(budget)
    options = StreamOptions(
        settings=resolve(preset, config, overrides, params, strength=strength),
        budget=limits,
        policy="latest",
        rung=rung or (DEFAULT_RUNG if limits == Budget() else None),
        profile=read_profile(profile),
        place=place_of(speed),
        seed=seed,
        force=force,
        workers=workers,
    )
    goal = _target_of(target)
    found = faults if isinstance(faults, Faults) else read_faults(faults)
    module = _module_of(scene, options, size, control, max_pixels)
    if trace is not None:
        check_output(trace, overwrite=overwrite, suffixes=TRACES)
    opened = ExitStack()
    if isinstance(module, RecordedModule):
        opened.callback(module.close)
    tracing = None
    if trace is not None:
        source = FrameSource(module.name, "camera", options.sensor_fps, iter(()))
        header = header_of(source, options, versions())
        tracing = CameraTracing(
            opened.enter_context(Tracer(trace, header, tracks=TRACKS, overwrite=overwrite))
        )
    return Camera(
        partial(_started, module, options, found, tracing, observe),
        CaptureRequest(controls=controls, target=goal),
        opened.close,
        workers,
    )


def _started(
    module: CameraModule,
    options: StreamOptions,
    faults: Faults,
    tracing: CameraTracing | None,
    observe: Observe | None,
    emit: Callable[[CameraEvent], None],
) -> Engine:
    """An engine whose events go to the camera, to a trace, and to an observer."""

    def tell(event: CameraEvent) -> None:
        if tracing is not None:
            tracing.note_event(event, engine.clock())
        emit(event)

    def note(lane: str, event: Event, in_flight: InFlight) -> None:
        if tracing is not None:
            tracing.note(lane, event, in_flight)
        if observe is not None:
            observe(lane, event, in_flight)

    engine = Engine(module, options, tell, faults, note)
    return engine


def _target_of(target: Target | str) -> Target:
    if target not in REPEATING:
        raise RequestError(f"target: {target!s} is not one of a preview{hint(target, REPEATING)}")
    return Target(target)


def _module_of(
    scene: str | os.PathLike[str] | Scene | CameraModule,
    options: StreamOptions,
    size: tuple[int, int],
    control: ThreeA | None,
    max_pixels: int,
) -> CameraModule:
    profile = options.profile
    assert profile is not None
    if isinstance(scene, str | os.PathLike):
        text = os.fspath(scene)
        if not is_scene(text):
            if not os.path.exists(text):
                raise RequestError(f"scene {text!r} does not exist{hint(text, SCENERIES)}")
            return _recording(text, options, max_pixels)
        scene = read_scene(text, options.seed)
    if not isinstance(scene, Scene):
        return scene
    if size[0] % 2 or size[1] % 2 or min(size) < MIN_SIDE_PX or size[0] * size[1] > max_pixels:
        raise RequestError(
            f"size: expected even sides from {MIN_SIDE_PX} px, {max_pixels} pixels at most; "
            f"got {size[0]}x{size[1]}"
        )
    return SceneModule(scene, profile, size=size, seed=options.seed, control=control)


def _recording(text: str, options: StreamOptions, max_pixels: int) -> RecordedModule:
    """A file or folder that repeats; without times of its own, at the rate of the sensor."""
    source = looped(partial(_paced, text, options.sensor_fps, max_pixels))
    return RecordedModule(source, options.sensor_fps)


def _paced(text: str, fps: float, max_pixels: int) -> FrameSource:
    """A source with times."""
    source = open_source(text, paced=False, max_pixels=max_pixels)
    if source.fps is not None:
        source.close()
        return open_source(text, max_pixels=max_pixels)
    source.close()
    return open_source(text, fps=fps, max_pixels=max_pixels)
