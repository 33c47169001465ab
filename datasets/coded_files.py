"""Pictures whose coding is known: a scene of flat patches, coded in many ways, as small files.

The patches are sRGB red 203, 63, 63; green 63, 188, 63; grey 118; and a dark skin tone. What a
reader makes of a file can be compared with them, whatever the file's primaries and curve.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

PATCH_PX = 16
PATCHES = np.array([[203, 63, 63], [63, 188, 63], [118, 118, 118], [96, 64, 48]], np.float64)
TO_XYZ = {  # from linear RGB to XYZ (D65): IEC 61966-2-1, Adobe RGB (1998), SMPTE EG 432-1, BT.2020
    "srgb": [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
             [0.0193339, 0.1191920, 0.9503041]],
    "adobe": [[0.5767309, 0.1855540, 0.1881852], [0.2973769, 0.6273491, 0.0752741],
              [0.0270343, 0.0706872, 0.9911085]],
    "p3": [[0.4865709, 0.2656677, 0.1982173], [0.2289746, 0.6917385, 0.0792869],
           [0.0, 0.0451134, 1.0439444]],
    "bt2020": [[0.6369580, 0.1446169, 0.1688810], [0.2627002, 0.6779981, 0.0593017],
               [0.0, 0.0280727, 1.0609851]],
}  # fmt: skip
ADOBE_CHROMATICITIES = (31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)  # as in cHRM
REFERENCE_WHITE_NITS = 203.0

Plane = npt.NDArray[Any]
Chunk = tuple[bytes, bytes]


def srgb_curve(light: Plane) -> Plane:
    """Encode linear light by IEC 61966-2-1."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 0) ** (1 / 2.4)
                    - 0.055)  # fmt: skip


def pq_curve(light: Plane) -> Plane:
    """Encode light, 1 at reference white, by SMPTE ST 2084."""
    y = (np.maximum(light, 0) * REFERENCE_WHITE_NITS / 10_000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * y) / (1 + 2392 / 128 * y)) ** (2523 / 32)


def hlg_curve(light: Plane) -> Plane:
    """Encode displayed light of BT.2020, 1 at reference white, by ARIB STD-B67 at 1000 cd/m2."""
    shown = np.maximum(light, 0) * REFERENCE_WHITE_NITS / 1000
    luma = shown @ np.array([0.2627, 0.6780, 0.0593])
    scene = shown * np.maximum(luma, 1e-9)[..., None] ** (1 / 1.2 - 1)
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    upper = a * np.log(np.maximum(12 * scene - b, 1e-9)) + c
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), upper)


def gamma_curve(exponent: float) -> Callable[[Plane], Plane]:
    """A power law: light = code ** exponent."""
    return lambda light: np.maximum(light, 0) ** (1 / exponent)


def scene() -> Plane:
    """Linear sRGB light of the patches in a row, HxWx3."""
    unit = PATCHES / 255
    light = np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4)
    return np.repeat(np.repeat(light[None], PATCH_PX, 0), PATCH_PX, 1)


def coded(space: str, curve: Callable[[Plane], Plane], bits: int = 8) -> Plane:
    """Codes of the scene in a space of `TO_XYZ`."""
    matrix = np.linalg.solve(np.array(TO_XYZ[space]), np.array(TO_XYZ["srgb"]))
    values = curve(np.clip(scene() @ matrix.T, 0, 1))
    return np.rint(values * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)


def patches_of(codes: Plane) -> Plane:
    """Mean of every patch, away from its edges, of a picture of the scene."""
    inner = slice(PATCH_PX // 4, -PATCH_PX // 4)
    parts = np.split(codes.astype(np.float64), len(PATCHES), axis=1)
    return np.array([part[inner, inner].mean(axis=(0, 1)) for part in parts])


def png_file(codes: Plane, before: Iterable[Chunk] = (), after: Iterable[Chunk] = ()) -> bytes:
    """A PNG of HxW or HxWx3 codes, with chunks before and after its pixels."""
    depth, colour_type = codes.dtype.itemsize * 8, 0 if codes.ndim == 2 else 2
    head = struct.pack(">IIBBBBB", codes.shape[1], codes.shape[0], depth, colour_type, 0, 0, 0)
    wide = codes.astype(codes.dtype.newbyteorder(">"))
    rows = b"".join(b"\0" + row.tobytes() for row in wide)
    parts = [(b"IHDR", head), *before, (b"IDAT", zlib.compress(rows)), *after, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(framed, parts))


def framed(chunk: Chunk) -> bytes:
    """A chunk with its length and checksum."""
    name, content = chunk
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)
