"""Written pictures: codes, metadata and profiles; whole or absent, and never over an input."""

import io
import os
import re
import resource
from dataclasses import replace

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from camerapipe import ingest
from camerapipe.capture import CaptureMeta, Sourced
from camerapipe.errors import OutputError
from camerapipe.ingest import (
    capture_from_array,
    check_output,
    open_capture,
    write_picture,
    write_text,
)
from stages.tone import encode

EXIF_IFD, GPS_IFD, IFD1 = 0x8769, 0x8825, 1
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    b'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" tiff:Orientation="6" '
    b'xmpNote:HasExtendedXMP="0123" dc:title="kept"/></rdf:RDF></x:xmpmeta>'
)


@pytest.fixture
def picture():
    codes = np.random.default_rng(2).integers(0, 256, (12, 20, 3))
    return (codes / 255).astype(np.float32)


def capture_of(picture, bits=8, **changes):
    kind = np.uint8 if bits == 8 else np.uint16
    return replace(capture_from_array(picture[..., :1].astype(kind), "srgb"), grey=False, **changes)


def source_file(path):
    """A turned JPEG with everything: EXIF, GPS, makernote, thumbnail, XMP, profile."""
    small = io.BytesIO()
    Image.new("RGB", (16, 12), "red").save(small, "JPEG")
    exif = Image.Exif()
    exif[271], exif[272], exif[274] = "Maker", "Model", 6
    exif[0x0111] = 7  # the layout of another file
    details = exif.get_ifd(EXIF_IFD)
    details[0x829D], details[0x920A] = IFDRational(14, 5), IFDRational(50)
    details[0x9003] = "2026:01:02 03:04:05"
    details[0xA002], details[0xA003] = 9999, 9999
    details[0x927C] = b"maker note"
    exif.get_ifd(GPS_IFD)[1] = "N"
    Image.new("RGB", (40, 24), "white").save(
        path, "JPEG", exif=exif, xmp=XMP, icc_profile=ingest.icc.srgb_profile()
    )


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
@pytest.mark.parametrize("bits", [8, 16])
def test_metadata_and_profile_travel(tmp_path, suffix, bits):
    source_file(tmp_path / "in.jpg")
    capture = open_capture(tmp_path / "in.jpg")
    if bits == 16:
        capture = replace(capture, bit_depth=16)
    out = tmp_path / f"out{suffix}"
    write_picture(out, encode(capture.linear, capture.curve), capture)
    back = open_capture(out)
    assert back.linear.shape == (40, 24, 3)
    assert back.meta.orientation.value == 1
    assert (back.meta.make.value, back.meta.model.value) == ("Maker", "Model")
    assert (back.meta.f_number.value, back.meta.focal_length_mm.value) == (2.8, 50)
    assert back.profile == capture.profile
    assert b'tiff:Orientation="1"' in back.xmp and b"kept" in back.xmp
    assert b"HasExtendedXMP" not in back.xmp
    with Image.open(out) as image:
        exif = image.getexif()
        details = exif.get_ifd(EXIF_IFD)
        assert (details[0xA002], details[0xA003]) == (24, 40)
        assert details[0x9003] == "2026:01:02 03:04:05"
        assert details[0x927C] == b"maker note"
        assert exif.get_ifd(GPS_IFD)[1] == "N"
        assert exif[305].startswith("camerapipe ")
        assert not exif.get_ifd(IFD1)
        if suffix != ".tif":
            assert 0x0111 not in exif


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("alpha", [False, True])
def test_codes_are_exact(tmp_path, picture, suffix, bits, grey, alpha):
    if grey:
        picture = np.repeat(picture[..., :1], 3, axis=2)
    plane = picture[::-1, :, 0].copy() if alpha else None
    capture = capture_of(picture, bits, alpha=plane)
    write_picture(tmp_path / f"a{suffix}", picture, replace(capture, grey=grey))
    back = open_capture(tmp_path / f"a{suffix}")
    assert (back.bit_depth, back.grey) == (bits, grey)
    np.testing.assert_allclose(encode(back.linear), picture, atol=1e-5)
    if alpha:
        np.testing.assert_allclose(back.alpha, plane, atol=1e-5)
    else:
        assert back.alpha is None


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("alpha", [False, True])
def test_codes_of_8_bits_are_written_as_the_picture_is(
    tmp_path, picture, suffix, bits, grey, alpha
):
    plane = picture[::-1, :, 0].copy() if alpha else None
    capture = replace(capture_of(picture, bits, alpha=plane), grey=grey)
    codes = np.rint(picture * 255).astype(np.uint8)
    write_picture(tmp_path / f"codes{suffix}", codes, capture)
    write_picture(tmp_path / f"picture{suffix}", codes / np.float32(255), capture)
    ours, theirs = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("codes", "picture"))
    assert ours == theirs


def test_other_readers_agree(tmp_path, picture):
    capture = capture_of(picture, 16)
    codes = np.rint(picture * 65535).astype(np.uint16)
    for name in ("a.png", "a.tif"):
        write_picture(tmp_path / name, picture, capture)
        theirs = cv2.imread(str(tmp_path / name), cv2.IMREAD_UNCHANGED)[..., ::-1]
        np.testing.assert_array_equal(theirs, codes)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), codes)


def test_jpeg_drops_alpha_keeps_grey_and_follows_quality(tmp_path, picture):
    capture = capture_of(picture, alpha=np.ones((240, 400), np.float32))
    smooth = cv2.resize(picture, (400, 240))
    sizes = []
    for quality in (50, 90, 100):
        path = tmp_path / f"{quality}.jpeg"
        write_picture(path, smooth, replace(capture, grey=True), quality=quality)
        sizes.append(path.stat().st_size)
        with Image.open(path) as image:
            assert image.mode == "L" and image.size == (400, 240)
    assert sizes == sorted(sizes)


def test_a_corrupt_exif_is_replaced_by_what_is_known(tmp_path, picture):
    for block in (b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"\0" * 40):
        meta = CaptureMeta(f_number=Sourced(2.8, "LibRaw"))
        capture = capture_of(picture, exif=block, xmp=b"\xff\xfe not text", meta=meta)
        for suffix in (".jpg", ".png", ".tif"):
            write_picture(tmp_path / f"a{suffix}", picture, capture, overwrite=True)
            back = open_capture(tmp_path / f"a{suffix}")
            assert back.findings == ()
            assert back.linear.shape == (12, 20, 3)
            assert back.meta.f_number == Sourced(2.8, "EXIF FNumber")  # known all the same


def test_metadata_too_long_for_a_jpeg_is_shortened(tmp_path, picture):
    exif = Image.Exif()
    exif[271] = "Maker"
    exif.get_ifd(EXIF_IFD)[0x927C] = bytes(100_000)
    capture = capture_of(picture, exif=exif.tobytes(), xmp=b"x" * 100_000)
    write_picture(tmp_path / "a.jpg", picture, capture)
    back = open_capture(tmp_path / "a.jpg")
    assert back.meta.make.value == "Maker" and back.xmp is None


def test_padding_of_xmp_is_no_burden(tmp_path, picture):
    capture = capture_of(picture, xmp=XMP + b" " * 1_000_000)  # a quadratic search would hang here
    write_picture(tmp_path / "a.png", picture, capture)
    assert b'tiff:Orientation="1"' in open_capture(tmp_path / "a.png").xmp


@pytest.mark.parametrize("name", ["out.gif", "out.bmp", "out"])
def test_unknown_formats_list_the_choices(tmp_path, picture, name):
    with pytest.raises(OutputError, match=re.escape("choose .jpg, .jpeg, .png, .tif, .tiff")):
        write_picture(tmp_path / name, picture, capture_of(picture))
    assert not list(tmp_path.iterdir())


def refusal(path, inputs=(), **options):
    options = {"overwrite": False} | options
    with pytest.raises(OutputError) as caught:
        check_output(path, inputs, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message


class TestCheckOutput:
    def test_a_good_place(self, tmp_path):
        check_output(tmp_path / "a.jpg", [tmp_path / "missing.jpg"], overwrite=False)
        check_output(tmp_path / "a.anything", overwrite=False, suffixes=())

    def test_suffixes(self, tmp_path):
        assert "'.xcf' files" in refusal(tmp_path / "a.xcf")
        assert "choose .tif" in refusal(tmp_path / "a.bmp", suffixes=ingest.MAPS)

    def test_exists(self, tmp_path):
        path = tmp_path / "a.jpg"
        path.write_bytes(b"precious")
        assert "--overwrite" in refusal(path)
        check_output(path, overwrite=True)

    @pytest.mark.parametrize("overwrite", [False, True])
    def test_the_input_itself_through_any_link(self, tmp_path, overwrite):
        source = tmp_path / "in.jpg"
        source.write_bytes(b"picture")
        (tmp_path / "soft.jpg").symlink_to(source)
        os.link(source, tmp_path / "hard.jpg")
        (tmp_path / "folder").symlink_to(tmp_path)
        for name in ("in.jpg", "soft.jpg", "hard.jpg", "folder/in.jpg"):
            path = tmp_path / name
            assert "is the input itself" in refusal(path, [source], overwrite=overwrite)
            assert "is the input itself" in refusal(source, [path], overwrite=overwrite)

    def test_places_that_cannot_be_written(self, tmp_path):
        assert "make it first" in refusal(tmp_path / "missing" / "a.jpg")
        (tmp_path / "folder.jpg").mkdir()
        assert "is a folder" in refusal(tmp_path / "folder.jpg", overwrite=True)
        os.mkfifo(tmp_path / "pipe.jpg")
        assert "pipe" in refusal(tmp_path / "pipe.jpg", overwrite=True)
        (tmp_path / "a.jpg").write_bytes(b"")
        assert "make it first" in refusal(tmp_path / "a.jpg" / "b.jpg")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_no_permission(self, tmp_path):
        closed = tmp_path / "closed"
        closed.mkdir()
        (closed / "old.jpg").write_bytes(b"")
        (closed / "old.jpg").chmod(0o400)
        assert "write-protected" in refusal(closed / "old.jpg", overwrite=True)
        closed.chmod(0o500)
        assert "may not be written to" in refusal(closed / "a.jpg")


class TestAtomic:
    def test_text_and_overwriting(self, tmp_path):
        path = tmp_path / "report.json"
        write_text(path, "Grüße")
        assert path.read_text("utf-8") == "Grüße"
        with pytest.raises(OutputError, match="exists already"):
            write_text(path, "other")
        assert path.read_text("utf-8") == "Grüße"
        write_text(path, "other", overwrite=True)
        assert path.read_text("utf-8") == "other"
        assert [p.name for p in tmp_path.iterdir()] == ["report.json"]

    def test_a_file_that_appears_meanwhile_is_kept(self, tmp_path):
        path = tmp_path / "a.txt"
        with (
            pytest.raises(OutputError, match="exists already"),
            ingest.atomic.whole_file(path, overwrite=False) as file,
        ):
            file.write(b"ours")
            path.write_text("theirs")
        assert path.read_text() == "theirs" and len(list(tmp_path.iterdir())) == 1

    def test_a_file_that_grows_leaves_nothing_after_an_error(self, tmp_path):
        with (
            pytest.raises(RuntimeError),
            ingest.atomic.whole_file(tmp_path / "a.txt", overwrite=False) as file,
        ):
            file.write(b"half")
            raise RuntimeError
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("taken", [False, True])
    def test_without_hard_links(self, tmp_path, monkeypatch, taken):
        path = tmp_path / "a.txt"

        def no_link(*_):
            if taken:
                path.write_text("theirs")
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", no_link)
        if taken:
            with pytest.raises(OutputError, match="exists already"):
                write_text(path, "ours")
        else:
            write_text(path, "ours")
        assert path.read_text() == ("theirs" if taken else "ours")
        assert len(list(tmp_path.iterdir())) == 1

    @pytest.mark.parametrize("overwrite", [False, True])
    def test_a_full_disk_leaves_nothing(self, tmp_path, picture, overwrite):
        path = tmp_path / "a.tif"
        if overwrite:
            path.write_bytes(b"old")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (256, hard))
        try:
            with pytest.raises(OutputError, match=r"a\.tif: could not be written \(File too large"):
                write_picture(path, picture, capture_of(picture), overwrite=overwrite)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert [p.read_bytes() for p in tmp_path.iterdir()] == ([b"old"] if overwrite else [])

    @pytest.mark.parametrize("step", ["fsync", "link"])
    @pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(5, "Input/output error")])
    def test_a_failure_at_any_step_leaves_nothing(self, tmp_path, monkeypatch, step, error):
        def fail(*_):
            raise error

        monkeypatch.setattr(os, step, fail)
        with pytest.raises((KeyboardInterrupt, OutputError)) as caught:
            write_text(tmp_path / "a.txt", "text")
        assert isinstance(caught.value, KeyboardInterrupt) == isinstance(error, KeyboardInterrupt)
        assert not list(tmp_path.iterdir())

    def test_through_a_link_and_with_the_usual_permissions(self, tmp_path):
        (tmp_path / "real.txt").write_text("old")
        (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
        write_text(tmp_path / "link.txt", "new", overwrite=True)
        assert (tmp_path / "link.txt").is_symlink()
        assert (tmp_path / "real.txt").read_text() == "new"
        mask = os.umask(0o022)
        os.umask(mask)
        assert (tmp_path / "real.txt").stat().st_mode & 0o777 == 0o666 & ~mask
