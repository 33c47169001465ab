import numpy as np
import pytest

from stages.blur import BallParams, accepted_balls, add_ball_edges, find_balls, without_ball_rims
from stages.blur.balls import Balls
from stages.grid import BlurMap, Grid
from stages.scene import Layer, compose
from stages.tone import SRGB, encode

SHAPE = (120, 160)
PLACES = [(30, 30), (30, 80), (40, 130), (90, 50), (85, 110)]
SIGMA_PX = 4.0  # a disk of radius 8 px


def view_of(linear):
    return encode(np.ascontiguousarray(np.minimum(linear, 1), np.float32), SRGB)


def night(sigma_px=SIGMA_PX, level=4.0, colour=(1.0, 1.0, 1.0), places=PLACES, ground=0.02):
    """View of lamps in the dark, blurred by a lens; `level` is the light of their disks."""
    linear = np.full((*SHAPE, 3), ground, np.float32)
    for y, x in places:
        linear[y, x] += np.float32(level * np.pi * (2 * sigma_px) ** 2) * np.float32(colour)
    one = np.ones(SHAPE, np.float32)
    return view_of(compose([Layer(linear, one, np.float32(sigma_px) * one)]))


def drawn(inside, light=1.0, ground=0.02):
    """View of a shape: `inside` is the distance from its outline in px, positive inside."""
    alpha = np.clip(inside + 0.5, 0, 1)[..., None]
    return view_of(ground + (light - ground) * alpha * np.ones(3))


def distances(y=60.0, x=80.0):
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)
    return rows - y, cols - x


def no_data(step=1):
    zero = np.zeros(Grid.cells(SHAPE, step).shape, np.float32)
    return BlurMap(zero, zero.copy(), Grid.cells(SHAPE, step))


def all_data(sigma, step=2):
    one = np.ones(Grid.cells(SHAPE, step).shape, np.float32)
    return BlurMap(np.float32(sigma) * one, one, Grid.cells(SHAPE, step))


@pytest.mark.parametrize("colour", [(1.0, 1.0, 1.0), (1.0, 0.4, 0.2)])
def test_lights_out_of_focus_are_found_where_they_are_with_their_radius(colour):
    found = find_balls(night(colour=colour), Grid(SHAPE))
    order = np.lexsort(found.places.T)
    np.testing.assert_allclose(found.places[order], sorted(PLACES, key=lambda p: p[::-1]), atol=0.6)
    np.testing.assert_allclose(found.radius, 2 * SIGMA_PX, rtol=0.08)
    assert found.clipped.all()


def test_places_and_radii_are_in_pixels_of_the_picture():
    one, four = (find_balls(night(), Grid.cells((n, m), step)) for n, m, step in
                 ((*SHAPE, 1), (4 * SHAPE[0], 4 * SHAPE[1], 4)))  # fmt: skip
    np.testing.assert_allclose(four.radius, 4 * one.radius)
    np.testing.assert_allclose(four.places, 4 * one.places + 1.5)


@pytest.mark.parametrize("kind", ["square", "ring", "bar", "soft", "uneven", "by day", "tiny"])
def test_other_bright_shapes_are_not_found(kind):
    down, across = distances()
    distance = np.hypot(down, across)
    inside = {
        "square": 9 - np.maximum(abs(down), abs(across)),
        "ring": np.minimum(10 - distance, distance - 6),
        "bar": np.minimum(9 - abs(down), 3 - abs(across)),
        "soft": (9 - distance) / 12,
        "tiny": 2 - distance,
    }.get(kind, 9 - distance)
    view = drawn(inside, ground=0.5 if kind == "by day" else 0.02)
    if kind == "uneven":
        view *= 0.85 + 0.15 * np.cos(across / 2)[..., None]
    assert not find_balls(view.astype(np.float32), Grid(SHAPE))


def test_a_ball_with_another_beside_it_is_found():
    down, across = distances()
    white = np.hypot(down, across)
    orange = np.hypot(down - 12, across - 10)
    linear = np.full((*SHAPE, 3), 0.02, np.float32)
    linear[orange < 10] = (1, 0.5, 0.2)
    linear[white < 10] = 1
    found = find_balls(view_of(linear), Grid(SHAPE))
    assert np.hypot(*(found.places - (60, 80)).T).min() < 1


def test_a_ball_behind_a_hair_is_found_beside_others():
    view = night()
    whole = len(find_balls(view, Grid(SHAPE)).radius)
    view[:60, 79:81] = 0.2
    assert len(find_balls(view, Grid(SHAPE)).radius) == whole


def test_several_balls_in_the_dark_are_accepted_and_a_single_one_is_not():
    balls = find_balls(night(), Grid(SHAPE))
    data = no_data(2), no_data()
    assert len(accepted_balls(balls, *data, BallParams()).radius) == len(PLACES)
    assert not accepted_balls(balls.take(np.arange(1)), *data, BallParams())
    assert not accepted_balls(balls, *data, BallParams(quorum=100))


def test_balls_of_different_radii_do_not_vote_for_each_other():
    radius = np.float32([5, 8, 12, 18, 28])
    balls = Balls(np.float32(PLACES), radius, np.ones(5, bool))
    assert not accepted_balls(balls, no_data(2), no_data(), BallParams())


def test_a_single_ball_among_edges_of_its_blur_is_accepted_and_one_among_sharp_detail_is_not():
    balls = find_balls(night(), Grid(SHAPE))
    one, blurred, sharp = balls.take(np.arange(1)), all_data(SIGMA_PX), all_data(0.5)
    assert len(accepted_balls(one, blurred, no_data(), BallParams()).radius) == 1
    assert not accepted_balls(balls, sharp, no_data(), BallParams())
    assert not accepted_balls(balls, no_data(2), all_data(0.5, 1), BallParams())


def test_data_at_the_rim_are_replaced_by_the_blur_of_the_ball():
    balls = Balls(np.float32([[60, 80]]), np.float32([10]), np.ones(1, bool))
    edges = without_ball_rims(all_data(0.5), balls, Grid(SHAPE))
    bounds = without_ball_rims(no_data(), balls, Grid(SHAPE))
    found = add_ball_edges(edges, bounds, balls)
    y, x = (2 * np.indices(found.sigma.shape) + 0.5).astype(np.float32)
    distance = np.hypot(y - 60, x - 80)
    np.testing.assert_array_equal(found.sigma[distance < 13], 5)
    assert (found.confidence[distance < 13] > 0).all()
    np.testing.assert_array_equal(found.sigma[distance > 24], 0.5)
    np.testing.assert_array_equal(edges.confidence[abs(distance - 10) < 4], 0)


def test_sharp_detail_in_a_ball_keeps_its_data():
    balls = Balls(np.float32([[60, 80]]), np.float32([20]), np.ones(1, bool))
    bounds = no_data()
    bounds.sigma[60, 60:100], bounds.confidence[60, 60:100] = 0.4, 1
    bounds = without_ball_rims(bounds, balls, Grid(SHAPE))
    found = add_ball_edges(no_data(2), bounds, balls)
    assert bounds.confidence[60, 80] == 1
    assert found.confidence[30, 40] == 0
    assert found.confidence[28, 40] > 0


def test_without_balls_nothing_changes():
    balls = find_balls(drawn(distances()[0]), Grid(SHAPE))
    edges, bounds = all_data(1.0), all_data(0.5, 1)
    assert not balls
    assert accepted_balls(balls, edges, bounds, BallParams()) is balls
    assert without_ball_rims(edges, balls, Grid(SHAPE)) is edges
    assert add_ball_edges(edges, bounds, balls) is edges
