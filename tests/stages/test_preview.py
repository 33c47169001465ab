import numpy as np
import pytest

from stages.bokeh import BokehParams, DeadZoneParams, render_bokeh
from stages.grid import BlurMap, Grid
from stages.preview import dead_zone_on_view, render_preview, to_picture
from stages.tone import SRGB, encode, linearise
from stages.view import light_at

FULL, STEP = (90, 130), 2
GRID = Grid.cells(FULL, STEP)


def picture():
    rng = np.random.default_rng(0)
    codes = np.kron(rng.integers(0, 256, (18, 26, 3)), np.ones((5, 5, 1)))
    return codes.astype(np.uint8)


def shown(codes, radius):
    linear = linearise(codes)
    disks = np.full(GRID.shape, radius, np.float32) if np.isscalar(radius) else radius
    return render_preview(linear, light_at(linear, GRID), disks, GRID, SRGB, BokehParams())


@pytest.mark.parametrize("radius", [0.0, 0.5 * STEP])
def test_in_focus_every_code_is_kept(radius):
    codes = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    codes = np.tile(codes, (6, 9, 1))[: FULL[0], : FULL[1]]
    assert np.array_equal(shown(codes, radius), codes)


@pytest.mark.parametrize("radius", [6.0, 12.0])
def test_blur_is_close_to_that_of_the_full_renderer(radius):
    codes = picture()
    disks = np.full(FULL, radius, np.float32)
    exact = encode(render_bokeh(linearise(codes), disks, BokehParams())) * 255
    error = shown(codes, radius).astype(float) - exact
    assert np.sqrt(np.mean(error**2)) < 4
    assert abs(error.mean()) < 0.5  # dither does not shift


def test_focus_does_not_leak_into_the_blur():
    codes = np.zeros((*FULL, 3), np.uint8)
    codes[:, : FULL[1] // 2] = 255  # a white subject before a black background
    radius = np.zeros(GRID.shape, np.float32)
    radius[:, (FULL[1] // 2 + 1) // STEP :] = 12
    found = shown(codes, radius)
    assert (found[:, : FULL[1] // 2 - STEP] == 255).all()
    assert found[:, FULL[1] // 2 + 2 * STEP :].max() <= 2


def test_threads_do_not_change_a_bit(set_workers):
    radius = np.tile(np.linspace(0, 15, GRID.shape[1], dtype=np.float32), (GRID.shape[0], 1))
    results = []
    for count in (1, 3):
        set_workers(count)
        results.append(shown(picture(), radius))
    assert np.array_equal(*results)


def test_codes_are_rounded():
    encoded = np.array([[[0.0, 0.499 / 255, 0.501 / 255], [1.0, 254.4 / 255, 0.5]]], np.float32)
    assert to_picture(encoded).tolist() == [[[0, 0, 1], [255, 254, 128]]]


def map_of(sigma):
    return BlurMap(sigma.astype(np.float32), np.ones(GRID.shape, np.float32), GRID)


def test_the_dead_zone_covers_what_is_proven_sharp():
    sigma = np.full(GRID.shape, 6.0)
    sigma[10:20, 10:30] = 2.0
    confidence = np.zeros(GRID.shape, np.float32)
    params = DeadZoneParams(floor_px=0.2)
    nothing = BlurMap(confidence, confidence, GRID)
    zone = dead_zone_on_view(nothing, map_of(sigma), None, params)
    assert zone == pytest.approx(params.margin * 6.0)
    confidence = confidence.copy()
    confidence[12:18, 12:28] = 1
    proven = BlurMap(confidence, confidence, GRID)
    assert dead_zone_on_view(proven, map_of(sigma), None, params) == pytest.approx(2.0)
    named = dead_zone_on_view(proven, map_of(sigma), (100.0, 80.0), params)
    assert named == pytest.approx(params.margin * 6.0)
    finer = Grid(FULL)
    fine = np.kron(confidence, np.ones((STEP, STEP), np.float32))
    detail = BlurMap(fine, fine, finer)
    doubled = params.replace(floor_px=0.4, ceiling_px=3.0)
    assert dead_zone_on_view(detail, map_of(sigma), None, doubled) == pytest.approx(2.0)
