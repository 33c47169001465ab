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
    Goal(
        "accuracy.gain_vs_paper", "accuracy", ">= 0.35", "dense MAE below the paper preset"
    ),
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
    Goal("estimate.over_jpeg_decode_24mp", "accuracy", "<= 1.5", "whole estimate / cv2.imdecode"),
)
