import cv2
import numpy as np
import pytest

from stages.arrays import luma
from stages.blur import (
    BlurParams,
    EvidenceParams,
    edges,
    gradients,
    linked_edges,
    noise_sigma,
    octave_blur,
    sharpness_evidence,
    survey,
    thin_edges,
)
from stages.blur.survey import SECOND_DIFFERENCE
from stages.grid import Grid

SHAPES = [(1, 1), (1, 9), (9, 1), (2, 3), (3, 2), (40, 57)]


def plane(shape, seed=0):
    return np.random.default_rng(seed).random(shape, np.float32)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [0, 1.2])
def test_energy_is_that_of_the_gradient(shape, scale):
    image = plane(shape)
    gx, gy = gradients.gradient(image, scale)
    np.testing.assert_allclose(
        gradients.gradient_energy(image, scale), gx * gx + gy * gy, rtol=1e-4, atol=1e-7
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_a_picture_of_any_size_can_be_looked_at(shape):
    view = np.repeat(plane(shape)[..., None], 3, axis=2)
    params = BlurParams()
    found = survey(view, params)
    assert found.noise_histogram.sum() == -(-shape[0] // 4) * shape[1]
    linked = linked_edges(thin_edges(found, params))
    assert linked.shape == shape
    assert octave_blur(view, linked, found, Grid(shape), params).grid.step == 2
    assert sharpness_evidence(view, found, Grid(shape), EvidenceParams()).sigma.shape == shape


def test_the_survey_knows_the_largest_gradient_and_the_noise():
    image = 0.2 * plane((101, 87))
    view = np.repeat(image[..., None], 3, axis=2)
    found = survey(view, BlurParams())
    energy = gradients.gradient_energy(luma(view), 2.5)
    assert found.largest_gradient**2 == pytest.approx(energy.max(), rel=1e-5)
    second = cv2.filter2D(image, -1, SECOND_DIFFERENCE)
    expected = np.median(np.abs(second)) / (6 * 0.6745)
    assert noise_sigma(found) == pytest.approx(expected, rel=0.05)


def test_thinning_is_that_of_its_definition():
    """Along the gradient, neighbours are interpolated; an edge is above one, not below another."""
    image = cv2.GaussianBlur(plane((60, 70)), (0, 0), 1.5)
    view = np.repeat(image[..., None], 3, axis=2)
    found, params = survey(view, BlurParams()), BlurParams()
    low, high = edges.edge_thresholds(found, params)
    gx, gy = (c.astype(np.float64) for c in gradients.gradient(luma(view), 2.5))
    level = np.hypot(gx, gy)
    thinned = thin_edges(found, params)
    agree = total = 0
    for y in range(1, 59):
        for x in range(1, 69):
            direction = np.array([gy[y, x], gx[y, x]]) / max(abs(gy[y, x]), abs(gx[y, x]))
            beside = []
            for sign in (1, -1):
                dy, dx = sign * direction
                v, u = np.floor(y + dy + 1e-9).astype(int), np.floor(x + dx + 1e-9).astype(int)
                b, a = y + dy - v, x + dx - u
                square = level[v : v + 2, u : u + 2]
                weight = np.outer([1 - b, b], [1 - a, a])[: square.shape[0], : square.shape[1]]
                beside.append(np.sum(weight * square))
            ridge = level[y, x] > max(beside) and level[y, x] > low
            expected = 0 if not ridge else (2 if level[y, x] > high else 1)
            total += expected > 0 or thinned[y, x] > 0
            agree += expected == thinned[y, x] and expected > 0
    assert total > 200 and agree > 0.99 * total
    assert not thinned[[0, -1]].any() and not thinned[:, [0, -1]].any()


def test_linking_keeps_the_components_that_have_a_strong_edge():
    rng = np.random.default_rng(2)
    strength = np.where(rng.random((90, 110)) < 0.3, 1, 0).astype(np.uint8)
    strength[rng.random(strength.shape) < 0.002] = 2
    count, labels = cv2.connectedComponents((strength > 0).astype(np.uint8), connectivity=8)
    strong = np.zeros(count, bool)
    strong[labels[strength == 2]] = True
    strong[0] = False
    linked = linked_edges(strength)
    assert 0 < linked.sum() < (strength > 0).sum()
    np.testing.assert_array_equal(linked, strong[labels])


def test_clipped_pixels_reach_three_pixels_far():
    view = np.full((20, 30, 3), 0.5, np.float32)
    view[10, 15, 2] = 0.99
    near = edges.clipped_pixels(view)
    assert near.sum() == 49 and near[7:14, 12:19].all()
