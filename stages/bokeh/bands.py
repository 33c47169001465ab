"""Which layer renders which radius: the bands of the renderer and their parameters.

In focus (radius <= 1/2 px) nothing is rendered. Two bands are rendered at full resolution, and
one per octave above at 1/2, 1/4, ... of it; the deepest has no upper end. Neighbours cross-fade
linearly below their common boundary. The ranges of the parameters keep fades from overlapping, so
that the memberships of a pixel add up to one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from stages.bokeh.aperture import Outline
from stages.bokeh.disk import FOCUS_PX
from stages.params import Array, Params, param

DEEPEST_LEVEL = 5  # 1/32 of full resolution; its cells still fit a tile


class Fade(NamedTuple):
    """A radius from which on a band takes over, and how fast (per px)."""

    start_px: float
    slope: float


FOCUS_END = Fade(FOCUS_PX, 1e9)  # all at once: the disk is the identity there
NO_END = Fade(1e9, 1.0)  # beyond any radius


@dataclass(frozen=True, slots=True, kw_only=True)
class BokehParams(Params):
    """Parameters of the lens-blur renderer: where its layers part, its aperture."""

    split_px: float = param(
        4.0, 1.0, 4.0, unit="px", help="Radius that parts the two layers at full resolution."
    )
    coarse_px: float = param(
        12.0, 5.0, 16.0, unit="px", help="Radius from which layers of lower resolution render."
    )
    crossfade: float = param(
        0.15, 0.01, 0.2, help="Part of a layer's largest radius over which it fades into the next."
    )

    highlight_contrast: float = param(
        0.1, 0.001, 10.0, help="Contrast from which on the disk of a highlight is drawn crisply."
    )

    blades: int = param(0, 0, 12, help="Blades of the aperture; fewer than 5: a disk.")
    rotation_deg: float = param(0.0, -180.0, 180.0, unit="deg", help="Rotation of the blades.")
    curvature: float = param(
        0.0, 0.0, 1.0, help="Curvature of the blades: straight at 0, a disk at 1."
    )
    cats_eye: float = param(
        0.0, 0.0, 0.8, help="How much the lens barrel narrows the shape in the corners."
    )

    @property
    def outline(self) -> Outline:
        """Shape of the aperture in the middle of the picture."""
        return Outline(self.blades, self.rotation_deg, self.curvature)

    def levels(self, largest_px: float) -> int:
        """Number of coarse layers that radii up to `largest_px` need."""
        reached = largest_px / (self.coarse_px * (1 - self.crossfade))
        return int(np.clip(np.floor(np.log2(max(reached, 0.5))) + 1, 0, DEEPEST_LEVEL))

    def fade(self, boundary_px: float) -> Fade:
        """How the band beyond a boundary takes over from the one before it."""
        return Fade(boundary_px * (1 - self.crossfade), 1 / (boundary_px * self.crossfade))

    def full_resolution_bands(self) -> list[tuple[Array, float]]:
        """The two bands at full resolution: start, slope, end, slope (px, 1/px), and their end."""
        split, coarse = self.fade(self.split_px), self.fade(self.coarse_px)
        return [
            (np.array([*FOCUS_END, *split], np.float32), self.split_px),
            (np.array([*split, *coarse], np.float32), self.coarse_px),
        ]

    def coarse_boundary(self, level: int) -> float:
        """Radius at which coarse layer `level` (0 is half resolution) begins, in px."""
        return self.coarse_px * 2.0**level
