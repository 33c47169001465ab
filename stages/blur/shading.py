"""Edges that shading explains as well as blur does: a rounded surface has soft edges in focus.

Kriener et al. 2013, Fig. 7. A wide luma edge along which colour keeps its direction (channels
change in proportion, as under more or less light) may be a fold of a surface; where another colour
begins, an edge is one of matter, and a wide one is blurred. Narrow edges are sharp either way.
"""

from __future__ import annotations

from dataclasses import dataclass

from stages.arrays import reduce_by
from stages.blur.formula import smoothstep
from stages.blur.gradients import gaussian_radius, mirrored, scharr_x, scharr_y, smooth
from stages.grid import BlurMap
from stages.kernels import f32, i64, kernel, reads, writes
from stages.params import Array, Params, param
from stages.strips import run_strips, with_halo

SMOOTHING_CELLS = 1.25  # Gaussian before gradients, as at edges, in cells of 2 px
PROPORTIONAL = (0.02, 0.1)  # share of colour change out of proportion: shading .. another colour
WIDE_PX = (3.0, 6.0)  # px of the view: blur from which on an edge may be shading
FLOOR = 1e-12  # squared encoded values, guards quotients
STRIP_PX = 1 << 18  # pixels of the view, half a strip


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadingParams(Params):
    """Parameters of the doubt about soft edges."""

    doubt: float = param(
        0.85, 0.0, 1.0, help="share of its confidence that an edge loses which may be shading"
    )


def doubt_shading(sparse: BlurMap, view: Array, params: ShadingParams) -> BlurMap:
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
    halo, cols = gaussian_radius(SMOOTHING_CELLS) + 1, view.shape[1]

    def part(start: int, stop: int) -> None:
        read, core = with_halo(start, stop, halo, confidence.shape[0])
        cells = smooth(reduce_by(view[2 * read.start : 2 * read.stop], 2), SMOOTHING_CELLS)
        _doubt(
            cells, core.start, sparse.sigma[start:stop], sparse.grid.step / 2, params.doubt,
            confidence[start:stop],
        )  # fmt: skip

    run_strips(part, confidence.shape[0], max(STRIP_PX // cols, halo))
    return BlurMap(sparse.sigma, confidence, sparse.grid)


@kernel(reads(f32, 3), i64, reads(f32, 2), f32, f32, writes(f32, 2))
def _doubt(cells, first, sigma, step, doubt, confidence):  # type: ignore[no-untyped-def]
    """Confidence of samples less the doubt about them; `first` is the row of `cells` they begin."""
    rows, cols = cells.shape[:2]
    for y in range(sigma.shape[0]):
        for x in range(cols):
            if confidence[y, x] == 0 or sigma[y, x] <= WIDE_PX[0] * step:
                continue
            above, below = mirrored(first + y - 1, rows), mirrored(first + y + 1, rows)
            left, right = mirrored(x - 1, cols), mirrored(x + 1, cols)
            size, change, along_x, along_y = FLOOR, FLOOR, 0.0, 0.0
            for k in range(3):
                here = cells[first + y, x, k]
                p, q, r = cells[above, :, k], cells[first + y, :, k], cells[below, :, k]
                gx, gy = scharr_x(p, q, r, left, right), scharr_y(p, r, left, x, right)
                size += here * here
                change += gx * gx + gy * gy
                along_x += gx * here
                along_y += gy * here
            apart = 1 - (along_x * along_x + along_y * along_y) / (size * change)
            shading = 1 - smoothstep(apart, PROPORTIONAL[0], PROPORTIONAL[1])
            shading *= smoothstep(sigma[y, x] / step, WIDE_PX[0], WIDE_PX[1])
            confidence[y, x] *= 1 - doubt * shading
