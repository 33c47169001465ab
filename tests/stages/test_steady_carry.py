"""A map carried along the motion: where it goes, and what is left as it is."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from stages.grid import BlurMap, Grid, lift
from stages.steady import (
    Memory,
    SteadyParams,
    carried_dead_zone,
    carried_evidence,
    carried_map,
    keep_measured,
    track,
)

FULL = (240, 400)
VIEW = Grid(FULL)
CELLS = Grid.cells(FULL, 2)
LOW = Grid.cells(FULL, 8)


def textured(seed=0, wider=0):
    """A view whose places can be told apart."""
    noise = np.random.default_rng(seed).standard_normal((FULL[0], FULL[1] + wider))
    codes = sum(size * cv2.GaussianBlur(noise.astype(np.float32), (0, 0), size) for size in (3, 12))
    plane = 0.5 + 0.5 * codes / np.abs(codes).max()
    return np.ascontiguousarray(np.dstack([plane] * 3), np.float32)


def memory_of(view, sigma):
    """A frame that was measured: its map is `sigma`, on cells."""
    empty = BlurMap(np.zeros(VIEW.shape, np.float32), np.zeros(VIEW.shape, np.float32), VIEW)
    cells = BlurMap(sigma, np.ones_like(sigma), CELLS)
    look = track(view, VIEW, None, SteadyParams()).look
    return Memory(look, cells, empty, np.ones(CELLS.shape, np.float32), cells, 1.25)


def step(edge):
    """Sigma 1 to the left of a column of the picture, 4 to its right; on cells."""
    x = CELLS.positions(1)
    return np.tile(np.where(x < edge, 1, 4).astype(np.float32), (CELLS.shape[0], 1))


def carried(view, memory, to=LOW):
    return carried_map(track(view, VIEW, memory, SteadyParams()), to)


@pytest.mark.parametrize("to", [CELLS, LOW, Grid.cells(FULL, 16)])
def test_where_nothing_moves_the_map_is_the_same(to):
    view = textured()
    memory = memory_of(view, step(200))
    found = carried(view, memory, to)
    assert found.grid == to and found.is_dense
    assert np.array_equal(found.sigma, lift(memory.dense, to).sigma)
    assert carried_dead_zone(track(view, VIEW, memory, SteadyParams())) == 1.25


@pytest.mark.parametrize("shift", [-24, 16, 24])
def test_the_map_goes_where_the_picture_goes(shift):
    wide = textured(wider=80)
    before, after = (wide[:, 40 + x : 440 + x] for x in (0, -shift))
    memory = memory_of(before, step(200))
    found = carried(np.ascontiguousarray(after), memory).sigma
    wanted = lift(BlurMap(step(200 + shift), memory.dense.confidence, CELLS), LOW).sigma
    inner = (slice(None), slice(6, -6))
    assert np.abs(found - wanted)[inner].mean() < 0.1
    assert np.abs(found - lift(memory.dense, LOW).sigma)[inner].mean() > 0.1


def film(shift, frames):
    """Views of a wide picture that moves."""
    wide = textured(wider=200)
    starts = [20 + shift * k for k in range(frames)]
    return [np.ascontiguousarray(wide[:, x : x + FULL[1]]) for x in starts]


def test_motion_adds_up_but_nothing_is_interpolated_twice():
    views = film(6, 21)  # 120 px: too far to be found at once
    memory = first = memory_of(views[0], step(300))
    for view in views[1:]:
        motion = track(view, VIEW, memory, SteadyParams())
        found, memory = carried_map(motion, LOW).sigma, keep_measured(motion)
        assert memory.dense is first.dense and memory.dead_zone == first.dead_zone
    x = LOW.positions(1)
    inner = (x > 40) & (x < 240)  # the rest was not seen at the start
    assert np.median(found[:, inner & (x < 164)]) == pytest.approx(1, abs=0.05)
    assert np.median(found[:, inner & (x > 196)]) == pytest.approx(4, abs=0.05)
    assert np.abs(np.diff(found, axis=1)).max(axis=1).mean() > 1.3  # a step still
    assert found[:, x > 350] == pytest.approx(4, abs=0.1)  # new: as what is beside it


def test_memory_that_has_moved_survives_a_file_and_another_grid(tmp_path):
    views = film(6, 2)
    motion = track(views[1], VIEW, memory_of(views[0], step(300)), SteadyParams())
    memory = keep_measured(motion)
    np.savez(tmp_path / "memory.npz", **memory.to_arrays())
    with np.load(tmp_path / "memory.npz") as arrays:
        again = Memory.from_arrays(arrays)
    assert np.array_equal(again.flow, memory.flow) and np.array_equal(again.trust, memory.trust)
    coarse, cells = Grid.cells(FULL, 2), Grid.cells(FULL, 4)
    other = again.on(cells, coarse)
    assert other.flow.shape == (*cells.shape, 2) and other.trust.shape == cells.shape
    moved = [np.median(each.flow[..., 0]) for each in (memory, other)]
    assert abs(moved[0]) > 2 and moved[1] == pytest.approx(0.5 * moved[0], rel=0.01)
    assert memory_of(views[0], step(300)).on(cells, coarse).flow is None


def test_what_was_not_seen_before_is_filled_from_around():
    view, new = textured(), textured()
    rng = np.random.default_rng(5)
    new[80:160, 150:250] = rng.random((20, 25, 1)).repeat(4, 0).repeat(4, 1).astype(np.float32)
    sigma = np.full(CELLS.shape, 3, np.float32)
    sigma[45:75, 80:120] = 9  # of what is hidden now
    found = lift(carried(new, memory_of(view, sigma)), VIEW).sigma
    assert np.median(found[100:140, 170:230]) < 4.5
    assert found[:60].min() > 2.9 and found[180:].min() > 2.9
    assert found.min() > 2.9


def test_without_memory_there_is_nothing_to_carry():
    lost = track(textured(), VIEW, None, SteadyParams())
    other = track(textured(1), VIEW, memory_of(textured(), step(200)), SteadyParams())
    for motion in (lost, other):
        with pytest.raises(ValueError, match="estimate one"):
            carried_map(motion, LOW)


def evidence_at(*columns):
    """Evidence of a sharp strip, 8 px wide, at each of the columns."""
    confidence = np.zeros(FULL, np.float32)
    for x in columns:
        confidence[:, x : x + 8] = 1
    return BlurMap(0.8 * confidence, confidence, VIEW)


def test_evidence_counts_where_there_was_some_and_where_that_is_not_known():
    shift, wide = 16, textured(wider=80)
    before, after = (np.ascontiguousarray(wide[:, x : x + 400]) for x in (0, shift))
    memory = replace(memory_of(before, step(200)), evidence=evidence_at(100))
    motion = track(after, VIEW, memory, SteadyParams())
    seen = evidence_at(100 - shift, 200, 390)  # as it was, new, and beyond what was seen
    found = carried_evidence(seen, motion)
    assert np.array_equal(found.sigma, seen.sigma)
    shares = [found.confidence[20:-20, x : x + 8].mean() for x in (100 - shift, 200, 390)]
    assert shares[0] > 0.97 and shares[1] < 0.02 and shares[2] > 0.7
