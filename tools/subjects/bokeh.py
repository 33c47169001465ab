"""The lens blur: close to the exact renderer and to the truth, and how fast.

Scenes are those of `datasets/scenes.py`. The peer is GEGL's `lens-blur` (Debian package `gegl`),
an exact normalised scatter with a radius per pixel; the time of the same run without the blur is
taken off. Yardsticks run in the same process, in turn with what they measure; best of several.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from datasets.scenes import SCENES, SHAPE, KnownScene, day
from stages.bokeh import BokehParams, render_bokeh, render_bokeh_preview
from stages.bokeh.reference import BAND_ROWS, render_exact, render_gather, render_scatter
from stages.params import Array
from stages.tone import encode, linearise, to_codes

RADII_PX = (10, 25, 50, 100)
EVERY = {10: 1, 25: 1, 50: 2, 100: 2}  # brute force is slow: one of so many bands of rows
SIZES_MP = (1, 2, 6, 12, 24)
REPEATS = 3
PARAMS = BokehParams()
COLD = """
import time
import stages.bokeh, stages.finish
from stages.kernels import registered
started = time.perf_counter()
for kernel in registered():
    if kernel.name.startswith(("stages.bokeh", "stages.finish")) and "reference" not in kernel.name:
        kernel.compile()
print(time.perf_counter() - started)
"""
GEGL = """<gegl><node operation='gegl:{operation}'>{params}
<node operation='gegl:load'><params><param name='path'>{mask}</param></params></node></node>
<node operation='gegl:load'><params><param name='path'>{picture}</param></params></node></gegl>"""


class Case(NamedTuple):
    """One scene at one radius, rendered in every way."""

    name: str
    radius_px: int
    psnr_exact: float
    largest_error: float
    ssim: float
    exact_truth: float
    fast_truth: float
    gather_truth: float
    scatter_truth: float


def measure(context: Any) -> dict[str, float]:
    """Quality on every scene, then time, memory and compilation."""
    cases = _cases(context)
    context.table(
        f"against the exact renderer (dB, codes) and the truth (dB, sRGB); from radius "
        f"{RADII_PX[2]} on, one of {EVERY[RADII_PX[2]]} bands of {BAND_ROWS} rows is compared",
        ["scene", "radius", "fast = exact", "max /255", "SSIM", "exact", "fast", "gather",
         "scatter"],
        [list(case) for case in cases],
    )  # fmt: skip
    results = {
        "bokeh.psnr_vs_exact_min": min(c.psnr_exact for c in cases),
        "bokeh.truth_loss_db": max(c.exact_truth - c.fast_truth for c in cases),
        "bokeh.exact_over_scatter_db_min": min(
            c.exact_truth - max(c.gather_truth, c.scatter_truth) for c in cases
        ),
        "bokeh.bytes_per_px": _bytes_per_px(),
        "bokeh.cold_compile_s": _cold_compile_s(),
    }
    return results | _times(context) | against_gegl(context)


def psnr(a: Array, b: Array) -> float:
    """PSNR of encoded pictures, dB."""
    error = encode(a).astype(np.float64) - encode(b)
    return float(-10 * np.log10(max(np.mean(error**2), 1e-20)))


def _cases(context: Any) -> list[Case]:
    cases = []
    for name, make in SCENES.items():
        for radius_px in RADII_PX[:2] if context.quick else RADII_PX:
            try:
                scene = make(radius_px, EVERY[radius_px])
            except FileNotFoundError as error:
                context.missing.append(str(error))
                break
            cases.append(_case(name, radius_px, scene, EVERY[radius_px]))
    return cases


def _case(name: str, radius_px: int, scene: KnownScene, every: int) -> Case:
    given = scene.linear, scene.radius
    known = np.arange(len(scene.radius)) // BAND_ROWS % every == 0
    exact, gather, scatter = (
        render(*given, every)[known] for render in (render_exact, render_gather, render_scatter)
    )
    fast, truth = render_bokeh(*given, PARAMS)[known], scene.truth[known]
    a, b = encode(fast), encode(exact)
    return Case(
        name, radius_px, psnr(fast, exact), float(np.abs(a - b).max()) * 255, _ssim(a, b, every),
        *(psnr(picture, truth) for picture in (exact, fast, gather, scatter)),
    )  # fmt: skip


def _ssim(a: Array, b: Array, every: int) -> float:
    """Mean SSIM, of each band on its own where rows are missing between them."""
    from skimage.metrics import structural_similarity

    cuts = range(BAND_ROWS, len(a) - BAND_ROWS // 2, BAND_ROWS) if every > 1 else ()
    pairs = zip(np.split(a, list(cuts)), np.split(b, list(cuts)), strict=True)
    found = [structural_similarity(*pair, channel_axis=2, data_range=1.0) for pair in pairs]
    return float(np.mean(found))


def _large(megapixels: float, radius_px: float) -> tuple[Array, Array]:
    """The day scene, repeated to a size, and a slanted radius behind its flowers."""
    scene = day(8)
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    copies = -(-height // SHAPE[0])
    linear = np.tile(scene.linear, (copies, copies, 1))[:height, : height * 3 // 2].copy()
    sharp = np.tile(scene.radius == 0, (copies, copies))[:height, : height * 3 // 2]
    slant = radius_px * (1 - 0.6 * np.linspace(0, 1, height, dtype=np.float32)[:, None])
    return linear, np.where(sharp, np.float32(0), slant).astype(np.float32)


def _best_ms(repeats: int, *work: Callable[[], object]) -> list[float]:
    """Best time of each, run in turn."""
    best = [np.inf] * len(work)
    for _ in range(repeats):
        for k, run in enumerate(work):
            started = time.perf_counter()
            run()
            best[k] = min(best[k], (time.perf_counter() - started) * 1000)
    return best


def _times(context: Any) -> dict[str, float]:
    """Time by radius, by size, and of the preview."""
    sizes = SIZES_MP[:2] if context.quick else SIZES_MP
    repeats = 3 if context.quick else REPEATS
    largest = _large(sizes[-1], 25)[0]
    radii = [_large(sizes[-1], radius_px)[1] for radius_px in RADII_PX]
    by_radius = _best_ms(
        repeats,
        *(lambda r=r: render_bokeh(largest, r, PARAMS) for r in radii),  # type: ignore[misc]
    )
    head = [f"{sizes[-1]} MP, radius {radius_px}" for radius_px in RADII_PX]
    context.table("ms", head, [list(by_radius)])
    given = [_large(megapixels, 25) for megapixels in sizes]
    by_size = _best_ms(
        repeats,
        *(lambda a=a, r=r: render_bokeh(a, r, PARAMS) for a, r in given),  # type: ignore[misc]
    )
    per_px = [ms * 1e6 / r.size for ms, (_, r) in zip(by_size, given, strict=True)]
    del given
    context.table("ns/px at radius 25", [f"{size} MP" for size in sizes], [per_px])
    linear, radius = _large(1, 12)
    preview, gauss = _best_ms(
        8 * repeats,
        lambda: render_bokeh_preview(linear, radius, PARAMS),
        lambda: cv2.GaussianBlur(linear, (0, 0), 8),
    )
    return {
        "bokeh.r100_over_r25": by_radius[3] / by_radius[1],
        "bokeh.ns_per_px_growth": max(per_px) / min(per_px),
        "bokeh.preview_over_gauss": preview / gauss,
    }


def _bytes_per_px() -> float:
    linear, radius = _large(4, 100)
    render_bokeh(linear[:64, :64], radius[:64, :64], PARAMS)
    tracemalloc.start()
    out = render_bokeh(linear, radius, PARAMS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (peak - out.nbytes) / radius.size


def _cold_compile_s() -> float:
    import os

    with tempfile.TemporaryDirectory() as folder:
        found = subprocess.run(
            [sys.executable, "-c", COLD], check=True, capture_output=True, text=True,
            cwd=Path(__file__).resolve().parents[2],
            env=os.environ | {"NUMBA_CACHE_DIR": folder},
        )  # fmt: skip
    return float(found.stdout)


def against_gegl(context: Any) -> dict[str, float]:
    """Against GEGL's lens blur, sprites included; in quality, against the true picture."""
    if shutil.which("gegl") is None:
        context.missing.append("gegl (Debian package gegl)")
        return {}
    results, rows = {}, []
    for radius_px in (25, 50):
        linear, radius = _large(2 if context.quick else 24, radius_px)
        (ours,) = _best_ms(3, lambda a=linear, r=radius: render_bokeh(a, r, PARAMS))  # type: ignore[misc]
        theirs = _gegl_run(linear, radius, radius_px)[1]
        scene = day(radius_px)
        peer = _gegl_run(scene.linear, scene.radius, radius_px)[0]
        fast = psnr(render_bokeh(scene.linear, scene.radius, PARAMS), scene.truth)
        rows.append([radius_px, ours, theirs, fast, psnr(peer, scene.truth)])
        results[f"bokeh.vs_gegl_r{radius_px}"] = theirs / ours
    results["bokeh.over_gegl_db_min"] = min(row[3] - row[4] for row in rows)
    head = ["radius", "ours ms", "GEGL ms", "ours to truth dB", "GEGL to truth dB"]
    context.table("against GEGL lens-blur", head, rows)
    return results


def _gegl_run(linear: Array, radius: Array, radius_px: int) -> tuple[Array, float]:
    """Picture and time of GEGL's lens blur; the time of reading and writing is taken off."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        picture, mask, out = (str(folder / f) for f in ("in.png", "mask.png", "out.png"))
        fast = [cv2.IMWRITE_PNG_COMPRESSION, 1]
        cv2.imwrite(picture, to_codes(encode(linear), 8)[..., ::-1], fast)
        cv2.imwrite(mask, np.rint(255 * radius / radius_px).astype(np.uint8), fast)
        times = []
        for operation, params in (
            ("over", ""),
            ("lens-blur", f"<params><param name='radius'>{radius_px}</param>"
             "<param name='linear-mask'>false</param></params>"),
        ):  # fmt: skip
            graph = folder / "graph.xml"
            graph.write_text(
                GEGL.format(operation=operation, params=params, mask=mask, picture=picture)
            )
            started = time.perf_counter()
            subprocess.run(["gegl", str(graph), "-o", out], check=True, capture_output=True)
            times.append((time.perf_counter() - started) * 1000)
        blurred = linearise(np.ascontiguousarray(cv2.imread(out)[..., ::-1]))
    return blurred, times[1] - times[0]
