"""Transition resolve: soft outlines of a radius map become steps again.

Guided filters and matting blend the radii of subject and background over a few pixels. Rendered as
they are, the pixels in between spread subject colour as a glow. Where the radius changes by more
within a window than a slanted surface would, each pixel takes the window's smallest or largest
radius, whichever is nearer. Slants, steps and constants stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stages.bokeh.checks import check_radius
from stages.grid import BlurMap
from stages.kernels import f32, kernel, reads, writes
from stages.params import Array, Params, param
from stages.strips import STRIP_ROWS, run_strips, with_halo

HALF = 2  # the step for which the window is given


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


def resolve_transitions(radius: Array, params: ResolveParams) -> Array:
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


def resolve_upsampled(radius: Array, source: BlurMap, params: ResolveParams) -> Array:
    """Resolve a radius whose map was upsampled: each px of a coarser step softens outlines by one.

    Parameters, return value and errors are those of `resolve_transitions`, and `source` is the map
    before upsampling.
    """
    reach = params.window_radius_px + max(source.grid.step - HALF, 0)
    return _resolve(radius, reach, params)


def _resolve(radius: Array, reach: int, params: ResolveParams) -> Array:
    check_radius("resolve", radius)
    size = 2 * reach + 1
    window = np.ones((size, size), np.uint8)
    out = np.empty(radius.shape, np.float32)
    surface, contrast = params.steepest_surface * size, params.least_contrast
    disks = np.ascontiguousarray(radius)

    def strip(start: int, stop: int) -> None:
        rows, own = with_halo(start, stop, reach, len(out))
        low, high = (extreme(disks[rows], window)[own] for extreme in (cv2.erode, cv2.dilate))
        _snap(disks[start:stop], low, high, surface, contrast, out[start:stop])

    run_strips(strip, len(out), 2 * STRIP_ROWS)
    return out


@kernel(reads(f32, 2), reads(f32, 2), reads(f32, 2), f32, f32, writes(f32, 2))
def _snap(radius, low, high, surface, contrast, out):  # type: ignore[no-untyped-def]
    """Take the nearer of the window's extremes wherever they differ too much for a surface."""
    for y in range(radius.shape[0]):
        for x in range(radius.shape[1]):
            r, near, far = radius[y, x], low[y, x], high[y, x]
            outline = far - near > max(surface, contrast * far)
            snapped = near if r - near <= far - r else far
            out[y, x] = snapped if outline else r
