import numpy as np
import pytest

from stages.finish import FinishParams, finish, measure_grain
from stages.tone import SRGB, curve_from, encode, linearise, to_codes

DITHER, NOTHING = FinishParams(), FinishParams(dither=False)
SHAPE = (120, 200)


def ramp():
    """Light of a slope of four codes over the width, the way a blurred sky has one."""
    slope = linearise(np.linspace(100, 104, SHAPE[1], dtype=np.float32) / np.float32(255))
    return np.ascontiguousarray(np.broadcast_to(slope[None, :, None], (*SHAPE, 3)))


def finished(light, radius, params, linear=None):
    return finish(light, SRGB, light if linear is None else linear, radius, params)


def everywhere(radius_px):
    return np.full(SHAPE, radius_px, np.float32)


def test_bands_are_gone_and_the_mean_is_right():
    light = ramp()
    picture = encode(light)
    codes = to_codes(finished(light, everywhere(20), DITHER), 8).astype(np.float64)
    columns = codes.mean(axis=(0, 2))
    np.testing.assert_allclose(columns, 255 * picture[0, :, 0], atol=0.1)
    banded = to_codes(picture, 8).astype(np.float64).mean(axis=(0, 2))
    assert np.abs(banded - 255 * picture[0, :, 0]).max() > 0.45
    assert np.abs(codes - 255 * picture).max() < 1.001


def test_exact_codes_black_and_white_stay():
    for code in (0, 1, 128, 254, 255):
        flat = linearise(np.full((*SHAPE, 3), code, np.uint8))
        noisy = finished(flat, everywhere(20), DITHER)
        np.testing.assert_array_equal(to_codes(noisy, 8), code)


@pytest.mark.parametrize("curve", [SRGB, curve_from("g", lambda code: code**2.2)])
def test_focus_is_encoded_and_no_more(curve):
    light, radius = ramp(), everywhere(20)
    radius[:, :100] = 0.5
    picture, out = encode(light, curve), finish(light, curve, light, radius, DITHER)
    np.testing.assert_array_equal(out[:, :100], picture[:, :100])
    assert np.mean(out[:, 100:] != picture[:, 100:]) > 0.9
    np.testing.assert_array_equal(finish(light, curve, light, radius, NOTHING), picture)
    blurred = light.copy()
    assert finish(blurred, curve, light, radius, DITHER, out=blurred) is blurred
    np.testing.assert_array_equal(blurred, out)


def test_chance_belongs_to_the_place(set_workers):
    light = ramp()
    picture, whole = encode(light), finished(light, everywhere(9), DITHER)
    set_workers(3)
    np.testing.assert_array_equal(finished(light, everywhere(9), DITHER), whole)
    part = finished(light[:50], everywhere(9)[:50], DITHER)
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
    light = linearise(smooth)
    out = finished(light, radius, FinishParams(grain=1.0, dither=False), linear)
    rounding = 0.6 / 255  # as much may come from 8-bit codes
    np.testing.assert_allclose(out.std() ** 2, deviation**2 - rounding**2, rtol=0.12)
    assert np.all(measure_grain(linear, 0 * radius) == 0)


def test_texture_in_few_tones_is_no_grain():
    rng = np.random.default_rng(0)
    encoded = np.full((300, 400, 3), 0.3, np.float32)
    encoded[:, :60] = 0.9 + 0.05 * rng.standard_normal((300, 60, 1))
    linear, radius = linearise(encoded), np.full((300, 400), 9, np.float32)
    assert not measure_grain(linear, radius).any()


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match="finish: light, linear and radius must have one size"):
        finished(ramp(), everywhere(1)[:5], DITHER)


def test_slight_blur_fades_in_beside_what_is_in_focus():
    sharp, blurred = (linearise(np.full((40, 60, 3), v, np.float32)) for v in (0.8, 0.4))
    radius = np.zeros((40, 60), np.float32)
    radius[:, 20:] = 2
    radius[30:, 20:] = 20  # behind an outline
    out = finished(blurred, radius, FinishParams(grain=0, dither=False, fade_px=6), sharp)[..., 0]
    step = np.diff(out[10], append=out[10, -1])
    assert out[10, 20] > 0.7 and np.allclose(out[10, 26:], 0.4, atol=1e-3)
    assert np.all(step[20:] <= 1e-6) and step[20:].min() > -0.12  # monotonic, without a step
    np.testing.assert_allclose(out[37:, 20:], 0.4, atol=1e-3)
