import numpy as np
import pytest

from stages import tone


def test_srgb_matches_the_standard():
    code = np.array([0.0, 0.02, 0.04045, 0.2, 0.5, 1.0], np.float32)
    expected = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    np.testing.assert_allclose(tone.linearise(code), expected, atol=1e-7)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("curve", [tone.SRGB, tone.LINEAR, tone.curve_from("g", lambda c: c**2.2)])
def test_every_code_survives_decoding_and_encoding(dtype, curve):
    codes = np.arange(np.iinfo(dtype).max + 1).astype(dtype)
    back = tone.to_codes(tone.encode(tone.linearise(codes, curve), curve), codes.itemsize * 8)
    np.testing.assert_array_equal(back, codes)


def test_encoding_clips_and_keeps_shape():
    out = tone.encode(np.array([[-0.5, 0.0], [1.0, 7.0]], np.float32))
    np.testing.assert_array_equal(out, [[0, 0], [1, 1]])


def test_wrong_dtype_is_named():
    with pytest.raises(ValueError, match=r"tone\.encode: expected .* got float64"):
        tone.encode(np.zeros(3))


def test_a_curve_must_not_fall():
    with pytest.raises(ValueError, match="must not fall"):
        tone.ToneCurve("bad", np.linspace(1, 0, tone.CODES, dtype=np.float32))


@pytest.mark.parametrize("bits", [8, 16])
def test_codes_are_rounded_and_clipped_in_any_shape(bits, set_workers):
    values = np.random.default_rng(0).uniform(-0.2, 1.2, (300, 401, 2)).astype(np.float32)
    largest = np.float32(2**bits - 1)
    expected = np.rint(np.clip(values, 0, 1) * largest).astype(f"uint{bits}")
    for workers in (1, 3):
        set_workers(workers)
        np.testing.assert_array_equal(tone.to_codes(values, bits), expected)
    np.testing.assert_array_equal(tone.to_codes(values[..., 1], bits), expected[..., 1])


def test_srgb_is_encoded_by_its_formula_and_never_falls():
    light = np.linspace(0, 1, 1_000_001, dtype=np.float32)
    exact = light.astype(np.float64)
    expected = np.where(exact <= 0.0031308, 12.92 * exact, 1.055 * exact ** (1 / 2.4) - 0.055)
    encoded = tone.encode(light)
    np.testing.assert_allclose(encoded, expected, atol=6e-7)  # 0.04 of a 16-bit code
    assert np.all(np.diff(encoded) >= 0)
    assert encoded[-1] == 1


def test_a_curve_like_srgb_needs_no_table_another_one_does():
    assert tone.ToneCurve("a profile", tone.SRGB.decode.copy()).encoder.size == 0
    assert tone.LINEAR.encoder is tone.LINEAR.encode
