"""Recipes: written and read again, fitted to other sizes, refused in words."""

from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st

import camerapipe
from camerapipe.assembly import Request
from camerapipe.camera import open_input
from camerapipe.errors import CaptureError, OutputError, RequestError
from camerapipe.presets import PRESETS, SECTIONS
from camerapipe.recipe import (
    Recipe,
    RecipeError,
    recipe_of,
    resolve_with,
    with_recipe,
)
from camerapipe.recipe_keys import read_scribbles
from camerapipe.settings import Layer, resolve
from stages.bokeh import RadiusParams
from stages.scribble import Scribble

BOM = b"\xef\xbb\xbf"
PAIR = {"fine_scale_px", "coarse_scale_px"}  # each limits the other, whatever their ranges say


def value_of(spec):
    """Values that a parameter accepts."""
    low, high, choices = (spec.metadata[key] for key in ("low", "high", "choices"))
    kind = type(spec.default)
    if kind is bool:
        return st.booleans()
    if choices:
        return st.sampled_from(choices)
    if kind is int:
        return st.integers(low, high if high is not None else 10**6)
    return st.floats(low, high, allow_nan=False, allow_infinity=False)


@st.composite
def changes(draw):
    found = {}
    for section in draw(st.lists(st.sampled_from(sorted(SECTIONS)), unique=True, max_size=3)):
        free = [spec for spec in fields(SECTIONS[section]) if spec.name not in PAIR]
        specs = draw(st.lists(st.sampled_from(free), unique=True, min_size=1))
        found[section] = {spec.name: draw(value_of(spec)) for spec in specs}
    return found


@st.composite
def strokes(draw):
    coordinate = st.floats(-1e4, 1e4)
    points = draw(st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=4))
    kind = draw(st.sampled_from(["sharp", "blurred", "sigma"]))
    sigma_px = draw(st.floats(0, 50)) if kind == "sigma" else 0.0
    return Scribble(tuple(points), draw(st.floats(0, 100)), kind, sigma_px)


@st.composite
def recipes(draw):
    size = draw(st.tuples(st.integers(1, 20_000), st.integers(1, 20_000)))
    point = st.tuples(*(st.floats(0, n - 1) for n in size))
    name = st.text(
        st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="/\\"), min_size=1
    ).filter(lambda text: text not in (".", ".."))
    return Recipe(
        preset=draw(st.none() | st.sampled_from(sorted(PRESETS))),
        params=draw(changes()),
        size_px=size,
        focus_point=draw(st.none() | point),
        scribbles=tuple(draw(st.lists(strokes(), max_size=3))),
        foreground=draw(st.none() | name.map(lambda text: Path("masks", text))),
    )


@trials(max_examples=30, deadline=None)
@given(recipes())
def test_a_recipe_that_is_written_reads_as_it_was(recipe):
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    elsewhere = recipe.to_toml(folder="other/place")
    assert Recipe.from_toml(elsewhere, folder="other/place") == recipe


@trials(max_examples=30, deadline=None)
@given(recipes(), st.integers(2, 8))
def test_coordinates_come_back_from_another_size(recipe, factor):
    width, height = recipe.size_px
    larger = recipe.fitted((width * factor, height * factor))
    back = larger.fitted(recipe.size_px)
    assert larger.params == recipe.params
    if recipe.focus_point:
        sides = zip(recipe.focus_point, recipe.size_px, strict=True)
        nearest = [min(at, side - 0.5) for at, side in sides]  # beyond, it is off the last pixel
        assert back.focus_point == pytest.approx(nearest, abs=1e-6)
    for before, wide, after in zip(recipe.scribbles, larger.scribbles, back.scribbles, strict=True):
        assert wide.width_px == pytest.approx(before.width_px * factor)
        assert wide.sigma_px == pytest.approx(before.sigma_px * factor)
        np.testing.assert_allclose(after.points, before.points, rtol=1e-9, atol=1e-6)


def test_edges_of_the_picture_stay_edges():
    recipe = Recipe(
        size_px=(4000, 3000),
        focus_point=(3999.0, 0.0),
        scribbles=(Scribble(((-0.5, -0.5), (3999.5, 2999.5)), 20.0, "sigma", 4.0),),
    )
    small = recipe.fitted((400, 300))
    assert small.scribbles[0] == Scribble(((-0.5, -0.5), (399.5, 299.5)), 2.0, "sigma", 0.4)
    assert small.focus_point == (pytest.approx(399.45), 0.0)  # kept within the picture


def test_another_aspect_ratio_is_refused():
    recipe = Recipe(size_px=(4000, 3000), name="a.toml")
    assert recipe.fitted((1333, 1000)).size_px == (1333, 1000)  # what rounding explains
    with pytest.raises(RecipeError, match=r"a\.toml: .* 4000x3000 .* 3000x2000: the aspect"):
        recipe.fitted((3000, 2000))


@pytest.mark.parametrize(
    "text, said",
    [
        ("format_version = 2", "has format_version 2, and this camerapipe reads up to 1; update"),
        ("", "expected format_version = 1"),
        ("format_version = true", "expected format_version = 1"),
        ("format_version = 1\npresets = 'paper'", "key 'presets' .* did you mean 'preset'"),
        ("format_version = 1\n[radius]\nstrength = 3", r"write \[params.radius\]"),
        ("format_version = 1\npreset = 'papr'", "preset 'papr' .* did you mean 'paper'"),
        ("format_version = 1\n[params.radius]\nstrenth = 3", "did you mean 'strength'"),
        ("format_version = 1\n[params.radius]\nstrength = 99", "expected float in 1.0..8.0"),
        ("format_version = 1\nparams = 3", "params: expected tables"),
        ("format_version = 1\nfocus_point = [1, 2]", "size_px is missing"),
        ("format_version = 1\nsize_px = [40]", r"size_px: expected \[width, height\]"),
        ("format_version = 1\nsize_px = [40, 0]", r"size_px: expected \[width, height\]"),
        ("format_version = 1\nsize_px = [9, 9]\nfocus_point = [9, 2]", "within 9x9 pixels"),
        ("format_version = 1\nsize_px = [9, 9]\nfocus_point = [nan, 2]", r"expected \[x, y\]"),
        ("format_version = 1\nforeground = 3", "foreground: expected the path"),
        ("format_version = 1\nscribbles = 3", "scribbles: expected a list of strokes"),
        (
            "format_version = 1\nsize_px = [9, 9]\n"
            "[[scribbles]]\npoints = [[1, 2]]\nwidth_px = 2\nkind = 'sharpish'",
            "scribbles: stroke 1: .* 'sharpish'",
        ),
        ("format_version = ", "is not TOML"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(text, said):
    with pytest.raises(RequestError, match=said):
        Recipe.from_toml(text)


def test_a_newer_recipe_is_refused_for_its_version_not_for_its_keys():
    with pytest.raises(RecipeError, match="update camerapipe"):
        Recipe.from_toml("format_version = 9\nlayers = 3")


def test_files(tmp_path):
    path = tmp_path / "sub" / "r.toml"
    path.parent.mkdir()
    recipe = Recipe(preset="default", foreground=tmp_path / "mask.png", params={"radius": {}})
    recipe.write(path)
    assert 'foreground = "../mask.png"' in path.read_text()
    assert Recipe.read(path) == recipe
    with pytest.raises(OutputError, match="exists"):
        recipe.write(path)
    recipe.write(path, overwrite=True)
    path.write_bytes(BOM + path.read_bytes().replace(b"\n", b"\r\n"))
    assert Recipe.read(path) == recipe
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(RecipeError, match="is not UTF-8"):
        Recipe.read(path)
    with pytest.raises(RecipeError, match="cannot be read"):
        Recipe.read(tmp_path / "none.toml")


def test_scribbles_from_json(tmp_path):
    path = tmp_path / "strokes.json"
    path.write_bytes(BOM + b'[{"points": [[1, 2]], "width_px": 3}]')
    assert read_scribbles(path) == (Scribble(((1.0, 2.0),), 3.0),)
    path.write_text('[{"points": [[1, 2]], "width_px": 3}, {"points": []}]')
    with pytest.raises(RecipeError, match=r"strokes\.json: stroke 2: .*width_px"):
        read_scribbles(path)
    path.write_text("[")
    with pytest.raises(RecipeError, match="is not JSON"):
        read_scribbles(path)
    with pytest.raises(RecipeError, match=r"none\.json: cannot be read"):
        read_scribbles(tmp_path / "none.json")


def test_layers_of_a_recipe(tmp_path):
    config = tmp_path / "camera.toml"
    config.write_text('preset = "direct"\n[radius]\nstrength = 2\nmax_radius_px = 50\n')
    recipe = Recipe(preset="paper", params={"radius": {"strength": 3, "focus_ramp": 2.0}})
    made = resolve_with(recipe, config=config, overrides=["radius.focus_ramp=1.5"])
    origins = made.origins()["radius"]
    assert made.preset.name == "paper"
    assert (origins["strength"].value, origins["strength"].layer) == (3.0, Layer.RECIPE)
    assert (origins["max_radius_px"].value, origins["max_radius_px"].layer) == (50, Layer.FILE)
    assert made.params[RadiusParams].focus_ramp == 1.5
    assert resolve_with(recipe, "default").preset.name == "default"
    unnamed = replace(recipe, preset=None)
    assert resolve_with(unnamed, config=config).preset.name == "direct"


@pytest.fixture(scope="module")
def picture():
    """A small picture with a sharp middle and a blurred surround."""
    rng = np.random.default_rng(5)
    small = rng.integers(20, 236, (10, 15, 3)).astype(np.uint8)
    sharp = cv2.resize(small, (180, 120), interpolation=cv2.INTER_NEAREST)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 3.0)
    blurred[35:85, 55:125] = sharp[35:85, 55:125]
    return blurred


STROKES = (Scribble(((10.0, 10.0), (40.0, 20.0)), 9.0),)


def test_what_is_given_beside_a_recipe(picture, tmp_path):
    capture, _ = open_input(picture)
    mask = np.zeros((60, 90), np.uint8)
    mask[:, :20] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    recipe = Recipe(
        size_px=(360, 240),
        focus_point=(100.5, 80.5),
        scribbles=(Scribble(((20.5, 20.5),), 18.0),),
        foreground=tmp_path / "mask.png",
    )
    plain = Request(settings=resolve())
    fitted = with_recipe(plain, recipe, capture)
    assert fitted.focus_point == (50.0, 40.0)
    assert fitted.scribbles == (Scribble(((10.0, 10.0),), 9.0),)
    assert fitted.foreground.shape == (120, 180)
    own = replace(plain, focus_point=(3.0, 4.0), scribbles=STROKES)
    both = with_recipe(own, recipe, capture)
    assert both.focus_point == (3.0, 4.0)
    assert both.scribbles == (*fitted.scribbles, *STROKES)
    with pytest.raises(CaptureError, match="none"):
        with_recipe(plain, replace(recipe, foreground=tmp_path / "none.png"), capture)


def test_a_recipe_of_a_request_renders_the_same_picture(picture, tmp_path):
    asked = {"strength": 3, "focus": (90, 60), "scribbles": STROKES, "force": True}
    first = camerapipe.render(picture, **asked)
    request = Request(
        settings=resolve(strength=3), focus_point=(90.0, 60.0), scribbles=STROKES, force=True
    )
    recipe_of(request, first.capture).write(tmp_path / "r.toml")
    again = camerapipe.render(picture, recipe=tmp_path / "r.toml", force=True)
    np.testing.assert_array_equal(again.image, first.image)
    np.testing.assert_array_equal(again.blur_map.sigma, first.blur_map.sigma)
    other = camerapipe.render(picture, recipe=Recipe.read(tmp_path / "r.toml"), strength=2)
    assert np.abs(other.image - first.image).max() > 0.01  # what is given beside it counts


def test_parameters_of_a_recipe_are_those_that_somebody_changed(picture, tmp_path):
    config = tmp_path / "camera.toml"
    config.write_text("[dead_zone]\nmargin = 1.7\n")
    made = resolve("paper", config, ["radius.strength=2"])
    found = recipe_of(Request(settings=made), open_input(picture)[0])
    assert found.preset == "paper"
    assert found.params == {"dead_zone": {"margin": 1.7}, "radius": {"strength": 2.0}}
    assert found.size_px == (180, 120)


def test_the_export_of_a_session_is_a_fresh_render_of_its_recipe(picture, tmp_path):
    session = camerapipe.Session(picture).change(strength=3, focus_point=(90, 60), force=True)
    session.scribble(*STROKES)
    recipe_of(session.request, session.capture).write(tmp_path / "r.toml")
    fresh = camerapipe.render(picture, recipe=tmp_path / "r.toml", force=True)
    np.testing.assert_array_equal(session.export().image, fresh.image)


def test_text_that_is_nested_too_deeply_is_refused(tmp_path):
    with pytest.raises(RecipeError, match=r"a\.toml: is not TOML: it is nested too deeply"):
        Recipe.from_toml("a = " + "[" * 3000, name="a.toml")
    (tmp_path / "a.json").write_text("[" * 100_000)
    with pytest.raises(RecipeError, match="nested too deeply"):
        read_scribbles(tmp_path / "a.json")
