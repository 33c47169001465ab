"""Measured blur and depth together: order and sign from depth, scale from the edges."""

import numpy as np
import pytest

from stages.depth import (
    Calibration,
    OrderParams,
    calibrate,
    calibrated_blur,
    with_order,
    within_order,
)
from stages.depth.guide import LEAST_EDGES
from stages.grid import BlurMap, Grid
from stages.scribble import Scribble

SHAPE = (60, 200)
FOCUS = 0.6


def depth_of():
    """Inverse depth from 0 to 1 across the picture, twisted so that it is not linear in blur."""
    plane = np.tile(np.linspace(0, 1, SHAPE[1], dtype=np.float32) ** 2, (SHAPE[0], 1))
    return BlurMap(plane, np.ones_like(plane), Grid(SHAPE))


def true_sigma(inverse):
    return 10 * np.abs(np.sqrt(inverse) - np.sqrt(FOCUS))


def edges_of(share=0.1, noise=0.4, outliers=0.1):
    rng = np.random.default_rng(5)
    known = rng.random(SHAPE) < share
    sigma = true_sigma(depth_of().sigma) + rng.normal(0, noise, SHAPE)
    sigma = np.where(rng.random(SHAPE) < outliers, rng.uniform(0, 12, SHAPE), sigma)
    sigma = np.where(known, np.maximum(sigma, 0), 0).astype(np.float32)
    return BlurMap(sigma, known.astype(np.float32), Grid(SHAPE))


def test_blur_is_fitted_as_a_function_of_depth_with_its_valley_at_the_focus():
    found = calibrate(edges_of(), depth_of(), None)
    assert found.in_focus == pytest.approx(FOCUS, abs=0.06)
    places = np.linspace(0.02, 0.98, 50)
    fitted = np.interp(places, found.depth, found.sigma)
    away = np.abs(places - FOCUS) > 0.1  # in the valley noise has no negative side
    assert np.abs(fitted - true_sigma(places))[away].max() < 0.8
    low = found.sigma.argmin()
    assert (np.diff(found.sigma[:low]) <= 0).all() and (np.diff(found.sigma[low:]) >= 0).all()


def test_a_named_point_says_where_the_focus_is():
    found = calibrate(edges_of(), depth_of(), (100.0, 30.0))
    assert found.in_focus == pytest.approx(float(depth_of().sigma[30, 100]), abs=0.02)


def test_where_blur_only_decreases_towards_the_nearest_nothing_is_in_front():
    edges = edges_of()
    behind = BlurMap(edges.sigma, edges.confidence * (depth_of().sigma < FOCUS), edges.grid)
    assert calibrate(behind, depth_of(), None).in_focus == np.inf


def test_few_edges_tell_nothing():
    few = edges_of(share=0.5 * LEAST_EDGES / (SHAPE[0] * SHAPE[1]))
    found = calibrate(few, depth_of(), None)
    assert found.depth.size == 0 and found.in_focus == np.inf
    assert with_order(few, depth_of(), found, OrderParams()) is few


def test_edges_at_occlusions_are_not_used():
    """An edge at a jump of depth has the blur of one side and the depth of the other."""
    cells = depth_of()
    jump = np.where(np.arange(SHAPE[1]) < 100, 0.1, 0.9).astype(np.float32)
    cells = BlurMap(np.tile(jump, (SHAPE[0], 1)), cells.confidence, cells.grid)
    sigma = np.where(jump < 0.5, 6.0, 0.5).astype(np.float32) * np.ones((SHAPE[0], 1), np.float32)
    sigma[:, 98:102] = 12.0
    edges = BlurMap(sigma, np.ones(SHAPE, np.float32), Grid(SHAPE))
    found = calibrate(edges, cells, None)
    assert found.sigma.max() == pytest.approx(6.0, abs=0.2)


def test_order_is_weak_data_everywhere():
    calibration = Calibration(np.array([0.0, 1.0]), np.array([8.0, 0.0]), np.inf)
    edges = edges_of(noise=0, outliers=0)
    data = with_order(edges, depth_of(), calibration, OrderParams(weight=0.02))
    known = edges.confidence > 0
    np.testing.assert_allclose(data.sigma[~known], 8 * (1 - depth_of().sigma[~known]), atol=1e-5)
    assert (data.confidence[~known] == np.float32(0.02)).all()
    assert np.abs(data.sigma - edges.sigma)[known].max() < 0.2
    assert with_order(edges, depth_of(), calibration, OrderParams(weight=0)) is edges


def test_calibrated_blur_has_the_sign_of_depth():
    calibration = Calibration(np.array([0.0, 0.5, 1.0]), np.array([8.0, 0.0, 6.0]), 0.5)
    signed = calibrated_blur(depth_of(), calibration).sigma[0]
    assert signed[0] == 8 and signed[-1] == -6 and (np.diff(signed) <= 0).all()
    none = Calibration(np.empty(0), np.empty(0), np.inf)
    assert not calibrated_blur(depth_of(), none).sigma.any()


def test_blur_that_crossed_an_outline_is_limited():
    inverse = np.where(np.arange(200) < 100, 0.0, 1.0) * np.ones((60, 1))
    cells = BlurMap(inverse.astype(np.float32), np.ones(SHAPE, np.float32), Grid(SHAPE))
    calibration = Calibration(np.array([0.0, 1.0]), np.array([8.0, 0.2]), np.inf)
    spilled = np.where(np.arange(200) < 120, 8, 0.2) * np.ones((60, 1))
    blur = BlurMap(spilled.astype(np.float32), np.ones(SHAPE, np.float32), Grid(SHAPE))
    limited = within_order(blur, cells, calibration, (), OrderParams()).sigma[0]
    assert (limited[:102] == 8).all() and limited[103:120].max() == pytest.approx(1.3)
    stroke = Scribble(((9.0, 9.0),), 9.0)
    assert within_order(blur, cells, calibration, (stroke,), OrderParams()) is blur
    none = Calibration(np.empty(0), np.empty(0), np.inf)
    assert within_order(blur, cells, none, (), OrderParams()) is blur
