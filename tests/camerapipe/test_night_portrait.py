import numpy as np
import pytest

from camerapipe.night_portrait import night_portrait
from stages.tone import linearise

SIZE = (225, 300)
CITY = np.s_[30:180, :70]


@pytest.fixture(scope="module")
def capture():
    return night_portrait(SIZE)


def test_a_picture_follows_from_its_arguments(capture):
    assert capture.shape == (*SIZE, 3) and capture.dtype == np.uint8
    assert np.array_equal(capture, night_portrait(SIZE))


def test_a_wider_lens_spreads_the_lights_and_leaves_the_person(capture):
    """The light of the city is spread and not lost, but for what clips in the capture."""
    wide = night_portrait(SIZE, lens=2.0)
    change = np.abs(capture.astype(float) - wide).max(axis=2)
    hat = np.s_[70:90, 130:170]
    assert change[hat].max() <= 1  # the noise is the same
    assert change[CITY].max() > 60
    assert linearise(wide)[CITY].mean() == pytest.approx(linearise(capture)[CITY].mean(), rel=0.5)


@pytest.mark.parametrize("size, lens", [((40, 300), 1.0), (SIZE, 0.0), (SIZE, float("nan"))])
def test_mistakes_are_explained(size, lens):
    with pytest.raises(ValueError, match="night_portrait: expected at least 64x64 px and lens"):
        night_portrait(size, lens=lens)
