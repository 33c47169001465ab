"""Blur maps against exact truth, side by side with the paper's estimator.

Scenes of `datasets.defocus_scenes` in four conditions go through the real graphs of the camera.
The floor is our propagation with true blur at our edges. Of the picture, at m = 2.5, it is measured
how much of the subject is changed, and the radius of the blur; `picture` compares pictures.
"""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

import camerapipe
from camerapipe.pipelines import EDGES, VIEW
from datasets.defocus_scenes import CONDITIONS, REAL, load_scene, photograph, through_lens
from stages.blur import (
    BlurParams,
    linked_edges,
    octave_blur,
    survey,
    thin_edges,
)
from stages.grid import BlurMap, Grid
from stages.params import Array
from stages.strips import set_workers, workers
from stages.tone import linearise
from stages.view import ViewParams, view_at, working_grid

STRENGTH = 2.5
SHARP_PX, BLURRED_PX = 0.8, 2.0  # truth below: the subject; above: the background
CALLED_BLURRED_PX = 1.2
VISIBLE_CODES = 2
PAPER_CANNY = (1.0, 1.5, 2.0)
LARGE_SIGMA_PX, LARGE_SCENES = 12.0, REAL[:4]
STEPS_PX, NOISY_STEPS_PX = (0.3, 0.5, 0.7, 1, 1.5, 2, 3, 4, 5), (0.3, 0.5, 0.7, 1, 1.5, 2, 3)
KEEP = ("radius", "constraints", "laplacian", "linear")
MAPS = ("edge_data", "sharpness_bounds")
REPEATS = 5


class Row(NamedTuple):
    """One picture: errors of the map in px, and shares."""

    mae: float
    paper: float
    paper_best: float
    floor: float
    bias: float
    blurred: float
    touched: float
    magnification: float


def measure(context: Any) -> dict[str, float]:
    """Run every scene and condition; means over pictures."""
    rows: dict[tuple[str, str], Row] = {}
    canny: dict[float, list[float]] = {edge: [] for edge in PAPER_CANNY}
    for name in REAL[:2] if context.quick else REAL:
        scene = load_scene(name, context.data)
        if scene is None:
            context.missing.append(f"scene {name}")
            continue
        light = {disk: through_lens(scene, disk=disk) for disk in (True, False)}
        for condition in CONDITIONS:
            picture = photograph(light[condition.disk], condition)
            rows[name, condition.name] = _row(picture, scene.sigma, canny)
    context.table(
        "dense maps (px), shares of pixels",
        ["scene", "condition", *Row._fields],
        [[*key, *row] for key, row in rows.items()],
    )
    results = _results(list(rows.values()), canny) if rows else {}
    results |= _large_blur(context.data, context.quick) | _steps() | _cost(context)
    return results | _memory(3000 if context.quick else 10_000)


def _row(picture: npt.NDArray[np.uint8], truth: Array, canny: dict[float, list[float]]) -> Row:
    ours = camerapipe.render(picture, strength=STRENGTH, force=True, keep=KEEP)
    errors = {edge: _mae(_paper(picture, edge).blur_map, truth) for edge in PAPER_CANNY}
    for edge, error in errors.items():
        canny[edge].append(error)
    sharp, blurred = truth < SHARP_PX, truth > BLURRED_PX
    sigma = ours.blur_map.sigma
    moved = np.abs(np.rint(255 * ours.image) - picture).max(axis=2)[sharp] > VISIBLE_CODES
    wanted = 2 * np.sqrt(STRENGTH**2 - 1) * truth[blurred]
    return Row(
        mae=_mae(ours.blur_map, truth),
        paper=errors[PAPER_CANNY[0]],
        paper_best=min(errors.values()),
        floor=_floor(ours.kept, truth),
        bias=float(np.mean(sigma - truth)),
        blurred=float(np.mean(sigma[sharp] > CALLED_BLURRED_PX)),
        touched=float(np.mean(moved)),
        magnification=float(np.median(ours.kept["radius"][blurred] / wanted)),
    )


def _paper(picture: npt.NDArray[np.uint8], edge_scale_px: float) -> Any:
    params = {"blur": {"edge_scale_px": edge_scale_px}}
    return camerapipe.render(picture, preset="paper", params=params, strength=STRENGTH, force=True)


def _mae(blur: BlurMap, truth: Array) -> float:
    return float(np.mean(np.abs(blur.sigma - truth)))


def _floor(kept: dict[str, Any], truth: Array) -> float:
    """Error of our propagation where our edges have their true blur and bounds are off."""
    from stages.propagate import PropagateParams, propagate
    from stages.upsample import UpsampleParams, upsample_to_light

    grid, full = kept["constraints"].grid, Grid(truth.shape)
    small = cv2.resize(truth, grid.shape[::-1], interpolation=cv2.INTER_AREA)
    known = kept["constraints"].confidence
    exact = BlurMap(np.where(known > 0, small, 0).astype(np.float32), known, grid)
    *_, last = propagate(kept["laplacian"], exact, None, PropagateParams())
    blur = upsample_to_light(last.value, kept["linear"], UpsampleParams())
    assert blur.grid == full
    return _mae(blur, truth)


def _results(rows: list[Row], canny: dict[float, list[float]]) -> dict[str, float]:
    mean = Row(*(statistics.fmean(column) for column in zip(*rows, strict=True)))
    best = min(statistics.fmean(errors) for errors in canny.values())
    return {
        "accuracy.gain_vs_paper": 1 - mean.mae / mean.paper,
        "accuracy.gain_vs_paper_best": 1 - mean.mae / best,
        "accuracy.dense_mae_px": mean.mae,
        "accuracy.floor_mae_px": mean.floor,
        "accuracy.abs_bias_px": abs(mean.bias),
        "accuracy.subject_blurred": mean.blurred,
        "e2e.subject_touched": mean.touched,
        "e2e.magnification": mean.magnification,
    }


def _large_blur(data: Path, quick: bool) -> dict[str, float]:
    """Scenes with sigma to 12 px, clean."""
    ours, paper = [], []
    for name in LARGE_SCENES[: 1 if quick else None]:
        scene = load_scene(name, data, LARGE_SIGMA_PX)
        if scene is not None:
            picture = photograph(through_lens(scene), CONDITIONS[0])
            shot = camerapipe.render(picture, strength=STRENGTH, force=True)
            ours.append(_mae(shot.blur_map, scene.sigma))
            paper.append(_mae(_paper(picture, PAPER_CANNY[0]).blur_map, scene.sigma))
    return {"accuracy.large_blur_over_paper": sum(ours) / sum(paper)} if ours else {}


def _steps() -> dict[str, float]:
    """Largest error of the median over isolated Gaussian steps."""

    def error(sigma: float, noise: float) -> float:
        y, x = np.mgrid[:192, :192] - 95.3
        plane = 0.25 + 0.5 * ndtr((x * np.cos(0.35) + y * np.sin(0.35)) / sigma)
        plane += np.random.default_rng(0).normal(0, noise, plane.shape)
        view = np.repeat(np.clip(plane, 0, 1).astype(np.float32)[:, :, None], 3, axis=2)
        found = _edges(view)
        inside = found.confidence > 0
        return abs(float(np.median(found.sigma[inside])) - sigma)

    def _edges(view: Array) -> BlurMap:
        params = BlurParams()
        found = survey(view, params)
        linked = linked_edges(thin_edges(found, params))
        return octave_blur(view, linked, found, Grid(view.shape[:2]), params)

    return {
        "accuracy.step_error_px": max(error(s, 0) for s in STEPS_PX),
        "accuracy.step_error_noise5_px": max(error(s, 5 / 255) for s in NOISY_STEPS_PX),
    }


def _estimate(values: dict[str, Any]) -> dict[str, Any]:
    """Run what the camera runs to estimate blur, from what is given; inputs go when they can."""
    nodes = [node for node in (*VIEW, *EDGES) if node.output not in values]
    for index, node in enumerate(nodes):
        arguments = [values[name] for name in node.inputs]
        params = [] if node.params is None else [node.params()]
        values[node.output] = node.function(*arguments, *params)
        del arguments
        wanted = {name for later in nodes[index + 1 :] for name in later.inputs}
        for name in values.keys() - wanted - {*MAPS}:
            del values[name]
    return values


def _cost(context: Any) -> dict[str, float]:
    """Time of the estimate alone, and of all of it on 24 MP against decoding the same JPEG."""
    photograph = context.picture("photos/dandelion_16mp.jpg")
    if photograph is None:
        return {}
    encoded = cv2.resize(cv2.imread(str(photograph)), (6000, 4000), interpolation=cv2.INTER_CUBIC)
    _, file = cv2.imencode(".jpg", encoded, [cv2.IMWRITE_JPEG_QUALITY, 92])
    linear = linearise(np.ascontiguousarray(encoded[:, :, ::-1]))
    grid = working_grid(linear, ViewParams())
    view = view_at(linear, grid)
    everyone = workers()
    set_workers(1)
    cv2.setNumThreads(1)
    alone_ms = _best_ms(lambda: _estimate({"view": view, "grid": grid}), time.thread_time)
    set_workers(everyone)
    cv2.setNumThreads(everyone)
    whole_ms = _best_ms(lambda: _estimate({"linear": linear}))
    decode_ms = _best_ms(lambda: cv2.imdecode(file, cv2.IMREAD_COLOR))
    return {
        "estimate.ms_per_mp": alone_ms / (view.shape[0] * view.shape[1] / 1e6),
        "estimate.over_jpeg_decode_24mp": whole_ms / decode_ms,
    }


def _memory(side_px: int) -> dict[str, float]:
    """Peak of arrays beyond the view and the maps returned, at scale 1:1."""
    tile = (np.random.default_rng(0).random((200, 200, 3)) > 0.5).astype(np.float32)
    small = cv2.resize(tile, (side_px // 4, side_px // 4), interpolation=cv2.INTER_NEAREST)
    view = cv2.resize(small, (side_px, side_px))  # edges everywhere, blurred by interpolation
    view[:, : side_px // 2] = 0.5
    grid = Grid(view.shape[:2])
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    found = _estimate({"view": view, "grid": grid})
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found["edge_data"].confidence.any()
    maps = sum(found[name].sigma.nbytes + found[name].confidence.nbytes for name in MAPS)
    assert after - before < 1.01 * maps
    return {"estimate.bytes_per_px": (peak - before - maps) / side_px**2}


def _best_ms(work: Any, clock: Callable[[], float] = time.perf_counter) -> float:
    """Best time of several; `time.thread_time` leaves out what other processes take."""
    times = []
    for _ in range(REPEATS):
        started = clock()
        work()
        times.append((clock() - started) * 1000)
    return min(times)
