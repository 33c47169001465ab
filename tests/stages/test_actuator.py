import math

import pytest

from stages.actuator import Actuator, FocusMotion

MOTOR = Actuator(speed_dpt_per_s=100, settling_ms=16, tolerance_dpt=0.02)


def test_the_motor_slews_then_settles():
    move = MOTOR.command(FocusMotion(), 5.0, 1.0)
    assert MOTOR.position_dpt(move, 1.0) == 0
    assert MOTOR.position_dpt(move, 1.02) == pytest.approx(2.0, abs=2e-3)  # 100 dpt/s
    knee_s = 1 + (5 - 0.4) / 100  # the rest is speed * time constant (4 ms) here
    assert MOTOR.position_dpt(move, knee_s) == pytest.approx(4.6, abs=2e-3)
    settled = MOTOR.position_dpt(move, knee_s + 0.016)
    assert settled == pytest.approx(5 - 0.4 * math.exp(-4), abs=2e-3)
    assert MOTOR.is_moving(move, knee_s) and not MOTOR.is_moving(move, knee_s + 0.016)


def test_a_command_under_way_starts_from_where_the_lens_is():
    move = MOTOR.command(FocusMotion(), 5.0, 0.0)
    turned = MOTOR.command(move, 1.0, 0.03)
    assert turned.start_dpt == MOTOR.position_dpt(move, 0.03)
    assert MOTOR.position_dpt(turned, 1.0) == 1.0
    assert MOTOR.command(turned, 1.0, 0.04) is turned


def test_a_motor_without_speed_is_refused():
    with pytest.raises(ValueError, match="speed_dpt_per_s must be greater than 0"):
        Actuator(speed_dpt_per_s=0)
