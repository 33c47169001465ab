"""Masks that a person paints, from files and arrays."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from camerapipe.errors import CaptureError, RequestError
from camerapipe.ingest import read_mask
from stages.bokeh.foreground import NEARER
from stages.params import Array
from stages.protection import INSIDE

MaskLike = npt.NDArray[Any] | str | os.PathLike[str]


def given_mask(
    name: str,
    value: MaskLike | None,
    shape: tuple[int, int],
    read: Callable[[Path, tuple[int, int]], Array],
) -> Array | None:
    """Mask of an argument: an array HxW (not 0 inside) as 0 and 1, or a file by `read`.

    Parameters
    ----------
    name : str
        What messages call the argument.
    value : array, path or None
        The argument; None stays None.
    shape : (int, int)
        Rows and columns of the picture.
    read : callable
        `read_foreground` or `read_subject`.

    Returns
    -------
    Array or None
        HxW float32 in [0, 1].

    Raises
    ------
    RequestError
        If the argument is something else.
    CaptureError
        If the file is no such mask.
    """
    if value is None:
        return None
    if isinstance(value, str | os.PathLike):
        return read(Path(value), shape)
    return (_plane(name, value) > 0).astype(np.float32)


def unit_mask(name: str, value: npt.NDArray[Any] | None) -> Array | None:
    """Mask of a request as float32: floats in [0, 1] stay, of other arrays what is not 0 is 1."""
    if value is None:
        return None
    mask = _plane(name, value)
    return np.asarray(mask if mask.dtype.kind == "f" else mask > 0, np.float32)


def _plane(name: str, value: Any) -> npt.NDArray[Any]:
    """An argument as an array HxW; `RequestError` if it is none."""
    mask = np.asarray(value)
    if mask.ndim != 2 or mask.dtype.kind not in "biuf":
        raise RequestError(
            f"{name}: expected the path of a grey picture, or an array HxW of numbers or bools; "
            f"got {type(value).__name__} of shape {mask.shape}"
        )
    return mask


def read_foreground(path: Path, shape: tuple[int, int]) -> Array:
    """Read a mask of what is nearer than the focus, resized to a picture of this shape.

    Parameters
    ----------
    path : Path
        A grey picture, white where something is nearer.
    shape : (int, int)
        Rows and columns of the picture; the mask has its aspect ratio.

    Returns
    -------
    Array
        HxW float32 in [0, 1].

    Raises
    ------
    CaptureError
        If the file cannot be read, has colours, or is black or white everywhere.
    """
    mask = read_mask(path, shape)
    in_front = mask > NEARER
    if in_front.all() or not in_front.any():
        colour = "white" if in_front.any() else "black"
        raise CaptureError(
            f"{path}: is no mask of a foreground: it is {colour} everywhere; paint what is nearer "
            "than the focus white, and all else black"
        )
    return mask


def read_subject(path: Path, shape: tuple[int, int]) -> Array:
    """Read a mask of what is to stay sharp, as `read_foreground`; it may be white everywhere."""
    mask = read_mask(path, shape)
    if not (mask > INSIDE).any():
        raise CaptureError(
            f"{path}: is no mask of a subject: it is black everywhere; paint what is to stay sharp "
            "white"
        )
    return mask
