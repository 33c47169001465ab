import cv2
import numpy as np
import pytest

from camerapipe.levels import QUICK_CHECK
from stages.capture_check import CheckParams, judge, quick_blur_statistics
from stages.grid import Grid
from stages.tone import encode, linearise
from stages.view import light_at

SIZE, STEP = (480, 640), 2


def scene(blur_px, half=False):
    """Leaves on a wall, blurred everywhere or on the right half only."""
    rng = np.random.default_rng(2)
    codes = np.full((*SIZE, 3), 128, np.uint8)
    for _ in range(600):
        centre = tuple(int(v) for v in rng.integers(0, (SIZE[1], SIZE[0])))
        colour = tuple(float(v) for v in rng.integers(20, 236, 3))
        cv2.circle(codes, centre, int(rng.integers(4, 30)), colour, -1, cv2.LINE_AA)
    if blur_px:
        soft = cv2.GaussianBlur(codes, (0, 0), blur_px)
        codes = np.hstack([codes[:, :320], soft[:, 320:]]) if half else soft
    return codes


def verdict(codes):
    grid = Grid.cells(SIZE, STEP)
    view = encode(light_at(linearise(codes), grid))
    params = CheckParams(**QUICK_CHECK[STEP], view_side_px=640)
    seen = quick_blur_statistics(view, grid, params)
    return judge(seen, None, params)[0].code


@pytest.mark.parametrize("codes, code", [
    (scene(0), "everything_in_focus"),
    (scene(6, half=True), "defocus_present"),
    (scene(6), "no_sharp_subject"),
    (scene(0) // 40, "too_dark_or_noisy"),
    (np.full((*SIZE, 3), 128, np.uint8), "too_few_edges"),
    (cv2.blur(scene(0), (15, 1)), "shaken"),
])  # fmt: skip
def test_verdicts(codes, code):
    assert verdict(codes) == code
