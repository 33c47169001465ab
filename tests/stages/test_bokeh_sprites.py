import numpy as np
import pytest

from stages import tone
from stages.bokeh import BokehParams, render_bokeh
from stages.bokeh.checks import check_render
from stages.bokeh.layers import spread_coarse_layers
from stages.bokeh.reference import render_exact

WITHOUT = BokehParams(highlight_contrast=10.0)


def lamps(shape=(220, 300), radius_px=14.0, seed=0):
    """Lamps of one to four pixels before a dim wall whose radius changes."""
    rng = np.random.default_rng(seed)
    image = np.float32(0.02) * rng.random((*shape, 3), np.float32)
    for size in (1, 2, 3, 4) * 4:
        y, x = rng.integers(0, shape[0] - 4), rng.integers(0, shape[1] - 4)
        image[y : y + size, x : x + size] += (rng.random(3) * rng.uniform(10, 100)).astype("f4")
    ramp = np.linspace(0.6, 1, shape[1], dtype=np.float32) * np.ones(shape, np.float32)
    return image, np.float32(radius_px) * ramp


def psnr(a, b):
    return -10 * np.log10(np.mean((tone.encode(a).astype(np.float64) - tone.encode(b)) ** 2))


def table_of(image, radius, params=BokehParams()):
    return spread_coarse_layers(check_render("test", image, radius), params).sprites.table


@pytest.mark.parametrize("radius_px", [16.0, 24.0, 40.0])
def test_highlights_become_crisp_disks(radius_px):
    image, radius = lamps(radius_px=radius_px)
    exact = render_exact(image, radius)
    assert psnr(render_bokeh(image, radius, BokehParams()), exact) > 55
    assert psnr(render_bokeh(image, radius, WITHOUT), exact) < 45


def test_sprites_move_light_and_make_none():
    image, radius = lamps(shape=(300, 300), radius_px=12)
    image[:60] = image[-60:] = image[:, :60] = image[:, -60:] = 0
    radius[:] = 12
    light = image.sum(axis=(0, 1), dtype=np.float64)
    for params in (BokehParams(), WITHOUT):
        out = render_bokeh(image, radius, params).sum(axis=(0, 1), dtype=np.float64)
        np.testing.assert_allclose(out, light, rtol=1e-3)


def test_skies_and_shirts_have_no_sprites():
    image, radius = lamps()
    image[:] = 0.1
    image[50:120, 50:200] = 1.0
    assert len(table_of(image, radius)) == 0
    assert len(table_of(*lamps())) > 16


def test_what_stands_out_everywhere_is_capped():
    rng = np.random.default_rng(1)
    image = (rng.random((256, 256, 1)) > 0.97).astype(np.float32) * np.ones(3, np.float32) * 500
    table = table_of(image, np.full((256, 256), 30, np.float32))
    assert 0 < np.sum(np.pi * table[:, 2] ** 2) <= 160.0 * 256 * 256


def test_sprites_are_the_same_bits_for_any_workers_and_any_cut(set_workers):
    image, radius = lamps(shape=(640, 1024), radius_px=24.0)
    whole = render_bokeh(image, radius, BokehParams())
    set_workers(3)
    np.testing.assert_array_equal(render_bokeh(image, radius, BokehParams()), whole)
    part = render_bokeh(image[128:, 256:], radius[128:, 256:], BokehParams())
    halo = 128
    np.testing.assert_array_equal(part[halo:, halo:], whole[128 + halo :, 256 + halo :])
