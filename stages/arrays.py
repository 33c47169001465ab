"""Checks of arrays, and filters that several stages use."""

from __future__ import annotations

import math
import mmap
from contextlib import suppress
from typing import Annotated

import cv2
import numpy as np
import numpy.typing as npt

from stages.kinds import Like
from stages.params import Array
from stages.strips import run_strips

LUMA_WEIGHTS = np.array([0.2126, 0.7152, 0.0722], np.float32)  # Rec. 709 primaries

LARGE_BYTES = 48 << 20  # from this size on, unwritten parts of an array are worth to be saved

# Keys' cubic (a = -1/2), stretched by two: its values at -1.5, -1, ... 1.5, halved.
BICUBIC_TAPS = np.array([-1, 0, 9, 16, 9, 0, -1], np.float32) / 32


def check_image(
    stage: str, name: str, image: npt.NDArray[np.generic], channels: int = 3, *, finite: bool = True
) -> None:
    """Check that an array is a float32 picture of at least one pixel.

    Parameters
    ----------
    stage, name : str
        Stage and argument, for the message.
    image : array
        HxWxC, or HxW for one channel.
    channels : int
        Expected number of channels.
    finite : bool
        Whether all values must be finite.

    Raises
    ------
    ValueError
        If it is not; the message names stage and argument, what was expected, and what was given.
    """
    dims = 2 if channels == 1 else 3
    shaped = image.ndim == dims and (channels == 1 or image.shape[2] == channels)
    if not shaped or image.dtype != np.float32 or image.size == 0:
        wanted = "HxW float32" if channels == 1 else f"HxWx{channels} float32"
        raise ValueError(f"{stage}: {name} must be {wanted}; got {image.shape} {image.dtype}")
    if not finite:
        return  # the caller has checked the values before, or checks them later
    sums = run_strips(lambda start, stop: image[start:stop].sum(), len(image))
    if not np.isfinite(sums).all():
        raise ValueError(f"{stage}: {name} has values that are not finite (NaN or infinite)")


def lazy_zeros(shape: tuple[int, ...], *, dense: bool = False) -> Array:
    """Array of zeros whose pages take memory only once they are written.

    It is for large arrays of which a small part is written. `np.zeros` clears all of an array if
    the process keeps freed memory (`camerapipe.runtime.configure`).

    Parameters
    ----------
    shape : tuple of int
        Shape, with at least one value.
    dense : bool
        Whether most of it will be written. It then takes memory in larger pieces (on Linux), which
        takes a fifth of the time.

    Returns
    -------
    Array
        Zeros, float32, C-contiguous, of that shape.
    """
    size = 4 * math.prod(shape)
    if hasattr(mmap, "MAP_ANONYMOUS"):  # otherwise, as on Windows, a mapping is lazy as it is
        pages = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    else:
        pages = mmap.mmap(-1, size)
    if dense and hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a system without huge pages
            pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, np.float32).reshape(shape)


def lazy_empty(size: int) -> Array:
    """Uninitialised array of which parts may never be written, 1-D float32.

    Large parts of this kind take no memory if the array is large. Small arrays come from the usual
    heap, since a stream reuses the memory of the frame before.

    Parameters
    ----------
    size : int
        Number of values.

    Returns
    -------
    Array
        `size` float32.
    """
    return (
        lazy_zeros((size,), dense=True) if 4 * size >= LARGE_BYTES else np.empty(size, np.float32)
    )


def luma(encoded: Array) -> Array:
    """Luma 0.2126 R + 0.7152 G + 0.0722 B.

    Parameters
    ----------
    encoded : Array
        Display-encoded picture, HxWx3 float32.

    Returns
    -------
    Array
        HxW float32.
    """
    return np.asarray(cv2.transform(encoded, LUMA_WEIGHTS[None, :]), np.float32).reshape(
        encoded.shape[:2]
    )


def box_mean(plane: npt.NDArray[np.floating], radius: int) -> npt.NDArray[np.floating]:
    """Mean over the window of (2 radius + 1)^2 pixels around each pixel.

    Parameters
    ----------
    plane : array of float
        HxW or HxWxC. It is 0 outside of the picture, and the divisor is the full window everywhere.
    radius : int
        px.

    Returns
    -------
    array of float
        Means, of the same shape and dtype.
    """
    size = (2 * radius + 1, 2 * radius + 1)
    out = cv2.boxFilter(plane, -1, size, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(out).reshape(plane.shape)


def reduce_by(image: Array, step: int) -> Array:
    """Reduce a picture by area averaging.

    Parameters
    ----------
    image : Array
        HxW or HxWxC float32.
    step : int
        Side of a cell, px.

    Returns
    -------
    Array
        Means of step x step cells, ceil(H / step) x ceil(W / step) float32; `image` itself if the
        step is 1. If the border cuts the last cell, the last row or column is repeated to fill it.
    """
    if step == 1:
        return image
    rows, cols = (-(-n // step) for n in image.shape[:2])
    # For a step of 2, linear interpolation gives the same means, and is faster for colours.
    method = cv2.INTER_LINEAR if step == 2 and image.ndim == 3 else cv2.INTER_AREA
    whole = image.shape[0] // step, image.shape[1] // step
    pad_y, pad_x = rows * step - image.shape[0], cols * step - image.shape[1]
    if not (pad_y or pad_x):
        means = cv2.resize(image, (cols, rows), interpolation=method)
        return np.asarray(means, np.float32).reshape(rows, cols, *image.shape[2:])
    small = np.empty((rows, cols, *image.shape[2:]), np.float32)

    def reduce(cells: Array, out: Array) -> None:
        means = cv2.resize(cells, out.shape[1::-1], interpolation=method)
        out[...] = np.reshape(means, out.shape)

    if whole[0] and whole[1]:
        reduce(image[: whole[0] * step, : whole[1] * step], small[: whole[0], : whole[1]])
    if pad_y:  # only cut cells are padded; padding the picture would copy it
        cut = image[whole[0] * step :]
        reduce(cv2.copyMakeBorder(cut, 0, pad_y, 0, pad_x, cv2.BORDER_REPLICATE), small[whole[0] :])
    if pad_x and whole[0]:
        cut = image[: whole[0] * step, whole[1] * step :]
        border = cv2.copyMakeBorder(cut, 0, 0, 0, pad_x, cv2.BORDER_REPLICATE)
        reduce(border, small[: whole[0], whole[1] :])
    return small


def reduce_bicubic(
    image: Array, border: int = cv2.BORDER_REPLICATE
) -> Annotated[Array, Like("image")]:
    """Reduce a picture by two with an antialiasing bicubic kernel.

    Parameters
    ----------
    image : Array
        HxW or HxWxC float32.
    border : int
        OpenCV's border rule (`cv2.BORDER_CONSTANT`: zeros).

    Returns
    -------
    Array
        Samples at the even rows and columns. Values may overshoot beside edges.
    """
    smooth = cv2.sepFilter2D(image, -1, BICUBIC_TAPS, BICUBIC_TAPS, borderType=border)
    return np.ascontiguousarray(smooth[::2, ::2])
