"""The contact sheet: whole pictures above, details at 100 % below."""

import numpy as np
import pytest

import camerapipe
from camerapipe import samples
from camerapipe.sheet import DETAIL_PX, GAP_PX, capture_codes, contact_sheet, detail


@pytest.fixture(scope="module")
def shot():
    picture = np.random.default_rng(0).integers(0, 256, (700, 900, 3), np.uint8)
    return camerapipe.render(picture, preset="paper", params={"propagate": {"iterations": 1}},
                             force=True)  # fmt: skip


def test_details_are_those_of_the_pictures(shot):
    rows, cols = DETAIL_PX
    sheet = contact_sheet(shot, (0.0, 1.0))
    assert sheet.shape[1] == 2 * cols + GAP_PX
    lower = sheet[-rows:]
    assert np.array_equal(lower[:, :cols], capture_codes(shot)[-rows:, :cols])
    assert np.array_equal(lower[:, cols + GAP_PX :], shot.to_uint8()[-rows:, :cols])


def test_details_stay_within_the_picture():
    picture = np.zeros((100, 2000, 3), np.uint8)
    for centre in ((0, 0), (1, 1), (0.5, 0.5)):
        assert detail(picture, centre).shape == (100, DETAIL_PX[1], 3)


def test_an_untouched_picture_has_no_map():
    flat = camerapipe.render(np.full((80, 120, 3), 90, np.uint8))
    assert flat.blur_map is None
    assert contact_sheet(flat).shape == (80 + GAP_PX + 80, 120 * 2 + GAP_PX, 3)


def test_the_photograph_that_is_absent_is_told_with_what_to_do(monkeypatch):
    monkeypatch.setattr(samples, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="python -m pip install .scikit-learn"):
        samples.flower_path()
