"""Maps solved at half and quarter resolution, upsampled: the paper's outlook on a factor of 4.

The table has the mean squared error to the map that was solved at full resolution, and the seconds
of the upsampling. The picture has the maps of the two forms of guided upsampling.
"""

from __future__ import annotations

import time

import numpy as np
from problems import converged, mse, problem

from figures.drawing import captioned, grey, write_columns
from figures.request import Asked
from stages.laplacian import LaplacianParams, matting_laplacian
from stages.upsample import UpsampleParams, guided_upsample

NEEDS: tuple[str, ...] = ()
STEPS = (2, 4)
AMPLIFIED = 10  # differences, for the eye
WAYS = {  # upsampling by its name in the table
    "guided, as printed": UpsampleParams(method="masked", window_radius_px=10, epsilon=1e-2),
    "guided, ours": UpsampleParams(),
    "joint bilateral": UpsampleParams(method="joint_bilateral"),
    "optimization (Park et al.)": UpsampleParams(method="optimization"),
    "bilinear": UpsampleParams(method="bilinear"),
}


def draw(asked: Asked) -> None:
    """A table for each photograph, and a picture of the maps with their differences."""
    for name, picture in asked.pictures().items():
        full = problem(picture, 1)
        truth = converged(full.laplacian(LaplacianParams()), full.constraints).sigma
        columns = [np.vstack([captioned(grey(truth), "full resolution"), grey(0 * truth)])]
        print(f"\n{name}: MSE to the map of full resolution, px^2")
        print(f"{'upsampling':28}" + "".join(f"{f'by {step}':>12}{'s':>8}" for step in STEPS))
        rows: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
        for step in STEPS:
            given = problem(picture, step)
            laplacian = matting_laplacian(given.guide, LaplacianParams().at_step(step))
            low = converged(laplacian, given.constraints)
            for way, params in WAYS.items():
                started = time.perf_counter()
                sigma = guided_upsample(low, picture, params).sigma
                rows[way].append((mse(sigma, truth), time.perf_counter() - started))
                if way.startswith("guided"):
                    apart = captioned(grey(np.abs(sigma - truth) * AMPLIFIED), "difference x 10")
                    label = f"{way}, by {step}: {rows[way][-1][0]:.1e}"
                    columns.append(np.vstack([captioned(grey(sigma), label), apart]))
        for way, found in rows.items():
            print(f"{way:28}" + "".join(f"{error:12.2e}{took:8.2f}" for error, took in found))
        write_columns(asked.folder / f"quarter_{name}.png", columns)
