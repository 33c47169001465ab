"""RAW files: known sensors are developed to known linear light; real ones open or say why not."""

import numpy as np
import pytest
import rawpy
import tifffile

from camerapipe.errors import CaptureError, LimitError
from camerapipe.ingest import open_capture
from camerapipe.ingest.pixels import upright
from datasets.synthetic_raw import BLACK_LEVEL, WHITE_LEVEL, Optics, sample_mosaic, write_dng

PATCH = 16  # px; demosaicing blurs colours over a few pixels at the borders of a patch
INNER = slice(5, 11)


@pytest.fixture(scope="module")
def patches():
    """4 x 6 colours of linear sRGB, white among them: it says where the sensor saturates."""
    colours = np.random.default_rng(3).uniform(0.02, 0.6, (4, 6, 3))
    colours[0, 0], colours[0, 1], colours[3, 5] = 1, 0.18, 0.5
    return colours


def picture(patches):
    return np.kron(patches, np.ones((PATCH, PATCH, 1)))


def measured(linear):
    rows, cols = linear.shape[0] // PATCH, linear.shape[1] // PATCH
    cells = linear.reshape(rows, PATCH, cols, PATCH, 3)
    return cells[:, INNER, :, INNER].mean((1, 3))


def test_the_synthetic_sensor_is_written_as_it_is(tmp_path, patches):
    mosaic = sample_mosaic(picture(patches), pattern="GBRG")
    write_dng(tmp_path / "a.dng", mosaic, pattern="GBRG")
    with rawpy.imread(str(tmp_path / "a.dng")) as raw:
        np.testing.assert_array_equal(raw.raw_image, mosaic)
        assert raw.white_level == WHITE_LEVEL
        assert set(raw.black_level_per_channel) == {BLACK_LEVEL}
        assert raw.raw_pattern.tolist() == [[3, 2], [0, 1]]  # LibRaw's indices of R, G, B, G


@pytest.mark.parametrize("pattern", ["RGGB", "BGGR", "GRBG", "GBRG"])
def test_colours_and_linearity(tmp_path, patches, pattern):
    path = tmp_path / "a.dng"
    write_dng(path, sample_mosaic(picture(patches), pattern=pattern), pattern=pattern)
    capture = open_capture(path)
    assert capture.kind == "raw" and capture.bit_depth == 14 and capture.findings == ()
    np.testing.assert_allclose(measured(capture.linear), patches, atol=2e-4)


@pytest.mark.parametrize("name", ["a.tif", "a.jpg", "a"])
def test_a_raw_is_known_by_its_content(tmp_path, patches, name):
    write_dng(tmp_path / name, sample_mosaic(picture(patches)))
    assert open_capture(tmp_path / name).kind == "raw"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(tmp_path, patches, orientation):
    path = tmp_path / "a.dng"
    write_dng(path, sample_mosaic(picture(patches)), orientation=orientation)
    capture = open_capture(path)
    expected = upright(patches, orientation)
    np.testing.assert_allclose(measured(capture.linear), expected, atol=2e-4)
    assert capture.meta.orientation.value == orientation


@pytest.mark.parametrize("stops", [0, 1, 2, 5])
def test_the_exposure_gain_is_recorded_and_leaves_headroom(tmp_path, stops):
    scene = np.full((64, 64, 3), 2.0**-stops)
    scene[:2, :2] = 1  # a lamp: brighter than the 99.5th percentile
    path = tmp_path / "a.dng"
    write_dng(path, sample_mosaic(scene))
    capture = open_capture(path)
    expected = np.clip(0.9 * 2.0**stops, 1, 8)
    assert capture.exposure_gain == pytest.approx(expected, rel=1e-3)
    middle = capture.linear[20:40, 20:40] / capture.exposure_gain
    np.testing.assert_allclose(middle, 2.0**-stops, atol=2e-4)
    assert capture.linear.max() == pytest.approx(expected, rel=1e-3)


def test_a_black_frame_opens_with_a_finding(tmp_path):
    path = tmp_path / "a.dng"
    write_dng(path, sample_mosaic(np.zeros((32, 32, 3))))
    capture = open_capture(path)
    assert [f.code for f in capture.findings] == ["raw_black"]
    assert capture.exposure_gain == 8 and not capture.linear.any()


def test_metadata_of_the_tags(tmp_path, patches):
    optics = Optics(
        focal_length_mm=4.48, f_number=2.8, focal_length_35mm=26, subject_distance_m=1.5
    )
    path = tmp_path / "a.dng"
    write_dng(path, sample_mosaic(picture(patches)), optics=optics)
    found = open_capture(path).meta.to_dict()
    values = {name: field["value"] for name, field in found.items()}
    assert values == {
        "make": "Synthetic", "model": "Bayer One", "focal_length_mm": 4.48, "f_number": 2.8,
        "focal_length_35mm": 26, "subject_distance_m": 1.5, "exposure_s": 0.01, "iso": 100,
        "orientation": 1,
    }  # fmt: skip


def test_absurd_optics_are_unknown(tmp_path, patches):
    optics = Optics(focal_length_mm=0, f_number=0, exposure_s=0, iso=0)
    path = tmp_path / "a.dng"
    write_dng(path, sample_mosaic(picture(patches)), optics=optics)
    assert set(open_capture(path).meta.to_dict()) == {"make", "model", "orientation"}


def test_the_limit_holds_before_unpacking(tmp_path, patches):
    path = tmp_path / "a.dng"
    write_dng(path, sample_mosaic(picture(patches)))
    with pytest.raises(LimitError, match=r"a\.dng: 96 x 64 = 6144 pixels .* 6143; .*--max-pixels"):
        open_capture(path, max_pixels=6143)
    assert open_capture(path, max_pixels=6144).linear.shape == (64, 96, 3)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_a_truncated_raw_is_refused(tmp_path, patches, share, capfd):
    path = tmp_path / "a.dng"
    write_dng(path, sample_mosaic(picture(patches)))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CaptureError, match=r"^[^\n]*a\.dng: [^\n]*$"):
        open_capture(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("pages", [1, 2])
def test_a_display_tiff_with_the_name_of_a_camera_is_no_raw(tmp_path, pages):
    path = tmp_path / "a.tif"
    codes = np.full((64, 64, 3), 40000, np.uint16)
    make = [(271, 2, 0, "Canon", True)]
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(codes, photometric="rgb", extratags=make, subifds=pages - 1, metadata=None)
        if pages == 2:
            tiff.write(codes[::2, ::2], photometric="rgb", subfiletype=1)
    capture = open_capture(path)
    assert capture.kind == "display" and capture.linear.shape == (64, 64, 3)
    assert capture.meta.make.value == "Canon"


REAL = {  # shape, gain, and the fields that matter to the capture check
    "RAW_KODAK_DC50.KDC": ((512, 768, 3), 2.51, {"focal_length_mm": 37, "subject_distance_m": 8.2}),
    "RAW_KODAK_C330_FORMAT_NONE_YRGB.raw": ((912, 1216, 3), 1.08, {"f_number": None}),
    "canon_kissx4_magiclantern_colorchart.dng": (
        (1156, 1734, 3), 2.49,
        {"focal_length_mm": None, "f_number": None, "exposure_s": None, "iso": None},
    ),
    "nikon_d500_lossy_linear_DSC8695.dng": (
        (400, 600, 3), 8, {"focal_length_mm": 70, "f_number": 2.8, "focal_length_35mm": 105},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_real_raws(shared_data, name):
    shape, gain, fields = REAL[name]
    capture = open_capture(shared_data / "raw" / name)
    assert capture.linear.shape == shape
    assert capture.exposure_gain == pytest.approx(gain, abs=0.02)
    for field, value in fields.items():
        expected = pytest.approx(value) if value else None
        assert getattr(capture.meta, field).value == expected


def test_an_unsupported_compression_is_named(shared_data):
    with pytest.raises(CaptureError, match=r"GOPR0024\.GPR: .*compression.*DNG"):
        open_capture(shared_data / "raw" / "gopro_hero6_GOPR0024.GPR")


@pytest.mark.slow
def test_a_full_size_phone_like_raw(shared_data):
    capture = open_capture(shared_data / "raw" / "gopro_hero6_GOPR0024.dng")
    assert capture.linear.shape == (3000, 4000, 3) and capture.exposure_gain == 1
    assert (capture.meta.focal_length_mm.value, capture.meta.f_number.value) == (3, 2.8)
    assert capture.meta.focal_length_35mm.value == 15
