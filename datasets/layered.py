"""Scenes made of layers, photographed through a lens and through one m times as wide.

Every layer is known in full, also where another covers it, so that both photographs are exact
(`stages.scene.compose`). From the same layers follow the true blur of each pixel, the coverage of
the subject and the far colours behind it. Sigma is in px of the picture, light is linear.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.params import Array
from stages.scene import Layer, compose
from stages.tone import SRGB, encode

CODES = 65535  # photographs are kept as display-encoded 16-bit codes
OPAQUE = 0.5  # coverage from which on a pixel belongs to a layer
Region = tuple[slice, slice]
WHOLE: Region = (slice(None), slice(None))


class Layered(NamedTuple):
    """A scene: layers from back to front, and what is known of it.

    `subject` is the index of a layer in focus whose coverage is measured; `strands` marks the
    pixels of its hairs, HxW bool. `balls` are the centres (y, x) of isolated lamps out of focus.
    `region` is the part of the picture in which results are judged.
    """

    layers: tuple[Layer, ...]
    subject: int | None = None
    strands: npt.NDArray[np.bool_] | None = None
    balls: npt.NDArray[np.float64] | None = None
    region: Region = WHOLE


def widened(layers: tuple[Layer, ...], times: float) -> tuple[Layer, ...]:
    """The same layers through an aperture `times` as wide."""
    return tuple(layer._replace(sigma=layer.sigma * np.float32(times)) for layer in layers)


def defocus_of(layers: tuple[Layer, ...]) -> Array:
    """Blur of what each pixel shows: that of the front layer which covers most of it, HxW px."""
    out = layers[0].sigma.copy()
    for layer in layers[1:]:
        np.copyto(out, layer.sigma, where=layer.alpha >= OPAQUE)
    return out


def photographs(scene: Layered, times: float) -> dict[str, npt.NDArray[np.generic]]:
    """Both photographs of a scene and what is known of them; lenses blur by disks.

    Parameters
    ----------
    scene : Layered
        A scene.
    times : float
        How many times as wide the other lens is; 1: there is none.

    Returns
    -------
    dict of str to array
        `light`: the photograph, HxWx3 uint16 sRGB codes. `defocus`: HxW float32, px. `truth`: that
        of the wider lens, and with a subject `near` (its colour), `far` (what the wider lens shows
        without it) and `strands`, all in the region of the scene: its (start, stop) of rows and
        columns.
    """
    out: dict[str, npt.NDArray[np.generic]] = {
        "light": codes_of(compose(scene.layers)),
        "defocus": defocus_of(scene.layers),
    }
    if times == 1:
        return out
    spans = (axis.indices(n) for axis, n in zip(scene.region, out["defocus"].shape, strict=True))
    out["region"] = np.array([(start, stop) for start, stop, _ in spans])
    wide = widened(scene.layers, times)
    out["truth"] = codes_of(_compose_part(wide, scene.region))
    if scene.subject is not None:
        others = (*wide[: scene.subject], *wide[scene.subject + 1 :])
        out["near"] = codes_of(scene.layers[scene.subject].linear[scene.region])
        out["far"] = codes_of(_compose_part(others, scene.region))
    if scene.strands is not None:
        out["strands"] = scene.strands[scene.region]
    if scene.balls is not None:
        out["balls"] = scene.balls
    return out


def _compose_part(layers: tuple[Layer, ...], region: Region) -> Array:
    """A region of the photograph, from the part of the layers that spreads into it."""
    reach = int(np.ceil(2 * max(float(layer.sigma.max()) for layer in layers))) + 2
    spans = [axis.indices(n) for axis, n in zip(region, layers[0].alpha.shape, strict=True)]
    part = tuple(slice(max(a - reach, 0), b + reach) for a, b, _ in spans)
    inner = tuple(slice(a - p.start, b - p.start) for (a, b, _), p in zip(spans, part, strict=True))
    return compose([Layer(*(plane[part] for plane in layer)) for layer in layers])[inner]


def codes_of(linear: Array) -> npt.NDArray[np.uint16]:
    """Display-encoded 16-bit codes of linear light, clipped as a display clips."""
    return np.rint(encode(np.ascontiguousarray(linear), SRGB) * CODES).astype(np.uint16)


def encoded_of(codes: npt.NDArray[np.generic]) -> Array:
    """Encoded values in [0, 1] of 16-bit codes."""
    return codes.astype(np.float32) / CODES
