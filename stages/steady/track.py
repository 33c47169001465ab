"""Optical flow from a frame to the last one that was estimated, and its confidence.

Dense inverse search (Kroeger, Timofte, Dai and Van Gool 2016) on the luma of the cells. A cell
moves only if motion explains the difference between the frames better than no motion does, so that
noise does not move the state. If neither explains it, the cell was not visible before. If that
holds for most of the picture, the scene has changed. Frames in between are tracked one by one,
since small motion is easier to find.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from stages.arrays import luma, reduce_by
from stages.grid import Grid
from stages.kinds import Encoded
from stages.params import Array, Params, param
from stages.steady.memory import Memory

WINDOW = 7  # cells; differences between frames are means over it
MAX_LEFT = 0.7  # motion explains a difference if less than this share of it is left,
NOISE_CODES = 1.0  # and at least this much is gone, codes of 255
ALIKE_CODES = (5.0, 12.0)  # mean difference of the same surface; confidence falls to 0 between


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadyParams(Params):
    """Parameters of the temporal filter."""

    history_frames: float = param(
        8.0, 0.0, 100.0, help="largest weight of the history, in new frames; 0: no history"
    )
    cut_share: float = param(
        0.5, 0.05, 1.0, help="share of the picture that must be new for a change of scene"
    )
    focus_change_px: float = param(
        0.35,
        0.01,
        8.0,
        unit="px",
        help="change of blur that drops the history, per step of the view",
    )
    focus_change: float = param(0.2, 0.0, 1.0, help="the same as a share of the blur, on top")


class Motion(NamedTuple):
    """Motion of a frame against the last one that was estimated.

    Attributes
    ----------
    look : array of uint8
        Luma of the frame, HxW on its cells.
    cells : Grid
        The grid of the cells.
    flow : Array or None
        HxWx2 (x, y), cells from the frame to the last one that was estimated; None without history
        and after a change of scene.
    trust : Array
        Confidence of the flow, HxW in [0, 1].
    memory : Memory or None
        The state of the filter on the grids of the frame; None where `flow` is.
    coarsest_step : int
        Larger step of the views of both frames, px.
    """

    look: npt.NDArray[np.uint8]
    cells: Grid
    flow: Array | None
    trust: Array
    memory: Memory | None
    coarsest_step: int


def track(view: Encoded, grid: Grid, memory: Memory | None, params: SteadyParams) -> Motion:
    """Find the motion of a frame.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1].
    grid : Grid
        Grid of the view, step k.
    memory : Memory or None
        State after the previous frame, on any grid.
    params : SteadyParams
        `cut_share` is the threshold of a change of scene.

    Returns
    -------
    Motion
        On the cells of the frame.
    """
    look = np.rint(luma(reduce_by(view, 2)) * 255).astype(np.uint8)
    cells = Grid((look.shape[0], look.shape[1]), 2 * grid.step, grid.phase + grid.step / 2)
    unknown = Motion(look, cells, None, np.zeros(look.shape, np.float32), None, grid.step)
    if memory is None or params.history_frames == 0:
        return unknown
    coarsest = max(grid.step, memory.evidence.grid.step)
    scale = memory.evidence.grid.step / grid.step
    memory = memory.on(cells, grid)
    now, before = look, memory.look
    if scale != 1:  # detail that only the finer of the two can show is no difference
        now, before = (cv2.GaussianBlur(luma_, (0, 0), max(scale, 1.0)) for luma_ in (now, before))
    flow = _flow(now, before)
    still, moved = _difference(now, before), _difference(now, warp(before, flow))
    moves = moved < MAX_LEFT * still - NOISE_CODES
    trust = 1 - _smoothstep(np.where(moves, moved, still), *ALIKE_CODES)
    flow *= moves[..., None]
    if memory.flow is not None and memory.trust is not None:  # on to the frame that was estimated
        trust = trust * np.asarray(warp(memory.trust, flow), np.float32)
        flow = flow + np.asarray(warp(memory.flow, flow), np.float32)
    if float(trust.mean()) < 1 - params.cut_share:
        return unknown
    return Motion(look, cells, flow, trust, memory, coarsest)


def warp(planes: npt.NDArray[np.generic], flow: Array) -> npt.NDArray[np.generic]:
    """Warp planes along a flow, bilinear, the outermost values repeated.

    Parameters
    ----------
    planes : array
        HxW or HxWxC.
    flow : Array
        HxWx2 (x, y) float32, in samples: value (i, j) is read at (j, i) + flow.

    Returns
    -------
    array
        Shape and dtype of `planes`.
    """
    aim = flow + _places(flow.shape[:2])
    return np.asarray(
        cv2.remap(planes, aim, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )


@lru_cache(maxsize=4)
def _places(shape: tuple[int, ...]) -> Array:
    """Coordinates (x, y) of every cell."""
    y, x = np.indices(shape, np.float32)
    return np.dstack([x, y])


def _flow(look: npt.NDArray[np.uint8], before: npt.NDArray[np.uint8]) -> Array:
    """Flow from a frame to the one before; zero in a picture too small to search."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    search.setUseSpatialPropagation(False)  # its result depends on how threads share the rows
    if min(look.shape) < search.getPatchSize() << search.getFinestScale():
        return np.zeros((*look.shape, 2), np.float32)
    return np.asarray(search.calc(look, before, None), np.float32)


def _difference(look: npt.NDArray[np.generic], before: npt.NDArray[np.generic]) -> Array:
    """Mean absolute difference around each cell, codes; a uniform change of exposure is ignored."""
    change = look.astype(np.float32) - before.astype(np.float32)
    change -= np.median(change[::2, ::2])
    return np.asarray(cv2.blur(np.abs(change), (WINDOW, WINDOW)), np.float32)


def _smoothstep(values: Array, low: float, high: float) -> Array:
    t = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
