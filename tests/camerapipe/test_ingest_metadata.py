"""Metadata: every field knows its source, absurd values are unknown."""

import io
import struct
from types import SimpleNamespace

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from camerapipe.ingest import metadata, open_capture

FNUMBER, EXPOSURE, ISO, FOCAL, DISTANCE = 0x829D, 0x829A, 0x8827, 0x920A, 0x9206
EQUIVALENT, LENS, APEX = 0xA405, 0xA434, 0x9202


def meta(tmp_path, details, **first):
    exif = Image.Exif()
    for tag, value in first.items():
        exif[int(tag[1:])] = value
    exif.get_ifd(0x8769).update(details)
    path = tmp_path / "picture.jpg"
    Image.new("RGB", (8, 8)).save(path, exif=exif)
    return open_capture(path).meta


def test_fields_and_their_sources(tmp_path):
    found = meta(
        tmp_path,
        {FOCAL: IFDRational(50), FNUMBER: IFDRational(14, 5), EXPOSURE: IFDRational(1, 250),
         ISO: 400, EQUIVALENT: 75, LENS: "A 50mm lens", DISTANCE: IFDRational(3, 2)},
        t271="A maker\0junk", t272="  A  model ", t274=3,
    )  # fmt: skip
    assert found.to_dict() == {
        "make": {"value": "A maker", "source": "Image Make"},
        "model": {"value": "A model", "source": "Image Model"},
        "lens": {"value": "A 50mm lens", "source": "EXIF LensModel"},
        "focal_length_mm": {"value": 50, "source": "EXIF FocalLength"},
        "focal_length_35mm": {"value": 75, "source": "EXIF FocalLengthIn35mmFilm"},
        "f_number": {"value": 2.8, "source": "EXIF FNumber"},
        "subject_distance_m": {"value": 1.5, "source": "EXIF SubjectDistance"},
        "exposure_s": {"value": 0.004, "source": "EXIF ExposureTime"},
        "iso": {"value": 400, "source": "EXIF ISOSpeedRatings"},
        "orientation": {"value": 3, "source": "Image Orientation"},
    }


ABSURD = {
    "f = 0": (FOCAL, IFDRational(0), "focal_length_mm"),
    "f/0": (FNUMBER, IFDRational(0), "f_number"),
    "distance 0": (DISTANCE, IFDRational(0), "subject_distance_m"),
    "infinity": (DISTANCE, IFDRational(0xFFFFFFFF, 1), "subject_distance_m"),
    "65535 m": (DISTANCE, IFDRational(65535, 1), "subject_distance_m"),
    "n/0": (DISTANCE, IFDRational(7, 0), "subject_distance_m"),
    "iso 0": (ISO, 0, "iso"),
    "0 s": (EXPOSURE, IFDRational(0), "exposure_s"),
    "no crop": (EQUIVALENT, 5000, "focal_length_35mm"),
}


@pytest.mark.parametrize(("tag", "value", "name"), ABSURD.values(), ids=ABSURD)
def test_absurd_values_are_unknown(tmp_path, tag, value, name):
    found = meta(tmp_path, {FOCAL: IFDRational(50)} | {tag: value})
    assert getattr(found, name).value is None
    assert getattr(found, name).source == "unknown"


def test_aperture_value_stands_in_for_the_f_number(tmp_path):
    found = meta(tmp_path, {APEX: IFDRational(2)})
    assert (found.f_number.value, found.f_number.source) == (2, "EXIF ApertureValue")
    assert not meta(tmp_path, {APEX: IFDRational(0)}).f_number


def test_libraw_fills_what_is_missing_but_not_what_the_file_says_is_unknown():
    other = SimpleNamespace(focal_length=35.0, aperture=4.0, shutter_speed=0.0, iso_speed=200.0)
    zero = {"EXIF FNumber": SimpleNamespace(values=[0])}
    found = metadata.with_libraw(zero, other, SimpleNamespace(model="A lens"))
    assert (found.focal_length_mm.value, found.focal_length_mm.source) == (35, "LibRaw")
    assert found.lens.value == "A lens" and found.iso.value == 200
    assert not found.f_number and not found.exposure_s


def test_endless_directories_end():
    entries = b"".join(struct.pack("<HHII", 0x8769, 4, 1, 8) for _ in range(2000))
    data = b"II*\0" + struct.pack("<IH", 8, 2000) + entries + struct.pack("<I", 8)
    assert metadata.meta_from(metadata.read_tags(io.BytesIO(data))).to_dict() == {}


def test_a_damaged_block_is_found(tmp_path):
    path = tmp_path / "picture.jpg"
    Image.new("RGB", (8, 8)).save(path, exif=b"Exif\0\0garbage, not a header")
    assert [f.code for f in open_capture(path).findings] == ["exif_damaged"]
    empty = b"Exif\0\0MM\0*" + struct.pack(">IHI", 8, 0, 0)  # as GIMP writes it
    Image.new("RGB", (8, 8)).save(path, exif=empty)
    assert open_capture(path).findings == ()
    Image.new("RGB", (8, 8)).save(path)
    assert open_capture(path).findings == ()


@pytest.mark.parametrize("block", [b"", b"Exif\0\0", b"Exif\0\0II*\0", b"Exif\0\0" + b"\xff" * 500])
def test_broken_blocks_give_no_tags(block):
    assert metadata.meta_from(metadata.read_exif_block(block)).to_dict() == {}


REAL = {
    "photos/canon_eos5d_tomatoes.jpg": {
        "focal_length_mm": 105, "f_number": 5, "sensor_width_mm": 35.94},
    "photos/xiaomi_macro_pen.heic": {
        "focal_length_mm": 4.03, "focal_length_35mm": 48, "subject_distance_m": 0.27},
    "all_in_focus/blackberry_z10_phonebox.jpg": {
        "subject_distance_m": 5, "f_number": 2.2, "focal_length_35mm": 31, "orientation": 6},
    "all_in_focus/canon_a20_stonehenge.jpg": {
        "focal_length_mm": 6.5938, "f_number": 9, "subject_distance_m": 15.686,
        "sensor_width_mm": 5.23},
    "photos/galaxy_s4_beer_glasses.jpg": {"focal_length_mm": None, "iso": None},
}  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_real_files(shared_data, name):
    if name.endswith(".heic"):
        pytest.importorskip("pillow_heif")
    found = open_capture(shared_data / name).meta
    for field, expected in REAL[name].items():
        value = getattr(found, field).value
        assert value == (pytest.approx(expected, rel=1e-3) if expected else None), field
