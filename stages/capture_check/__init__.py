"""Is there defocus to magnify? What the lens predicts, and what the picture shows.

The picture is looked at with a long side of 1280 px, where a blur of sigma 1 px begins to be seen.
`gather_evidence` measures blur by areas and the direction of detail, `judge` turns both and the
optics into findings. Metadata can be wrong or absent, so the verdict is the picture's; the optics
explain it, say what to do, and are doubted where the picture contradicts them.
"""

from stages.capture_check.evidence import Evidence, gather_evidence
from stages.capture_check.explain import Optics, UnknownOptics
from stages.capture_check.params import CheckParams
from stages.capture_check.quick import quick_evidence
from stages.capture_check.verdict import NEGATIVE_CODES, judge

__all__ = [
    "NEGATIVE_CODES",
    "CheckParams",
    "Evidence",
    "Optics",
    "UnknownOptics",
    "gather_evidence",
    "judge",
    "quick_evidence",
]
