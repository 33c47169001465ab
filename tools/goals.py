"""One table of what is measured: key, subject, goal. `bench.py --list` prints it."""

from __future__ import annotations

from typing import NamedTuple


class Goal(NamedTuple):
    """A measured number: its subject in `bench.py`, and what it should be."""

    key: str
    subject: str
    goal: str  # "reported" where there is no threshold
    meaning: str


GOALS = (
    Goal("e2e.total_ms_0.5mp", "e2e", "reported", "whole job, JPEG in and out, median photograph"),
    Goal("e2e.total_ms_2mp", "e2e", "reported", "the same at 2 MP"),
    Goal("e2e.total_ms_12mp", "e2e", "reported", "the same at 12 MP"),
    Goal("e2e.peak_mb_0.5mp", "e2e", "reported", "highest resident memory of the process, MB"),
    Goal("e2e.peak_mb_2mp", "e2e", "reported", "the same at 2 MP"),
    Goal("e2e.peak_mb_12mp", "e2e", "reported", "the same at 12 MP"),
    Goal("e2e.over_gauss_0.5mp", "e2e", "reported", "job / cv2.GaussianBlur sigma 8 of the same"),
    Goal("e2e.over_gauss_2mp", "e2e", "reported", "the same at 2 MP"),
    Goal("e2e.over_gauss_12mp", "e2e", "reported", "the same at 12 MP"),
    Goal("bokeh.psnr_vs_exact_min", "bokeh", ">= 50", "dB to the exact renderer, worst scene"),
    Goal("bokeh.truth_loss_db", "bokeh", "<= 0.3", "dB lost to the truth beside the exact one"),
    Goal("bokeh.exact_over_scatter_db_min", "bokeh", "> 0", "exact over gather and scatter, truth"),
    Goal(
        "bokeh.vs_gegl_r25", "bokeh", ">= 5", "times faster than GEGL lens-blur, 24 MP, radius 25"
    ),
    Goal("bokeh.vs_gegl_r50", "bokeh", ">= 10", "the same at radius 50"),
    Goal("bokeh.over_gegl_db_min", "bokeh", "> 0", "dB closer to the truth than GEGL lens-blur"),
    Goal("bokeh.r100_over_r25", "bokeh", "<= 1.3", "time at radius 100 / at radius 25"),
    Goal("bokeh.ns_per_px_growth", "bokeh", "<= 1.5", "largest / least ns per px, 1 to 24 MP"),
    Goal("bokeh.preview_over_gauss", "bokeh", "<= 1.5", "1 MP preview / GaussianBlur sigma 8"),
    Goal("bokeh.bytes_per_px", "bokeh", "<= 16", "memory beyond input and output"),
    Goal("bokeh.cold_compile_s", "bokeh", "<= 15", "compilation of all its kernels"),
)
