"""The estimators that the paper names, and ours: error of the dense map on scenes of known blur.

All but ours share the rest of the paper's method (half resolution, conjugate gradients, guided
upsampling), so that their rows differ by the estimator alone.
"""

from __future__ import annotations

import statistics

import numpy as np

import camerapipe
from datasets.defocus_scenes import (
    CONDITIONS,
    REAL,
    SYNTHETIC,
    load_scene,
    photograph,
    through_lens,
)
from datasets.sources import data_folder
from figures.request import Asked

NEEDS: tuple[str, ...] = ()
ESTIMATORS = {  # name in the table, preset
    "Zhuo and Sim (eq. 1)": "paper",
    "Elder and Zucker, Bae and Durand": "elder-zucker",
    "ours": "default",
}


def draw(asked: Asked) -> None:
    """One table: mean absolute error in px, by condition, over all scenes that can be found."""
    errors: dict[tuple[str, str], list[float]] = {}
    names = []
    for name in (*REAL, *SYNTHETIC):
        scene = load_scene(name, data_folder(asked.data))
        if scene is None or len(names) == asked.photographs:
            continue
        names.append(name)
        light = {disk: through_lens(scene, disk=disk) for disk in (True, False)}
        for condition in CONDITIONS:
            codes = photograph(light[condition.disk], condition)
            for way, preset in ESTIMATORS.items():
                found = camerapipe.render(codes, preset=preset, force=True).blur_map.sigma
                errors.setdefault((way, condition.name), []).append(
                    float(np.mean(np.abs(found - scene.sigma)))
                )
    print(f"\nmean absolute error of the map, px; scenes: {', '.join(names)}")
    print(f"{'estimator':36}" + "".join(f"{condition.name:>12}" for condition in CONDITIONS))
    for way in ESTIMATORS:
        means = (statistics.fmean(errors[way, condition.name]) for condition in CONDITIONS)
        print(f"{way:36}" + "".join(f"{mean:12.3f}" for mean in means))
