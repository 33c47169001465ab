"""The map of an earlier frame in place of a new one: carried along the motion, nothing measured.

What was measured stays as it was, and every frame carries it anew from there: motion adds up from
frame to frame, but nothing is interpolated twice. What a frame shows that was not seen then is
filled from around, and its detail protects it.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from stages.blur.evidence import PRESENT
from stages.grid import BlurBounds, BlurMap, DenseBlur, Grid, lift
from stages.params import Array
from stages.propagate import fill
from stages.steady.memory import Memory
from stages.steady.track import Motion, warp

NEAR = np.ones((3, 3), np.uint8)  # cells; motion is known about that well
ENOUGH_TRUST = np.float32(8)  # 1 / the trust from which on a place counts as seen before


def carried_map(motion: Motion, to: Grid) -> DenseBlur:
    """Dense map that was measured, at where things are in this frame.

    Where that is not known it is filled smoothly, or 0 where nothing is known at all.

    Parameters
    ----------
    motion : Motion
        Of `track`, with memory.
    to : Grid
        Grid of the result, of cells.

    Returns
    -------
    BlurMap
        Dense; sigma in full-resolution px.

    Raises
    ------
    ValueError
        If there is no memory to carry.
    """
    memory, flow = _known(motion)
    dense, (rows, cols) = lift(memory.dense, to), to.shape
    sigma = dense.sigma
    if flow.any():
        moves = cv2.resize(flow, (cols, rows), interpolation=cv2.INTER_AREA)
        moves *= np.float32(motion.cells.step / to.step)
        sigma = np.asarray(warp(sigma, moves), np.float32)
    seen = np.minimum(ENOUGH_TRUST * motion.trust, 1)
    seen = cv2.resize(seen, (cols, rows), interpolation=cv2.INTER_AREA)
    around = fill(BlurMap(sigma, seen, to)).sigma
    carried = np.asarray(around + seen * (sigma - around), np.float32)
    return BlurMap(np.ascontiguousarray(carried), dense.confidence, to)


def carried_evidence(evidence: BlurBounds, motion: Motion) -> BlurBounds:
    """Evidence of sharpness of a frame, where there was some when the map was measured.

    One frame alone shows specks that are none over time. Where that is not known, all of it counts.

    Parameters
    ----------
    evidence : BlurMap
        Of the frame, on its view.
    motion : Motion
        Of `track`, with memory.
    """
    memory, flow = _known(motion)
    (rows, cols), before = motion.cells.shape, memory.evidence.confidence
    size = (cols, rows)
    there = cv2.resize((before > PRESENT).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    near = cv2.dilate((there > 0).astype(np.float32), NEAR)
    sure = np.minimum(ENOUGH_TRUST * motion.trust, 1)
    part = 1 - sure * (1 - np.asarray(warp(near, flow), np.float32))
    part = cv2.resize(part, before.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return BlurMap(evidence.sigma, evidence.confidence * part, evidence.grid)


def keep_measured(motion: Motion) -> Memory:
    """Memory after a frame that was not measured: what was known, and where that is now."""
    memory, flow = _known(motion)
    return replace(memory, look=motion.look, flow=flow, trust=motion.trust)


def carried_dead_zone(motion: Motion) -> float:
    """Blur that was left alone, px; see `carried_map`."""
    return _known(motion)[0].dead_zone


def _known(motion: Motion) -> tuple[Memory, Array]:
    if motion.memory is None or motion.flow is None:
        raise ValueError("carry: there is no memory of what this frame shows; measure it")
    return motion.memory, motion.flow
