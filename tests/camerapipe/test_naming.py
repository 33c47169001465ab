"""Inputs, pictures in folders, and names of outputs."""

import cv2
import numpy as np
import pytest

from camerapipe.errors import CaptureError, OutputError, RequestError
from camerapipe.ingest.folders import pictures_in
from camerapipe.naming import Inputs, Target, distinct_names, find_inputs, name_outputs

GREY = np.full((8, 8, 3), 99, np.uint8)


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", GREY)[1].tobytes())
    return path


def test_pictures_of_a_folder_come_in_natural_order(tmp_path):
    for name in ("img10.png", "IMG_9.jpg", "img_10.jpg", "img2.png", "10.png", "9.png"):
        picture(tmp_path / name)
    found = [path.name for path in pictures_in(tmp_path)]
    assert found == ["9.png", "10.png", "img2.png", "img10.png", "IMG_9.jpg", "img_10.jpg"]


def test_other_files_are_passed_over(tmp_path):
    wanted = {picture(tmp_path / "a.png"), picture(tmp_path / "named_wrongly.txt")}
    wanted |= {tmp_path / name for name in ("bad.jpg", "shot.NEF", "phone.heic")}
    for name in ("bad.jpg", "shot.NEF", "phone.heic"):
        (tmp_path / name).write_bytes(b"unreadable, which is said later")
    for name in ("notes.txt", "shot.xmp", "clip.mp4", "empty"):
        (tmp_path / name).write_bytes(b"" if name == "empty" else b"text")
    picture(tmp_path / ".hidden.png")
    picture(tmp_path / "folder.png" / "inner.png")
    assert set(pictures_in(tmp_path)) == wanted


def test_a_folder_without_pictures_says_so(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(CaptureError, match="has no pictures in it"):
        find_inputs([tmp_path])
    with pytest.raises(CaptureError, match="cannot be read"):
        pictures_in(tmp_path / "none")


def test_each_input_counts_once(tmp_path):
    one, two = picture(tmp_path / "1.png"), picture(tmp_path / "2.png")
    found = find_inputs([two, tmp_path, tmp_path / "." / "1.png"])
    assert found == Inputs((two, one), several=True, folders=(tmp_path,))
    assert not find_inputs([one]).several
    two.unlink()
    assert find_inputs([tmp_path]).several  # a folder may have more the next time


@pytest.mark.parametrize(
    "pairs, used",
    [
        ("raw", ["a.NEF", "b.jpg", "c.dng", "d.tif", "d.nef"]),
        ("jpeg", ["a.jpg", "b.jpg", "c.HEIC", "d.tif", "d.nef"]),
        ("both", ["a.NEF", "a.jpg", "b.jpg", "c.HEIC", "c.dng", "d.tif", "d.nef"]),
    ],
)
def test_a_raw_and_its_jpeg_in_a_folder_are_one_photograph(tmp_path, pairs, used):
    every = ("a.NEF", "a.jpg", "b.jpg", "c.HEIC", "c.dng", "d.tif", "d.nef")
    for name in every:
        (tmp_path / name).write_bytes(b"recognised by its suffix")
    found = find_inputs([tmp_path], pairs)
    assert {path.name for path in found.paths} == set(used)
    assert found.passed_over == len(every) - len(used)


def test_a_file_of_a_pair_that_is_named_is_used(tmp_path):
    raw, jpeg = tmp_path / "a.dng", picture(tmp_path / "a.jpg")
    raw.write_bytes(b"recognised by its suffix")
    assert find_inputs([raw, jpeg]).paths == (raw, jpeg)
    both = find_inputs([tmp_path, jpeg])
    assert set(both.paths) == {raw, jpeg} and not both.passed_over
    other = picture(tmp_path / "other" / "a.jpg")
    assert find_inputs([tmp_path, other.parent]).paths == (raw, other)


@pytest.mark.parametrize(
    "paths, names",
    [
        (["a.jpg", "b.jpg"], ["a", "b"]),
        (["A/x.JPG", "B/x.JPG", "y.png"], ["A_x", "B_x", "y"]),
        (["x.dng", "x.jpg"], ["x_dng", "x_jpg"]),
        (["A/x.dng", "A/x.jpg", "B/x.jpg"], ["A_x_dng", "A_x_jpg", "B_x_jpg"]),
        (["p/1/x.jpg", "q/1/x.jpg"], ["p_1_x", "q_1_x"]),
        (["A/x.jpg", "B/X.jpg"], ["A_x", "B_X"]),  # one name where case does not count
    ],
)
def test_names_are_told_apart(tmp_path, paths, names):
    assert distinct_names([tmp_path / path for path in paths]) == names


def names_of(outputs):
    return [path.name for each in outputs for path in each.paths()]


def test_outputs_in_a_folder(tmp_path):
    found = Inputs((tmp_path / "a.TIF", tmp_path / "b.heic", tmp_path / "c.jpeg"), several=True)
    out = str(tmp_path / "out")
    targets = {"picture": Target("-o", out), "map": Target("--map", out)}
    assert names_of(name_outputs(found, targets)) == [
        "a_bokeh.tif", "a_map.tiff", "b_bokeh.heic", "b_map.tiff", "c_bokeh.jpg", "c_map.tiff",
    ]  # fmt: skip
    targets = {"picture": Target("-o", out, "tiff"), "map": Target("--map", out, "npz")}
    assert names_of(name_outputs(found, targets)) == [
        "a_bokeh.tif", "a_map.npz", "b_bokeh.tif", "b_map.npz", "c_bokeh.tif", "c_map.npz",
    ]  # fmt: skip
    with pytest.raises(RequestError, match="format: expected jpeg, png, .*, exr; got 'gif'"):
        name_outputs(found, {"picture": Target("-o", out, "gif")})


def test_outputs_that_cannot_be(tmp_path):
    one, two = picture(tmp_path / "in" / "1.png"), picture(tmp_path / "in" / "2.png")
    both, single = Inputs((one, two), several=True), Inputs((one,), several=False)
    with pytest.raises(RequestError, match=r"-o .*out\.jpg: several inputs need a folder"):
        name_outputs(both, {"picture": Target("-o", str(tmp_path / "out.jpg"))})
    same = str(tmp_path / "same.png")
    with pytest.raises(RequestError, match="would both be written to"):
        name_outputs(single, {"picture": Target("-o", same), "map": Target("--map", same)})
    with pytest.raises(OutputError, match="the folder cannot be made"):
        name_outputs(both, {"picture": Target("-o", str(one / "sub"))})
    with pytest.raises(RequestError, match="is not the name of a PNG; leave out --format"):
        name_outputs(single, {"picture": Target("-o", "out.jpg", "png")})
    with pytest.raises(RequestError, match="is the folder of the inputs"):
        name_outputs(find_inputs([one.parent]), {"picture": Target("-o", str(one.parent))})
