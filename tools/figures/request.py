"""What is asked of a figure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from problems import pictures

from stages.params import Array

STRENGTH = 2.5  # of all renderings


@dataclass(frozen=True, slots=True)
class Asked:
    """Folders, how many photographs of which size, and how often times are measured."""

    data: Path | None
    folder: Path
    photographs: int
    megapixels: float
    repeats: int

    def pictures(self) -> dict[str, Array]:
        """Names and pictures, encoded HxWx3 float32."""
        return pictures(self.data, self.megapixels, self.photographs)
