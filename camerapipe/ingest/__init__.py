"""Ingest: the only room that opens or writes images, maps and metadata.

Reading: what a file is, is decided by its content, and its size is held against the limit before
anything is decoded. Whatever a library raises on bad data becomes a `CaptureError` of one line.
Writing: an output is whole or absent (`atomic`), and an input is never touched.

Outputs are bytes first (`encode_picture`, `encode_map`); `write_picture` and `write_map` put them
under a name.
"""

from camerapipe.ingest.array import capture_from_array
from camerapipe.ingest.atomic import (
    check_output,
    make_folder,
    remove_leftovers,
    temporary_beginning,
    write_bytes,
    write_text,
)
from camerapipe.ingest.attachments import Metadata
from camerapipe.ingest.diverting import diverted
from camerapipe.ingest.encode import DEFAULT_QUALITY, encode_picture, left_out
from camerapipe.ingest.files import DEFAULT_MAX_PIXELS
from camerapipe.ingest.formats import (
    MAP_FORMATS,
    MAPS,
    PICTURE_FORMATS,
    PICTURES,
    bits_for,
    can_write,
    check_library,
    format_named,
    format_of,
)
from camerapipe.ingest.map_encoding import colour_map, embed_map, encode_map, write_map
from camerapipe.ingest.maps import read_map, read_mask, read_saved_map
from camerapipe.ingest.preview import embedded_jpeg, open_preview
from camerapipe.ingest.reading import count_pixels, open_capture, optional_formats
from camerapipe.ingest.saved_map import Focus, SavedMap
from camerapipe.ingest.untouched import untouched_bytes
from camerapipe.ingest.write import write_picture

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "DEFAULT_QUALITY",
    "MAPS",
    "MAP_FORMATS",
    "PICTURES",
    "PICTURE_FORMATS",
    "Focus",
    "Metadata",
    "SavedMap",
    "bits_for",
    "can_write",
    "capture_from_array",
    "check_library",
    "check_output",
    "colour_map",
    "embed_map",
    "embedded_jpeg",
    "count_pixels",
    "diverted",
    "encode_map",
    "encode_picture",
    "format_named",
    "format_of",
    "left_out",
    "make_folder",
    "open_capture",
    "open_preview",
    "optional_formats",
    "read_map",
    "read_mask",
    "read_saved_map",
    "remove_leftovers",
    "temporary_beginning",
    "untouched_bytes",
    "write_bytes",
    "write_map",
    "write_picture",
    "write_text",
]
