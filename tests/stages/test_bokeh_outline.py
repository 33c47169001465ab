import cv2
import numpy as np
import pytest

from stages import strips, tone
from stages.arrays import reduce_by
from stages.bokeh import (
    BokehParams,
    OutlineParams,
    Surfaces,
    bring_forward,
    part_outlines,
    relit,
    render_bokeh,
    render_surfaces,
    render_surfaces_preview,
    seen_radius,
)
from stages.bokeh.coverage import (
    KNOWN,
    MIN_SHARE,
    MIN_WEIGHT,
    MIXED,
    WIDTHS,
    _mean_colours,
)
from stages.bokeh.disk import disk_area, effective_radius
from stages.bokeh.outline import _Place, _reduce_cells
from stages.grid import Grid
from stages.scene import Layer, compose

SHAPE = (160, 240)
STEP = 2
OUTLINE, BOKEH = OutlineParams(), BokehParams()


def psnr(a, b):
    return -10 * np.log10(np.mean((tone.encode(a).astype(np.float64) - tone.encode(b)) ** 2))


def texture(seed, tint, shape=SHAPE):
    noise = cv2.GaussianBlur(np.random.default_rng(seed).random((*shape, 3), np.float32), (0, 0), 2)
    return (np.clip((noise - 0.5) * 0.8 + 0.4, 0.02, 1) * np.array(tint, np.float32)).astype("f4")


def matte(shape=SHAPE):
    """A disk with a soft rim, and how far each pixel is inside of it, px."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    inside = 0.3 * shape[0] - np.hypot(y - shape[0] / 2, x - shape[1] / 2)
    return np.clip(inside + 0.5, 0, 1).astype(np.float32), inside


def cells_of(radius, step=STEP):
    """Grid of a solve."""
    return Grid.cells(radius.shape, step)


def soft_radius(inside, near_px, far_px, width_px=6.0, shift_px=0.0):
    """Radius as a solved map has it: the jump is smeared, and not quite in its place."""
    t = np.clip(0.5 - (inside - shift_px) / width_px, 0, 1)
    return (near_px + (far_px - near_px) * t).astype(np.float32)


def brute_force(linear, surfaces):
    """All surfaces of all pixels over one another, sharp over blurred, coverage clamped."""
    height, width = surfaces.near.shape
    y, x = np.mgrid[:height, :width]
    share = surfaces.far_share
    left = linear - share[..., None] * surfaces.far_light
    entries = [(surfaces.near, left, 1 - share)]
    second = surfaces.far > 0.5
    entries.append((surfaces.far, surfaces.far_light, second.astype(np.float32)))
    radii = np.unique(np.concatenate([np.maximum(r[w > 0], 0.5) for r, _, w in entries]))
    light, covered = np.zeros((height, width, 3)), np.zeros((height, width))
    for r in radii:  # each has a bin of its own
        own, weight = np.zeros((height, width, 3)), np.zeros((height, width))
        for radius, colour, coverage in entries:
            rows, cols = np.nonzero((np.maximum(radius, 0.5) == r) & (coverage > 0))
            for j, i in zip(rows, cols, strict=True):
                kernel = np.clip(r + 0.5 - np.hypot(y - j, x - i), 0, 1) / disk_area(np.array([r]))
                # A first surface is premultiplied; a second one is whole.
                own += kernel[..., None] * colour[j, i]
                weight += kernel * coverage[j, i]
        taken = np.minimum(weight, 1 - covered)
        light += (taken / np.maximum(weight, 1e-12))[..., None] * own
        covered += taken
    return (light / covered[..., None]).astype(np.float32)


def two_surfaces(near_px, far_px, shape=(28, 40)):
    """Exact surfaces of a small disk in front of a wall, and the photograph of both."""
    alpha, inside = matte(shape)
    alpha = cv2.GaussianBlur(alpha, (0, 0), 1.0)
    front, wall = texture(1, (0.9, 0.4, 0.2), shape), texture(2, (0.2, 0.5, 0.9), shape)
    image = alpha[..., None] * front + (1 - alpha[..., None]) * wall
    band = np.abs(inside) < 5
    near = np.where(band, near_px, np.where(inside > 0, near_px, far_px)).astype(np.float32)
    share = np.where(band, 1 - alpha, 0).astype(np.float32)
    image = np.where(band[..., None], image, np.where(inside[..., None] > 0, front, wall))
    light = np.where(band[..., None], wall, 0).astype(np.float32)
    far = np.where(band, far_px, 0).astype(np.float32)
    return np.ascontiguousarray(image, np.float32), Surfaces(near, far, share, light)


@pytest.mark.parametrize(("near_px", "far_px"), [(0.0, 3.0), (0.0, 7.0), (2.0, 7.0), (5.0, 9.0)])
def test_two_surfaces_are_rendered_as_by_brute_force(near_px, far_px):
    image, surfaces = two_surfaces(near_px, far_px)
    exact = brute_force(image, surfaces)
    assert psnr(render_surfaces(image, surfaces, BOKEH), exact) > 38
    one = render_bokeh(image, seen_radius(surfaces), BOKEH)
    assert psnr(render_surfaces(image, surfaces, BOKEH), exact) > psnr(one, exact) + 2


def test_a_picture_without_a_second_surface_is_that_of_the_renderer():
    image, surfaces = two_surfaces(0.0, 7.0)
    radius, none = surfaces.near, np.zeros_like(surfaces.near)
    empty = Surfaces(radius, none, none, np.zeros_like(image))
    expected = render_bokeh(image, radius, BOKEH)
    np.testing.assert_array_equal(render_surfaces(image, empty, BOKEH), expected)
    np.testing.assert_array_equal(render_surfaces(image, Surfaces.single(radius), BOKEH), expected)


def subject(near_px, far_px, shift_px=0.0):
    """A sharp-rimmed subject before a wall: photograph, the wider lens's, radius as solved."""
    alpha, inside = matte()
    front, wall = texture(3, (0.9, 0.4, 0.2)), texture(4, (0.2, 0.5, 0.9))
    sigmas = [np.full(SHAPE, effective_radius(r) / 2, np.float32) for r in (far_px, near_px)]
    ones = np.ones(SHAPE, np.float32)
    image = compose([Layer(wall, ones, 0 * ones), Layer(front, alpha, 0 * ones)])
    truth = compose([Layer(wall, ones, sigmas[0]), Layer(front, alpha, sigmas[1])])
    return image, truth, soft_radius(inside, near_px, far_px, shift_px=shift_px)


@pytest.mark.parametrize(("near_px", "far_px"), [(0.0, 6.0), (0.0, 14.0), (3.0, 12.0)])
@pytest.mark.parametrize("shift_px", [0.0, 1.0, 2.0])
def test_outlines_come_close_to_the_truth_though_the_jump_is_not_in_its_place(
    near_px, far_px, shift_px
):
    image, truth, radius = subject(near_px, far_px, shift_px)
    surfaces = part_outlines(radius, image, cells_of(radius), OUTLINE)
    out = render_surfaces(image, surfaces, BOKEH)
    assert psnr(out, truth) > 37
    hard = np.where(radius < (near_px + far_px) / 2, near_px, far_px).astype(np.float32)
    assert psnr(out, truth) > psnr(render_bokeh(image, hard, BOKEH), truth) + 1


def test_coverage_is_that_of_the_matte_where_colours_part():
    alpha, _ = matte()
    image, _, radius = subject(0.0, 10.0, shift_px=2.0)
    surfaces = part_outlines(radius, image, cells_of(radius), OUTLINE)
    covered = np.where(surfaces.far > 0, 1 - surfaces.far_share, seen_radius(surfaces) < 5)
    step = radius < 5
    wrong = np.abs(covered - alpha) > 0.5
    assert wrong.sum() < 0.1 * (np.abs(step - alpha) > 0.5).sum()
    assert np.abs(covered - alpha).sum() < 0.85 * np.abs(step - alpha).sum()


def test_where_colours_do_not_part_the_outline_is_the_step_of_the_map():
    _, inside = matte()
    image = texture(5, (0.6, 0.6, 0.6))
    radius = soft_radius(inside, 0.0, 10.0)
    surfaces = part_outlines(radius, image, cells_of(radius), OUTLINE)
    step = radius < 5
    sure = np.abs(inside) > 3
    covered = np.where(surfaces.far > 0, 1 - surfaces.far_share, seen_radius(surfaces) < 5)
    assert np.abs(covered - step)[sure].mean() < 0.01
    hard = render_bokeh(image, np.where(step, 0, 10).astype(np.float32), BOKEH)
    assert psnr(render_surfaces(image, surfaces, BOKEH), hard) > 30


def test_nothing_changes_farther_from_an_outline_than_its_band():
    image, _, radius = subject(0.0, 10.0)
    _, inside = matte()
    surfaces = part_outlines(radius, image, cells_of(radius), OUTLINE)
    away = np.abs(inside) > (OUTLINE.reach + 2) * STEP
    np.testing.assert_array_equal(surfaces.near[away], radius[away])
    assert not surfaces.far[away].any() and not surfaces.far_share[away].any()
    out, plain = render_surfaces(image, surfaces, BOKEH), render_bokeh(image, radius, BOKEH)
    inner = inside > (OUTLINE.reach + 2) * STEP
    np.testing.assert_array_equal(out[inner], image[inner])
    reach = np.abs(inside) > (OUTLINE.reach + 2) * STEP + 2 * 10 + 2
    np.testing.assert_allclose(out[reach], plain[reach], atol=2e-6)  # sums in another order


@pytest.mark.parametrize("slope", [0.0, 0.05, 0.15])
def test_a_slanted_surface_has_no_outline(slope):
    x = np.arange(SHAPE[1], dtype=np.float32)
    radius = np.repeat((slope * x)[None], SHAPE[0], axis=0).astype(np.float32)
    surfaces = part_outlines(radius, texture(6, (0.5, 0.5, 0.5)), cells_of(radius), OUTLINE)
    assert not surfaces.has_outlines
    assert surfaces.near is radius


def test_the_far_surface_goes_on_behind_the_near_one_with_its_own_colour():
    image, _, radius = subject(0.0, 10.0)
    _, inside = matte()
    surfaces = part_outlines(radius, image, cells_of(radius), OUTLINE)
    behind = (inside > 2) & (inside < OUTLINE.reach * STEP - 2)
    assert np.abs(surfaces.far[behind] - 10).max() < 1
    red, _, blue = surfaces.far_light[behind].T
    assert np.mean(blue > red) > 0.95  # the wall is blue, the subject red


def test_what_is_left_for_the_near_surface_is_never_below_black():
    image, _, radius = subject(0.0, 10.0)
    surfaces = part_outlines(radius, image, cells_of(radius), OUTLINE)
    left = image - surfaces.far_share[..., None] * surfaces.far_light
    assert left.min() > -1e-5
    assert surfaces.far_light.min() >= 0


def test_results_are_those_of_one_worker():
    rng = np.random.default_rng(8)
    image = rng.random((300, 420, 3), np.float32)
    coarse = (12 * (rng.random((10, 14)) > 0.5)).astype(np.float32)
    radius = cv2.resize(coarse, (420, 300), interpolation=cv2.INTER_LINEAR)
    found, before = [], strips.workers()
    try:
        for count in (1, 3):
            strips.set_workers(count)
            surfaces = part_outlines(radius, image, cells_of(radius), OUTLINE)
            found.append((*surfaces, render_surfaces(image, surfaces, BOKEH)))
    finally:
        strips.set_workers(before)
    assert surfaces.has_outlines
    for one, many in zip(*found, strict=True):
        np.testing.assert_array_equal(one, many)


def test_the_preview_shows_the_surface_that_is_seen_most_of():
    image, _, radius = subject(0.0, 10.0)
    surfaces = part_outlines(radius, image, cells_of(radius), OUTLINE)
    full, preview = (f(image, surfaces, BOKEH) for f in (render_surfaces, render_surfaces_preview))
    assert psnr(preview, full) > 30
    seen = seen_radius(surfaces)
    assert set(np.unique(seen[(surfaces.far_share > 0.6)] > 4)) == {True}


def test_light_given_back_to_a_far_surface_is_its_own():
    image, surfaces = two_surfaces(0.0, 7.0)
    bright = image + np.float32(2) * (surfaces.far_share > 0.5)[..., None]
    lit = relit(surfaces, image, np.asarray(bright, np.float32))
    mixed = surfaces.far_share > 0
    left = bright - lit.far_share[..., None] * lit.far_light
    before = image - surfaces.far_share[..., None] * surfaces.far_light
    np.testing.assert_allclose(left[mixed], before[mixed], atol=1e-5)
    assert relit(surfaces, image, image) is surfaces


def test_in_front_of_the_focus_there_is_one_surface():
    image, _, radius = subject(0.0, 10.0)
    surfaces = part_outlines(radius, image, cells_of(radius), OUTLINE)
    mask = np.zeros(SHAPE, np.float32)
    mask[:, 120:] = 1
    marked = bring_forward(surfaces, mask)
    assert not marked.far[:, 120:].any() and not marked.far_share[:, 120:].any()
    np.testing.assert_array_equal(marked.near[:, 120:], -surfaces.near[:, 120:])
    np.testing.assert_array_equal(marked.far[:, :120], surfaces.far[:, :120])
    assert bring_forward(surfaces, None) is surfaces


def test_bad_input_is_refused():
    image, _, radius = subject(0.0, 10.0)
    with pytest.raises(ValueError, match="outline: linear must have the size of radius"):
        part_outlines(radius[1:], image, cells_of(radius), OUTLINE)
    with pytest.raises(ValueError, match="outline: radius must lie in"):
        part_outlines(-radius - 1, image, cells_of(radius), OUTLINE)
    surfaces = part_outlines(radius, image, cells_of(radius), OUTLINE)
    with pytest.raises(ValueError, match="bokeh: surfaces must have the size of the picture"):
        render_surfaces(image, surfaces._replace(far=surfaces.far[1:]), BOKEH)


def test_squares_without_an_outline_are_skipped_without_a_change():
    shape = (70, 330)  # several squares, the last ones cropped
    image, radius = texture(7, (0.5, 0.6, 0.7), shape), np.full(shape, 14, np.float32)
    radius[:, :150] = 0
    far, share = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    far[20:50, 140:170], share[20:50, 140:170] = 14, 0.5
    surfaces = Surfaces(radius, far, share, image * (far > 0)[..., None])
    plain = render_surfaces(image, surfaces, BOKEH)
    far[:, :1] = far[:, -1:] = 0.25  # a radius in focus in other squares, which changes no light
    np.testing.assert_array_equal(render_surfaces(image, surfaces, BOKEH), plain)


def test_colours_of_surfaces_are_weighted_means_over_windows():
    rng = np.random.default_rng(9)
    shape = (7, 30)  # narrower than the largest window, which is mirrored at the ends
    light, coverage = rng.random((*shape, 3), np.float32), rng.random(shape, np.float32)
    strength = rng.random(shape, np.float32) / 2
    weight = np.minimum(strength / KNOWN, 1) * np.maximum(coverage - MIXED, 0) ** 2 + MIN_WEIGHT
    for mixed in (False, True):
        share = np.maximum(coverage, MIN_SHARE) if mixed else np.ones(shape)
        planes = np.dstack([light * weight[..., None], weight * share]).astype(np.float64)
        total = np.zeros_like(planes)
        for radius, wide in WIDTHS:
            padded = np.pad(planes, [(radius, radius), (radius, radius), (0, 0)], "reflect")
            windows = np.lib.stride_tricks.sliding_window_view(
                padded, (2 * radius + 1,) * 2, (0, 1)
            )
            total += wide * windows.mean(axis=(-2, -1))
        found = np.empty((3, *shape), np.float32)
        _mean_colours(light, coverage, strength, mixed, found)
        np.testing.assert_allclose(np.moveaxis(found, 0, 2), total[..., :3] / total[..., 3:], 1e-4)


@pytest.mark.parametrize("step", [2, 4])
def test_cells_are_means_of_their_pixels_with_the_border_repeated(step):
    rng = np.random.default_rng(10)
    linear = rng.random((21, 30, 3), np.float32)
    radius = rng.random((21, 30), np.float32)
    grid = Grid.cells(radius.shape, step)
    near, far = np.zeros(grid.shape, np.float32), rng.random(grid.shape, np.float32)
    side, light = np.empty(grid.shape, np.float32), np.empty((*grid.shape, 3), np.float32)
    place = _Place(*map(np.uint64, (0, 21, 0, 30, 0, 0, step)))
    _reduce_cells(radius, linear.reshape(-1), place, near, far, side, light)
    np.testing.assert_allclose(light, reduce_by(linear, step), rtol=1e-5)
    for j, i in np.ndindex(grid.shape):
        cell = radius[j * step : (j + 1) * step, i * step : (i + 1) * step]
        assert side[j, i] == pytest.approx((cell < far[j, i] / 2).mean())
