"""Depth maps from files: embedded in a photograph, or a grey picture of their own.

Embedded depth is that of HEIC, and of JPEG (`depth_jpeg`). A picture of its own is a PNG, a TIFF,
an EXR or any other grey picture. What its values mean is not stated in it: floating-point values
are taken as metres and integers as nearness, unless the person says what they are.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from camerapipe.errors import CaptureError
from camerapipe.ingest.depth_jpeg import apple_depth, jpeg_depth
from camerapipe.ingest.depth_values import DepthPicture, GivenDepth, depth_from
from camerapipe.ingest.display import image_orientation, open_header
from camerapipe.ingest.diverting import divertible
from camerapipe.ingest.exr_reading import EXR_MAGIC, depth_plane
from camerapipe.ingest.files import DEFAULT_MAX_PIXELS, opened, refusing
from camerapipe.ingest.heif import heif_depth
from camerapipe.ingest.isobmff import xmp_items
from camerapipe.ingest.quiet import muted, quiet
from camerapipe.ingest.reading import DECODERS
from camerapipe.ingest.sniff import JPEG_MAGIC, Kind, sniff
from camerapipe.ingest.tags import tags_of
from camerapipe.ingest.xmp import BrokenXmpError
from camerapipe.ingest.xmp_fields import all_fields
from stages.params import Array

EMBEDDED = "embedded"  # instead of a path: the depth in the photograph itself
UNIFORM_INVERSE, UNIFORM_DISPARITY, UNIFORM_DISTANCE = 0, 1, 2  # ITU-T H.265, table G.2


@divertible
def read_depth(
    path: str | os.PathLike[str],
    linear: Array,
    *,
    values: str = "auto",
    embedded: bool = False,
) -> GivenDepth:
    """Read a depth map for a photograph.

    Parameters
    ----------
    path : path
        A photograph with depth in it, or a depth picture; which, is told by its content.
    linear : Array
        The photograph in linear light, HxWx3; unknown depth is filled along its colours.
    values : str
        What the values of a depth picture are, a choice of `DepthParams.values`.
    embedded : bool
        Whether the file is the photograph itself: its pixels are not depth then.

    Returns
    -------
    GivenDepth
        Inverse depth, with the aspect ratio of the photograph, and what was assumed.

    Raises
    ------
    CaptureError
        If the file cannot be read, has no depth, or the depth of another picture.
    """
    path = Path(path)
    limit = max(DEFAULT_MAX_PIXELS, linear.shape[0] * linear.shape[1])
    with opened(path) as file, quiet(), refusing(path), muted():
        picture = _embedded(file, limit)
        if picture is None and embedded:
            raise CaptureError("has no depth map in it; name the file of a depth map instead")
        return depth_from(picture or _grey_depth(file, limit, values), linear)


def _embedded(file: BinaryIO, limit: int) -> DepthPicture | None:
    kind = sniff(file)
    if kind is Kind.HEIF:
        return _of_heif(file, limit)
    if file.read(len(JPEG_MAGIC)) != JPEG_MAGIC:
        return None
    image = open_header(file, limit)
    turn = image_orientation(image, tags_of(image, file))
    file.seek(0)
    return jpeg_depth(file.read(), turn, limit)


def _of_heif(file: BinaryIO, limit: int) -> DepthPicture | None:
    """Depth of a HEIF file, which libheif has turned upright."""
    found = heif_depth(file, limit)
    if found is None:
        return None
    for packet in xmp_items(file):
        try:
            described = apple_depth(all_fields((packet,)), found.samples)
        except BrokenXmpError:
            continue
        if described is not None:
            return described
    kind, inverse = found.said.get("representation_type", UNIFORM_DISPARITY), True
    ends = ("d_min", "d_max")
    if kind in (UNIFORM_INVERSE, UNIFORM_DISTANCE):
        ends, inverse = ("z_far", "z_near"), False
    first, last = (found.said.get(end) for end in ends)
    if kind not in (UNIFORM_INVERSE, UNIFORM_DISPARITY, UNIFORM_DISTANCE):
        raise CaptureError("its depth map is not uniform in distance or disparity: not supported")
    if first is None or last is None:
        return DepthPicture(found.samples)  # brighter is nearer
    if kind == UNIFORM_INVERSE:
        return DepthPicture(found.samples, 1 / first, 1 / last)
    if kind == UNIFORM_DISTANCE:
        first, last = last, first
    return DepthPicture(found.samples, first, last, is_inverse=inverse)


def _grey_depth(file: BinaryIO, limit: int, values: str) -> DepthPicture:
    """A depth picture without description."""
    file.seek(0)
    if file.read(len(EXR_MAGIC)) == EXR_MAGIC:
        samples, turn = depth_plane(file, limit), 1
    else:
        kind = sniff(file)
        if kind not in DECODERS:
            raise CaptureError("is no picture; expected one with a depth map, or a depth map")
        decoded = DECODERS[kind](file, limit)
        samples, turn = decoded.samples, decoded.orientation
    is_float = samples.dtype.kind == "f"
    notes: tuple[str, ...] = ()
    if values == "auto":
        values = "metres" if is_float else "nearness"
        meaning = "distances in metres" if is_float else "nearness: brighter is nearer, no unit"
        notes = (f"The depth has no description: its values are taken as {meaning}.",)
    top = 1.0 if is_float else float(2 ** (8 * samples.dtype.itemsize) - 1)
    units = {"metres": 1.0, "millimetres": 1e-3}
    return DepthPicture(
        samples, 0.0, top, values == "nearness", units.get(values),
        orientation=turn, zero_is_unknown=values != "nearness", assumptions=notes,
    )  # fmt: skip
