"""Figure 7: smooth surfaces without and with the doubt about edges that shading explains.

For each subject: the photograph with the doubted edges in red, then map and rendering before and
after. The table has each region: the smooth subject, and what is around it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from problems import load

import camerapipe
from datasets.defocus_scenes import CONDITIONS, load_scene, photograph, through_lens
from datasets.sources import DataError, data_folder, locate
from figures.drawing import Codes, captioned, grey, to_codes, write_columns
from figures.request import STRENGTH, Asked
from stages.blur import ShadingParams
from stages.grid import BlurMap

NEEDS: tuple[str, ...] = ()
BALL = np.s_[120:280, 220:380]  # inside of the ball
SMOOTH = {  # file; the subject, as shares of height and width from top left
    "porcelain": ("photos/coffee.png", (0.35, 0.75, 0.35, 0.65)),
    "skin": ("photos/astronaut.png", (0.10, 0.38, 0.36, 0.54)),
    "tomato": ("photos/canon_eos5d_tomatoes.jpg", (0.32, 0.46, 0.56, 0.76)),
    "plastic": ("photos/issue266_laptop_tablet.jpg", (0.55, 0.85, 0.30, 0.70)),
}
TOUCHED_CODES = 2  # a change that a person may see
DOUBTED = 0.5  # share of the confidence that an edge in red has lost at least
RED = (230, 30, 30)


class Subject(NamedTuple):
    """A photograph and where the smooth subject is in it."""

    name: str
    codes: Codes
    inside: npt.NDArray[np.bool_]


def draw(asked: Asked) -> None:
    """One picture for each subject, and the table."""
    print(f"{'subject':12}{'region':>12}{'doubt':>7}{'mean blur / px':>16}{'pixels touched':>16}")
    for subject in _subjects(asked):
        columns = []
        for doubt in (0.0, ShadingParams().doubt):
            shot = camerapipe.render(
                subject.codes, params={"shading": {"doubt": doubt}}, strength=STRENGTH,
                force=True, keep=("all_edges", "edge_data"),
            )  # fmt: skip
            sigma, picture = shot.blur_map.sigma, to_codes(shot.image)
            columns += [captioned(grey(sigma), f"doubt {doubt}"), picture]
            _print_regions(subject, doubt, sigma, picture)
        doubted = _with_doubted_edges(subject.codes, shot.kept["all_edges"], shot.kept["edge_data"])
        write_columns(
            asked.folder / f"fig7_{subject.name}.png",
            [captioned(doubted, f"{subject.name}: doubted edges"), *columns],
        )


def _print_regions(
    subject: Subject, doubt: float, sigma: npt.NDArray[np.float32], picture: Codes
) -> None:
    """Two rows of the table."""
    touched = np.abs(picture.astype(int) - subject.codes).max(axis=2) > TOUCHED_CODES
    for region, where in (("subject", subject.inside), ("around it", ~subject.inside)):
        blur_px, share = float(sigma[where].mean()), float(touched[where].mean())
        print(f"{subject.name:12}{region:>12}{doubt:7.2f}{blur_px:16.3f}{share:16.3f}")


def _with_doubted_edges(codes: Codes, before: BlurMap, after: BlurMap) -> Codes:
    """The photograph with the edges in red whose confidence the doubt has lowered."""
    lost = after.confidence < (1 - DOUBTED) * before.confidence
    rows, cols = np.nonzero(lost)
    step, out = before.grid.step, codes.copy()
    for down, right in np.ndindex(step, step):
        y, x = rows * step + down, cols * step + right
        kept = (y < codes.shape[0]) & (x < codes.shape[1])
        out[y[kept], x[kept]] = RED
    return out


def _subjects(asked: Asked) -> Iterator[Subject]:
    """The ball, which is made from nothing, and the photographs that can be found."""
    ball = load_scene("ball", data_folder(asked.data))
    assert ball is not None  # made from nothing
    codes = photograph(through_lens(ball), CONDITIONS[1])
    inside = np.zeros(codes.shape[:2], bool)
    inside[BALL] = True
    yield Subject("ball", codes, inside)
    for name, (file, place) in list(SMOOTH.items())[: asked.photographs]:
        with contextlib.suppress(DataError):
            codes = to_codes(load(locate(file, asked.data), asked.megapixels, enlarge=False))
            rows, cols = codes.shape[:2]
            top, bottom, left, right = (
                round(share * length)
                for share, length in zip(place, (rows, rows, cols, cols), strict=True)
            )
            inside = np.zeros((rows, cols), bool)
            inside[top:bottom, left:right] = True
            yield Subject(name, codes, inside)
