"""DNG files that LibRaw does not develop completely: JPEG XL, interleaved fields, opcode lists.

`tags` reads what a file says of its picture, `decode` its stored samples, and `develop` turns them
into linear light. The mathematics are functions of arrays: `levels`, `corrections` and `colour`.

Tone curves, look tables and local tone maps (ProfileGainTableMap) are not applied. They are the
taste of a camera, and defocus is magnified in linear light.

References
----------
Adobe, "Digital Negative (DNG) Specification", version 1.7.1.0, 2023.
"""

from camerapipe.ingest.dng.develop import develop_dng
from camerapipe.ingest.dng.jpeg_xl import has_jpeg_xl
from camerapipe.ingest.dng.negative import Negative
from camerapipe.ingest.dng.tags import read_negative

__all__ = ["Negative", "develop_dng", "has_jpeg_xl", "read_negative"]
