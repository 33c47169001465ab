"""Colour of a DNG: scenes under known light, seen by cameras with known matrices."""

import io

import numpy as np
import pytest
import rawpy

from camerapipe.ingest.colorimetry import BT709, D50, D65, adaptation, to_xyz, xyz
from camerapipe.ingest.dng import develop_dng, read_negative, tags
from camerapipe.ingest.dng.colour import Calibration, CameraColour, balanced_to_srgb, temperature_k
from camerapipe.ingest.dng.writing import D65 as D65_LIGHT
from camerapipe.ingest.dng.writing import RATIONAL, SRATIONAL, rationals
from datasets.dng_opcodes import gain_map, opcode_list, two_illuminants
from datasets.synthetic_raw import write_dng

ILLUMINANT_A = 17  # EXIF light source

# A camera whose matrices differ between illuminants, as those of real sensors do (GoPro HERO6).
COLOUR = (
    np.array([[1.8331, -0.8166, -0.2478], [0.1391, 0.8961, -0.0367], [0.0822, 0.1923, 0.6313]]),
    np.array([[1.0344, -0.4210, -0.0620], [-0.2315, 1.0625, 0.1948], [0.0093, 0.1166, 0.4993]]),
)
FORWARD = (
    np.array([[0.70, 0.20, 0.0642], [0.30, 0.78, -0.08], [0.02, -0.10, 0.9049]]),
    np.array([[0.55, 0.30, 0.1142], [0.24, 0.80, -0.04], [0.01, -0.08, 0.8949]]),
)
WARM_K, COLD_K = 2856, 6504
WHITES = {  # chromaticities of Planck's light (below 4000 K) and of daylight, CIE 15
    2856: (0.44758, 0.40745), 3500: (0.40530, 0.39073), 5003: (0.34567, 0.35850),
    6504: (0.31271, 0.32902), 7504: (0.29902, 0.31485),
}  # fmt: skip
UNIT = opcode_list(2, [gain_map((0, 0, 4096, 4096, 0, 3, 1, 1), np.ones((2, 2, 1)))])
SCENE = np.random.default_rng(4).uniform(0.05, 0.6, (32, 32, 3))


def mixed(pair, kelvin):
    """Matrix for a colour temperature, interpolated by hand."""
    weight = (1 / kelvin - 1 / COLD_K) / (1 / WARM_K - 1 / COLD_K)
    weight = min(max(weight, 0), 1)
    return pair[0] * weight + pair[1] * (1 - weight)


def exposed(camera, neutral, extra):
    """A LinearRaw DNG of camera values: developed."""
    file = io.BytesIO()
    codes = np.rint(np.clip(camera, 0, 1) * 65535).astype(np.uint16)
    every = [(50728, RATIONAL, 3, rationals(neutral)), UNIT, *extra]
    write_dng(file, codes, black_level=0, white_level=65535, extra=every)
    negative, _ = read_negative(file, 10**9)
    return develop_dng(file, negative)


@pytest.mark.parametrize("kelvin", WHITES)
def test_colour_matrices_of_two_illuminants(kelvin):
    """The white is found from the neutral alone, and with it the matrix between the two."""
    white = xyz(WHITES[kelvin])
    matrix = mixed(COLOUR, kelvin)
    to_scene = np.linalg.solve(adaptation(white), adaptation(xyz(D65)) @ to_xyz(BT709))
    neutral = matrix @ white
    camera = (SCENE / neutral.max()) @ (matrix @ to_scene).T
    found = exposed(camera, neutral / neutral.max(), two_illuminants(COLOUR))
    np.testing.assert_allclose(found, SCENE, atol=1 / 4095)


@pytest.mark.parametrize("kelvin", WHITES)
@pytest.mark.parametrize("balance", [None, (1.2, 1.0, 0.9)])
def test_forward_matrices_of_two_illuminants(kelvin, balance):
    own = np.diag(balance or (1, 1, 1))
    neutral = own @ mixed(COLOUR, kelvin) @ xyz(WHITES[kelvin])
    neutral = neutral / neutral.max()
    forward = mixed(FORWARD, kelvin)
    to_d50 = (D50 / forward.sum(1))[:, None] * forward
    whitened = SCENE @ (np.linalg.solve(to_d50, adaptation(xyz(D65)) @ to_xyz(BT709))).T
    camera = whitened * neutral
    extra = two_illuminants(COLOUR, FORWARD)
    if balance is not None:
        extra.append((50727, RATIONAL, 3, rationals(balance)))  # AnalogBalance
    np.testing.assert_allclose(exposed(camera, neutral, extra), SCENE, atol=1 / 4095)


@pytest.mark.parametrize("matrix", COLOUR)
def test_a_camera_in_daylight_agrees_with_libraw(matrix):
    """Under D65, LibRaw's matrix (rows that add up to 1) means the same as the specification's."""
    neutral = matrix @ xyz(D65)
    camera = SCENE * neutral / neutral.max()
    codes = np.rint(np.clip(camera, 0, 1) * 65535).astype(np.uint16)
    extra = [
        (50721, SRATIONAL, 9, rationals(matrix)),
        (50728, RATIONAL, 3, rationals(neutral / neutral.max())),
    ]
    file = io.BytesIO()
    write_dng(file, codes, black_level=0, white_level=65535, extra=extra)
    file.seek(0)
    with rawpy.imread(file) as raw:
        reference = raw.postprocess(
            output_bps=16, gamma=(1, 1), no_auto_bright=True, use_camera_wb=True,
            adjust_maximum_thr=0,
        ) / 65535  # fmt: skip
    found = exposed(camera, neutral / neutral.max(), extra[:1])
    inside = (reference > 0.01) & (reference < 0.99)
    assert inside.mean() > 0.8
    np.testing.assert_allclose(found[inside], reference[inside], rtol=0.01)


@pytest.mark.parametrize("name", ["gopro_hero6_GOPR0024", "canon_kissx4_magiclantern_colorchart"])
def test_matrices_of_real_cameras_agree_with_libraw(shared_data, monkeypatch, name):
    monkeypatch.setattr(tags, "_asks_for_more", lambda page: True)
    path = shared_data / "raw" / f"{name}.dng"
    with path.open("rb") as file:
        negative, _ = read_negative(file, 10**9)
    last = negative.colour.calibrations[-1]
    daylight = CameraColour((last,), last.camera @ last.colour @ xyz(D65))
    with rawpy.imread(str(path)) as raw:
        reference = raw.color_matrix[:, :3]
    np.testing.assert_allclose(balanced_to_srgb(daylight).matrix, reference, atol=2e-3)


def test_calibration_of_one_camera_counts_only_with_its_profile():
    own = np.array([[1.1, 0.05, 0], [0, 1, 0], [0.02, 0, 0.8]])
    white, matrix = xyz(WHITES[6504]), COLOUR[1]
    tag = (50723, SRATIONAL, 9, rationals(own))  # CameraCalibration1
    single = [(50721, SRATIONAL, 9, rationals(matrix)), tag]
    to_scene = np.linalg.solve(adaptation(white), adaptation(xyz(D65)) @ to_xyz(BT709))
    neutral = own @ matrix @ white
    camera = (SCENE / neutral.max()) @ (own @ matrix @ to_scene).T
    np.testing.assert_allclose(
        exposed(camera, neutral / neutral.max(), single), SCENE, atol=1 / 4095
    )
    signatures = [(50931, 2, 0, "one"), (50932, 2, 0, "other")]
    found = exposed(camera, neutral / neutral.max(), [*single, *signatures])
    assert np.abs(found - SCENE).max() > 0.01


def test_a_white_given_as_chromaticity():
    colour = CameraColour((Calibration(6504, COLOUR[1], np.eye(3)),), None, WHITES[5003])
    neutral, matrix, _ = balanced_to_srgb(colour)
    expected = COLOUR[1] @ xyz(WHITES[5003])
    np.testing.assert_allclose(neutral, expected / expected.max(), rtol=1e-9)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-9)


@pytest.mark.parametrize("kelvin", WHITES)
def test_temperature(kelvin):
    assert temperature_k(WHITES[kelvin]) == pytest.approx(kelvin, abs=3 if kelvin < 7000 else 15)


@pytest.mark.parametrize(
    "colour",
    [
        CameraColour((Calibration(None, np.zeros((3, 3)), np.eye(3)),), np.ones(3)),
        CameraColour((Calibration(None, COLOUR[0], np.eye(3)),), np.array([0.0, 1, 1])),
        CameraColour((Calibration(None, COLOUR[0], np.eye(3)),), np.array([-1.0, 1, 1])),
        CameraColour((Calibration(None, COLOUR[0], np.eye(3), np.zeros((3, 3))),), np.ones(3)),
        CameraColour((Calibration(None, COLOUR[0], np.eye(3)),), None, (0.3, 0.0)),
    ],
)
def test_impossible_colour_is_an_error(colour):
    with pytest.raises(ValueError):
        balanced_to_srgb(colour)


def test_illuminants_in_either_order():
    pair = [Calibration(k, m, np.eye(3)) for k, m in zip((WARM_K, COLD_K), COLOUR, strict=True)]
    one, two = (CameraColour(tuple(each)).at(WHITES[3500]).colour for each in (pair, pair[::-1]))
    np.testing.assert_allclose(one, two, rtol=1e-12)
    np.testing.assert_allclose(one, mixed(COLOUR, 3500), atol=2e-4)
    assert D65_LIGHT == 21 and ILLUMINANT_A == 17
