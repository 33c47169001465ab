"""The names that scripts and apps use."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

import camerapipe


def test_dir_shows_what_there_is_and_all_of_it_can_be_had():
    names = [name for name in dir(camerapipe) if not name.startswith("__")]
    assert names == sorted(camerapipe.__all__)
    for name in names:
        assert getattr(camerapipe, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'rendr'"):
        camerapipe.rendr  # noqa: B018


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, camerapipe; print({'numpy', 'cv2', 'numba', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.fixture(scope="module")
def shot():
    return camerapipe.render(np.random.default_rng(1).integers(0, 256, (60, 80, 3), np.uint8))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tiff"])
def test_a_shot_saves_itself(shot, tmp_path, suffix):
    path = tmp_path / f"picture{suffix}"
    shot.save(path)
    with Image.open(path) as picture:
        assert picture.size == (80, 60)
        if suffix != ".jpg":
            np.testing.assert_array_equal(np.asarray(picture), shot.to_uint8())
    with pytest.raises(camerapipe.OutputError, match="--overwrite .overwrite=True"):
        shot.save(path)
    shot.save(path, overwrite=True)


def test_arguments_take_the_files_of_the_command_line(tmp_path):
    picture = np.random.default_rng(1).integers(0, 256, (60, 80, 3), np.uint8)
    mask = np.zeros((60, 80), np.uint8)
    mask[20:40, 20:60] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    stroke = camerapipe.Scribble(((30.0, 30.0), (40.0, 30.0)), width_px=9.0)
    (tmp_path / "strokes.json").write_text(json.dumps([stroke.to_plain()]))
    files = camerapipe.render(
        picture, force=True, protect=str(tmp_path / "mask.png"),
        foreground=tmp_path / "mask.png", scribbles=tmp_path / "strokes.json",
    )  # fmt: skip
    arrays = camerapipe.render(
        picture, force=True, protect=mask, foreground=mask > 0, scribbles=[stroke]
    )
    np.testing.assert_array_equal(files.image, arrays.image)
    files.save_map(tmp_path / "map.npz")
    again = camerapipe.render(
        picture, force=True, foreground=mask, from_map=str(tmp_path / "map.npz")
    )
    np.testing.assert_array_equal(again.image, files.image)


@pytest.mark.parametrize(
    "asked, said",
    [
        ({"protect": {"mask": 1}}, "protect: expected the path of a grey picture, or an array"),
        ({"foreground": np.zeros((60, 80, 3))}, "foreground: expected the path .*60, 80, 3"),
        ({"scribbles": [(1, 2)]}, "scribbles: expected Scribble objects, or the path .* got tuple"),
        ({"scribbles": 3}, "scribbles: expected .* got int"),
        ({"from_map": {"a": 1}}, "from_map: expected the path of a map.* got dict"),
        ({"from_map": np.zeros(5)}, r"from_map: .* got ndarray of shape \(5,\)"),
    ],
)
def test_arguments_of_other_types_are_named(asked, said):
    with pytest.raises(camerapipe.RequestError, match=said):
        camerapipe.render(np.full((60, 80, 3), 77, np.uint8), **asked)


def test_quality_and_bits_are_passed_on(shot, tmp_path):
    for quality in (30, 95):
        shot.save(tmp_path / f"{quality}.jpg", quality=quality)
    assert (tmp_path / "30.jpg").stat().st_size < (tmp_path / "95.jpg").stat().st_size
    with pytest.raises(camerapipe.RequestError, match="not 16; choose png"):
        shot.save(tmp_path / "deep.jpg", bits=16)


def test_what_has_no_map_cannot_save_one(tmp_path):
    flat = camerapipe.render(np.full((50, 60, 3), 77, np.uint8))
    with pytest.raises(camerapipe.OutputError, match="left untouched, so there is no blur map"):
        flat.save_map(tmp_path / "map.npz")


def test_the_number_of_workers_changes_no_picture_and_no_default():
    from stages import strips

    picture = np.random.default_rng(1).integers(0, 256, (60, 80, 3), np.uint8)
    before = strips.workers()
    one, three = (camerapipe.render(picture, workers=n, force=True) for n in (1, 3))
    np.testing.assert_array_equal(one.image, three.image)
    assert strips.workers() == before
    with pytest.raises(ValueError, match="workers: expected at least 1; got 0"):
        camerapipe.render(picture, workers=0)
