"""Where every place of a frame was in the last frame that was measured, and how far to believe it.

Dense inverse search (Kroeger, Timofte, Dai and Van Gool 2016) on the luma of the cells. Nothing
moves unless motion explains the difference between the frames better than standing still does:
noise must not stir the memory. What neither explains was not seen before. Where that is most of
the picture, the scene has changed. Frames between the two are followed one by one, since small
motion is easier to find.
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
BETTER = 0.7  # motion explains a difference if it leaves less than this share of it,
NOISE_CODES = 1.0  # and this much: less is noise
ALIKE_CODES = (5.0, 12.0)  # mean difference up to which a place is the same, and no longer is


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadyParams(Params):
    """Parameters of the steadiness over time."""

    history_frames: float = param(
        8.0, 0.0, 100.0, help="most frames that memory counts for against a new one; 0: no memory"
    )
    cut_share: float = param(
        0.5, 0.05, 1.0, help="share of the picture that is new when the scene has changed"
    )
    focus_change_px: float = param(
        0.35, 0.01, 8.0, unit="px", help="change of blur that drops memory, per step of the view"
    )
    focus_change: float = param(0.2, 0.0, 1.0, help="the same as a share of the blur, on top")


class Motion(NamedTuple):
    """Luma of a frame on its cells, uint8; where each cell was, and trust in that, in [0, 1].

    `flow` is HxWx2 (x, y) in cells, from the frame to the last one that was measured; `memory` is
    on the grids of the frame. Without memory, and after a change of scene, both are None and trust
    is 0. `coarsest_step` is that of the views of both frames.
    """

    look: npt.NDArray[np.uint8]
    cells: Grid
    flow: Array | None
    trust: Array
    memory: Memory | None
    coarsest_step: int


def track(view: Encoded, grid: Grid, memory: Memory | None, params: SteadyParams) -> Motion:
    """Follow a frame back to the one before.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1].
    grid : Grid
        Grid of the view, step k.
    memory : Memory or None
        What the frame before left, on any grid.
    params : SteadyParams
        When a scene has changed.
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
    if scale != 1:  # what only the finer of the two can show is no difference
        now, before = (cv2.GaussianBlur(seen, (0, 0), max(scale, 1.0)) for seen in (now, before))
    flow = _flow(now, before)
    still, moved = _difference(now, before), _difference(now, warp(before, flow))
    moves = moved < BETTER * still - NOISE_CODES
    trust = 1 - _smoothstep(np.where(moves, moved, still), *ALIKE_CODES)
    flow *= moves[..., None]
    if memory.flow is not None and memory.trust is not None:  # on to the frame that was measured
        trust = trust * np.asarray(warp(memory.trust, flow), np.float32)
        flow = flow + np.asarray(warp(memory.flow, flow), np.float32)
    if float(trust.mean()) < 1 - params.cut_share:
        return unknown
    return Motion(look, cells, flow, trust, memory, coarsest)


def warp(planes: npt.NDArray[np.generic], flow: Array) -> npt.NDArray[np.generic]:
    """Values at where each cell was: bilinear, the outermost repeated."""
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
    search.setUseSpatialPropagation(False)  # which would depend on how threads share the rows
    if min(look.shape) < search.getPatchSize() << search.getFinestScale():
        return np.zeros((*look.shape, 2), np.float32)
    return np.asarray(search.calc(look, before, None), np.float32)


def _difference(look: npt.NDArray[np.generic], before: npt.NDArray[np.generic]) -> Array:
    """Mean size of the difference around each cell, in codes; a change of exposure is none."""
    change = look.astype(np.float32) - before.astype(np.float32)
    change -= np.median(change[::2, ::2])
    return np.asarray(cv2.blur(np.abs(change), (WINDOW, WINDOW)), np.float32)


def _smoothstep(values: Array, low: float, high: float) -> Array:
    t = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
