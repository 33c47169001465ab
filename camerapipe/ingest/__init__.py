"""Ingest: the only room that opens or writes images, maps and metadata.

Reading: what a file is, is decided by its content, and its size is held against the limit before
anything is decoded. Whatever a library raises on bad data becomes a `CaptureError` of one line.
Writing: an output is whole or absent (`atomic`), and an input is never touched.
"""

from camerapipe.ingest.array import capture_from_array
from camerapipe.ingest.atomic import MAPS, PICTURES, check_output, write_text
from camerapipe.ingest.files import DEFAULT_MAX_PIXELS
from camerapipe.ingest.maps import colour_map, read_map, read_mask, write_map
from camerapipe.ingest.reading import count_pixels, open_capture, optional_formats
from camerapipe.ingest.write import write_picture

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "MAPS",
    "PICTURES",
    "capture_from_array",
    "check_output",
    "colour_map",
    "count_pixels",
    "open_capture",
    "optional_formats",
    "read_map",
    "read_mask",
    "write_map",
    "write_picture",
    "write_text",
]
