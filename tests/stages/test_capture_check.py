import json

import cv2
import numpy as np
import pytest

from datasets.lines import picture_of_lines
from stages import capture_check as check
from stages.blur import BlurParams, survey
from stages.capture_check import CheckParams, Optics, blur_statistics
from stages.capture_check.detail import DetailLoss
from stages.capture_check.rim import within_rim
from stages.capture_check.statistics import limit_at
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


SHARP = DetailLoss(least=8, median=12, most=15, directions=12, soft_share=0.3)


def seen(**changes):
    """Statistics of a picture that is sharp everywhere, but for the changes."""
    sharp = check.BlurStatistics(
        signal_to_noise=200, edges_per_megapixel=50_000, cover=0.9, sharpest_sigma=0.3,
        blurriest_sigma=0.6, share_blurred=0, share_very_blurred=0, coarse_share_very_blurred=0,
        detail=SHARP, coarse_detail=SHARP, view_side_px=1280,
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


def test_optics_that_rule_out_defocus_raise_its_limits():
    slight, action = (
        seen(blurriest_sigma=2.2),
        Lens(
            focal_length_mm=3, f_number=2.8, sensor_diagonal_mm=7.66, circle_of_confusion_mm=0.0078
        ),
    )
    assert action.hyperfocal_mm == pytest.approx(410, abs=10)
    for optics, code in (
        (None, "defocus_present"),
        (Optics(LENS, 400.0, (2448, 3264)), "defocus_present"),  # a near subject
        (Optics(LENS, None, (2448, 3264)), "defocus_present"),  # a lens that can be focused near
        (Optics(LENS, 9000.0, (2448, 3264)), "defocus_weak"),
        (Optics(action, None, (3000, 4000)), "defocus_weak"),
    ):
        assert check.judge(slight, optics, CheckParams())[0].code == code
    clear = seen(blurriest_sigma=4.0)  # the picture has the last word
    assert check.judge(clear, Optics(action, None, (3000, 4000)), CheckParams())[0].code == (
        "defocus_present"
    )


def test_blur_of_edges_counts_only_if_blocks_have_lost_their_detail():
    ramps = seen(blurriest_sigma=3.0, detail=SHARP._replace(soft_share=0.01))
    assert codes(ramps, None)[0] == "everything_in_focus"


def test_edges_that_look_soft_do_not_stop_a_picture_whose_blocks_are_sharp():
    slats = seen(sharpest_sigma=3.0, detail=SHARP._replace(soft_share=0.0))
    assert codes(slats, None)[0] == "everything_in_focus"
    assert codes(seen(sharpest_sigma=3.0), None)[0] == "no_sharp_subject"


def test_detail_that_the_second_pass_lacks_makes_no_soft_picture_sharp():
    """Blocks of JPEG have fine detail, but none that a coarser view shows."""
    lost = SHARP._replace(least=28, median=32, most=36)
    blocks = seen(sharpest_sigma=3.0, detail=SHARP._replace(soft_share=0.0), coarse_detail=lost)
    assert codes(blocks, None)[0] == "no_sharp_subject"


def test_a_long_track_is_no_shake_if_one_pass_contradicts_it():
    limits, track = CheckParams(), SHARP._replace(least=20, median=26, most=29, across=7.0)
    lost, touched = track._replace(least=28, median=30, most=32), SHARP._replace(most=26)
    assert limits.shaken_loss(touched, track) is track
    assert limits.shaken_loss(track, SHARP._replace(across=4.0)) is track
    for view, second in ((track, SHARP), (SHARP, track), (touched, lost), (lost, track)):
        assert limits.shaken_loss(view, second) is None


def test_only_strong_blur_counts_where_lines_have_one_direction():
    lines = SHARP._replace(directions=5)
    for sigma_px, code in ((3.0, "everything_in_focus"), (4.5, "defocus_present")):
        found = seen(blurriest_sigma=sigma_px, share_blurred=0.4, detail=lines)
        assert codes(found, None)[0] == code


def test_lines_of_which_half_are_blurred_show_defocus():
    picture = picture_of_lines("poles").astype(np.float32) / 255
    assert verdict(picture).code == "everything_in_focus"
    picture[:, 640:] = blurred(picture, 5.0)[:, 640:]
    assert verdict(picture).code == "defocus_present"


def test_soft_blocks_show_defocus_in_a_small_file():
    detail = SHARP._replace(soft_share=0.5)
    assert codes(seen(view_side_px=320, detail=detail), None)[0] == "defocus_weak"
    assert codes(seen(view_side_px=1280, detail=detail), None)[0] == "everything_in_focus"
    soft = detail._replace(least=22, median=23)  # soft alike everywhere: no part is sharper
    assert codes(seen(view_side_px=320, detail=soft), None)[0] == "everything_in_focus"


def test_limits_follow_the_size_of_small_files():
    assert limit_at(1.9, 1280, 1280) == limit_at(1.9, 4000, 1280) == 1.9
    sizes = [limit_at(1.9, side, 1280) for side in (1280, 640, 320)]
    assert np.all(np.diff(sizes) < 0) and sizes[-1] > 1.0
    assert limit_at(0.8, 320, 1280) == 0.8


def ringed(picture, softness_px):
    """The picture within an image circle."""
    y, x = np.indices(picture.shape[:2]) - np.reshape(picture.shape[:2], (2, 1, 1)) / 2
    light = np.clip((290 - np.hypot(y, x)) / softness_px + 0.5, 0, 1)
    return (picture * light[..., None]).astype(np.float32)


@pytest.mark.parametrize("softness_px", [4, 25])
def test_the_rim_of_an_image_circle_is_no_defocus(softness_px):
    assert verdict(ringed(texture(), softness_px)).code == "everything_in_focus"
    half = texture()
    half[:, 450:] = blurred(half, 4.0)[:, 450:]
    assert verdict(ringed(half, softness_px)).code == "defocus_present"


def test_a_dark_scene_is_no_image_circle():
    rng = np.random.default_rng(0)
    lit = cv2.GaussianBlur(rng.standard_normal((300, 400)).astype(np.float32), (0, 0), 12) > 0
    assert within_rim(0.5 * lit.astype(np.float32)) is None
    assert within_rim(np.full((300, 400), 0.5, np.float32)) is None
    assert within_rim(np.zeros((300, 400), np.float32)) is None


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
