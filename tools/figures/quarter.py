"""Our converged map at full, half and quarter resolution: the paper's outlook on a factor of 4."""

from __future__ import annotations

import numpy as np
from problems import converged, mse, problem

from figures.drawing import captioned, grey, write_columns
from figures.request import Asked
from stages.laplacian import LaplacianParams, matting_laplacian
from stages.upsample import UpsampleParams, guided_upsample

NEEDS: tuple[str, ...] = ()
AMPLIFIED = 10  # differences, for the eye
WAYS = {  # upsampling by its name in the table
    "guided, as printed": UpsampleParams(method="masked", window_radius_px=10, epsilon=1e-2),
    "guided, ours": UpsampleParams(),
    "joint bilateral": UpsampleParams(method="joint_bilateral"),
    "bilinear": UpsampleParams(method="bilinear"),
}


def draw(asked: Asked) -> None:
    """A table for each photograph, and a picture of the maps with their differences."""
    for name, picture in asked.pictures().items():
        full = problem(picture, 1)
        truth = converged(full.laplacian(LaplacianParams()), full.constraints).sigma
        columns = [np.vstack([captioned(grey(truth), "full resolution"), grey(0 * truth)])]
        print(f"\n{name}: MSE to the map of full resolution, px^2")
        print(f"{'upsampling':24}{'by 2':>12}{'by 4':>12}")
        errors: dict[str, list[float]] = {way: [] for way in WAYS}
        for step in (2, 4):
            given = problem(picture, step)
            laplacian = matting_laplacian(given.guide, LaplacianParams().at_step(step))
            low = converged(laplacian, given.constraints)
            for way, params in WAYS.items():
                sigma = guided_upsample(low, picture, params).sigma
                errors[way].append(mse(sigma, truth))
                if way.startswith("guided"):
                    apart = captioned(grey(np.abs(sigma - truth) * AMPLIFIED), "difference x 10")
                    label = f"{way}, by {step}: {errors[way][-1]:.1e}"
                    columns.append(np.vstack([captioned(grey(sigma), label), apart]))
        for way, found in errors.items():
            print(f"{way:24}" + "".join(f"{error:12.2e}" for error in found))
        write_columns(asked.folder / f"quarter_{name}.png", columns)
