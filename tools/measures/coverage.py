"""How much of a subject a picture still shows, by projection on its known colours.

Where a subject of colour F covers a ground of colour B by alpha, the picture shows
I = alpha F + (1 - alpha) B, and (I - B).(F - B) / |F - B|^2 gives alpha back. Colours are
display-encoded, as people see them: the same projection of the true photograph is the truth, so
that encoding and clipping count in both alike.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from measures.scores import Mask
from stages.params import Array

LEAST_CONTRAST = 0.2  # norm of F - B from which on coverage can be told
SUBJECT = 0.5  # true coverage from which on a pixel is the subject's
LOST = 0.5  # error of coverage from which on a pixel is eaten, or stuck to the ground


class Coverage(NamedTuple):
    """Share of the subject's pixels that are lost; error on strands over that of a hard step."""

    eaten: float
    strands_sad: float


def projected(image: Array, near: Array, far: Array) -> Array:
    """Coverage HxW in [0, 1] of a picture whose two colours are known; NaN where these agree.

    Parameters
    ----------
    image, near, far : Array
        The picture, the subject's colour and the ground's, HxWx3.
    """
    towards = near - far
    contrast = np.square(towards).sum(axis=2)
    alpha = ((image - far) * towards).sum(axis=2) / np.maximum(contrast, 1e-12)
    return np.where(contrast > LEAST_CONTRAST**2, np.clip(alpha, 0, 1), np.nan).astype(np.float32)


def coverage(image: Array, truth: Array, near: Array, far: Array, strands: Mask) -> Coverage:
    """Compare the coverage that a picture shows with the true one.

    Parameters
    ----------
    image, truth, near, far : Array
        The picture, the true photograph, the subject's colour and the ground's, HxWx3.
    strands : array of bool
        Pixels at hairs, HxW.
    """
    got, true = (projected(picture, near, far) for picture in (image, truth))
    error, known = np.abs(got - true), np.isfinite(true)
    subject, hairs = known & (true >= SUBJECT), known & strands
    step = np.abs((true >= SUBJECT) - true)[hairs].sum()
    return Coverage(
        eaten=float(np.mean(error[subject] > LOST)) if subject.any() else float("nan"),
        strands_sad=float(error[hairs].sum() / step) if step > 0 else float("nan"),
    )
