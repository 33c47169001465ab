import cv2
import numpy as np
import pytest

from stages.bokeh.disk import effective_radius
from stages.bokeh.reference import render_scatter
from stages.scene import (
    Layer,
    blur_layer,
    compose,
    lens_blur,
    sigma_of_disparity,
    spread,
)


def picture(shape=(60, 80), seed=0):
    return np.random.default_rng(seed).random((*shape, 3), np.float32)


def ramp(shape, low, high):
    return np.linspace(low, high, shape[0], dtype=np.float32)[:, None] * np.ones(shape, np.float32)


@pytest.mark.parametrize("psf", ["disk", "gauss"])
@pytest.mark.parametrize("sigma", [0.2, 0.5, 0.77, 1.3, 4.0, 11.3])
def test_a_point_gets_the_variance_asked_for_and_keeps_its_light(psf, sigma):
    light = np.zeros((151, 151, 1), np.float32)
    light[75, 75] = 1
    out = spread(light, np.full((151, 151), sigma, np.float32), psf)[..., 0].astype(np.float64)
    assert out.sum() == pytest.approx(1, abs=1e-5)
    axis = np.arange(151) - 75
    for weights in (out.sum(0), out.sum(1)):
        assert np.sqrt(weights @ axis**2) == pytest.approx(sigma, rel=1e-4)


def test_a_slanted_surface_is_the_brute_force_scatter_of_the_same_radii():
    image, radius = picture(), ramp((60, 80), 2, 12)
    nominal = np.linspace(0.5, 13, 1000)
    sigma = np.interp(radius, nominal, [effective_radius(r) / 2 for r in nominal])
    layer = Layer(image, np.ones((60, 80), np.float32), sigma.astype(np.float32))
    np.testing.assert_allclose(compose([layer]), render_scatter(image, radius), atol=2e-3)


@pytest.mark.parametrize("psf", ["disk", "gauss"])
def test_constants_stay_and_sharp_scenes_are_their_picture(psf):
    sigma = np.random.default_rng(1).uniform(0, 9, (60, 80)).astype(np.float32)
    flat = np.full((60, 80, 3), 0.7, np.float32)
    np.testing.assert_allclose(lens_blur(flat, sigma, psf, rays=16), flat, rtol=1e-5)
    layer = Layer(flat, np.ones_like(sigma), sigma)
    np.testing.assert_allclose(compose([layer], psf), flat, rtol=1e-5)
    image, sharp = picture(), np.zeros_like(sigma)
    np.testing.assert_array_equal(lens_blur(image, sharp, psf, rays=16), image)
    np.testing.assert_allclose(compose([layer._replace(linear=image, sigma=sharp)]), image)


@pytest.mark.parametrize("psf", ["disk", "gauss"])
def test_rays_and_layers_agree_on_a_slanted_surface(psf):
    image, sigma = cv2.GaussianBlur(picture(), (0, 0), 1.5), ramp((60, 80), 1, 5)
    layers = compose([Layer(image, np.ones_like(sigma), sigma)], psf)
    assert np.sqrt(np.mean((lens_blur(image, sigma, psf) - layers) ** 2)) < 3e-3


def test_rays_and_layers_agree_on_a_subject_before_a_wall():
    matte = np.zeros((60, 80), np.float32)
    matte[20:40, 30:50] = 1
    wall = np.broadcast_to(cv2.GaussianBlur(picture(), (0, 0), 9), (60, 80, 3))
    subject = np.full((60, 80, 3), 2, np.float32)
    far, near = np.full((60, 80), 4, np.float32), np.full((60, 80), -3, np.float32)
    image = np.where(matte[..., None] > 0, subject, wall)
    for front in (np.zeros_like(near), near):
        layers = compose([Layer(wall, np.ones_like(matte), far), Layer(subject, matte, abs(front))])
        rays = lens_blur(image, np.where(matte > 0, front, far))
        assert np.sqrt(np.mean((rays - layers) ** 2)) < 0.02


def test_matte_and_light_are_blurred_alike():
    alpha = np.zeros((60, 80), np.float32)
    alpha[20:40, 30:50] = 1
    behind = Layer(picture(), np.ones_like(alpha), np.zeros_like(alpha))
    front = Layer(np.full((60, 80, 3), 4, np.float32), alpha, np.full_like(alpha, 2.0))
    covered = blur_layer(front).coverage[..., None]
    np.testing.assert_allclose(
        compose([behind, front]), 4 * covered + (1 - covered) * behind.linear, rtol=1e-5
    )
    assert 0.3 < covered[30, 29] < 0.7


def test_a_sharp_subject_neither_bleeds_nor_is_veiled():
    subject = np.zeros((60, 80), bool)
    subject[20:40, 30:50] = True
    image = np.where(subject[..., None], np.float32(3), np.float32(0.1)) * np.ones(3, np.float32)
    sigma = np.where(subject, 0, 5).astype(np.float32)
    np.testing.assert_allclose(lens_blur(image, sigma, rays=64), image, rtol=1e-5)


def test_what_is_nearer_covers_even_where_it_is_blurred():
    near = np.zeros((60, 80), np.float32)
    near[:, 40:] = 1
    image = near[..., None] * np.ones(3, np.float32)
    sigma = sigma_of_disparity(near, 0.0, 4.0)
    out = lens_blur(image, sigma)
    assert 0.2 < out[30, 37, 0] < 0.45  # it reaches over the sharp background
    assert 0.55 < out[30, 42, 0] < 0.8  # and is half transparent within its own outline
    assert lens_blur(image, -sigma)[30, 37, 0] == 0  # not so where it lies behind


def test_wrong_input_is_named():
    image, sigma = picture(), np.zeros((60, 80), np.float32)
    with pytest.raises(ValueError, match="scene: psf must be one of disk, gauss; got 'box'"):
        lens_blur(image, sigma, "box")
    with pytest.raises(ValueError, match=r"scene: sigma must be \(60, 80\) float32; got"):
        lens_blur(image, sigma[:2])
    with pytest.raises(ValueError, match=r"scene: sigma must lie in \[0, 200\] px; got -1..-1"):
        spread(image, sigma - 1)
