"""Bokeh balls from the picture to the picture, by the default preset."""

import numpy as np
import pytest

import camerapipe
from stages.params import Array
from stages.scene import Layer, compose
from stages.tone import SRGB, encode

SHAPE = (200, 240)
SIGMA_PX = 4.0
TIMES = 2.5
PLACES = [(30, 40), (30, 120), (35, 195), (90, 30), (100, 205)]


@pytest.fixture(scope="module")
def photographs() -> tuple[Array, Array]:
    """Lamps behind a sharp subject, through a lens and through a wider one."""
    linear = np.full((*SHAPE, 3), 0.02, np.float32)
    for place in PLACES:
        linear[place] += np.float32(5 * np.pi * (2 * SIGMA_PX) ** 2)
    one = np.ones(SHAPE, np.float32)
    rng = np.random.default_rng(1)
    subject = np.repeat(rng.random((*SHAPE, 1), np.float32) ** 2 * 0.3, 3, axis=2)
    alpha = np.zeros(SHAPE, np.float32)
    alpha[120:, 70:170] = 1
    return tuple(
        encode(np.minimum(compose([Layer(linear, one, times * np.float32(SIGMA_PX) * one),
                                   Layer(subject, alpha, 0 * one)]), 1), SRGB)
        for times in (1, TIMES)
    )  # fmt: skip


def bright_area(picture: Array, place: tuple[int, int]) -> int:
    y, x = place
    return int(np.count_nonzero(picture[max(y - 30, 0) : y + 30, max(x - 30, 0) : x + 30] > 0.5))


@pytest.mark.parametrize("saved", [False, True])
def test_balls_grow_and_the_subject_stays(photographs, saved):
    picture, wider = photographs
    shot = camerapipe.render(picture, strength=TIMES, force=True)
    if saved:
        shot = camerapipe.render(picture, strength=TIMES, force=True, from_map=shot.blur_map)
    for place in PLACES:
        assert shot.blur_map.sigma[place] == pytest.approx(SIGMA_PX, rel=0.15)
        areas = [bright_area(image, place) for image in (shot.image, wider)]
        assert areas[0] == pytest.approx(areas[1], rel=0.2)
    subject = slice(130, None), slice(80, 160)
    assert np.mean(abs(shot.image[subject] - picture[subject]) > 2 / 255) < 0.02
