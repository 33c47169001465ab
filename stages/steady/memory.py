"""The state of the temporal filter, which one frame leaves for the next: a few small maps.

For a 1280 x 720 preview that is estimated at half resolution, it takes 2.7 MB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stages.grid import BlurMap, Grid, lift
from stages.params import Array
from stages.tone import encode, linearise, to_codes

MAX_AGE_AT_OTHER_SCALE = np.float32(3)  # frames; estimates at another scale differ a little


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """The state of the filter after a frame.

    Attributes
    ----------
    look : array of uint8
        Luma of the last frame, HxW on the cells of `edges`.
    edges, evidence : BlurMap
        Averaged data on cells, and averaged upper bounds on the view.
    age : Array
        Weight of every cell of `edges`, HxW float32, frames >= 0.
    dense : BlurMap
        The map of the last frame that was estimated.
    dead_zone : float
        Its dead zone, full-resolution px.
    flow : Array or None
        If later frames were not estimated: HxWx2 (x, y), cells from the last frame to the one that
        was.
    trust : Array or None
        Confidence of `flow`, HxW in [0, 1].
    """

    look: npt.NDArray[np.uint8]
    edges: BlurMap
    evidence: BlurMap
    age: Array
    dense: BlurMap
    dead_zone: float
    flow: Array | None = None
    trust: Array | None = None

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Named arrays, as `numpy.savez` takes them."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "look": self.look,
            "age": self.age,
            "dead_zone": np.array([self.dead_zone]),
        }
        if self.flow is not None and self.trust is not None:
            arrays |= {"flow": self.flow, "trust": self.trust}
        for name in ("edges", "evidence", "dense"):
            blur: BlurMap = getattr(self, name)
            arrays[f"{name}_sigma"], arrays[f"{name}_confidence"] = blur.sigma, blur.confidence
            arrays[f"{name}_grid"] = np.array([blur.grid.step, blur.grid.phase], np.float64)
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Memory:
        """Read what `to_arrays` gave."""

        def blur(name: str) -> BlurMap:
            sigma, (step, phase) = arrays[f"{name}_sigma"], arrays[f"{name}_grid"]
            grid = Grid((sigma.shape[0], sigma.shape[1]), int(step), float(phase))
            return BlurMap(sigma, arrays[f"{name}_confidence"], grid)

        return cls(
            look=arrays["look"],
            edges=blur("edges"),
            evidence=blur("evidence"),
            age=arrays["age"],
            dense=blur("dense"),
            dead_zone=float(arrays["dead_zone"][0]),
            flow=arrays.get("flow"),
            trust=arrays.get("trust"),
        )

    def on(self, cells: Grid, view: Grid) -> Memory:
        """Resample the state to other grids, as after a change of the working scale."""
        if self.edges.grid == cells and self.evidence.grid == view:
            return self
        rows, cols = cells.shape
        light = cv2.resize(linearise(self.look), (cols, rows), interpolation=cv2.INTER_AREA)
        look = to_codes(encode(np.asarray(light, np.float32)), 8)
        factor = np.float32(self.edges.grid.step / cells.step)
        age = cv2.resize(np.minimum(self.age, MAX_AGE_AT_OTHER_SCALE), (cols, rows))
        return Memory(
            look=np.asarray(look, np.uint8),
            edges=lift(self.edges, cells),
            evidence=_lift_shares(self.evidence, view),
            age=np.asarray(age, np.float32),
            dense=self.dense,
            dead_zone=self.dead_zone,
            flow=None if self.flow is None else _resized(self.flow * factor, cells),
            trust=None if self.trust is None else _resized(self.trust, cells),
        )


def _resized(planes: Array, cells: Grid) -> Array:
    size = (cells.shape[1], cells.shape[0])
    return np.asarray(cv2.resize(planes, size, interpolation=cv2.INTER_AREA), np.float32)


def _lift_shares(evidence: BlurMap, to: Grid) -> BlurMap:
    """Lift a sparse map whose confidence is a share: samples that meet are averaged, not added."""
    lifted = lift(evidence, to)
    confidence = lifted.confidence * np.float32(min((evidence.grid.step / to.step) ** 2, 1.0))
    return BlurMap(lifted.sigma, confidence, to)
