"""Shading is no blur, and blur without another hue is no shading: whole pictures, exact truth."""

import numpy as np
import pytest

import camerapipe
from stages.scene import Layer, compose
from stages.sensor import develop

ROWS, COLS, RADIUS = 720, 960, 200
READ_NOISE = 0.002  # of white, linear


def blocks(seed, size, colours):
    """Squares of random light; the same in all channels where `colours` is 1."""
    cells = np.random.default_rng(seed).uniform(0.1, 0.7, (ROWS // size, COLS // size, colours))
    squares = cells.repeat(size, axis=0).repeat(size, axis=1)
    return np.broadcast_to(squares, (ROWS, COLS, 3)).astype(np.float32)


def layer(linear, alpha, sigma):
    planes = (np.asarray(alpha, np.float32), np.full((ROWS, COLS), sigma, np.float32))
    return Layer(np.asarray(linear, np.float32), *planes)


def estimated(*layers):
    """Map that the pipeline finds for a noisy photograph of these layers."""
    linear = compose(layers, psf="gauss")
    noise = np.random.default_rng(0).normal(0, READ_NOISE, linear.shape)
    photo = develop((linear + noise).astype(np.float32))
    return camerapipe.render(photo, strength=3, force=True).blur_map.sigma


def from_middle():
    down, across = np.mgrid[:ROWS, :COLS]
    return (down - ROWS / 2) / RADIUS, (across - COLS / 2) / RADIUS


def test_a_shaded_sphere_in_front_of_a_blurred_background_is_sharp_all_over():
    down, across = from_middle()
    distance = np.hypot(down, across)
    facing = np.sqrt(np.clip(1 - distance**2, 0, 1))
    light = 0.12 + 0.88 * np.clip(0.79 * facing - 0.5 * down - 0.35 * across, 0, 1)
    skin = light[..., None] * np.array([0.6, 0.45, 0.05])
    behind = layer(blocks(1, 60, 3), np.ones((ROWS, COLS)), 6.0)
    sigma = estimated(behind, layer(skin, distance < 1, 0.5))
    assert np.percentile(sigma[distance < 0.9], 90) < 1
    assert np.median(sigma[distance > 1.3]) == pytest.approx(6, abs=0.5)


def test_grey_on_grey_without_a_sharp_edge_stays_blurred():
    sigma = estimated(layer(blocks(2, 120, 1), np.ones((ROWS, COLS)), 5.0))
    assert np.median(sigma) == pytest.approx(5, abs=0.25)


def test_a_defocused_thing_of_one_hue_stays_blurred_beside_a_sharp_one():
    across = from_middle()[1]
    ochre = blocks(3, 120, 1) * np.array([1, 0.5, 0.15], np.float32)
    behind = layer(ochre, np.ones((ROWS, COLS)), 5.0)
    sigma = estimated(behind, layer(blocks(4, 6, 3), across < -0.5, 0.5))
    assert np.median(sigma[across > 0]) == pytest.approx(5, abs=0.5)
    assert np.percentile(sigma[across < -1], 90) < 1
