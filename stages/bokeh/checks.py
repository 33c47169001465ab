"""Validation of the inputs of the renderers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stages.arrays import check_image
from stages.params import Array
from stages.strips import run_strips

LARGEST_RADIUS_PX = 400.0  # limit of the tables and of the coarsest layer


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
    """Validate the inputs of a renderer, and make them contiguous for the kernels.

    Parameters
    ----------
    stage : str
        Name of the stage, for messages.
    linear : Array
        Linear light, HxWx3 float32.
    radius : Array
        Disk radius in px, HxW float32.
    signed : bool
        Whether radii below 0 (in front of the focus) are allowed.

    Returns
    -------
    RenderInput
        The checked arrays.

    Raises
    ------
    ValueError
        If `linear` is not finite HxWx3 float32, or if `radius` is not HxW float32 of the same size
        with values in [0, LARGEST_RADIUS_PX], or in [-LARGEST_RADIUS_PX, LARGEST_RADIUS_PX] if it
        is `signed`.
    """
    check_image(stage, "linear", linear)
    largest = check_radius(stage, radius, signed=signed)
    if radius.shape != linear.shape[:2]:
        raise ValueError(
            f"{stage}: radius must have the size of linear, {linear.shape[:2]}; got {radius.shape}"
        )
    return RenderInput(np.ascontiguousarray(linear), np.ascontiguousarray(radius), largest)


def check_radius(stage: str, radius: Array, *, signed: bool = False) -> float:
    """Validate a map of radii.

    Parameters
    ----------
    stage : str
        Name of the stage, for messages.
    radius : Array
        Disk radius in px, HxW float32.
    signed : bool
        Whether radii below 0 are allowed.

    Returns
    -------
    float
        Largest radius in px.

    Raises
    ------
    ValueError
        If `radius` is not HxW float32 with values in [0, LARGEST_RADIUS_PX], or in
        [-LARGEST_RADIUS_PX, LARGEST_RADIUS_PX] if it is `signed`.
    """
    if radius.ndim != 2 or radius.dtype != np.float32 or radius.size == 0:
        raise ValueError(f"{stage}: radius must be HxW float32; got {radius.shape} {radius.dtype}")
    ends = run_strips(lambda a, b: (radius[a:b].min(), radius[a:b].max()), len(radius))
    low, high = float(np.min(ends)), float(np.max(ends))  # np.min and np.max propagate NaN
    least = -LARGEST_RADIUS_PX if signed else 0.0
    if not (low >= least and high <= LARGEST_RADIUS_PX):  # NaN fails both comparisons
        legal = f"[{least:g}, {LARGEST_RADIUS_PX:g}]"
        raise ValueError(f"{stage}: radius must lie in {legal} px; got {low:g}..{high:g}")
    return high
