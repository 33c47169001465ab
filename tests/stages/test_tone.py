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
