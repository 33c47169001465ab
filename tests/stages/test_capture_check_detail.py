import cv2
import numpy as np
import pytest

from stages import capture_check as check
from stages.blur import BlurParams, survey
from stages.capture_check import CheckParams, blur_statistics
from stages.capture_check.detail import DIRECTIONS, DetailLoss, detail_loss
from stages.findings import Severity
from stages.tone import linearise
from stages.view import ViewParams, view_at, working_grid

LIMITS = CheckParams()
NOISE = 0.5 / 255


def leaves(seed=0, shape=(480, 640)):
    """Overlapping ellipses of all sizes: edges of every direction, as in natural pictures."""
    rng = np.random.default_rng(seed)
    plane = np.full(shape, 0.5, np.float32)
    for radius in np.sort(3 / rng.random(1500))[::-1]:
        centre = rng.uniform(0, shape[1]), rng.uniform(0, shape[0])
        axes = np.minimum(radius * rng.uniform(0.8, 2, 2), 300)
        colour = rng.uniform(0.1, 0.9)
        cv2.ellipse(plane, (centre, axes, rng.uniform(0, 180)), colour, -1, cv2.LINE_8)
    return plane


def moved(plane, length, degrees):
    kernel = np.zeros((41, 41), np.float32)
    for t in np.linspace(-0.5, 0.5, 400):
        shift = length * t * np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
        spot = np.zeros_like(kernel)
        spot[20, 20] = 1
        kernel += cv2.warpAffine(spot, np.float32([[1, 0, shift[0]], [0, 1, shift[1]]]), (41, 41))
    return cv2.filter2D(plane, -1, kernel / kernel.sum())


def statistics_of(linear, params):
    """Blur statistics on the view of the estimation, as the camera measures them."""
    grid = working_grid(linear, ViewParams())
    view = view_at(linear, grid)
    return blur_statistics(view, survey(view, BlurParams()), grid, params)


def verdict(plane):
    picture = np.repeat(np.clip(plane, 0, 1)[:, :, None], 3, axis=2)
    statistics = statistics_of(linearise(np.ascontiguousarray(picture)), CheckParams())
    return check.judge(statistics, None, CheckParams())[0]


def shaken(plane):
    loss = detail_loss(plane, NOISE)
    return LIMITS.lacks_a_direction(loss) or LIMITS.spares_a_direction(loss)


@pytest.mark.parametrize("degrees", [0, 15, 30, 45, 75, 90, 120, 160])
@pytest.mark.parametrize("length", [8, 15, 25])
def test_motion_is_found_in_every_direction(length, degrees):
    assert verdict(moved(leaves(), length, degrees)).code == "shaken"


def test_the_loss_along_a_track_grows_with_its_length():
    plane = leaves()
    found = [detail_loss(moved(plane, length, 30), NOISE).contrast for length in (1, 2, 3)]
    assert np.all(np.diff(found) > 1)


@pytest.mark.parametrize("sigma", [0.0, 0.7, 2.0, 3.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_blur_takes_detail_in_all_directions(sigma, seed):
    plane = leaves(seed, (720, 1280))
    loss = detail_loss(cv2.GaussianBlur(plane, (0, 0), sigma) if sigma else plane, NOISE)
    assert loss.directions == DIRECTIONS and loss.contrast < LIMITS.shaken_contrast_db
    assert LIMITS.lacks_detail(loss) == (sigma >= 2)
    assert (loss.soft_share > 0.5) == (sigma >= 2)


def test_the_same_share_of_the_frame_is_lost_in_a_smaller_file():
    plane = leaves(2, (720, 1280))
    small = cv2.resize(plane, (640, 360), interpolation=cv2.INTER_AREA)
    for one, sigma in ((plane, 3.0), (small, 1.5)):
        assert not LIMITS.lacks_detail(detail_loss(one, NOISE))
        assert LIMITS.lacks_detail(detail_loss(cv2.GaussianBlur(one, (0, 0), sigma), NOISE))


def test_a_sharp_part_keeps_its_detail():
    plane = cv2.GaussianBlur(leaves(3, (720, 1280)), (0, 0), 4)
    plane[200:400, 500:800] = leaves(3, (720, 1280))[200:400, 500:800]
    loss = detail_loss(plane, NOISE)
    assert not LIMITS.lacks_detail(loss) and loss.soft_share > 0.5


def test_noise_has_no_direction():
    rng = np.random.default_rng(3)
    plane = (0.5 + 0.02 * rng.standard_normal((480, 640))).astype(np.float32)
    loss = detail_loss(plane, 0.02)
    assert loss.contrast < LIMITS.shaken_contrast_db and not LIMITS.lacks_detail(loss)


@pytest.mark.parametrize("degrees", [0, 25, 90])
@pytest.mark.parametrize("grain", [0.0, 0.02])
def test_straight_lines_are_no_shake(degrees, grain):
    rng = np.random.default_rng(4)
    y, x = np.indices((480, 640), np.float32)
    across = y * np.cos(np.radians(degrees)) + x * np.sin(np.radians(degrees))
    levels = rng.random(400, np.float32)
    position = (across - across.min()) / 6
    left = position.astype(int)
    edge = np.clip((position - left - 0.9) * 10, 0, 1)  # stripes with edges of half a pixel
    plane = 0.2 + 0.6 * ((1 - edge) * levels[left] + edge * levels[left + 1])
    plane += grain * rng.standard_normal(plane.shape).astype(np.float32)
    assert not shaken(plane.astype(np.float32))


def test_a_sharp_subject_before_reeds_is_no_shake():
    """Stripes everywhere but on a tenth of the picture, where detail has all directions."""
    rng = np.random.default_rng(4)
    plane = 0.2 + 0.6 * np.repeat(rng.random((1, 160), np.float32), 480, axis=0).repeat(4, axis=1)
    assert not shaken(plane)
    plane[150:320, 230:420] = leaves()[150:320, 230:420]
    assert not shaken(plane)


def test_walls_of_bricks_are_no_shake():
    """Two directions of detail at right angles: coarse structure between them has no fine one."""
    rng = np.random.default_rng(5)
    courses = rng.random((40, 40), np.float32).repeat(12, axis=0).repeat(16, axis=1)
    assert not shaken(0.2 + 0.6 * courses)


@pytest.mark.parametrize("degrees", [0, 30, 60, 110])
def test_a_long_track_in_a_small_picture_spares_the_direction_across_it(degrees):
    """Its loss is the same in most directions: the second harmonic alone would miss it."""
    plane = cv2.resize(leaves(6, (720, 1280)), (480, 270), interpolation=cv2.INTER_AREA)
    assert detail_loss(plane, NOISE).across < LIMITS.long_track_db / 2
    assert detail_loss(moved(plane, 14, degrees), NOISE).across > LIMITS.long_track_db
    assert verdict(moved(plane, 14, degrees)).code == "shaken"


@pytest.mark.parametrize("degrees", [0, 20])
def test_sharp_squares_before_blurred_ones_are_no_shake(degrees):
    """Detail is lost in most directions, but not at right angles to the one that keeps it."""
    rng = np.random.default_rng(5)
    sharp = 0.1 + 0.8 * rng.random((20, 30), np.float32).repeat(12, axis=0).repeat(12, axis=1)
    aim = cv2.getRotationMatrix2D((180, 120), degrees, 1.3)
    sharp = cv2.warpAffine(sharp, aim, (360, 240), borderMode=cv2.BORDER_REFLECT)
    plane = cv2.GaussianBlur(sharp, (0, 0), 3.5)
    plane[70:170, 110:250] = sharp[70:170, 110:250]
    loss = detail_loss(plane, NOISE)
    assert loss.median - loss.least > LIMITS.long_track_db / 2 > loss.across
    assert verdict(plane).code == "defocus_present"


def test_turning_the_picture_changes_nothing():
    plane = moved(leaves(), 12, 20)
    turned = detail_loss(np.ascontiguousarray(plane.T), NOISE)
    assert turned == pytest.approx(detail_loss(plane, NOISE), abs=0.3)


@pytest.mark.parametrize("shape", [(1, 1), (63, 900), (64, 64), (64, 100)])
def test_too_small_a_picture_says_nothing(shape):
    assert detail_loss(np.zeros(shape, np.float32), NOISE).directions == 0


def test_a_shaken_picture_warns():
    found = verdict(moved(leaves(), 10, 40))
    assert (found.code, found.severity) == ("shaken", Severity.WARNING)
    assert found.value > found.limit


@pytest.mark.parametrize("length, blur_px", [(10, 3.0), (40, 2.0)])
def test_a_picture_without_anything_sharp_is_stopped_even_if_it_was_shaken(length, blur_px):
    found = verdict(cv2.GaussianBlur(moved(leaves(), length, 0), (0, 0), blur_px))
    assert found.code in ("shaken", "no_sharp_subject") and found.severity is Severity.BLOCKING


def test_detail_in_a_rim_only_measures_nothing():
    plane = np.zeros((200, 300), np.float32)
    plane[:30] = np.random.default_rng(0).random((30, 300), np.float32)
    assert detail_loss(plane, NOISE, np.zeros(plane.shape, bool)) == DetailLoss()
