"""Transition resolve: soft outlines of a radius map become steps again.

Guided filters and matting blend the radii of subject and background over a few pixels. Rendered as
they are, the pixels in between spread subject colour as a glow. Where the radius changes by more
within a window than a slanted surface would, each pixel goes towards the window's smallest or
largest radius, whichever is nearer. How far it goes depends on how sure that is: near either end,
or where the radius changes within less than the window. A slope that goes on beyond the window has
no outline in it; to choose an end in its middle would draw one, and a ragged one. Slants, steps and
constants stay as they are.

A map that was upsampled along a guide has the grain of it. Outlines are told without that grain, or
they would fray; and specks of a little radius beside an outline are taken off.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stages.bokeh.checks import check_radius
from stages.grid import Grid
from stages.kernels import f32, i64, inline, kernel, reads, writes
from stages.kinds import Radius
from stages.params import Array, Params, param
from stages.strips import STRIP_ROWS, run_strips, with_halo

ENDS = (0.4, 0.7)  # 0 in the middle of a window's radii, 1 at their ends: unsure .. sure
STEEPER = (1.1, 1.4)  # slope, as a multiple of one that takes the window: unsure .. sure
SPAN_COLS = 256  # columns that are passed over at once where they have no outline
HALF = 2  # the step for which the window is given

Bits = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveParams(Params):
    """Parameters of the transition resolve."""

    window_radius_px: int = param(
        5,
        1,
        32,
        unit="px",
        help="Half the width of the soft outlines that are resolved, for a map upsampled by 2.",
    )
    steepest_surface: float = param(
        0.35, 0.05, 2.0, help="Change of radius per px up to which a slope is a surface."
    )
    least_contrast: float = param(
        0.35, 0.05, 1.0, help="Change, as a part of the largest radius near, that makes an outline."
    )
    largest_speck: float = param(
        0.75, 0.0, 4.0, unit="px",
        help="Radius up to which specks are taken off beside an outline, per step of the map.",
    )  # fmt: skip


def resolve_transitions(radius: Radius, params: ResolveParams) -> Radius:
    """Snap soft outlines in a radius map to the radius on either side.

    Parameters
    ----------
    radius : Array
        Disk radius in px, HxW float32, >= 0.
    params : ResolveParams
        Window and thresholds.

    Returns
    -------
    Array
        Resolved radius, HxW float32.

    Raises
    ------
    ValueError
        If `radius` is not a map of radii.
    """
    return _resolve(radius, params.window_radius_px, params)


def resolve_upsampled(radius: Radius, cells: Grid, params: ResolveParams) -> Radius:
    """Resolve a radius whose map was upsampled: each px of a coarser step softens outlines by one.

    What is behind would shine through each speck.

    Parameters
    ----------
    radius, params
        As for `resolve_transitions`.
    cells : Grid
        Grid of the map before upsampling.

    Returns
    -------
    Array
        Resolved radius, HxW float32.
    """
    reach = params.window_radius_px + max(cells.step - HALF, 0)
    return _resolve(radius, reach, params, cells.step)


def resolve_shown(radius: Radius, view: Grid, params: ResolveParams) -> Radius:
    """Resolve a radius on the grid of a preview, whose detail is that of 2 x 2 pixels of a view.

    Specks that are sharp to it are taken off.

    Parameters
    ----------
    radius, params
        As for `resolve_transitions`.
    view : Grid
        Grid of the view.

    Returns
    -------
    Array
        Resolved radius, HxW float32.
    """
    return _resolve(radius, params.window_radius_px, params, 2 * view.step)


def _resolve(radius: Array, reach: int, params: ResolveParams, step: float = 0.0) -> Array:
    """Resolve; `step` is that of the map before upsampling, 0 where it was not."""
    check_radius("resolve", radius)
    size = 2 * reach + 1
    window = np.ones((size, size), np.uint8)
    grain, speck_px = (int(step) | 1,) * 2, params.largest_speck * step
    surface, contrast = params.steepest_surface * size, params.least_contrast
    disks = np.ascontiguousarray(radius)
    height, width = radius.shape
    out = np.empty((height, width), np.float32)

    def strip(start: int, stop: int) -> None:
        rows, own_rows = with_halo(start, stop, 2 * reach, height)
        for left in range(0, width, SPAN_COLS):
            right = min(left + SPAN_COLS, width)
            cols, own_cols = with_halo(left, right, 2 * reach, width)
            least, most = cv2.minMaxLoc(disks[rows, cols])[:2]
            if most - least <= max(surface, contrast * least):  # no window has an outline
                out[start:stop, left:right] = disks[start:stop, left:right]
                continue
            near = np.ascontiguousarray(disks[rows, cols])
            low, high = cv2.erode(near, window), cv2.dilate(near, window)
            level = cv2.blur(near, grain)
            small = _opened(low, window, speck_px) if least < speck_px else near
            place = np.array([start, stop, left, right, own_rows.start, own_cols.start])
            _snap(near, level, small, low, high, speck_px, surface, contrast, 2 * reach, place, out)

    run_strips(strip, height, 2 * STRIP_ROWS)
    return out


def _opened(low: Array, window: Bits, most: float) -> Array:
    """Radii up to a largest one without specks narrower than a window, and without their edges.

    `low` are the least radii in windows.
    """
    opened = cv2.dilate(cv2.threshold(low, most, 0, cv2.THRESH_TRUNC)[1], window)
    return np.asarray(cv2.min(opened, cv2.blur(opened, window.shape)), np.float32)


@inline
def _slope(plane, y, x):  # type: ignore[no-untyped-def]
    """Change per pixel, from central differences."""
    rows, cols = plane.shape
    dy = plane[min(y + 1, rows - 1), x] - plane[max(y - 1, 0), x]
    dx = plane[y, min(x + 1, cols - 1)] - plane[y, max(x - 1, 0)]
    return np.float32(0.5) * np.sqrt(dx * dx + dy * dy)


@inline
def _ramp(value, limits):  # type: ignore[no-untyped-def]
    """From 0 at the first limit to 1 at the second, not cut off."""
    return (value - np.float32(limits[0])) / np.float32(limits[1] - limits[0])


@kernel(
    reads(f32, 2), reads(f32, 2), reads(f32, 2), reads(f32, 2), reads(f32, 2), f32, f32, f32, f32,
    reads(i64, 1), writes(f32, 2),
    seldom=True,
)  # fmt: skip
def _snap(radius, level, small, low, high, speck, surface, contrast, across, place, out):  # type: ignore[no-untyped-def]
    """Go to the nearer of the window's extremes as far as it is sure that there is an outline.

    All are of a part of the picture; `level` is the radius without grain, and `small` what radii
    below `speck` become. `place` are the rows and columns of `out` to write, and the first row and
    column of these in the part.
    """
    top, bottom, left, right, first, begin = place
    for y in range(top, bottom):
        for x in range(left, right):
            j, i = first + y - top, begin + x - left
            r, near, far = radius[j, i], low[j, i], high[j, i]
            r = small[j, i] if r < speck else r
            span, least = far - near, max(surface, contrast * far)
            out[y, x] = r
            if span > least:
                ends = abs(2 * (level[j, i] - near) / span - 1)
                steeper = _slope(level, j, i) * across / span
                sure = min(max(_ramp(ends, ENDS), _ramp(steeper, STEEPER), np.float32(0)), 1)
                sure *= min((span - least) / least, 1)
                snapped = near if level[j, i] - near <= far - level[j, i] else far
                out[y, x] = r + sure * (snapped - r)
