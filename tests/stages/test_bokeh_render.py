import tracemalloc

import cv2
import numpy as np
import pytest

from stages import bokeh, strips, tone
from stages.bokeh import BokehParams
from stages.bokeh.disk import effective_radius
from stages.bokeh.reference import render_exact, render_gather, render_scatter


def render_bokeh(image, radius, params=BokehParams()):
    return bokeh.render_bokeh(image, radius, params)


def render_bokeh_preview(image, radius, params=BokehParams()):
    return bokeh.render_bokeh_preview(image, radius, params)


RENDERERS = [render_bokeh, render_bokeh_preview]


def texture(shape, rng, sigma_px):
    """Linear light of coloured noise, rather contrasty."""
    noise = cv2.GaussianBlur(rng.random((*shape, 3), np.float32), (0, 0), sigma_px)
    return tone.linearise(np.clip((noise - 0.5) / noise.std() * 0.2 + 0.45, 0, 1))


def field(shape, rng, sigma_px, largest_px):
    """A smooth random radius map from 0 to `largest_px`."""
    noise = cv2.GaussianBlur(rng.random(shape, np.float32), (0, 0), sigma_px)
    low, high = noise.min(), noise.max()
    return ((noise - low) / (high - low) * np.float32(largest_px)).astype(np.float32)


class Scene:
    """A sharp flower before a slanted, textured background that is known in full."""

    def __init__(self, largest_px, shape=(200, 300)):
        rng = np.random.default_rng(5)
        background = texture(shape, rng, 1.2) * np.array([0.3, 0.5, 0.9], np.float32)
        foreground = texture(shape, rng, 0.8) * np.array([2.0, 0.9, 0.2], np.float32)
        y, x = np.mgrid[: shape[0], : shape[1]] - np.array(shape).reshape(2, 1, 1) / 2
        outline = 0.28 * shape[0] * (0.8 + 0.2 * np.cos(7 * np.arctan2(y, x)))
        self.subject = np.hypot(y, x) < outline
        slant = largest_px * (0.7 - 0.6 * y / shape[0])
        self.background_radius = slant.astype(np.float32)
        self.background = background
        self.radius = np.where(self.subject, 0, self.background_radius).astype(np.float32)
        self.image = np.where(self.subject[..., None], foreground, background)

    def truth(self):
        blurred = render_scatter(self.background, self.background_radius)
        return np.where(self.subject[..., None], self.image, blurred)


def psnr(a, b):
    error = tone.encode(a).astype(np.float64) - tone.encode(b)
    return -10 * np.log10(np.mean(error**2))


@pytest.mark.parametrize("params", [{}, {"split_px": 4.0, "coarse_px": 5.0, "crossfade": 0.2}])
def test_memberships_add_up_to_one(params):
    bands = BokehParams(**params)
    radius = np.linspace(0.501, 390, 20000)

    def beyond(fade):
        return np.clip((radius - fade.start_px) * fade.slope, 0, 1)

    fine = [
        np.clip((radius - a) * b, 0, 1) * (1 - np.clip((radius - c) * d, 0, 1))
        for (a, b, c, d), _ in bands.full_resolution_bands()
    ]
    levels = bands.levels(390)
    begins = [beyond(bands.fade(bands.coarse_boundary(level))) for level in range(levels)]
    coarse = [a * (1 - b) for a, b in zip(begins, [*begins[1:], 0], strict=True)]
    np.testing.assert_allclose(sum(fine) + sum(coarse), 1, atol=1e-6)
    assert bands.levels(bands.coarse_px * 0.7) == 0


@pytest.fixture
def any_workers():
    before = strips.workers()
    yield strips.set_workers
    strips.set_workers(before)


@pytest.mark.parametrize("render", RENDERERS)
@pytest.mark.parametrize("shape", [(90, 130), (1, 1), (7, 7), (33, 257), (3, 5000), (2000, 2)])
def test_a_constant_picture_stays_constant(render, shape):
    radius = np.random.default_rng(0).uniform(0, 60, shape).astype(np.float32)
    flat = np.broadcast_to(np.array([0.7, 0.013, 9.0], np.float32), (*shape, 3))
    np.testing.assert_allclose(render(flat, radius), flat, rtol=1e-6)


@pytest.mark.parametrize("render", RENDERERS)
def test_focus_is_returned_to_the_bit(render):
    scene = Scene(25)
    everywhere = np.full(scene.radius.shape, 0.5, np.float32)
    np.testing.assert_array_equal(render(scene.image, everywhere), scene.image)
    out = render(scene.image, scene.radius)
    np.testing.assert_array_equal(out[scene.subject], scene.image[scene.subject])


@pytest.mark.parametrize("render", RENDERERS)
@pytest.mark.parametrize("radius_px", [1.5, 3.0, 7.3, 8.5, 16.0, 30.0, 60.0])
def test_a_point_light_keeps_its_energy_and_has_the_radius_asked_for(render, radius_px):
    size = 4 * int(radius_px) + 81
    image = np.zeros((size, size, 3), np.float32)
    image[size // 2 + 1, size // 2 - 2] = (1000, 100, 10)
    out = render(image, np.full((size, size), radius_px, np.float32)).astype(np.float64)
    np.testing.assert_allclose(out.sum(axis=(0, 1)), (1000, 100, 10), rtol=1e-3)
    weights = out[..., 0] / out[..., 0].sum()
    axis = np.arange(size)
    variances = [w @ axis**2 - (w @ axis) ** 2 for w in (weights.sum(0), weights.sum(1))]
    wanted = effective_radius(radius_px)
    tolerance = 0.02 if render is render_bokeh else 0.15
    np.testing.assert_allclose(2 * np.sqrt(variances), wanted, rtol=tolerance)


@pytest.mark.parametrize("render", RENDERERS)
def test_light_scales_exactly(render):
    scene = Scene(20)
    no_sprites = BokehParams(highlight_contrast=10.0)  # they depend on what a display shows
    bright = render(64 * scene.image, scene.radius, no_sprites)
    np.testing.assert_array_equal(bright, 64 * render(scene.image, scene.radius, no_sprites))


@pytest.mark.parametrize("render", RENDERERS)
def test_any_number_of_workers_gives_the_same_bits(render, any_workers):
    rng = np.random.default_rng(2)
    image = texture((203, 301), rng, 1.0)
    radius = field((203, 301), rng, 20, 40)
    any_workers(1)
    alone = render(image, radius)
    any_workers(3)
    np.testing.assert_array_equal(render(image, radius), alone)


@pytest.mark.parametrize("render", RENDERERS)
@pytest.mark.parametrize("radius_px", [3.0, 12.0, 40.0])
def test_a_bright_subject_does_not_glow_into_a_dark_background(render, radius_px):
    subject = Scene(1).subject
    image = np.where(subject[..., None], np.float32(5), np.float32(0)) * np.ones(3, np.float32)
    radius = np.where(subject, 0, np.float32(radius_px)).astype(np.float32)
    np.testing.assert_array_equal(render(image, radius), image)


@pytest.mark.parametrize("render", RENDERERS)
@pytest.mark.parametrize("shape", [(64, 300), (131, 77)])
@pytest.mark.parametrize("coarse_px", [5.0, 8.0, 12.0])
def test_every_value_is_a_mean_of_input_values(render, shape, coarse_px):
    rng = np.random.default_rng(6)
    image = texture(shape, rng, 1.0)
    params = BokehParams(coarse_px=coarse_px, crossfade=0.2)
    rough = (400 * rng.random(shape) ** 4).astype(np.float32)
    for radius in (rough, field(shape, rng, 12, 35), field(shape, rng, 12, 400)):
        out = render(image, radius, params)
        assert out.min() >= image.min() - 1e-6
        assert out.max() <= image.max() + 1e-6


@pytest.mark.parametrize("largest_px", [5, 10, 25, 50])
def test_fast_equals_exact(largest_px):
    scene = Scene(largest_px)
    fast = render_bokeh(scene.image, scene.radius)
    assert psnr(fast, render_exact(scene.image, scene.radius)) > 50


@pytest.mark.parametrize(("largest_px", "floor_db"), [(10, 55), (25, 50)])
def test_fast_equals_exact_on_a_random_field(largest_px, floor_db):
    rng = np.random.default_rng(3)
    image, radius = texture((200, 300), rng, 1.2), field((200, 300), rng, 40, largest_px)
    assert psnr(render_bokeh(image, radius), render_exact(image, radius)) > floor_db


def test_layers_at_full_resolution_are_exact():
    scene = Scene(4.5)  # no radius in the cross-fade of two layers but the lowest
    fast = render_bokeh(scene.image, scene.radius, BokehParams(split_px=1.0, coarse_px=12.0))
    assert psnr(fast, render_exact(scene.image, scene.radius)) > 80


@pytest.mark.parametrize(("largest_px", "floor_db"), [(5, 37), (10, 43), (25, 44), (50, 44)])
def test_preview_is_close(largest_px, floor_db):
    scene = Scene(largest_px)
    preview = render_bokeh_preview(scene.image, scene.radius)
    assert psnr(preview, render_exact(scene.image, scene.radius)) > floor_db


def test_steps_show_the_preview_until_all_has_full_detail():
    scene = Scene(25, shape=(700, 60))
    steps = list(
        bokeh.render_surfaces_steps(scene.image, bokeh.Surfaces.single(scene.radius), BokehParams())
    )
    assert len(steps) > 3
    preview = render_bokeh_preview(scene.image, scene.radius)
    assert all(np.array_equal(step.value, preview) and not step.done for step in steps[:-1])
    assert steps[-1].done
    assert np.array_equal(steps[-1].value, render_bokeh(scene.image, scene.radius))


def test_behind_a_foreground_the_first_step_has_full_detail():
    scene = Scene(10, shape=(60, 80))
    radius = np.where(scene.subject, np.float32(-6), scene.radius)
    (only,) = bokeh.render_surfaces_steps(scene.image, bokeh.Surfaces.single(radius), BokehParams())
    assert only.done and np.array_equal(only.value, render_bokeh(scene.image, radius))


@pytest.mark.parametrize("largest_px", [10, 25])
def test_it_comes_closer_to_the_truth_than_renderers_without_occlusion(largest_px):
    scene = Scene(largest_px)
    truth = scene.truth()
    inputs = scene.image, scene.radius
    naive = max(psnr(render(*inputs), truth) for render in (render_gather, render_scatter))
    assert psnr(render_bokeh(*inputs), truth) > naive + 8
    assert psnr(render_bokeh_preview(*inputs), truth) > naive + 6


@pytest.mark.parametrize("render", RENDERERS)
def test_memory_stays_below_16_bytes_a_pixel(render):
    radius = np.linspace(0.6, 100, 1000, dtype=np.float32) * np.ones((1000, 1), np.float32)
    image = np.zeros((1000, 1000, 3), np.float32)
    render(image[:64, :64], radius[:64, :64])  # compile, fill the tables
    tracemalloc.start()
    out = render(image, radius)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - out.nbytes < 16 * radius.size + strips.workers() * 2**21


@pytest.mark.parametrize("render", RENDERERS)
def test_radii_up_to_the_limit_and_odd_layouts_work(render):
    rng = np.random.default_rng(4)
    image = texture((77, 131), rng, 1.0)
    radius = np.full((77, 131), 400, np.float32)
    out = render(image[:, ::-1], radius[::-1])
    np.testing.assert_allclose(out, out.mean(axis=(0, 1)) * np.ones_like(out), rtol=0.05)
    image.setflags(write=False)
    assert render(image, radius).shape == image.shape


@pytest.mark.parametrize("render", [*RENDERERS, render_exact])
def test_wrong_input_is_named(render):
    image, radius = np.zeros((4, 5, 3), np.float32), np.zeros((4, 5), np.float32)
    with pytest.raises(ValueError, match="linear must be HxWx3 float32; got"):
        render(image[..., 0], radius)
    with pytest.raises(ValueError, match=r"radius must be HxW float32; got \(4, 5\) float64"):
        render(image, radius.astype(np.float64))
    with pytest.raises(ValueError, match=r"radius must have the size of linear, \(4, 5\)"):
        render(image, radius[:3])
    for bad in (-401, 401, np.nan, np.inf):
        with pytest.raises(ValueError, match=r"radius must lie in \[(-400|0), 400\] px"):
            render(image, radius + np.float32(bad))
    with pytest.raises(ValueError, match="not finite"):
        render(image + np.float32(np.nan), radius)


@pytest.mark.parametrize("largest_px", [12, 30])
def test_a_small_picture_looks_like_the_large_one(largest_px):
    scene = Scene(largest_px, shape=(400, 600))

    def half(plane):
        return cv2.resize(plane, (300, 200), interpolation=cv2.INTER_AREA)

    large = half(render_bokeh(scene.image, scene.radius))
    small = render_bokeh(half(scene.image), half(scene.radius) / 2)
    inner = half(cv2.dilate(scene.subject.astype(np.float32), np.ones((7, 7)))) == 0
    assert psnr(small[inner], large[inner]) > 40
    assert psnr(small, large) > 32
