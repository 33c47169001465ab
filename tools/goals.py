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
    Goal("e2e.over_ahd_24mp", "e2e", "<= 1.0", "pixels to JPEG / LibRaw's AHD of such a RAW"),
    Goal("e2e.peak_mb_24mp", "e2e", "< 1600", "the same at 24 MP"),
    Goal("e2e.peak_mb_100mp", "e2e", "< 6000", "the same at 100 MP"),
    Goal("e2e.cold_compile_s", "e2e", "<= 40", "doctor --warm-up where nothing is compiled"),
    Goal("stream.overhead_us", "stream", "<= 50", "engine, each frame and stage, no-op stages"),
    Goal("stream.mb_per_10k_frames", "stream", "< 1", "memory slope over 100,000 frames"),
    Goal("stream.within_budget", "stream", ">= 0.99", "frames within budget and one step, 1 MP"),
    Goal("stream.contended_share", "stream", "reported", "frames judged apart, worst budget"),
    Goal("stream.psnr_gain_db", "stream", "> 0", "quality that the largest budget adds"),
    Goal("stream.psnr_fall_db", "stream", "<= 0", "largest fall of quality with more budget"),
    Goal("stream.flicker_ratio", "stream", "<= 0.5", "p95 change of sigma, over without memory"),
    Goal("stream.focus_lag_frames", "stream", "<= 3", "until a focus step is followed"),
    Goal("stream.preview_over_bilateral", "stream", "<= 1.4", "720p preview / bilateralFilter"),
    Goal("stream.fps_720p", "stream", "reported", "sustained on a real sequence; 15 is wanted"),
    Goal("stream.latency_ms_p50", "stream", "reported", "of that, capture to delivery"),
    Goal("stream.latency_ms_p95", "stream", "reported", "the same, 95th percentile"),
    Goal("stream.graph_share", "stream", "reported", "share of that time in our graph"),
    Goal("stream.overlap_gain", "stream", ">= 1.3", "12 MP JPEG in and out / one by one"),
    Goal("accuracy.gain_vs_paper", "accuracy", ">= 0.35", "dense MAE below the paper preset"),
    Goal("accuracy.gain_vs_paper_best", "accuracy", ">= 0.20", "below its best Canny smoothing"),
    Goal("accuracy.dense_mae_px", "accuracy", "reported", "over all scenes and conditions"),
    Goal("accuracy.floor_mae_px", "accuracy", "reported", "the same with true blur at the edges"),
    Goal("accuracy.abs_bias_px", "accuracy", "<= 0.2", "mean dense error, absolute"),
    Goal("accuracy.subject_blurred", "accuracy", "reported", "share of sigma < 0.8 read above 1.2"),
    Goal("accuracy.large_blur_over_paper", "accuracy", "<= 0.60", "dense MAE, sigma to 12 px"),
    Goal("accuracy.step_error_px", "accuracy", "<= 0.1", "isolated steps, sigma 0.3 to 5, clean"),
    Goal("accuracy.step_error_noise5_px", "accuracy", "<= 0.3", "the same to 3 at noise 5/255"),
    Goal("e2e.psnr_over_paper_db", "accuracy", ">= 3", "to the picture of the true map, m = 2.5"),
    Goal("e2e.subject_touched", "accuracy", "<= 0.10", "share of sigma < 0.8 changed by > 2/255"),
    Goal("e2e.magnification", "accuracy", "0.85..1.15", "radius got / wanted where sigma > 2 px"),
    Goal("estimate.ms_per_mp", "accuracy", "<= 40", "per MP of the working scale, one thread"),
    Goal("estimate.bytes_per_px", "accuracy", "<= 8", "100 MP at 1:1, beyond view and maps"),
    Goal("estimate.over_jpeg_decode_24mp", "accuracy", "<= 1.5", "whole estimate / cv2.imdecode"),
    Goal("picture.truth_db", "picture", ">= 34", "dB to the photograph of a lens 2.5 x as wide"),
    Goal("picture.band_db", "picture", ">= 30.5", "the same within 12 px of outlines"),
    Goal("picture.touched", "picture", "<= 0.03", "of what truth leaves alone, changed by > 2/255"),
    Goal("picture.portrait_touched", "picture", "<= 0.03", "look portrait: sigma < 0.8 changed"),
    Goal("picture.true_map_db", "picture", ">= 37.5", "as truth_db, given the true map"),
    Goal("picture.over_paper_db", "picture", ">= 4", "truth_db over that of the paper preset"),
    Goal("picture.large_ratio_12", "picture", "0.85..1.15", "far plane of sigma 12: map / truth"),
    Goal("picture.large_ratio_20", "picture", "0.85..1.15", "the same, sigma 20"),
    Goal("picture.sparse_error_px", "picture", "<= 0.6", "data at edges, weighted by confidence"),
    Goal("picture.sparse_error_unweighted_px", "picture", "<= 0.6", "the same, unweighted"),
    Goal("picture.sparse_cells_kept", "picture", ">= 0.8", "cells with data / as of fcc9a0b"),
    Goal("picture.eaten", "picture", "<= 0.002", "share of subjects whose coverage is off by 1/2"),
    Goal("picture.coverage_sad", "picture", "<= 0.5", "error on hairs / that of a hard step"),
    Goal("picture.ball_ratio", "picture", "0.9..1.1", "radius of clipped balls, got / true"),
    Goal("check.wrong_share", "check", "<= 0.05", "defocus against everything in focus"),
    Goal("check.degraded_recall_min", "check", ">= 0.9", "worst of blurred, shaken, dark"),
    Goal("check.recall_blurred", "check", "reported", "sigma 4 px at 1280: no sharp subject"),
    Goal("check.recall_shaken", "check", "reported", "a line of 15 px, any direction"),
    Goal("check.recall_dark", "check", "reported", "five stops under, noise of 4 codes"),
    Goal("propagate.vs_cg_0.43mp", "propagate", ">= 15", "time of CG / ours to MSE 1e-3"),
    Goal("propagate.vs_cg_2mp", "propagate", ">= 60", "the same at 2 MP"),
    Goal("propagate.vs_cg_12mp", "propagate", ">= 200", "the same at 12 MP, steps of CG fitted"),
    Goal("propagate.vs_cg_24mp", "propagate", ">= 200", "the same at 24 MP, steps of CG fitted"),
    Goal("propagate.vs_cg_same_start_2mp", "propagate", "reported", "CG from a fill, lambda 0.5"),
    Goal(
        "propagate.vs_pymatting", "propagate", ">= 50", "time of PyMatting with its V-cycle / ours"
    ),
    Goal("propagate.iterations_max", "propagate", "<= 8", "most steps to 1e-3, all photographs"),
    Goal("propagate.ns_per_px_growth", "propagate", "<= 1.5", "ns per pixel to 24 MP / at 1 MP"),
    Goal("propagate.full_res_4it_over_half_floor", "propagate", "< 1", "MSE, full 4 steps / half"),
    Goal("propagate.quarter_over_half", "propagate", "reported", "MSE at a quarter / at half"),
    Goal("propagate.bytes_per_px", "propagate", "<= 100", "peak of set-up and solve per unknown"),
    Goal("propagate.cold_compile_s", "propagate", "<= 20", "all kernels of solve and upsampling"),
    Goal("propagate.warm_start_s", "propagate", "<= 0.7", "import to first map, warm cache"),
    Goal("upsample.vs_cv2_guided", "propagate", ">= 4", "time of cv2 colour guidedFilter / ours"),
    Goal("upsample.mse_vs_exact", "propagate", "<= 2e-5", "fast against masked, px^2"),
    Goal("scribble.ms_1mp", "propagate", "<= 100", "stroke at 1 MP to p99.9 < 0.05 px"),
    Goal("scribble.over_cold", "propagate", "<= 0.6", "the same / from zero"),
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
