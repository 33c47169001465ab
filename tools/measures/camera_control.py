"""3A of a simulated camera: frames until auto-exposure and autofocus have settled."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

import camerapipe
from camerapipe.simulator.hardware import optics_of_profile
from camerapipe.simulator.requests import FrameMetadata, Target
from camerapipe.simulator.scenes import make_scene
from camerapipe.stream.profile import read_profile
from stages.control import AutoExposureParams
from stages.forward.motion import steps

PROFILE = "everyday-phone"
SIZE = (1280, 720)
SCENERIES = ("portrait", "still-life", "night", "wall")
LUX = {"portrait": 500.0, "still-life": 150.0, "night": 60.0, "wall": 500.0}
FRAMES = 45  # after a change
RUN = 10  # frames that must be settled
NEAR_EV, NEAR_PX = 0.1, 0.5
STOPS = (-4, 4)
SUBJECT_M = 0.3


class Settled(NamedTuple):
    """Frames until a loop has settled; infinite if it has not."""

    scenery: str
    change: str
    frames: float


def auto_exposure(sceneries: Sequence[str] = SCENERIES, seed: int = 0) -> list[Settled]:
    """After a step of four stops, down and up."""
    found = []
    for scenery in sceneries:
        for stops in STOPS:
            before, after = LUX[scenery] * np.exp2([-stops / 2, stops / 2])
            light = steps((0, before), (1.5, after))
            scene = make_scene(scenery, subject_m=0.8, background_m=4.0, lux=light, seed=seed)
            with camerapipe.open_camera(
                PROFILE, scene, seed=seed, size=SIZE, target=Target.METADATA
            ) as camera:
                frames = [result.metadata for result in islice(camera, 45 + FRAMES)]
            errors = exposure_errors(frames, light)
            start = next(k for k, f in enumerate(frames) if middle_s(f) >= 1.5)
            near = [
                abs(error) <= NEAR_EV and frame.ae_state == "converged"
                for error, frame in zip(errors, frames, strict=True)
            ]
            found.append(Settled(scenery, f"{stops:+d} stops", first_run(near[start:])))
    return found


def exposure_errors(
    frames: Sequence[FrameMetadata], light: Callable[[float], float]
) -> list[float]:
    """Stops of each frame over the exposure that gives the target mean without clipping."""
    exposed = [light(middle_s(f)) * f.exposure_time_ns * f.sensitivity for f in frames]
    last = slice(-RUN, None)
    per_unit = np.mean([f.mean_luma / e for f, e in zip(frames[last], exposed[last], strict=True)])
    target = AutoExposureParams().target
    return [math.log2(per_unit * each / target) for each in exposed]


def middle_s(frame: FrameMetadata) -> float:
    """Middle of the exposure and the readout."""
    span = frame.exposure_time_ns + frame.rolling_shutter_skew_ns
    return (frame.sensor_timestamp_ns + span / 2) / 1e9


def autofocus(sceneries: Sequence[str] = SCENERIES, seed: int = 0) -> list[Settled]:
    """From infinity to 0.3 m."""
    profile = read_profile(PROFILE)
    optics, pitch_mm = optics_of_profile(profile, SIZE), profile.sensor.width_mm / SIZE[0]
    found = []
    for scenery in sceneries:
        scene = make_scene(
            scenery, subject_m=SUBJECT_M, background_m=3.0, lux=LUX[scenery], seed=seed
        )
        with camerapipe.open_camera(
            PROFILE, scene, seed=seed, size=SIZE, target=Target.METADATA
        ) as camera:
            camera.set(focus_distance_dpt=0.0)
            camera.run(frames=20)
            camera.set(focus_distance_dpt=None)
            frames = [result.metadata for result in islice(camera, FRAMES)]
        start = next(k for k, f in enumerate(frames) if f.af_state != "inactive")
        near = [
            abs(optics.blur_mm(f.focus_distance_dpt, SUBJECT_M)) / pitch_mm <= NEAR_PX
            and f.af_state == "focused"
            for f in frames
        ]
        found.append(Settled(scenery, "infinity to 0.3 m", first_run(near[start:])))
    return found


def first_run(near: Sequence[bool]) -> float:
    """Index of the first of `RUN` frames that are all near; infinite if there are none."""
    for k in range(len(near) - RUN + 1):
        if all(near[k : k + RUN]):
            return float(k)
    return math.inf
