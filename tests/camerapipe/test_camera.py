"""The whole job on small pictures with a known answer."""

import cv2
import numpy as np
import pytest

import camerapipe
from camerapipe.budget import Budget
from camerapipe.camera import OTHER_PICTURE, given_map
from camerapipe.errors import RequestError
from camerapipe.graph import GraphError
from camerapipe.ingest import capture_from_array, write_map
from camerapipe.presets import PRESETS, add_estimator
from camerapipe.report import Caveat
from stages.grid import BlurMap, Grid, SparseBlur
from stages.kinds import Encoded
from stages.scribble import Scribble
from stages.tone import SRGB, linearise


@pytest.fixture(scope="module")
def scene():
    """A sharp textured subject in front of a textured background of sigma 3 px, sRGB uint8."""
    rng = np.random.default_rng(7)

    def texture(cell):
        small = rng.random((240 // cell, 320 // cell, 3), np.float32)
        return cv2.resize(small, (320, 240), interpolation=cv2.INTER_NEAREST)

    subject = np.zeros((240, 320, 1), np.float32)
    subject[60:200, 110:220] = 1
    picture = subject * texture(10) + (1 - subject) * cv2.GaussianBlur(texture(16), (0, 0), 3.0)
    return (255 * (0.1 + 0.8 * picture)).astype(np.uint8), subject[:, :, 0] > 0


def test_the_subject_stays_and_the_background_goes(scene):
    picture, subject = scene
    shot = camerapipe.render(picture, strength=3.0)
    inside = cv2.erode(subject.astype(np.uint8), np.ones((9, 9))) > 0
    outside = cv2.dilate(subject.astype(np.uint8), np.ones((25, 25))) == 0
    assert np.median(shot.blur_map.sigma[inside]) < 1.0
    assert np.median(shot.blur_map.sigma[outside]) == pytest.approx(3.0, abs=1.0)
    detail = [np.abs(cv2.Laplacian(i, cv2.CV_32F)) for i in (picture / np.float32(255), shot.image)]
    assert detail[1][inside].mean() > 0.9 * detail[0][inside].mean()
    assert detail[1][outside].mean() < 0.5 * detail[0][outside].mean()


def test_strength_one_changes_nothing(scene):
    picture, _ = scene
    shot = camerapipe.render(picture, strength=1.0)
    np.testing.assert_array_equal(np.rint(shot.image * 255).astype(np.uint8), picture)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_constant_picture_stays_constant(preset):
    grey = np.full((64, 96, 3), 0.5, np.float32)
    shot = camerapipe.render(grey, preset=preset, force=True, params=quick(preset))
    np.testing.assert_allclose(shot.image, 0.5, atol=1e-6)
    assert shot.blur_map.sigma.shape == (64, 96)


def quick(preset):
    return {} if preset == "default" else {"propagate": {"iterations": 30}}


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("shape", [(1, 1), (3, 700), (7, 7), (33, 41)])
def test_every_size_comes_out(shape, preset):
    rng = np.random.default_rng(2)
    picture = rng.integers(0, 256, (*shape, 3)).astype(np.uint8)
    shot = camerapipe.render(picture, preset=preset, force=True, params=quick(preset))
    assert shot.image.shape == (*shape, 3) and np.isfinite(shot.image).all()


def test_a_blocking_finding_leaves_the_picture_untouched():
    flat = np.full((50, 60, 3), 77, np.uint8)
    shot = camerapipe.render(flat)
    assert shot.findings[0].code == "too_few_edges"
    assert shot.report.graph == "pass-through" and shot.blur_map is None
    np.testing.assert_array_equal(np.rint(shot.image * 255), flat)
    forced = camerapipe.render(flat, force=True)
    assert forced.report.graph == "default" and forced.findings[0].code == "too_few_edges"


def test_a_linear_array_comes_back_linear(scene):
    picture, _ = scene
    linear = linearise(picture)
    shot = camerapipe.render(linear, encoding="linear", strength=1.0)
    np.testing.assert_allclose(shot.image, linear, atol=2e-5)


def test_a_map_of_ones_own(scene):
    picture, subject = scene
    sigma = np.where(subject, 0, 4).astype(np.float32)
    shot = camerapipe.render(picture, from_map=sigma, strength=2.0)
    assert shot.report.graph == "default-from-map"
    np.testing.assert_array_equal(shot.blur_map.sigma, sigma)
    inside = cv2.erode(subject.astype(np.uint8), np.ones((31, 31))) > 0
    np.testing.assert_array_equal(np.rint(shot.image * 255)[inside], picture[inside])


@pytest.mark.parametrize(
    "wrong, message",
    [
        (np.zeros((5, 5), np.float32), r"from_map: expected shape \(240, 320\); got \(5, 5\)"),
        (np.full((240, 320), np.nan), "the map has no data"),
        (np.full((240, 320), np.inf), "must be finite"),
        (np.full((240, 320), -1.0), "not negative"),
        (
            BlurMap(
                np.zeros((240, 320), np.float32), np.zeros((240, 320), np.float32), Grid((240, 320))
            ),
            "from_map: the map has no data",
        ),
        (
            BlurMap(
                np.ones((10, 10), np.float32), np.ones((10, 10), np.float32), Grid((10, 10), 2)
            ),
            r"expected shape \(120, 160\); got \(10, 10\)",
        ),
    ],
)
def test_a_wrong_map_is_refused(scene, wrong, message):
    with pytest.raises(ValueError, match=message):
        camerapipe.render(scene[0], from_map=wrong)


def test_a_scribble_overrules_the_estimate(scene):
    picture, subject = scene
    stroke = Scribble(points=((130.0, 100.0), (200.0, 170.0)), width_px=40.0, kind="blurred")
    before = camerapipe.render(picture).blur_map.sigma[110:160, 150:180]
    after = camerapipe.render(picture, scribbles=[stroke]).blur_map.sigma[110:160, 150:180]
    assert np.median(before) < 1.2 < 2.0 < np.median(after)


def test_the_point_of_focus_sets_what_stays_sharp(scene):
    """Pointing at the blurred background makes its blur count as in focus: nothing is added."""
    picture, _ = scene
    shot = camerapipe.render(picture, strength=3.0, focus=(20, 20))
    change = np.abs(np.rint(shot.image * 255) - picture)[10:30, 10:30]
    assert change.max() <= 1
    with pytest.raises(ValueError, match="focus: expected a point within 320x240 pixels; got 320"):
        camerapipe.render(picture, focus=(320, 10))


@pytest.mark.parametrize("budget", ["20ms", "200ms", "5s"])
def test_any_budget_gives_a_complete_picture_with_honest_caveats(scene, budget):
    shot = camerapipe.render(scene[0], budget=budget)
    report = shot.report
    assert np.isfinite(shot.image).all() and shot.blur_map.confidence.all()
    propagate = next(row for row in report.stages if row.name == "propagate")
    assert propagate.steps >= 1
    assert propagate.granted_ms <= report.budget_ms
    if propagate.steps == 1:
        assert Caveat.UNFINISHED in propagate.caveats


def test_report_and_kept_values(scene):
    shot = camerapipe.render(scene[0], keep=["edge_data", "sharpness_bounds"])
    assert set(shot.kept) == {"edge_data", "sharpness_bounds"}
    assert isinstance(shot.kept["edge_data"], BlurMap) and not shot.kept["edge_data"].is_dense
    data = shot.report.to_dict()
    names = [row["name"] for row in data["stages"]]
    assert names[0] == "develop" and names[-1] == "finish" and "propagate" in names
    assert data["versions"]["camerapipe"] == camerapipe.__version__
    assert data["findings"][0]["code"] == shot.findings[0].code


def test_mistakes_are_named(scene):
    with pytest.raises(ValueError, match=r"strength \(radius\.strength\): expected .* got"):
        camerapipe.render(scene[0], strength=9)
    with pytest.raises(ValueError, match="budget: preset 'default' has no stage 'propogate'"):
        camerapipe.render(scene[0], budget=Budget(None, {"propogate": 5.0}))
    with pytest.raises(ValueError, match="keep: no graph has a value 'sparce'"):
        camerapipe.render(scene[0], keep=["sparce"])
    with pytest.raises(ValueError, match="finite"):
        camerapipe.render(np.full((8, 8, 3), np.nan, np.float32))


def test_check_gives_the_verdict_first(scene):
    assert camerapipe.check(scene[0])[0].code == "defocus_present"


def test_the_capture_keeps_its_curve(scene):
    assert camerapipe.render(scene[0]).capture.curve is SRGB


def test_a_scribble_outside_of_the_picture_is_refused(scene):
    stroke = Scribble(points=((400.0, 100.0), (420.0, 100.0)), width_px=10.0, kind="sharp")
    with pytest.raises(ValueError, match="stroke 1 lies outside of the picture of 320x240"):
        camerapipe.render(scene[0], scribbles=[stroke])


def test_a_map_that_was_estimated_gives_the_same_picture_again(scene):
    first = camerapipe.render(scene[0], strength=3.0)
    again = camerapipe.render(scene[0], strength=3.0, from_map=first.saved_map)
    assert again.report.graph == "default-from-focused-map"
    np.testing.assert_array_equal(first.image, again.image)


def test_a_shot_says_what_it_is_and_gives_its_codes(scene):
    shot = camerapipe.render(scene[0])
    assert len(repr(shot)) < 200 and "320x240" in repr(shot)
    assert shot.to_uint8().dtype == np.uint8 and shot.to_uint8().shape == (240, 320, 3)


def test_an_estimator_of_ones_own(scene):
    """Ten lines: the picture's gradients decide, and the rest of the pipeline is as it is."""
    picture, subject = scene

    def known_blur(view: Encoded, grid: Grid) -> SparseBlur:
        strength = np.abs(cv2.Laplacian(view[..., 1], cv2.CV_32F))
        edges = strength > np.percentile(strength, 80)
        sigma = np.where(edges & ~subject, np.float32(3), np.float32(0))
        return BlurMap(sigma, edges.astype(np.float32), grid)

    add_estimator("known", known_blur, summary="the truth")
    try:
        shot = camerapipe.render(picture, preset="known")
        assert shot.report.graph == "known"
        outside = cv2.dilate(subject.astype(np.uint8), np.ones((9, 9))) == 0
        assert abs(shot.blur_map.sigma[outside] - 3).mean() < 0.3
        with pytest.raises(ValueError, match="preset 'known' exists"):
            add_estimator("known", known_blur)
    finally:
        del PRESETS["known"]


@pytest.mark.parametrize("value", ["gridd", "memory"])  # a still has no memory
def test_an_estimator_reads_what_there_is(value):
    with pytest.raises(GraphError, match=f"estimator 'mine': nothing makes '{value}'; .*grid"):
        add_estimator("mine", lambda view, grid: None, reads=("view", value))
    assert "mine" not in PRESETS


def test_an_estimator_that_returns_no_map_is_named(scene):
    add_estimator("mine", lambda view, grid: np.zeros(view.shape[:2]))
    try:
        with pytest.raises(TypeError, match="estimator 'mine': expected a BlurMap.*got ndarray"):
            camerapipe.render(scene[0], preset="mine")
    finally:
        del PRESETS["mine"]


@pytest.mark.parametrize("suffix", [".npz", ".tiff", ".jpg"])
def test_a_map_of_another_picture_is_noted(scene, tmp_path, suffix):
    picture, _ = scene
    path = tmp_path / f"map{suffix}"
    plane = np.ones(picture.shape[:2], np.float32)
    blur = BlurMap(2 * plane, plane, Grid(picture.shape[:2]))
    write_map(path, blur, capture=capture_from_array(picture, "srgb"))
    darker = capture_from_array((picture * 0.7).astype(np.uint8), "srgb")
    other = capture_from_array(np.ascontiguousarray(picture[::-1]), "srgb")
    assert OTHER_PICTURE not in given_map(path, darker).assumptions
    assert OTHER_PICTURE in given_map(path, other).assumptions


def test_a_sparse_map_is_spread_over_the_picture(scene):
    picture, subject = scene
    known = np.zeros((240, 320), np.float32)
    known[5::10, 5::10] = 1
    sparse = BlurMap(np.where(subject, 0, 4).astype(np.float32) * known, known, Grid((240, 320)))
    shot = camerapipe.render(picture, from_map=sparse, strength=2.0)
    inside = cv2.erode(subject.astype(np.uint8), np.ones((15, 15))) > 0
    outside = cv2.dilate(subject.astype(np.uint8), np.ones((15, 15))) == 0
    marked = np.where(known > 0, sparse.sigma, np.nan)
    again = camerapipe.render(picture, from_map=marked, strength=2.0)
    np.testing.assert_array_equal(again.image, shot.image)
    assert np.median(shot.blur_map.sigma[inside]) < 0.5
    assert np.median(shot.blur_map.sigma[outside]) == pytest.approx(4, abs=0.3)


def test_a_map_of_complex_numbers_and_depth_without_samples_are_refused():
    picture = np.zeros((24, 32, 3), np.uint8)
    with pytest.raises(RequestError, match="from_map: expected"):
        camerapipe.render(picture, from_map=np.ones((24, 32), complex))
    with pytest.raises(ValueError, match="the depth has no samples"):
        camerapipe.render(picture, from_depth=np.ones((0, 0)))
