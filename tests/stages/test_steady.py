import cv2
import numpy as np
import pytest

from stages.grid import BlurMap, Grid
from stages.steady import (
    History,
    Memory,
    SteadyParams,
    first_map,
    recall,
    remember,
    steady_dead_zone,
    steady_edges,
    steady_evidence,
    track,
)
from stages.steady.recall import _carried_evidence

VIEW, STEP = (96, 128), 2
GRID = Grid.cells((VIEW[0] * STEP, VIEW[1] * STEP), STEP)
CELLS = Grid((VIEW[0] // 2, VIEW[1] // 2), 2 * STEP, GRID.phase + STEP / 2)
PARAMS = SteadyParams()


def texture(seed=0):
    """A view with structure of all sizes."""
    rng = np.random.default_rng(seed)
    view = np.zeros((*VIEW, 3))
    for size in (2, 4, 8, 16):
        blocks = rng.random((VIEW[0] // size + 1, VIEW[1] // size + 1, 3))
        view += np.kron(blocks, np.ones((size, size, 1)))[: VIEW[0], : VIEW[1]]
    return (view / 4).astype(np.float32)


def shifted(view, pixels):
    """What the camera sees after it turned left: everything is further right."""
    return np.roll(view, pixels, axis=1)


def edges(sigma, noise=0.0, seed=0, share=0.3):
    rng = np.random.default_rng(seed)
    confidence = np.where(np.random.default_rng(99).random(CELLS.shape) < share, STEP, 0)
    values = np.maximum(sigma + noise * rng.standard_normal(CELLS.shape), 0) * (confidence > 0)
    return BlurMap(values.astype(np.float32), confidence.astype(np.float32), CELLS)


def evidence(bound=1.0):
    confidence = np.zeros(VIEW, np.float32)
    confidence[20:40, 30:60] = 0.8
    return BlurMap(np.where(confidence > 0, np.float32(bound), np.float32(0)), confidence, GRID)


def dense(sigma):
    plane = np.full(CELLS.shape, sigma, np.float32)
    return BlurMap(plane, np.ones_like(plane), CELLS)


def one_frame(memory, view, sparse, bounds=None, params=PARAMS):
    """Constraints, evidence, history and memory of a frame; its dense map is 3 px."""
    bounds = bounds or evidence()
    motion = track(view, GRID, memory, params)
    history = recall(sparse, bounds, motion, params)
    held, proven = steady_edges(sparse, history), steady_evidence(bounds, history)
    return held, proven, history, remember(motion, history, held, proven, dense(3.0), 1.5, params)


def after(frames, view, sigma, noise=0.0, params=PARAMS):
    memory = None
    for k in range(frames):
        *_, memory = one_frame(memory, view, edges(sigma, noise, seed=k), params=params)
    return memory


def test_the_first_frame_is_what_it_sees():
    sparse, bounds = edges(2.0, 0.3), evidence()
    held, proven, history, memory = one_frame(None, texture(), sparse, bounds)
    assert np.array_equal(held.sigma, sparse.sigma)
    assert np.array_equal(proven.confidence, bounds.confidence)
    assert not history.age.any() and history.dense is None
    assert (memory.age == 1).all()


def test_noise_falls_as_in_a_recursive_mean():
    view, sizes = texture(), []
    memory = None
    for k in range(40):
        held, *_, memory = one_frame(memory, view, edges(3.0, 0.4, seed=k))
        sizes.append(np.std(held.sigma[held.confidence > 0]))
    share = 1 / (1 + PARAMS.history_frames)  # of the new frame, once memory is full
    assert sizes[0] == pytest.approx(0.4, rel=0.1)
    assert np.mean(sizes[-8:]) == pytest.approx(0.4 * np.sqrt(share / (2 - share)), rel=0.15)


def test_data_of_many_frames_weighs_as_one():
    memory = after(20, texture(), 3.0)
    assert memory.edges.confidence == pytest.approx(edges(3.0).confidence, abs=1e-4)
    assert memory.evidence.confidence == pytest.approx(evidence().confidence, abs=1e-4)
    assert (memory.age == PARAMS.history_frames).all()


def test_what_is_seen_no_more_fades_and_goes():
    memory, none = after(12, texture(), 3.0), edges(3.0, share=0.0)
    confidence = []
    for _ in range(90):
        held, *_, memory = one_frame(memory, texture(), none)
        confidence.append(held.confidence.max())
    assert np.all(np.diff(confidence) <= 0) and confidence[0] < STEP and confidence[-1] == 0


@pytest.mark.parametrize("sigma", [0.8, 6.0])
def test_a_change_of_focus_drops_the_memory_at_once(sigma):
    memory = after(10, texture(), 3.0, noise=0.3)
    sparse = edges(sigma, 0.3, seed=50)
    held, _, history, _ = one_frame(memory, texture(), sparse)
    assert np.array_equal(held.sigma, sparse.sigma)
    assert not history.age.any() and history.dense is None


def test_a_change_in_one_place_keeps_the_rest():
    memory = after(10, texture(), 3.0)
    sparse = edges(3.0)
    changed = sparse.sigma.copy()
    changed[:, :20] = np.where(sparse.confidence[:, :20] > 0, 7.0, 0)
    _, _, history, _ = one_frame(memory, texture(), BlurMap(changed, sparse.confidence, CELLS))
    assert history.age[:, :8].max() < 0.5
    assert history.age[:, 40:].min() > 0.9 * PARAMS.history_frames
    assert history.dense is not None


def test_a_slow_pull_is_followed():
    memory, view = after(10, texture(), 2.0), texture()
    for k in range(1, 31):
        held, *_, memory = one_frame(memory, view, edges(2.0 + 0.15 * k))
    assert held.sigma[held.confidence > 0].mean() == pytest.approx(2.0 + 0.15 * 30, abs=1.0)


def test_another_scene_drops_the_memory():
    memory = after(10, texture(), 3.0)
    _, _, history, new = one_frame(memory, texture(seed=5), edges(3.0))
    assert not history.age.any() and (new.age == 1).all()


def test_a_change_of_exposure_does_not():
    memory = after(10, texture(), 3.0)
    _, _, history, _ = one_frame(memory, texture() + np.float32(0.06), edges(3.0))
    assert history.age.min() > 0.9 * PARAMS.history_frames


def test_noise_does_not_move_anything():
    view, rng = texture(), np.random.default_rng(3)
    memory = after(3, view, 3.0)
    noisy = np.clip(view + rng.normal(0, 5 / 255, view.shape), 0, 1).astype(np.float32)
    motion = track(noisy, GRID, memory, PARAMS)
    assert not motion.flow.any() and motion.trust.min() > 0.95


def test_memory_moves_with_the_picture():
    view, pixels = texture(), 4
    memory = after(6, view, 3.0)
    motion = track(shifted(view, pixels), GRID, memory, PARAMS)
    inner = np.s_[6:-6, 12:-6]
    assert np.median(motion.flow[inner][..., 0]) == pytest.approx(-pixels / 2, abs=0.3)
    history = recall(edges(3.0, share=0.0), evidence(), motion, PARAMS)
    wanted = np.roll(evidence().confidence, pixels, axis=1)
    assert np.abs(history.evidence.confidence - wanted)[12:-12, 24:-12].mean() < 0.05


def test_without_history_frames_there_is_no_memory():
    params = SteadyParams(history_frames=0.0)
    memory = after(4, texture(), 3.0, params=params)
    sparse = edges(3.0, 0.3, seed=9)
    held, _, history, _ = one_frame(memory, texture(), sparse, params=params)
    assert np.array_equal(held.sigma, sparse.sigma) and history.dense is None


def test_the_solve_starts_from_the_map_before_where_it_is_remembered():
    memory = after(10, texture(), 3.0)
    _, _, history, _ = one_frame(memory, texture(), edges(3.0))
    assert first_map(edges(1.0), history) == pytest.approx(3.0)
    coarse = Grid.cells((VIEW[0] * STEP, VIEW[1] * STEP), 4 * STEP)
    held = BlurMap(np.ones(coarse.shape, np.float32), np.ones(coarse.shape, np.float32), coarse)
    assert first_map(held, history) == pytest.approx(3.0)
    forgotten = history._replace(dense=None)
    assert first_map(edges(1.0), forgotten) == pytest.approx(1.0)


def test_the_dead_zone_is_a_mean_too():
    nothing = np.zeros(CELLS.shape, np.float32)
    sparse = BlurMap(nothing, nothing, CELLS)
    full = History(sparse, evidence(), nothing + 8, nothing, 1.0)
    assert steady_dead_zone(2.8, full, PARAMS) == pytest.approx(1.2)
    assert steady_dead_zone(2.8, full._replace(dense=None), PARAMS) == 2.8


def test_memory_survives_a_file(tmp_path):
    memory = after(3, texture(), 3.0, noise=0.2)
    np.savez(tmp_path / "memory.npz", **memory.to_arrays())
    with np.load(tmp_path / "memory.npz") as arrays:
        read = Memory.from_arrays(arrays)
    for name in ("edges", "evidence", "dense"):
        assert getattr(read, name).grid == getattr(memory, name).grid
        assert np.array_equal(getattr(read, name).sigma, getattr(memory, name).sigma)
    assert np.array_equal(read.look, memory.look) and np.array_equal(read.age, memory.age)
    assert read.dead_zone == memory.dead_zone


@pytest.mark.parametrize("step", [1, 4])
def test_memory_lifts_to_another_scale(step):
    memory = after(8, texture(), 3.0)
    full = VIEW[0] * STEP, VIEW[1] * STEP
    view, cells = Grid.cells(full, step), Grid.cells(full, 2 * step)
    lifted = memory.on(cells, view)
    assert lifted.look.shape == lifted.age.shape == lifted.edges.sigma.shape == cells.shape
    assert lifted.edges.sigma[lifted.edges.confidence > 0] == pytest.approx(3.0, abs=1e-4)
    assert lifted.edges.confidence.sum() == pytest.approx(memory.edges.confidence.sum(), rel=1e-4)
    assert 0 < lifted.evidence.confidence.max() <= 1
    assert memory.on(memory.edges.grid, memory.evidence.grid) is memory


@pytest.mark.parametrize("shape", [(40, 64), (41, 65)])
def test_evidence_moves_with_its_cells_by_bilinear_interpolation(shape):
    rng, grid = np.random.default_rng(3), Grid(shape, 2, 0.5)
    weight = np.where(rng.random(shape) < 0.3, rng.random(shape), 0).astype(np.float32)
    sigma = (4 * rng.random(shape) * (weight > 0)).astype(np.float32)
    cells = tuple(-(-n // 2) for n in shape)
    flow = rng.uniform(-6, 6, (*cells, 2)).astype(np.float32)
    found = _carried_evidence(BlurMap(sigma, weight, grid), flow)
    fine = flow.repeat(2, axis=0).repeat(2, axis=1)[: shape[0], : shape[1]]
    y, x = np.indices(shape, np.float32)
    aim = 2 * fine[..., 0] + x, 2 * fine[..., 1] + y
    edge = (cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
    wanted = [cv2.remap(p, *aim, *edge) for p in (weight, weight * sigma)]
    assert found.confidence == pytest.approx(wanted[0], abs=0.03)  # OpenCV knows 1/32 px
    assert found.confidence * found.sigma == pytest.approx(wanted[1], abs=0.12)
    assert (found.sigma[found.confidence == 0] == 0).all()
    still = BlurMap(sigma, weight, grid)
    assert _carried_evidence(still, np.zeros_like(flow)) is still
