"""The runtime of a simulated camera: its speed, and whether it replays to the byte."""

from __future__ import annotations

import hashlib

import numpy as np

import camerapipe
from camerapipe.budget import Stopwatch
from camerapipe.simulator.requests import CaptureRequest, Target

PROFILE, SIZE, SEED = "everyday-phone", (1280, 720), 1
SPEEDS = {  # by target: virtual seconds to measure, wanted virtual over wall seconds
    Target.METADATA: 6.0,
    Target.PICTURE: 1.0,
    Target.PREVIEW: 1.5,
}
SETTLE_S = 1.0
REPLAY_SIZE, REPLAY_FRAMES, REPLAYS = (640, 360), 12, 3


def virtual_speeds(share: float = 1.0) -> dict[str, float]:
    """Virtual over wall seconds, by target, of a held camera that has settled."""
    found = {}
    for target, seconds in SPEEDS.items():
        scene = camerapipe.make_scene("portrait", subject_m=0.5, lux=300, shake_mrad=1.0, seed=SEED)
        with camerapipe.open_camera(
            PROFILE, scene, size=SIZE, seed=SEED, target=Target.METADATA
        ) as camera:
            camera.run(seconds=SETTLE_S)
            camera.set_repeating(CaptureRequest(controls=camera.controls, target=target))
            camera.run(frames=3)
            begin_s = camera.now_s
            with Stopwatch() as watch:
                camera.run(seconds=seconds * share)
            found[target.value] = (camera.now_s - begin_s) / (watch.ms / 1000)
    return found


def differing_bytes() -> int:
    """Bytes that differ between replays of previews, RAW frames and a still, on 1 and 2 threads."""
    first = _played(1)
    others = [_played(workers) for workers in (1, 2, 2)[:REPLAYS]]
    return sum(_difference(a, b) for other in others for a, b in zip(first, other, strict=True))


def _played(workers: int) -> list[bytes]:
    """Everything that a session gives, as bytes."""
    out: list[bytes] = []
    scene = camerapipe.make_scene("still-life", subject_m=0.4, shake_mrad=2.0, seed=SEED)
    with camerapipe.open_camera(
        PROFILE, scene, size=REPLAY_SIZE, seed=SEED, workers=workers
    ) as camera:
        future = None
        for count, result in enumerate(camera, 1):
            assert result.shown is not None and result.raw is not None
            out += [repr(result.metadata).encode(), result.shown.image.tobytes()]
            out.append(result.raw.mosaic.tobytes())
            if count == REPLAY_FRAMES // 2:
                future = camera.capture()
            if count == REPLAY_FRAMES:
                break
        assert future is not None
        out.append(np.ascontiguousarray(future.result().image).tobytes())
    return out


def _difference(one: bytes, other: bytes) -> int:
    """Number of differing bytes."""
    if hashlib.sha256(one).digest() == hashlib.sha256(other).digest():
        return 0
    if len(one) != len(other):
        return max(len(one), len(other))
    return int(np.count_nonzero(np.frombuffer(one, np.uint8) != np.frombuffer(other, np.uint8)))
