"""The figures of Kriener, Binder and Wille 2013: `python tools/reproduce.py FIGURE`.

fig6: mean squared error against time, as a plot and a table of mean and variance (eq. 9), on one
thread: the direct method, the paper's scheme (half resolution, guided upsampling as printed), and
ours at half and at full resolution. Errors are against the converged solution and against "direct
at 500 steps", which the paper took for it. fig5: maps and renderings of the direct method, the
paper's scheme and ours, side by side. fig7: smooth subjects (a synthetic ball, porcelain, skin,
plastic) without and with the doubt about edges that shading explains. quarter: our map at full,
half and quarter resolution. Photographs have the size of the paper's, 0.43 MP; pictures and tables
go to the folder `-o`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from problems import PAPER, PHOTOGRAPHS, Problem, converged, load, mse, problem

import camerapipe
from datasets.defocus_scenes import CONDITIONS, load_scene, photograph, through_lens
from stages import strips
from stages.arrays import reduce_bicubic
from stages.blur import ShadingParams
from stages.grid import BlurMap, Grid, lift_bicubic
from stages.laplacian import LaplacianParams, matting_laplacian
from stages.params import Array
from stages.propagate import propagate
from stages.upsample import UpsampleParams, guided_upsample

ROOT = Path(__file__).resolve().parents[1]
FIGURE_MP, STRENGTH = 0.43, 2.5
CG_STEPS, OUR_STEPS = (50, 100, 200, 300, 400, 500), (1, 2, 3, 4, 6, 8, 12)
MOST_PX = 5.0  # white in the pictures of maps
TOUCHED_CODES = 2  # a change that a person may see
SMOOTH = {  # file; the subject, as shares of height and width from top left
    "porcelain": ("photos/coffee.png", (0.35, 0.75, 0.35, 0.65)),
    "skin": ("photos/astronaut.png", (0.10, 0.38, 0.36, 0.54)),
    "tomato": ("photos/canon_eos5d_tomatoes.jpg", (0.32, 0.46, 0.56, 0.76)),
    "plastic": ("photos/issue266_laptop_tablet.jpg", (0.55, 0.85, 0.30, 0.70)),
}

Codes = npt.NDArray[np.uint8]
Curves = Mapping[str, Sequence[tuple[float, float]]]


class Method(NamedTuple):
    """A way to a full-size map: maps after every step, upsampling, and the steps to look at."""

    maps: Callable[[], Iterator[BlurMap]]
    upsample: Callable[[BlurMap], Array]
    steps: tuple[int, ...]


def methods(picture: Array) -> dict[str, Method]:
    """The four curves of fig. 6."""
    full, half = problem(picture, 1), problem(picture, 2)

    def solve(given: Problem, epsilon: float, solver: str) -> Iterator[BlurMap]:
        laplacian = given.laplacian(LaplacianParams(epsilon=epsilon))
        params = PAPER.replace(solver=solver, iterations=10_000)
        for estimate in propagate(laplacian, given.constraints, None, params):
            yield estimate.value

    def paper() -> Iterator[BlurMap]:
        low = lift_bicubic(full.sparse, Grid(half.constraints.grid.shape, 2, 0.0))
        return solve(half._replace(guide=reduce_bicubic(picture), constraints=low), 1e-3, "cg")

    def enlarge(method: str) -> Callable[[BlurMap], Array]:
        return lambda low: guided_upsample(low, picture, UpsampleParams(method=method)).sigma

    def itself(blur: BlurMap) -> Array:
        return blur.sigma

    half_epsilon = LaplacianParams().at_step(2).epsilon
    return {
        "direct, CG": Method(lambda: solve(full, 1e-3, "cg"), itself, CG_STEPS),
        "paper: half, CG, exact upsampling": Method(paper, enlarge("masked"), CG_STEPS),
        "ours, half resolution": Method(
            lambda: solve(half, half_epsilon, "two_level"), enlarge("fast"), OUR_STEPS
        ),
        "ours, full resolution": Method(lambda: solve(full, 1e-3, "two_level"), itself, OUR_STEPS),
    }


def run(method: Method) -> list[tuple[float, Array]]:
    """Seconds of set-up, steps and upsampling, and the map, at each number of steps."""
    maps, seconds, found = method.maps(), 0.0, []
    for step in range(1, method.steps[-1] + 1):
        started = time.perf_counter()
        low = next(maps)
        seconds += time.perf_counter() - started
        if step in method.steps:
            started = time.perf_counter()
            full = method.upsample(low)
            found.append((seconds + time.perf_counter() - started, full))
    return found


def figure6(paths: dict[str, Path], folder: Path, repeats: int) -> None:
    """Error against time."""
    strips.set_workers(1)
    cv2.setNumThreads(1)
    for name, path in paths.items():
        picture = load(path, FIGURE_MP)
        ways = methods(picture)
        given = problem(picture, 1)
        truth = converged(given.laplacian(LaplacianParams()), given.constraints).sigma
        for method in ways.values():
            run(method._replace(steps=(1,)))  # loads the kernels
        runs = {way: [run(method) for _ in range(repeats)] for way, method in ways.items()}
        at_500 = runs["direct, CG"][0][-1][1]
        print(f"\n{name}: direct at 500 steps is {mse(at_500, truth):.2e} px^2 from converged")
        lines = [
            f"{'method':36}{'steps':>6}{'mean s':>10}{'variance':>11}{'MSE':>11}{'to 500':>11}"
        ]
        curves: dict[str, list[tuple[float, float]]] = {}
        for way, repeated in runs.items():
            for k, steps in enumerate(ways[way].steps):
                times = [once[k][0] for once in repeated]
                sigma = repeated[0][k][1]
                mean, error = statistics.mean(times), mse(sigma, truth)
                spread = statistics.variance(times) if repeats > 1 else 0.0
                lines.append(
                    f"{way:36}{steps:6}{mean:10.3f}{spread:11.1e}{error:11.2e}"
                    f"{mse(sigma, at_500):11.2e}"
                )
                curves.setdefault(way, []).append((mean, error))
        print("\n".join(lines))
        (folder / f"fig6_{name}.txt").write_text("\n".join(lines) + "\n")
        title = f"{name}, {picture.shape[1]} x {picture.shape[0]}, one thread"
        labels = "time / s", "MSE / px^2 against the converged solution"
        log_plot(folder / f"fig6_{name}.png", title, labels, curves)


def figure5(paths: dict[str, Path], folder: Path) -> None:
    """Maps and renderings side by side."""
    for name, path in paths.items():
        picture = load(path, FIGURE_MP)
        codes = np.rint(picture * 255).astype(np.uint8)
        columns = []
        for way, method in methods(picture).items():
            sigma = run(method._replace(steps=method.steps[-1:]))[0][1]
            shot = camerapipe.render(
                codes, encoding="srgb", from_map=sigma, strength=STRENGTH, force=True
            )
            columns.append(np.vstack([_labelled(_grey(sigma), way), _codes(shot.image)]))
        cv2.imwrite(str(folder / f"fig5_{name}.png"), np.hstack(columns)[..., ::-1])


def figure7(data: Path, folder: Path) -> None:
    """Maps and renderings of smooth subjects without and with the doubt about shading."""
    print(f"{'smooth subject':16}{'doubt':>7}{'mean blur / px':>16}{'pixels touched':>16}")
    for name, codes, subject in _smooth_subjects(data):
        columns = [_labelled(codes.copy(), name)]
        for doubt in (0.0, ShadingParams().doubt):
            shot = camerapipe.render(
                codes, params={"shading": {"doubt": doubt}}, strength=STRENGTH, force=True
            )
            sigma, picture = shot.blur_map.sigma, _codes(shot.image)
            touched = np.abs(picture.astype(int) - codes).max(axis=2) > TOUCHED_CODES
            print(
                f"{name:16}{doubt:7.2f}{sigma[subject].mean():16.3f}{touched[subject].mean():16.3f}"
            )
            columns += [_labelled(_grey(sigma), f"doubt {doubt}"), picture]
        cv2.imwrite(str(folder / f"fig7_{name}.png"), np.hstack(columns)[..., ::-1])


def _smooth_subjects(data: Path) -> Iterator[tuple[str, Codes, tuple[slice, slice]]]:
    """Names, pictures and where the subject is in them; without a file the ball alone."""
    ball = load_scene("ball", data)
    assert ball is not None
    yield "ball", photograph(through_lens(ball), CONDITIONS[1]), np.s_[120:280, 220:380]
    for name, (file, place) in SMOOTH.items():
        if (data / file).is_file():
            codes = _codes(load(data / file, FIGURE_MP))
            rows, cols = codes.shape[:2]
            top, bottom, left, right = (
                round(share * length)
                for share, length in zip(place, (rows, rows, cols, cols), strict=True)
            )
            yield name, codes, np.s_[top:bottom, left:right]


def quarter(paths: dict[str, Path], folder: Path) -> None:
    """Our converged map at three resolutions, and how far half and quarter are from full."""
    for name, path in paths.items():
        picture, columns, truth = load(path, FIGURE_MP), [], None
        for step in (1, 2, 4):
            given = problem(picture, step)
            laplacian = matting_laplacian(given.guide, LaplacianParams().at_step(step))
            low = converged(laplacian, given.constraints)
            upsampled = guided_upsample(low, picture, UpsampleParams())
            sigma = low.sigma if step == 1 else upsampled.sigma
            truth = sigma if truth is None else truth
            label = f"step {step}: MSE {mse(sigma, truth):.1e} px^2"
            apart = _labelled(_grey(np.abs(sigma - truth) * 10), "difference x 10")
            columns.append(np.vstack([_labelled(_grey(sigma), label), apart]))
            print(name, label)
        cv2.imwrite(str(folder / f"quarter_{name}.png"), np.hstack(columns)[..., ::-1])


def _grey(sigma: Array) -> Array:
    codes = np.clip(sigma * (255 / MOST_PX), 0, 255).astype(np.uint8)
    return np.repeat(codes[..., None], 3, axis=2)


def _codes(image: Array) -> Array:
    return image if image.dtype == np.uint8 else np.rint(image * 255).astype(np.uint8)


def _labelled(image: Array, text: str) -> Array:
    out = np.ascontiguousarray(image)
    cv2.putText(out, text, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (255, 90, 0), 2, cv2.LINE_AA)
    return out


def log_plot(path: Path, title: str, labels: tuple[str, str], curves: Curves) -> None:
    """Write a plot of named curves of (x, y) points, the vertical axis logarithmic as in Fig. 6."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel=labels[0], ylabel=labels[1])
    for name, curve in curves.items():
        axes.semilogy(*zip(*curve, strict=True), marker="o", label=name)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Parse the command line, draw one figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("figure", choices=("fig6", "fig5", "fig7", "quarter"))
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", metavar="DIR")
    parser.add_argument("-o", "--output", type=Path, default=Path("figures"), metavar="DIR")
    parser.add_argument("--repeats", type=int, default=10, help="of every measurement (fig6)")
    parser.add_argument("--photographs", type=int, default=3, help="how many of the list")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    if given.figure == "fig7":
        figure7(given.data, given.output)
        return
    paths = {n: given.data / f for n, f in PHOTOGRAPHS.items() if (given.data / f).is_file()}
    if not paths:
        raise SystemExit(f"no photographs in {given.data}: name their folder with --data")
    paths = dict(list(paths.items())[: given.photographs])
    if given.figure == "fig6":
        figure6(paths, given.output, given.repeats)
    elif given.figure == "fig5":
        figure5(paths, given.output)
    else:
        quarter(paths, given.output)


if __name__ == "__main__":
    main()
