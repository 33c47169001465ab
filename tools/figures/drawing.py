"""What figures have in common: maps as grey pictures, captions, plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stages.params import Array

WHITE_PX = 5.0  # sigma that is white in the picture of a map
CAPTION_COLOUR = (255, 90, 0)

Codes = npt.NDArray[np.uint8]
Curves = Mapping[str, Sequence[tuple[float, float]]]


def grey(sigma: Array) -> Codes:
    """Picture of a map, HxWx3 codes."""
    codes = np.clip(sigma * (255 / WHITE_PX), 0, 255).astype(np.uint8)
    return np.repeat(codes[..., None], 3, axis=2)


def to_codes(image: npt.NDArray[Any]) -> Codes:
    """Codes of a picture in [0, 1], or of codes."""
    return image if image.dtype == np.uint8 else np.rint(image * 255).astype(np.uint8)


def captioned(image: Codes, text: str) -> Codes:
    """A copy of the picture with a caption."""
    out = np.ascontiguousarray(image.copy())
    cv2.putText(out, text, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.55, CAPTION_COLOUR, 2, cv2.LINE_AA)
    return out


def write_columns(path: Path, columns: Sequence[Codes]) -> None:
    """Write pictures of one height side by side, and say where."""
    cv2.imwrite(str(path), np.hstack(columns)[..., ::-1])
    print(path)


def log_plot(path: Path, title: str, labels: tuple[str, str], curves: Curves) -> None:
    """Plot named curves of (x, y) points, with a logarithmic vertical axis, and say where."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel=labels[0], ylabel=labels[1])
    for name, curve in curves.items():
        axes.semilogy(*zip(*curve, strict=True), marker="o", label=name)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)
    print(path)
