"""Layered scenes made from nothing, each a kind of photograph at which subjects get lost.

`matte`: a hairy subject before clipped white, black or leaves. `slant`: a textured surface whose
blur passes slowly from focus to 2.5 px. `cards`: surfaces at several depths, with the focus on one
of them. `night`: a subject before lamps whose disks clip. `foreground`: blurred leaves before a
sharp subject. `planes`: a sharp plane before a far one. A name, a shape and a seed give one scene.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from datasets.layered import Layered
from datasets.scenes import LAMP_COLOURS, dead_leaves
from datasets.strands import hairy_subject
from stages.params import Array
from stages.scene import Layer
from stages.tone import SRGB, encode, linearise

Shape = tuple[int, int]
CLIPPED_WHITE = 1.6  # linear light of an overexposed ground
BLACK = 0.0015
GROUND_SHARE = 0.3  # of a white or black ground that has leaves on it, for its blur to show
LARGE_HAIR_PX = (2.0, 7.0)
SLANT_PX = 2.5  # blur at the far end of a slanted surface
CELL_LEVELS = (0.15, 0.85)  # encoded
LAMP_PX = 2  # side of a lamp
LAMP_SHARE = 0.5  # of the places of a lattice have a lamp
LAMP_LEVEL = (2.0, 9.0)  # of a lamp's disk, times display white


def coloured(
    shape: Shape, seed: int, level: float, contrast: float, tint: tuple[float, float, float]
) -> Array:
    """Dead leaves about an encoded level, HxWx3 linear light."""
    leaves = encode(np.minimum(dead_leaves(shape, seed, tint), 1), SRGB)
    encoded = level * np.array(tint) + contrast * (leaves - leaves.mean(axis=(0, 1)))
    return linearise(np.clip(encoded, 0.01, 0.97).astype(np.float32))


def _opaque(linear: Array, sigma_px: float | Array) -> Layer:
    shape = linear.shape[:2]
    sigma = np.broadcast_to(np.asarray(sigma_px, np.float32), shape).copy()
    return Layer(np.ascontiguousarray(linear), np.ones(shape, np.float32), sigma)


def _patches(shape: Shape, seed: int, share: float) -> Array:
    """Soft-edged blobs that cover a share of the picture, HxW in [0, 1]."""
    noise = np.random.default_rng(seed).standard_normal((shape[0] // 4, shape[1] // 4))
    smooth = cv2.GaussianBlur(noise, (0, 0), shape[0] / 4 / 14)
    smooth = cv2.resize(smooth, shape[::-1], interpolation=cv2.INTER_LINEAR)
    return (smooth < np.quantile(smooth[::4, ::4], share)).astype(np.float32)


def white_ground(shape: Shape, seed: int) -> Array:
    """Overexposed white with some dark leaves on it."""
    leaves = coloured(shape, seed + 1, 0.35, 0.8, (0.8, 1.0, 0.7))
    part = _patches(shape, seed, GROUND_SHARE)[..., None]
    return np.asarray(part * leaves + (1 - part) * np.float32(CLIPPED_WHITE), np.float32)


def black_ground(shape: Shape, seed: int) -> Array:
    """Black with some dim leaves on it."""
    leaves = coloured(shape, seed + 1, 0.3, 0.6, (0.7, 0.8, 1.0))
    part = _patches(shape, seed, GROUND_SHARE)[..., None]
    return np.asarray(part * leaves + (1 - part) * np.float32(BLACK), np.float32)


def leafy_ground(shape: Shape, seed: int) -> Array:
    """Leaves."""
    return coloured(shape, seed, 0.45, 0.8, (0.8, 1.0, 0.7))


def matte(
    shape: Shape,
    seed: int,
    sigma_px: float,
    ground: Callable[[Shape, int], Array],
    level: float,
    hair_px: tuple[float, float] = (0.8, 2.6),
) -> Layered:
    """A sharp textured subject with hairs before a ground of one blur.

    Parameters
    ----------
    shape : (rows, columns)
        Size in px.
    seed : int
        Of texture, outline and hairs.
    sigma_px : float
        Blur of the ground.
    ground : callable
        Its linear light from shape and seed.
    level : float
        Mean encoded value of the subject.
    hair_px : (float, float)
        Widths of the thinnest and of the thickest hair.
    """
    subject = hairy_subject(shape, seed, hair_px=hair_px)
    light = coloured(shape, seed + 7, level, 0.35, (1.0, 0.97, 0.92))
    front = Layer(light, subject.alpha, np.zeros(shape, np.float32))
    layers = (_opaque(ground(shape, seed), sigma_px), front)
    return Layered(layers, subject=1, strands=subject.strands)


def large_matte(
    shape: Shape, seed: int, sigma_px: float, ground: Callable[[Shape, int], Array], level: float
) -> Layered:
    """`matte` at the size of a camera's files, judged in the upper left part of the subject."""
    height, middle = shape[0], shape[1] // 2
    rows = slice(int(0.2 * height), int(0.62 * height))
    region = rows, slice(middle - (rows.stop - rows.start), middle)
    return matte(shape, seed, sigma_px, ground, level, LARGE_HAIR_PX)._replace(region=region)


def slant(shape: Shape, seed: int, contrast: float, across: bool) -> Layered:
    """A textured surface, in focus at one end, whose blur grows evenly to 2.5 px at the other."""
    axis = np.linspace(0, 1, shape[1 if across else 0], dtype=np.float32)
    ramp = axis[None, :] if across else axis[::-1, None]
    light = coloured(shape, seed, 0.5, contrast, (1.0, 0.92, 0.8))
    return Layered((_opaque(light, np.maximum(SLANT_PX * (ramp - 0.15) / 0.85, 0)),))


def cards(shape: Shape, seed: int, focus: float, largest_px: float) -> Layered:
    """Five surfaces one before the other; blur grows with the distance from the one in focus.

    Parameters
    ----------
    shape, seed
        Size in px; of textures and places.
    focus : float
        Depth in focus: 0 the nearest, 1 the ground.
    largest_px : float
        Blur at a distance of 1.
    """
    rng = np.random.default_rng(seed)
    depths = np.linspace(1, 0, 5)
    layers = []
    for k, depth in enumerate(depths):
        tint = tuple(rng.uniform(0.7, 1.1, 3))
        light = coloured(shape, seed + 10 * k, rng.uniform(0.35, 0.65), 0.7, tint)
        blur = np.full(shape, largest_px * abs(depth - focus), np.float32)
        if k == 0:
            alpha = np.ones(shape, np.float32)
        else:
            centre = (rng.uniform(0.3, 0.8), (k - 0.5) / 4 + rng.uniform(-0.05, 0.05))
            alpha = hairy_subject(shape, seed + k, 6, centre, rng.uniform(0.15, 0.2)).alpha
        layers.append(Layer(light, alpha, blur))
    return Layered(tuple(layers))


def lamp_places(shape: Shape, seed: int, apart_px: float) -> np.ndarray:
    """Centres (y, x) of lamps on a jittered lattice, at least half of `apart_px` from borders."""
    rng = np.random.default_rng(seed)
    rows, cols = (int(n // apart_px) for n in shape)
    y, x = np.mgrid[0:rows, 0:cols].reshape(2, -1)
    jitter = rng.uniform(-0.08, 0.08, (2, y.size)) * apart_px
    lit = rng.random(y.size) < LAMP_SHARE
    return np.rint(np.stack([y, x], axis=1) * apart_px + apart_px / 2 + jitter.T)[lit]


def night(shape: Shape, seed: int, sigma_px: float, times: float) -> Layered:
    """A dim sharp subject before lamps, whose disks clip and stay apart through the wider lens."""
    rng = np.random.default_rng(seed)
    wall = coloured(shape, seed, 0.16, 0.2, (0.8, 0.8, 1.0))
    radius = 2 * sigma_px
    places = lamp_places(shape, seed, 2.6 * radius * times)
    subject = hairy_subject(shape, seed, 30, (0.75, 0.5), 0.2)
    reach = int(np.ceil(1.5 * radius * times))
    near = cv2.dilate(subject.alpha, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    for y, x in places.astype(int):
        power = rng.uniform(*LAMP_LEVEL) * np.pi * radius**2 / LAMP_PX**2
        colour = LAMP_COLOURS[rng.integers(len(LAMP_COLOURS))]
        wall[y : y + LAMP_PX, x : x + LAMP_PX] += np.float32(power) * colour
    isolated = np.array([near[int(y), int(x)] == 0 for y, x in places])
    front = Layer(
        coloured(shape, seed + 7, 0.3, 0.35, (1.0, 0.9, 0.8)),
        subject.alpha,
        np.zeros(shape, np.float32),
    )
    balls = places[isolated] + (LAMP_PX - 1) / 2
    layers = _opaque(wall, sigma_px), front
    return Layered(layers, subject=1, strands=subject.strands, balls=balls)


def foreground(shape: Shape, seed: int, near_px: float, far_px: float) -> Layered:
    """Blurred leaves at one side, nearer than a sharp subject before a blurred ground."""
    side = (0.5, 0.12) if seed % 2 else (0.55, 0.85)
    leaf = hairy_subject(shape, seed + 3, 4, side, 0.22).alpha
    subject = hairy_subject(shape, seed, 40)
    layers = (
        _opaque(leafy_ground(shape, seed), far_px),
        Layer(coloured(shape, seed + 7, 0.6, 0.4, (1.0, 0.95, 0.9)), subject.alpha,
              np.zeros(shape, np.float32)),
        Layer(coloured(shape, seed + 9, 0.7, 0.8, (1.0, 0.85, 0.35)), leaf,
              np.full(shape, near_px, np.float32)),
    )  # fmt: skip
    return Layered(layers)


def cells(shape: Shape, seed: int, side_px: int, coloured_cells: bool) -> Array:
    """Square cells of random level, or of random colour, HxWx3 linear light."""
    rng = np.random.default_rng(seed)
    places = (-(-shape[0] // side_px), -(-shape[1] // side_px), 3 if coloured_cells else 1)
    levels = np.broadcast_to(rng.random(places, np.float32), (*places[:2], 3))
    encoded = CELL_LEVELS[0] + (CELL_LEVELS[1] - CELL_LEVELS[0]) * levels
    grown = encoded.repeat(side_px, axis=0).repeat(side_px, axis=1)[: shape[0], : shape[1]]
    return linearise(np.ascontiguousarray(grown, np.float32))


def planes(
    shape: Shape, seed: int, sigma_px: float, texture: Callable[[Shape, int], Array]
) -> Layered:
    """A sharp plane at the left, its outline waved, before a far one of the same make.

    Parameters
    ----------
    shape, seed
        Size in px; of textures and outline.
    sigma_px : float
        Blur of the far plane.
    texture : callable
        Linear light of either plane from shape and seed.
    """
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    outline = shape[1] * (0.42 + 0.05 * np.sin(2 * np.pi * (y / shape[0] * 2 + 0.1 * seed)))
    near = Layer(
        texture(shape, seed + 7),
        np.clip(outline - x + 0.5, 0, 1),
        np.zeros(shape, np.float32),
    )
    return Layered((_opaque(texture(shape, seed), sigma_px), near))
