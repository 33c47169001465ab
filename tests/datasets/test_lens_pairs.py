"""Scenes through two lenses: what is said of them agrees with their photographs."""

import numpy as np
import pytest

from datasets import lens_pairs, scenes
from datasets.layered import encoded_of, photographs
from datasets.lens_pairs import BENCH, CHOOSING, MADE, PLANES, REPORTING, TRACED, load_pair
from datasets.made_scenes import (
    black_ground,
    cards,
    cells,
    foreground,
    leafy_ground,
    matte,
    night,
    planes,
    slant,
    white_ground,
)
from datasets.strands import hairy_subject
from stages.scene import compose
from stages.tone import linearise

SHAPE = (120, 160)
MAKERS = {
    "white": lambda: matte(SHAPE, 1, 4.0, white_ground, 0.7),
    "black": lambda: matte(SHAPE, 2, 4.0, black_ground, 0.3),
    "leafy": lambda: matte(SHAPE, 3, 4.0, leafy_ground, 0.6),
    "slant": lambda: slant(SHAPE, 1, 0.8, across=True),
    "cards": lambda: cards(SHAPE, 1, 0.5, 5.0),
    "night": lambda: night(SHAPE, 1, 3.0, 2.5),
    "foreground": lambda: foreground(SHAPE, 1, 3.0, 2.0),
    "planes": lambda: planes(SHAPE, 1, 4.0, leafy_ground),
}


@pytest.fixture(autouse=True)
def few_leaves(monkeypatch):
    monkeypatch.setattr(scenes, "LEAVES", 300)


def test_every_scene_is_in_one_half_and_every_kind_in_both():
    names = {*TRACED, *MADE, *PLANES}
    assert names == {*CHOOSING, *REPORTING} and len(names) == len(CHOOSING) + len(REPORTING)
    kinds = {name.rsplit(" ", 1)[0] for name in MADE}
    for half in (CHOOSING, REPORTING):
        found = {name.rsplit(" ", 1)[0] for name in half}
        assert kinds - {"large leafy", "large black"} <= found
        assert len({*BENCH} & {*half}) == 2


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_maker_gives_one_scene(make):
    one, same = make(), make()
    for a, b in zip(one.layers, same.layers, strict=True):
        for plane, again in zip(a, b, strict=True):
            np.testing.assert_array_equal(plane, again)
            assert plane.dtype == np.float32
    assert one.layers[0].alpha.min() == 1


def test_a_picture_of_the_subject_and_what_is_behind_it_make_the_truth():
    scene = MAKERS["leafy"]()
    found = photographs(scene, 2.5)
    near, far, truth = (linearise(encoded_of(found[n])) for n in ("near", "far", "truth"))
    alpha = scene.layers[1].alpha[..., None]
    np.testing.assert_allclose(alpha * near + (1 - alpha) * far, truth, atol=2e-4)
    assert 0 < found["strands"].mean() < 0.2 and found["defocus"].max() == 4


def test_a_region_shows_what_the_whole_does():
    scene = MAKERS["leafy"]()
    part = (slice(30, 70), slice(50, 120))
    whole, found = photographs(scene, 2.5), photographs(scene._replace(region=part), 2.5)
    for name in ("truth", "far", "near", "strands"):
        np.testing.assert_allclose(
            found[name].astype(int), whole[name][part].astype(int), atol=2, err_msg=name
        )
    np.testing.assert_array_equal(found["region"], [(30, 70), (50, 120)])
    np.testing.assert_array_equal(found["light"], whole["light"])


def test_lamps_are_isolated_clip_and_grow():
    scene = MAKERS["night"]()
    assert len(scene.balls) >= 2
    found = photographs(scene, 2.5)
    light, truth = (encoded_of(found[name]) for name in ("light", "truth"))
    for y, x in scene.balls.astype(int):
        assert light[y, x].max() == 1
        assert truth[y, x + 12].max() > 1.5 * truth[y, x + 19].max()  # a disk of radius 15
    assert compose(scene.layers).max() > 1.5


def test_hairs_are_thin_and_outside_of_the_body():
    subject = hairy_subject((300, 400), 1)
    assert subject.alpha.max() == 1 and subject.alpha.min() == 0
    assert 0.1 < subject.alpha.mean() < 0.35
    assert 0.01 < subject.strands.mean() < 0.2
    assert 0.05 < subject.alpha[subject.strands].mean() < 0.6


def test_cells_are_flat():
    light = cells((30, 40), 1, 10, coloured_cells=False)
    assert np.ptp(light[:10, :10]) == 0 and light[0, 0, 0] != light[0, 10, 0]
    assert np.ptp(light, axis=2).max() == 0


def test_pairs_are_loaded_from_what_was_kept(tmp_path, monkeypatch):
    monkeypatch.setitem(MADE, "white a", MAKERS["white"])
    pair = load_pair("white a", tmp_path, tmp_path / "kept")
    assert pair.half == "choosing" and pair.light.shape == pair.truth.shape == (*SHAPE, 3)
    assert pair.sigma.min() == pytest.approx(0.4) and pair.region == (slice(0, 120), slice(0, 160))
    monkeypatch.setitem(MADE, "white a", None)  # not asked again
    again = load_pair("white a", tmp_path, tmp_path / "kept")
    np.testing.assert_array_equal(pair.truth, again.truth)


def test_a_scene_of_depth_is_traced_through_both_lenses(tmp_path, monkeypatch):
    whole = lens_pairs.load_scene("ball", tmp_path)
    part = np.s_[150:190, 160:216]
    small = lens_pairs.Scene("ball", whole.linear[part].copy(), whole.defocus[part].copy())
    monkeypatch.setattr(lens_pairs, "load_scene", lambda *_: small)
    pair = load_pair("ball", tmp_path, tmp_path)
    assert pair.defocus.max() == 5 and pair.truth[:, :10].std() < pair.light[:, :10].std()
    monkeypatch.setattr(lens_pairs, "load_scene", lambda *_: None)
    assert load_pair("teddy", tmp_path, tmp_path) is None
