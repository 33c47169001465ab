"""Maps solved at half and quarter resolution, upsampled: the paper's outlook on a factor of 4.

For each way to upsample: the mean squared error to the map that was solved at full resolution; that
part of it which upsampling alone causes (the full map, reduced and upsampled again); the texture of
the picture that it copies into the map where there should be none; and its time. The picture has
the maps of the two forms of guided upsampling.
"""

from __future__ import annotations

import time

import cv2
import numpy as np
from problems import converged, mse, problem

from figures.drawing import captioned, grey, write_columns
from figures.request import Asked
from stages.grid import BlurMap, Grid, lift
from stages.laplacian import LaplacianParams, matting_laplacian
from stages.params import Array
from stages.upsample import UpsampleParams, guided_upsample

NEEDS: tuple[str, ...] = ()
STEPS = (2, 4)
AMPLIFIED = 10  # differences, for the eye
TEXTURE_PX, SMOOTH_PX = 4.0, 0.02  # finer detail is texture; the map is smooth where it has less
WAYS = {  # upsampling by its name in the table
    "guided, as printed": UpsampleParams(method="masked", window_radius_px=10, epsilon=1e-2),
    "guided, ours": UpsampleParams(),
    "joint bilateral": UpsampleParams(method="joint_bilateral"),
    "optimization (Park et al.)": UpsampleParams(method="optimization"),
    "bilinear": UpsampleParams(method="bilinear"),
}
HEAD = f"{'upsampling':28}{'by':>4}{'MSE':>11}{'alone':>11}{'texture px':>12}{'s':>8}"


def draw(asked: Asked) -> None:
    """A table for each photograph, and a picture of the maps with their differences."""
    for name, picture in asked.pictures().items():
        given = problem(picture, 1)
        full = converged(given.laplacian(LaplacianParams()), given.constraints)
        columns = [np.vstack([captioned(grey(full.sigma), "solved in full"), grey(0 * full.sigma)])]
        print(f"\n{name}: errors to the map of full resolution, px^2\n{HEAD}")
        for step in STEPS:
            given = problem(picture, step)
            laplacian = matting_laplacian(given.guide, LaplacianParams().at_step(step))
            low = converged(laplacian, given.constraints)
            exact = lift(full, Grid.cells(picture.shape[:2], step))
            for way, params in WAYS.items():
                sigma, seconds = _upsampled(low, picture, params)
                alone = mse(_upsampled(exact, picture, params)[0], full.sigma)
                error = mse(sigma, full.sigma)
                texture_px = copied_texture(sigma, full.sigma)
                print(f"{way:28}{step:4}{error:11.2e}{alone:11.2e}{texture_px:12.4f}{seconds:8.2f}")
                if way.startswith("guided"):
                    apart = grey(np.abs(sigma - full.sigma) * AMPLIFIED)
                    label = f"{way}, by {step}: {error:.1e}"
                    columns.append(
                        np.vstack([
                            captioned(grey(sigma), label), captioned(apart, "difference x 10"),
                        ])
                    )  # fmt: skip
        write_columns(asked.folder / f"quarter_{name}.png", columns)


def copied_texture(sigma: Array, truth: Array) -> float:
    """Fine detail of a map where the true map is smooth: root mean square, px."""
    fine, expected = (each - cv2.GaussianBlur(each, (0, 0), TEXTURE_PX) for each in (sigma, truth))
    smooth = np.abs(expected) < SMOOTH_PX
    return float(np.sqrt(np.mean(fine[smooth] ** 2))) if smooth.any() else 0.0


def _upsampled(low: BlurMap, picture: Array, params: UpsampleParams) -> tuple[Array, float]:
    """Map at full resolution, and seconds."""
    started = time.perf_counter()
    sigma = guided_upsample(low, picture, params).sigma
    return sigma, time.perf_counter() - started
