"""Write sensor values as a DNG, with what a RAW developer needs to know of them.

A mosaic or a picture of three colours per pixel (LinearRaw) is stored plainly, as JPEG XL or as
JPEG, in raster order or in interleaved fields. Layout after Adobe's DNG specification 1.7.1; optics
are written as TIFF/EP tags of the first directory, where every reader looks.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from enum import IntEnum
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

COLOURS = "RGB"
CFA_PHOTOMETRIC, LINEAR_PHOTOMETRIC = 32803, 34892
D65 = 21  # EXIF light source

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SRATIONAL, DOUBLE = 1, 2, 3, 4, 5, 7, 10, 12
OF_SAMPLES = {  # tags that stand in the directory of the samples, if that is not the first
    33421, 33422, *range(50710, 50721), 50829, 50975, 51008, 51009, 51022, 52547,
}  # fmt: skip
RATIONAL_LIMIT = 10**6  # largest denominator: exact for what cameras write

Tag = tuple[int, int, int, Any]  # code, type, count, value
Samples = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


class Compression(IntEnum):
    """How samples are stored: TIFF's numbers."""

    NONE = 1
    LOSSLESS_JPEG = 7
    LOSSY = 34892
    JPEG_XL = 52546


class Optics(NamedTuple):
    """What a camera says of itself and of an exposure; None leaves the tag out."""

    make: str
    model: str
    focal_length_mm: float | None = None
    f_number: float | None = None
    exposure_s: float | None = None
    iso: int | None = None
    focal_length_35mm: int | None = None
    subject_distance_m: float | None = None


class Colour(NamedTuple):
    """Levels and colours of the samples.

    Attributes
    ----------
    black_level, white_level : int
        Of all samples.
    neutral : (float, float, float)
        Camera values of a grey, the largest being 1: AsShotNeutral.
    matrix : 3 x 3
        XYZ (D65) to camera values: ColorMatrix1.
    pattern : str
        Colour filters of a mosaic by rows, such as RGGB.
    """

    black_level: int
    white_level: int
    neutral: tuple[float, float, float]
    matrix: Any
    pattern: str = "RGGB"


def write_dng(
    path: str | os.PathLike[str] | io.BytesIO,
    samples: Samples,
    colour: Colour,
    optics: Optics,
    *,
    orientation: int = 1,
    crop: tuple[int, int, int, int] | None = None,
    compression: Compression = Compression.NONE,
    tile: tuple[int, int] | None = None,
    strip_rows: int | None = None,
    interleaved: bool = False,
    preview: bool = False,
    extra: Iterable[Tag] = (),
) -> None:
    """Write sensor values as a DNG.

    Parameters
    ----------
    path : path or file
        Where to.
    samples : array
        HxW for a Bayer mosaic, HxWx3 for LinearRaw. Lossy JPEG needs uint8.
    colour : Colour
        Levels and colours of the samples.
    optics : Optics
        What the camera says of itself and of the exposure.
    orientation : int
        EXIF.
    crop : (int, int, int, int) or None
        Default crop: left, top, width and height of the picture among the sensor values.
    compression : Compression
        JPEG XL is lossless. It and lossless JPEG (of mosaics only) need imagecodecs.
    tile : (int, int) or None
        Rows and columns of tiles, for compressed samples; None: one tile, or strips.
    strip_rows : int or None
        Rows of strips, for compressed samples.
    interleaved : bool
        Whether the four fields of a mosaic are stored one beside the other.
    preview : bool
        Whether a preview comes first, and the samples in a SubIFD of it, as iPhones write it.
    extra : iterable of tags
        Further tags, or others instead of those written by default.
    """
    mosaic = samples.ndim == 2
    planes = 1 if mosaic else 3
    stored = _in_fields(samples) if interleaved else samples
    tags: list[Tag] = [
        (274, SHORT, 1, orientation),
        (50706, BYTE, 4, bytes((1, 7, 1, 0))),  # DNGVersion
        (50707, BYTE, 4, bytes((1, 1, 0, 0))),  # DNGBackwardVersion
        (50708, ASCII, 0, f"{optics.make} {optics.model}"),  # UniqueCameraModel
        (50714, LONG, planes, (colour.black_level,) * planes),
        (50717, LONG, planes, (colour.white_level,) * planes),
        (50721, SRATIONAL, 9, rationals(colour.matrix)),  # ColorMatrix1
        (50728, RATIONAL, 3, rationals(colour.neutral)),  # AsShotNeutral
        (50778, SHORT, 1, D65),  # CalibrationIlluminant1
        *_crop_tags(crop, samples.shape[:2]),
        *_optics_tags(optics),
    ]
    if mosaic:
        filters = bytes(map(COLOURS.index, colour.pattern))
        tags += [(33421, SHORT, 2, (2, 2)), (33422, BYTE, 4, filters)]
    if interleaved:
        tags += [(50975, LONG, 1, 2), (52547, LONG, 1, 2)]  # Row- and ColumnInterleaveFactor
    every = {tag[0]: (*tag, True) for tag in (*tags, *extra)}
    data, layout = _layout(stored, compression, tile, strip_rows)
    first = [tag for code, tag in every.items() if code not in OF_SAMPLES]
    with tifffile.TiffWriter(path, byteorder="<") as tiff:
        if preview:
            small = np.zeros((16, 24, 3), np.uint8)
            plain = {"metadata": None, "software": False}
            tiff.write(small, subifds=1, subfiletype=1, photometric="rgb", extratags=first, **plain)
        tiff.write(
            data,
            photometric=CFA_PHOTOMETRIC if mosaic else LINEAR_PHOTOMETRIC,
            planarconfig=None if mosaic else "contig",
            metadata=None,
            software=False,
            extratags=[tag for tag in every.values() if not preview or tag not in first],
            **layout,
        )
    if isinstance(path, io.BytesIO):
        path.seek(0)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        page = tiff.pages.first.pages[0] if preview else tiff.pages.first
        page.tags[259].overwrite(int(compression))


def _layout(
    stored: Samples, compression: Compression, tile: tuple[int, int] | None, strip_rows: int | None
) -> tuple[Any, dict[str, Any]]:
    """Samples or their encoded parts, and how they are arranged, for `TiffWriter.write`."""
    if compression is Compression.NONE:
        return stored, {}
    layout: dict[str, Any] = {"shape": stored.shape, "dtype": stored.dtype}
    layout["compression"] = "zlib"  # tifffile writes what is encoded already; the tag is changed
    if strip_rows is not None:
        layout["rowsperstrip"] = strip_rows
        parts = [stored[top : top + strip_rows] for top in range(0, len(stored), strip_rows)]
    else:
        layout["tile"] = tile or _sixteens(stored.shape[:2])
        parts = _tiles(stored, layout["tile"])
    return iter([_encoded(part, compression) for part in parts]), layout


def _in_fields(mosaic: Samples) -> Samples:
    """Pixels of even rows before those of odd rows, and likewise for columns."""
    rows = np.concatenate([mosaic[0::2], mosaic[1::2]])
    return np.concatenate([rows[:, 0::2], rows[:, 1::2]], axis=1)


def _sixteens(shape: tuple[int, ...]) -> tuple[int, int]:
    """Size of a tile that holds a picture: TIFF asks for multiples of 16."""
    return -(-shape[0] // 16) * 16, -(-shape[1] // 16) * 16


def _tiles(samples: Samples, tile: tuple[int, int]) -> list[Samples]:
    """Tiles row by row; those at the border are filled up by repetition."""
    rows, cols = (-(-side // step) for side, step in zip(samples.shape, tile, strict=False))
    spare = [(0, rows * tile[0] - samples.shape[0]), (0, cols * tile[1] - samples.shape[1])]
    filled = np.pad(samples, [*spare, (0, 0)][: samples.ndim], mode="edge")
    return [part for line in np.split(filled, rows) for part in np.split(line, cols, axis=1)]


def _encoded(part: Samples, compression: Compression) -> bytes:
    if compression is not Compression.LOSSY:
        import imagecodecs  # an optional extra

        plain = np.ascontiguousarray(part)
        if compression is Compression.LOSSLESS_JPEG:
            return bytes(imagecodecs.ljpeg_encode(plain))
        return bytes(imagecodecs.jpegxl_encode(plain, lossless=True))
    file = io.BytesIO()
    Image.fromarray(part).save(file, "JPEG", quality=98, subsampling=0)
    return file.getvalue()


def _crop_tags(crop: tuple[int, int, int, int] | None, shape: tuple[int, ...]) -> list[Tag]:
    if crop is None:
        return []
    left, top, width, height = crop
    return [
        (50829, LONG, 4, (0, 0, *shape)),  # ActiveArea
        (50719, LONG, 2, (left, top)),  # DefaultCropOrigin
        (50720, LONG, 2, (width, height)),  # DefaultCropSize
    ]


def _optics_tags(optics: Optics) -> list[Tag]:
    fractions = {
        33434: optics.exposure_s,
        33437: optics.f_number,
        37386: optics.focal_length_mm,
        37382: optics.subject_distance_m,
    }
    shorts = {34855: optics.iso, 41989: optics.focal_length_35mm}
    return [
        (271, ASCII, 0, optics.make),
        (272, ASCII, 0, optics.model),
        *((tag, RATIONAL, 1, rationals([v])) for tag, v in fractions.items() if v is not None),
        *((tag, SHORT, 1, value) for tag, value in shorts.items() if value is not None),
    ]


def rationals(values: Any) -> tuple[int, ...]:
    """Numerators and denominators in turn."""
    flat = np.asarray(values, float).ravel()
    exact = (Fraction(float(value)).limit_denominator(RATIONAL_LIMIT) for value in flat)
    return tuple(part for number in exact for part in number.as_integer_ratio())
