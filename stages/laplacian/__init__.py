"""The matting Laplacian of a guide picture, as a matrix-free operator.

`matting.py` prepares it (eq. (5) of Kriener, Binder and Wille 2013), `reference.py` multiplies by
box filters, as printed, `fused.py` does so in one pass of float32, `cells.py` keeps the colour
statistics that the two-level solver needs, `windows.py` the small algebra of windows.
"""

from stages.laplacian.fused import apply_system
from stages.laplacian.matting import (
    LaplacianParams,
    MattingLaplacian,
    grid_laplacian,
    matting_laplacian,
)
from stages.laplacian.reference import apply_laplacian

__all__ = [
    "LaplacianParams",
    "MattingLaplacian",
    "apply_laplacian",
    "apply_system",
    "grid_laplacian",
    "matting_laplacian",
]
