"""The whole job on real photographs: time of every stage and peak memory, from 0.5 to 100 MP.

Every job is a process of its own, as a person would start it, so that peak memory is that of one
photograph; kernels are compiled before. The yardstick in the same run is one `cv2.GaussianBlur` of
sigma 8 of the same picture, decoded and encoded by OpenCV; at 24 MP it is LibRaw's development
(AHD) of a synthetic RAW of the same size and content, turn by turn with ours from its pixels to the
JPEG.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rawpy

from camerapipe.assembly import Request
from camerapipe.budget import Stopwatch
from camerapipe.camera import open_input, shoot
from camerapipe.ingest import write_picture
from camerapipe.runtime import configure, warm_up
from camerapipe.settings import resolve
from datasets.synthetic_raw import sample_mosaic, write_dng
from stages.tone import linearise

PHOTOGRAPHS = (
    "photos/dandelion_16mp.jpg",
    "photos/canon_eos5d_tomatoes.jpg",
    "photos/kodak_pixpro_s1_koi.jpg",
)
SIZES_MP = (0.5, 2, 12)
REPEATS = 3
FIRST_MP = 2  # size of a first picture, where nothing is compiled yet
DEVELOPED_MP, DEVELOPMENTS, HUGE_MP = 24, 5, 100


def measure(context: Any) -> dict[str, float]:
    """Run the job at every size on every photograph; medians over photographs and repeats."""
    photographs = [path for name in PHOTOGRAPHS if (path := context.picture(name))]
    if not photographs:
        return {}
    subprocess.run([sys.executable, "-m", "camerapipe", "doctor", "--warm-up"], check=True,
                   capture_output=True)  # fmt: skip
    results: dict[str, float] = {}
    columns: dict[float, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES_MP[:2] if context.quick else SIZES_MP:
            reports, yardsticks = [], []
            for photograph in photographs:
                picture = _resized(photograph, size, Path(folder))
                for _ in range(1 if context.quick else REPEATS):
                    yardsticks.append(_gauss_ms(picture))
                    reports.append(_job(picture))
            total = statistics.median(report["used_ms"] for report in reports)
            results[f"e2e.total_ms_{size:g}mp"] = total
            results[f"e2e.peak_mb_{size:g}mp"] = statistics.median(r["peak_mb"] for r in reports)
            results[f"e2e.over_gauss_{size:g}mp"] = total / statistics.median(yardsticks)
            columns[size] = _stage_medians(reports)
    stages = list(dict.fromkeys(name for column in columns.values() for name in column))
    rows = [[name, *(column.get(name, "") for column in columns.values())] for name in stages]
    context.table("median ms", ["stage", *(f"{size:g} MP" for size in columns)], rows)
    with tempfile.TemporaryDirectory() as folder:
        repeats = 2 if context.quick else DEVELOPMENTS
        sizes = [_resized(photograph, DEVELOPED_MP, Path(folder)) for photograph in photographs]
        ratios = [_over_development(context, large, repeats) for large in sizes]
        results["e2e.over_ahd_24mp"] = max(ratios)
        shares = [_system_share(sizes[0]) for _ in range(repeats)]
        results["e2e.cold_shot_sys_share"] = statistics.median(shares)
        results["e2e.peak_mb_24mp"] = max(_job(large)["peak_mb"] for large in sizes)
        if not context.quick:
            huge = _resized(photographs[0], HUGE_MP, Path(folder))
            results["e2e.peak_mb_100mp"] = _job(huge)["peak_mb"]
            results["e2e.cold_compile_s"] = _cold_s(["doctor", "--warm-up"], Path(folder) / "all")
            picture = _resized(photographs[0], FIRST_MP, Path(folder))
            first = ["render", "-q", "--force", str(picture), "-o", f"{picture}.first.jpg"]
            results["e2e.first_picture_s"] = _cold_s(first, Path(folder) / "first")
    return results


def _over_development(context: Any, photograph: Path, repeats: int) -> float:
    """Time from developed pixels to a JPEG over that of AHD for a RAW of the same picture."""
    configure(long_running=True)
    warm_up()
    raw = photograph.with_suffix(".dng")
    bgr = cv2.imread(str(photograph))
    rows, cols = (n & ~1 for n in bgr.shape[:2])  # whole Bayer cells
    write_dng(raw, sample_mosaic(linearise(np.ascontiguousarray(bgr[:rows, :cols, ::-1]))))
    request = Request(settings=resolve(), force=True)
    capture, _ = open_input(raw)
    develop_ms, job_ms = [], []
    for _ in range(repeats + 1):
        with Stopwatch() as watch, rawpy.imread(str(raw)) as opened:
            opened.postprocess(demosaic_algorithm=rawpy.DemosaicAlgorithm.AHD, use_camera_wb=True)
        develop_ms.append(watch.ms)
        with Stopwatch() as watch:
            shot = shoot(capture, request)
            write_picture(photograph.with_suffix(".24.jpg"), shot.image, capture, overwrite=True)
            del shot  # the next one is to find its memory free
        job_ms.append(watch.ms)
    ratios = [ours / theirs for ours, theirs in zip(job_ms[1:], develop_ms[1:], strict=True)]
    rows_ = [[statistics.median(develop_ms[1:]), statistics.median(job_ms[1:])]]
    context.table(
        f"{photograph.stem}, {rows * cols / 1e6:.1f} MP, ms",
        ["AHD development", "whole job"],
        rows_,
    )
    return statistics.median(ratios)


def _system_share(picture: Path) -> float:
    """Share of the system in the processor time of a process that takes one shot."""
    arguments = ["render", "--force", "--overwrite", "-q", str(picture)]
    output = ["-o", str(picture.with_suffix(".out.jpg"))]
    process = subprocess.Popen([sys.executable, "-m", "camerapipe", *arguments, *output])
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"render of {picture} failed")
    return used.ru_stime / (used.ru_stime + used.ru_utime)


def _cold_s(command: list[str], kernels: Path) -> float:
    """Time of a command with an empty folder of compiled kernels."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(kernels)}
    with Stopwatch() as watch:
        subprocess.run(
            [sys.executable, "-m", "camerapipe", *command],
            check=True, capture_output=True, env=environment,
        )  # fmt: skip
    return watch.ms / 1000


def _resized(photograph: Path, megapixels: float, folder: Path) -> Path:
    """Write a photograph at a size, by area averaging (or bicubic where it must grow)."""
    picture = cv2.imread(str(photograph))
    scale = (megapixels * 1e6 / (picture.shape[0] * picture.shape[1])) ** 0.5
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    path = folder / f"{photograph.stem}_{megapixels:g}.jpg"
    cv2.imwrite(str(path), cv2.resize(picture, None, fx=scale, fy=scale, interpolation=how))
    return path


def _job(picture: Path) -> dict[str, Any]:
    """Render one picture in a process of its own; give its report."""
    report = picture.with_suffix(".json")
    render = [sys.executable, "-m", "camerapipe", "render", "--force", "--overwrite", "-q"]
    outputs = ["-o", str(picture.with_suffix(".out.jpg")), "--report", str(report)]
    subprocess.run([*render, str(picture), *outputs], check=True)
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def _gauss_ms(picture: Path) -> float:
    started = time.perf_counter()
    decoded = cv2.imread(str(picture))
    blurred = cv2.GaussianBlur(decoded, (0, 0), 8)
    cv2.imencode(".jpg", blurred, [cv2.IMWRITE_JPEG_QUALITY, 95])
    return (time.perf_counter() - started) * 1000


def _stage_medians(reports: list[dict[str, Any]]) -> dict[str, float]:
    names = [stage["name"] for stage in reports[0]["stages"]]
    return {
        name: statistics.median(r["stages"][k]["used_ms"] for r in reports)
        for k, name in enumerate(names)
    }
