"""A map carried along the motion: where it goes, and what is left as it is."""

import cv2
import numpy as np
import pytest

from stages.grid import BlurMap, Grid, lift
from stages.steady import Memory, SteadyParams, carried_dead_zone, carried_map, track

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


def test_it_is_carried_from_where_it_was_measured_and_not_from_frame_to_frame():
    wide = textured(wider=80)
    frames = [np.ascontiguousarray(wide[:, 40 - x : 440 - x]) for x in range(0, 25, 6)]
    memory = memory_of(frames[0], step(200))
    for frame in frames[1:]:
        last = carried(frame, memory).sigma
    alone = carried(frames[-1], memory).sigma
    assert np.array_equal(last, alone)


def test_what_was_not_seen_before_is_left_as_it_is():
    view, new = textured(), textured()
    rng = np.random.default_rng(5)
    new[80:160, 150:250] = rng.random((20, 25, 1)).repeat(4, 0).repeat(4, 1).astype(np.float32)
    memory = memory_of(view, np.full(CELLS.shape, 3, np.float32))
    found = lift(carried(new, memory), VIEW).sigma
    assert np.median(found[100:140, 170:230]) < 0.5
    assert found[:60].min() > 2.9 and found[180:].min() > 2.9


def test_without_memory_there_is_nothing_to_carry():
    lost = track(textured(), VIEW, None, SteadyParams())
    other = track(textured(1), VIEW, memory_of(textured(), step(200)), SteadyParams())
    for motion in (lost, other):
        with pytest.raises(ValueError, match="measure it"):
            carried_map(motion, LOW)
