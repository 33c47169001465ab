"""Is there defocus to magnify? What the lens predicts, and what the picture shows.

The unit of blur is a pixel of a picture with a long side of 1280 px, where a sigma of 1 px begins
to be visible. `blur_statistics` measures blur by areas and the direction of detail. `judge` turns
them and the optics into findings. Metadata can be wrong or absent, so the verdict is that of the
picture. The optics explain it and say what to do. If they contradict the picture, a finding says
so.
"""

from stages.capture_check.explain import Optics, UnknownOptics
from stages.capture_check.lights import judge_lights
from stages.capture_check.params import CheckParams
from stages.capture_check.quick import quick_blur_statistics
from stages.capture_check.statistics import BlurStatistics, blur_statistics
from stages.capture_check.verdict import NEGATIVE_CODES, judge

__all__ = [
    "NEGATIVE_CODES",
    "BlurStatistics",
    "CheckParams",
    "Optics",
    "UnknownOptics",
    "blur_statistics",
    "judge",
    "judge_lights",
    "quick_blur_statistics",
]
