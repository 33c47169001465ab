"""Errors of the whole job against exact truth, with the number that was measured for each.

Every scene is made from nothing: opaque layers of known sigma, photographed by the thin lens of
`stages.scene`. The magnified picture is compared with that of a lens whose blur is twice as large.
A change of an algorithm that moves a number is meant to be seen here: where it is wanted, the new
number is written down.
"""

from typing import NamedTuple

import cv2
import numpy as np
import pytest

import camerapipe
from datasets.scenes import day, dead_leaves, sigma_of_radius
from stages.grid import BlurMap, Grid, lift
from stages.scene import Layer, compose
from stages.sensor import add_noise, develop
from stages.tone import encode
from stages.upsample import UpsampleParams, guided_upsample

SHAPE = (320, 480)
LARGEST_RADIUS_PX = 6.0
STRENGTH = 2.0
OWN_SIGMA_PX = 0.4  # blur of what was drawn with antialiasing
CELL_PX = 20
WITHIN = 0.03  # relative change of an error that is none: other processors round otherwise
WITHIN_DB = 0.1


class Scene(NamedTuple):
    """What a camera sees of a scene, in 8-bit codes, what is true of it, and what is wanted."""

    codes: np.ndarray  # HxWx3 uint8, sRGB
    sigma: np.ndarray  # HxW, px
    sharp: np.ndarray  # HxWx3, linear: the scene with everything in focus
    magnified: np.ndarray  # HxWx3, sRGB in [0, 1]: through a lens of STRENGTH times the blur


def flower():
    """A flower with a stem and a hair before a slanted wall of overlapping leaves of all sizes."""
    seen, wanted = (day(LARGEST_RADIUS_PX * m, SHAPE) for m in (1, STRENGTH))
    return Scene(
        develop(seen.truth), total(sigma_of_radius(seen.radius)), seen.linear, encode(wanted.truth)
    )


def cells():
    """A disc of square cells before a slanted wall of the same."""
    rng = np.random.default_rng(5)
    coarse = 0.05 + 0.7 * rng.random((2, SHAPE[0] // CELL_PX, SHAPE[1] // CELL_PX, 3))
    wall, front = (np.kron(c, np.ones((CELL_PX, CELL_PX, 1))) for c in coarse)
    wall, front = wall.astype(np.float32), front.astype(np.float32)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] - np.array(SHAPE)[:, None, None] / 2
    matte = np.clip(0.35 * SHAPE[0] - np.hypot(y, x) + 0.5, 0, 1).astype(np.float32)
    slant = np.linspace(1, 0.4, SHAPE[0], dtype=np.float32)[:, None] * np.ones_like(matte)
    behind = sigma_of_radius(LARGEST_RADIUS_PX * slant)

    def through(magnification):
        sharp = np.zeros_like(matte)
        wall_layer = Layer(wall, np.ones_like(matte), magnification * behind)
        return compose((wall_layer, Layer(front, matte, sharp)))

    sigma = total(np.where(matte >= 0.5, np.float32(0), behind))
    return Scene(develop(through(1)), sigma, through(0), encode(through(STRENGTH)))


def total(defocus):
    """Sigma of edges that were drawn with a blur of their own."""
    return np.sqrt(defocus**2 + np.float32(OWN_SIGMA_PX**2))


@pytest.fixture(scope="module")
def scenes():
    return {"flower": flower(), "cells": cells()}


class Errors(NamedTuple):
    """Median error at edges and mean error of the dense map (px), PSNR of the picture (dB)."""

    edges_px: float
    dense_px: float
    picture_db: float


EXPECTED = {
    ("flower", "default"): Errors(0.230, 0.312, 29.18),
    ("flower", "paper"): Errors(0.524, 0.593, 25.19),
    ("cells", "default"): Errors(0.468, 0.533, 36.11),
    ("cells", "paper"): Errors(0.386, 0.398, 35.19),
}


@pytest.mark.parametrize("name, preset", EXPECTED)
def test_map_and_picture(name, preset, scenes):
    scene = scenes[name]
    shot = camerapipe.render(scene.codes, strength=STRENGTH, preset=preset, keep=("edge_data",))
    sparse = shot.kept["edge_data"]
    at_edges = np.abs(sparse.sigma - lift(dense(scene.sigma), sparse.grid).sigma)
    found = Errors(
        edges_px=float(np.median(at_edges[sparse.confidence > 0])),
        dense_px=mean_error(shot.blur_map.sigma, scene.sigma),
        picture_db=psnr(shot.image, scene.magnified),
    )
    check(found, EXPECTED[name, preset])
    assert found.picture_db > psnr(scene.codes / 255, scene.magnified)


def test_the_picture_of_the_true_map(scenes):
    """What is left of the error of the picture when the map is exact."""
    scene = scenes["flower"]
    shot = camerapipe.render(scene.codes, strength=STRENGTH, from_map=scene.sigma)
    assert psnr(shot.image, scene.magnified) == pytest.approx(38.76, abs=WITHIN_DB)


@pytest.mark.parametrize("method, expected_px", [("fast", 0.0327), ("masked", 0.0317)])
def test_upsampling(method, expected_px, scenes):
    """The exact map at half resolution, brought to full size with the picture as guide."""
    scene = scenes["flower"]
    low, guide = lift(dense(scene.sigma), Grid.cells(SHAPE, 2)), scene.codes / np.float32(255)
    full = guided_upsample(low, guide, UpsampleParams(method=method))
    assert mean_error(full.sigma, scene.sigma) == pytest.approx(expected_px, rel=WITHIN)


VERDICTS = {  # how a scene is photographed: the verdict, and the number that it rests on
    "as it is": ("defocus_present", 2.574),
    "everything in focus": ("everything_in_focus", 0.2),
    "out of focus": ("no_sharp_subject", 1.987),
    "shaken": ("shaken", 29.88),
    "in the dark": ("too_dark_or_noisy", 8.397),
    "through fog": ("too_few_edges", 0),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_verdict(name, scenes):
    code, value = VERDICTS[name]
    verdict = camerapipe.check(photographed(scenes["flower"], name))[0]
    assert (verdict.code, verdict.value) == (code, pytest.approx(value, rel=WITHIN))


def photographed(scene, how):
    if how == "as it is":
        return scene.codes
    light = scene.sharp
    if how == "out of focus":
        light = compose((Layer(light, np.ones(SHAPE, np.float32), np.full(SHAPE, 3, np.float32)),))
    elif how == "shaken":
        light = cv2.filter2D(light, -1, np.full((1, 15), 1 / 15))
    elif how == "in the dark":
        light = np.maximum(add_noise(0.02 * light, shot=4e-4, read=2e-3, seed=1), 0)
    elif how == "through fog":
        light = np.float32(0.6) + np.float32(0.002) * dead_leaves(SHAPE, 3, (1, 1, 1))
    return develop(light)


def dense(sigma):
    return BlurMap(sigma, np.ones_like(sigma), Grid(sigma.shape))


def mean_error(sigma, truth):
    return float(np.mean(np.abs(sigma - truth)))


def psnr(image, truth):
    return float(-10 * np.log10(np.mean((image.astype(np.float64) - truth) ** 2)))


def check(found, expected):
    """Compare all numbers at once, so that one run says them all."""
    tolerances = {"rel": WITHIN}, {"rel": WITHIN}, {"abs": WITHIN_DB}
    wanted = (pytest.approx(e, **t) for e, t in zip(expected, tolerances, strict=True))
    assert found == tuple(wanted), f"measured: {found}"
