"""Small copies of inputs and pictures, for the report."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

from PIL import Image, ImageOps

from camerapipe.batch.order import Order
from camerapipe.ingest import embedded_jpeg, make_folder, write_bytes

SIDE_PX = 240
QUALITY = 80
BEFORE, AFTER = "before", "after"
THUMBNAILS = "thumbnails"  # folder in that of the report
REPORT_FOLDER = "camerapipe-report"  # in that of the pictures


def thumbnail_path(folder: Path, number: int, kind: str) -> Path:
    """Where a small copy is, in one of 1000 folders."""
    return folder / f"{number % 1000:03d}" / f"{number}-{kind}.jpg"


def write_thumbnails(folder: Path, order: Order) -> None:
    """Write small copies of an input and its picture, of those formats that Pillow reads."""
    sources = {BEFORE: order.source, AFTER: str(order.outputs.picture)}
    for kind, source in sources.items():
        with suppress(Exception):  # a report without this copy
            path = thumbnail_path(folder, order.number, kind)
            make_folder(path.parent)
            write_bytes(path, _small(source), overwrite=True)


def _small(source: str) -> bytes:
    data = embedded_jpeg(source)
    with Image.open(source if data is None else io.BytesIO(data)) as image:
        image.draft("RGB", (2 * SIDE_PX, 2 * SIDE_PX))
        small = ImageOps.exif_transpose(image) or image
        small.thumbnail((SIDE_PX, SIDE_PX))
        found = io.BytesIO()
        small.convert("RGB").save(found, "JPEG", quality=QUALITY)
    return found.getvalue()
