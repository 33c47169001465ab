"""Damaged and hostile DNG files: one clear line, before memory or time is spent."""

import io
import resource
import struct

import numpy as np
import pytest
import tifffile

from camerapipe.cli import main
from camerapipe.errors import CaptureError, LimitError
from camerapipe.ingest import open_capture
from camerapipe.ingest.dng import decode, jpeg_xl
from camerapipe.ingest.dng.writing import LONG, RATIONAL, SHORT, Compression, rationals
from datasets.dng_opcodes import gain_map, opcode, opcode_list, two_illuminants, warp_rectilinear
from datasets.synthetic_raw import sample_linear, sample_mosaic, write_dng

SCENE = np.full((64, 96, 3), 0.3)
UNIT = opcode_list(2, [gain_map((0, 0, 64, 96, 0, 3, 1, 1), np.ones((2, 2, 1)))])
FULL = {"black_level": 0, "white_level": 65535}
MOST_KB = 64 << 10  # of memory that a refusal may take
BOMB = struct.pack(">8I", 0, 0, 64, 96, 0, 1, 1, 1) + struct.pack(">II", 1 << 31, 7)


def refused(path, kind=CaptureError, **options):
    """The message of the refusal: one line that begins with the file."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(kind) as caught:
        open_capture(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_KB
    return message


def dng(tmp_path, samples=None, **options):
    path = tmp_path / "a.dng"
    write_dng(path, sample_mosaic(SCENE) if samples is None else samples, **options)
    return path


def overwritten(path, code, value):
    """Change the value of a tag of the first directory in place."""
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages[0].tags[code].overwrite(value)


@pytest.fixture
def encoder():
    return pytest.importorskip("imagecodecs", reason="JPEG XL needs the extra dng (imagecodecs)")


def swapped(path, data):
    """Put other data in the place of the only tile."""
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        codes = [code for code in (324, 325, 273, 279) if code in page.tags]
    size = path.stat().st_size
    path.write_bytes(path.read_bytes() + data)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        for code, value in zip(codes, (size, len(data)), strict=True):
            tiff.pages[0].tags[code].overwrite(value)


@pytest.mark.parametrize("container", [False, True])
def test_a_jpeg_xl_bomb_is_refused_by_its_header(tmp_path, encoder, monkeypatch, container):
    """A few kB that would decode to many times the pixels that the directory says."""
    path = dng(tmp_path, compression=Compression.JPEG_XL)
    zeros = np.zeros((4096, 4096), np.uint8)
    data = encoder.jpegxl_encode(zeros, lossless=True, effort=1, usecontainer=container)
    assert len(data) < 4000
    swapped(path, data)
    monkeypatch.setattr(encoder, "jpegxl_decode", None)  # it is not asked at all
    assert "4096 x 4096 pixels, and its directory 96 x 64" in refused(path)


def header_of(height, width, extra_channels):
    """A codestream that begins with a header of these numbers, by ISO/IEC 18181-1."""
    bits = [0]
    for side in (height, None, width):
        bits += [0, 0, 0] if side is None else [1, 1, *((side - 1 >> i) & 1 for i in range(30))]
    bits += [0, 0, 0, 0, 0, 1]  # no defaults, no extra fields, integers of 8 bits
    bits += [1, 1, *((extra_channels - 1 >> i) & 1 for i in range(12))]
    value = sum(bit << place for place, bit in enumerate(bits))
    return b"\xff\x0a" + value.to_bytes(40, "little")


def test_the_header_of_jpeg_xl_is_read_by_the_standard():
    found = jpeg_xl.read_header(header_of(64, 1 << 30, 4096))
    assert found == jpeg_xl.Header(1 << 30, 64, 8, False, 4096, True)


def test_thousands_of_channels_are_refused(tmp_path, encoder, monkeypatch):
    path = dng(tmp_path, compression=Compression.JPEG_XL)
    swapped(path, header_of(64, 96, 4096))
    monkeypatch.setattr(encoder, "jpegxl_decode", None)
    assert "unusual kind" in refused(path)


NO_JPEG_XL = [
    b"", b"\xff\x0a", b"\xff\xd8\xff", bytes(200), jpeg_xl.CONTAINER,
    jpeg_xl.CONTAINER + struct.pack(">I4s", 0, b"jxlp"),
    jpeg_xl.CONTAINER + struct.pack(">I4s", 0, b"free"),
    jpeg_xl.CONTAINER + struct.pack(">I4sQ", 1, b"free", 1 << 63),
]  # fmt: skip


@pytest.mark.parametrize("data", NO_JPEG_XL)
def test_what_is_no_jpeg_xl_is_refused(tmp_path, encoder, data):
    path = dng(tmp_path, compression=Compression.JPEG_XL)
    swapped(path, data)
    assert "JPEG XL data are damaged" in refused(path)


def test_changed_bytes_of_jpeg_xl(tmp_path, encoder, capfd):
    """Damage is refused in one line, or gives a picture; libjxl writes nothing."""
    path = dng(tmp_path, sample_linear(SCENE), compression=Compression.JPEG_XL, **FULL)
    whole = path.read_bytes()
    rng = np.random.default_rng(2)
    for _ in range(40):
        data = bytearray(whole)
        for place in rng.integers(8, len(data), 4):
            data[place] = rng.integers(256)
        path.write_bytes(bytes(data))
        try:
            assert np.isfinite(open_capture(path).linear).all()
        except CaptureError as error:
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("share", [0.3, 0.9])
@pytest.mark.parametrize("compression", [Compression.NONE, Compression.LOSSY, Compression.JPEG_XL])
def test_cut_off_files(tmp_path, compression, share):
    if compression is Compression.JPEG_XL:
        pytest.importorskip("imagecodecs", reason="needs the extra dng (imagecodecs)")
    codes = sample_linear(SCENE + np.random.default_rng(1).uniform(0, 0.2, SCENE.shape)) >> 8
    path = dng(tmp_path, codes.astype(np.uint8), compression=compression, extra=[UNIT])
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    refused(path)


def test_gigapixels_in_the_directory(tmp_path):
    path = dng(tmp_path, compression=Compression.LOSSY, samples=np.zeros((64, 96), np.uint8))
    overwritten(path, 256, 1 << 20)
    overwritten(path, 257, 1 << 20)
    assert "--max-pixels" in refused(path, LimitError)
    assert "--max-pixels" in refused(dng(tmp_path, extra=[UNIT]), LimitError, max_pixels=6143)
    scaled = dng(tmp_path, extra=[UNIT, (50718, RATIONAL, 2, rationals([4.0, 4.0]))])
    assert "--max-pixels" in refused(scaled, LimitError, max_pixels=16 * 6144 - 1)


@pytest.mark.parametrize("code, value", [(322, 1 << 30), (323, 16), (323, 0), (325, 1 << 31)])
def test_tiles_that_do_not_fit(tmp_path, code, value):
    path = dng(tmp_path, compression=Compression.LOSSY, samples=np.zeros((64, 96), np.uint8))
    overwritten(path, code, value)
    refused(path)


CONTRADICTIONS = {
    "white below black": (50717, SHORT, 1, 100),
    "an active area outside": (50829, LONG, 4, (0, 0, 640, 960)),
    "an empty active area": (50829, LONG, 4, (9, 9, 9, 9)),
    "a huge black pattern": (50713, SHORT, 2, (60000, 60000)),
    "a huge filter pattern": (33421, SHORT, 2, (60000, 60000)),
    "a filter pattern of another size": (33421, SHORT, 2, (4, 4)),
    "many fields": (52547, LONG, 1, 1 << 30),
    "no field": (50975, LONG, 1, 0),
    "a neutral of 0": (50728, RATIONAL, 3, rationals([0.0, 1.0, 1.0])),
    "a table beyond 16 bits": (50712, LONG, 2, (0, 1 << 20)),
    "opcodes cut off": opcode_list(2, [opcode(9, BOMB)[:-3]]),
    "a gigapixel gain map": opcode_list(2, [opcode(9, BOMB + bytes(100))]),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_contradictions_are_told(tmp_path, name):
    refused(dng(tmp_path, extra=[UNIT, CONTRADICTIONS[name]]))


def test_singular_matrices(tmp_path):
    extra = [UNIT, *two_illuminants([np.zeros((3, 3))] * 2)]
    assert "copy the file again, or export it as TIFF" in refused(dng(tmp_path, extra=extra))


@pytest.mark.parametrize("to_itself", ["next", "sub"])
def test_directories_in_a_circle(tmp_path, to_itself):
    """Offsets that lead back: the picture is found, and the search ends."""
    path = dng(tmp_path, extra=[UNIT, (65000, LONG, 1, 8)])
    data = bytearray(path.read_bytes())
    first = struct.unpack_from("<I", data, 4)[0]
    (count,) = struct.unpack_from("<H", data, first)
    if to_itself == "next":
        struct.pack_into("<I", data, first + 2 + 12 * count, first)
    else:
        at = data.index(struct.pack("<HHI", 65000, LONG, 1), first)
        struct.pack_into("<HHII", data, at, 330, LONG, 1, first)  # SubIFDs
    path.write_bytes(bytes(data))
    assert open_capture(path).linear.shape == (64, 96, 3)


def test_exit_code_and_line(tmp_path, capfd):
    path = dng(tmp_path, extra=[opcode_list(2, [opcode(9, BOMB)])])
    with pytest.raises(SystemExit) as left:
        main(["check", str(path)])
    assert left.value.code == 3
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert "OpcodeList2: GainMap" in line


def test_jpeg_of_another_size_or_kind():
    file = io.BytesIO()
    write_dng(file, np.zeros((32, 48, 3), np.uint8), compression=Compression.LOSSY)
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages[0]
        data = file.getvalue()[page.dataoffsets[0] :][: page.databytecounts[0]]
    assert decode._decode_jpeg(data, 32, 48, 3).shape == (32, 48, 3)
    for size in ((32, 48, 1), (16, 48, 3)):
        with pytest.raises(CaptureError, match="differ from its directory"):
            decode._decode_jpeg(data, *size)
    with pytest.raises(CaptureError, match="damaged"):
        decode._decode_jpeg(data[:300], 32, 48, 3)


@pytest.mark.parametrize("extra", [[], [UNIT]])
def test_a_white_level_below_black_is_told(tmp_path, extra):
    path = dng(tmp_path, black_level=512, white_level=300, extra=extra)
    assert "levels are damaged: white 300 is not above black 512" in refused(path)


@pytest.mark.parametrize(
    "coefficients",
    [(1, 1e9, 0, 0, 0, 0), (1, -3, 0, 0, 0, 0), (1, 0, 0, 0, 0, 1e6)],
)
def test_a_warp_of_no_lens_is_told(tmp_path, coefficients):
    path = dng(tmp_path, extra=[opcode_list(3, [warp_rectilinear(coefficients)])])
    assert "its corrections (OpcodeList3: WarpRectilinear) are damaged" in refused(path)


def test_many_pixels_in_few_bytes_are_refused_before_decoding(tmp_path, encoder, monkeypatch):
    path = dng(tmp_path, compression=Compression.JPEG_XL)
    data = encoder.jpegxl_encode(np.zeros((12_000, 1008), np.uint8), lossless=True, effort=1)
    swapped(path, data)
    for code, value in ((256, 1008), (257, 12_000), (322, 1008), (323, 12_000)):
        overwritten(path, code, value)
    monkeypatch.setattr(encoder, "jpegxl_decode", None)
    assert len(data) < 12_000
    assert f"its {len(data)} bytes say 12096000 pixels" in refused(path)
