"""Bands of radius: which layer renders which radius, and the parameters of the renderer.

Pixels in focus (radius <= 1/2 px) are not blurred. Larger radii are divided into bands, and each
band is rendered as one layer: two bands at full resolution, then one band per octave at 1/2, 1/4,
... of it. The last band has no upper end. Adjacent bands cross-fade linearly below their common
boundary. The ranges of the parameters prevent the fades from overlapping, so the memberships of a
pixel in all layers add up to one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from stages.bokeh.aperture import Outline
from stages.bokeh.disk import FOCUS_PX
from stages.params import Array, Params, param

LARGEST_CATS_EYE = 0.8
DEEPEST_LEVEL = 5  # coarse levels, down to 1/32: a cell of 32 px is as high as a tile


class Fade(NamedTuple):
    """Linear cross-fade from a band to the next: radius where it starts, and slope per px."""

    start_px: float
    slope: float


FOCUS_END = Fade(FOCUS_PX, 1e9)  # a step: no fade is needed, since the disk is the identity there
NO_END = Fade(1e9, 1.0)  # above all radii


@dataclass(frozen=True, slots=True, kw_only=True)
class BokehParams(Params):
    """Parameters of the lens-blur renderer: boundaries of its layers, and the aperture."""

    split_px: float = param(
        4.0, 1.0, 4.0, unit="px", help="Radius at which the second layer at full resolution starts."
    )
    coarse_px: float = param(
        12.0, 5.0, 16.0, unit="px", help="Radius at which the layers of lower resolution start."
    )
    crossfade: float = param(
        0.15, 0.01, 0.2, help="Width of the fade into the next layer, relative to its boundary."
    )

    highlight_contrast: float = param(
        0.1, 0.001, 10.0, help="Contrast from which a highlight is drawn at full resolution."
    )

    blades: int = param(0, 0, 12, help="Number of aperture blades; below 5: a disk.")
    rotation_deg: float = param(0.0, -180.0, 180.0, unit="deg", help="Rotation of the blades.")
    curvature: float = param(
        0.0, 0.0, 1.0, help="Curvature of the blades: 0 is a polygon, 1 a disk."
    )
    cats_eye: float = param(
        0.0,
        0.0,
        LARGEST_CATS_EYE,
        help="Strength of optical vignetting (cat's eye) in the corners.",
    )

    @property
    def outline(self) -> Outline:
        """Outline of the aperture in the middle of the picture."""
        return Outline(self.blades, self.rotation_deg, self.curvature)

    def levels(self, largest_px: float) -> int:
        """Number of coarse layers that are needed for radii up to `largest_px`."""
        ratio = largest_px / (self.coarse_px * (1 - self.crossfade))
        return int(np.clip(np.floor(np.log2(max(ratio, 0.5))) + 1, 0, DEEPEST_LEVEL))

    def fade(self, boundary_px: float) -> Fade:
        """Cross-fade below a boundary between two bands."""
        return Fade(boundary_px * (1 - self.crossfade), 1 / (boundary_px * self.crossfade))

    def full_resolution_bands(self) -> list[tuple[Array, float]]:
        """Bands at full resolution: fade-in (px, 1/px), fade-out (px, 1/px), and upper end (px)."""
        split, coarse = self.fade(self.split_px), self.fade(self.coarse_px)
        return [
            (np.array([*FOCUS_END, *split], np.float32), self.split_px),
            (np.array([*split, *coarse], np.float32), self.coarse_px),
        ]

    def coarse_boundary(self, level: int) -> float:
        """Radius in px at which coarse layer `level` starts; level 0 is half resolution."""
        return self.coarse_px * 2.0**level
