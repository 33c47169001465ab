"""Defocus blur at edges, from the ratio of gradient energies at two scales.

If an edge of Gaussian blur sigma is smoothed by a Gaussian of standard deviation s, its peak
gradient energy is proportional to 1 / (sigma^2 + s^2). With energies A and B at scales a < b, and
rho = A / B,

    sigma^2 = (v_b - rho v_a) / (rho - 1),    v_s = s^2 + c,

where c is the variance that the derivative operator adds. With a = 0 and c = 0 this is eq. (1) of
Kriener, Binder and Wille (2013), after Zhuo and Sim (2011). With c = 0.345 px^2 it is exact for the
Scharr operator. Energies are measured on the luma of a display-encoded view, and scales are in
pixels of that view. `link_edges` converts the result to sigma in full-resolution pixels.

`edge_blur` applies the formula to each edge pixel independently. `octave_blur` averages the
energies of neighbouring edge pixels first, on five octaves. `second_derivative_blur`, for
comparison, fits the second derivative across edges. `sharpness_evidence` finds upper bounds on
sigma, also away from edges.

Pictures are processed in full-width strips, which does not change the result. `survey` computes the
statistics of the whole picture, `edge_blur` is local (its halo is `BlurParams.halo`), and
`link_edges` is global but cheap. Temporary arrays exist only for the strips being processed.
"""

from stages.blur.alone import EdgeCandidates, edge_blur
from stages.blur.ball_edges import (
    BallParams,
    accepted_balls,
    add_ball_edges,
    without_ball_rims,
)
from stages.blur.balls import Balls, find_balls
from stages.blur.consensus import ConsensusParams, edge_consensus
from stages.blur.detail import keep_detail
from stages.blur.edges import linked_edges, thin_edges
from stages.blur.evidence import EvidenceParams, sharpness_evidence
from stages.blur.gradients import gradient
from stages.blur.octaves import octave_blur
from stages.blur.ownership import OwnershipParams, border_ownership
from stages.blur.params import BlurParams
from stages.blur.protect import (
    CoarseParams,
    coarse_edges,
    crossings,
    sharp_edges_bound,
    unclaimed,
    within_bounds,
)
from stages.blur.second_derivative import second_derivative_blur
from stages.blur.shading import ShadingParams, doubt_shading
from stages.blur.sparse import clean_sparse, link_edges
from stages.blur.survey import EdgeSurvey, noise_sigma, survey

__all__ = [
    "BallParams",
    "Balls",
    "BlurParams",
    "CoarseParams",
    "ConsensusParams",
    "EdgeCandidates",
    "EdgeSurvey",
    "EvidenceParams",
    "OwnershipParams",
    "ShadingParams",
    "accepted_balls",
    "add_ball_edges",
    "border_ownership",
    "clean_sparse",
    "coarse_edges",
    "crossings",
    "doubt_shading",
    "edge_blur",
    "edge_consensus",
    "find_balls",
    "gradient",
    "keep_detail",
    "link_edges",
    "linked_edges",
    "noise_sigma",
    "octave_blur",
    "second_derivative_blur",
    "sharp_edges_bound",
    "sharpness_evidence",
    "survey",
    "thin_edges",
    "unclaimed",
    "within_bounds",
    "without_ball_rims",
]
