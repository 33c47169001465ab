"""Blur maps as files: ours come back to the quantum, foreign ones are taken for what they say."""

import json

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from camerapipe.errors import CaptureError, OutputError
from camerapipe.ingest import colour_map, open_capture, read_map, write_map
from stages.grid import BlurMap, Grid

FULL = (41, 63)
GRIDS = {
    "full": Grid(FULL),
    "half": Grid.cells(FULL, 2),
    "every fourth pixel": Grid((11, 16), 4, 0.0),
}


def blur_on(grid, dense=True):
    rng = np.random.default_rng(4)
    sigma = rng.uniform(0, 7, grid.shape).astype(np.float32)
    confidence = rng.uniform(0.1, 4, grid.shape).astype(np.float32)
    if not dense:
        confidence[::2] = sigma[::2] = 0
    return BlurMap(sigma, confidence, grid)


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("dense", [True, False])
def test_npz_keeps_everything(tmp_path, grid, dense):
    blur = blur_on(grid, dense)
    write_map(tmp_path / "a.npz", blur)
    back = read_map(tmp_path / "a.npz", FULL)
    np.testing.assert_array_equal(back.sigma, blur.sigma)
    np.testing.assert_array_equal(back.confidence, blur.confidence)
    assert back.grid == grid


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("suffix", [".tif", ".TIFF"])
def test_tiff_comes_back_to_the_quantum(tmp_path, grid, suffix):
    blur = blur_on(grid)
    path = tmp_path / f"a{suffix}"
    write_map(path, blur)
    back = read_map(path, FULL)
    quantum = blur.sigma.max() / 65535
    assert np.abs(back.sigma - blur.sigma).max() <= quantum * 0.51
    assert back.grid == grid and back.is_dense
    with tifffile.TiffFile(path) as tiff:
        said = json.loads(tiff.pages.first.description)
        assert tiff.pages.first.dtype == np.uint16
    assert said["unit"] == "sigma_px"
    assert said["scale"] * 65535 == pytest.approx(said["max"]) == pytest.approx(blur.sigma.max())


def test_an_all_sharp_map(tmp_path):
    blur = BlurMap(np.zeros(FULL, np.float32), np.ones(FULL, np.float32), Grid(FULL))
    for name in ("a.tif", "a.npz", "a.png"):
        write_map(tmp_path / name, blur)
    for name in ("a.tif", "a.npz"):
        assert not read_map(tmp_path / name, FULL).sigma.any()


def test_the_coloured_png_is_for_the_eye(tmp_path):
    blur = blur_on(GRIDS["full"])
    write_map(tmp_path / "a.png", blur)
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_allclose(np.asarray(image) / 255, colour_map(blur.sigma), atol=1e-6)
        assert f"brightest {blur.sigma.max():.4g}" in image.info["Description"]
    colours = colour_map(np.float32([[0, 1, 2, 4]])).sum(axis=2)[0]
    assert (np.diff(colours) > 0).all()
    with pytest.raises(CaptureError, match="colour picture"):
        read_map(tmp_path / "a.png", FULL)


def test_sparse_maps_need_a_format_with_places_without_data(tmp_path):
    for name in ("a.tif", "a.png"):
        with pytest.raises(OutputError, match="choose .npz"):
            write_map(tmp_path / name, blur_on(GRIDS["full"], dense=False))
    with pytest.raises(OutputError, match="choose .tif, .tiff, .npz, .png, .exr, .jpg"):
        write_map(tmp_path / "a.bmp", blur_on(GRIDS["full"]))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_foreign_integers_span_the_range_given(tmp_path, kind, suffix):
    top = np.iinfo(kind).max
    codes = (np.linspace(0, 1, FULL[0] * FULL[1]).reshape(FULL) * top).astype(kind)
    cv2.imwrite(str(tmp_path / f"a{suffix}"), codes)
    for most, options in ((10, {}), (4, {"foreign_max_px": 4.0})):
        back = read_map(tmp_path / f"a{suffix}", FULL, **options)
        np.testing.assert_allclose(back.sigma, codes / top * most, rtol=1e-6)
        assert back.grid == Grid(FULL) and (back.confidence == 1).all()


def test_foreign_floats_are_sigma(tmp_path):
    sigma = np.linspace(0, 12, FULL[0] * FULL[1], dtype=np.float32).reshape(FULL)
    tifffile.imwrite(tmp_path / "a.tif", sigma)
    np.testing.assert_array_equal(read_map(tmp_path / "a.tif", FULL).sigma, sigma)
    np.savez(tmp_path / "b.npz", sigma=sigma)
    np.testing.assert_array_equal(read_map(tmp_path / "b.npz", FULL).sigma, sigma)


@pytest.mark.parametrize("shape", [(20, 30), (80, 120), (81, 120)])
def test_another_size_is_resized_with_its_values(tmp_path, shape):
    sigma = np.tile(np.linspace(1, 5, shape[1], dtype=np.float32), (shape[0], 1))
    tifffile.imwrite(tmp_path / "a.tif", sigma)
    back = read_map(tmp_path / "a.tif", (40, 60))
    assert back.sigma.shape == (40, 60) == back.grid.shape
    np.testing.assert_allclose(back.sigma[0], np.linspace(1, 5, 60), atol=0.15)


def test_an_edited_map_of_ours_keeps_its_scale_at_another_size(tmp_path):
    blur = BlurMap(np.full(FULL, 3, np.float32), np.ones(FULL, np.float32), Grid(FULL))
    write_map(tmp_path / "a.tif", blur)
    back = read_map(tmp_path / "a.tif", (82, 126))
    np.testing.assert_allclose(back.sigma, 3, atol=1e-4)


BAD = {
    "NaN": np.full(FULL, np.nan, np.float32),
    "negative": np.full(FULL, -1, np.float32),
    "another shape": np.ones((41, 41), np.float32),
}


@pytest.mark.parametrize("sigma", BAD.values(), ids=BAD)
@pytest.mark.parametrize("suffix", [".tif", ".npz"])
def test_bad_maps_are_refused(tmp_path, sigma, suffix):
    path = tmp_path / f"a{suffix}"
    if suffix == ".tif":
        tifffile.imwrite(path, sigma)
    else:
        np.savez(path, sigma=sigma, confidence=np.ones_like(sigma))
    with pytest.raises(CaptureError, match=r"^[^\n]*a\.(tif|npz): [^\n]*$"):
        read_map(path, FULL)


def test_broken_archives_are_refused(tmp_path, capfd):
    path = tmp_path / "a.npz"
    np.savez(path, other=np.ones(3))
    whole = path.read_bytes()
    np.savez(tmp_path / "b.npz", sigma=np.array([object()], object))
    for data in (whole, whole[:100], b"PK\3\4" + bytes(200), (tmp_path / "b.npz").read_bytes()):
        path.write_bytes(data)
        with pytest.raises(CaptureError, match=r"a\.npz: "):
            read_map(path, FULL)
    path.write_bytes(b"text")
    with pytest.raises(CaptureError, match="neither a picture nor"):
        read_map(path, FULL)
    assert capfd.readouterr() == ("", "")


def test_a_map_is_no_capture_but_opens_as_a_picture(tmp_path):
    write_map(tmp_path / "a.tif", blur_on(GRIDS["full"]))
    assert open_capture(tmp_path / "a.tif").grey
