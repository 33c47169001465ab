"""The result of the camera: picture, blur map, findings and report."""

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

LIGHT = "bokeh"  # the value of a graph with the picture's linear light


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shot:
    """The result of the camera.

    Attributes
    ----------
    image : Array
        HxWx3 float32 in the encoding of the capture: display-encoded in [0, 1] for files and sRGB
        arrays, linear light for linear arrays.
    hdr : Array or None
        HxWx3 float32 linear light of the same picture with its HDR light, 1 at SDR white; None if
        the capture has no gain map.
    saved_map : SavedMap or None
        Blur map, with the data needed to render from it again; None after pass-through.
    findings : tuple of Finding
        Of the check, of the focus point, and of opening the file.
    report : Report
        Time and caveats of every stage.
    capture : Capture
        The developed capture.
    kept : dict
        Requested intermediate values, by their names in the graph.
    """

    image: Array
    hdr: Array | None = None
    saved_map: SavedMap | None
    findings: tuple[Finding, ...]
    report: Report
    capture: Capture
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def blur_map(self) -> BlurMap | None:
        """Dense blur map at full resolution, sigma in px; None after pass-through."""
        return self.saved_map.blur if self.saved_map else None

    @property
    def light(self) -> Array | None:
        """Linear light with values above white, HxWx3; None if it was not kept.

        It is the HDR light, or that of the capture after pass-through, or the kept value `bokeh`.
        """
        if self.hdr is not None:
            return self.hdr
        return self.capture.linear if self.saved_map is None else self.kept.get(LIGHT)

    def to_uint8(self) -> npt.NDArray[np.uint8]:
        """Picture as HxWx3 uint8, for `PIL.Image.fromarray`."""
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
        """Write the picture in the format of the suffix (`ingest.PICTURE_FORMATS`).

        Parameters and errors are those of `ingest.write_picture`.
        """
        write_picture(
            path, self.image, self.capture, light=self.light,
            quality=quality, bits=bits, metadata=metadata, overwrite=overwrite,
        )  # fmt: skip

    def save_map(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the blur map in the format of the suffix (`ingest.MAP_FORMATS`).

        Raises
        ------
        OutputError
            If there is no map, or the file cannot be written.
        """
        if self.saved_map is None:
            raise OutputError(f"{path}: the picture was left untouched, so there is no blur map")
        write_map(path, self.saved_map, overwrite=overwrite, capture=self.capture)

    def __repr__(self) -> str:
        """One line without pixels: capture, size, graph, time and findings."""
        height, width = self.image.shape[:2]
        codes = ", ".join(finding.code for finding in self.findings)
        return (
            f"<Shot of {self.capture.name!r}: {width}x{height}, graph {self.report.graph}, "
            f"{self.report.spent_ms:.0f} ms, findings: {codes or 'none'}>"
        )
