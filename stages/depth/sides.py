"""Both sides of the focus: outlines of depth as steps, and what is in front laid over the rest."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stages.bokeh.foreground import NEARER
from stages.bokeh.surfaces import Surfaces
from stages.depth.maps import DepthParams, SignedBlur, shape_of
from stages.grid import BlurMap, DenseBlur, Grid, interpolate, lift
from stages.kinds import LinearLight, Mask, Radius
from stages.params import Array
from stages.strips import run_strips

MEDIAN_SAMPLES = 5  # side of the window of the median
LEAST_JUMP_PX = 0.75  # change of sigma within a few samples that is no surface
LEAST_CONTRAST = 0.2  # the same relative to the largest sigma there
LEAST_FRONT_PX = 1.5  # sigma up to which nothing is in front: what is nearly in focus hides nothing


def sided_blur(wished: SignedBlur, params: DepthParams) -> SignedBlur:
    """Wished blur with steps for outlines: near a jump, samples take the value of the closer side.

    The outlines of depth maps are soft. Between a blurred foreground and a blurred background, blur
    even passes through 0 there, which would be rendered as a line in focus. Single samples that
    differ from all around are removed by a median.

    Parameters
    ----------
    wished : BlurMap
        Signed blur on cells over the picture, px.
    params : DepthParams
        `outline_samples`.

    Returns
    -------
    BlurMap
        Signed blur on the same cells.
    """
    sigma = cv2.medianBlur(wished.sigma, MEDIAN_SAMPLES)
    window = np.ones((2 * params.outline_samples + 1,) * 2, np.uint8)
    low, high = cv2.erode(sigma, window), cv2.dilate(sigma, window)
    limit = np.float32(LEAST_CONTRAST) * np.maximum(high, -low)
    jump = high - low > np.maximum(limit, np.float32(LEAST_JUMP_PX))
    side = np.where(sigma - low < high - sigma, low, high)
    return BlurMap(np.where(jump, side, sigma), wished.confidence, wished.grid)


def blur_behind(sided: SignedBlur, linear: LinearLight) -> DenseBlur:
    """Blur behind the focus at full resolution; it continues behind what is in front.

    Parameters
    ----------
    sided : BlurMap
        Signed blur on cells over the picture, px.
    linear : Array
        The picture, HxWx3; only its size is used.

    Returns
    -------
    BlurMap
        Sigma >= 0 in px. Cells in front of the focus have the value of the closest other one.
    """
    return _one_side(sided, ~_is_front(sided), linear)


def blur_in_front(sided: SignedBlur, linear: LinearLight) -> DenseBlur:
    """Magnitude of the blur in front of the focus, as `blur_behind`; 0 if nothing is there.

    Parameters
    ----------
    sided, linear
        As for `blur_behind`.
    """
    return _one_side(sided, _is_front(sided), linear)


def _is_front(sided: BlurMap) -> npt.NDArray[np.bool_]:
    """Cells clearly in front of the focus."""
    return np.asarray(sided.sigma < -LEAST_FRONT_PX)


def _one_side(sided: BlurMap, own: npt.NDArray[np.bool_], linear: Array) -> BlurMap:
    """Magnitude of the blur of some cells, continued to all others, at full resolution."""
    full, sigma = Grid(shape_of(linear)), np.abs(sided.sigma)
    if not own.any():
        return BlurMap(np.zeros(full.shape, np.float32), np.ones(full.shape, np.float32), full)
    if not own.all():
        sigma = _continued(sigma, own)
    return lift(BlurMap(sigma, sided.confidence, sided.grid), full)


def _continued(plane: Array, own: npt.NDArray[np.bool_]) -> Array:
    """A plane whose other samples have the value of the closest own one."""
    _, label = cv2.distanceTransformWithLabels(
        (~own).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    values = np.zeros(int(label.max()) + 1, np.float32)
    values[label[own]] = plane[own]
    return np.asarray(values[label], np.float32)


def in_front(sided: SignedBlur, linear: LinearLight) -> Mask:
    """Mask of what is clearly in front of the focus, HxW in [0, 1].

    Surfaces just before the focus are nearly sharp. As part of a foreground, they would be missing
    behind the blurred edges of what is nearer still.

    Parameters
    ----------
    sided, linear
        As for `blur_behind`.
    """
    return interpolate(_is_front(sided).astype(np.float32), sided.grid, Grid(shape_of(linear)))


def lay_in_front(surfaces: Surfaces, radius: Radius, mask: Mask) -> Surfaces:
    """Surfaces behind the focus, with what is in front of it laid over them.

    Parameters
    ----------
    surfaces : Surfaces
        Surfaces behind the focus, which continue behind what is in front.
    radius : Array
        Radius of what is in front, px, HxW float32, >= 0.
    mask : Array
        HxW float32 in [0, 1]; above 1/2 something is in front.

    Returns
    -------
    Surfaces
        Pixels in front have one surface, with a negative radius.
    """
    if not mask.max() > NEARER:
        return surfaces
    planes = surfaces if surfaces.has_outlines else surfaces[:1]
    near, *far = (np.empty_like(plane) for plane in planes)

    def strip(a: int, b: int) -> None:
        front = mask[a:b] > NEARER
        near[a:b] = np.where(front, -radius[a:b], surfaces.near[a:b])
        for plane, out in zip(planes[1:], far, strict=True):
            behind = ~front if plane.ndim == 2 else ~front[..., None]
            np.multiply(plane[a:b], behind, out=out[a:b])

    run_strips(strip, len(near))
    return Surfaces(near, *far) if far else Surfaces.single(near)


def either_mask(mask: Mask, foreground: Mask | None) -> Mask:
    """Mask of what is in front by depth or by a person.

    Parameters
    ----------
    mask : Array
        By depth, HxW float32 in [0, 1].
    foreground : Array or None
        By a person, of the same shape and range.
    """
    return mask if foreground is None else np.asarray(np.maximum(mask, foreground), np.float32)


def radius_behind(radius: Radius, mask: Mask) -> Radius:
    """Radius behind what is in front of the focus, where it continues.

    Parameters
    ----------
    radius : Array
        Radius of every pixel, px, HxW float32, >= 0.
    mask : Array
        HxW float32 in [0, 1]; above 1/2 something is in front.

    Returns
    -------
    Array
        Pixels in front have the radius of the closest other pixel.
    """
    front = mask > NEARER
    if not front.any() or front.all():
        return radius
    return _continued(radius, ~front)
