"""Masks that a person paints, from files."""

from __future__ import annotations

from pathlib import Path

from camerapipe.errors import CaptureError
from camerapipe.ingest import read_mask
from stages.bokeh.foreground import NEARER
from stages.params import Array
from stages.protection import INSIDE


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
