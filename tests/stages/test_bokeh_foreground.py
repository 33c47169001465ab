import cv2
import numpy as np
import pytest

from stages import tone
from stages.bokeh import BokehParams, mark_foreground, render_bokeh, render_bokeh_preview
from stages.bokeh.disk import effective_radius
from stages.bokeh.foreground import fill_unseen
from stages.bokeh.reference import render_exact
from stages.scene import Layer, compose

PARAMS = BokehParams()
SHAPE = (200, 280)


def psnr(a, b):
    return -10 * np.log10(np.mean((tone.encode(a).astype(np.float64) - tone.encode(b)) ** 2))


def texture(seed, tint):
    noise = cv2.GaussianBlur(np.random.default_rng(seed).random((*SHAPE, 3), np.float32), (0, 0), 2)
    return (np.clip((noise - 0.5) * 3 + 0.4, 0.02, 1) * np.array(tint, np.float32)).astype("f4")


def leaf():
    """A blurred leaf in front of a sharp wall: picture, matte, wall."""
    matte = np.zeros(SHAPE, np.float32)
    cv2.ellipse(matte, (90, 110), (50, 30), 30, 0, 360, 1.0, -1)
    wall, front = texture(1, (0.4, 0.5, 0.9)), texture(2, (0.9, 0.8, 0.2))
    return np.where(matte[..., None] > 0, front, wall), matte, wall, front


@pytest.mark.parametrize("radius_px", [3.0, 7.0, 14.0])
def test_a_blurred_foreground_covers_the_focus_as_a_lens_would(radius_px):
    image, matte, wall, front = leaf()
    sigma = np.full(SHAPE, effective_radius(radius_px) / 2, np.float32)
    ones = np.ones(SHAPE, np.float32)
    truth = compose([Layer(wall, ones, 0 * sigma), Layer(front, matte, sigma)])
    radius = np.float32(radius_px) * matte
    signed = mark_foreground(radius, matte)
    out = render_bokeh(image, signed, PARAMS)
    naive = render_bokeh(image, radius, PARAMS)
    outside = cv2.dilate(matte, np.ones((3, 3))) == 0  # what hides behind the leaf is unknown
    assert psnr(out[outside], truth[outside]) > 38
    assert psnr(out, truth) > psnr(naive, truth) + 3
    far = cv2.dilate(matte, np.ones((45, 45))) == 0
    np.testing.assert_array_equal(out[far], image[far])


@pytest.mark.parametrize("radius_px", [5.0, 18.0, 30.0])
def test_the_fast_renderer_equals_the_exact_one_in_front_and_behind(radius_px):
    image, matte, *_ = leaf()
    ramp = np.linspace(0.4, 1, SHAPE[1], dtype=np.float32) * np.ones(SHAPE, np.float32)
    radius = np.float32(radius_px) * ramp
    wall = np.where(np.arange(SHAPE[0])[:, None] < 120, radius, 0)  # blurred above, sharp below
    signed = np.where(matte > 0, -radius, wall).astype(np.float32)
    signed[:, 200:240] = -0.6 * radius_px
    assert psnr(render_bokeh(image, signed, PARAMS), render_exact(image, signed)) > 50


def test_what_a_foreground_hides_is_filled_in_smoothly():
    y, x = np.mgrid[:120, :150].astype(np.float32)
    slope = np.stack([0.2 + 0.002 * x, 0.3 + 0.001 * y, 0.5 + 0 * x], axis=-1)
    out = slope.copy()
    out[40:80, 50:100] = np.nan
    fill_unseen(out, slope)
    assert np.abs(out - slope).max() < 0.02
    np.testing.assert_array_equal(out[:40], slope[:40])
    nothing = np.full_like(slope, np.nan)
    fill_unseen(nothing, slope)
    np.testing.assert_array_equal(nothing, slope)


def test_blurrier_is_nearer_in_front_and_further_behind():
    image = np.zeros((80, 120, 3), np.float32)
    image[:, :60], image[:, 60:] = (1, 0, 0), (0, 1, 0)
    radius = np.full((80, 120), 2, np.float32)
    radius[:, 60:] = 12
    beside = (slice(40, 41), slice(50, 55))
    behind = render_bokeh(image, radius, PARAMS)[beside]
    front = render_bokeh(image, -radius, PARAMS)[beside]
    assert behind[..., 1].max() < 0.02  # the less blurred covers the more blurred
    assert front[..., 1].mean() > 0.1  # and here the other way round


@pytest.mark.parametrize("render", [render_bokeh, render_bokeh_preview])
def test_a_constant_picture_stays_constant_behind_a_foreground(render):
    flat = np.full((*SHAPE, 3), 0.7, np.float32)
    rng = np.random.default_rng(0)
    smooth = cv2.GaussianBlur(rng.standard_normal(SHAPE), (0, 0), 12)
    radius = (smooth / np.abs(smooth).max() * 40).astype(np.float32)
    np.testing.assert_allclose(render(flat, radius, PARAMS), flat, rtol=2e-6)


def test_workers_change_no_bit(set_workers):
    image, matte, *_ = leaf()
    radius = np.where(matte > 0, np.float32(-11), np.float32(5)) * np.ones(SHAPE, np.float32)
    set_workers(1)
    alone = render_bokeh(image, radius, PARAMS)
    set_workers(3)
    np.testing.assert_array_equal(render_bokeh(image, radius, PARAMS), alone)


def test_masks_are_marked_or_refused():
    radius = np.array([[0, 3, 5]], np.float32)
    np.testing.assert_array_equal(
        mark_foreground(radius, np.array([[1, 1, 0.2]], np.float32)), [[0, -3, 5]]
    )
    assert mark_foreground(radius, None) is radius
    with pytest.raises(ValueError, match=r"foreground: mask must be \(1, 3\) float32; got"):
        mark_foreground(radius, np.ones((1, 3), bool))


@pytest.mark.parametrize("radius_px", [3.0, 12.0, 40.0])
def test_a_foreground_goes_on_beyond_the_borders(radius_px):
    """A rail along the bottom is as opaque there as it is anywhere else."""
    image = np.full((120, 160, 3), 0.2, np.float32)
    image[70:] = 0.8
    radius = np.zeros((120, 160), np.float32)
    radius[70:] = -radius_px
    out = render_bokeh(image, radius, PARAMS)
    np.testing.assert_allclose(out[-1], 0.8, atol=0.01)  # 0.5 and less without
    np.testing.assert_allclose(out, np.broadcast_to(out[:, 80:81], out.shape), atol=0.01)
    exact = render_exact(image, radius)
    assert np.abs(out - exact).max() < 0.05
