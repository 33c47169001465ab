"""Pictures as pages show them."""

import io

import numpy as np
import pytest
from PIL import Image

from camerapipe.ingest.colorimetry import same
from camerapipe.ingest.icc import primaries_of
from camerapipe.synthetic import synthetic_frame
from camerapipe.web.screen import CANVAS, jpeg

CODES = synthetic_frame("static", 0, (120, 180)).picture


@pytest.mark.parametrize("space", CANVAS)
def test_a_preview_keeps_colours_and_names_its_space(space):
    picture = Image.open(io.BytesIO(jpeg(CODES, space)))
    difference = np.asarray(picture).astype(int) - CODES
    assert np.abs(difference).mean() < 4 and np.abs(difference.mean(axis=(0, 1))).max() < 0.5
    profile = picture.info.get("icc_profile")
    if space == "srgb":
        assert profile is None  # what browsers take a picture without profile for
    else:
        assert same(primaries_of(profile), CANVAS[space])
