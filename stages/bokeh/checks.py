"""What every renderer asks of its inputs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stages.arrays import check_image
from stages.params import Array
from stages.strips import run_strips

LARGEST_RADIUS_PX = 400.0  # the tables and the deepest layer are made for this


class RenderInput(NamedTuple):
    """A checked picture and its radius, C-contiguous, and the largest radius in px.

    Where a second surface has a part in a pixel, `far_share` is that part (HxW, in [0, 1]) and
    `far` its linear light (HxWx3): they are taken off the pixel. Without any, both are empty.
    """

    linear: Array
    radius: Array
    largest_px: float
    far_share: Array = np.empty((0, 0), np.float32)
    far: Array = np.empty((0, 0, 0), np.float32)

    @property
    def flat(self) -> tuple[Array, Array, Array, Array]:
        """Light, radius, share and light of the second surface, as kernels read them."""
        return (
            self.linear.reshape(-1), self.radius.reshape(-1), self.far_share.reshape(-1),
            self.far.reshape(-1),
        )  # fmt: skip


def check_render(stage: str, linear: Array, radius: Array, *, signed: bool = False) -> RenderInput:
    """Refuse what cannot be rendered, and lay the rest out for the kernels.

    Raises
    ------
    ValueError
        If `linear` is not a finite HxWx3 float32 picture, or `radius` not HxW float32 of the same
        size within [0, LARGEST_RADIUS_PX], or as
        far below 0 where it is `signed`.
    """
    check_image(stage, "linear", linear)
    largest = check_radius(stage, radius, signed=signed)
    if radius.shape != linear.shape[:2]:
        raise ValueError(
            f"{stage}: radius must have the size of linear, {linear.shape[:2]}; got {radius.shape}"
        )
    return RenderInput(np.ascontiguousarray(linear), np.ascontiguousarray(radius), largest)


def check_radius(stage: str, radius: Array, *, signed: bool = False) -> float:
    """Refuse an array that is not a map of radii; return the largest, in px.

    Raises
    ------
    ValueError
        If `radius` is not HxW float32 within [0, LARGEST_RADIUS_PX] (`signed`: below 0, too).
    """
    if radius.ndim != 2 or radius.dtype != np.float32 or radius.size == 0:
        raise ValueError(f"{stage}: radius must be HxW float32; got {radius.shape} {radius.dtype}")
    ends = run_strips(lambda a, b: (radius[a:b].min(), radius[a:b].max()), len(radius))
    low, high = float(np.min(ends)), float(np.max(ends))  # of NumPy: NaN stays
    least = -LARGEST_RADIUS_PX if signed else 0.0
    if not (low >= least and high <= LARGEST_RADIUS_PX):  # NaN fails both
        legal = f"[{least:g}, {LARGEST_RADIUS_PX:g}]"
        raise ValueError(f"{stage}: radius must lie in {legal} px; got {low:g}..{high:g}")
    return high
