"""Blur maps inside of JPEG files and as OpenEXR: they come back, and nothing else changes."""

import io
import shutil
import subprocess

import cv2
import numpy as np
import pytest
from PIL import Image

from camerapipe.capture import Capture
from camerapipe.errors import CaptureError, OutputError
from camerapipe.ingest import (
    Focus,
    SavedMap,
    capture_from_array,
    embed_map,
    encode_map,
    open_capture,
    read_saved_map,
    write_map,
)
from camerapipe.ingest.depth import read_depth
from camerapipe.ingest.extended_xmp import xmp_packets
from camerapipe.ingest.jpeg_segments import segments_of
from camerapipe.ingest.map_jpeg import map_in
from camerapipe.ingest.mpf import other_pictures
from camerapipe.ingest.saved_map import digest_of
from datasets.depth_files import apple_jpeg, depth_scene, gdepth_jpeg, jpeg
from stages.depth import DepthMap
from stages.grid import BlurMap, Grid, lift

SHAPE = (120, 160)
SCENE = depth_scene(SHAPE)


def saved_map(depth=None):
    sigma = cv2.GaussianBlur(np.abs(SCENE.sigma_px(0.1)).astype(np.float32), (0, 0), 1)
    blur = BlurMap(sigma, np.full(SHAPE, 2, np.float32), Grid(SHAPE))
    zone = np.linspace(0.5, 1, 24, dtype=np.float32).reshape(4, 6)
    focus = Focus.of(BlurMap(zone, np.ones_like(zone), Grid((4, 6), 30)), (80.0, 60.0), 2)
    return SavedMap(blur=blur, low=lift(blur, Grid.cells(SHAPE, 2)), focus=focus, depth=depth)


def check(back, saved, atol):
    assert back.focus == saved.focus and back.assumptions == ()
    pairs = [(saved.blur, back.blur), (saved.low, back.low), (saved.focus.zone, back.focus.zone)]
    for ours, theirs in pairs:
        assert ours.grid == theirs.grid
        np.testing.assert_allclose(theirs.sigma, ours.sigma, atol=atol)


@pytest.fixture
def photograph(tmp_path):
    path = tmp_path / "in.jpg"
    path.write_bytes(jpeg(SCENE.picture))
    return path


def pixels_of(data):
    """The bytes from the first scan on."""
    *_, scan = segments_of(data)
    return data[scan.at :]


class TestJpeg:
    def test_the_map_is_in_a_copy_of_the_photograph(self, tmp_path, photograph):
        saved = saved_map()
        write_map(tmp_path / "out.jpg", saved, capture=open_capture(photograph))
        data = (tmp_path / "out.jpg").read_bytes()
        assert pixels_of(data) == pixels_of(photograph.read_bytes())
        check(read_saved_map(tmp_path / "out.jpg", SHAPE), saved, saved.blur.sigma.max() / 4095)
        again = open_capture(tmp_path / "out.jpg")
        assert again.exif == open_capture(photograph).exif
        assert any("blur map" in each.message for each in again.findings)

    def test_a_blur_map_is_not_written_as_depth(self, tmp_path, photograph):
        data = encode_map(saved_map(), format="jpeg", capture=open_capture(photograph))
        assert b"depthmap" not in data
        (tmp_path / "a.jpg").write_bytes(data)
        with pytest.raises(CaptureError, match="has no depth map in it"):
            read_depth(tmp_path / "a.jpg", np.zeros((*SHAPE, 3), np.float32), embedded=True)

    @pytest.mark.parametrize("orientation", [1, 3, 6, 7])
    def test_depth_that_a_map_came_from_is_written_as_gdepth(self, tmp_path, orientation):
        (tmp_path / "in.jpg").write_bytes(jpeg(SCENE.picture, orientation=orientation))
        capture = open_capture(tmp_path / "in.jpg")
        shape = capture.linear.shape[:2]
        inverse = np.linspace(0.2, 2.5, shape[0] * shape[1], dtype=np.float32).reshape(shape)
        depth = DepthMap(inverse=inverse, is_metric=True)
        blur = BlurMap(inverse, np.ones(shape, np.float32), Grid(shape))
        write_map(tmp_path / "a.jpg", SavedMap(blur=blur, depth=depth), capture=capture)
        back = read_depth(tmp_path / "a.jpg", capture.linear, embedded=True).depth
        assert back.is_metric
        np.testing.assert_allclose(back.inverse, inverse, atol=1e-4)

    def test_depth_without_a_unit_keeps_its_order_and_stays_without(self, tmp_path, photograph):
        inverse = np.linspace(-3, 5, SHAPE[0] * SHAPE[1], dtype=np.float32).reshape(SHAPE)
        saved = saved_map(DepthMap(inverse=inverse, is_metric=False))
        write_map(tmp_path / "a.jpg", saved, capture=open_capture(photograph))
        linear = np.zeros((*SHAPE, 3), np.float32)
        back = read_depth(tmp_path / "a.jpg", linear, embedded=True).depth
        assert not back.is_metric
        fit = np.polyfit(back.inverse.ravel(), inverse.ravel(), 1)
        np.testing.assert_allclose(np.polyval(fit, back.inverse), inverse, atol=1e-3)

    def test_properties_of_others_stay(self, tmp_path):
        """The depth that the file has stays beside a map, and a second map replaces the first."""
        path = tmp_path / "a.jpg"
        path.write_bytes(gdepth_jpeg(SCENE))
        linear = open_capture(path).linear
        before = read_depth(path, linear, embedded=True).depth.inverse
        for _ in range(2):
            path.write_bytes(embed_map(path.read_bytes(), saved_map()))
        np.testing.assert_array_equal(read_depth(path, linear, embedded=True).depth.inverse, before)
        first, extended = xmp_packets(path.read_bytes())
        assert first.count(b"HasExtendedXMP") == 1 and extended.count(b"blur:Data") == 1
        check(read_saved_map(path, SHAPE), saved_map(), saved_map().blur.sigma.max() / 4095)

    def test_further_pictures_are_still_found(self, tmp_path):
        data = apple_jpeg(SCENE)
        second = [data[a:b] for a, b in other_pictures(data)]
        out = embed_map(data, saved_map())
        assert [out[a:b] for a, b in other_pictures(out)] == second
        Image.open(io.BytesIO(out)).load()

    def test_an_array_is_encoded_and_a_map_alone_is_refused(self, tmp_path):
        capture = capture_from_array(SCENE.picture, "srgb")
        data = encode_map(saved_map(), format="jpeg", capture=capture)
        assert map_in(data) is not None
        assert np.asarray(Image.open(io.BytesIO(data))).shape == SCENE.picture.shape
        with pytest.raises(OutputError, match="needs the picture"):
            encode_map(saved_map(), format="jpeg")

    @pytest.mark.parametrize("removed", [1, 5000])
    def test_a_damaged_map_ends_in_one_line(self, tmp_path, photograph, removed):
        data = encode_map(saved_map(), format="jpeg", capture=open_capture(photograph))
        place = data.index(b"blur:Data") + 200
        (tmp_path / "a.jpg").write_bytes(data[:place] + data[place + removed :])
        with pytest.raises(CaptureError, match="blur map in its XMP is damaged") as error:
            read_saved_map(tmp_path / "a.jpg", SHAPE)
        assert "\n" not in str(error.value)

    @pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is not installed")
    def test_exiftool_reads_the_extended_packet(self, tmp_path, photograph):
        write_map(tmp_path / "a.jpg", saved_map(), capture=open_capture(photograph))
        told = subprocess.run(
            ["exiftool", "-G1", "-s", "-a", "-warning", "-xmp:all", tmp_path / "a.jpg"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert "Warning" not in told and "sigma_px" in told and "Data " in told


class TestExr:
    @pytest.fixture(autouse=True)
    def library(self):
        self.exr = pytest.importorskip("OpenEXR")

    def test_the_map_comes_back_bit_for_bit(self, tmp_path):
        capture = capture_from_array(SCENE.picture, "srgb")
        saved = saved_map()
        write_map(tmp_path / "a.exr", saved, capture=capture)
        back = read_saved_map(tmp_path / "a.exr", SHAPE)
        check(back, saved, 0)
        np.testing.assert_array_equal(back.blur.confidence, saved.blur.confidence)

    def test_channels_have_their_names_and_the_picture_is_linear(self, tmp_path):
        capture = capture_from_array(SCENE.picture, "srgb")
        write_map(tmp_path / "a.exr", saved_map(), capture=capture)
        first = self.exr.File(str(tmp_path / "a.exr"), separate_channels=True).parts[0]
        assert set(first.channels) == {"R", "G", "B", "blur.sigma_px", "blur.confidence"}
        red = first.channels["R"].pixels
        np.testing.assert_allclose(red, capture.linear[..., 0], atol=1e-3)
        assert first.channels["blur.sigma_px"].pixels.dtype == np.float32

    def test_a_sparse_map_and_one_without_a_picture(self, tmp_path):
        saved = saved_map()
        holes = saved.blur.confidence * (saved.blur.sigma > 1)
        sparse = BlurMap(saved.blur.sigma, holes, saved.blur.grid)
        write_map(tmp_path / "a.exr", sparse)
        back = read_saved_map(tmp_path / "a.exr", SHAPE)
        np.testing.assert_array_equal(back.blur.confidence, holes)

    def test_an_edited_map_keeps_what_is_still_right(self, tmp_path):
        saved = saved_map()
        path = tmp_path / "a.exr"
        write_map(path, saved)
        file = self.exr.File(str(path), separate_channels=True)
        file.parts[0].channels["blur.sigma_px"].pixels[:] *= np.float32(0.5)
        file.write(str(tmp_path / "b.exr"))
        back = read_saved_map(tmp_path / "b.exr", SHAPE)
        assert "edited after it was written" in back.assumptions[0]
        assert digest_of(back.blur.sigma) != digest_of(saved.blur.sigma)
        np.testing.assert_allclose(back.low.sigma, saved.low.sigma / 2, atol=1e-5)

    def test_a_foreign_exr_is_sigma_in_pixels(self, tmp_path):
        plane = saved_map().blur.sigma
        header = {"compression": self.exr.ZIP_COMPRESSION, "type": self.exr.scanlineimage}
        self.exr.File(header, {"Y": plane}).write(str(tmp_path / "a.exr"))
        back = read_saved_map(tmp_path / "a.exr", SHAPE)
        np.testing.assert_array_equal(back.blur.sigma, plane)
        assert "has no description" in back.assumptions[0]


def test_gamuts_are_said(tmp_path):
    exr = pytest.importorskip("OpenEXR")
    capture = Capture(name="a", linear=np.zeros((*SHAPE, 3), np.float32), kind="array")
    write_map(tmp_path / "a.exr", saved_map(), capture=capture)
    header = exr.File(str(tmp_path / "a.exr")).parts[0].header
    assert header["chromaticities"][:2] == pytest.approx((0.64, 0.33))
