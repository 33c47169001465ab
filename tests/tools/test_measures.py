"""The measures themselves: exact answers on tiny inputs that are known in full."""

import types

import cv2
import numpy as np
import pytest

from stages.bokeh.disk import disk_kernel
from stages.grid import BlurMap, Grid
from stages.tone import SRGB, encode, linearise

RNG = np.random.default_rng(0)


def picture(shape=(96, 128), level=0.5, deviation=0.15, blur_px=1.2):
    noise = cv2.GaussianBlur(RNG.standard_normal((*shape, 3)), (0, 0), blur_px)
    noise *= deviation / noise.std()
    return np.clip(level + noise, 0, 1).astype(np.float32)


# pictures


def test_the_band_lies_within_12_px_of_both_sides(tool):
    scores = tool("measures.scores")
    defocus = np.zeros((40, 120), np.float32)
    defocus[:, 60:] = 3
    columns = np.flatnonzero(scores.outline_band(defocus)[20])
    assert columns[0] == 60 - 12 and columns[-1] == 59 + 12 and columns.size == 24
    defocus[:, 60:] = 1.2  # neither sharp nor blurred
    assert not scores.outline_band(defocus).any()


def test_psnr_of_a_constant_error(tool):
    scores = tool("measures.scores")
    one = np.full((4, 6, 3), 0.5, np.float32)
    assert scores.psnr_db(one, one + np.float32(0.1)) == pytest.approx(20, abs=1e-4)
    left = np.zeros((4, 6), bool)
    left[:, :3] = True
    other = one.copy()
    other[~left] += 0.3
    other[left] += 0.01
    assert scores.psnr_db(one, other, left) == pytest.approx(40, abs=1e-3)
    assert np.isnan(scores.psnr_db(one, other, np.zeros_like(left)))


def test_touched_counts_what_truth_leaves_alone_and_we_do_not(tool):
    scores = tool("measures.scores")
    light = np.full((10, 10, 3), 100 / 255, np.float32)
    truth = light.copy()
    truth[:4] += 2 / 255  # truth itself changes these rows
    codes = np.full((10, 10, 3), 100, np.uint8)
    image = light.copy()
    image[3:6] += 3 / 255
    image[8] += 2 / 255  # not visible
    alone = scores.left_alone(light, truth)
    assert alone.mean() == pytest.approx(0.6)
    assert scores.share(scores.changed(image, codes), alone) == pytest.approx(2 / 6)


# coverage


def test_projection_gives_the_coverage_of_a_composite(tool):
    coverage = tool("measures.coverage")
    near, far = picture(level=0.75, deviation=0.05), picture(level=0.3, deviation=0.05)
    alpha = np.linspace(0, 1, 128, dtype=np.float32) * np.ones((96, 1), np.float32)
    mixed = alpha[..., None] * near + (1 - alpha[..., None]) * far
    np.testing.assert_allclose(coverage.projected(mixed, near, far), alpha, atol=1e-4)
    far[:, :10] = near[:, :10] + 0.05
    assert np.isnan(coverage.projected(mixed, near, far)[:, :10]).all()


def test_a_lost_quarter_of_the_subject_and_hairs_cut_hard(tool):
    coverage = tool("measures.coverage")
    near, far = np.full((40, 40, 3), 0.9, np.float32), np.full((40, 40, 3), 0.2, np.float32)
    alpha = np.zeros((40, 40), np.float32)
    alpha[:, :20] = 1
    alpha[::4, 20:] = 0.4  # hairs
    strands = np.zeros((40, 40), bool)
    strands[:, 20:] = True

    def shown(coverage_map):
        return far + coverage_map[..., None] * (near - far)

    truth = shown(alpha)
    assert coverage.coverage(truth, truth, near, far, strands) == (0, 0)
    step = (alpha >= 0.5).astype(np.float32)
    assert coverage.coverage(shown(step), truth, near, far, strands) == pytest.approx((0, 1))
    eaten = alpha.copy()
    eaten[:10, :20] = 0
    found = coverage.coverage(shown(eaten), truth, near, far, strands)
    assert found == pytest.approx((0.25, 0))


# balls


def ball(radius, centre=(60, 61), level=0.9, ground=0.05):
    y, x = np.indices((121, 121))
    inside = np.clip(radius - np.hypot(y - centre[0], x - centre[1]) + 0.5, 0, 1)
    return np.repeat((ground + (level - ground) * inside)[..., None], 3, 2).astype(np.float32)


@pytest.mark.parametrize("radius", [6.0, 15.5, 30.0])
def test_the_radius_of_a_drawn_disk(tool, radius):
    balls = tool("measures.balls")
    found = balls.ball_radius(ball(radius), (60, 61), 30.0)
    assert found == pytest.approx(radius, rel=0.03)


def test_neighbours_do_not_count_and_no_disk_has_radius_0(tool):
    balls = tool("measures.balls")
    beside = np.maximum(ball(12.0), ball(6.0, (60, 90)))
    assert balls.ball_radius(beside, (60, 61), 12.0) == pytest.approx(12, rel=0.03)
    assert balls.ball_radius(np.full((121, 121, 3), 0.2, np.float32), (60, 61), 12.0) == 0
    ratio = balls.ball_ratio(ball(12.0), ball(30.0), np.array([[60, 61]]), 30.0)
    assert ratio == pytest.approx(0.4, rel=0.03)


# aperture series


def test_alignment_finds_a_shift_and_a_tone(tool):
    alignment = tool("measures.alignment")
    scores = tool("measures.scores")
    whole = picture((240, 300), blur_px=2.5)
    whole[100:110, 200:210] = 1.0  # clipped, and stays so
    onto = whole[20:-20, 20:-20]
    shift = np.float32([[1, 0, -23.3], [0, 1, -17.9]])
    moved = cv2.warpAffine(whole, shift, (260, 200), flags=cv2.INTER_CUBIC)
    shot = np.clip(moved, 0, 1) ** np.float32(1.25)
    aligned = alignment.align(shot, onto)
    inner = np.s_[8:-8, 8:-8]
    assert scores.psnr_db(shot[inner], onto[inner]) < 18
    assert scores.psnr_db(aligned.image[inner], onto[inner]) > 34
    assert aligned.correlation > 0.99
    assert aligned.image[82:88, 182:188].min() > 0.99


def test_shots_of_two_sizes_are_refused(tool):
    with pytest.raises(ValueError, match="one size"):
        tool("measures.alignment").align(picture(), picture((64, 64)))


def test_the_oracle_picks_the_disk_of_each_window(tool):
    series, scores = tool("measures.series"), tool("measures.scores")
    linear = linearise(picture((96, 128)))
    blurred = cv2.filter2D(linear, -1, disk_kernel(6), borderType=cv2.BORDER_REFLECT)
    truth = linear.copy()
    truth[:, 64:] = blurred[:, 64:]
    truth = encode(np.ascontiguousarray(truth), SRGB)
    assert scores.psnr_db(encode(linear, SRGB), truth) < 30
    assert scores.psnr_db(series.oracle(linear, truth), truth) > 80


def test_absent_series_are_missing(tool, tmp_path):
    context = tool("bench").Context(tmp_path, quick=True)
    assert list(tool("measures.series").gains(context, tmp_path)) == []
    assert "picture aperture_series/vabd_0001_f8.jpg" in context.missing


# maps


def test_affine_errors_do_not_see_an_affine_map_of_the_truth(tool):
    maps = tool("measures.maps")
    truth = RNG.random(2000)
    assert maps.affine_errors(3 - 2 * truth, truth) == pytest.approx((0, 0), abs=1e-5)
    constant = maps.affine_errors(np.ones(2000), truth)
    expected = np.mean(np.abs(truth - np.median(truth))), truth.std()
    assert constant == pytest.approx(expected)
    spiked = truth.copy()
    spiked[:20] = 9.0  # AI(1) is a fit in its own norm: a few outliers do not move it
    assert maps.affine_errors(spiked, truth)[0] <= np.mean(np.abs(spiked - truth)) + 1e-6


def test_ranks(tool):
    maps = tool("measures.maps")
    truth = RNG.random(500)
    assert maps.rank_error(np.exp(truth), truth) == pytest.approx(0)
    assert maps.rank_error(-truth, truth) == pytest.approx(0)
    assert maps.rank_error(np.zeros(500), truth) == 1
    assert maps.rank_error(RNG.random(500), truth) > 0.8


def test_maps_are_clipped_before_they_are_compared(tool):
    found, truth = np.float32([[1, 9]]), np.float32([[2, 4]])
    assert tool("measures.maps").clipped_error(found, truth, 2.0) == pytest.approx(0.25)


def test_f_of_masks(tool):
    maps = tool("measures.maps")
    blurred = np.arange(100).reshape(10, 10) >= 60
    sigma = np.where(blurred, 2.0, 0.5).astype(np.float32)
    f, threshold = maps.best_threshold([(sigma, blurred)])
    assert f == 1 and 0.5 < threshold <= 2
    everything = maps.f_measures(sigma, blurred, np.array([0.0]))[0]
    assert everything == pytest.approx(1.3 * 0.4 / (0.3 * 0.4 + 1))
    half = np.where(np.arange(100).reshape(10, 10) >= 80, 2.0, 0.5).astype(np.float32)
    found = maps.f_measures(half, blurred, np.array([1.0]))[0]
    assert found == pytest.approx(1.3 * 0.5 / (0.3 + 0.5))


# the camera


def test_a_look_is_asked_for_where_there_are_looks(tool, monkeypatch):
    cameras = tool("measures.cameras")
    monkeypatch.setattr(cameras.camerapipe, "render", lambda picture, *, look="", **more: look)
    assert cameras.take(None, 2.0) == "lens"
    assert cameras.take(None, 2.0, "portrait") == "portrait"
    monkeypatch.setattr(cameras.camerapipe, "render", lambda picture, **more: more)
    assert cameras.take(None, 2.0)["params"]["finish"]["grain"] == 0
    with pytest.raises(cameras.NoLookError, match="portrait"):
        cameras.take(None, 2.0, "portrait")


def test_errors_of_data_at_edges(tool, monkeypatch):
    sparse = tool("measures.sparse")
    sigma, weight = np.zeros((2, 4), np.float32), np.zeros((2, 4), np.float32)
    sigma[0], weight[0] = (1, 2, 3, 4), (1, 1, 1, 5)
    data = BlurMap(sigma, weight, Grid.cells((4, 8), 2))
    shot = types.SimpleNamespace(kept={sparse.VALUE: data})
    monkeypatch.setattr(sparse, "take", lambda *_, **__: shot)
    monkeypatch.setattr(sparse, "CELLS_BEFORE", {("made", "clean"): 1.0})
    pair = types.SimpleNamespace(name="made", half="choosing", sigma=np.ones((4, 8), np.float32))
    found = sparse.errors(pair, "clean", np.zeros((4, 8, 3), np.uint8))
    assert found.unweighted_px == pytest.approx(1.5) and found.weighted_px == pytest.approx(18 / 8)
    assert found.cells == found.kept == 0.5


def test_halves(tool):
    halves = tool("measures.halves")
    rows = [
        types.SimpleNamespace(half=half, value=value)
        for half, value in (("choosing", 1.0), ("reporting", 4.0), ("reporting", float("nan")))
    ]
    found = halves.by_halves("picture.x", rows, lambda row: row.value)
    assert found == {"picture.x": 2.5, "picture.x_choosing": 1, "picture.x_reporting": 4}
    worst = halves.by_halves("picture.x", rows, lambda row: row.value, halves.largest)
    assert worst["picture.x"] == 4
    assert halves.by_halves("picture.x", rows[2:], lambda row: row.value) == {}
