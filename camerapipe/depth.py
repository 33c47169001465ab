"""Depth that is given for a capture, and the lens that is wished for.

A depth map is metric where its container says so. The blur then follows from the wished lens by the
thin lens. Without a unit, depth only gives order: how large the blur is, is up to the person.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from camerapipe.capture import Capture, Sourced
from camerapipe.errors import CaptureError, RequestError
from camerapipe.ingest.depth import EMBEDDED, read_depth
from camerapipe.ingest.depth_values import DepthPicture, GivenDepth, check_aspect, depth_from
from camerapipe.optics import lens_from
from camerapipe.settings import Layer, Settings
from stages.bokeh import RadiusParams
from stages.capture_check import UnknownOptics
from stages.depth import DepthMap, DepthParams, WishedLens

DepthLike = GivenDepth | DepthMap | npt.NDArray[np.floating[Any]] | str | os.PathLike[str]


def given_depth(source: DepthLike, capture: Capture, settings: Settings) -> GivenDepth:
    """Depth for a capture.

    Parameters
    ----------
    source : DepthMap, array or path
        An array holds distances in metres, hxw, with the aspect ratio of the capture; NaN is
        unknown, infinity is legal. A path is that of a photograph with depth in it or of a depth
        picture, and `"embedded"` is the depth in the file of the capture.
    capture : Capture
        The capture.
    settings : Settings
        `depth.values` says what a depth picture without description holds.

    Returns
    -------
    GivenDepth
        Inverse depth, and what was assumed.

    Raises
    ------
    CaptureError
        If a file cannot be read or has no depth.
    RequestError
        If the source is something else, or does not fit the capture.
    """
    if isinstance(source, GivenDepth):
        return source
    try:
        if isinstance(source, DepthMap):
            check_aspect(source.inverse.shape, capture.linear.shape)
            return GivenDepth(source)
        if isinstance(source, np.ndarray):
            if source.ndim != 2 or source.dtype.kind != "f":
                raise CaptureError(f"expected hxw metres; got {source.shape} {source.dtype}")
            return depth_from(DepthPicture(source, is_inverse=False, unit_m=1.0), capture.linear)
    except CaptureError as error:
        raise RequestError(f"depth: {error}") from error
    if not isinstance(source, str | os.PathLike):
        raise RequestError(
            "depth: expected the path of a file, 'embedded', an array hxw of metres, or a "
            f"DepthMap; got {type(source).__name__}"
        )
    return _read(os.fspath(source), capture, settings)


def _read(source: str, capture: Capture, settings: Settings) -> GivenDepth:
    params = settings.params[DepthParams]
    assert isinstance(params, DepthParams)
    embedded = source == EMBEDDED
    if embedded and capture.kind == "array":
        raise RequestError("depth: an array has no embedded depth; name a file, or give a DepthMap")
    path = Path(capture.name if embedded else source)
    found = read_depth(path, capture.linear, values=params.values, embedded=embedded)
    return found._replace(source=source)


def wished_lens(capture: Capture, depth: DepthMap, settings: Settings) -> WishedLens:
    """The lens by which a picture is to be rendered from depth.

    Parameters
    ----------
    capture : Capture
        The capture; its metadata state the lens that it was taken with.
    depth : DepthMap
        Its depth.
    settings : Settings
        The f-number is `depth.aperture`, or that of the capture / `radius.strength`. Without a unit
        the largest radius is `radius.largest_percent`, or follows from the strength.

    Raises
    ------
    RequestError
        If they do not say how large the blur is to be.
    """
    radius, wish = settings.params[RadiusParams], settings.params[DepthParams]
    assert isinstance(radius, RadiusParams) and isinstance(wish, DepthParams)
    shape, meta = (capture.linear.shape[0], capture.linear.shape[1]), capture.meta
    if wish.focus_m and not depth.is_metric:
        raise RequestError("focus: the depth has no unit; expected a point X,Y, not a distance")
    if wish.aperture:
        if not depth.is_metric:
            raise RequestError("aperture: the depth has no unit; give a strength instead")
        meta = replace(meta, f_number=Sourced(wish.aperture, "the person"))
    lens = lens_from(meta, shape)
    if wish.aperture and isinstance(lens, UnknownOptics):
        missing = " and ".join(lens.missing)
        raise RequestError(f"aperture: the file does not say {missing}; give a strength instead")
    if wish.focus_m and not isinstance(lens, UnknownOptics):
        least_m = lens.focal_length_mm / 1000
        if wish.focus_m <= least_m:
            raise RequestError(
                f"focus: expected metres beyond the focal length of {least_m:g} m; "
                f"got {wish.focus_m:g}"
            )
    if radius.largest_percent and not wish.aperture:
        return WishedLens(shape=shape, largest_percent=radius.largest_percent)
    if depth.is_metric and not isinstance(lens, UnknownOptics):
        wider = lens.f_number / (1 if wish.aperture else radius.strength)
        return WishedLens(shape=shape, lens=replace(lens, f_number=wider))
    asked = settings.changed(Layer.FILE, Layer.RECIPE, Layer.PERSON).get("radius", {})
    if "strength" not in asked:
        what = "the file does not say the lens" if depth.is_metric else "the depth has no unit"
        raise RequestError(
            f"strength: {what}, so the size of the blur is not known; give a strength above 1, or "
            "radius.largest_percent"
        )
    percent = (radius.strength - 1) * wish.relative_percent
    return WishedLens(shape=shape, largest_percent=percent)
