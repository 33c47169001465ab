"""What one frame leaves for the next: a handful of small maps.

Of a 1280 x 720 preview that looks at half resolution, it is 2.7 MB.
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

CARRIED_FRAMES = np.float32(3)  # most that data of another scale counts: it differs a little


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """The state of a stream after a frame.

    `look` is the luma of the frame on the cells of `edges`, HxW uint8. `edges` and `evidence` are
    sparse maps gathered over time. `age` says for how many frames a cell of `edges` counts, HxW
    float32 >= 0. `dense` is the map of the frame. `dead_zone` is the blur that was left alone, in
    full-resolution px. Where frames since then were not measured, `look` is that of the last of
    them, `flow` (x, y) says how many cells away everything was when it was, HxWx2, and `trust` how
    far to believe that, HxW in [0, 1].
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
        """Carry everything to the grids of another frame, as after a change of working scale."""
        if self.edges.grid == cells and self.evidence.grid == view:
            return self
        rows, cols = cells.shape
        light = cv2.resize(linearise(self.look), (cols, rows), interpolation=cv2.INTER_AREA)
        look = to_codes(encode(np.asarray(light, np.float32)), 8)
        factor = np.float32(self.edges.grid.step / cells.step)
        age = cv2.resize(np.minimum(self.age, CARRIED_FRAMES), (cols, rows))
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
    """Lift a sparse map whose confidence is a share: where samples meet, it is averaged."""
    lifted = lift(evidence, to)
    confidence = lifted.confidence * np.float32(min((evidence.grid.step / to.step) ** 2, 1.0))
    return BlurMap(lifted.sigma, confidence, to)
