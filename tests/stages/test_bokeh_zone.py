import numpy as np
import pytest

from stages.bokeh import (
    DeadZoneParams,
    RadiusParams,
    dead_zone,
    disk_radius,
    focus_sigma,
    proven_dead_zone,
)
from stages.grid import BlurMap, Grid

DEFAULT = DeadZoneParams()


def blur_map(sigma, confidence=None, step=1):
    sigma = np.atleast_2d(np.asarray(sigma, np.float32))
    weight = np.ones_like(sigma) if confidence is None else np.atleast_2d(confidence)
    return BlurMap(sigma, weight.astype(np.float32), Grid(sigma.shape, step))


def test_focus_is_a_low_percentile_of_what_is_known():
    sigma = np.array([0.0, 0.0, 0.6, 0.7, 3.0, 4.0, 5.0])
    confidence = np.array([0, 0, 1, 1, 1, 1, 1])
    assert focus_sigma(blur_map(sigma, confidence), DEFAULT) == pytest.approx(0.6)
    heavy = np.array([0, 0, 1, 90, 1, 1, 1])
    assert focus_sigma(blur_map(sigma, heavy), DEFAULT) == pytest.approx(0.7)
    assert focus_sigma(blur_map(sigma, 0 * heavy), DEFAULT) == 0


def test_dead_zone_covers_focus_and_the_step_of_the_estimate():
    blur = blur_map([0.79, 1.6, 1.99, 6.0])
    params = DEFAULT.replace(margin=1.6, floor_px=0.5)
    assert dead_zone(blur_map([0.5]), blur, None, params) == pytest.approx(0.8)
    assert dead_zone(blur_map([0.1]), blur, None, params) == pytest.approx(0.5)
    assert dead_zone(blur_map([0.5], step=4), blur, None, params) == pytest.approx(2.0)
    assert np.count_nonzero(disk_radius(blur, 0.8, RadiusParams())) == 3
    assert np.count_nonzero(disk_radius(blur, 1.6, RadiusParams())) == 2


def test_a_named_point_sets_the_dead_zone():
    blur = blur_map([[1.0, 2.0], [3.0, 4.0]])
    zone = dead_zone(blur_map([0.5]), blur, (1.9, 0.2), DEFAULT)
    assert zone == pytest.approx(DEFAULT.margin * 2.0)


def test_proven_dead_zone_covers_what_detail_proves_within_limits():
    params = DeadZoneParams(floor_px=0.5, ceiling_px=1.5, proven_percentile=90.0)
    blur = blur_map(np.linspace(0, 2, 101))

    def zone(upto, **changes):
        sure = (blur.sigma <= upto).astype(np.float32)
        evidence = BlurMap(np.zeros_like(blur.sigma), sure, blur.grid)
        return proven_dead_zone(evidence, blur, None, params.replace(**changes))

    assert zone(1.0) == pytest.approx(0.9, abs=0.02)
    assert zone(0.2) == 0.5
    assert zone(2.0) == 1.5
    nothing = zone(-1.0, focus_percentile=50.0)
    assert nothing == pytest.approx(params.margin * 1.0, abs=0.05)
