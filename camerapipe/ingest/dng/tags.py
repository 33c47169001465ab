"""The tags of a DNG that say how its picture is stored and developed.

The directory of the full picture describes its samples, and the first one the camera. All sizes are
checked here, before anything is decoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import tifffile

from camerapipe.errors import CaptureError
from camerapipe.ingest.dng.colour import TEMPERATURES_K, Calibration, CameraColour
from camerapipe.ingest.dng.levels import Area, Levels
from camerapipe.ingest.dng.negative import JPEG_XL, LOSSY_JPEG, Chunks, Negative
from camerapipe.ingest.dng.opcodes import OpcodeList, parse_opcodes
from camerapipe.ingest.files import RAW_CUT_OFF, check_pixels, file_size
from camerapipe.ingest.pages import RAW_PHOTOMETRICS, every_page
from camerapipe.ingest.pixels import TURNS
from stages.findings import Finding, Severity

CFA = 32803
RATIONALS = (5, 10)  # TIFF types: pairs of numerator and denominator
UNSIGNED = 1  # SampleFormat
MASKS = {65540: "masks", 8: "a depth map", 9: "a depth map"}  # NewSubfileType
FREE_PIXELS = 12_000_000  # in any number of bytes: they take 0.5 GB
MAX_DENSITY = 1000  # pixels per byte of larger pictures; lossy JPEG XL of photographs has up to 100
MAX_BLACK = 64  # rows or columns of a repeating black level
MAX_FILTERS = 8  # rows or columns of a colour filter pattern
MAX_FIELDS = 16
MAX_STOPS = 8.0  # of baseline exposure; cameras write -2 to 3
SCALE_RANGE = (0.25, 4.0)
OPCODE_LISTS = {51008: "OpcodeList1", 51009: "OpcodeList2", 51022: "OpcodeList3"}
# ColorMatrix, CameraCalibration, ForwardMatrix and CalibrationIlluminant of both illuminants
ILLUMINANTS = ((50721, 50723, 50964, 50778), (50722, 50724, 50965, 50779))
INTERLEAVE = (50975, 52547)  # factors of rows and columns
BLACK_LEVEL, WHITE_LEVEL = 50714, 50717
ANALOG_BALANCE, NEUTRAL, WHITE_XY = 50727, 50728, 50729
CAMERA_SIGNATURE, PROFILE_SIGNATURE = 50931, 50932

Numbers = npt.NDArray[np.float64]


class _Tags:
    """Values of tags of directories; the first one that has a tag counts."""

    def __init__(self, *pages: Any) -> None:
        self._pages = pages

    def raw(self, code: int) -> Any:
        """Value as tifffile gives it; None if it is missing."""
        return next((page.tags[code].value for page in self._pages if code in page.tags), None)

    def numbers(self, code: int, *counts: int) -> Numbers | None:
        """Finite numbers, as many as one of `counts`; None if they are missing or others."""
        page = next((page for page in self._pages if code in page.tags), None)
        if page is None:
            return None
        try:
            found = np.atleast_1d(np.asarray(self.raw(code), np.float64)).reshape(-1)
        except (TypeError, ValueError):  # bytes or text
            return None
        if int(page.tags[code].dtype) in RATIONALS:
            below = found[1::2]
            found = np.divide(found[::2], below, out=np.full(below.shape, np.nan), where=below != 0)
        fits = not counts or len(found) in counts
        return found if fits and len(found) and np.isfinite(found).all() else None

    def integers(self, code: int, count: int, default: tuple[int, ...]) -> tuple[int, ...]:
        """Integers that are not negative."""
        found = self.numbers(code, count)
        if found is None or found.min() < 0 or found.max() > 1 << 32:
            return default
        return tuple(int(each) for each in found)


def read_negative(file: BinaryIO, max_pixels: int) -> tuple[Negative | None, tuple[Finding, ...]]:
    """Tags of a DNG, and notes on other pictures in it.

    The tags are None if LibRaw develops the picture completely, or finds what is wrong with it.

    Raises
    ------
    CaptureError
        If tags that are needed are damaged.
    LimitError
        If the picture is larger than `max_pixels`.
    """
    file.seek(0)
    try:
        tiff = tifffile.TiffFile(file)
    except Exception:  # not even the first directory can be read; LibRaw reports the error
        return None, ()
    with tiff:
        first, pages = tiff.pages.first, every_page(tiff)
        full = [p for p in pages if p.photometric in RAW_PHOTOMETRICS and not p.subfiletype]
        notes = tuple(_notes(pages))
        if full:
            _check_levels(_Tags(full[0], first))
        if not full or not _asks_for_more(full[0]):
            return None, notes
        check_pixels(full[0].imagewidth, full[0].imagelength, max_pixels)
        negative = _negative(full[0], first, file_size(file))
        _check_density(negative)
        height, width = negative.levels.active.shape
        across, down = negative.scale
        check_pixels(round(width * across), round(height * down), max_pixels)
        return negative, notes


def _check_levels(tags: _Tags) -> None:
    """Refuse a white level that is not above the black level; LibRaw develops it to black."""
    black, white = tags.numbers(BLACK_LEVEL), tags.numbers(WHITE_LEVEL)
    if black is not None and white is not None and white.min() <= black.max():
        raise CaptureError(
            f"its levels are damaged: white {white.min():g} is not above black {black.max():g}; "
            "copy the file again, or export it as TIFF"
        )


def _check_density(negative: Negative) -> None:
    """Refuse many pixels in few bytes, before they take the memory of a large picture."""
    pixels, size = negative.shape[0] * negative.shape[1], sum(negative.chunks.sizes)
    if not negative.readable_by_libraw and pixels > max(FREE_PIXELS, MAX_DENSITY * size):
        raise CaptureError(
            f"its {size} bytes say {pixels} pixels, which no photograph is compressed to; "
            "the file is damaged or made to fill the memory"
        )


def _asks_for_more(page: Any) -> bool:
    """Whether a picture has a form that LibRaw does not read, or corrections that it ignores."""
    if page.compression in (JPEG_XL, LOSSY_JPEG) or any(code in page.tags for code in OPCODE_LISTS):
        return True
    return any(code in page.tags for code in INTERLEAVE)


def _negative(page: Any, first: Any, size: int) -> Negative:
    tags = _Tags(page, first)
    shape = (int(page.imagelength), int(page.imagewidth), int(page.samplesperpixel))
    levels = _levels(tags, shape, _code_bits(page))
    height, width = levels.active.shape
    origin, extent = tags.numbers(50719, 2), tags.numbers(50720, 2)
    scale = tags.numbers(50718, 2)
    if scale is None or scale.min() < SCALE_RANGE[0] or scale.max() > SCALE_RANGE[1]:
        scale = np.ones(2)
    stops = tags.numbers(50730, 1)
    (orientation,) = _Tags(first, page).integers(274, 1, (1,))
    whole = (0.0, 0.0, float(width), float(height))
    return Negative(
        shape=shape,
        bits=int(page.bitspersample),
        compression=int(page.compression),
        chunks=_chunks(page, size),
        interleave=_interleave(tags, shape),
        is_integer=int(page.sampleformat) == UNSIGNED,
        table=_table(tags),
        pattern=_pattern(tags) if page.photometric == CFA else None,
        levels=levels,
        colour=_colour(tags),
        opcodes=_opcodes(tags),
        crop=whole if origin is None or extent is None else _box(origin, extent),
        scale=(float(scale[0]), float(scale[1])),
        baseline_exposure=0.0 if stops is None or abs(stops[0]) > MAX_STOPS else float(stops[0]),
        orientation=orientation if orientation in TURNS else 1,
    )


def _code_bits(page: Any) -> int:
    """Bits of decoded codes: JPEG XL of more than 8 bits is scaled to 16."""
    bits = int(page.bitspersample)
    return 16 if page.compression == JPEG_XL and bits > 8 else bits


def _box(origin: Numbers, extent: Numbers) -> tuple[float, float, float, float]:
    left, top, width, height = (float(each) for each in (*origin, *extent))
    return left, top, width, height


def _chunks(page: Any, size: int) -> Chunks:
    """Tiles or strips; `CaptureError` if they do not cover the picture or are not in the file."""
    height, width = int(page.imagelength), int(page.imagewidth)
    if page.is_tiled:
        rows, columns = int(page.tilelength), int(page.tilewidth)
    else:
        rows, columns = min(int(page.rowsperstrip), height), width
    offsets, sizes = tuple(page.dataoffsets), tuple(page.databytecounts)
    if not (0 < rows <= 2 * height + 64 and 0 < columns <= 2 * width + 64):
        raise CaptureError(f"its tiles of {columns} x {rows} pixels do not fit; it is damaged")
    if not len(offsets) == len(sizes) == -(-height // rows) * -(-width // columns):
        raise CaptureError("its tiles do not cover the picture; the file is damaged")
    if any(not 0 <= at <= at + count <= size for at, count in zip(offsets, sizes, strict=True)):
        raise CaptureError(RAW_CUT_OFF)
    return Chunks(rows, columns, offsets, sizes, bool(page.is_tiled))


def _interleave(tags: _Tags, shape: tuple[int, int, int]) -> tuple[int, int]:
    """RowInterleaveFactor and ColumnInterleaveFactor."""
    (rows,), (columns,) = (tags.integers(code, 1, (1,)) for code in INTERLEAVE)
    if not (0 < rows <= min(MAX_FIELDS, shape[0]) and 0 < columns <= min(MAX_FIELDS, shape[1])):
        raise CaptureError(f"its {rows} x {columns} interleaved fields do not fit; it is damaged")
    return rows, columns


def _levels(tags: _Tags, shape: tuple[int, int, int], bits: int) -> Levels:
    height, width, planes = shape
    active = Area(*tags.integers(50829, 4, (0, 0, height, width)))
    if not (active.top < active.bottom <= height and active.left < active.right <= width):
        raise CaptureError("its active area is not in the picture; the file is damaged")
    rows, columns = tags.integers(50713, 2, (1, 1))
    if not (0 < rows <= MAX_BLACK and 0 < columns <= MAX_BLACK):
        raise CaptureError(f"its black level of {rows} x {columns} values is damaged")
    black = tags.numbers(BLACK_LEVEL, rows * columns * planes, rows * columns)
    white = tags.numbers(WHITE_LEVEL, planes, 1)
    return Levels(
        active=active,
        black=np.zeros((1, 1, 1)) if black is None else black.reshape(rows, columns, -1),
        white=np.array([2.0**bits - 1]) if white is None else white,
        row_delta=tags.numbers(50716, active.shape[0]),
        column_delta=tags.numbers(50715, active.shape[1]),
    )


def _table(tags: _Tags) -> npt.NDArray[np.uint16] | None:
    found = tags.numbers(50712)
    if found is None:
        return None
    if len(found) > 1 << 16 or found.min() < 0 or found.max() > 65535:
        raise CaptureError("its linearisation table is damaged; copy it again")
    return found.astype(np.uint16)


def _pattern(tags: _Tags) -> npt.NDArray[np.uint8]:
    rows, columns = tags.integers(33421, 2, (0, 0))
    found = tags.raw(33422)
    cells = np.frombuffer(bytes(found), np.uint8) if isinstance(found, bytes | tuple) else None
    if not (0 < rows <= MAX_FILTERS and 0 < columns <= MAX_FILTERS):
        raise CaptureError("its pattern of colour filters is damaged; export it as TIFF")
    if cells is None or len(cells) != rows * columns:
        raise CaptureError("its pattern of colour filters is damaged; export it as TIFF")
    return cells.reshape(rows, columns)


def _colour(tags: _Tags) -> CameraColour | None:
    found = []
    balance = tags.numbers(ANALOG_BALANCE, 3)
    signed = tags.raw(CAMERA_SIGNATURE) == tags.raw(PROFILE_SIGNATURE)
    for matrix, calibration, forward, illuminant in ILLUMINANTS:
        colour, ahead = tags.numbers(matrix, 9), tags.numbers(forward, 9)
        if colour is None:
            continue
        individual = tags.numbers(calibration, 9) if signed else None
        camera = np.eye(3) if individual is None else individual.reshape(3, 3)
        (light,) = tags.integers(illuminant, 1, (0,))
        found.append(
            Calibration(
                temperature_k=TEMPERATURES_K.get(light),
                colour=colour.reshape(3, 3),
                camera=camera if balance is None else np.diag(balance) @ camera,
                forward=None if ahead is None else ahead.reshape(3, 3),
            )
        )
    white = tags.numbers(WHITE_XY, 2)
    white_xy = None if white is None else (float(white[0]), float(white[1]))
    return CameraColour(tuple(found), tags.numbers(NEUTRAL, 3), white_xy) if found else None


def _opcodes(tags: _Tags) -> tuple[OpcodeList, OpcodeList, OpcodeList]:
    first, second, third = (
        parse_opcodes(data, name) if isinstance(data := tags.raw(code), bytes) else OpcodeList()
        for code, name in OPCODE_LISTS.items()
    )
    return first, second, third


def _notes(pages: list[Any]) -> Iterator[Finding]:
    names = sorted({MASKS[page.subfiletype] for page in pages if page.subfiletype in MASKS})
    if names:
        message = f"The RAW also holds {' and '.join(names)} of the phone, which are not used."
        yield Finding("dng_extras_ignored", Severity.INFO, message)
