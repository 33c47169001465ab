"""The whole job on real photographs: time of every stage and peak memory, at three sizes.

Every job is a process of its own, as a person would start it, so that peak memory is that of one
photograph; kernels are compiled before. The yardstick in the same run is one `cv2.GaussianBlur` of
sigma 8 of the same picture, decoded and encoded by OpenCV.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2

PHOTOGRAPHS = (
    "photos/dandelion_16mp.jpg",
    "photos/canon_eos5d_tomatoes.jpg",
    "photos/kodak_pixpro_s1_koi.jpg",
)
SIZES_MP = (0.5, 2, 12)
REPEATS = 3


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
    return results


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
