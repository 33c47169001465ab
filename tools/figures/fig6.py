"""Figure 6: mean squared error against time on one thread, with mean and variance (eq. 9).

Errors are against the converged solution, and against "direct at 500 steps", which the paper took
for it.
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Iterator

import cv2
from problems import converged, mse, problem

from figures.drawing import log_plot
from figures.methods import methods, run
from figures.request import Asked
from stages import strips
from stages.laplacian import LaplacianParams
from stages.params import Array

NEEDS = ("matplotlib",)
HEAD = f"{'method':36}{'steps':>6}{'mean s':>10}{'variance':>11}{'MSE':>11}{'to 500':>11}"


def draw(asked: Asked) -> None:
    """One table and one plot for each photograph."""
    with _one_thread():
        for name, picture in asked.pictures().items():
            _against_time(name, picture, asked)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    before = strips.workers(), cv2.getNumThreads()
    strips.set_workers(1)
    cv2.setNumThreads(1)
    yield
    strips.set_workers(before[0])
    cv2.setNumThreads(before[1])


def _against_time(name: str, picture: Array, asked: Asked) -> None:
    """Table and plot of one photograph."""
    ways, given = methods(picture), problem(picture, 1)
    truth = converged(given.laplacian(LaplacianParams()), given.constraints).sigma
    for method in ways.values():
        run(method._replace(steps=(1,)))  # loads the kernels
    runs = {way: [run(method) for _ in range(asked.repeats)] for way, method in ways.items()}
    at_500 = runs["direct, CG"][0][-1][1]
    print(f"\n{name}: direct at 500 steps is {mse(at_500, truth):.2e} px^2 from converged")
    lines, curves = [HEAD], {}
    for way, repeated in runs.items():
        curve = []
        for k, steps in enumerate(ways[way].steps):
            times, sigma = [once[k][0] for once in repeated], repeated[0][k][1]
            mean, error = statistics.mean(times), mse(sigma, truth)
            spread = statistics.variance(times) if asked.repeats > 1 else 0.0
            lines.append(
                f"{way:36}{steps:6}{mean:10.3f}{spread:11.1e}{error:11.2e}"
                f"{mse(sigma, at_500):11.2e}"
            )
            curve.append((mean, error))
        curves[way] = curve
    print("\n".join(lines))
    (asked.folder / f"fig6_{name}.txt").write_text("\n".join(lines) + "\n")
    title = f"{name}, {picture.shape[1]} x {picture.shape[0]}, one thread"
    labels = "time / s", "MSE / px^2 against the converged solution"
    log_plot(asked.folder / f"fig6_{name}.png", title, labels, curves)
