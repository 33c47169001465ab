"""Measures of a simulated camera: exact answers on frames that are known in full."""

import math

import numpy as np
import pytest

from stages.forward import Exposure, RawFrame, Sensor
from stages.forward.raw import expose


def test_the_diameter_of_a_drawn_disk_is_measured(tool):
    physics = tool("measures.camera_physics")
    sensor = Sensor(rows=80, cols=80, bits=14)
    y, x = np.indices((80, 80)) - 39.3
    disk = np.clip(6.5 - np.hypot(y, x) + 0.5, 0, 1).astype(np.float32)
    neutral = np.float32(sensor.neutral)[list(sensor.colour_of_places())].reshape(2, 2)
    electrons = 2e4 * disk * np.tile(neutral, (40, 40))
    frame = RawFrame(expose(electrons, sensor, 1.0, 0), sensor, Exposure(1, 80), 0.0, 0.0)
    spot_px = 4 * physics.PHONE.spot_um / sensor.pitch_um  # which the drawn disk does not have
    measured = math.hypot(physics.diameter_px(frame, 13.0), spot_px)
    assert measured == pytest.approx(13.0, abs=0.1)


def test_a_run_is_the_first_that_lasts(tool):
    control = tool("measures.camera_control")
    near = [False, True, True, False] + [True] * control.RUN + [False]
    assert control.first_run(near) == 4
    assert control.first_run(near[:8]) == math.inf
