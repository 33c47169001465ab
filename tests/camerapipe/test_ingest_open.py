"""Opening display-encoded pictures: by content, upright, in linear light."""

import importlib.util
import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from camerapipe.errors import CaptureError, LimitError
from camerapipe.ingest import (
    capture_from_array,
    count_pixels,
    open_capture,
    optional_formats,
)
from camerapipe.ingest.sniff import Kind, sniff
from datasets.synthetic_raw import sample_mosaic, write_dng
from stages.tone import SRGB, encode, linearise, to_codes


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def chunk(name, content):
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)


def png(samples, colour_type, extra=b""):
    """A PNG by the specification: HxWxC of uint8 or uint16."""
    height, width = samples.shape[:2]
    depth = samples.dtype.itemsize * 8
    head = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    wide = samples.astype(samples.dtype.newbyteorder(">"))
    rows = b"".join(b"\0" + row.tobytes() for row in wide)
    body = chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def opened(tmp_path, data, name="picture.bin"):
    path = tmp_path / name
    path.write_bytes(data)
    capture = open_capture(path)
    assert path.read_bytes() == data
    return capture


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "WEBP"])
def test_lossless_formats_keep_every_code_whatever_the_name_says(tmp_path, rng, kind):
    codes = rng.integers(0, 256, (31, 17, 3), np.uint8)
    options = {"lossless": True} if kind == "WEBP" else {}
    capture = opened(tmp_path, saved(Image.fromarray(codes), kind, **options), "named.jpg")
    np.testing.assert_array_equal(capture.linear, linearise(codes))
    assert (capture.kind, capture.bit_depth, capture.grey) == ("display", 8, False)
    assert capture.curve is SRGB and capture.alpha is None and capture.findings == ()


def test_jpeg_is_close(tmp_path):
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    codes = np.dstack([np.tile(ramp, (48, 1))] * 3)
    capture = opened(tmp_path, saved(Image.fromarray(codes), "JPEG", quality=95))
    np.testing.assert_allclose(encode(capture.linear), codes / 255, atol=0.02)


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("LA", 2), ("RGB", 3), ("RGBA", 4)])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_grey_and_alpha_of_eight_bits(tmp_path, rng, mode, channels, kind):
    codes = rng.integers(1, 256, (9, 8, channels), np.uint8)
    image = Image.fromarray(codes[..., 0] if channels == 1 else codes, mode=None)
    assert image.mode == mode
    capture = opened(tmp_path, saved(image, kind))
    assert capture.grey == (channels < 3)
    colour = codes[..., :1] if channels < 3 else codes[..., :3]
    np.testing.assert_array_equal(capture.linear, linearise(np.broadcast_to(colour, (9, 8, 3))))
    if channels in (2, 4):
        np.testing.assert_allclose(capture.alpha, codes[..., -1] / 255, atol=1e-7)
    else:
        assert capture.alpha is None


@pytest.mark.parametrize(("colour_type", "channels"), [(0, 1), (4, 2), (2, 3), (6, 4)])
def test_png_of_sixteen_bits(tmp_path, rng, colour_type, channels):
    codes = rng.integers(0, 65536, (7, 5, channels)).astype(np.uint16)
    capture = opened(tmp_path, png(codes, colour_type))
    colour = codes[..., :1] if channels < 3 else codes[..., :3]
    np.testing.assert_array_equal(capture.linear, linearise(np.broadcast_to(colour, (7, 5, 3))))
    assert capture.bit_depth == 16 and capture.grey == (channels < 3)
    assert (capture.alpha is not None) == (channels in (2, 4))
    if capture.alpha is not None:
        np.testing.assert_allclose(capture.alpha, codes[..., -1] / 65535, atol=1e-7)


def test_a_transparent_colour_becomes_alpha(tmp_path):
    codes = np.array([[[9, 8, 7], [1, 2, 3]]])
    for kind in (np.uint8, np.uint16):
        key = chunk(b"tRNS", struct.pack(">HHH", 9, 8, 7))
        capture = opened(tmp_path, png(codes.astype(kind), 2, key))
        np.testing.assert_array_equal(capture.alpha, [[0, 1]])


TIFFS = {
    "plain": {},
    "deflate": {"compression": "zlib", "predictor": True},
    "tiled": {"tile": (16, 16)},
    "big endian": {"byteorder": ">"},
    "BigTIFF": {"bigtiff": True},
}


@pytest.mark.parametrize("options", TIFFS.values(), ids=TIFFS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_tiff_of_sixteen_bits(tmp_path, rng, options, channels):
    codes = rng.integers(0, 65536, (20, 30, channels)).astype(np.uint16)
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        codes[..., 0] if channels == 1 else codes,
        photometric="rgb" if channels > 2 else "minisblack",
        planarconfig="contig" if channels > 1 else None,
        extrasamples=["unassalpha"] if channels in (2, 4) else None,
        **options,
    )
    capture = opened(tmp_path, buffer.getvalue())
    colour = codes[..., :1] if channels < 3 else codes[..., :3]
    np.testing.assert_array_equal(capture.linear, linearise(np.broadcast_to(colour, (20, 30, 3))))
    assert capture.bit_depth == 16 and capture.grey == (channels < 3)
    assert (capture.alpha is not None) == (channels in (2, 4))


def test_tiff_with_lzw_planes_and_white_is_zero(tmp_path, rng):
    codes = rng.integers(0, 65536, (20, 30, 3)).astype(np.uint16)
    _, lzw = cv2.imencode(".tif", codes[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    planar, inverted = io.BytesIO(), io.BytesIO()
    planes = np.moveaxis(codes, 2, 0)
    tifffile.imwrite(planar, planes, photometric="rgb", planarconfig="separate")
    for data in (lzw.tobytes(), planar.getvalue()):
        np.testing.assert_array_equal(opened(tmp_path, data).linear, linearise(codes))
    tifffile.imwrite(inverted, 65535 - codes[..., 0], photometric="miniswhite")
    grey = opened(tmp_path, inverted.getvalue())
    np.testing.assert_array_equal(grey.linear[..., 0], linearise(codes[..., 0]))


def test_tiff_of_other_depths(tmp_path, rng):
    codes = rng.integers(0, 2**32, (9, 8, 3), np.uint32)
    wide, deep_cmyk, packed = io.BytesIO(), io.BytesIO(), io.BytesIO()
    tifffile.imwrite(wide, codes, photometric="rgb")
    expected = linearise(np.rint(codes / (2**32 - 1) * 65535).astype(np.uint16))
    np.testing.assert_array_equal(opened(tmp_path, wide.getvalue()).linear, expected)
    tifffile.imwrite(deep_cmyk, np.zeros((9, 8, 4), np.uint16), photometric="separated")
    np.testing.assert_array_equal(opened(tmp_path, deep_cmyk.getvalue()).linear, 1)
    tifffile.imwrite(packed, np.zeros((9, 8), np.int16), photometric="minisblack")
    with pytest.raises(CaptureError, match="samples of type int16"):
        opened(tmp_path, packed.getvalue())
    values = rng.uniform(0, 2, (9, 8, 3)).astype(np.float32)
    _, packed = cv2.imencode(".tif", values[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    np.testing.assert_array_equal(opened(tmp_path, packed.tobytes()).linear, values)


def test_associated_alpha_is_divided_out(tmp_path):
    straight = np.array([[[40000, 20000, 65535, 32768], [500, 0, 60000, 65535]]])
    codes = straight.copy()
    codes[..., :3] = np.rint(codes[..., :3] * (codes[..., 3:] / 65535))
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer, codes.astype(np.uint16), photometric="rgb", extrasamples=["assocalpha"]
    )
    capture = opened(tmp_path, buffer.getvalue())
    back = to_codes(encode(capture.linear), 16).astype(int)
    assert np.abs(back - straight[..., :3]).max() <= 2


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_float_tiff_is_linear_and_keeps_headroom(tmp_path, kind):
    values = np.array([[[0.0, 0.25, 0.5], [1.0, 2.5, 4.0]]], kind)
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, photometric="rgb")
    capture = opened(tmp_path, buffer.getvalue())
    np.testing.assert_array_equal(capture.linear, values.astype(np.float32))
    assert capture.curve is SRGB and capture.bit_depth == np.dtype(kind).itemsize * 8


def test_float_tiff_with_nan_is_refused(tmp_path):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.full((4, 4), np.nan, np.float32))
    with pytest.raises(CaptureError, match="not finite"):
        opened(tmp_path, buffer.getvalue())


def test_palette_bilevel_and_cmyk(tmp_path, rng):
    codes = rng.integers(0, 4, (16, 16, 3), np.uint8) * 85
    palette = Image.fromarray(codes).quantize(64)
    expected = linearise(np.asarray(palette.convert("RGB")))
    np.testing.assert_array_equal(opened(tmp_path, saved(palette, "PNG")).linear, expected)
    bilevel = Image.fromarray(np.eye(8, dtype=np.uint8) * 255).convert("1")
    capture = opened(tmp_path, saved(bilevel, "TIFF", compression="group4"))
    np.testing.assert_array_equal(capture.linear[..., 0], np.eye(8))
    white = Image.new("CMYK", (8, 8), (0, 0, 0, 0))
    for kind in ("JPEG", "TIFF"):
        capture = opened(tmp_path, saved(white, kind))
        np.testing.assert_array_equal(capture.linear, 1)
        assert [f.code for f in capture.findings] == ["cmyk_approximate"]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_frames_the_first_is_used(tmp_path, kind):
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("white", "black")]
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:])
    capture = opened(tmp_path, data)
    np.testing.assert_array_equal(capture.linear, 1)
    assert [f.code for f in capture.findings] == ["first_frame_only"]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "deep TIFF", "deep PNG"])
def test_orientation_is_applied_once(tmp_path, orientation, kind):
    picture = np.zeros((32, 48, 3), np.uint8)
    picture[:16, :16] = 255  # what must come out: one white corner, top left
    stored = np.asarray(inverse_turn(picture, orientation))
    exif = Image.Exif()
    exif[0x0112] = orientation
    if kind == "deep TIFF":
        buffer = io.BytesIO()
        tags = [(274, 3, 1, orientation, True)]
        tifffile.imwrite(buffer, stored * np.uint16(257), photometric="rgb", extratags=tags)
        data = buffer.getvalue()
    elif kind == "deep PNG":
        block = chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
        data = png(stored * np.uint16(257), 2, block)
    else:
        data = saved(Image.fromarray(stored), kind, exif=exif)
    capture = opened(tmp_path, data)
    assert capture.linear.shape == picture.shape
    np.testing.assert_allclose(capture.linear, linearise(picture), atol=0.05)
    assert capture.meta.orientation.value == orientation


def inverse_turn(picture, orientation):
    """Store a picture the way the EXIF standard describes each orientation."""
    image = Image.fromarray(picture)
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    return image.transpose(turns[orientation]) if orientation in turns else image


@pytest.mark.parametrize("shape", [(1, 1), (5000, 3), (3, 5000)])
def test_odd_sizes_open(tmp_path, shape):
    data = saved(Image.fromarray(np.full((*shape, 3), 255, np.uint8)), "PNG")
    np.testing.assert_array_equal(opened(tmp_path, data).linear, np.ones((*shape, 3)))


class TestHeif:
    @pytest.fixture(autouse=True)
    def library(self):
        self.heif = pytest.importorskip("pillow_heif")

    @pytest.mark.parametrize("orientation", [1, 2, 3, 6])
    def test_orientation_is_applied_once(self, tmp_path, orientation):
        picture = np.zeros((64, 96, 3), np.uint8)
        picture[:32, :32] = 255
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = self.heif.from_pillow(inverse_turn(picture, orientation))
        stored.save(tmp_path / "a.jpg", quality=-1, exif=exif.tobytes())
        capture = open_capture(tmp_path / "a.jpg")
        np.testing.assert_allclose(capture.linear, linearise(picture), atol=0.02)
        assert capture.meta.orientation.value == orientation

    def test_ten_bits_reach_full_range(self, tmp_path):
        codes = np.zeros((64, 96, 3), np.uint16)
        codes[:, 48:] = 1023 << 6
        stored = self.heif.from_bytes(mode="RGB;16", size=(96, 64), data=codes.tobytes())
        stored.save(tmp_path / "a.heic", quality=-1)
        capture = open_capture(tmp_path / "a.heic")
        assert capture.bit_depth == 10
        assert capture.linear.min() == 0 and capture.linear.max() == 1

    def test_the_limit_holds(self, tmp_path):
        stored = self.heif.from_pillow(Image.new("RGB", (64, 64)))
        stored.save(tmp_path / "a.heic")
        with pytest.raises(LimitError, match="64 x 64 = 4096 pixels"):
            open_capture(tmp_path / "a.heic", max_pixels=4095)


def test_optional_formats_are_told(monkeypatch):
    assert optional_formats()["HEIF"] == (importlib.util.find_spec("pillow_heif") is not None)
    jpeg_xl = importlib.util.find_spec("imagecodecs") is not None
    assert optional_formats()["DNG with JPEG XL"] == jpeg_xl
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert not optional_formats()["HEIF"]


def test_threads_open_the_same_pictures(tmp_path, rng):
    codes = rng.integers(0, 65536, (64, 96, 3)).astype(np.uint16)
    (tmp_path / "a").write_bytes(png(codes, 2))
    with ThreadPoolExecutor(4) as pool:
        for capture in pool.map(open_capture, [tmp_path / "a"] * 16):
            np.testing.assert_array_equal(capture.linear, linearise(codes))


class TestArrays:
    @pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32, np.float64])
    @pytest.mark.parametrize("shape", [(6, 4), (6, 4, 1), (6, 4, 3), (6, 4, 4)])
    def test_kinds_and_shapes(self, rng, kind, shape):
        values = rng.uniform(0, 1, shape)
        top = np.iinfo(kind).max if np.dtype(kind).kind == "u" else 1
        image = (values * top).astype(kind)
        before = image.copy()
        capture = capture_from_array(image, "srgb")
        np.testing.assert_array_equal(image, before)
        assert capture.linear.shape == (6, 4, 3) and capture.linear.dtype == np.float32
        assert capture.grey == (len(shape) == 2 or shape[2] == 1)
        assert (capture.alpha is not None) == (shape[2:] == (4,))
        expected = values.reshape(6, 4, -1)[..., :3] if len(shape) > 2 else values[..., None]
        tolerance = 0.5 / 255 if kind is np.uint8 else 1e-4
        np.testing.assert_allclose(
            encode(capture.linear), np.broadcast_to(expected, (6, 4, 3)), atol=2 * tolerance
        )

    @pytest.mark.parametrize("kind", [">u2", "<u2", ">f4", "<f8"])
    def test_byte_orders_are_alike(self, rng, kind):
        values = rng.uniform(0, 1, (6, 4, 3))
        image = (values * 65535 if "u" in kind else values).astype(kind)
        plain = image.astype(image.dtype.newbyteorder("="))
        np.testing.assert_array_equal(
            capture_from_array(image, "srgb").linear, capture_from_array(plain, "srgb").linear
        )

    def test_linear_floats_keep_headroom_and_views_are_welcome(self):
        image = np.linspace(0, 3, 48).reshape(4, 4, 3)
        capture = capture_from_array(image[::-1, ::2], "linear")
        np.testing.assert_array_equal(capture.linear, image[::-1, ::2].astype(np.float32))
        np.testing.assert_array_equal(encode(capture.linear, capture.curve).max(), 1)

    @pytest.mark.parametrize(
        ("image", "encoding", "message"),
        [
            (np.full((3, 3), np.nan), "srgb", "scene: .*NaN"),
            (np.full((3, 3), np.inf), "linear", "scene: .*NaN or infinite"),
            (np.zeros((3, 3, 2)), "srgb", r"scene: expected HxW.*got \(3, 3, 2\)"),
            (np.zeros((0, 3, 3)), "srgb", "scene: expected"),
            (np.zeros((3, 3), np.int32), "srgb", "scene: expected .*int32"),
            (np.full((3, 3), 200.0), "srgb", r"in \[0, 1\]; got 200..200"),
            (np.full((3, 3), -1.0), "linear", "scene: expected linear floats"),
            (np.full((3, 3), 1e30), "linear", r"linear floats in \[0, 1e\+06\]; got 1e\+30"),
            (np.zeros((3, 3)), "rec709", "scene: encoding must be"),
        ],
    )
    def test_wrong_arrays_are_named(self, image, encoding, message):
        with pytest.raises(ValueError, match=message):
            capture_from_array(image, encoding, "scene")


@pytest.mark.parametrize("make", [None, "Canon"])
@pytest.mark.parametrize("photometric", ["minisblack", "rgb"])
def test_a_deep_tiff_is_no_raw_even_with_the_name_of_a_camera(tmp_path, rng, photometric, make):
    shape = (240, 360) if photometric == "minisblack" else (240, 360, 3)
    codes = rng.integers(0, 65536, shape).astype(np.uint16)
    tags = [] if make is None else [(271, "s", 0, make, True)]
    path = tmp_path / "deep.tif"
    tifffile.imwrite(path, codes, photometric=photometric, extratags=tags)
    with path.open("rb") as file:
        assert sniff(file) is Kind.TIFF
    capture = open_capture(path)
    assert (capture.kind, capture.grey) == ("display", photometric == "minisblack")
    back = to_codes(encode(capture.linear), 16)
    np.testing.assert_array_equal(back[..., 0] if capture.grey else back, codes)


def test_pixels_are_counted_without_decoding(tmp_path):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (40, 30)).save(path)
    assert count_pixels(path) == 1200
    dng = tmp_path / "a.dng"
    write_dng(dng, sample_mosaic(np.full((32, 48, 3), 0.5)))
    assert count_pixels(dng) == 32 * 48
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((20, 30, 3), np.float32), photometric="rgb")
    assert count_pixels(tmp_path / "a.tif") == 600
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    assert count_pixels(tmp_path / "b.jpg") is None
    assert count_pixels(tmp_path / "absent.jpg") is None
