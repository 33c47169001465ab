"""The measurements of steadiness, on frames small enough for a test."""

import sys
from pathlib import Path

import numpy as np
import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
SIZE = (360, 640)


@pytest.fixture(scope="module")
def steadiness():
    sys.path.insert(0, str(TOOLS))
    from subjects import steadiness

    yield steadiness
    sys.path.remove(str(TOOLS))
    for name in [name for name in sys.modules if name.split(".")[0] == "subjects"]:
        del sys.modules[name]


def test_memory_halves_the_flicker_at_least(steadiness):
    assert steadiness.flicker_ratio((180, 320)) <= 0.5


def test_lag_is_counted_from_the_first_frame_after_the_step(steadiness, monkeypatch):
    errors = [3.0, 2.0, 1.1, 1.3, *[1.0] * 12]
    monkeypatch.setattr(steadiness, "focus_errors", lambda *_: errors)
    assert steadiness.focus_lag_frames(SIZE) == 4
    monkeypatch.setattr(steadiness, "focus_errors", lambda *_: [1.0] * 16)
    assert steadiness.focus_lag_frames(SIZE) == 0


@pytest.mark.slow
def test_better_rungs_are_closer_to_the_best_and_all_beat_the_frame_itself(steadiness):
    from camerapipe.levels import LADDER
    from camerapipe.synthetic import synthetic_frame

    pictures = [synthetic_frame("pan", k).picture for k in range(4)]
    reference = [frame.picture for frame in steadiness.live_frames(pictures, LADDER[0].name)]
    rows = steadiness.rung_table(pictures, reference)
    quality = [row.psnr_db for row in rows]
    assert [row.name for row in rows] == [rung.name for rung in LADDER]
    assert quality == sorted(quality, reverse=True) and quality[0] > 60
    assert quality[-1] > steadiness.psnr_db(pictures, reference) + 3


def test_psnr_is_that_of_all_pictures_together(steadiness):
    black, grey = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 51, np.uint8)
    found = steadiness.psnr_db([black, black], [black, grey])
    assert found == pytest.approx(10 * np.log10(2 * 25))
