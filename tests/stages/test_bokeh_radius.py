import numpy as np
import pytest

from stages.bokeh import RadiusParams, disk_radius
from stages.bokeh.disk import effective_radius
from stages.grid import BlurMap, Grid

DEFAULT = RadiusParams()


def blur_map(sigma):
    sigma = np.atleast_2d(np.asarray(sigma, np.float32))
    return BlurMap(sigma, np.ones_like(sigma), Grid(sigma.shape))


def test_strength_one_renders_nothing():
    blur = blur_map(np.linspace(0, 50, 300))
    np.testing.assert_array_equal(disk_radius(blur, 0.5, RadiusParams(strength=1.0)), 0)


@pytest.mark.parametrize("strength", [1.3, 2.0, 5.0])
def test_variances_add_up_to_the_strength(strength):
    sigma = np.linspace(4, 12, 60).astype(np.float32)
    params = RadiusParams(strength=strength, max_radius_px=400.0)
    radius = disk_radius(blur_map(sigma), 0.5, params)[0]
    kept = np.sqrt(sigma.astype(np.float64) ** 2 - 0.5**2)
    rendered = np.array([effective_radius(float(r)) / 2 for r in radius])
    np.testing.assert_allclose(np.hypot(kept, rendered), strength * kept, rtol=3e-3)


def test_magnification_begins_without_a_jump_and_is_full_where_the_ramp_ends():
    params, zone = RadiusParams(strength=3.0, focus_ramp=1.8), 4.0
    sigma = np.linspace(zone, 4 * zone, 3001).astype(np.float32)
    gradual = disk_radius(blur_map(sigma), zone, params)[0]
    at_once = disk_radius(blur_map(sigma), zone, params.replace(focus_ramp=1.0))[0]
    asked = 2 * np.sqrt(8 * (sigma.astype(np.float64) ** 2 - zone**2))
    large = asked > 16
    np.testing.assert_allclose(at_once[large], asked[large], rtol=0.02)
    full = sigma >= 1.8 * zone
    np.testing.assert_allclose(gradual[full], at_once[full], rtol=1e-5)
    assert np.all(gradual <= at_once)
    near = (sigma > 1.05 * zone) & (sigma < 1.2 * zone)  # an error of the map on a subject
    assert np.all(gradual[near] < 0.3 * at_once[near])


def test_radius_never_falls_with_blur_and_ends_at_the_cap():
    radius = disk_radius(blur_map(np.linspace(0, 60, 20000)), 0.4, DEFAULT)[0]
    assert np.all(np.diff(radius) >= 0)
    assert radius[0] == 0
    assert radius[-1] == DEFAULT.max_radius_px


def test_faint_radii_are_not_rendered_and_small_ones_have_their_second_moment():
    params = RadiusParams(strength=float(np.sqrt(2)))
    asked = np.array([0.3, 0.49, 1.5, 1.8, 2.2, 2.9])
    radius = disk_radius(blur_map(asked / 2), 0.0, params)[0]
    np.testing.assert_array_equal(radius[:2], 0)
    effective = [effective_radius(float(r)) for r in radius[2:]]
    np.testing.assert_allclose(effective, asked[2:], rtol=0.01)


def test_wrong_arguments_are_named():
    blur = blur_map([1.0])
    with pytest.raises(ValueError, match="radius: dead_zone must be finite and >= 0; got -1"):
        disk_radius(blur, -1.0, DEFAULT)
    with pytest.raises(ValueError, match=r"radius\.strength: expected .* got 0\.5"):
        RadiusParams(strength=0.5)


def test_the_layout_of_the_map_does_not_matter():
    sigma = np.random.default_rng(0).uniform(0, 9, (20, 30)).astype(np.float32)
    turned = disk_radius(blur_map(sigma.T), 0.5, DEFAULT)
    np.testing.assert_array_equal(turned.T, disk_radius(blur_map(sigma), 0.5, DEFAULT))


def test_a_largest_radius_in_percent_is_the_same_part_of_a_preview():
    sigma = np.random.default_rng(0).uniform(0, 9, (200, 300)).astype(np.float32)
    params = RadiusParams(largest_percent=2.0)
    radius = disk_radius(blur_map(sigma), 1.0, params)
    assert radius.max() == pytest.approx(0.02 * np.hypot(200, 300), rel=1e-5)
    assert 0.03 < np.mean(radius == radius.max()) < 0.06
    small = disk_radius(blur_map(sigma[::2, ::2] / 2), 0.5, params)
    rendered = radius[::2, ::2] > 8
    np.testing.assert_allclose(small[rendered], radius[::2, ::2][rendered] / 2, rtol=0.03)


def test_a_largest_radius_is_reached_within_the_ramp_too():
    blur = blur_map(np.linspace(0, 1.5, 60000).reshape(200, 300))
    radius = disk_radius(blur, 1.0, RadiusParams(largest_percent=2.0, focus_ramp=1.8))
    assert radius.max() == pytest.approx(0.02 * np.hypot(200, 300), rel=1e-5)


def test_a_largest_radius_of_a_sharp_picture_is_nothing():
    params = RadiusParams(largest_percent=2.0)
    np.testing.assert_array_equal(disk_radius(blur_map(np.full(9, 0.4)), 0.5, params), 0)
