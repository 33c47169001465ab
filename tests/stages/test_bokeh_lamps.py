import numpy as np
import pytest

from stages.blur.balls import Balls
from stages.bokeh import (
    BokehParams,
    Surfaces,
    find_lamps,
    render_lit,
    render_lit_preview,
    render_lit_steps,
    render_surfaces,
    render_surfaces_preview,
)
from stages.bokeh.lamplight import lamplight, without_lamps
from stages.grid import BlurMap, Grid
from stages.highlights import HighlightsParams
from stages.scene import Layer, compose

SHAPE = (110, 130)
PLACE = (55, 60)
SIGMA_PX = 4.0
RADIUS_PX = 2 * SIGMA_PX
TIMES = 2.5
SURFACE_PX = float(RADIUS_PX * np.sqrt(TIMES**2 - 1))
GROUND = 0.02
BOKEH, BOOST = BokehParams(), HighlightsParams()


def photograph(sigma_px, light, clip=True):
    """A lamp in the dark whose disk has a light, in 3 channels."""
    linear = np.full((*SHAPE, 3), GROUND, np.float32)
    linear[PLACE] += np.pi * np.float32(RADIUS_PX**2) * np.float32(light)
    one = np.ones(SHAPE, np.float32)
    out = compose([Layer(linear, one, np.float32(sigma_px) * one)])
    return np.minimum(out, 1) if clip else out


def surfaces(radius=SURFACE_PX):
    return Surfaces.single(np.full(SHAPE, radius, np.float32))


def ball():
    return Balls(np.float32([PLACE]), np.float32([RADIUS_PX]), np.ones(1, bool))


def lamps_of(linear, *, radius=SURFACE_PX, sigma=SIGMA_PX, headroom=False, params=BOOST):
    one = np.ones(SHAPE, np.float32)
    blur = BlurMap(np.float32(sigma) * one, one, Grid(SHAPE))
    return find_lamps(ball(), np.float32(radius) * one, blur, linear, headroom, params)


@pytest.mark.parametrize("light", [(0.8, 0.6, 0.3), (2.0, 0.8, 0.4)])
def test_the_larger_disk_is_that_of_the_wider_lens(light):
    linear = photograph(SIGMA_PX, light)
    found = render_lit(linear, surfaces(), lamps_of(linear), BOKEH)
    wider = photograph(TIMES * SIGMA_PX, light)
    np.testing.assert_allclose(found[PLACE], wider[PLACE], rtol=0.1)
    blurred_twice = render_surfaces(linear, surfaces(), BOKEH)
    assert np.mean(abs(found - wider)) < 0.2 * np.mean(abs(blurred_twice - wider))


def test_a_clipped_lamp_stays_bright_in_its_own_hue():
    light = (8.0, 4.0, 2.0)
    linear = photograph(SIGMA_PX, light)
    lamps = lamps_of(linear)
    np.testing.assert_allclose(lamps.light[0] / lamps.light[0].max(), (1, 0.5, 0.25), atol=0.08)
    shown = render_lit(linear, surfaces(), lamps, BOKEH)[PLACE]
    assert 0.75 < shown.max() < 1.05


def test_light_is_not_invented_where_the_capture_has_headroom_or_recovery_is_off():
    linear = photograph(SIGMA_PX, (3.0, 3.0, 3.0), clip=False)
    np.testing.assert_allclose(lamps_of(linear, headroom=True).light, 3, rtol=0.02)
    clipped = np.minimum(linear, 1)
    off = lamps_of(clipped, params=HighlightsParams(boost=1.0))
    np.testing.assert_allclose(off.light, 1 - GROUND, rtol=0.02)


@pytest.mark.parametrize("other", [{"radius": 0.0}, {"radius": -SURFACE_PX}, {"sigma": 0.5}])
def test_balls_in_focus_in_front_of_it_or_of_another_blur_are_left_alone(other):
    assert not lamps_of(photograph(SIGMA_PX, (4.0, 4.0, 4.0)), **other)


def test_the_lamp_is_taken_out_and_a_hair_before_it_stays():
    linear = photograph(SIGMA_PX, (4.0, 4.0, 4.0))
    hair = np.float32([0.3, 0.2, 0.1])
    linear[:, 58:60] = hair
    lamps = lamps_of(linear)
    dark, parts = without_lamps(linear, surfaces(), lamps)
    np.testing.assert_allclose(np.delete(dark, (58, 59), axis=1), GROUND, atol=0.01)
    assert abs(dark[:40, 58:60] - hair).max() < 0.01
    np.testing.assert_array_equal(
        parts.near[PLACE[0], 56:62], np.float32([SURFACE_PX] * 2 + [0] * 2 + [SURFACE_PX] * 2)
    )
    shown = render_lit(linear, surfaces(), lamps, BOKEH)[PLACE[0]]
    assert abs(shown[58:60, 0] - shown[50, 0]).min() > 0.2


def test_a_subject_in_focus_hides_the_disk_and_a_second_surface_shows_it():
    linear = photograph(SIGMA_PX, (4.0, 4.0, 4.0))
    lamps = lamps_of(linear)
    near = surfaces().near.copy()
    near[:, 72:] = 0
    lit = lamplight(linear, Surfaces.single(near), lamps, BOKEH)
    assert lit[PLACE[0], 74] == pytest.approx(0, abs=1e-6)
    assert lit[PLACE[0], 66, 0] > 0.5
    planes = (np.zeros(SHAPE, np.float32) for _ in range(2))
    far, share = planes
    far[:, 72:76], share[:, 72:76] = SURFACE_PX, 0.5
    parts = Surfaces(near, far, share, np.zeros_like(linear))
    mixed = lamplight(linear, parts, lamps, BOKEH)
    assert mixed[PLACE[0], 74, 0] == pytest.approx(mixed[PLACE[0], 66, 0] / 2, rel=0.1)
    assert mixed[PLACE[0], 78, 0] == 0


def test_the_disk_has_the_shape_of_the_aperture_and_keeps_its_light():
    linear = photograph(SIGMA_PX, (4.0, 4.0, 4.0))
    lamps = lamps_of(linear)
    disk, pentagon = (
        lamplight(linear, surfaces(), lamps, BokehParams(blades=blades)) for blades in (0, 5)
    )
    assert disk.sum() == pytest.approx(pentagon.sum(), rel=0.01)
    assert np.mean((disk > 0) != (pentagon > 0)) > 0.005
    expected = lamps.light[0, 0] * np.pi * RADIUS_PX**2
    assert disk[..., 0].sum() == pytest.approx(expected, rel=0.02)


def test_steps_end_with_the_full_picture_and_without_lamps_nothing_is_added(set_workers):
    linear = photograph(SIGMA_PX, (4.0, 4.0, 4.0))
    lamps = lamps_of(linear)
    set_workers(1)
    full = render_lit(linear, surfaces(), lamps, BOKEH)
    set_workers(3)
    *_, last = render_lit_steps(linear, surfaces(), lamps, BOKEH)
    assert last.done
    np.testing.assert_array_equal(last.value, full)
    preview = render_lit_preview(linear, surfaces(), lamps, BOKEH)
    assert np.mean(abs(preview - full)) < 0.002
    none = lamps_of(linear, radius=0.0)
    for lit, plain in (
        (render_lit, render_surfaces), (render_lit_preview, render_surfaces_preview),
    ):  # fmt: skip
        np.testing.assert_array_equal(
            lit(linear, surfaces(), none, BOKEH), plain(linear, surfaces(), BOKEH)
        )
