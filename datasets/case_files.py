"""Files with the properties that people report trouble with, each with what is right.

Each function gives files by their names. Colours are those of `coded_files.scene`, metadata those
of `metadata_files`, HDR light that of `gain_map_files`. The makers use no code of `camerapipe`.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image, ImageCms

from camerapipe.ingest.dng.writing import Compression
from datasets.coded_files import (
    ADOBE_CHROMATICITIES,
    coded,
    framed,
    gamma_curve,
    hlg_curve,
    png_file,
    pq_curve,
    scene,
    srgb_curve,
)
from datasets.dng_opcodes import bayer_gain_maps, opcode_list
from datasets.gain_map_files import XMP_HEAD, gain_map_jpeg, plain_jpeg, with_segments
from datasets.metadata_files import directory, packet, rich_exif
from datasets.synthetic_raw import BLACK_LEVEL, sample_linear, sample_mosaic, write_dng

ADOBE_GAMMA = 563 / 256
HIDDEN = (255, 0, 0)  # colour of transparent pixels
PLAIN, UNIT_GAIN = "mosaic.dng", "mosaic, unit gain map.dng"  # LibRaw reads the first as it is
DNG_BORDER = 12  # px of junk around the default crop

Codes = npt.NDArray[Any]


def gama(value: int) -> tuple[bytes, bytes]:
    """The chunk gAMA of a PNG; the exponent from light to code, times 100,000."""
    return (b"gAMA", value.to_bytes(4, "big"))


CHRM = (b"cHRM", b"".join(number.to_bytes(4, "big") for number in ADOBE_CHROMATICITIES))


def sdr_pngs() -> dict[str, bytes]:
    """PNG files of the scene, whose coding is stated in chunks."""
    return {
        "linear gAMA.png": png_file(coded("srgb", gamma_curve(1), 16), [gama(100_000)]),
        "gAMA and cHRM.png": png_file(coded("adobe", gamma_curve(2.2)), [gama(45_455), CHRM]),
        "gAMA and cHRM, deep.png": png_file(
            coded("adobe", gamma_curve(2.2), 16), [gama(45_455), CHRM]
        ),
        "cICP of P3.png": png_file(coded("p3", srgb_curve), [(b"cICP", bytes([12, 13, 0, 1]))]),
        "cICP of BT.2020.png": png_file(
            coded("bt2020", srgb_curve), [(b"cICP", bytes([9, 13, 0, 1]))]
        ),
        "gamma 1.8.png": png_file(coded("srgb", gamma_curve(1.8)), [gama(55_556)]),
    }


def sdr_files() -> dict[str, bytes]:
    """Files of the scene in all SDR codings."""
    srgb = coded("srgb", srgb_curve)
    plain = Image.fromarray(srgb)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    adobe = Image.fromarray(coded("adobe", gamma_curve(ADOBE_GAMMA)))
    dcf = Image.Exif()
    dcf.get_ifd(0x8769).update({0xA001: 65535, 0xA005: {1: "R03", 2: b"0100"}})
    jpeg = {"quality": 100, "subsampling": 0}
    files = {
        "sRGB.png": png_file(srgb),
        "sRGB, deep.png": png_file(coded("srgb", srgb_curve, 16)),
        "sRGB with a profile.png": _saved(plain, "PNG", icc_profile=profile),
        "sRGB.jpg": _saved(plain, "JPEG", **jpeg),
        "sRGB.tif": _tiff(srgb, photometric="rgb"),
        "sRGB, deep.tif": _tiff(coded("srgb", srgb_curve, 16), photometric="rgb"),
        "sRGB.webp": _saved(plain, "WEBP", lossless=True),
        "sRGB.bmp": _saved(plain, "BMP"),
        "sRGB.gif": _saved(plain, "GIF"),
        "R03 of DCF.jpg": _saved(adobe, "JPEG", exif=dcf, **jpeg),
        "R03 of DCF.webp": _saved(adobe, "WEBP", exif=dcf, lossless=True),
        "linear floats.tif": _tiff(scene().astype(np.float32), photometric="rgb"),
        "floats with a profile.tif": _tiff(
            srgb_curve(scene()).astype(np.float32), photometric="rgb", iccprofile=profile
        ),
        **sdr_pngs(),
    }
    if "AVIF" in Image.SAVE:
        files["sRGB.avif"] = _saved(plain, "AVIF", quality=100, subsampling="4:4:4")
    try:
        import pillow_heif  # an optional extra
    except ImportError:
        return files
    heic = io.BytesIO()
    pillow_heif.from_pillow(plain).save(heic, quality=100, chroma=444)
    return files | {"sRGB.heic": heic.getvalue()}


def hdr_files() -> dict[str, bytes]:
    """PNG files of the scene as HDR signals."""
    return {
        f"{name}.png": png_file(coded("bt2020", curve, 16), [(b"cICP", bytes([9, code, 0, 1]))])
        for name, code, curve in (("PQ", 16, pq_curve), ("HLG", 18, hlg_curve))
    }


def gain_map_files(base: Codes, gains: Codes) -> dict[str, bytes]:
    """JPEG files of a picture with a gain map, by the kind of its metadata (see `KINDS`)."""
    return {
        f"{kind}.jpg": gain_map_jpeg(base, gains, kind=kind)
        for kind in ("iso", "iso common", "hdrgm", "apple")
    }


def hidden_picture_files(codes: Codes) -> dict[str, bytes]:
    """Files that hold other pictures besides the right one; HxWx3 codes of 8 bits."""
    small = cv2.resize(codes, (18, 12), interpolation=cv2.INTER_AREA)
    deep = codes.astype(np.uint16) * 257
    files = {
        "reduced page first.tif": _pages([(small, {"subfiletype": 1}), (codes, {})]),
        "reduced page first, deep.tif": _pages([(small, {"subfiletype": 1}), (deep, {})]),
        "animated, deep.png": _animated(deep),
        "big endian BigTIFF.tif": _tiff(codes, byteorder=">", bigtiff=True, photometric="rgb"),
    }
    for make in ("Nikon", "Examplemaker"):
        tags = [(271, 2, 0, make, True), (272, 2, 0, "SCAN", True)]
        first = {"subfiletype": 1, "subifds": 1, "extratags": tags}
        files[f"scan of {make}.tif"] = _pages([(small, first), (codes, {})])
    return files


def transparent_file(codes: Codes, alpha: npt.NDArray[np.uint8]) -> bytes:
    """A PNG whose transparent pixels have the colour `HIDDEN`."""
    hidden = np.where(alpha[..., None] > 0, codes, np.uint8(HIDDEN))
    return _saved(Image.fromarray(np.dstack([hidden, alpha])), "PNG")


def keyed_file(codes: Codes, key: int) -> bytes:
    """A grey PNG of 16 bits, in which one code means transparent."""
    return png_file(codes, [(b"tRNS", struct.pack(">H", key))])


def cropped_dng(light: npt.NDArray[np.floating]) -> bytes:
    """A Bayer DNG with bright junk around its default crop, which is the picture."""
    mosaic = sample_mosaic(np.pad(light, ((DNG_BORDER,) * 2, (DNG_BORDER,) * 2, (0, 0)), "edge"))
    inner = mosaic[DNG_BORDER:-DNG_BORDER, DNG_BORDER:-DNG_BORDER].copy()
    mosaic[:] = 16_000
    mosaic[DNG_BORDER:-DNG_BORDER, DNG_BORDER:-DNG_BORDER] = inner
    return _dng(mosaic, crop=(DNG_BORDER, DNG_BORDER, light.shape[1], light.shape[0]))


def dng_files(light: npt.NDArray[np.floating]) -> dict[str, tuple[bytes, bool]]:
    """DNG files of linear light; with each, whether its samples are stored without loss."""
    mosaic, linear = sample_mosaic(light), sample_linear(light)
    full = {"black_level": 0, "white_level": 65535}
    eight = {"black_level": 0, "white_level": 255}
    corners = np.hypot(*np.mgrid[-1:1:5j, -1:1:7j])
    shading = [1 + 0.2 * (place + 1) * corners**2 for place in range(4)]
    shaded = _shaded(mosaic, shading)
    gains = [opcode_list(2, bayer_gain_maps(light.shape[:2], shading))]
    unit = [opcode_list(2, bayer_gain_maps(light.shape[:2], [np.ones((2, 2))] * 4))]
    codes = np.rint(linear / 257).astype(np.uint8)
    jxl, lossy = Compression.JPEG_XL, Compression.LOSSY
    return {
        PLAIN: (_dng(mosaic), True),
        UNIT_GAIN: (_dng(mosaic, extra=unit), True),
        "linear.dng": (_dng(linear, **full), True),
        "linear, JPEG XL.dng": (_dng(linear, compression=jxl, tile=(16, 32), **full), True),
        "mosaic, JPEG XL.dng": (_dng(mosaic, compression=jxl), True),
        "interleaved, JPEG XL.dng": (_dng(mosaic, compression=jxl, interleaved=True), True),
        "gain map.dng": (_dng(shaded, extra=gains), True),
        "linear, lossy.dng": (_dng(codes, compression=lossy, **eight), False),
    }


def _shaded(mosaic: npt.NDArray[np.uint16], gains: list[Codes]) -> npt.NDArray[np.uint16]:
    """A mosaic that the gains make even again; their outer points lie on its border."""
    out = mosaic.copy()
    for place, gain in enumerate(gains):
        row, col = divmod(place, 2)
        rows, cols = ((np.arange(n) + 0.5) / n * (k - 1)
                      for n, k in zip(mosaic.shape, gain.shape, strict=True))  # fmt: skip
        along = np.array([np.interp(cols, np.arange(gain.shape[1]), line) for line in gain])
        full = np.array([np.interp(rows, np.arange(gain.shape[0]), line) for line in along.T]).T
        light = (mosaic - float(BLACK_LEVEL)) / full + BLACK_LEVEL
        out[row::2, col::2] = np.rint(light)[row::2, col::2]
    return out


def _dng(samples: Codes, **options: Any) -> bytes:
    file = io.BytesIO()
    write_dng(file, samples, **options)
    return file.getvalue()


def damaged_files(codes: Codes) -> dict[str, bytes]:
    """Files whose picture cannot be read: each must be refused with one line."""
    jpeg, png = plain_jpeg(codes), png_file(codes)
    tiff = _tiff(codes, photometric="rgb")
    floats = (codes * 257.0).astype(np.float32)
    wide = struct.pack(">IIBBBBB", 60_000, 60_000, 16, 2, 0, 0, 0)
    bomb = png[:8] + framed((b"IHDR", wide)) + framed((b"IDAT", zlib.compress(bytes(99_999))))
    return {
        "empty.jpg": b"",
        "text.jpg": b"no picture at all",
        "cut off.png": png[: len(png) // 2],
        "cut off.jpg": jpeg[:300],
        "cut off.tif": tiff[: len(tiff) // 2],
        "gigapixels.png": bomb + framed((b"IEND", b"")),
        "codes as floats.tif": _tiff(floats, photometric="rgb"),
    }


def doubtful_files(codes: Codes, gains: Codes) -> dict[str, tuple[bytes, str]]:
    """Files whose picture is right, but something beside it is not; with the code of a finding."""
    jpeg = plain_jpeg(codes)
    entities = b'<!DOCTYPE x [<!ENTITY a "%s">]>' % (b"b" * 99) + packet(b"")
    loop = b"MM\0*" + struct.pack(">I", 8) + directory([(0x8769, 4, b"\0\0\0\x08")], ">", 8)
    tall = gains[:, : gains.shape[1] // 3]
    good = gain_map_jpeg(codes, gains)
    frame = b"\x08" + struct.pack(">HH", *gains.shape[:2])
    at = good.rindex(frame)
    huge = good[:at] + b"\x08\xff\xff\xff\xff" + good[at + len(frame) :]
    return {
        "XMP with entities.jpg": (
            with_segments(jpeg, [(0xE1, XMP_HEAD + entities)]), "xmp_damaged",
        ),
        "EXIF that loops.jpg": (with_segments(jpeg, [(0xE1, b"Exif\0\0" + loop)]), ""),
        "EXIF cut off.jpg": (
            with_segments(jpeg, [(0xE1, b"Exif\0\0" + rich_exif()[:40])]), "exif_damaged",
        ),
        "gain map outside.jpg": (gain_map_jpeg(codes, gains, shift=1 << 20), "gain_map_ignored"),
        "gain map of other aspect.jpg": (gain_map_jpeg(codes, tall), "gain_map_ignored"),
        "gain map of gigapixels.jpg": (huge, "gain_map_ignored"),
        "gain map announced.jpg": (
            with_segments(jpeg, [(0xE2, b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4))]),
            "gain_map_ignored",
        ),
        "profile damaged.jpg": (_saved(Image.fromarray(codes), "JPEG", quality=100, subsampling=0,
                                       icc_profile=b"no profile"), "profile_ignored"),
    }  # fmt: skip


def _saved(image: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def _tiff(samples: Codes, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, samples, **options)
    return file.getvalue()


def _pages(pages: list[tuple[Codes, dict[str, Any]]]) -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as tiff:
        for samples, options in pages:
            tiff.write(samples, photometric="rgb", metadata=None, **options)
    return file.getvalue()


def _animated(codes: npt.NDArray[np.uint16]) -> bytes:
    """A PNG of two frames: the picture, and black (PNG specification, third edition, 11.3.6)."""
    height, width = codes.shape[:2]

    def control(number: int) -> tuple[bytes, bytes]:
        head = struct.pack(">IIIII", number, width, height, 0, 0)
        return b"fcTL", head + struct.pack(">HHBB", 1, 10, 0, 0)

    rows = b"".join(b"\0" + bytes(width * 6) for _ in range(height))
    second = b"fdAT", struct.pack(">I", 2) + zlib.compress(rows)
    return png_file(codes, [(b"acTL", struct.pack(">II", 2, 0)), control(0)], [control(1), second])
