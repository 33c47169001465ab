import math

import pytest

from stages.optics import FULL_FRAME_DIAGONAL_MM, Lens, distance_text, limit_text

PHONE = Lens(focal_length_mm=4.48, f_number=2.8, sensor_diagonal_mm=7.18)


def test_the_hyperfocal_distance_of_the_paper():
    """Section 4: around 150 cm for a phone of its time (27 mm equivalent, f/2.8)."""
    lens = Lens(
        focal_length_mm=4.48, f_number=2.8, sensor_diagonal_mm=7.18, circle_of_confusion_mm=4.788e-3
    )
    assert lens.hyperfocal_mm == pytest.approx(1501, abs=1)


def test_circle_of_confusion_of_full_frame():
    lens = Lens(focal_length_mm=50, f_number=2, sensor_diagonal_mm=FULL_FRAME_DIAGONAL_MM)
    assert lens.circle_of_confusion_mm * 1000 == pytest.approx(28.8, abs=0.05)


def test_focused_at_the_hyperfocal_distance_everything_from_half_of_it_is_sharp():
    near, far = PHONE.depth_of_field_mm(PHONE.hyperfocal_mm)
    assert near == pytest.approx(PHONE.hyperfocal_mm / 2, rel=1e-3)
    assert far == math.inf


def test_focused_at_the_hyperfocal_distance_infinity_is_blurred_by_the_circle_of_confusion():
    blur = PHONE.background_blur_mm(PHONE.hyperfocal_mm)
    assert blur == pytest.approx(PHONE.circle_of_confusion_mm)


def test_depth_of_field_closes_in_on_a_near_subject():
    near, far = PHONE.depth_of_field_mm(300)
    assert near < 300 < far < PHONE.hyperfocal_mm


@pytest.mark.parametrize("blur_mm", [0.003, 0.02, 0.5])
def test_distance_for_a_blur_inverts_the_blur_at_a_distance(blur_mm):
    assert PHONE.background_blur_mm(PHONE.distance_for_blur_mm(blur_mm)) == pytest.approx(blur_mm)


@pytest.mark.parametrize("distance_mm", [0.0, -5.0, 4.48, math.nan, math.inf])
def test_distances_within_the_lens_are_refused(distance_mm):
    for function in (PHONE.depth_of_field_mm, PHONE.background_blur_mm):
        with pytest.raises(ValueError, match="distance must exceed the focal length 4.48 mm"):
            function(distance_mm)


@pytest.mark.parametrize("name", ["focal_length_mm", "f_number", "sensor_diagonal_mm"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_impossible_lenses_are_refused(name, value):
    given = {"focal_length_mm": 50.0, "f_number": 2.0, "sensor_diagonal_mm": 43.0} | {name: value}
    with pytest.raises(ValueError, match=f"optics: {name} must be greater than 0"):
        Lens(**given)


@pytest.mark.parametrize(
    ("distance_m", "text"),
    [
        (0.0452, "4.5 cm"), (0.4, "0.4 m"), (0.684, "0.68 m"), (1.5, "1.5 m"), (9.96, "10 m"),
        (12.4, "12 m"), (347.0, "350 m"), (999.0, "1 km"), (1000.0, "1 km"), (12488.4, "over 1 km"),
    ],
)  # fmt: skip
def test_distances_as_people_say_them(distance_m, text):
    assert distance_text(distance_m) == text
    assert limit_text(distance_m) == ("1 km" if text == "over 1 km" else text)
