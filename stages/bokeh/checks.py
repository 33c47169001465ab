"""Validation of the inputs of the renderers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stages.arrays import check_image
from stages.grid import Grid
from stages.kernels import f32, i64, kernel, largest_of, reads, record, writes
from stages.params import Array
from stages.strips import run_strips

LARGEST_RADIUS_PX = 400.0  # limit of the tables and of the coarsest layer
SQUARE_PX = 32  # side of a square whose largest radius is tabulated; that of the largest cell


class Pixels(NamedTuple):
    """What kernels read of a picture: arrays that cannot be written, those of pixels flat.

    Attributes
    ----------
    image, radius : Array
        Linear light and radius of the near surfaces.
    tops : Array
        Largest radius of each square of SQUARE_PX x SQUARE_PX pixels, 2-D.
    far_share, far, far_radius : Array
        Share, light and radius of the far surfaces; empty if there are none.
    far_tops : Array
        Largest radius of the far surfaces of each square; 0 where there are none.
    """

    image: Array
    radius: Array
    tops: Array
    far_share: Array
    far: Array
    far_radius: Array
    far_tops: Array


_FLAT, _TABLE = reads(f32, 1), reads(f32, 2)
PIXELS = record(Pixels, _FLAT, _FLAT, _TABLE, _FLAT, _FLAT, _FLAT, _TABLE)


class RenderInput(NamedTuple):
    """A checked picture and its radius, C-contiguous, and the largest radius of each square.

    Where a second surface has a part in a pixel, `far_share` is that part (HxW, in [0, 1]) and
    `far` its linear light (HxWx3): they are taken off the pixel. `far_radius` is its radius (HxW;
    0 where there is none), and `far_tops` the largest one of each square. Without any second
    surfaces, all four are empty.
    """

    linear: Array
    radius: Array
    tops: Array
    far_share: Array = np.empty((0, 0), np.float32)
    far: Array = np.empty((0, 0, 0), np.float32)
    far_radius: Array = np.empty((0, 0), np.float32)
    far_tops: Array = np.empty((0, 0), np.float32)

    @classmethod
    def of(cls, linear: Array, radius: Array) -> RenderInput:
        """A picture without second surfaces."""
        linear, radius = np.ascontiguousarray(linear), np.ascontiguousarray(radius)
        tops = np.empty(Grid.cells((radius.shape[0], radius.shape[1]), SQUARE_PX).shape, np.float32)
        run_strips(lambda start, stop: _largest(radius, start, stop, tops), len(tops), 1)
        return cls(linear, radius, tops)

    @property
    def largest_px(self) -> float:
        """Largest radius of either surface in px."""
        return max(float(self.tops.max()), float(self.far_tops.max(initial=0)))

    @property
    def behind(self) -> RenderInput | None:
        """The second surfaces as a picture of their own; None if there are none."""
        if not self.far_radius.size:
            return None
        return RenderInput(self.far, self.far_radius, self.far_tops)

    @property
    def pixels(self) -> Pixels:
        """The arrays as kernels read them."""
        far = (self.far_share, self.far, self.far_radius)
        image, radius, *behind = (plane.reshape(-1) for plane in (self.linear, self.radius, *far))
        found = (image, radius, self.tops.view(), *behind, self.far_tops.view())
        for plane in found:
            plane.setflags(write=False)
        return Pixels(*found)


@kernel(reads(f32, 2), i64, i64, writes(f32, 2))
def _largest(radius, start, stop, tops):  # type: ignore[no-untyped-def]
    """Write the largest radius of the squares in rows [start, stop) of squares."""
    height, width = radius.shape
    line = np.empty(width, np.float32)
    for j in range(start, stop):
        line[:] = np.float32(-LARGEST_RADIUS_PX)
        for y in range(j * SQUARE_PX, min((j + 1) * SQUARE_PX, height)):
            row = radius[y]
            for x in range(width):
                line[x] = max(line[x], row[x])
        for i in range(tops.shape[1]):
            tops[j, i] = largest_of(line[i * SQUARE_PX : (i + 1) * SQUARE_PX])


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
    check_radius(stage, radius, signed=signed)
    if radius.shape != linear.shape[:2]:
        raise ValueError(
            f"{stage}: radius must have the size of linear, {linear.shape[:2]}; got {radius.shape}"
        )
    return RenderInput.of(linear, radius)


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
