"""Requests for the same picture in another size, such as the proxy of a session."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np

from camerapipe.assembly import Request
from camerapipe.ingest.saved_map import scaled_map
from camerapipe.protecting import scaled_protection


def scaled(request: Request, shape: tuple[int, int], to: tuple[int, int]) -> Request:
    """Scale a request to another size of the same picture.

    Parameters
    ----------
    request : Request
        Request for a picture of size `shape`.
    shape, to : (int, int)
        Rows and columns of the two pictures.

    Returns
    -------
    Request
        Focus point, scribbles, foreground, protection and blur map are scaled; parameters do not
        change.

    Notes
    -----
    The borders of both pictures coincide, and pixel centres have integer coordinates.
    """
    if shape == to:
        return request
    scales = to[1] / shape[1], to[0] / shape[0]
    focus, mask = request.focus_point, request.foreground
    if mask is not None:
        mask = np.asarray(cv2.resize(mask, to[::-1], interpolation=cv2.INTER_AREA))
    return replace(
        request,
        focus_point=None if focus is None else scaled_point(focus, scales, to),
        scribbles=tuple(stroke.scaled(scales) for stroke in request.scribbles),
        foreground=mask,
        protection=scaled_protection(request.protection, scales, to),
        blur_map=None if request.blur_map is None else scaled_map(request.blur_map, to),
    )


def scaled_point(
    point: tuple[float, float], scales: tuple[float, float], to: tuple[int, int]
) -> tuple[float, float]:
    """Point (x, y), scaled by `scales` and clamped to the pixels of a picture of shape `to`."""
    inside = zip(point, scales, to[::-1], strict=True)
    x, y = (min(max((at + 0.5) * k - 0.5, 0.0), math.nextafter(n, 0)) for at, k, n in inside)
    return x, y
