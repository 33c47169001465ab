"""A lens that focuses: thin-lens blur, and magnification with focus breathing.

Focus is in dioptres, as in Camera2's LENS_FOCUS_DISTANCE: 1 / distance in m, 0 at infinity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from stages.optics import Lens


@dataclass(frozen=True, slots=True, kw_only=True)
class Optics:
    """A lens for the forward model.

    Attributes
    ----------
    lens : Lens
        Focal length and f-number; its sensor is that of all pixels.
    nearest_focus_m : float
        Nearest distance that it can focus at.
    breathing : float
        Share of the thin lens's change of magnification with the focus: 1 for a lens that moves as
        a whole, 0 for a lens that is corrected for it.
    spot_um : float
        Standard deviation of the image of a point in focus: aberrations and diffraction.
    transmittance : float
        Share of the light that passes.
    """

    lens: Lens
    nearest_focus_m: float = 0.1
    breathing: float = 1.0
    spot_um: float = 1.6
    transmittance: float = 0.9

    def __post_init__(self) -> None:
        focal_m = self.lens.focal_length_mm / 1000
        if not focal_m < self.nearest_focus_m < math.inf:
            raise ValueError(
                f"optics: nearest_focus_m must exceed the focal length {focal_m:g} m; "
                f"got {self.nearest_focus_m}"
            )

    @property
    def nearest_dpt(self) -> float:
        """Focus at the nearest distance, in dioptres."""
        return 1 / self.nearest_focus_m

    def blur_mm(self, focus_dpt: float, distance_m: float) -> float:
        """Diameter on the sensor of the blur of a point; negative for points before the focus."""
        return self.lens.defocus_mm2(focus_dpt / 1000) * (focus_dpt - 1 / distance_m) / 1000

    def image_distance_mm(self, focus_dpt: float) -> float:
        """Scale of the picture: mm on the sensor per unit of size / distance.

        A thin lens that is focused at s has its sensor at f / (1 - f / s).
        """
        f = self.lens.focal_length_mm
        grown = 1 / (1 - f * focus_dpt / 1000)
        return f * (1 + self.breathing * (grown - 1))

    def relative_light(self, focus_dpt: float) -> float:
        """Illuminance on the sensor per luminous exitance of the scenery.

        E = exitance * T / (4 N^2 (1 + m)^2), where (1 + m) = v / f is the bellows factor.
        """
        extension = 1 / (1 - self.lens.focal_length_mm * focus_dpt / 1000)
        return self.transmittance / (4 * self.lens.f_number**2 * extension**2)
