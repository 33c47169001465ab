import math

import pytest

from stages.forward import Optics
from stages.optics import Lens

PHONE = Optics(lens=Lens(focal_length_mm=4.48, f_number=1.8, sensor_diagonal_mm=7.34))


@pytest.mark.parametrize("focus_m", [0.2, 1.0, math.inf])
@pytest.mark.parametrize("distance_m", [0.15, 0.5, 10.0])
def test_blur_is_that_of_the_cone_of_light(focus_m, distance_m):
    """c = aperture * |v(z) - v(s)| / v(z), with image distances by 1/f = 1/s + 1/v."""
    f = PHONE.lens.focal_length_mm

    def image(distance):
        return 1 / (1 / f - 1 / (1000 * distance))

    cone = f / 1.8 * (image(distance_m) - image(focus_m)) / image(distance_m)
    assert PHONE.blur_mm(1 / focus_m, distance_m) == pytest.approx(-cone, rel=1e-9)


def test_magnification_follows_the_focus_as_far_as_the_lens_breathes():
    f = PHONE.lens.focal_length_mm
    assert PHONE.image_distance_mm(0) == f
    assert PHONE.image_distance_mm(5) == pytest.approx(1 / (1 / f - 5 / 1000))
    corrected = Optics(lens=PHONE.lens, breathing=0)
    assert corrected.image_distance_mm(5) == f


def test_light_falls_with_the_square_of_the_f_number_and_with_extension():
    slower = Optics(lens=Lens(focal_length_mm=4.48, f_number=3.6, sensor_diagonal_mm=7.34))
    assert PHONE.relative_light(0) == pytest.approx(4 * slower.relative_light(0))
    macro = PHONE.relative_light(1000 / (2 * 4.48))  # focused at 2 f, the picture is life-size
    assert macro == pytest.approx(PHONE.relative_light(0) / 4)


def test_a_lens_that_focuses_within_its_focal_length_is_refused():
    with pytest.raises(ValueError, match="nearest_focus_m must exceed the focal length 0.00448 m"):
        Optics(lens=PHONE.lens, nearest_focus_m=0.004)
