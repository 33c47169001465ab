"""What a person asks to be kept sharp: files, numbers, recipes, and what is refused."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import camerapipe
from camerapipe.camera import open_input
from camerapipe.errors import CaptureError, RequestError
from camerapipe.protecting import ProtectionRequest, rectangle_of
from camerapipe.recipe import Recipe, RecipeError
from camerapipe.segmentation import SegmentationModel
from datasets.tiny_onnx import conv_model
from stages.protection import Protection, Rectangle

SIZE = (180, 240)
MASK = np.zeros(SIZE, np.uint8)
MASK[50:140, 20:110] = 255


@pytest.fixture(scope="module")
def picture():
    """Blurred texture, sharp on the right."""
    rng = np.random.default_rng(5)
    small = rng.integers(20, 236, (12, 16, 3)).astype(np.uint8)
    sharp = cv2.resize(small, SIZE[::-1], interpolation=cv2.INTER_NEAREST)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 2.5)
    blurred[:, 150:] = sharp[:, 150:]
    return blurred


def sigma(picture, **asked):
    shot = camerapipe.render(picture, force=True, keep=("blur",), **asked)
    return shot.blur_map.sigma, [each.code for each in shot.findings]


INNER = np.s_[70:120, 40:90]  # of the mask


@pytest.fixture(scope="module")
def plain(picture):
    found, codes = sigma(picture)
    assert np.median(found[INNER]) > 1.5 and "protection_contradicted" not in codes
    return found


def test_a_mask_holds_against_the_measured_blur_and_says_so(picture, plain):
    held, codes = sigma(picture, protect=MASK)
    assert held[INNER].max() < 0.9 and codes[-1] == "protection_contradicted"
    assert np.abs(held - plain)[:, 165:].max() < 0.35  # far away nothing changes


def test_a_rectangle_and_a_model_lose_where_the_picture_is_blurred(picture, plain, tmp_path):
    path = tmp_path / "white.onnx"
    path.write_bytes(conv_model([[0.0, 0.0, 0.0]], [1.0]))  # 1 everywhere
    for asked in ({"subject": (20, 50, 90, 90)}, {"protect_model": path}):
        held, codes = sigma(picture, **asked)
        assert np.median(held[INNER]) > 0.7 * np.median(plain[INNER])
        assert codes[-1] == "protection_contradicted"


def test_a_scribble_overrides_a_mask(picture):
    stroke = camerapipe.Scribble(((40.0, 95.0), (90.0, 95.0)), 30.0, "sigma", 4.0)
    masked, _ = sigma(picture, protect=MASK)
    held, _ = sigma(picture, protect=MASK, scribbles=(stroke,))
    assert np.median(masked[85:105, 45:85]) < 0.9 and np.median(held[85:105, 45:85]) > 2


def test_a_mask_and_a_rectangle_protect_both(picture):
    flat = np.full_like(picture, 128)
    flat[:, 150:] = picture[:, 150:]
    request = ProtectionRequest(subject=Rectangle(10, 10, 100, 160))
    protection = request.complete(Protection(mask=MASK.astype(np.float32) / 255), flat)
    assert protection.rectangle == request.subject and protection.mask is not None


def test_sessions_and_recipes_know_protection(picture, tmp_path):
    cv2.imwrite(str(tmp_path / "mask.png"), MASK)
    recipe = Recipe(
        size_px=SIZE[::-1],
        protection=ProtectionRequest(
            mask=tmp_path / "mask.png",
            subject=Rectangle(10, 20, 100, 120),
            model=SegmentationModel(path=tmp_path / "m.onnx", mean=(1.0, 2.0, 3.0), output_class=1),
        ),
    )
    recipe.write(tmp_path / "sub.toml")
    text = (tmp_path / "sub.toml").read_text()
    assert 'protect = "mask.png"' in text and 'path = "m.onnx"' in text
    assert Recipe.read(tmp_path / "sub.toml") == recipe
    assert recipe.fitted((480, 360)).protection.subject == Rectangle(20.5, 40.5, 200, 240)
    masked = replace(recipe, protection=ProtectionRequest(mask=tmp_path / "mask.png"))
    by_recipe, _ = sigma(picture, recipe=masked)
    by_mask, _ = sigma(picture, protect=MASK)
    np.testing.assert_array_equal(by_recipe, by_mask)
    session = camerapipe.Session(picture, recipe=masked).change(force=True)
    np.testing.assert_array_equal(session.render("full").blur_map.sigma, by_mask)
    session.change(protection=Protection())
    assert session.render("full").blur_map.sigma[INNER].max() > 1


@pytest.mark.parametrize(
    "text, said",
    [
        ("subject = [1, 2, 3, 4]", "size_px is missing; focus_point, subject"),
        ("size_px = [9, 9]\nsubject = [1, 2, 3]", "subject: expected X,Y,W,H"),
        ("size_px = [9, 9]\nsubject = [1, 2, 0, 4]", "subject: expected X,Y,W,H"),
        ("protect = 3", "protect: expected the path of a picture"),
        ("[protect_model]\nmean = 3", "protect_model: path is missing"),
        ('[protect_model]\npath = "a"\nmaen = 3', "key 'maen' does not exist; did you mean 'mean'"),
        ('[protect_model]\npath = "a"\nscale = ["x"]', "scale: expected one or three numbers"),
    ],
)
def test_recipes_that_cannot_be_used(text, said):
    with pytest.raises((RecipeError, RequestError), match=said.replace("[", r"\[")):
        Recipe.from_toml(f"format_version = 1\n{text}")


@pytest.mark.parametrize(
    "asked, said",
    [
        ({"protect": np.ones((9, 9))}, r"protect: expected a mask of shape \(180, 240\)"),
        ({"protect": np.zeros(SIZE)}, "protect: the mask is empty"),
        ({"subject": (200, 20, 90, 20)}, "subject: expected X,Y,W,H within 240x180 pixels"),
        ({"subject": (20, 20, 0, 20)}, "subject: expected X,Y,W,H in pixels, with a width"),
        ({"protect": MASK, "preset": "paper"}, "preset 'paper' has no upper bounds"),
    ],
)
def test_requests_that_do_not_fit(picture, asked, said):
    with pytest.raises(RequestError, match=said):
        camerapipe.render(picture, **asked)


def test_files_that_cannot_be_used(picture, tmp_path):
    linear = open_input(picture)[0].linear
    cv2.imwrite(str(tmp_path / "black.png"), MASK * 0)
    cv2.imwrite(str(tmp_path / "wide.png"), MASK[:40])
    for name, said in (("black.png", "black everywhere"), ("wide.png", "another shape")):
        with pytest.raises(CaptureError, match=said):
            ProtectionRequest(mask=tmp_path / name).complete(Protection(), linear)
    with pytest.raises(RequestError, match="--subject: expected X,Y,W,H"):
        rectangle_of("--subject", ["1", "b"])
    assert ProtectionRequest(mask=Path("a"), model=None).paths() == (Path("a"),)
