"""Which picture of a file: the full one, wherever it stands, and all of it."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile

from camerapipe.errors import CaptureError
from camerapipe.ingest import open_capture
from camerapipe.ingest.exif import FIRST, ExifBlock
from camerapipe.ingest.raw_extent import check_whole, data_end
from camerapipe.ingest.sniff import Kind, sniff
from datasets.coded_files import framed, png_file
from datasets.synthetic_raw import sample_mosaic, write_dng
from stages.tone import linearise


@pytest.fixture
def codes():
    return np.random.default_rng(8).integers(0, 256, (48, 72, 3)).astype(np.uint8)


def thumb(codes):
    return cv2.resize(codes, (18, 12), interpolation=cv2.INTER_AREA)


def wide(codes, bits):
    return codes if bits == 8 else codes.astype(np.uint16) * 257


def scan(path, codes, make=None, **options):
    """A preview in the first directory, the picture in a SubIFD, as scanners write it."""
    tags = [] if make is None else [(271, 2, 0, make, True), (272, 2, 0, "SCAN", True)]
    with tifffile.TiffWriter(path, **options) as tiff:
        tiff.write(thumb(codes.astype(np.uint8)), photometric="rgb", subfiletype=1, subifds=1,
                   metadata=None, extratags=[*tags, (274, 3, 1, 3, True)])  # fmt: skip
        tiff.write(codes, photometric="rgb", metadata=None)


@pytest.mark.parametrize("make", [None, "Nikon", "Canon", "Examplemaker"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}])
def test_the_picture_behind_a_preview(tmp_path, codes, make, bits, options):
    scan(tmp_path / "a.tif", wide(codes, bits), make, **options)
    with (tmp_path / "a.tif").open("rb") as file:
        assert sniff(file) is Kind.TIFF
    capture = open_capture(tmp_path / "a.tif")
    np.testing.assert_array_equal(capture.linear, linearise(codes)[::-1, ::-1])  # turned by 180
    assert capture.meta.make.value == make and capture.bit_depth == bits
    assert capture.findings == ()


@pytest.mark.parametrize("bits", [8, 16])
def test_a_page_that_is_flagged_as_reduced_is_passed_over(tmp_path, codes, bits):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(thumb(codes), photometric="rgb", subfiletype=1)
        tiff.write(np.zeros((48, 72), bool), photometric="mask", subfiletype=4)
        tiff.write(wide(codes, bits), photometric="rgb")
    np.testing.assert_array_equal(open_capture(tmp_path / "a.tif").linear, linearise(codes))


def test_the_first_of_several_full_pages_is_used_and_said(tmp_path, codes):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for page in (wide(codes, 16), wide(codes[::-1], 16)):
            tiff.write(page, photometric="rgb")
    capture = open_capture(tmp_path / "a.tif")
    np.testing.assert_array_equal(capture.linear, linearise(codes))
    assert [f.code for f in capture.findings] == ["first_frame_only"]


def test_where_all_are_reduced_the_largest_counts(tmp_path, codes):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for page in (thumb(codes), codes):
            tiff.write(page, photometric="rgb", subfiletype=1)
    np.testing.assert_array_equal(open_capture(tmp_path / "a.tif").linear, linearise(codes))


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("shape", ["grey", "rgb", "rgba"])
def test_bigtiff_of_8_bits(tmp_path, codes, byteorder, shape):
    alpha = np.maximum(codes[..., :1], 1)
    samples = {"grey": codes[..., 0], "rgb": codes, "rgba": np.dstack([codes, alpha])}[shape]
    tifffile.imwrite(
        tmp_path / "a.tif", samples, byteorder=byteorder, bigtiff=True,
        photometric="minisblack" if shape == "grey" else "rgb",
        extrasamples=["unassalpha"] if shape == "rgba" else None,
    )  # fmt: skip
    capture = open_capture(tmp_path / "a.tif")
    expected = np.repeat(codes[..., :1], 3, 2) if shape == "grey" else codes
    np.testing.assert_array_equal(capture.linear, linearise(expected))
    assert capture.bit_depth == 8 and (capture.alpha is not None) == (shape == "rgba")


def test_floats_with_white_at_zero(tmp_path):
    values = np.linspace(0, 1, 60, dtype=np.float32).reshape(6, 10)
    tifffile.imwrite(tmp_path / "a.tif", 1 - values, photometric="miniswhite")
    np.testing.assert_allclose(open_capture(tmp_path / "a.tif").linear[..., 0], values, atol=1e-6)


def packed_tiff(samples, bits, channels, deflate=False):
    """A TIFF of packed samples, two strips."""
    height, width = samples.shape[:2]
    rows = []
    for row in samples.reshape(height, -1):
        digits = "".join(f"{value:0{bits}b}" for value in row)
        rows.append(int(digits.ljust(-(-len(digits) // 8) * 8, "0"), 2).to_bytes(
            -(-len(digits) // 8), "big"))  # fmt: skip
    half = height // 2
    strips = [b"".join(rows[:half]), b"".join(rows[half : 2 * half]), b"".join(rows[2 * half :])]
    strips = [zlib.compress(strip) if deflate else strip for strip in strips if strip]
    places, body = [], b""
    for strip in strips:
        places.append(8 + len(body))
        body += strip
    shorts = struct.pack(f"<{channels}H", *[bits] * channels)
    lists = [shorts, struct.pack(f"<{len(strips)}I", *places),
             struct.pack(f"<{len(strips)}I", *map(len, strips))]  # fmt: skip
    at = []
    for data in lists:
        body += b"\0" * (len(body) % 2)
        at.append(8 + len(body))
        body += data
    depth = at[0] if len(shorts) > 4 else int.from_bytes(shorts.ljust(4, b"\0"), "little")
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, channels, depth),
               (259, 3, 1, 8 if deflate else 1), (262, 3, 1, 2 if channels == 3 else 1),
               (273, 4, len(strips), at[1]), (277, 3, 1, channels), (278, 3, 1, half),
               (279, 4, len(strips), at[2])]  # fmt: skip
    body += b"\0" * (len(body) % 2)
    table = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *e) for e in entries)
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + table + bytes(4)


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("deflate", [False, True])
def test_packed_samples(tmp_path, bits, channels, deflate):
    rng = np.random.default_rng(bits)
    samples = rng.integers(0, 2**bits, (9, 13, channels))
    path = tmp_path / "a.tif"
    path.write_bytes(packed_tiff(samples, bits, channels, deflate))
    capture = open_capture(path)
    full = np.rint(samples * (65535 / (2**bits - 1))).astype(np.uint16)
    np.testing.assert_array_equal(capture.linear, linearise(np.broadcast_to(full, (9, 13, 3))))
    assert capture.bit_depth == bits


def test_packed_samples_that_end_early_are_refused(tmp_path):
    data = packed_tiff(np.zeros((8, 8, 1), int), 12, 1)
    (tmp_path / "a.tif").write_bytes(data.replace(struct.pack("<HHII", 278, 3, 1, 4),
                                                  struct.pack("<HHII", 278, 3, 1, 8)))  # fmt: skip
    with pytest.raises(CaptureError, match=r"a\.tif: .*"):
        open_capture(tmp_path / "a.tif")


def test_an_animation_of_16_bits_shows_its_still_picture(tmp_path):
    codes = np.random.default_rng(3).integers(0, 65536, (20, 30, 3)).astype(np.uint16)
    frame = struct.pack(">IIIIIHHBB", 0, 30, 20, 0, 0, 1, 10, 0, 0)
    second = struct.pack(">IIIIIHHBB", 1, 30, 20, 0, 0, 1, 10, 0, 0)
    black = struct.pack(">I", 2) + zlib.compress(bytes(20 * (1 + 30 * 6)))
    data = png_file(
        codes,
        [(b"acTL", struct.pack(">II", 2, 0)), (b"fcTL", frame)],
        [(b"fcTL", second), (b"fdAT", black)],
    )
    (tmp_path / "a.png").write_bytes(data)
    capture = open_capture(tmp_path / "a.png")
    np.testing.assert_array_equal(capture.linear, linearise(codes))
    assert [f.code for f in capture.findings] == ["first_frame_only"]


@pytest.mark.parametrize("cut", [60, 200])
def test_a_cut_off_or_corrupted_deep_png_is_still_refused(tmp_path, cut):
    codes = np.random.default_rng(3).integers(0, 65536, (40, 60, 3)).astype(np.uint16)
    data = png_file(codes)
    at = data.index(b"IDAT") + cut
    (tmp_path / "a.png").write_bytes(data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :])
    with pytest.raises(CaptureError, match=r"a\.png: "):
        open_capture(tmp_path / "a.png")


@pytest.mark.parametrize("grey", [True, False])
def test_a_transparent_code_of_16_bits(tmp_path, grey):
    codes = np.random.default_rng(3).integers(0, 65536, (9, 12, 3)).astype(np.uint16)
    codes = codes[..., 0] if grey else codes
    codes[:3, :4] = 0x4321
    key = struct.pack(">H", 0x4321) * (1 if grey else 3)
    (tmp_path / "a.png").write_bytes(png_file(codes, [(b"tRNS", key)]))
    capture = open_capture(tmp_path / "a.png")
    assert capture.grey == grey
    expected = np.ones((9, 12))
    expected[:3, :4] = 0
    np.testing.assert_array_equal(capture.alpha, expected)


FLIPS = {1: lambda a: a, 3: lambda a: a[::-1, ::-1], 6: lambda a: np.rot90(a, -1), 8: np.rot90}


@pytest.mark.parametrize("orientation", FLIPS)
def test_a_dng_is_cropped_to_its_picture(tmp_path, orientation):
    """Junk around the default crop is left out, before the exposure is chosen."""
    linear = np.full((64, 96, 3), 1.0)
    linear[12:52, 16:76] = 0.2
    linear[20:30, 20:40] = (0.3, 0.1, 0.1)
    crop = {"crop": (16, 12, 60, 40), "orientation": orientation}
    write_dng(tmp_path / "a.dng", sample_mosaic(linear), **crop)
    capture = open_capture(tmp_path / "a.dng")
    upright = FLIPS[orientation](linear[12:52, 16:76])
    assert capture.linear.shape == upright.shape
    inner = (slice(2, -2), slice(2, -2))
    found = capture.linear / capture.exposure_gain
    assert np.abs(found - upright)[inner].mean() < 0.01
    assert capture.exposure_gain > 2.5  # junk of 1 would have made it 1


def rw2(raw_at, count, size):
    """The head of a Panasonic RAW, with nothing behind it."""
    entries = [(0x0117, 4, 1, count), (0x0118, 4, 1, raw_at)]
    table = struct.pack("<H", 2) + b"".join(struct.pack("<HHII", *e) for e in entries)
    return (b"IIU\0" + struct.pack("<I", 8) + table + bytes(4)).ljust(size, b"\0")


def iiq(raw_at, count, size):
    """The head of a Phase One RAW."""
    head = b"IIII" + struct.pack("<II", 0x526177 << 8 | 4, 16) + bytes(4)
    rows = struct.pack("<II", 2, 0) + struct.pack("<4I", 0x0107, 1, 4, 0)
    return (head + rows + struct.pack("<4I", 0x010F, 4, count, raw_at)).ljust(size, b"\0")


@pytest.mark.parametrize("make", [rw2, iiq])
def test_raws_that_end_before_their_pixels(make):
    assert data_end(io.BytesIO(make(100, 900, 1000))) == 1000
    check_whole(io.BytesIO(make(100, 900, 1000)))
    with pytest.raises(CaptureError, match="cut off"):
        check_whole(io.BytesIO(make(100, 900, 999)))
    assert data_end(io.BytesIO(b"II*\0" + bytes(40))) is None


def test_a_chunk_is_framed_by_the_specification():
    assert framed((b"IEND", b"")) == bytes.fromhex("0000000049454e44ae426082")


@pytest.mark.parametrize("bits", [8, 16])
def test_tags_are_those_of_the_page_of_the_picture(tmp_path, codes, bits):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(thumb(codes), photometric="rgb", subfiletype=1, metadata=None,
                   description="preview", extratags=[(315, 2, 0, "A. Person", True)])  # fmt: skip
        tiff.write(wide(codes, bits), photometric="rgb", metadata=None, description="picture")
    exif = ExifBlock(open_capture(tmp_path / "a.tif").exif)
    assert exif.text(FIRST, 270) == "picture" and exif.text(FIRST, 315) == "A. Person"


def test_shapes_that_tifffile_writes_are_no_description(tmp_path, codes):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(thumb(codes), photometric="rgb", subfiletype=1)
        tiff.write(codes, photometric="rgb")
    assert 270 not in ExifBlock(open_capture(tmp_path / "a.tif").exif).tags(FIRST)
