"""The map of an earlier frame, warped along the motion, in place of a new estimate.

The state stays as it was measured, and every frame warps it from there. The flow is accumulated
from frame to frame, so that no value is interpolated twice. Areas that were not visible in the
measured frame are filled from their surroundings, and bounds from their detail protect them.
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

NEAR = np.ones((3, 3), np.uint8)  # cells; about the error of the flow
FULL_TRUST = np.float32(8)  # 1 / the trust from which a cell counts as visible in both frames


def carried_map(motion: Motion, to: Grid) -> DenseBlur:
    """Warp the measured dense map to this frame.

    Cells without known motion are filled smoothly from the others, with 0 if there are none.

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
        If there is no state to warp.
    """
    memory, flow = _earlier_map(motion)
    dense, (rows, cols) = lift(memory.dense, to), to.shape
    sigma = dense.sigma
    if flow.any():
        moves = cv2.resize(flow, (cols, rows), interpolation=cv2.INTER_AREA)
        moves *= np.float32(motion.cells.step / to.step)
        sigma = np.asarray(warp(sigma, moves), np.float32)
    visible = np.minimum(FULL_TRUST * motion.trust, 1)
    visible = cv2.resize(visible, (cols, rows), interpolation=cv2.INTER_AREA)
    filled = fill(BlurMap(sigma, visible, to)).sigma
    warped = np.asarray(filled + visible * (sigma - filled), np.float32)
    return BlurMap(np.ascontiguousarray(warped), dense.confidence, to)


def carried_evidence(evidence: BlurBounds, motion: Motion) -> BlurBounds:
    """Keep the bounds of a frame where the measured frame had bounds as well.

    A single frame has spurious specks that averages over time do not have. Where the motion is not
    known, all bounds are kept.

    Parameters
    ----------
    evidence : BlurMap
        Upper bounds of the frame, on its view.
    motion : Motion
        Of `track`, with memory.

    Returns
    -------
    BlurMap
        The same bounds with less confidence, on the view.
    """
    memory, flow = _earlier_map(motion)
    (rows, cols), before = motion.cells.shape, memory.evidence.confidence
    size = (cols, rows)
    bounded = cv2.resize((before > PRESENT).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    near = cv2.dilate((bounded > 0).astype(np.float32), NEAR)
    visible = np.minimum(FULL_TRUST * motion.trust, 1)
    part = 1 - visible * (1 - np.asarray(warp(near, flow), np.float32))
    part = cv2.resize(part, before.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return BlurMap(evidence.sigma, evidence.confidence * part, evidence.grid)


def keep_measured(motion: Motion) -> Memory:
    """State after a frame without estimates: the measured maps, and the flow to where they are."""
    memory, flow = _earlier_map(motion)
    return replace(memory, look=motion.look, flow=flow, trust=motion.trust)


def carried_dead_zone(motion: Motion) -> float:
    """Dead zone of the measured frame, full-resolution px; errors as in `carried_map`."""
    return _earlier_map(motion)[0].dead_zone


def _earlier_map(motion: Motion) -> tuple[Memory, Array]:
    if motion.memory is None or motion.flow is None:
        raise ValueError("carry: there is no earlier map of this scene; estimate one")
    return motion.memory, motion.flow
