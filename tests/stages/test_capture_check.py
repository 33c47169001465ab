import json

import cv2
import numpy as np
import pytest

from stages import capture_check as check
from stages.blur import BlurParams, survey
from stages.capture_check import CheckParams, Optics, blur_statistics
from stages.findings import Severity
from stages.optics import Lens
from stages.tone import linearise
from stages.view import ViewParams, view_at, working_grid

LENS = Lens(focal_length_mm=4.48, f_number=2.8, sensor_diagonal_mm=7.18)


def texture(seed=0, shape=(600, 900)):
    """Random blocks of grey: edges everywhere, perfectly sharp."""
    rng = np.random.default_rng(seed)
    small = rng.random((shape[0] // 12, shape[1] // 12), np.float32)
    plane = cv2.resize(small, shape[::-1], interpolation=cv2.INTER_NEAREST)
    return np.repeat((0.1 + 0.8 * plane)[:, :, None], 3, axis=2)


def statistics_of(linear, params):
    """Blur statistics on the view of the estimation, as the camera measures them."""
    grid = working_grid(linear, ViewParams())
    view = view_at(linear, grid)
    return blur_statistics(view, survey(view, BlurParams()), grid, params)


def verdict(encoded, optics=None):
    statistics = statistics_of(linearise(np.ascontiguousarray(encoded)), CheckParams())
    return check.judge(statistics, optics, CheckParams())[0]


def blurred(encoded, sigma):
    return cv2.GaussianBlur(encoded, (0, 0), sigma)


def test_sharp_everywhere():
    found = verdict(texture())
    assert (found.code, found.severity) == ("everything_in_focus", Severity.WARNING)


def test_a_blurred_half_is_defocus():
    picture = texture()
    picture[:, 450:] = blurred(picture, 4.0)[:, 450:]
    found = verdict(picture)
    assert (found.code, found.severity) == ("defocus_present", Severity.INFO)
    assert found.value > found.limit
    assert "at 900 px" in found.message


def test_blurred_everywhere_has_no_subject():
    found = verdict(blurred(texture(), 4.0))
    assert (found.code, found.severity) == ("no_sharp_subject", Severity.BLOCKING)


def test_dark_and_noisy():
    rng = np.random.default_rng(1)
    dark = texture() * 0.12 + rng.normal(0, 0.03, (600, 900, 1)).astype(np.float32)
    found = verdict(np.clip(dark, 0, 1))
    assert (found.code, found.severity) == ("too_dark_or_noisy", Severity.BLOCKING)


@pytest.mark.parametrize("shape", [(1, 1), (3, 2000), (5, 5), (400, 600)])
def test_flat_or_tiny_pictures_have_too_few_edges(shape):
    found = verdict(np.full((*shape, 3), 0.5, np.float32))
    assert (found.code, found.severity) == ("too_few_edges", Severity.BLOCKING)


def test_advice_names_the_distance_where_the_lens_is_known():
    optics = Optics(LENS, None, (600, 900))
    found = verdict(texture(), optics)
    nearest_m = LENS.distance_for_blur_mm(4 * LENS.pixel_mm((600, 900))) / 1000
    assert f"nearer than {nearest_m:.2g} m" in found.message


def test_optics_findings_carry_their_numbers():
    statistics = statistics_of(linearise(texture()), CheckParams())
    optics = Optics(LENS, 500.0, (2448, 3264))
    verdict, hyperfocal, background = check.judge(statistics, optics, CheckParams())
    assert hyperfocal.value == pytest.approx(LENS.hyperfocal_mm / 1000)
    blur_px = LENS.background_blur_mm(500) / LENS.pixel_mm((2448, 3264))
    assert f"{blur_px:.1f} px of the file" in background.message
    assert background.value == pytest.approx(blur_px * 1280 / 3264)


def seen(**changes):
    """Statistics of a picture that is sharp everywhere, but for the changes."""
    sharp = check.BlurStatistics(
        signal_to_noise=200, edges_per_megapixel=50_000, cover=0.9, sharpest_sigma=0.3,
        blurriest_sigma=0.6, share_blurred=0, share_very_blurred=0, coarse_share_very_blurred=0,
        shake_contrast=0.1, view_side_px=1280,
    )  # fmt: skip
    return sharp._replace(**changes)


def codes(statistics, distance_mm, **told):
    optics = Optics(LENS, distance_mm, (2448, 3264), **told)
    return [finding.code for finding in check.judge(statistics, optics, CheckParams())]


def test_a_distance_that_promises_blur_where_there_is_none_is_doubted():
    assert codes(seen(), 400.0)[-1] == "distance_contradicted"
    assert codes(seen(blurriest_sigma=3.0), 400.0)[-1] == "background_blur"
    assert codes(seen(), 1200.0)[-1] == "background_blur"  # weak blur: within the uncertainty
    assert codes(seen(), None)[-1] == "hyperfocal"


def test_a_distance_that_excludes_blur_where_there_is_some_is_doubted():
    assert codes(seen(blurriest_sigma=3.0), 9000.0)[-1] == "distance_contradicted"
    assert codes(seen(), 9000.0)[-1] == "background_blur"


def test_a_doubt_has_both_numbers_and_says_who_claimed_the_distance():
    for told, who in ((True, "You say"), (False, "The file says")):
        optics = Optics(LENS, 400.0, (2448, 3264), told=told)
        doubt = check.judge(seen(), optics, CheckParams())[-1]
        promised = LENS.background_blur_mm(400) / LENS.pixel_mm((2448, 3264)) * 1280 / 3264 / 4
        assert doubt.limit == pytest.approx(promised) and doubt.value == 0.6
        assert doubt.message.startswith(f"{who} it was focused at 0.4 m")
        assert f"sigma {promised:.1f} px at 1280 px" in doubt.message
        assert "show 0.6 px" in doubt.message


def test_no_optics_gives_the_verdict_alone():
    assert len(check.judge(seen(), None, CheckParams())) == 1


def test_what_people_say_of_real_pictures(shared_data):
    """At most one labelled photograph may be judged wrongly (weak counts as defocus)."""
    labels = json.loads((shared_data / "labels.json").read_text())
    wrong = []
    for name, label in labels.items():
        if name.startswith("sequence") or label not in ("defocus", "all_in_focus"):
            continue
        encoded = cv2.imread(str(shared_data / name))
        if encoded is None:  # HEIC
            continue
        while max(encoded.shape) > 2560:
            encoded = cv2.resize(encoded, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        found = verdict(encoded[:, :, ::-1])
        seen = "defocus" if found.code.startswith("defocus") else found.code
        if seen != {"defocus": "defocus", "all_in_focus": "everything_in_focus"}[label]:
            wrong.append((name, found.code))
    assert len(wrong) <= 1, wrong
