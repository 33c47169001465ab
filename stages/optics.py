"""Thin-lens optics: hyperfocal distance, depth of field, and blur of the background.

Distances are from the lens, in millimetres unless a name says otherwise. The circle of confusion
is the sensor's diagonal / 1500 (28.8 um on full frame) unless it is given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

FULL_FRAME_DIAGONAL_MM = 43.267
CIRCLES_PER_DIAGONAL = 1500
FAR_M = 1000.0  # larger distances count as infinite


@dataclass(frozen=True, slots=True, kw_only=True)
class Lens:
    """A lens in front of a sensor.

    Raises
    ------
    ValueError
        Naming the parameter that is not positive.
    """

    focal_length_mm: float
    f_number: float
    sensor_diagonal_mm: float
    circle_of_confusion_mm: float = 0.0  # 0: sensor_diagonal_mm / 1500

    def __post_init__(self) -> None:
        for name in ("focal_length_mm", "f_number", "sensor_diagonal_mm"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"optics: {name} must be greater than 0; got {value}")
        if not self.circle_of_confusion_mm:
            standard = self.sensor_diagonal_mm / CIRCLES_PER_DIAGONAL
            object.__setattr__(self, "circle_of_confusion_mm", standard)
        if not (math.isfinite(self.circle_of_confusion_mm) and self.circle_of_confusion_mm > 0):
            coc = self.circle_of_confusion_mm
            raise ValueError(f"optics: circle_of_confusion_mm must be greater than 0; got {coc}")

    @property
    def hyperfocal_mm(self) -> float:
        """Focus at this distance or beyond: infinity is sharp. H = f^2 / (N c) + f."""
        f = self.focal_length_mm
        return f * f / (self.f_number * self.circle_of_confusion_mm) + f

    def _check_distance(self, distance_mm: float) -> None:
        f = self.focal_length_mm
        if not (math.isfinite(distance_mm) and distance_mm > f):
            raise ValueError(
                f"optics: distance must exceed the focal length {f:g} mm; got {distance_mm:g} mm"
            )

    def depth_of_field_mm(self, distance_mm: float) -> tuple[float, float]:
        """Nearest and farthest distance that are sharp when focused at `distance_mm`."""
        self._check_distance(distance_mm)
        reach, f = self.hyperfocal_mm, self.focal_length_mm
        near = distance_mm * (reach - f) / (reach + distance_mm - 2 * f)
        if distance_mm >= reach:
            return near, math.inf
        return near, distance_mm * (reach - f) / (reach - distance_mm)

    def background_blur_mm(self, distance_mm: float) -> float:
        """Diameter on the sensor of the blur of infinity: f^2 / (N (s - f))."""
        self._check_distance(distance_mm)
        f = self.focal_length_mm
        return f * f / (self.f_number * (distance_mm - f))

    def defocus_mm2(self, inverse_focus: float) -> float:
        """Signed diameter on the sensor of the blur, per unit of inverse distance.

        Focused at the distance s, a point at the distance z is blurred to the diameter
        c = f^2 / (N (1 - f / s)) * (1/s - 1/z). It is linear in 1/z, and negative before the focus.

        Parameters
        ----------
        inverse_focus : float
            1/s in 1/mm; 0 is a focus at infinity.

        Returns
        -------
        float
            f^2 / (N (1 - f / s)), mm / (1/mm).
        """
        f = self.focal_length_mm
        if inverse_focus > 0:
            self._check_distance(1 / inverse_focus)
        return f * f / (self.f_number * (1 - f * inverse_focus))

    def distance_for_blur_mm(self, blur_mm: float) -> float:
        """Focus distance at which infinity is blurred to the diameter `blur_mm`."""
        f = self.focal_length_mm
        return f + f * f / (self.f_number * blur_mm)

    def pixel_mm(self, shape: tuple[int, int]) -> float:
        """Size on the sensor of a pixel of a picture that uses the whole sensor."""
        return self.sensor_diagonal_mm / math.hypot(*shape)


def distance_text(distance_m: float, figures: int = 2) -> str:
    """Distance for people, such as `4.5 cm`, `12 m`, `over 1 km`.

    Parameters
    ----------
    distance_m : float
        Distance in m, above 0.
    figures : int
        Significant digits, at most.
    """
    if distance_m > FAR_M:
        return "over 1 km"
    rounded = round(distance_m, figures - 1 - math.floor(math.log10(distance_m)))
    if rounded >= FAR_M:
        return "1 km"
    return f"{rounded * 100:.3g} cm" if rounded < 0.1 else f"{rounded:.3g} m"


def limit_text(distance_m: float) -> str:
    """Distance after "nearer than", for people; never more than `1 km`."""
    return distance_text(min(distance_m, FAR_M))
