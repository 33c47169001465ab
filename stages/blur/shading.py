"""Edges that shading explains as well as blur does: a rounded surface has soft edges in focus.

Kriener et al. 2013, Fig. 7. A wide luma edge along which colour keeps its direction (channels
change in proportion, as under more or less light) may be a fold of a surface; where another colour
begins, an edge is one of matter, and a wide one is blurred. Narrow edges are sharp either way.
"""

from __future__ import annotations

from dataclasses import dataclass

from stages.arrays import reduce_by
from stages.blur.formula import smoothstep
from stages.blur.gradients import mirrored, scharr_x, scharr_y
from stages.grid import BlurMap, SparseBlur
from stages.kernels import f32, i64, kernel, reads, writes
from stages.kinds import Encoded
from stages.params import Params, param
from stages.strips import run_strips, with_halo

MEAN_PX = 4  # square whose means are compared: as coarse as the edges when they are found
PROPORTIONAL = (0.02, 0.1)  # share of colour change out of proportion: shading .. another colour
WIDE_PX = (3.0, 6.0)  # px of the view: blur from which on an edge may be shading
FLOOR = 1e-12  # squared encoded values, guards quotients
STRIP_PX = 1 << 18  # pixels of the view, half a strip


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadingParams(Params):
    """Parameters of the doubt about soft edges."""

    doubt: float = param(
        0.95, 0.0, 1.0, help="share of its confidence that an edge loses which may be shading"
    )


def doubt_shading(sparse: SparseBlur, view: Encoded, params: ShadingParams) -> SparseBlur:
    """Lower the confidence of wide edges that may be shading.

    Parameters
    ----------
    sparse : BlurMap
        Blur on cells of 2 x 2 pixels of the view.
    view : Array
        HxWx3 float32, display-encoded in [0, 1].
    params : ShadingParams
        How much to doubt.

    Returns
    -------
    BlurMap
        The same samples with confidence times 1 - doubt * (how well shading explains them).
    """
    confidence = sparse.confidence.copy()
    rows, cols = confidence.shape
    grain = MEAN_PX // 2  # cells of the map that share a mean

    def part(start: int, stop: int) -> None:
        read, core = with_halo(start, stop, grain, rows)
        means = reduce_by(reduce_by(view[2 * read.start : 2 * read.stop], 2), 2)
        _doubt(
            means, core.start, sparse.sigma[start:stop], sparse.grid.step / 2, params.doubt,
            confidence[start:stop],
        )  # fmt: skip

    run_strips(part, rows, -(-STRIP_PX // (2 * cols * grain)) * grain)
    return BlurMap(sparse.sigma, confidence, sparse.grid)


@kernel(reads(f32, 3), i64, reads(f32, 2), f32, f32, writes(f32, 2))
def _doubt(means, first, sigma, step, doubt, confidence):  # type: ignore[no-untyped-def]
    """Confidence of samples less the doubt about them; `first` is their first row over `means`."""
    height, width = means.shape[:2]
    for y in range(sigma.shape[0]):
        j = (first + y) // 2
        above, below = mirrored(j - 1, height), mirrored(j + 1, height)
        for x in range(sigma.shape[1]):
            if confidence[y, x] == 0 or sigma[y, x] <= WIDE_PX[0] * step:
                continue
            i = x // 2
            left, right = mirrored(i - 1, width), mirrored(i + 1, width)
            size, change, along_x, along_y = FLOOR, FLOOR, 0.0, 0.0
            for k in range(3):
                here = means[j, i, k]
                p, q, r = means[above, :, k], means[j, :, k], means[below, :, k]
                gx, gy = scharr_x(p, q, r, left, right), scharr_y(p, r, left, i, right)
                size += here * here
                change += gx * gx + gy * gy
                along_x += gx * here
                along_y += gy * here
            apart = 1 - (along_x * along_x + along_y * along_y) / (size * change)
            shading = 1 - smoothstep(apart, PROPORTIONAL[0], PROPORTIONAL[1])
            shading *= smoothstep(sigma[y, x] / step, WIDE_PX[0], WIDE_PX[1])
            confidence[y, x] *= 1 - doubt * shading
