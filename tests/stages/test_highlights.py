import numpy as np
import pytest

from stages.highlights import HighlightsParams, recover_highlights

BOOST = HighlightsParams(boost=8.0)
SHAPE = (80, 100)


def scene(around=0.05):
    """A white lamp of 4 x 4 px with an orange glow of one pixel around it."""
    image = np.full((*SHAPE, 3), around, np.float32)
    image[29:35, 39:45] = (0.8, 0.4, 0.1)
    image[30:34, 40:44] = 1
    return image


def disks(radius_px=20.0):
    return np.full(SHAPE, radius_px, np.float32)


def test_a_lamp_is_lit_in_the_colour_of_its_glow():
    image = scene()
    lit = recover_highlights(image, disks(), False, BOOST)
    red, green, blue = lit[31, 41]
    assert 6 < red <= 8
    assert green - 1 == pytest.approx((red - 1) * 0.5, rel=0.15)
    assert blue < green < red
    lamp = np.zeros(SHAPE, bool)
    lamp[30:34, 40:44] = True
    np.testing.assert_array_equal(lit[~lamp], image[~lamp])
    assert image.max() == 1  # the input is not touched


@pytest.mark.parametrize(
    ("image", "radius"),
    [
        (scene(), disks(0.4)),  # in focus
        (scene(), disks(6.0)),  # too large for its disk
        (scene(around=0.7), disks()),  # a glint on a white shirt
        (np.ones((*SHAPE, 3), np.float32), disks()),  # a white sky
        (scene() + np.float32(0.2), disks()),  # it exceeds white: nothing was clipped there
        (scene() * np.float32(0.8), disks()),  # nothing is clipped
    ],
)
def test_all_else_stays_as_it_is(image, radius):
    np.testing.assert_array_equal(recover_highlights(image, radius, False, BOOST), image)
    assert recover_highlights(image, radius, False, HighlightsParams(boost=1.0)) is image


def test_a_capture_that_kept_its_headroom_is_left_alone():
    image = scene()
    assert recover_highlights(image, disks(), True, BOOST) is image


def test_what_is_not_a_radius_is_refused():
    with pytest.raises(ValueError, match=r"highlights: radius must be \(80, 100\) float32"):
        recover_highlights(scene(), disks()[:3], False, BOOST)
