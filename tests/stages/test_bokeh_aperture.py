import cv2
import numpy as np
import pytest

from stages.bokeh import BokehParams, render_bokeh, render_bokeh_preview
from stages.bokeh.aperture import Outline, gauges, stretch
from stages.bokeh.disk import disk_area

HEXAGON = BokehParams(blades=6, rotation_deg=10.0)
SHAPES = [
    HEXAGON,
    BokehParams(blades=5, curvature=0.4),
    BokehParams(cats_eye=0.7),
    BokehParams(blades=9, cats_eye=0.8),
]


def kernel_of(outline, radius_px):
    reach = int(np.ceil(stretch(outline) * (radius_px + 0.5)))
    axis = np.arange(-reach, reach + 1)
    distance = gauges(axis[:, None], axis[None, :], outline)
    weights = np.clip(radius_px + 0.5 - distance, 0, 1)
    return weights / weights.sum()


def seen(light, kernel):
    """Light spread by a kernel that is not symmetric: a convolution."""
    return cv2.filter2D(light, -1, kernel[::-1, ::-1], borderType=cv2.BORDER_CONSTANT)


@pytest.mark.parametrize("blades", [5, 6, 7, 12])
@pytest.mark.parametrize("curvature", [0.0, 0.5])
def test_outlines_have_the_area_of_the_disk_and_corners(blades, curvature):
    outline = Outline(blades, 20.0, curvature)
    radius = np.array([8.0, 20.0])
    np.testing.assert_allclose(disk_area(radius, 1.0, outline), np.pi * radius**2, rtol=5e-3)
    assert 1.005 < stretch(outline) < 1.16
    angles = np.linspace(0, 2 * np.pi, 721)[:-1]
    around = 50 / gauges(50 * np.sin(angles), 50 * np.cos(angles), outline)
    corners = (around > np.roll(around, 1)) & (around >= np.roll(around, -1))
    assert np.count_nonzero(corners) == blades


def test_a_disk_is_a_disk_and_curved_blades_make_one():
    for outline in (Outline(), Outline(4), Outline(6, 0.0, 1.0)):
        assert outline.is_round
        assert gauges(np.array([3]), np.array([4]), outline)[0] == 5


@pytest.mark.parametrize("params", [HEXAGON, BokehParams(blades=5, rotation_deg=-40.0)])
@pytest.mark.parametrize(("radius_px", "tolerance"), [(3.0, 1e-5), (6.0, 1e-5), (30.0, 0.02)])
def test_a_point_light_shows_the_aperture_the_right_way_up(params, radius_px, tolerance):
    light = np.zeros((121, 131), np.float32)
    light[60, 65] = 1000
    image = np.repeat(light[..., None], 3, axis=2)
    out = render_bokeh(image, np.full(light.shape, radius_px, np.float32), params)[..., 1]
    wanted = seen(light.astype(np.float64), kernel_of(params.outline, radius_px))
    assert np.abs(out - wanted).max() < tolerance * wanted.max()


@pytest.mark.parametrize("params", SHAPES)
@pytest.mark.parametrize("render", [render_bokeh, render_bokeh_preview])
def test_white_stays_white_and_focus_stays(params, render):
    radius = np.random.default_rng(0).uniform(0, 40, (150, 210)).astype(np.float32)
    flat = np.full((150, 210, 3), 1, np.float32)
    np.testing.assert_allclose(render(flat, radius, params), flat, rtol=1e-6)
    image = np.random.default_rng(1).random((150, 210, 3), np.float32)
    sharp = radius <= 0.5
    np.testing.assert_array_equal(render(image, radius, params)[sharp], image[sharp])


@pytest.mark.parametrize("params", SHAPES)
def test_shapes_do_not_depend_on_workers(params, set_workers):
    rng = np.random.default_rng(2)
    image, radius = rng.random((210, 300, 3), np.float32), rng.uniform(0, 30, (210, 300))
    set_workers(1)
    alone = render_bokeh(image, radius.astype(np.float32), params)
    set_workers(3)
    np.testing.assert_array_equal(render_bokeh(image, radius.astype(np.float32), params), alone)


def test_a_cats_eye_narrows_towards_the_corner_and_keeps_its_place_and_light():
    params, shape = BokehParams(cats_eye=0.7), (512, 768)
    image = np.zeros((*shape, 3), np.float32)
    places = [(60, 60), (256, 384)]
    for y, x in places:
        image[y, x] = 5000
    out = render_bokeh(image, np.full(shape, 20, np.float32), params)[..., 0].astype(np.float64)
    for y, x in places:
        disk = out[y - 40 : y + 41, x - 40 : x + 41]
        assert disk.sum() == pytest.approx(5000, rel=0.01)
        j, i = np.mgrid[-40:41, -40:41] * 1.0
        assert abs((disk * j).sum() / disk.sum()) < 0.5
        assert abs((disk * i).sum() / disk.sum()) < 0.5
        outwards = np.array([256 - 60, 384 - 60]) / np.hypot(256 - 60, 384 - 60)
        along, beside = j * outwards[0] + i * outwards[1], i * outwards[0] - j * outwards[1]
        narrow = np.sqrt((disk * along**2).sum() / (disk * beside**2).sum())
        assert narrow < 0.75 if y == 60 else 0.98 < narrow < 1.02
