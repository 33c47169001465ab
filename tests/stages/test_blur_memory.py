"""At scale 1:1, the estimate takes at most 8 bytes per pixel beyond its input and its maps."""

import tracemalloc

import cv2
import numpy as np

from stages.blur import (
    BlurParams,
    CoarseParams,
    EvidenceParams,
    ShadingParams,
    coarse_edges,
    doubt_shading,
    linked_edges,
    octave_blur,
    sharpness_evidence,
    survey,
    thin_edges,
)
from stages.grid import Grid

SIDE_PX, STRIP_ROWS = 3000, 64  # so that strips in flight are as small a part as at 100 MP
LIMIT_BYTES = 8


def estimate(view):
    grid, params = Grid(view.shape[:2]), BlurParams(strip_rows=STRIP_ROWS)
    found = survey(view, params)
    strength = thin_edges(found, params)
    linked = linked_edges(strength)
    del strength
    edges = octave_blur(view, linked, found, grid, params)
    del linked
    evidence = sharpness_evidence(view, found, grid, EvidenceParams(strip_rows=STRIP_ROWS))
    every = coarse_edges(view, edges, evidence, CoarseParams())
    del edges
    return doubt_shading(every, view, ShadingParams()), evidence


def test_memory_per_pixel(set_workers):
    set_workers(2)
    cells = np.random.default_rng(0).random((SIDE_PX // 15, SIDE_PX // 15, 3), np.float32)
    view = cv2.resize(cells, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_NEAREST)
    view[:, SIDE_PX // 2 :] = 0.5
    estimate(view[:64, :64].copy())  # loads the kernels
    tracemalloc.start()
    maps = estimate(view)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    returned = sum(m.sigma.nbytes + m.confidence.nbytes for m in maps)
    assert all(m.confidence.any() for m in maps)
    assert kept < 1.01 * returned
    assert peak - returned <= LIMIT_BYTES * SIDE_PX**2
    assert peak - returned >= 1 * SIDE_PX**2  # it was measured at all
