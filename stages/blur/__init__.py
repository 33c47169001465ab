"""Defocus blur at edges, from the ratio of gradient energies at two scales.

An edge of Gaussian blur sigma, smoothed by a Gaussian s, has peak gradient energy proportional to
1 / (sigma^2 + s^2). With energies A and B at scales a < b and rho = A / B,

    sigma^2 = (v_b - rho v_a) / (rho - 1),    v_s = s^2 + c,

where c is the variance that the derivative operator adds. With a = 0 and c = 0 this is eq. (1) of
Kriener, Binder and Wille (2013), after Zhuo and Sim (2011); c = 0.345 px^2 makes it exact for the
Scharr operator. Everything is measured on the luma of a display-encoded view, in pixels of that
view; `link_edges` converts to sigma in full-resolution pixels.

That is the estimate of one edge by itself. `octave_blur` lets edges share their energies, on three
octaves; `sharpness_evidence` finds upper bounds away from edges.

The work is cut into full-width strips without changing the result: `survey` gathers what must be
known of the whole picture, `edge_blur` is local (its halo is `BlurParams.halo`), `link_edges` is
global and cheap. Temporaries are those of the strips in flight.
"""

from stages.blur.alone import EdgeCandidates, edge_blur
from stages.blur.consensus import ConsensusParams, edge_consensus
from stages.blur.detail import keep_detail
from stages.blur.edges import linked_edges, thin_edges
from stages.blur.evidence import EvidenceParams, sharpness_evidence
from stages.blur.gradients import gradient
from stages.blur.octaves import octave_blur
from stages.blur.params import BlurParams
from stages.blur.protect import (
    CoarseParams,
    coarse_edges,
    crossings,
    sharp_edges_bound,
    unclaimed,
    within_bounds,
)
from stages.blur.shading import ShadingParams, doubt_shading
from stages.blur.sparse import clean_sparse, link_edges
from stages.blur.survey import EdgeSurvey, noise_sigma, survey

__all__ = [
    "BlurParams",
    "CoarseParams",
    "ConsensusParams",
    "EdgeCandidates",
    "EdgeSurvey",
    "EvidenceParams",
    "ShadingParams",
    "clean_sparse",
    "coarse_edges",
    "crossings",
    "doubt_shading",
    "edge_blur",
    "edge_consensus",
    "gradient",
    "keep_detail",
    "link_edges",
    "linked_edges",
    "noise_sigma",
    "octave_blur",
    "sharpness_evidence",
    "survey",
    "thin_edges",
    "unclaimed",
    "sharp_edges_bound",
    "within_bounds",
]
