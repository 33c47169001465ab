"""A capture from an array in memory: a synthetic scene, a video frame, a notebook."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from camerapipe.capture import Capture
from camerapipe.ingest.hidden import fill_hidden
from camerapipe.ingest.pixels import MAX_LIGHT, as_unit, split, three
from stages.tone import LINEAR, SRGB, linearise

DTYPES = (np.uint8, np.uint16, np.float32, np.float64)
SLACK = 1e-3  # beyond [0, 1]: the rounding of computed pictures; more is another scale


def capture_from_array(
    image: npt.NDArray[Any], encoding: Literal["srgb", "linear"], name: str = "array"
) -> Capture:
    """Take an HxW, HxWx1, HxWx3 (RGB) or HxWx4 (RGB + alpha) array as a capture.

    Integers are codes of full range; floats have 1.0 at display white, and may exceed it where
    `encoding` is "linear". `ValueError` names the array and what is wrong with it.
    """
    if encoding not in ("srgb", "linear"):
        raise ValueError(f"{name}: encoding must be 'srgb' or 'linear'; got {encoding!r}")
    image = image.astype(image.dtype.newbyteorder("="), copy=False)
    _check(image, encoding, name)
    colour, alpha = split(image)
    curve = SRGB if encoding == "srgb" else LINEAR
    if encoding == "linear" and colour.dtype.kind == "f":
        linear = np.maximum(colour, 0).astype(np.float32)
    else:
        codes = as_unit(colour) if colour.dtype.kind == "f" else colour
        linear = linearise(np.ascontiguousarray(codes), curve)
    opacity = None if alpha is None else np.ascontiguousarray(as_unit(alpha))
    light = three(linear)
    return Capture(
        name=name,
        linear=light if opacity is None else fill_hidden(light, opacity),
        kind="array",
        bit_depth=8 if image.dtype == np.uint8 else 16,
        grey=colour.ndim == 2,
        curve=curve,
        alpha=opacity,
    )


def _check(image: npt.NDArray[Any], encoding: str, name: str) -> None:
    shaped = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3, 4))
    if not shaped or image.size == 0 or image.dtype not in DTYPES:
        wanted = "HxW, HxWx1, HxWx3 or HxWx4 of uint8, uint16, float32 or float64"
        raise ValueError(f"{name}: expected {wanted}; got {image.shape} {image.dtype}")
    if image.dtype.kind != "f":
        return
    low, high = float(image.min()), float(image.max())  # NaN passes through both
    if not np.isfinite([low, high]).all():
        raise ValueError(f"{name}: has values that are not finite (NaN or infinite)")
    top = 1 + SLACK if encoding == "srgb" else MAX_LIGHT
    if low < -SLACK or high > top:
        wanted = "[0, 1]" if encoding == "srgb" else f"[0, {MAX_LIGHT:g}]"
        raise ValueError(f"{name}: expected {encoding} floats in {wanted}; got {low:g}..{high:g}")
