"""Guidance in a closed loop: does a person who obeys the advice arrive at a picture worth taking?

Situations are drawn from the ranges of a file. The person acts on the code of the advice alone.
Truth is optics: the blur of background and subject at the moment of the shutter. An oracle knows
the lens and says which situations can be solved at all within the person's reach.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import camerapipe
from camerapipe.simulator.hardware import optics_of_profile, sensor_of
from camerapipe.simulator.person import Person, Reach
from camerapipe.simulator.requests import NS, CaptureRequest, FrameMetadata, Result, Target
from camerapipe.simulator.scenes import Scene
from camerapipe.stream.profile import read_profile
from measures.scores import psnr_db
from stages.forward import Scenery, Tremor, make_scenery, photograph
from stages.forward.placing import Span
from stages.params import Array
from stages.tone import encode

FILE = Path(__file__).with_name("situations.toml")
PROFILE = "everyday-phone"
SIZE = (640, 360)
UNIT_PX = 1280  # width of the frame that thresholds are given for
MADE_NEAR_M = 0.3  # distance that the texture of the subject is made for
SIGNAL = 0.2
NEARLY = 1.1  # times the focus: from here on the lens is at the end of its range
WIDER = 2.0  # lens that our picture is compared with


class Situation(NamedTuple):
    """Where a person starts."""

    scenery: str
    subject_m: float
    gap_m: float
    lux: float
    shake_mrad: float
    seed: int


class Truth(NamedTuple):
    """What a picture is like, by the thin lens; px of a frame 1280 px wide, dB."""

    background_px: float
    subject_px: float
    motion_px: float
    noise_db: float


class Outcome(NamedTuple):
    """How a situation ended."""

    situation: Situation
    reachable: bool  # says the oracle
    shot_s: float | None  # when the person released the shutter; None: never
    good: bool  # the picture is worth taking
    truth: Truth | None
    distance_m: float  # at the end
    codes: tuple[str, ...]  # of the advice, as it changed
    gain_db: float  # of our picture over doing nothing, at the end; NaN: not measured


@dataclass(frozen=True)
class Situations:
    """Contents of the file."""

    table: dict[str, Any]

    @classmethod
    def read(cls, path: Path = FILE) -> Situations:
        """Read the file."""
        return cls(tomllib.loads(path.read_text(encoding="utf-8")))

    def drawn(self, seed: int, count: int | None = None) -> Iterator[Situation]:
        """Draw situations."""
        rng = np.random.default_rng(seed)
        names = self.table["scenery"]["names"]
        for k in range(count or self.table["count"]):
            low, high = (
                np.array([self.table["ranges"][key][end] for key in RANGED]) for end in (0, 1)
            )
            values = low * (high / low) ** rng.random(len(RANGED))
            name = names[int(rng.integers(len(names)))]
            yield Situation(name, *map(float, values), seed=1000 * seed + k)

    @property
    def reach(self) -> Reach:
        """What the person can do."""
        known = ("nearest_m", "farthest_m", "most_lux")
        return Reach(**{key: self.table["reach"][key] for key in known})

    def is_good(self, truth: Truth) -> bool:
        """Whether a picture is past all thresholds."""
        limits = self.table["thresholds"]
        return (
            truth.background_px >= limits["blur_px"]
            and truth.subject_px <= limits["sharp_px"]
            and truth.motion_px <= limits["motion_px"]
            and truth.noise_db >= limits["noise_db"]
        )


RANGED = ("subject_m", "gap_m", "lux", "shake_mrad")
OPTICS = optics_of_profile(read_profile(PROFILE), SIZE)
SENSOR = sensor_of(read_profile(PROFILE), SIZE)
PITCH_MM = SENSOR.pitch_um / 1000 * SIZE[0] / UNIT_PX


def scene_for(situation: Situation, person: Person) -> Scene:
    """Scenery with a subject that is fine enough to be looked at from near, held by the person."""
    near = make_scenery(situation.scenery, subject_m=MADE_NEAR_M, seed=situation.seed)
    background_m = situation.subject_m + situation.gap_m
    far = make_scenery(
        situation.scenery, subject_m=situation.subject_m, background_m=background_m,
        seed=situation.seed,
    )  # fmt: skip
    surfaces = list(far.surfaces)
    surfaces[far.subject] = replace(near.surfaces[near.subject], distance_m=situation.subject_m)
    scenery = Scenery(
        name=far.name, surfaces=tuple(surfaces), subject=far.subject, lux=person.lux_at,
        illuminant=far.illuminant,
    )  # fmt: skip
    return Scene(scenery, person.pose)


def person_for(situation: Situation, reach: Reach) -> Person:
    """The person of a situation."""
    return Person(
        subject_m=situation.subject_m,
        distance_m=situation.subject_m,
        lux=situation.lux,
        tremor=Tremor(situation.shake_mrad / 1000, situation.seed),
        reach=reach,
    )


def truth_of(meta: FrameMetadata, person: Person, gap_m: float) -> Truth:
    """What the picture of a frame is like."""
    start_s, time_s = meta.sensor_timestamp_ns / NS, meta.exposure_time_ns / NS
    distance_m = person.distance_at(start_s + time_s / 2)
    background, subject = (
        abs(OPTICS.blur_mm(meta.focus_distance_dpt, each)) / PITCH_MM
        for each in (distance_m + gap_m, distance_m)
    )
    first, last = (person.pose(at_s) for at_s in (start_s, start_s + time_s))
    turned = math.hypot(last.yaw_rad - first.yaw_rad, last.pitch_rad - first.pitch_rad)
    motion = turned * OPTICS.image_distance_mm(meta.focus_distance_dpt) / PITCH_MM
    scale, offset = meta.noise_profile
    noise_db = 20 * math.log10(SIGNAL / math.sqrt(scale * SIGNAL + offset))
    return Truth(background, subject, motion, noise_db)


def is_reachable(situation: Situation, found: Situations) -> bool:
    """Whether some distance within reach has enough blur behind a subject in focus."""
    reach = found.reach
    nearest_m = max(reach.nearest_m, OPTICS.nearest_focus_m)
    if situation.subject_m < nearest_m:
        nearest_m = max(situation.subject_m, OPTICS.nearest_focus_m)
    blur = OPTICS.blur_mm(1 / nearest_m, nearest_m + situation.gap_m) / PITCH_MM
    return bool(blur >= found.table["thresholds"]["blur_px"])


def play(situation: Situation, found: Situations, *, with_gain: bool = False) -> Outcome:
    """Let a person obey the advice, from a situation on."""
    person = person_for(situation, found.reach)
    scene = scene_for(situation, person)
    limit_s = found.table["reach"]["limit_s"]
    codes: list[str] = []
    with camerapipe.open_camera(
        PROFILE, scene, size=SIZE, seed=situation.seed, target=Target.VIEW
    ) as camera:
        shot_s, truth, gain_db = None, None, math.nan
        for frame in camera:
            if camera.now_s >= limit_s:
                break
            code = frame.shown.advice.code
            codes += [code] if not codes or codes[-1] != code else []
            act = person.advised(code, camera.now_s)
            if act == "tap":
                camera.focus()
            elif act == "shutter":
                focused = camera.focus().result()  # as camera apps do before a picture
                if NEARLY * focused.focus_distance_dpt >= OPTICS.nearest_dpt:
                    continue  # at its end, autofocus has found no peak
                shot_s = camera.now_s
                target = Target.PICTURE if with_gain else Target.METADATA
                request = CaptureRequest(controls=camera.controls, target=target)
                result = camera.submit([request])[0].result()
                truth = truth_of(result.metadata, person, situation.gap_m)
                if with_gain:
                    gain_db = gain_over_nothing_db(result, scene)
                break
        end_s = camera.now_s
    good = truth is not None and found.is_good(truth)
    return Outcome(
        situation, is_reachable(situation, found), shot_s, good, truth,
        person.distance_at(end_s), tuple(codes), gain_db,
    )  # fmt: skip


def gain_at_start_db(situation: Situation, found: Situations) -> float:
    """Gain over doing nothing where the situation begins, in focus and exposed."""
    scene = scene_for(situation, person_for(situation, found.reach))
    with camerapipe.open_camera(
        PROFILE, scene, size=SIZE, seed=situation.seed, target=Target.METADATA
    ) as camera:
        camera.focus().result()
        request = CaptureRequest(controls=camera.controls, target=Target.PICTURE)
        return gain_over_nothing_db(camera.submit([request])[0].result(), scene)


def gain_over_nothing_db(result: Result, scene: Scene) -> float:
    """PSNR of our picture, less that of the photograph itself, against a lens twice as wide."""
    assert result.picture is not None
    truth = wide_photograph(result, scene)
    image = camerapipe.render(result.picture, strength=WIDER, force=True).image
    return psnr_db(image, truth) - psnr_db(encode(result.picture.linear), truth)


def wide_photograph(result: Result, scene: Scene, wider: float = WIDER) -> Array:
    """The photograph of a wider lens at the same moment, without noise; encoded, HxWx3."""
    meta, lens = result.metadata, OPTICS.lens
    optics = replace(OPTICS, lens=replace(lens, f_number=lens.f_number / wider))
    time_s = meta.exposure_time_ns / NS
    span = Span(meta.sensor_timestamp_ns / NS, time_s, meta.rolling_shutter_skew_ns / NS)
    lux = photograph(
        scene.scenery, scene.pose, optics, meta.focus_distance_dpt, SENSOR.view(), span
    )
    gains = np.array([meta.white_balance[0], 1.0, meta.white_balance[1]])
    signal = SENSOR.electrons_per_lux_s * time_s * SENSOR.gain_at(meta.sensitivity)
    scale = np.array(SENSOR.neutral) * gains / gains.min() * signal / SENSOR.full_well_e
    linear = np.minimum(lux * (scale / wider**2).astype(np.float32), 1)
    return encode(np.ascontiguousarray(linear, np.float32))


def shares(outcomes: list[Outcome]) -> tuple[float, float]:
    """Share of the reachable situations that end well, and of the shots that do not."""
    reachable = [each for each in outcomes if each.reachable]
    shot = [each for each in outcomes if each.shot_s is not None]
    guided = sum(each.good for each in reachable) / max(len(reachable), 1)
    return guided, sum(not each.good for each in shot) / max(len(shot), 1)
