"""Foreground: pixels in front of the focus, and the background that they hide.

Blur alone does not distinguish near from far. Without a mask, everything blurred is treated as
farther than the focus, which is correct for most photographs with a subject. A mask marks pixels
that are nearer.

A blurred foreground is partly transparent, and the background behind it is not in the picture. It
is filled smoothly from the surroundings by a push-pull pyramid (Gortler et al. 1996, "The
Lumigraph"): known pixels are averaged over coarser and coarser levels until every cell has a value.
The levels are then upsampled, and each fills the unknown cells of the next finer one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from stages.bokeh.checks import check_radius
from stages.bokeh.disk import FOCUS_PX
from stages.bokeh.enlarge import TILE_ROWS
from stages.bokeh.surfaces import Surfaces
from stages.grid import Grid
from stages.kernels import f32, i64, kernel, reads, writes
from stages.kinds import Mask, Radius
from stages.params import Array
from stages.strips import run_strips

NEARER = 0.5  # mask value above which a pixel is in front of the focus


def mark_foreground(radius: Radius, foreground: Mask | None) -> Radius:
    """Negate the radius of pixels in front of the focus, as `render_bokeh` expects it.

    Parameters
    ----------
    radius : Array
        Disk radius in px, HxW float32, >= 0.
    foreground : Array or None
        Mask, HxW float32 in [0, 1]: 1 for pixels nearer than the focus. None: no such pixels.

    Returns
    -------
    Array
        Signed radius in px, HxW float32.

    Raises
    ------
    ValueError
        If there is a mask, and it or `radius` has the wrong shape, type or range.
    """
    if foreground is None:
        return radius
    check_radius("foreground", radius)
    if foreground.shape != radius.shape or foreground.dtype != np.float32:
        raise ValueError(
            f"foreground: mask must be {radius.shape} float32; "
            f"got {foreground.shape} {foreground.dtype}"
        )
    return np.where(foreground > NEARER, -radius, radius)


def bring_forward(surfaces: Surfaces, foreground: Mask | None) -> Surfaces:
    """Mark surfaces in front of the focus; pixels there have no far surface.

    Parameters
    ----------
    surfaces : Surfaces
        Radii in px, and the far surface along outlines.
    foreground : Array or None
        As for `mark_foreground`.

    Returns
    -------
    Surfaces
        With signed radii.
    """
    if foreground is None:
        return surfaces
    near = mark_foreground(surfaces.near, foreground)
    if not surfaces.has_outlines:
        return Surfaces.single(near)
    behind = foreground <= NEARER
    return Surfaces(
        near, surfaces.far * behind, surfaces.far_share * behind,
        surfaces.far_light * behind[..., None],
    )  # fmt: skip


class Continued(NamedTuple):
    """A foreground beyond the borders of its picture.

    Attributes
    ----------
    linear : Array
        Linear light, (H + 2 margin) x (W + 2 margin) x 3 float32.
    radius : Array
        Radius of the same size, >= 0 in front of the focus.
    margin : int
        Pixels on each side; a multiple of the height of a tile, and 0 if it is not needed.
    """

    linear: Array
    radius: Array
    margin: int

    def inside(self, plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The part of a continued plane that is the picture."""
        m = self.margin
        return plane[m:-m, m:-m] if m else plane


def continued(linear: Array, radius: Array) -> Continued:
    """Continue a foreground that touches the borders of a picture beyond them.

    Without it, the light that enters the picture from outside is missing, and the foreground fades
    into the background along the borders.

    Parameters
    ----------
    linear : Array
        Linear light, HxWx3 float32.
    radius : Array
        Radius, HxW float32, negative in front of the focus.

    Returns
    -------
    Continued
        The outermost pixels are repeated, as far as the largest disk at the borders reaches. The
        sign of the radius is that of what is in front.
    """
    front = -radius
    borders = (front[0], front[-1], front[:, 0], front[:, -1])
    reach = max(float(line.max()) for line in borders)
    if reach <= FOCUS_PX:
        return Continued(linear, front, 0)
    margin = -(-int(np.ceil(reach) + 1) // TILE_ROWS) * TILE_ROWS
    light, disks = (
        np.asarray(cv2.copyMakeBorder(plane, *4 * (margin,), cv2.BORDER_REPLICATE), np.float32)
        for plane in (linear, front)
    )
    return Continued(light, disks, margin)


def fill_unseen(out: Array, linear: Array) -> None:
    """Fill NaN pixels from their surroundings by a push-pull pyramid, in place.

    Parameters
    ----------
    out : Array
        Linear light, HxWx3 float32; unknown pixels are NaN, and are filled.
    linear : Array
        Linear light of the picture, HxWx3 float32; copied if no pixel of `out` is known.

    Notes
    -----
    The pyramid needs about 6 bytes per pixel.
    """
    known = np.empty((*Grid.cells(out.shape[:2], 2).shape, 4), np.float32)
    run_strips(lambda y0, y1: _average_known(out, y0, y1, known), len(known))
    levels = [known]
    while levels[-1][..., 3].min() == 0 and max(levels[-1].shape[:2]) > 1:
        rows, cols = Grid.cells(levels[-1].shape[:2], 2).shape
        halved = cv2.resize(levels[-1], (cols, rows), interpolation=cv2.INTER_AREA)
        levels.append(np.asarray(halved, np.float32).reshape(rows, cols, 4))
    if levels[-1][..., 3].min() == 0:
        np.copyto(out, linear)
        return
    fill = levels[-1][..., :3] / levels[-1][..., 3:]
    for level in levels[-2::-1]:
        size = level.shape[1::-1]
        fill = cv2.resize(fill, size, interpolation=cv2.INTER_LINEAR).reshape(*level.shape[:2], 3)
        fill = level[..., :3] + (1 - level[..., 3:]) * fill
    smooth = np.ascontiguousarray(fill, np.float32)
    run_strips(lambda y0, y1: _fill_in(smooth, y0, y1, out), len(out))


@kernel(reads(f32, 3), i64, i64, writes(f32, 3), seldom=True)
def _average_known(picture, start, stop, out):  # type: ignore[no-untyped-def]
    """Write sum of the known light / 4 and known fraction of each 2 x 2 pixels."""
    height, width = picture.shape[0], picture.shape[1]
    quarter = np.float32(0.25)
    for y in range(start, stop):
        for x in range(out.shape[1]):
            out[y, x, :] = np.float32(0)
            for k in range(4):
                j, i = min(2 * y + k // 2, height - 1), min(2 * x + k % 2, width - 1)
                if not np.isnan(picture[j, i, 0]):
                    for p in range(3):
                        out[y, x, p] += quarter * picture[j, i, p]
                    out[y, x, 3] += quarter


@kernel(reads(f32, 3), i64, i64, writes(f32, 3), seldom=True)
def _fill_in(fill, start, stop, out):  # type: ignore[no-untyped-def]
    """Write the fill, bilinearly upsampled by two, to unknown pixels."""
    near, far = np.float32(0.75), np.float32(0.25)
    last_row, last_col = fill.shape[0] - 1, fill.shape[1] - 1
    for y in range(start, stop):
        beyond_y = min(max(y // 2 + 2 * (y % 2) - 1, 0), last_row)
        for x in range(out.shape[1]):
            if np.isnan(out[y, x, 0]):
                beyond_x = min(max(x // 2 + 2 * (x % 2) - 1, 0), last_col)
                for p in range(3):
                    upper = near * fill[y // 2, x // 2, p] + far * fill[y // 2, beyond_x, p]
                    lower = near * fill[beyond_y, x // 2, p] + far * fill[beyond_y, beyond_x, p]
                    out[y, x, p] = near * upper + far * lower
