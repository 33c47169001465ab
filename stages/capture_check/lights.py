"""Lights out of focus as evidence of defocus: bokeh balls tell blur where no edge does.

At night the background is dark, and its lamps are clipped: edges there are not measured. A lamp out
of focus is a disk, and several disks of about one size are no coincidence.
"""

from __future__ import annotations

import numpy as np

from stages.blur import Balls
from stages.capture_check.params import CheckParams
from stages.findings import Finding, Severity
from stages.grid import Grid

SIMILAR = 0.25  # relative difference of radii that count as one size
OVERRULED = frozenset({"everything_in_focus", "defocus_weak"})


def judge_lights(
    judged: tuple[Finding, ...], balls: Balls, grid: Grid, params: CheckParams
) -> tuple[Finding, ...]:
    """Overrule a verdict that found no defocus, if lights show it.

    Parameters
    ----------
    judged : tuple of Finding
        Of `judge`; the verdict comes first.
    balls : Balls
        Bright disks with a hard rim, in full-resolution px.
    grid : Grid
        Grid of the view.
    params : CheckParams
        How many disks of which radius count.

    Returns
    -------
    tuple of Finding
        The same findings, or with the verdict `defocus_present`.
    """
    verdict, *others = judged
    if verdict.code not in OVERRULED:
        return judged
    radius = np.sort(balls.radius[balls.clipped]) / grid.step
    radius = radius[radius >= params.light_radius_px]
    count = np.searchsorted(radius, radius * (1 + SIMILAR), side="right") - np.arange(radius.size)
    if not count.size or count.max() < params.least_lights:
        return judged
    first = int(count.argmax())
    size = float(np.median(radius[first : first + count[first]]))
    found = Finding(
        "defocus_present", Severity.INFO,
        f"Lights out of focus found ({count[first]} disks with a radius of about {size:.0f} px of "
        "the view); they can be enlarged.",
        size, params.light_radius_px,
    )  # fmt: skip
    return (found, *others)
