"""Bad input: one clear line, no noise, no changed input, bounded memory."""

import hashlib
import io
import logging
import os
import resource
import struct
import sys
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from camerapipe.errors import CaptureError, LimitError
from camerapipe.ingest import open_capture
from camerapipe.ingest.files import one_line, refusing
from camerapipe.ingest.quiet import muted, quiet

MALFORMED = Path(__file__).resolve().parents[3] / "shared" / "data" / "malformed"
MOST_KB = 1 << 20  # of memory more than before: the largest file that opens has 12 MP
BROKEN = sorted(p.name for p in MALFORMED.iterdir()) if MALFORMED.is_dir() else []


def refused(path, **options):
    """The message of the refusal: one line that begins with the file."""
    with pytest.raises(CaptureError) as caught:
        open_capture(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message


@pytest.mark.parametrize("name", BROKEN or [pytest.param("", marks=pytest.mark.skip)])
def test_malformed_files_open_or_are_refused(name, capfd):
    path = MALFORMED / name
    before = hashlib.sha256(path.read_bytes()).digest()
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        capture = open_capture(path)
    except CaptureError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
    else:
        assert np.isfinite(capture.linear).all() and capture.linear.ndim == 3
    assert hashlib.sha256(path.read_bytes()).digest() == before
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_kb < MOST_KB
    assert capfd.readouterr() == ("", "")


def jpeg(**options):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, options.pop("kind", "JPEG"), **options)
    return buffer.getvalue()


def deep_tiff(**options):
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 65536, (64, 64, 3)).astype(np.uint16)
    tifffile.imwrite(buffer, noise, photometric="rgb", **options)
    return buffer.getvalue()


def deep_png():
    head = struct.pack(">IIBBBBB", 64, 64, 16, 2, 0, 0, 0)
    noise = np.random.default_rng(0).integers(0, 256, (64, 385), np.uint8)
    noise[:, 0] = 0
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(noise.tobytes())), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


WHOLE = {
    "JPEG": jpeg(),
    "PNG": jpeg(kind="PNG"),
    "TIFF": jpeg(kind="TIFF"),
    "WEBP": jpeg(kind="WEBP"),
    "GIF": jpeg(kind="GIF"),
    "BMP": jpeg(kind="BMP"),
    "deep TIFF": deep_tiff(),
    "packed TIFF": deep_tiff(compression="zlib"),
    "deep PNG": deep_png(),
}


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_truncated_files_are_refused(tmp_path, kind, share, capfd):
    path = tmp_path / "cut"
    data = WHOLE[kind]
    path.write_bytes(data)
    open_capture(path)
    path.write_bytes(data[: int(len(data) * share)])
    refused(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", WHOLE)
def test_damaged_bytes_raise_nothing_else(tmp_path, kind, capfd):
    rng = np.random.default_rng(5)
    path = tmp_path / "damaged"
    for _ in range(25):
        data = bytearray(WHOLE[kind])
        for at in rng.integers(0, min(len(data), 400), 6):
            data[at] = rng.integers(256)
        path.write_bytes(data)
        try:
            open_capture(path, max_pixels=1_000_000)
        except CaptureError as error:
            assert "\n" not in str(error)
    assert capfd.readouterr() == ("", "")


def test_missing_empty_folder_and_pipe(tmp_path):
    assert "does not exist" in refused(tmp_path / "missing.jpg")
    assert "folder" in refused(tmp_path)
    (tmp_path / "empty.jpg").touch()
    assert "empty (0 bytes)" in refused(tmp_path / "empty.jpg")
    os.mkfifo(tmp_path / "pipe")
    assert "pipe" in refused(tmp_path / "pipe")
    assert "device" in refused(Path("/dev/zero"))
    assert "cannot be opened" in refused(tmp_path / ("x" * 300))
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "cannot be opened" in refused(tmp_path / "loop")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path):
    path = tmp_path / "closed.jpg"
    path.write_bytes(WHOLE["JPEG"])
    path.chmod(0)
    assert "may not be read" in refused(path)


@pytest.mark.parametrize("data", [b"hello world\n" * 100, bytes(1000), b"PK\3\4" + bytes(500)])
def test_other_files_are_no_pictures(tmp_path, data):
    (tmp_path / "a.jpg").write_bytes(data)
    assert "no picture that camerapipe knows" in refused(tmp_path / "a.jpg")


def huge_png(width, height, depth=8):
    data = bytearray(WHOLE["PNG"])
    data[16:29] = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def huge_tiff(width, height):
    data = bytearray(deep_tiff(byteorder="<"))
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        tags = tiff.pages.first.tags
        for tag, value in ((256, width), (257, height)):
            struct.pack_into("<HII", data, tags[tag].offset + 2, 4, 1, value)
    return bytes(data)


HUGE = {
    "PNG": huge_png(60_000, 60_000),
    "deep PNG": huge_png(60_000, 60_000, 16),
    "just above": huge_png(15_001, 10_000),
    "TIFF": huge_tiff(60_000, 60_000),
    "TIFF of 32 bits": huge_tiff(4_000_000_000, 4_000_000_000),
}


@pytest.mark.parametrize("data", HUGE.values(), ids=HUGE)
def test_huge_headers_are_refused_before_decoding(tmp_path, data, monkeypatch):
    def decoded(*_args, **_options):
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    monkeypatch.setattr("cv2.imdecode", decoded)
    monkeypatch.setattr("tifffile.TiffPage.asarray", decoded)
    (tmp_path / "huge").write_bytes(data)
    with pytest.raises(LimitError, match=r"pixels are more than the limit of 150000000; .*--max-p"):
        open_capture(tmp_path / "huge")


def test_the_limit_can_be_raised_and_lowered(tmp_path):
    path = tmp_path / "a.png"
    Image.new("L", (16_000, 12_000)).save(path)  # beyond Pillow's own limit of 179 MP
    with pytest.raises(LimitError, match="16000 x 12000 = 192000000|192000000 pixels"):
        open_capture(path)
    Image.new("L", (100, 50)).save(path)
    assert "100 x 50 = 5000 pixels are more than the limit of 4999" in refused(
        path, max_pixels=4999
    )
    assert open_capture(path, max_pixels=5000).linear.shape == (50, 100, 3)


def test_a_hundred_megapixels_are_welcome(tmp_path):
    from camerapipe.ingest.display import open_header
    from camerapipe.ingest.files import DEFAULT_MAX_PIXELS

    path = tmp_path / "a.png"
    path.write_bytes(huge_png(12_000, 9_000))
    with path.open("rb") as file, quiet():
        assert open_header(file, DEFAULT_MAX_PIXELS).size == (12_000, 9_000)


def test_heif_without_the_extra_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    path = tmp_path / "a.jpg"
    path.write_bytes(struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic" + bytes(100))
    assert 'python -m pip install "pillow-heif' in refused(path)


@pytest.mark.parametrize(
    "error",
    [SyntaxError("x"), OverflowError(), RecursionError("deep"), KeyError(0), struct.error()],
)
def test_whatever_a_library_raises_is_refused_with_its_cause(error):
    with (
        pytest.raises(CaptureError, match=r"^a\.jpg: damaged or not supported \(\w+") as caught,
        refusing("a.jpg"),
    ):
        raise error
    assert caught.value.__cause__ is error


def test_memory_and_interrupts_are_told_apart():
    with pytest.raises(LimitError, match="does not fit into memory"), refusing("a.jpg"):
        raise MemoryError
    with pytest.raises(KeyboardInterrupt), refusing("a.jpg"):
        raise KeyboardInterrupt


def test_messages_of_libraries_are_one_short_line():
    assert one_line(ValueError("a\nb\t c")) == "a b c"
    assert len(one_line(ValueError("x" * 1000))) == 120
    assert one_line(OSError(b"bytes of LibRaw")) == "bytes of LibRaw"
    assert one_line(OSError(36, "File name too long", "x" * 300)) == "File name too long"
    assert one_line(KeyError(7)) == "KeyError"


def test_silence_ends_when_the_last_thread_leaves(capfd):
    filters, level = list(warnings.filters), logging.getLogger("tifffile").level
    inside, leave = threading.Event(), threading.Event()

    def other():
        with quiet(), muted():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with quiet(), muted():
        thread.start()
        inside.wait(10)
    warnings.warn("swallowed", stacklevel=1)
    os.write(2, b"swallowed")
    leave.set()
    thread.join()
    os.write(2, b"heard")
    assert warnings.filters == filters and logging.getLogger("tifffile").level == level
    assert capfd.readouterr().err == "heard"


def raw_head(magic, *entries):
    """The head of a RAW like a TIFF, with entries of a first directory."""
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return magic + struct.pack("<IH", 8, len(entries)) + table + bytes(4)


CUT_RAWS = {
    "table": raw_head(b"IIRO", (256, 4, 1, 5), (257, 4, 1, 5))[:30],
    "value": raw_head(b"IIRO", (271, 2, 20, 5000)),
    "pixels": raw_head(b"IIRS", (273, 4, 1, 5000)),
    "directory": raw_head(b"II*\0", (50706, 1, 4, 1), (330, 4, 1, 5000)),
    "Fujifilm": b"FUJIFILMCCD-RAW 0201".ljust(84) + struct.pack(">6I", 148, 9000, 0, 0, 0, 0),
    "Fujifilm head": b"FUJIFILMCCD-RAW 0201",
}


@pytest.mark.parametrize("name", CUT_RAWS)
def test_a_raw_whose_head_points_beyond_its_end_is_cut_off(tmp_path, name):
    (tmp_path / "a.raw").write_bytes(CUT_RAWS[name])
    assert "this RAW is cut off" in refused(tmp_path / "a.raw")


def test_a_raw_that_is_whole_but_unknown_is_not_called_cut_off(tmp_path):
    (tmp_path / "a.raw").write_bytes(raw_head(b"IIRO", (256, 4, 1, 5), (330, 4, 1, 8)))
    assert "no picture that camerapipe knows" in refused(tmp_path / "a.raw")


def test_a_tiff_without_a_first_page_is_told_in_plain_words(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0" + struct.pack("<I", 5000) + bytes(100))
    assert "is cut off or damaged: parts are missing" in refused(tmp_path / "a.tif")


def test_a_cut_heic_is_told_in_plain_words(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    data = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    pillow_heif.from_pillow(Image.fromarray(noise)).save(data)
    for part in (100, len(data.getvalue()) // 2, len(data.getvalue()) - 1):
        (tmp_path / "a.heic").write_bytes(data.getvalue()[:part])
        assert "is cut off or damaged: parts are missing" in refused(tmp_path / "a.heic")
