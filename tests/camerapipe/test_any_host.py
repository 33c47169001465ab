"""Virtual time on processors of other kinds: the same decisions, and the same RAW frames.

OpenCV and NumPy choose their code by the processor. Told to leave out what not every processor
has, they round otherwise, as they would on another host.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OTHER_HOST = {
    "OPENCV_CPU_DISABLE": "AVX2,AVX512-SKX,FP16",
    "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX",
}
RUN = """
import hashlib, json
from itertools import islice

import camerapipe
from camerapipe.simulator.scenes import Scene
from stages.forward import Tremor, make_scenery, still
from stages.forward.motion import steps

dusk = steps((0, 400), (0.6, 40))
scenery = make_scenery("portrait", subject_m=0.4, lux=dusk, texels_per_rad=300)
scene = Scene(scenery, Tremor(0.001, seed=2).shaken(still()))
frames = []
with camerapipe.open_camera(scene=scene, size=(192, 108), target="picture", seed=5) as camera:
    for result in islice(camera, 40):
        pixels = hashlib.sha256(result.picture.linear.tobytes()).hexdigest()
        frames.append([str(result.metadata), pixels])

shown = []
stream = camerapipe.open_stream(
    "synthetic:pan", lambda frame: shown.append([frame.frame.seq, frame.rung, frame.spent_ms,
                                                 frame.advice.code, list(frame.image.shape)]),
    size=(256, 144), frames=16, policy="latest", in_flight=1,
    profile="budget-phone", budget=0.1, force=True,
)  # fmt: skip
report = stream.run()
print(json.dumps([frames, shown, report.done, report.dropped]))
"""


def run(changes):
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | changes
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", RUN], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def test_another_processor_decides_the_same_and_takes_the_same_raw_frames():
    runs = [run({}), run(OTHER_HOST)]
    ours, theirs = (json.loads(each.communicate(timeout=300)[0].splitlines()[-1]) for each in runs)
    frames, shown, done, dropped = ours
    assert len(frames) == 40 and len(shown) == done and dropped > 0
    assert len({state for state, _ in frames}) > 30  # 3A had to decide
    assert theirs[0] == frames
    assert theirs[1:] == [shown, done, dropped]
