"""Kinds: what the numbers of an array mean, beside its type.

Linear light and display-encoded values are both HxWx3 float32, and swapping them is the classic
error of this field. The functions of the stages therefore say in their type hints what they take
and give. The hints are plain aliases (`LinearLight` is an `Array`), and a graph is checked by them
when it is built. The kinds of blur maps are in `stages.grid`.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt

from stages.params import Array


class Kind(NamedTuple):
    """What values mean."""

    name: str


class Like(NamedTuple):
    """The kind of a result is that of the argument of this name."""

    argument: str


LinearLight = Annotated[Array, Kind("linear light")]  # HxWx3, 1.0 at display white
Encoded = Annotated[Array, Kind("display-encoded values")]  # HxWx3 in [0, 1]
EncodedCodes = Annotated[npt.NDArray[np.uint8], Kind("8-bit codes")]  # HxWx3, display-encoded
Luma = Annotated[Array, Kind("luma")]  # HxW in [0, 1], of encoded values
Radius = Annotated[Array, Kind("disk radius")]  # HxW, full-resolution px; < 0 before the focus
Mask = Annotated[Array, Kind("mask")]  # HxW in [0, 1]
