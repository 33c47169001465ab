"""What the camera returns: the picture, its blur map, and how they came about."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from camerapipe.capture import Capture
from camerapipe.errors import OutputError
from camerapipe.ingest import write_map, write_picture
from camerapipe.ingest.attachments import Metadata
from camerapipe.ingest.encode import DEFAULT_QUALITY
from camerapipe.ingest.saved_map import SavedMap
from camerapipe.report import Report
from stages.findings import Finding
from stages.grid import BlurMap
from stages.params import Array
from stages.tone import to_codes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shot:
    """What the camera returns.

    `image` is HxWx3 float32 in the encoding of the capture (display-encoded in [0, 1] for files and
    sRGB arrays, linear for linear arrays). `saved_map` is the blur map with what is needed to
    render from it again, None after pass-through. `kept` holds the intermediate values that were
    asked for, by their names in the graph.
    """

    image: Array
    saved_map: SavedMap | None
    findings: tuple[Finding, ...]
    report: Report
    capture: Capture
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def blur_map(self) -> BlurMap | None:
        """The dense blur map at full size, sigma in px; None after pass-through."""
        return self.saved_map.blur if self.saved_map else None

    def to_uint8(self) -> npt.NDArray[np.uint8]:
        """The picture as HxWx3 uint8, as `PIL.Image.fromarray` takes it."""
        return np.asarray(to_codes(self.image, 8), np.uint8)

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        quality: int = DEFAULT_QUALITY,
        bits: int | None = None,
        metadata: Metadata | str = Metadata.ALL,
        overwrite: bool = False,
    ) -> None:
        """Write the picture as JPEG, PNG or TIFF, by the suffix; see `ingest.write_picture`."""
        write_picture(
            path, self.image, self.capture,
            quality=quality, bits=bits, metadata=metadata, overwrite=overwrite,
        )  # fmt: skip

    def save_map(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the blur map as `.npz`, `.tiff` or a coloured `.png`, by the suffix.

        Raises
        ------
        OutputError
            If there is no map, or the file cannot be written.
        """
        if self.saved_map is None:
            raise OutputError(f"{path}: the picture was left untouched, so there is no blur map")
        write_map(path, self.saved_map, overwrite=overwrite)

    def __repr__(self) -> str:
        """Say what it is, without its pixels."""
        height, width = self.image.shape[:2]
        codes = ", ".join(finding.code for finding in self.findings)
        return (
            f"<Shot of {self.capture.name!r}: {width}x{height}, graph {self.report.graph}, "
            f"{self.report.spent_ms:.0f} ms, findings: {codes or 'none'}>"
        )
