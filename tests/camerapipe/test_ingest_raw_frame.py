"""RAW frames of a simulated sensor as DNG: what rawpy, ExifRead and `render` read of them."""

import io

import exifread
import numpy as np
import pytest
import rawpy
import tifffile

import camerapipe
from camerapipe.errors import OutputError
from camerapipe.ingest import open_capture
from camerapipe.ingest.dng.raw_frame import Device, encode_raw_frame, write_raw_frame
from stages.forward import Exposure, Optics, Scenery, Sensor, Surface, capture_raw, still
from stages.isp import develop_raw
from stages.optics import Lens

LENS = Lens(focal_length_mm=4.48, f_number=1.8, sensor_diagonal_mm=7.34)
OPTICS = Optics(lens=LENS, nearest_focus_m=0.2)
DEVICE = Device("camerapipe", "everyday-phone", OPTICS, frames_per_s=30)
BALANCE = (2.0, 1.6)
SENSOR = Sensor(rows=96, cols=128, pitch_um=50, full_well_e=6e6, bits=12, pattern="GBRG")


@pytest.fixture(scope="module")
def frame():
    colours = np.random.default_rng(2).uniform(0.05, 0.45, (8, 10, 3))
    light = np.kron(colours, np.ones((24, 24, 1))).astype(np.float32)
    alpha = np.ones(light.shape[:2], np.float32)
    wall = Surface(light=light, alpha=alpha, distance_m=1.0, texel_m=0.01)
    scenery = Scenery(name="", surfaces=(wall,), lux=lambda s: 1000.0)
    exposure = Exposure(1 / 100, 64)
    return capture_raw(scenery, still(), OPTICS, 1.0, SENSOR, exposure, 1.25, seed=1)


def test_libraw_reads_the_codes_and_levels(frame):
    with rawpy.imread(io.BytesIO(encode_raw_frame(frame, DEVICE, BALANCE))) as raw:
        np.testing.assert_array_equal(raw.raw_image, frame.mosaic)
        assert (raw.white_level, raw.black_level_per_channel) == (4095, [64] * 4)
        assert raw.color_desc.decode()[raw.raw_pattern[0, 1]] == "B"
        assert raw.camera_whitebalance[:3] == pytest.approx([2.0, 1.0, 1.6])


def test_all_that_is_known_of_the_exposure_is_written(frame):
    data = encode_raw_frame(frame, DEVICE, BALANCE)
    tags = exifread.process_file(io.BytesIO(data), details=False)
    found = {name.removeprefix("Image "): str(value) for name, value in tags.items()}
    assert found["ExposureTime"] == "1/100"
    assert found["ISOSpeedRatings"] == "80"  # 64 was asked, of a sensor that begins at 80
    assert found["DateTimeOriginal"] == "2000:01:01 00:00:01"
    assert found["SubSecTimeOriginal"] == "250000000"
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        tags = tiff.pages.first.tags
        scale, offset = tags["NoiseProfile"].value
        assert tags["FrameRate"].value == (30, 1)
        assert tags["FocalPlaneXResolution"].value == (20, 1)
    assert (scale, offset) == SENSOR.noise_profile(SENSOR.gain_at(frame.exposure.iso))


def test_a_frame_is_developed_as_the_isp_does(frame, tmp_path):
    path = tmp_path / "frame.dng"
    write_raw_frame(path, frame, DEVICE, BALANCE)
    capture = open_capture(path)
    assert capture.meta.focal_length_mm.value == 4.48
    assert capture.meta.subject_distance_m.value == 1.0
    ours = develop_raw(frame.mosaic, SENSOR, BALANCE)
    theirs = capture.linear / np.float32(capture.exposure_gain)
    difference = np.abs(theirs - ours)[8:-8, 8:-8]
    assert np.median(difference) < 0.004


def test_render_takes_a_frame(frame, tmp_path):
    path = tmp_path / "frame.dng"
    write_raw_frame(path, frame, DEVICE, BALANCE)
    shot = camerapipe.render(path, force=True)
    assert shot.image.shape == (96, 128, 3)


def test_files_are_not_overwritten_and_have_the_right_suffix(frame, tmp_path):
    path = tmp_path / "frame.dng"
    write_raw_frame(path, frame, DEVICE, BALANCE)
    with pytest.raises(OutputError, match="exists"):
        write_raw_frame(path, frame, DEVICE, BALANCE)
    with pytest.raises(OutputError, match="choose .dng"):
        write_raw_frame(tmp_path / "frame.tif", frame, DEVICE, BALANCE)
