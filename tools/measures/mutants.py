"""Damaged files by the thousand: whole files of every kind, and what chance does to their bytes.

A mutant is told by two numbers, of the series and its own, so that each can be made again.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from camerapipe.ingest import MAP_FORMATS, can_write, capture_from_array, encode_map
from datasets import case_files, depth_files, metadata_files
from datasets.coded_files import coded, srgb_curve
from stages.grid import BlurMap, Grid

MOST_SEED_BYTES = 200_000  # of a real file: larger ones only take longer
HEAD_BYTES = 600  # most of what a decoder trusts is here
WIDTHS = (1, 2, 4, 8)  # of a number in a file, bytes
PNG_HEAD = 8
ROLES = ("photo", "map", "mask", "depth", "embedded")


class Seed(NamedTuple):
    """A file, and what it is used as: photo, map, mask, depth, or embedded (depth in a photo)."""

    name: str
    data: bytes
    roles: tuple[str, ...] = ("photo",)

    def role(self, number: int) -> str:
        """The role in a try of this number; now and then that of another kind of file."""
        roles = ROLES if number % 16 == 0 else self.roles
        return roles[number // 16 % len(roles)]


def made_seeds() -> list[Seed]:
    """Files of every kind that can be read, made by code."""
    rng = np.random.default_rng(4)
    codes = coded("srgb", srgb_curve)
    gains = rng.integers(0, 256, (24, 36), np.uint8)
    light = np.kron((codes / 255.0) ** 2.2, np.ones((3, 3, 1)))  # LibRaw refuses tiny sensors
    photos = {
        **case_files.sdr_files(),
        **case_files.sdr_pngs(),
        **case_files.hdr_files(),
        **case_files.gain_map_files(codes, gains),
        **case_files.hidden_picture_files(codes),
        **{name: data for name, (data, _) in case_files.dng_files(light).items()},
        "transparent.png": case_files.transparent_file(codes, codes[..., 0]),
        "cropped.dng": case_files.cropped_dng(light),
        **metadata_files.metadata_files(codes),
    }
    depths = depth_files.photographs(depth_files.depth_scene((60, 80)))
    return [
        *(Seed(name, data) for name, data in sorted(photos.items())),
        *(Seed(f"{name}.jpg", data, ("photo", "embedded")) for name, data in depths.items()),
        *(Seed(name, data, ("map", "mask", "depth")) for name, data in _maps(codes).items()),
    ]


def real_seeds(folder: Path) -> list[Seed]:
    """Small files of a folder and those below it."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [
        Seed(str(path.relative_to(folder)), path.read_bytes())
        for path in files
        if 0 < path.stat().st_size <= MOST_SEED_BYTES and path.suffix not in (".md", ".json")
    ]


def mutant(seeds: Sequence[Seed], series: int, number: int) -> Seed:
    """The damaged file of a number in a series; the name says what it was made of."""
    rng = np.random.default_rng([series, number])
    seed = seeds[rng.integers(len(seeds))]
    data, done = bytearray(seed.data), []
    for _ in range(rng.choice(3, p=[0.6, 0.25, 0.15]) + 1):
        change = CHANGES[rng.integers(len(CHANGES))]
        change(data, rng, seeds)
        done.append(change.__name__.strip("_"))
    if data.startswith(b"\x89PNG") and rng.random() < 0.7:
        data = _checksummed(data)
    return Seed(f"{seed.name} ({', '.join(done)})", bytes(data), seed.roles)


def _maps(codes: np.ndarray) -> dict[str, bytes]:
    """A blur map in each of our formats."""
    sigma = np.linspace(0, 4, codes.shape[0] * codes.shape[1], dtype=np.float32)
    shape = (codes.shape[0], codes.shape[1])
    blur = BlurMap(sigma.reshape(shape), np.ones(shape, np.float32), Grid(shape))
    capture = capture_from_array(codes, "srgb")
    return {
        f"map.{name}": encode_map(blur, format=name, capture=capture)
        for name in MAP_FORMATS
        if can_write(name, MAP_FORMATS)
    }


def _place(data: bytearray, rng: np.random.Generator) -> int:
    """An index, in the head of the file half of the time."""
    end = min(len(data), HEAD_BYTES) if rng.random() < 0.5 else len(data)
    return int(rng.integers(max(end, 1)))


def _part(data: Sequence[int], rng: np.random.Generator) -> slice:
    start = int(rng.integers(max(len(data), 1)))
    return slice(start, start + int(2 ** rng.uniform(0, 12)))


def _bytes(data: bytearray, rng: np.random.Generator, seeds: Sequence[Seed]) -> None:
    for _ in range(int(2 ** rng.uniform(0, 4))):
        at = _place(data, rng)
        data[at : at + 1] = bytes([rng.integers(256)])


def _number(data: bytearray, rng: np.random.Generator, seeds: Sequence[Seed]) -> None:
    """A number that a decoder may believe: none, all bits, the sign bit, or a size."""
    width = WIDTHS[rng.integers(len(WIDTHS))]
    top = 1 << (8 * width)
    values = (0, 1, top - 1, top // 2, top // 2 - 1, len(data), 0x7FFF_FFF0, rng.integers(1 << 31))
    value = int(values[rng.integers(len(values))]) % top
    at = _place(data, rng)
    data[at : at + width] = value.to_bytes(width, "big" if rng.random() < 0.5 else "little")


def _cut(data: bytearray, rng: np.random.Generator, seeds: Sequence[Seed]) -> None:
    del data[_place(data, rng) :]


def _dropped(data: bytearray, rng: np.random.Generator, seeds: Sequence[Seed]) -> None:
    del data[_part(data, rng)]


def _repeated(data: bytearray, rng: np.random.Generator, seeds: Sequence[Seed]) -> None:
    part = _part(data, rng)
    data[part.start : part.start] = data[part] * int(rng.integers(1, 4))


def _blanked(data: bytearray, rng: np.random.Generator, seeds: Sequence[Seed]) -> None:
    part = _part(data, rng)
    data[part] = bytes([rng.choice([0, 255])]) * len(data[part])


def _spliced(data: bytearray, rng: np.random.Generator, seeds: Sequence[Seed]) -> None:
    """A part of another file, in place of a part of this one."""
    other = seeds[rng.integers(len(seeds))].data
    data[_part(data, rng)] = other[_part(other, rng)]


def _grafted(data: bytearray, rng: np.random.Generator, seeds: Sequence[Seed]) -> None:
    """The head of this file, and the rest of another."""
    other = seeds[rng.integers(len(seeds))].data
    at = _place(data, rng)
    data[at:] = other[at:]


Change = Callable[[bytearray, np.random.Generator, Sequence[Seed]], None]
CHANGES: tuple[Change, ...] = (
    _bytes, _number, _cut, _dropped, _repeated, _blanked, _spliced, _grafted, _number, _bytes,
)  # fmt: skip


def _checksummed(data: bytearray) -> bytearray:
    """A PNG whose chunks have right checksums again, so that decoders look into them."""
    at = PNG_HEAD
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        end = at + 8 + size
        if end + 4 > len(data):
            break
        struct.pack_into(">I", data, end, zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return data
