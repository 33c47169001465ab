import numpy as np
import pytest

from stages.forward import Sensor
from stages.forward.raw import expose
from stages.strips import limited_workers

SENSOR = Sensor(rows=256, cols=256)


def flat(electrons, shape=(256, 256)):
    return np.full(shape, electrons, np.float32)


@pytest.mark.parametrize("gain", [1.0, 8.0, 64.0])
def test_photon_transfer(gain):
    """Mean and variance of codes: black + K mu, and K^2 (mu + before^2) + after^2 + 1/12."""
    per_electron = gain / SENSOR.electrons_per_code
    for seed, level in enumerate((0.02, 0.2, 0.7)):
        electrons = level * SENSOR.full_well_e / gain
        codes = expose(flat(electrons), SENSOR, gain, seed).astype(float)
        before, after = SENSOR.read_before_e, SENSOR.read_after_codes
        variance = per_electron**2 * (electrons + before**2) + after**2 + 1 / 12
        assert codes.mean() == pytest.approx(64 + per_electron * electrons, abs=0.1 * gain**0.5)
        assert codes.var() == pytest.approx(variance, rel=0.03)
        scale, offset = SENSOR.noise_profile(gain)
        assert (scale * level + offset) * (1023 - 64) ** 2 == pytest.approx(variance)


def test_the_dark_frame_is_black_with_read_noise():
    codes = expose(flat(0), SENSOR, 1.0, 0)
    assert codes.mean() == pytest.approx(64, abs=0.02)
    assert codes.min() < 64 < codes.max()


def test_codes_clip_at_the_full_well_and_at_white():
    assert (expose(flat(1e9), SENSOR, 1.0, 0) == 1023).all()
    half_full = expose(flat(SENSOR.full_well_e / 2), SENSOR, 4.0, 0)
    assert (half_full == 1023).all()


def test_noise_follows_from_its_seed_alone():
    means = flat(2000)
    first = expose(means, SENSOR, 4.0, 7)
    with limited_workers(1):
        np.testing.assert_array_equal(expose(means, SENSOR, 4.0, 7), first)
    other = expose(means, SENSOR, 4.0, 8)
    assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.02
    lag = np.corrcoef(first[:, 1:].ravel(), first[:, :-1].ravel())[0, 1]
    assert abs(lag) < 0.02


def test_base_sensitivity_is_that_of_saturation():
    """ISO 12232: 78 / H, where H lux s fill the well."""
    exposure = 78 / SENSOR.base_iso
    assert exposure * SENSOR.electrons_per_lux_s == pytest.approx(SENSOR.full_well_e)
    least, most = SENSOR.sensitivity_range
    assert SENSOR.gain_at(least) >= 1 and SENSOR.gain_at(most) <= SENSOR.most_gain


def test_binning_adds_charge():
    binned = SENSOR.binned(4)
    assert (binned.rows, binned.cols, binned.pitch_um) == (64, 64, 20)
    assert binned.base_iso == pytest.approx(SENSOR.base_iso)
    codes = expose(flat(16 * 1000), binned, 2.0, 1)
    summed = expose(flat(1000), SENSOR, 2.0, 1).reshape(64, 4, 64, 4).mean((1, 3))
    assert codes.mean() == pytest.approx(summed.mean(), abs=0.05)
    noise = binned.noise_profile(2.0)[0] * 16, SENSOR.noise_profile(2.0)[0]
    assert noise[0] == pytest.approx(noise[1])


def test_a_window_keeps_the_phase_of_the_mosaic_and_stays_inside():
    for centre in ((0.5, 0.5), (0.0, 1.0), (0.31, 0.77)):
        view = SENSOR.window(centre, 32, 48)
        first = [o + s / 2 - n / 2 for o, s, n in
                 zip(view.offset_px, (256, 256), (32, 48), strict=True)]  # fmt: skip
        assert all(place % 2 == 0 and place >= 0 for place in first)
        assert first[0] + 32 <= 256 and first[1] + 48 <= 256


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"bits": 8}, "bits must be 10 to 14"),
        ({"pattern": "RGBG"}, "pattern must be one of"),
        ({"rows": 5}, "rows and cols must be even"),
        ({"black_level": 2000}, "black_level must lie below white"),
        ({"pitch_um": 0.0}, "pitch_um must be greater than 0"),
        ({"read_before_e": -1.0}, "read_before_e must not be less than 0"),
    ],
)
def test_impossible_sensors_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Sensor(**given)
