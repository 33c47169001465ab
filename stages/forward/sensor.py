"""The image sensor: size, sensitivity, noise model and codes.

Variance of a code, for a mean of mu electrons at gain g (Hasinoff, Durand and Freeman 2010, eq. 1;
EMVA Standard 1288, release 4.0, eq. 12):

    K = g / electrons per code
    variance = K^2 (mu + before^2) + after^2 + 1/12

where `before` is the read noise before the amplifier in electrons, `after` that behind it in codes,
and 1/12 the rounding. Photon noise is drawn from a normal distribution of variance mu.

Sensitivity is the saturation-based ISO speed (ISO 12232:2019): 78 / H, where H is the exposure in
lux s at which the sensor clips.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

PHOTONS_PER_LUX_S_UM2 = 4092.0  # at 555 nm: 1 / (683 lm/W * h c / lambda), per square micrometre
SATURATION_SPEED = 78.0  # ISO 12232, lux s
COLOURS = "RGB"
PATTERNS = ("RGGB", "BGGR", "GRBG", "GBRG")
NEUTRAL = (0.5, 1.0, 0.625)  # what red and blue pixels see of white light, green being 1
XYZ_TO_SRGB = (  # IEC 61966-2-1, the inverse of its matrix to XYZ
    (3.2406, -1.5372, -0.4986), (-0.9689, 1.8758, 0.0415), (0.0557, -0.2040, 1.0570),
)  # fmt: skip


class View(NamedTuple):
    """A part of the sensor's plane as a lattice of pixels: what is exposed.

    `offset_px` is the place of its middle from the axis, (down, right), in its own pixels.
    """

    rows: int
    cols: int
    pitch_mm: float
    offset_px: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor:
    """A sensor with a Bayer mosaic; its primaries are those of sRGB.

    Attributes
    ----------
    rows, cols : int
        Pixels, even numbers.
    pitch_um : float
        Side of a pixel.
    quantum_efficiency : float
        Electrons per photon in a green pixel.
    full_well_e : float
        Electrons at which a pixel clips.
    read_before_e, read_after_codes : float
        Read noise before the amplifier (electrons) and behind it (codes), standard deviations.
    black_level : int
        Code of no light.
    bits : int
        Of the codes: 10 to 14.
    pattern : str
        Colours of the mosaic by rows: RGGB, BGGR, GRBG or GBRG.
    most_gain : float
        Largest gain; also the largest sensitivity over the base sensitivity.
    readout_ms : float
        From the first to the last row (rolling shutter).
    neutral : (float, float, float)
        Response of red, green and blue pixels to white light.
    """

    rows: int = 720
    cols: int = 1280
    pitch_um: float = 5.0
    quantum_efficiency: float = 0.6
    full_well_e: float = 60_000.0
    read_before_e: float = 4.0
    read_after_codes: float = 1.2
    black_level: int = 64
    bits: int = 10
    pattern: str = "RGGB"
    most_gain: float = 64.0
    readout_ms: float = 20.0
    neutral: tuple[float, float, float] = NEUTRAL

    def __post_init__(self) -> None:
        if not 10 <= self.bits <= 14:
            raise ValueError(f"sensor: bits must be 10 to 14; got {self.bits}")
        if self.pattern not in PATTERNS:
            raise ValueError(f"sensor: pattern must be one of {PATTERNS}; got {self.pattern!r}")
        if self.rows < 2 or self.cols < 2 or self.rows % 2 or self.cols % 2:
            raise ValueError(f"sensor: rows and cols must be even; got {self.rows} x {self.cols}")
        if not 0 <= self.black_level < self.white_level:
            raise ValueError(f"sensor: black_level must lie below white; got {self.black_level}")
        for name in ("pitch_um", "quantum_efficiency", "full_well_e", "most_gain"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ValueError(f"sensor: {name} must be greater than 0")
        for name in ("read_before_e", "read_after_codes", "readout_ms"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"sensor: {name} must not be less than 0")

    @property
    def white_level(self) -> int:
        """Largest code."""
        return int(2**self.bits - 1)

    @property
    def electrons_per_code(self) -> float:
        """At gain 1, where the full well is the white level."""
        return self.full_well_e / (self.white_level - self.black_level)

    @property
    def electrons_per_lux_s(self) -> float:
        """In a green pixel, of light on the sensor."""
        return PHOTONS_PER_LUX_S_UM2 * self.pitch_um**2 * self.quantum_efficiency

    @property
    def base_iso(self) -> float:
        """Sensitivity at gain 1: 78 / (exposure in lux s that clips)."""
        return SATURATION_SPEED * self.electrons_per_lux_s / self.full_well_e

    @property
    def sensitivity_range(self) -> tuple[int, int]:
        """Least and largest ISO sensitivity, as SENSOR_INFO_SENSITIVITY_RANGE."""
        return math.ceil(self.base_iso), math.floor(self.base_iso * self.most_gain)

    def gain_at(self, iso: float) -> float:
        """Gain at an ISO sensitivity."""
        return iso / self.base_iso

    def read_noise_e(self, gain: float) -> float:
        """Read noise in electrons at a gain, from before and behind the amplifier."""
        behind = self.read_after_codes * self.electrons_per_code / gain
        return math.hypot(self.read_before_e, behind)

    def noise_profile(self, gain: float) -> tuple[float, float]:
        """Scale S and offset O of DNG's NoiseProfile: variance S x + O for signals x in [0, 1]."""
        span = self.white_level - self.black_level
        per_code = self.electrons_per_code / gain
        scale = 1 / (per_code * span)
        rounding = 1 / 12 / span**2
        return scale, (self.read_noise_e(gain) / (per_code * span)) ** 2 + rounding

    def view(self) -> View:
        """All pixels."""
        return View(self.rows, self.cols, self.pitch_um / 1000)

    def window(self, centre: tuple[float, float], rows: int, cols: int) -> View:
        """Part of the sensor about a point (y, x as shares of its sides), moved to lie inside."""
        offsets = []
        for place, side, part in zip(centre, (self.rows, self.cols), (rows, cols), strict=True):
            first = min(max(2 * round((place * side - part / 2) / 2), 0), side - part)
            offsets.append(first + part / 2 - side / 2)
        return View(rows, cols, self.pitch_um / 1000, (offsets[0], offsets[1]))

    def binned(self, factor: int) -> Self:
        """The same sensor with pixels of the same colour added up in squares.

        Codes keep their range: signals and full wells add up, and read noise adds in squares.
        """
        return replace(
            self,
            rows=self.rows // factor // 2 * 2,
            cols=self.cols // factor // 2 * 2,
            pitch_um=self.pitch_um * factor,
            full_well_e=self.full_well_e * factor**2,
            read_before_e=self.read_before_e * factor,
            read_after_codes=self.read_after_codes / factor,
        )

    def colour_of_places(self) -> tuple[int, int, int, int]:
        """Index of the colour (0 red, 1 green, 2 blue) at each place of the mosaic, by rows."""
        first, second, third, fourth = (COLOURS.index(colour) for colour in self.pattern)
        return first, second, third, fourth

    def colour_matrix(self) -> npt.NDArray[np.float64]:
        """XYZ (D65) to camera values, 3 x 3: DNG's ColorMatrix1."""
        return np.asarray(np.array(self.neutral)[:, None] * np.array(XYZ_TO_SRGB))
