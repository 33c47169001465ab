import math
from collections import deque

import numpy as np
import pytest

from stages.control import (
    AutoExposureParams,
    AutoExposureState,
    AutoFocusParams,
    AutoFocusState,
    ExposureLimits,
    Statistics,
    WhiteBalanceParams,
    WhiteBalanceState,
    focus_window,
    measure_light,
    measure_sharpness,
    split_exposure,
    start_focus,
    step_auto_exposure,
    step_auto_focus,
    step_white_balance,
)  # fmt: skip
from stages.control.statistics import FULL_SCALE, Light
from stages.forward import Actuator, FocusMotion, Sensor
from stages.forward.raw import expose

NS = 10**9
LIMITS = ExposureLimits(100_000, NS // 30, 80, 5100)
AE, AF, AWB = AutoExposureParams(), AutoFocusParams(), WhiteBalanceParams()
NEAREST_DPT = 5.0
FRAME_S = 1 / 30


def light(mean=0.16, clipped=0, colour=(0.5, 1.0, 0.625)):
    levels = [round(mean * part * FULL_SCALE) for part in (1.0, *colour)]
    return Light(levels[0], clipped, *levels[1:])


def statistics(mean=0.16, clipped=0, sharpness=1000, exposure=(NS // 100, 100), focus_dpt=0.0):
    return Statistics(light(mean, clipped), sharpness, *exposure, focus_dpt, False)


def metered(level, time_ns, iso):
    """Mean and clipped share of a scene of even reflectances up to twice the mean."""
    mean = level * time_ns / NS * iso
    shares = np.linspace(0.02, 2, 200) * mean
    return float(np.minimum(shares, 1).mean()), int(1000 * (shares >= 0.98).mean())


@pytest.mark.parametrize("delay", [0, 2, 4])
@pytest.mark.parametrize("stops", [4, -4])
def test_auto_exposure_follows_a_step_of_four_stops(stops, delay):
    state, waiting, level, errors = AutoExposureState(), deque(), 0.1, []
    for frame in range(80):
        if frame == 40:
            assert state.mode == "converged"
            level *= 2.0**stops
        exposure = state.exposure_ns, state.iso
        mean, clipped = metered(level, *exposure)
        errors.append(math.log2(max(mean, 1e-6) / AE.target))
        waiting.append(statistics(mean, clipped, exposure=exposure))
        if len(waiting) > delay:
            state = step_auto_exposure(state, waiting.popleft(), LIMITS, AE)
    settled = max(k for k in range(40, 80) if abs(errors[k]) > 0.1) + 1
    assert settled - 40 <= 8 + delay
    assert state.mode == "converged"


def test_auto_exposure_rests_on_small_changes():
    state = step_auto_exposure(AutoExposureState(), statistics(), LIMITS, AE)
    assert state.mode == "converged"
    held = step_auto_exposure(state, statistics(0.16 * 2**0.1), LIMITS, AE)
    assert held == state
    assert step_auto_exposure(state, statistics(0.16 * 2**0.3), LIMITS, AE).mode == "searching"


def test_compensation_lock_and_settings_by_hand():
    state = AutoExposureState()
    for _ in range(20):
        mean = 0.16 * state.exposure_ns * state.iso / (NS // 100 * 100)
        measured = statistics(mean, exposure=(state.exposure_ns, state.iso))
        state = step_auto_exposure(state, measured, LIMITS, AE, compensation_ev=1)
    assert math.log2(state.exposure_ns * state.iso / NS) == pytest.approx(1, abs=0.1)
    locked = step_auto_exposure(state, statistics(0.9), LIMITS, AE, locked=True)
    assert (locked.exposure_ns, locked.iso, locked.mode) == (*state[:2], "locked")
    by_hand = step_auto_exposure(state, statistics(), LIMITS, AE, exposure_ns=5, iso=200)
    assert (by_hand.exposure_ns, by_hand.iso, by_hand.mode) == (5, 200, "inactive")
    priority = step_auto_exposure(state, statistics(), LIMITS, AE, exposure_ns=NS // 200)
    assert priority.exposure_ns == NS // 200


def test_the_program_favours_low_sensitivity_then_short_times():
    exposures = [split_exposure(ev, LIMITS, AE) for ev in np.arange(-7, 8, 0.5)]
    for (time_ns, iso), ev in zip(exposures, np.arange(-7, 8, 0.5), strict=True):
        assert LIMITS.least_ns <= time_ns <= LIMITS.most_ns
        assert LIMITS.least_iso <= iso <= LIMITS.most_iso
        if -6.9 < ev < 7.3:
            assert math.log2(time_ns / NS * iso) == pytest.approx(ev, abs=0.02)
        assert iso == 80 or time_ns >= 9_900_000
        assert iso <= 800 or time_ns == LIMITS.most_ns


def focused(subject_dpt, delay, frames=60, noise=0.0, peak=30_000):
    """States of autofocus before a subject; its contrast falls with the variance of the blur."""
    motor, motion, waiting, states = Actuator(), FocusMotion(), deque(), []
    state, rng = AutoFocusState(), np.random.default_rng(1)
    for frame in range(frames):
        start_s = frame * FRAME_S
        motion = motor.command(motion, state.goal_dpt, start_s)
        focus = motor.position_dpt(motion, start_s + 0.015)
        blur = 0.3 + (2.23 * (focus - subject_dpt)) ** 2 / 16
        sharpness = round(peak * 0.3 / blur * (1 + noise * rng.standard_normal()))
        waiting.append(statistics(sharpness=sharpness, focus_dpt=focus))
        if len(waiting) > delay:
            state = step_auto_focus(state, waiting.popleft(), NEAREST_DPT, AF)
        states.append((focus, state))
    return states


@pytest.mark.parametrize("delay", [0, 2])
@pytest.mark.parametrize("subject_dpt", [0.0, 0.5, 1 / 0.3, 4.8])
def test_autofocus_finds_the_subject(subject_dpt, delay):
    states = focused(subject_dpt, delay, noise=0.003)
    focus, state = states[-1]
    assert state.mode == "focused"
    assert abs(focus - subject_dpt) < 0.2  # a disk of half a pixel of the usual phone
    first = next(k for k, (_, state) in enumerate(states) if state.mode == "focused")
    assert first <= 22 + delay


def test_autofocus_without_contrast_says_so():
    assert focused(2.0, 1, peak=1)[-1][1].mode == "not_focused"


def test_autofocus_starts_again_when_contrast_changes_for_some_frames():
    state = focused(2.0, 0)[-1][1]
    here = state.goal_dpt
    for _ in range(AF.restart_frames - 1):
        state = step_auto_focus(state, statistics(sharpness=9, focus_dpt=here), NEAREST_DPT, AF)
        assert state.mode == "focused"
    locked = step_auto_focus(
        state, statistics(sharpness=9, focus_dpt=here), NEAREST_DPT, AF, locked=True
    )
    assert locked.mode == "focused"
    again = step_auto_focus(state, statistics(sharpness=9, focus_dpt=here), NEAREST_DPT, AF)
    assert again.mode == "scanning"


@pytest.mark.parametrize(
    ("share", "mode"), [(0.95, "focused"), (1.2, "scanning"), (0.8, "scanning")]
)
def test_autofocus_follows_small_changes_that_are_more_than_noise(share, mode):
    state = focused(2.0, 0)[-1][1]
    changed = statistics(sharpness=round(share * state.reference), focus_dpt=state.goal_dpt)
    for _ in range(AF.restart_frames):
        state = step_auto_focus(state, changed, NEAREST_DPT, AF)
    assert state.mode == mode


def test_focus_by_hand_and_a_new_sweep():
    state = step_auto_focus(AutoFocusState(), statistics(), NEAREST_DPT, AF, focus_dpt=9.0)
    assert (state.goal_dpt, state.mode) == (NEAREST_DPT, "inactive")
    sweep = start_focus(NEAREST_DPT, AF)
    assert (sweep.goal_dpt, sweep.mode, sweep.plan[-1]) == (0, "scanning", NEAREST_DPT)


def test_grey_world_balances_a_grey_card():
    state = WhiteBalanceState()
    for _ in range(30):
        state = step_white_balance(state, light(0.2, colour=(0.8, 1.0, 0.25)), AWB)
    assert state.mode == "converged"
    assert (state.red, state.blue) == pytest.approx((1.25, 4.0), rel=0.03)
    locked = step_white_balance(state, light(), AWB, locked=True)
    assert (locked.red, locked.blue, locked.mode) == (state.red, state.blue, "locked")
    assert step_white_balance(state, light(), AWB, gains=(2, 3))[:2] == (2, 3)
    dark = step_white_balance(state, light(1e-4), AWB)
    assert (dark.red, dark.blue, dark.mode) == (state.red, state.blue, "searching")


SENSOR = Sensor(rows=64, cols=96)


def mosaic_of(share, gain=1.0, seed=0, sensor=SENSOR):
    """Codes of a picture, HxW shares of the white level in green pixels."""
    electrons = np.float32(share) * sensor.full_well_e / gain
    quad = np.float32(sensor.neutral)[list(sensor.colour_of_places())].reshape(2, 2)
    tiled = np.tile(quad, (sensor.rows // 2, sensor.cols // 2))
    return expose(electrons * tiled, sensor, gain, seed)


def test_light_is_measured_in_integers_over_black():
    found = measure_light(mosaic_of(np.full((64, 96), 0.25)), SENSOR)
    assert all(type(value) is int for value in found)
    assert found.mean == pytest.approx(0.25 * FULL_SCALE, rel=0.01)
    assert found.red / found.green == pytest.approx(0.5, rel=0.01)
    assert found.blue / found.green == pytest.approx(0.625, rel=0.01)
    assert found.clipped == 0


def test_clipped_quads_are_counted_and_left_out_of_colour():
    share = np.full((64, 96), 0.2)
    share[:, :48] = 3.0
    found = measure_light(mosaic_of(share), SENSOR)
    assert found.clipped == pytest.approx(500, abs=20)
    assert found.red / found.green == pytest.approx(0.5, rel=0.02)


def test_metering_prefers_the_middle():
    share = np.full((64, 96), 0.1)
    share[22:42, 32:64] = 0.4
    weighted = measure_light(mosaic_of(share), SENSOR).mean / FULL_SCALE
    assert weighted == pytest.approx(0.1 + 0.3 / 4, rel=0.05)  # a ninth of the area, a quarter


@pytest.mark.parametrize("gain", [1.0, 16.0])
def test_noise_is_not_contrast(gain):
    flat = measure_sharpness(mosaic_of(np.full((64, 96), 0.3), gain), SENSOR, gain)
    stripes = 0.3 * np.where(np.arange(96) // 4 % 2, 1.3, 0.7) * np.ones((64, 1))
    textured = measure_sharpness(mosaic_of(stripes, gain), SENSOR, gain)
    assert flat < 0.02 * textured
    exact = measure_sharpness(mosaic_of(stripes), SENSOR, 1.0)
    assert textured == pytest.approx(exact, rel=0.1)


def test_the_focus_window_is_limited():
    rows, cols = focus_window(Sensor())
    assert rows * cols <= 96 * 128 and rows % 2 == cols % 2 == 0
    assert focus_window(SENSOR) == (16, 24)
