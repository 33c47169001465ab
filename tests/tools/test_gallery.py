"""Pictures of the gallery: what they are laid out of, and that each is on its page."""

import numpy as np

import camerapipe


def test_the_steps_of_a_photograph_are_six_panels(tool):
    gallery = tool("gallery")
    picture = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    shot = camerapipe.render(picture, force=True, keep=gallery.STEPS)
    rows, cols = gallery.steps_picture(shot).shape[:2]
    assert (rows, cols) == (2 * 90 + 8, 3 * 120 + 2 * 8)


def test_the_true_picture_is_beside_ours(tool):
    gallery = tool("gallery")
    capture = gallery.night_portrait((120, 160))
    shot = camerapipe.render(capture, force=True, preset="paper",
                             params={"propagate": {"iterations": 1}})  # fmt: skip
    both = gallery.truth_picture(shot, (0.5, 0.5))
    true = gallery.night_portrait((120, 160), lens=gallery.STRENGTH)
    assert np.array_equal(both[:, -160:], true)


def test_examples_have_captures_that_load(tool):
    gallery = tool("gallery")
    assert {"night", "flower"} <= set(gallery.EXAMPLES)
    assert np.asarray(gallery.EXAMPLES["cat"].capture()).shape == (300, 451, 3)
