"""Propagation: from blur at edges to blur everywhere (Kriener et al. 2013, section 2.2).

`solver.py` is the stage. It runs one of `two_level.py` (the default: `coarse.py` is its model,
`cycle.py` solves that, `transfer.py` goes between pixels and cells), `conjugate_gradients.py`
(the paper's) or `colorization.py`. `bounds.py` adds upper bounds, with
the weights of `weights.py`; `history.py` updates a map after an edit; `fill.py` needs no system.
"""

from stages.propagate.bounds import propagate_bounded
from stages.propagate.fill import fill, nearness
from stages.propagate.history import SolvedMap, SolveHistory
from stages.propagate.solver import PropagateParams, propagate

__all__ = [
    "PropagateParams",
    "SolveHistory",
    "SolvedMap",
    "fill",
    "nearness",
    "propagate",
    "propagate_bounded",
]
