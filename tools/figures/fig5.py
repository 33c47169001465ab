"""Figure 5: maps and renderings of the direct method, the paper's scheme and ours."""

from __future__ import annotations

import numpy as np

import camerapipe
from figures.drawing import captioned, grey, to_codes, write_columns
from figures.methods import methods, run
from figures.request import STRENGTH, Asked

NEEDS: tuple[str, ...] = ()


def draw(asked: Asked) -> None:
    """One picture for each photograph: maps above, renderings below."""
    for name, picture in asked.pictures().items():
        columns = []
        for way, method in methods(picture).items():
            sigma = run(method._replace(steps=method.steps[-1:]))[0][1]
            shot = camerapipe.render(
                to_codes(picture), encoding="srgb", from_map=sigma, strength=STRENGTH, force=True
            )
            columns.append(np.vstack([captioned(grey(sigma), way), to_codes(shot.image)]))
        write_columns(asked.folder / f"fig5_{name}.png", columns)
