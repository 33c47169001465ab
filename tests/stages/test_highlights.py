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


def test_a_region_takes_the_colour_of_its_own_ring_whatever_its_shape():
    image = np.full((*SHAPE, 3), 0.05, np.float32)
    image[29:35, 39:45] = (0.8, 0.4, 0.1)
    image[30:34, 40:44] = 1
    image[31:33, 41:43] = (0.8, 0.4, 0.1)  # a hole
    image[59:64, 69:74] = (0.1, 0.2, 0.8)
    for k in range(3):  # a diagonal: one region
        image[60 + k, 70 + k] = 1
    lit = recover_highlights(image, disks(), False, BOOST)
    changed = (lit != image).any(axis=2)
    np.testing.assert_array_equal(changed, image.min(axis=2) == 1)
    assert lit[30, 40, 0] > lit[30, 40, 2] and lit[61, 71, 2] > lit[61, 71, 0]


def test_strips_do_not_part_a_region():
    tall = np.full((200, 40, 3), 0.05, np.float32)
    tall[20:180, 20] = 1  # 160 px: larger than its disk makes it, though its parts are not
    radius = np.full(tall.shape[:2], 24.0, np.float32)
    assert recover_highlights(tall, radius, False, BOOST) is tall
