import numpy as np
import pytest

from stages.finish import FinishParams, finish, measure_grain
from stages.tone import linearise, to_codes

DITHER, NOTHING = FinishParams(), FinishParams(dither=False)
SHAPE = (120, 200)


def ramp():
    """Encoded: a slope of four codes over the width, the way a blurred sky has one."""
    slope = np.linspace(100, 104, SHAPE[1], dtype=np.float32) / 255
    return np.ascontiguousarray(np.broadcast_to(slope[None, :, None], (*SHAPE, 3)))


def everywhere(radius_px):
    return np.full(SHAPE, radius_px, np.float32)


def test_bands_are_gone_and_the_mean_is_right():
    picture = ramp()
    codes = to_codes(finish(picture, picture, everywhere(20), DITHER), 8).astype(np.float64)
    columns = codes.mean(axis=(0, 2))
    np.testing.assert_allclose(columns, 255 * picture[0, :, 0], atol=0.1)
    banded = to_codes(picture, 8).astype(np.float64).mean(axis=(0, 2))
    assert np.abs(banded - 255 * picture[0, :, 0]).max() > 0.45
    assert np.abs(codes - 255 * picture).max() < 1.001


def test_exact_codes_black_and_white_stay():
    for code in (0, 1, 128, 254, 255):
        flat = np.full((*SHAPE, 3), code / 255, np.float32)
        noisy = finish(flat, flat, everywhere(20), DITHER)
        np.testing.assert_array_equal(to_codes(noisy, 8), code)


def test_focus_is_returned_to_the_bit():
    picture, radius = ramp(), everywhere(20)
    radius[:, :100] = 0.5
    out = finish(picture, picture, radius, FinishParams(grain=1.0))
    np.testing.assert_array_equal(out[:, :100], picture[:, :100])
    assert np.mean(out[:, 100:] != picture[:, 100:]) > 0.9
    assert finish(picture, picture, radius, NOTHING) is picture


def test_chance_belongs_to_the_place(set_workers):
    picture = ramp()
    whole = finish(picture, picture, everywhere(9), DITHER)
    set_workers(3)
    np.testing.assert_array_equal(finish(picture, picture, everywhere(9), DITHER), whole)
    part = finish(picture[:50], picture[:50], everywhere(9)[:50], DITHER)
    np.testing.assert_array_equal(part, whole[:50])
    shift = (whole - picture)[..., 0] * 255
    assert abs(np.corrcoef(shift[:, 1:].ravel(), shift[:, :-1].ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(shift.ravel(), ((whole - picture)[..., 1]).ravel())[0, 1]) < 0.02


@pytest.mark.parametrize("deviation", [0.01, 0.03])
def test_grain_is_as_strong_as_in_the_picture(deviation):
    rng = np.random.default_rng(0)
    smooth = np.full((300, 400, 3), 0.5, np.float32)
    grainy = np.clip(smooth + deviation * rng.standard_normal(smooth.shape), 0, 1)
    linear, radius = linearise(grainy.astype(np.float32)), np.full((300, 400), 9, np.float32)
    np.testing.assert_allclose(measure_grain(linear, radius)[8], deviation, rtol=0.05)
    out = finish(smooth, linear, radius, FinishParams(grain=1.0, dither=False))
    np.testing.assert_allclose(out.std(), deviation, rtol=0.05)
    assert np.all(measure_grain(linear, 0 * radius) == 0)


def test_wrong_input_is_named():
    picture = ramp()
    with pytest.raises(ValueError, match="finish: picture, linear and radius must have one size"):
        finish(picture, picture, everywhere(1)[:5], DITHER)
