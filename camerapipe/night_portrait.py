"""A synthetic photograph of full size: a person with long hair before the lights of a city.

The person is seen from behind and in focus, with a knitted hat and loose strands of hair. The city
is far away and out of focus. The same scene through a wider lens is known exactly, so that outlines
and disks of light can be judged at 100 %. All lengths scale with the height of the picture. The
same size, lens and seed give the same photograph; nothing is read from disk.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from stages.bokeh.disk import disk_kernel
from stages.params import Array
from stages.tone import SRGB, encode, linearise

SIZE = (3000, 4000)
DISK_SHARE = 0.011  # radius of a light out of focus in the capture, as a share of the height
SHARP_SIGMA_PX = 0.55  # of the lens, in focus
NOISE_CODES = 1.2  # standard deviation of the noise, 8-bit codes
LIGHTS, LIGHTS_TRIED = 110, 400
BUILDINGS, WINDOWS = 60, 700
APART = 2.4  # least distance of two lights, as a multiple of the radius in the capture
REDUCED = 2  # the city without its lights is drawn at this fraction of the size
SUBPIXEL_BITS = 4  # of the coordinates that OpenCV draws at
STRAND_POINTS = 28
STRANDS, LOOSE_STRANDS, THREADS, POMPOM_THREADS = 5200, 320, 26000, 2600
COAT_HALF = 0.53
CLEAR = (0.46, 0.025)  # of lights: parts of the coat from the middle, heights above the coat
HAIR_HALF, HAIR_TOP, HAIR_LENGTH = 0.155, 0.32, 0.46  # in heights of the picture

SKY, GLOW = (0.004, 0.006, 0.016), (0.075, 0.042, 0.03)  # linear light
LIGHT_COLOURS = np.array(
    [[1, 0.55, 0.2], [1, 0.75, 0.45], [1, 0.92, 0.8], [0.55, 0.75, 1], [1, 0.16, 0.1],
     [0.25, 0.9, 0.6]], np.float32
)  # fmt: skip
LIGHT_LEVELS = (1.0, 3.0)  # of a disk in the capture, times display white
HAIR, HAT, COAT, POMPOM = (96, 62, 40), (168, 44, 40), (58, 72, 92), (186, 172, 158)  # sRGB codes

Codes = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]
Random = np.random.Generator


def night_portrait(size: tuple[int, int] = SIZE, lens: float = 1.0, seed: int = 0) -> Codes:
    """Photograph of the scene.

    Parameters
    ----------
    size : (int, int)
        Rows and columns, at least 64, px.
    lens : float
        Width of the aperture relative to that of the capture, at least 0.1. Blur is proportional to
        it, and everything else is the same.
    seed : int
        Seed of all random numbers.

    Returns
    -------
    array of uint8
        sRGB codes, HxWx3.

    Raises
    ------
    ValueError
        If size or lens is out of range.
    """
    if min(size) < 64 or not lens >= 0.1:
        raise ValueError(
            f"night_portrait: expected at least 64x64 px and lens >= 0.1; got {size}, {lens}"
        )
    light = _city(size, lens, np.random.default_rng([seed, 0]))
    person, coverage = _person(size, np.random.default_rng([seed, 1]))
    matte = cv2.GaussianBlur(coverage, (0, 0), SHARP_SIGMA_PX)[..., None]
    sharp = cv2.GaussianBlur(person * coverage[..., None], (0, 0), SHARP_SIGMA_PX)
    light *= 1 - matte
    light += sharp
    codes = encode(light, SRGB)
    codes *= 255
    noise = np.random.default_rng([seed, 2]).standard_normal(codes.shape, np.float32)
    codes += NOISE_CODES * noise
    return np.asarray(cv2.convertScaleAbs(cv2.max(codes, 0.0)), np.uint8)


def _city(size: tuple[int, int], lens: float, rng: Random) -> Array:
    """Light of the city out of focus, linear HxWx3."""
    rows, cols = (-(-side // REDUCED) for side in size)
    height = np.linspace(0, 1, rows, dtype=np.float32)[:, None, None]
    haze = np.exp(-(((height - 0.72) / 0.28) ** 2))
    sky = np.array(SKY) + haze * np.array(GLOW)
    light = np.tile(sky.astype(np.float32), (1, cols, 1))
    for _ in range(BUILDINGS):
        near = rng.random()
        left, wide = rng.uniform(-0.05, 1) * cols, rng.uniform(0.02, 0.07) * cols
        top = int((0.75 - rng.uniform(0.02, 0.5) * (0.4 + 0.6 * near)) * rows)
        tone = np.float32(rng.uniform(0.3, 0.9)) * np.array([0.018, 0.016, 0.02], np.float32)
        light[top : int(0.8 * rows), max(int(left), 0) : int(left + wide)] = tone
    for _ in range(WINDOWS):
        y, x = int(rows * rng.triangular(0.3, 0.76, 0.78)), int(rng.random() * cols)
        tall, wide = max(rows // 180, 1), max(rows // 260, 1)
        warm = np.float32(rng.uniform(0.02, 0.16)) * np.array([1, 0.72, 0.4], np.float32)
        light[y : y + tall, x : x + wide] += warm
    light[int(0.8 * rows) :] *= 0.45
    radius = DISK_SHARE * size[0] * lens
    reduced = np.asarray(light, np.float32)
    if radius / REDUCED > 0.5:
        kernel = disk_kernel(radius / REDUCED)
        reduced = cv2.filter2D(reduced, -1, kernel, borderType=cv2.BORDER_REFLECT)
    out = cv2.resize(reduced, size[::-1], interpolation=cv2.INTER_CUBIC)
    _add_lights(np.asarray(cv2.max(out, 0.0), np.float32), radius, lens, rng, out)
    return np.asarray(out, np.float32)


def _add_lights(light: Array, radius: float, lens: float, rng: Random, out: Array) -> None:
    """Add the images of small lights: disks of one radius, antialiased."""
    out[...] = light
    rows, cols = light.shape[:2]
    for y, x in _places(rows, cols, rng):
        colour = LIGHT_COLOURS[rng.integers(len(LIGHT_COLOURS))]
        level = math.exp(rng.uniform(*np.log(LIGHT_LEVELS))) / lens**2
        top, left = (max(int(place - radius - 1), 0) for place in (y, x))
        box = np.s_[top : int(y + radius + 3), left : int(x + radius + 3)]
        down, right = np.indices(out[box].shape[:2], np.float32)
        distance = np.hypot(down + np.float32(top - y), right + np.float32(left - x))
        disk = np.clip(np.float32(radius + 0.5) - distance, 0, 1)
        out[box] += disk[..., None] * (np.float32(level) * colour)


def _places(rows: int, cols: int, rng: Random) -> list[tuple[float, float]]:
    """Centres (y, x) of the lights, apart from each other and clear of the person.

    They are the same for every lens.
    """
    apart, found = APART * DISK_SHARE * rows, [(-math.inf, -math.inf)]
    for _ in range(LIGHTS_TRIED):
        y, x = rows * min(max(rng.normal(0.62, 0.11), 0.25), 0.8), cols * rng.random()
        part = (x - cols / 2) / (COAT_HALF * rows)
        above = float(_shoulder(np.array(part))) - y / rows
        clear = abs(part) > CLEAR[0] and above > CLEAR[1]
        if clear and min(math.hypot(y - v, x - u) for v, u in found) >= apart:
            found.append((y, x))
    return found[1:][:LIGHTS]


def _person(size: tuple[int, int], rng: Random) -> tuple[Array, Array]:
    """Light HxWx3 and coverage HxW of the person; light is extended beyond the coverage."""
    picture = _Drawing(size)
    _draw_coat(picture, rng)
    _draw_hair(picture, rng)
    _draw_hat(picture, rng)
    return linearise(picture.codes), picture.coverage.astype(np.float32) / np.float32(255)


class _Drawing:
    """Codes and coverage; places are (x, y) in heights of the picture, x from its middle."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.rows, self.cols = size
        self.codes = np.empty((*size, 3), np.uint8)
        self.codes[:] = HAIR
        self.coverage = np.zeros(size, np.uint8)

    def pixels(self, points: Points) -> npt.NDArray[np.int32]:
        """Places as OpenCV's fixed-point coordinates."""
        places = points * self.rows + np.array([0.5 * self.cols, 0.0])
        return np.asarray(np.rint(places * (1 << SUBPIXEL_BITS)), np.int32)

    def fill(self, points: Points, colour: tuple[float, ...]) -> None:
        """Fill a polygon."""
        for plane, value in ((self.codes, colour), (self.coverage, (255.0,))):
            cv2.fillPoly(plane, [self.pixels(points)], value, cv2.LINE_AA, SUBPIXEL_BITS)

    def strand(self, points: Points, width: float, colour: tuple[float, ...]) -> None:
        """Draw a line; its width is in heights of the picture, at least one pixel."""
        pixels, thick = [self.pixels(points)], max(round(width * self.rows), 1)
        for plane, value in ((self.codes, colour), (self.coverage, (255.0,))):
            cv2.polylines(plane, pixels, False, value, thick, cv2.LINE_AA, SUBPIXEL_BITS)


def _shade(colour: tuple[int, int, int], factor: float) -> tuple[float, ...]:
    return tuple(float(min(max(channel * factor, 4), 250)) for channel in colour)


def _shoulder(part: Points) -> Points:
    """Upper border of the coat from its left side (-1) to its right one (1)."""
    return 0.70 + 0.36 * np.abs(part) ** 2.6


def _draw_coat(picture: _Drawing, rng: Random) -> None:
    """Shoulders, and a fabric of short threads."""
    turn = np.linspace(-1, 1, 120)
    outline = np.stack([COAT_HALF * turn, _shoulder(turn)], axis=1)
    picture.fill(outline, _shade(COAT, 0.8))
    for _ in range(THREADS):
        part = rng.uniform(-1, 1)
        x, top = COAT_HALF * part, float(_shoulder(np.array(part)))
        y = top + rng.random() * (1.03 - top) + 0.002
        lean = 0.6 if int((x + 1) * 70) % 2 else -0.6  # herringbone
        length = rng.uniform(0.004, 0.008)
        ends = np.array([[x, y], [x + lean * length, y + length]])
        light = 1.15 - 0.5 * part**2
        picture.strand(ends, 0.0011, _shade(COAT, light * rng.uniform(0.65, 1.3)))


def _fall(along: Points, start: float, spread: float) -> Points:
    """Distance of falling hair from the middle; `start` is -1 at the left and 1 at the right."""
    return HAIR_HALF * start * (1 + 0.3 * spread * np.sin(along * math.pi * 0.7))


def _draw_hair(picture: _Drawing, rng: Random) -> None:
    """Long hair: locks from the hat to the shoulders, and loose strands on both sides."""
    along = np.linspace(0, 1, STRAND_POINTS)
    side = np.stack([_fall(along, 1, 0.9), HAIR_TOP + 0.88 * HAIR_LENGTH * along], axis=1)
    picture.fill(np.concatenate([side, side[::-1] * (-1, 1)]), _shade(HAIR, 0.5))
    for number in range(STRANDS):
        start = rng.uniform(-1, 1)
        lock = math.sin(7 * start) + 0.6 * math.sin(17 * start + 1)  # neighbours wave together
        wave = rng.normal(0.007, 0.003)
        bend = wave * np.sin(8.5 * along + 1.3 * lock + rng.normal(0, 0.3)) * along
        length = HAIR_LENGTH * (1 + 0.06 * lock + rng.normal(0, 0.05))
        points = np.stack(
            [_fall(along, start, rng.normal(1, 0.06)) + bend, HAIR_TOP + length * along], axis=1
        )
        gleam = 0.5 * math.exp(-(((start + 0.35) / 0.25) ** 2))
        gleam += 0.25 * math.exp(-(((start - 0.5) / 0.2) ** 2))
        depth = 0.55 + 0.45 * number / STRANDS
        tone = depth * (0.75 + gleam + 0.1 * lock) * rng.uniform(0.6, 1.35)
        picture.strand(points, rng.uniform(0.0005, 0.0011), _shade(HAIR, tone))
    for _ in range(LOOSE_STRANDS):
        sign, root = rng.choice([-1.0, 1.0]), rng.uniform(0.02, 0.75)
        length = rng.uniform(0.15, 0.45) * (1.15 - root)
        place = root + length * along
        away = 0.002 + rng.gamma(1.6, 0.011) * along**1.4 - rng.gamma(1.2, 0.008) * along**3
        curl = 0.0025 * np.sin(rng.uniform(3, 9) * along + rng.uniform(0, 6)) * along
        x = sign * (_fall(place, 1, 1) + away + curl)
        points = np.stack([x, HAIR_TOP + HAIR_LENGTH * place], axis=1)
        picture.strand(points, rng.uniform(0.0003, 0.0007), _shade(HAIR, rng.uniform(0.8, 1.7)))


def _draw_hat(picture: _Drawing, rng: Random) -> None:
    """A knitted hat with a brim, and a pompom of short threads."""
    angle = np.linspace(math.pi, 2 * math.pi, 90)
    dome = np.stack([0.172 * np.cos(angle), 0.36 + 0.215 * np.sin(angle)], axis=1)
    brim = np.array([[0.178, 0.38], [0.170, 0.415], [-0.170, 0.415], [-0.178, 0.38]])
    picture.fill(np.concatenate([dome, brim]), _shade(HAT, 0.45))
    stitches = np.linspace(-1, 1, 46)
    dome_rows = np.sin(np.linspace(0.47 * math.pi, 0, 60, endpoint=False))
    for row, height in enumerate(np.concatenate([dome_rows, np.linspace(0, -0.18, 9)])):
        top = min(max(height + 0.014, 0), 1)  # of the stitch, which stays within the outline
        width = 0.169 * math.sqrt(1 - top**2) + 0.004 * (height < -0.02)
        y = 0.36 - 0.215 * height if height > 0 else 0.36 - 0.3 * height
        for turn in stitches:
            x = width * math.sin(turn * math.pi / 2)
            size = 0.0036 * (0.35 + 0.65 * math.cos(turn * math.pi / 2))
            light = (0.5 + 0.75 * math.cos((turn + 0.25) * 1.25)) * (0.7 + 0.3 * max(height, 0.2))
            light *= rng.uniform(0.85, 1.15) * (0.8 if height < -0.02 and row % 2 else 1)
            for lean in (-1, 1):
                ends = np.array([[x + lean * size, y - 0.0024], [x, y + 0.0024]])
                picture.strand(ends, 0.0019, _shade(HAT, light))
    centre = np.array([0.005, 0.118])
    for number in range(POMPOM_THREADS):
        turn, radius = rng.uniform(0, 2 * math.pi), 0.05 * math.sqrt(rng.random())
        root = centre + radius * np.array([math.cos(turn), math.sin(turn)])
        bend = turn + rng.normal(0, 0.5 + 2 * (1 - radius / 0.05))
        length = rng.uniform(0.008, 0.022)
        steps = np.linspace(0, 1, 6)[:, None]
        tip = steps * length * np.array([math.cos(bend), math.sin(bend)])
        points = root + tip + steps**2 * length * rng.normal(0, 0.25, 2)
        light = 0.55 + 0.6 * number / POMPOM_THREADS
        light *= 1 - 10 * radius * math.sin(turn)
        picture.strand(points, 0.0008, _shade(POMPOM, light * rng.uniform(0.8, 1.15)))
