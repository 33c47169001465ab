"""Blur at edges from the second derivative: Elder and Zucker (1998), as Bae and Durand modified it.

Derivatives are measured at the smallest scale at which they can be told from noise. At that scale
s_1 the gradient gives the direction of an edge, and at s_2 the second derivative along this
direction changes its sign at the edge. For a step of amplitude A with Gaussian blur sigma it is

    r(x) = -A x / (sqrt(2 pi) s^3) exp(-x^2 / (2 s^2)),      s^2 = sigma^2 + s_2^2.

Elder and Zucker take s from the distance 2 s of the two extremes. Noise and neighbouring edges
move the extremes, so Bae and Durand (2007) fit r(x) for many s to the samples across the edge, over
a window that is proportional to s, and take the best. The method is for comparison.

Values are luma of a display-encoded view in [0, 1]; blur is in pixels of the view.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt
from scipy.special import erfinv

from stages.arrays import luma
from stages.blur.alone import EdgeCandidates
from stages.blur.edges import STRONG
from stages.blur.gradients import gradient, smooth
from stages.blur.params import BlurParams
from stages.blur.survey import EdgeSurvey, noise_sigma
from stages.kinds import Encoded
from stages.params import Array

SCALES_PX = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
FALSE_ALARMS = 1e-6  # probability that noise alone gives a derivative anywhere in the picture
LEAST_NOISE = 0.5 / 255  # encoded, of a picture without any
WIDTHS_PER_OCTAVE = 8  # of the models s
WINDOW = 2.0  # half the width of the window of a fit, over s
CHUNK = 1 << 14  # edge pixels that are fitted at a time

Mask = npt.NDArray[np.bool_]


def second_derivative_blur(view: Encoded, found: EdgeSurvey, params: BlurParams) -> EdgeCandidates:
    """Find edges at the smallest reliable scale and fit their second derivative.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1].
    found : EdgeSurvey
        Survey of the view; only its noise is used.
    params : BlurParams
        Only `largest_sigma_px` is used.

    Returns
    -------
    EdgeCandidates
        Edges of the view, all of them strong, with blur in pixels of the view.

    References
    ----------
    Elder and Zucker, Local scale control for edge detection and blur estimation, IEEE PAMI 20
    (1998). Bae and Durand, Defocus magnification, Computer Graphics Forum 26 (2007), section 3.
    """
    plane = luma(view)
    noise = max(noise_sigma(found), LEAST_NOISE)
    along_x, along_y = reliable_direction(plane, noise)
    sign = np.zeros(plane.shape, np.int8)
    scale = np.full(plane.shape, -1, np.int8)
    for index, scale_px in enumerate(SCALES_PX):
        second = second_derivative(plane, scale_px, along_x, along_y)
        reliable = (scale < 0) & (
            np.abs(second) > second_derivative_limit(scale_px, noise, plane.size)
        )
        scale[reliable], sign[reliable] = index, np.sign(second[reliable])
    edges = _sign_changes(sign, along_x, along_y)
    sigma = np.zeros(plane.shape, np.float32)
    for index, scale_px in enumerate(SCALES_PX):
        rows, cols = np.nonzero(edges & (scale == index))
        derivatives = _second_derivatives(plane, scale_px)
        for part in range(0, rows.size, CHUNK):
            y, x = rows[part : part + CHUNK], cols[part : part + CHUNK]
            across = along_x[y, x], along_y[y, x]
            sigma[y, x] = _fitted(derivatives, y, x, across, scale_px, params.largest_sigma_px)
    return EdgeCandidates(sigma, edges * STRONG)


def gradient_limit(scale_px: float, noise: float, pixels: int) -> float:
    """Magnitude of the gradient that noise exceeds nowhere, luma/px (Elder and Zucker, eq. 9)."""
    deviation = noise / (2 * math.sqrt(2 * math.pi) * scale_px**2)
    return deviation * math.sqrt(-2 * math.log(_pointwise(pixels)))


def second_derivative_limit(scale_px: float, noise: float, pixels: int) -> float:
    """Second derivative that noise exceeds nowhere, luma/px^2 (Elder and Zucker, eq. 15)."""
    deviation = noise / (4 * math.sqrt(math.pi / 3) * scale_px**3)
    return deviation * math.sqrt(2) * float(erfinv(1 - 2 * _pointwise(pixels)))


def _pointwise(pixels: int) -> float:
    """Probability of a false alarm at one pixel."""
    return -math.expm1(math.log1p(-FALSE_ALARMS) / pixels)


def reliable_direction(plane: Array, noise: float) -> tuple[Array, Array]:
    """Unit gradient at the smallest scale at which it is reliable; 0 where it never is.

    Parameters
    ----------
    plane : Array
        Luma, HxW float32.
    noise : float
        Standard deviation of its noise.

    Returns
    -------
    Array, Array
        Components along x and y, HxW float32.
    """
    along_x, along_y = np.zeros_like(plane), np.zeros_like(plane)
    for scale_px in SCALES_PX:
        gx, gy = gradient(plane, scale_px)
        size = np.hypot(gx, gy)
        new = (along_x == 0) & (along_y == 0) & (size > gradient_limit(scale_px, noise, plane.size))
        along_x[new], along_y[new] = gx[new] / size[new], gy[new] / size[new]
    return along_x, along_y


def second_derivative(plane: Array, scale_px: float, along_x: Array, along_y: Array) -> Array:
    """Second derivative of a smoothed plane along a direction of each pixel, luma/px^2.

    Parameters
    ----------
    plane : Array
        HxW float32.
    scale_px : float
        Standard deviation of the smoothing.
    along_x, along_y : Array
        Unit directions, HxW.

    Returns
    -------
    Array
        HxW float32.
    """
    xx, xy, yy = _second_derivatives(plane, scale_px)
    return np.asarray(along_x**2 * xx + 2 * along_x * along_y * xy + along_y**2 * yy)


def _second_derivatives(plane: Array, scale_px: float) -> tuple[Array, Array, Array]:
    """Derivatives xx, xy and yy of the smoothed plane, by central differences."""
    smoothed = smooth(plane, scale_px)
    twice = np.array([[1, -2, 1]], np.float32)
    once, border = np.array([-0.5, 0, 0.5], np.float32), cv2.BORDER_REFLECT_101
    return (
        cv2.filter2D(smoothed, -1, twice, borderType=border),
        cv2.sepFilter2D(smoothed, -1, once, once, borderType=border),
        cv2.filter2D(smoothed, -1, twice.T, borderType=border),
    )


def _sign_changes(sign: npt.NDArray[np.int8], along_x: Array, along_y: Array) -> Mask:
    """Pixels on the dark side of an edge: convex, and the next one up the gradient is concave."""
    rows, cols = np.nonzero(sign > 0)
    down = np.rint(along_y[rows, cols]).astype(int)
    right = np.rint(along_x[rows, cols]).astype(int)
    y, x = rows + down, cols + right
    inside = (y >= 0) & (y < sign.shape[0]) & (x >= 0) & (x < sign.shape[1])
    rows, cols, y, x = (each[inside] for each in (rows, cols, y, x))
    edges = np.zeros(sign.shape, bool)
    edges[rows, cols] = sign[y, x] < 0
    return edges


def model_widths(scale_px: float, largest_px: float) -> npt.NDArray[np.float64]:
    """Widths s of the models, from that of a sharp edge to that of the largest blur, px."""
    last = math.hypot(scale_px, largest_px)
    count = math.ceil(WIDTHS_PER_OCTAVE * math.log2(last / scale_px)) + 1
    return np.geomspace(scale_px, last, count)


def _fitted(
    derivatives: tuple[Array, Array, Array],
    rows: npt.NDArray[np.intp],
    cols: npt.NDArray[np.intp],
    across: tuple[Array, Array],
    scale_px: float,
    largest_px: float,
) -> Array:
    """Blur of edge pixels from the best of the models, px; 0 where none resembles the samples."""
    widths = model_widths(scale_px, largest_px)
    reach = math.ceil(WINDOW * widths[-1])
    offsets = np.arange(-reach, reach + 1)
    samples = _samples(derivatives, rows, cols, across, offsets)
    # The edge is between this pixel and the next; its place is where the samples cross zero.
    here, following = samples[:, reach], samples[:, reach + 1]
    gap = np.where(here > following, here - following, 1)
    place = np.clip(here / gap, 0, 1).astype(np.float32)
    alike = np.stack([_likeness(samples, reach, place, width) for width in widths], axis=1)
    best = alike.argmax(axis=1)
    square = widths[best] ** 2 - scale_px**2
    return np.where(alike.max(axis=1) > 0, np.sqrt(square), 0).astype(np.float32)


def _likeness(samples: Array, reach: int, place: Array, width: float) -> Array:
    """Share of the samples in the window of a model that it explains, in [0, 1].

    Samples are at offsets from -reach to reach, and the edge is at `place`. With the best amplitude
    A >= 0 the sum of squares that is left is smaller by (r . m)^2 / m . m.
    """
    near = min(math.ceil(WINDOW * width) + 1, reach)
    samples = samples[:, reach - near : reach + near + 1]
    x = np.arange(-near, near + 1, dtype=np.float32) - place[:, None]
    inside = np.abs(x) <= WINDOW * width
    model = np.where(inside, -x * np.exp(-(x**2) / np.float32(2 * width**2)), 0)
    match = np.maximum(np.sum(model * samples, axis=1), 0)
    energy = np.sum(inside * samples**2, axis=1) * np.sum(model**2, axis=1)
    return np.asarray(match**2 / np.maximum(energy, np.finfo(np.float32).tiny))


def _samples(
    derivatives: tuple[Array, Array, Array],
    rows: npt.NDArray[np.intp],
    cols: npt.NDArray[np.intp],
    across: tuple[Array, Array],
    offsets: npt.NDArray[np.intp],
) -> Array:
    """Second derivative along the gradient of each pixel, at offsets along it: pixels x offsets."""
    step_x, step_y = across
    x = (cols[:, None] + step_x[:, None] * offsets).astype(np.float32)
    y = (rows[:, None] + step_y[:, None] * offsets).astype(np.float32)
    xx, xy, yy = (
        cv2.remap(each, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        for each in derivatives
    )
    along_x, along_y = step_x[:, None], step_y[:, None]
    return np.asarray(along_x**2 * xx + 2 * along_x * along_y * xy + along_y**2 * yy)
