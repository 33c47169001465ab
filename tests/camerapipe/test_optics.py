"""What a file says of its lens: known, partly known, absent, wrong, and overridden by a person."""

import numpy as np
import pytest

from camerapipe.assembly import Request
from camerapipe.camera import check_capture, open_input
from camerapipe.capture import Capture, CaptureMeta, Sourced
from camerapipe.errors import RequestError
from camerapipe.optics import optics_of
from camerapipe.settings import resolve
from stages.capture_check import Optics, UnknownOptics
from stages.findings import Severity
from stages.optics import FULL_FRAME_DIAGONAL_MM

PHONE = {"focal_length_mm": 4.48, "f_number": 2.8, "focal_length_35mm": 27.0}


def capture(kind="display", shape=(300, 400), **known):
    meta = CaptureMeta(**{name: Sourced(value, "EXIF") for name, value in known.items()})
    return Capture(name="made", linear=np.zeros((*shape, 3), np.float32), kind=kind, meta=meta)


def check(shot, distance_m=None):
    found = check_capture(shot, Request(settings=resolve(), distance_m=distance_m))
    return {finding.code: finding for finding in found}


def test_the_sensor_follows_from_the_equivalent_its_width_or_the_crop_factor():
    by_crop = optics_of(capture(**PHONE)).lens
    assert by_crop.sensor_diagonal_mm == pytest.approx(FULL_FRAME_DIAGONAL_MM * 4.48 / 27)
    wide = optics_of(capture(focal_length_mm=4.48, f_number=2.8, sensor_width_mm=5.76)).lens
    assert wide.sensor_diagonal_mm == pytest.approx(5.76 * 1.25)
    model = optics_of(capture(focal_length_mm=50, f_number=2.8, crop_factor=1.6)).lens
    assert model.sensor_diagonal_mm == pytest.approx(FULL_FRAME_DIAGONAL_MM / 1.6)


@pytest.mark.parametrize(
    ("left_out", "named"),
    [
        ("focal_length_mm", "the focal length"),
        ("f_number", "the f-number"),
        ("focal_length_35mm", "the size of the sensor"),
    ],
)
def test_what_is_missing_is_named(left_out, named):
    known = {name: value for name, value in PHONE.items() if name != left_out}
    assert optics_of(capture(**known)) == UnknownOptics((named,))
    assert f"does not say {named}:" in check(capture(**known))["optics_unknown"].message


def test_absent_metadata_are_said_plainly():
    found = check(capture())
    assert found["optics_unknown"].severity is Severity.INFO
    message = found["optics_unknown"].message
    assert "the focal length, the f-number and the size of the sensor" in message
    assert "verdict is based on the picture alone" in message
    assert "hyperfocal" not in found


def test_an_array_has_no_metadata_to_miss():
    assert optics_of(capture(kind="array")) is None
    assert len(check(capture(kind="array"))) == 1


def test_a_person_overrides_the_distance_of_the_file():
    filed = capture(**PHONE, subject_distance_m=1.5)
    assert optics_of(filed).distance_mm == 1500
    told = optics_of(filed, 0.4)
    assert told.distance_mm == 400 and told.told
    assert "Focused at 0.4 m" in check(filed, 0.4)["background_blur"].message


def test_an_impossible_distance_of_a_file_is_unknown_and_of_a_person_refused():
    assert optics_of(capture(**PHONE, subject_distance_m=0.004)).distance_mm is None
    for wrong in (0.004, -1.0, np.inf, np.nan):
        with pytest.raises(RequestError, match="distance: .* focal length of 4.48 mm"):
            optics_of(capture(**PHONE), wrong)
    with pytest.raises(RequestError, match="distance: expected metres beyond 0; got -1"):
        optics_of(capture(), -1.0)


def test_a_distance_that_nobody_knows_is_said():
    found = check(capture(**PHONE))
    assert "does not say where it was focused" in found["hyperfocal"].message
    assert "background_blur" not in found


def test_distances_beyond_a_kilometre_are_not_told_apart():
    found = check(capture(focal_length_mm=500, f_number=4, focal_length_35mm=4000))["hyperfocal"]
    assert found.message.startswith("Hyperfocal distance over 1 km (f = 500 mm, f/4")
    assert "focus nearer than 1 km." in found.message


def test_the_photograph_whose_metadata_are_wrong(shared_data):
    """It claims 1.5 m; it shows a tower, sharp from front to back."""
    shot, _ = open_input(shared_data / "all_in_focus" / "canon_g2_tower.jpg")
    assert isinstance(optics_of(shot), Optics)
    found = check(shot)
    doubt = found["distance_contradicted"]
    assert doubt.severity is Severity.WARNING and "everything_in_focus" in found
    assert "at 1.5 m:" in doubt.message and "sigma 1.2 px" in doubt.message
    assert doubt.value < 0.7 < 1.1 < doubt.limit
    assert "distance_contradicted" not in check(shot, distance_m=30.0)


@pytest.mark.parametrize(
    "name", ["canon_s30_house.jpg", "canon_a20_stonehenge.jpg", "blackberry_z10_phonebox.jpg"]
)
def test_metadata_that_agree_are_not_doubted(shared_data, name):
    if name == "canon_s30_house.jpg":  # edited: the size of its sensor is known from the model only
        pytest.importorskip("lensfunpy")
    shot, _ = open_input(shared_data / "all_in_focus" / name)
    found = check(shot)
    assert "background_blur" in found and "distance_contradicted" not in found
