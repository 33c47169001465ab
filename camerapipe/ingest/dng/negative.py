"""What a DNG says of its picture: plain data, read by `tags`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from camerapipe.ingest.dng.colour import CameraColour
from camerapipe.ingest.dng.levels import Levels
from camerapipe.ingest.dng.opcodes import BadPixels, OpcodeList

LOSSY_JPEG, JPEG_XL = 34892, 52546  # TIFF compression


class Chunks(NamedTuple):
    """Tiles or strips of encoded samples, row by row: size in px, offsets and sizes in bytes.

    Tiles (`is_tiled`) at the border are filled up; the last strip ends with the picture.
    """

    height: int
    width: int
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    is_tiled: bool


@dataclass(frozen=True, slots=True, eq=False)
class Negative:
    """The full picture of a DNG.

    Parameters
    ----------
    shape : (int, int, int)
        Rows, columns and samples per pixel that are stored.
    bits : int
        Bits per sample.
    compression : int
        TIFF compression.
    chunks : Chunks
        Where the samples are.
    interleave : (int, int)
        Fields of rows and of columns, which are stored one after another; (1, 1) if none.
    is_integer : bool
        Whether samples are unsigned integers.
    table : array or None
        Linear code of each stored one.
    pattern : array or None
        Colour filters from the corner of the active area, 0 red, 1 green, 2 blue; None for a
        picture without mosaic.
    levels : Levels
        Black, white and active area.
    colour : CameraColour or None
        None if matrices are missing or damaged.
    opcodes : (OpcodeList, OpcodeList, OpcodeList)
        Corrections of codes, of linear values, and of the demosaiced picture.
    crop : (float, float, float, float)
        Default crop: left, top, width and height in px of the active area.
    scale : (float, float)
        Factors of width and height that make pixels square.
    baseline_exposure : float
        Stops to be added.
    orientation : int
        EXIF, 1..8.
    """

    shape: tuple[int, int, int]
    bits: int
    compression: int
    chunks: Chunks
    interleave: tuple[int, int]
    is_integer: bool
    table: npt.NDArray[np.uint16] | None
    pattern: npt.NDArray[np.uint8] | None
    levels: Levels
    colour: CameraColour | None
    opcodes: tuple[OpcodeList, OpcodeList, OpcodeList]
    crop: tuple[float, float, float, float]
    scale: tuple[float, float]
    baseline_exposure: float
    orientation: int

    @property
    def depth(self) -> int:
        """Bits of the codes that are used, up to white."""
        return min(self.bits, int(self.levels.white.max()).bit_length())

    @property
    def has_corrections(self) -> bool:
        """Whether there are opcodes to apply."""
        return any(each.corrections for each in self.opcodes)

    @property
    def readable_by_libraw(self) -> bool:
        """Whether LibRaw decodes the samples correctly, and into their places."""
        return self.compression not in (JPEG_XL, LOSSY_JPEG) and self.interleave == (1, 1)

    @property
    def is_supported(self) -> bool:
        """Whether the picture has a form that is developed here."""
        planes = self.shape[2]
        if not self.is_integer or (self.pattern is None and planes not in (1, 3)):
            return False
        if self.pattern is not None and (planes != 1 or self.pattern.max() > 2):
            return False
        bayer = self.pattern is None or self.pattern.shape == (2, 2)
        if not bayer and any(
            isinstance(c, BadPixels) for each in self.opcodes for c in each.corrections
        ):
            return False
        return self.colour is not None or (planes == 1 and self.pattern is None)
