"""Size of the sensor: from EXIF while the picture has its pixels, from the model, or unknown."""

from types import SimpleNamespace

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from camerapipe.ingest import open_capture, sensor
from camerapipe.ingest.metadata import meta_from, read_exif_block
from camerapipe.ingest.sensor import FocalPlane, crop_factor, sensor_width_mm

MODEL, MAKE, NOTE, FOCAL = 272, 271, 0x927C, 0x920A
PLANE_X, PLANE_UNIT, WIDTH, HEIGHT = 0xA20E, 0xA210, 0xA002, 0xA003


def exif_of(details, **first):
    exif = Image.Exif()
    exif.update({{"make": MAKE, "model": MODEL}[name]: value for name, value in first.items()})
    exif.get_ifd(0x8769).update(details)
    return exif


def meta(details, shape, **first):
    return meta_from(read_exif_block(exif_of(details, **first).tobytes()), shape)


def plane(width, height, mm, unit=2, density=25.4):
    per_unit = IFDRational(round(max(width, height) / mm * density * 1e6), 1_000_000)
    return {PLANE_X: per_unit, PLANE_UNIT: unit, WIDTH: width, HEIGHT: height}


@pytest.mark.parametrize(("unit", "density"), [(2, 25.4), (3, 10), (4, 1), (5, 0.001)])
@pytest.mark.parametrize("turned", [False, True])
def test_sensor_width_is_the_long_side(unit, density, turned):
    size = (4000, 6000) if turned else (6000, 4000)
    found = meta(plane(*size, 36, unit, density), size)
    assert found.sensor_width_mm.value == pytest.approx(36, rel=1e-3)
    assert found.sensor_width_mm.source == "EXIF FocalPlaneXResolution"
    assert meta(plane(*size, 36, unit, density), size[::-1]).sensor_width_mm  # turned by software


def test_absurd_sensor_is_unknown():
    details = {PLANE_X: IFDRational(72), PLANE_UNIT: 2, WIDTH: 6000, HEIGHT: 4000}
    assert not meta(details, (6000, 4000)).sensor_width_mm


@pytest.mark.parametrize("camera", [(5184, 3456, 22.4), (4368, 2912, 35.9), (4000, 3000, 6.2)])
@pytest.mark.parametrize("share", [0.6, 0.5, 0.4, 0.3, 0.2])
def test_a_resized_picture_does_not_tell_the_sensor(camera, share):
    width, height, mm = camera
    small = (round(width * share), round(height * share))
    density = width / mm
    assert sensor_width_mm(FocalPlane(density, (width, height)), (height, width)) is not None
    assert sensor_width_mm(FocalPlane(density, small), small) is None, "EXIF has the new size"
    assert sensor_width_mm(FocalPlane(density, (width, height)), small) is None, "EXIF has the old"


def test_a_cropped_picture_does_not_tell_the_sensor():
    assert sensor_width_mm(FocalPlane(200, (7200, 4800)), (4800, 4800)) is None
    assert sensor_width_mm(FocalPlane(200, (4800, 4800)), (4800, 4800)) is None


def test_a_camera_that_saves_small_pictures_adapts_the_density():
    small = FocalPlane(1024 / 7.06, (1024, 768), maker_note=True)
    assert sensor_width_mm(small, (768, 1024)) == pytest.approx(7.06)
    assert sensor_width_mm(small._replace(maker_note=False), (768, 1024)) is None


def test_a_raw_has_the_pixels_of_the_sensor():
    assert sensor_width_mm(FocalPlane(250, (1000, 700)), None) == 4


def resized_canon(path):
    """A file as editors leave it: the size is new, and the density that of the sensor."""
    details = plane(900, 600, 900 / 5773.08 * 25.4) | {FOCAL: IFDRational(500)}
    details |= {0x829D: IFDRational(71, 10)}
    Image.new("RGB", (900, 600)).save(path, exif=exif_of(details, make="Canon"))
    return path


def test_a_file_of_an_editor_gives_no_sensor(tmp_path):
    found = open_capture(resized_canon(tmp_path / "a.jpg")).meta
    assert found.focal_length_mm.value == 500 and found.f_number.value == 7.1
    assert not found.sensor_width_mm and not found.crop_factor


CAMERAS = [
    ("Canon", "Canon EOS 7D", 1.62), ("Nikon Corporation", "Nikon D90", 1.523),
    ("Apple", "iPhone XS", 6.1), ("Apple", "iPhone XS (tele)", 8.7),
    ("Panasonic", "DMC-LX1", 4.45), ("Panasonic", "DMC-LX1", 5.08),
]  # fmt: skip


@pytest.fixture
def database(monkeypatch):
    cameras = [SimpleNamespace(maker=a, model=b, crop_factor=c) for a, b, c in CAMERAS]
    monkeypatch.setattr(sensor, "_cameras", lambda: cameras)
    sensor._crop_factors.cache_clear()
    yield
    sensor._crop_factors.cache_clear()


@pytest.mark.parametrize(
    ("make", "model", "factor"),
    [
        ("Canon", "Canon EOS 7D", 1.62),
        ("NIKON CORPORATION", "NIKON D90", 1.523),
        ("Apple", "iPhone XS", None),  # two cameras under one name
        ("Panasonic", "DMC-LX1", None),  # depends on the shape of the picture
        ("Apple", "iPhone 15 Pro", None),
        ("Google", "Pixel 8", None),
        ("Sony", "Canon EOS 7D", None),
        (None, None, None),
    ],
)
def test_the_crop_factor_of_a_model(database, make, model, factor):
    found = crop_factor(make, model)
    assert found.value == factor
    assert found.source == (f"lensfun ({model})" if factor else "unknown")


def test_exif_is_asked_before_the_model(database):
    camera = {"make": "Canon", "model": "Canon EOS 7D"}
    assert not meta(plane(5184, 3456, 22.3), (3456, 5184), **camera).crop_factor
    resized = meta(plane(900, 600, 4.0), (600, 900), **camera)
    assert resized.crop_factor.value == 1.62 and not resized.sensor_width_mm


def test_the_database_of_lensfun():
    pytest.importorskip("lensfunpy", reason="cameras by model need the extra `lens`")
    assert crop_factor("Canon", "Canon EOS 450D").value == pytest.approx(1.622, abs=0.01)
    assert crop_factor("NIKON CORPORATION", "NIKON D500").value == pytest.approx(1.5, abs=0.05)
    assert not crop_factor("Google", "Pixel 6") and not crop_factor("Apple", "iPhone 12")


def test_without_the_database_the_model_says_nothing(monkeypatch):
    monkeypatch.setattr(sensor, "has_lensfun", lambda: False)
    sensor._crop_factors.cache_clear()
    assert not crop_factor("Canon", "Canon EOS 7D")
    sensor._crop_factors.cache_clear()


def test_a_block_without_sides_tells_nothing():
    data = exif_of({PLANE_X: IFDRational(5000), PLANE_UNIT: 2, WIDTH: 900}).tobytes()
    assert not meta_from(read_exif_block(data), (600, 900)).sensor_width_mm
