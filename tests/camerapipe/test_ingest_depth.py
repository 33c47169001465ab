"""Depth from files: every container, against a scene whose depth is known, and damaged ones."""

import io

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from camerapipe.errors import CaptureError, LimitError
from camerapipe.ingest import open_capture
from camerapipe.ingest.depth import read_depth
from camerapipe.ingest.exr_reading import exr_parts
from camerapipe.ingest.extended_xmp import extension_segments, xmp_packets
from camerapipe.ingest.xmp import BrokenXmpError, Name
from camerapipe.ingest.xmp_fields import structures
from datasets.depth_files import (
    XMP,
    apple_jpeg,
    depth_scene,
    described,
    dynamic_depth_jpeg,
    extension_parts,
    gdepth_jpeg,
    jpeg,
    with_segments,
)

SCENE = depth_scene((120, 160))
INVERSE = 1 / SCENE.depth_m
LINEAR = np.full((120, 160, 3), 0.5, np.float32)
GDEPTH = {"GDepth": "http://ns.google.com/photos/1.0/depthmap/"}


def read(tmp_path, data, name="a.jpg", **how):
    path = tmp_path / name
    path.write_bytes(data)
    return read_depth(path, how.pop("linear", LINEAR), **how)


def png(plane):
    return bytes(cv2.imencode(".png", plane)[1])


@pytest.mark.parametrize(
    ("data", "metric", "tolerance"),
    [
        (gdepth_jpeg(SCENE), True, 1e-4),
        (gdepth_jpeg(SCENE, extended=False), True, 1e-4),
        (gdepth_jpeg(SCENE, units="mm"), True, 1e-4),
        (gdepth_jpeg(SCENE, inverse=False), True, 1e-3),
        (gdepth_jpeg(SCENE, units=""), False, 1e-4),
        (dynamic_depth_jpeg(SCENE), True, 1e-4),
        (dynamic_depth_jpeg(SCENE, padding=100), True, 1e-4),
        (dynamic_depth_jpeg(SCENE, units=""), False, 1e-4),
        (apple_jpeg(SCENE), True, 0.02),  # 8 bits, as JPEG
        (apple_jpeg(SCENE, accuracy="relative"), False, 0.02),
    ],
    ids=["gdepth", "small", "mm", "linear", "no-unit", "dynamic", "padding", "dynamic-no-unit",
         "apple", "apple-relative"],
)  # fmt: skip
def test_depth_in_a_photograph_is_that_of_the_scene(tmp_path, data, metric, tolerance):
    found = read(tmp_path, data, embedded=True)
    truth = INVERSE[::2, ::2] if found.depth.inverse.shape == (60, 80) else INVERSE
    difference = np.abs(found.depth.inverse - truth)
    assert np.quantile(difference, 0.97) <= tolerance  # JPEG rings at outlines
    assert found.depth.is_metric is metric and found.assumptions == ()


def test_depth_turns_with_its_photograph(tmp_path):
    """EXIF orientation 6: the depth is stored as the pixels are, and turned as they are."""
    (tmp_path / "a.jpg").write_bytes(gdepth_jpeg(SCENE, orientation=6))
    linear = open_capture(tmp_path / "a.jpg").linear
    found = read_depth(tmp_path / "a.jpg", linear, embedded=True).depth.inverse
    assert found.shape == linear.shape[:2] == (160, 120)
    np.testing.assert_allclose(found, np.rot90(INVERSE, -1), atol=1e-4)


def test_the_focus_that_a_file_states_comes_with_its_depth(tmp_path):
    spaces = {**GDEPTH, "GFocus": "http://ns.google.com/photos/1.0/focus/"}
    said = {"GFocus:FocalDistance": 0.8}
    data = gdepth_jpeg(SCENE, extended=False)
    old = xmp_packets(data)[0]
    more = described(said, spaces).encode().split(b"<rdf:Description", 1)[1]
    packet = old.replace(b"</rdf:RDF>", b"<rdf:Description" + more.split(b"</rdf:RDF>")[0]
                         + b"</rdf:RDF>")  # fmt: skip
    found = read(tmp_path, with_segments(jpeg(SCENE.picture), XMP + packet), embedded=True)
    assert found.depth.focus == pytest.approx(1 / 0.8)


def test_iphone_and_android_photographs(shared_data):
    pytest.importorskip("pillow_heif")
    photo = shared_data / "photos" / "iphone13pro_portrait_pug.heic"
    depth = read_depth(photo, np.zeros((3024, 4032, 3), np.float32), embedded=True).depth
    assert depth.inverse.shape == (576, 768) and not depth.is_metric
    assert (depth.inverse.min(), depth.inverse.max()) == pytest.approx((1.498047, 4.382812))
    photo = shared_data / "depth_gt" / "android_lensblur" / "Android_Depth_Map.jpg"
    depth = read_depth(photo, np.zeros((1024, 768, 3), np.float32), embedded=True).depth
    stated = cv2.imread(str(photo.parent / "gdepth.png"))[..., 0] / 255
    near, far = 12.423587799072266, 390.539306640625
    np.testing.assert_allclose(1 / depth.inverse, near * far / (far - stated * (far - near)), 1e-4)
    assert depth.focus == pytest.approx(1 / 16.577824) and not depth.is_metric


class TestPictures:
    """Depth as a picture of its own, whose values mean what the person says."""

    def test_floating_point_is_metres(self, tmp_path):
        plane = SCENE.depth_m.astype(np.float32).copy()
        plane[:5, :5] = np.nan
        plane[0, 5:9] = 0
        file = io.BytesIO()
        tifffile.imwrite(file, plane)
        found = read(tmp_path, file.getvalue(), "a.tif")
        assert found.depth.is_metric and len(found.assumptions) == 2
        assert "taken as distances in metres" in found.assumptions[0]
        assert "0.15 % of its samples" in found.assumptions[1]
        np.testing.assert_allclose(found.depth.inverse[6:], INVERSE[6:], rtol=1e-6)
        assert np.abs(found.depth.inverse[:5, :5] - INVERSE[:5, :5]).max() < 0.1

    @pytest.mark.parametrize(
        ("values", "metric", "expected"),
        [
            ("auto", False, SCENE.depth_m),
            ("nearness", False, SCENE.depth_m),
            ("millimetres", True, INVERSE),
            ("metres", True, INVERSE / 1000),
            ("distance", False, INVERSE / 1000),
        ],
    )
    def test_integers_are_what_they_are_said_to_be(self, tmp_path, values, metric, expected):
        plane = np.rint(SCENE.depth_m * 1000).astype(np.uint16)
        found = read(tmp_path, png(plane), "a.png", values=values)
        assert found.depth.is_metric is metric and bool(found.assumptions) == (values == "auto")
        scale = 1000 if values in ("auto", "nearness") else 1
        np.testing.assert_allclose(found.depth.inverse / scale, expected, rtol=2e-3)

    def test_zero_is_an_unknown_distance_and_filled(self, tmp_path):
        plane = np.rint(SCENE.depth_m * 1000).astype(np.uint16)
        plane[40:50, 5:15] = 0
        found = read(tmp_path, png(plane), "a.png", values="millimetres")
        assert "filled" in found.assumptions[0]
        np.testing.assert_allclose(found.depth.inverse[45, 10], INVERSE[45, 10], atol=0.02)

    def test_exr_has_its_depth_in_z(self, tmp_path):
        exr = pytest.importorskip("OpenEXR")
        plane = SCENE.depth_m.astype(np.float32)
        plane[0, 0] = np.inf
        header = {"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}
        channels = {"ViewLayer.Depth.Z": plane, "ViewLayer.Mist.A": np.zeros_like(plane)}
        exr.File(header, channels).write(str(tmp_path / "a.exr"))
        found = read_depth(tmp_path / "a.exr", LINEAR)
        assert found.depth.inverse[0, 0] == 0
        np.testing.assert_allclose(found.depth.inverse[1:], INVERSE[1:], rtol=1e-6)
        exr.File(header, {"R": plane, "G": plane}).write(str(tmp_path / "b.exr"))
        with pytest.raises(CaptureError, match="no channel named Z or depth; it has G, R"):
            read_depth(tmp_path / "b.exr", LINEAR)


def announced(**said):
    near_far = {"GDepth:Near": 1, "GDepth:Far": 2, "GDepth:Format": "RangeInverse", **said}
    return with_segments(jpeg(SCENE.picture), XMP + described(near_far, GDEPTH).encode())


BOMB = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "&%c;&%c;&%c;">' % (i + 1, i, i, i) for i in range(97, 120))
    + b"]><x>&x;</x>"
)


def missing_part():
    guid, parts = extension_parts(described({"GDepth:Data": "A" * 50_000}, GDEPTH).encode())
    said = described({"xmpNote:HasExtendedXMP": guid},
                     {"xmpNote": "http://ns.adobe.com/xmp/note/"})  # fmt: skip
    return with_segments(jpeg(SCENE.picture), XMP + said.encode(), *parts[:-1])


def huge_part():
    guid, (part,) = extension_parts(b"x" * 1000)
    said = described({"xmpNote:HasExtendedXMP": guid},
                     {"xmpNote": "http://ns.adobe.com/xmp/note/"})  # fmt: skip
    sized = part[:-1008] + b"\xff\xff\xff\xff\0\0\0\0" + part[-1000:]
    return with_segments(jpeg(SCENE.picture), XMP + said.encode(), sized)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (jpeg(SCENE.picture), "has no depth map in it"),
        (announced(), "announces a depth map that is not in the file"),
        (announced(**{"GDepth:Data": "!!!!"}), "the embedded depth is no picture"),
        (announced(**{"GDepth:Data": "QUJD"}), "the embedded depth is no picture"),
        (gdepth_jpeg(SCENE, **{"GDepth:Near": "nan"}), "does not say the range of its values"),
        (gdepth_jpeg(SCENE, **{"GDepth:Near": 9}), "does not say the range of its values"),
        (gdepth_jpeg(SCENE, **{"GDepth:Format": "Odd"}), "does not say the range of its values"),
        (with_segments(jpeg(SCENE.picture), XMP + BOMB), "has a document type"),
        (missing_part(), "incomplete or damaged"),
        (huge_part(), "parts of impossible size"),
        (dynamic_depth_jpeg(SCENE)[:-5000], "depth"),
        (apple_jpeg(SCENE, shift=1 << 20), "has no depth map in it"),
        (gdepth_jpeg(depth_scene((160, 120))), "120 x 160 samples and another shape"),
    ],
)  # fmt: skip
def test_depth_that_cannot_be_used_ends_in_one_line(tmp_path, data, said):
    with pytest.raises(CaptureError, match=said) as error:
        read(tmp_path, data, embedded=True)
    assert str(error.value).startswith(str(tmp_path / "a.jpg")) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("plane", "said"),
    [
        (np.full((12, 16), 7, np.uint8), "the same everywhere"),
        (np.full((12, 16), np.nan, np.float32), "unknown everywhere"),
        (np.full((12, 16), -1, np.float32), "unknown everywhere"),
        (np.full((12, 16), 1e-30, np.float32), "unknown everywhere"),
        (np.arange(24, dtype=np.uint8).reshape(2, 12), "another shape than the picture"),
        (np.dstack([np.eye(16, dtype=np.uint8)[:12] * 255] * 2 + [np.zeros((12, 16), np.uint8)]),
         "is a colour picture"),
    ],
)  # fmt: skip
def test_a_picture_that_is_no_depth_is_refused(tmp_path, plane, said):
    file = io.BytesIO()
    tifffile.imwrite(file, plane)
    with pytest.raises(CaptureError, match=said):
        read(tmp_path, file.getvalue(), "a.tif")


def test_a_depth_picture_of_gigapixels_is_refused_by_its_header(tmp_path):
    file = io.BytesIO()
    Image.new("1", (40_000, 30_000)).save(file, "PNG")
    with pytest.raises(LimitError, match="more than the limit"):
        read(tmp_path, file.getvalue(), "a.png")


def test_extended_packets_come_back_from_their_parts():
    packet = described({"a:b": "x" * 300_000}, {"a": "urn:a"}).encode()
    guid, _ = extension_parts(packet)
    note = described({"xmpNote:HasExtendedXMP": guid}, {"xmpNote": "http://ns.adobe.com/xmp/note/"})
    plain = with_segments(jpeg(SCENE.picture), XMP + note.encode())
    place = plain.index(note.encode()) + len(note)
    whole = plain[:place] + extension_segments(packet) + plain[place:]
    assert xmp_packets(whole) == (note.encode(), packet)
    assert xmp_packets(plain) == (note.encode(),)


def test_a_packet_of_countless_structures_is_refused():
    with pytest.raises(BrokenXmpError, match="too many"):
        structures(described({}, {"a": "urn:a"}, '<a:b a:c="1"/>' * 150_000).encode())


def test_an_exr_of_countless_channels_is_refused_by_its_header(tmp_path):
    exr = pytest.importorskip("OpenEXR")
    plane = np.zeros((1000, 1000), np.float32)
    header = {"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}
    exr.File(header, {f"c{k}": plane for k in range(9)}).write(str(tmp_path / "a.exr"))
    with (tmp_path / "a.exr").open("rb") as file, pytest.raises(LimitError, match="the limit"):
        exr_parts(file, 1_000_000)


def test_fields_stand_with_those_of_their_structure():
    items = '<rdf:li a:x="1" a:y="2"/><rdf:li rdf:parseType="Resource"><a:x>3</a:x></rdf:li>'
    inside = f"<a:l><rdf:Seq>{items}</rdf:Seq></a:l>"
    found = structures(described({}, {"a": "urn:a"}, inside).encode())
    mine = [{n.local: v for n, v in each.items() if n.space == "urn:a"} for each in found]
    assert [each for each in mine if each] == [{"x": "1", "y": "2"}, {"x": "3"}]
    assert Name("urn:a", "x") in found[0]
    with pytest.raises(BrokenXmpError):
        structures(b"<a>")


def test_a_cut_exr_is_told_in_one_line_and_the_library_prints_nothing(tmp_path, capfd):
    exr = pytest.importorskip("OpenEXR")
    header = {"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}
    plane = np.random.default_rng(1).random((64, 64)).astype(np.float32)
    exr.File(header, {"Z": plane}).write(str(tmp_path / "a.exr"))
    data = (tmp_path / "a.exr").read_bytes()
    with pytest.raises(CaptureError, match=r"a\.exr: is cut off or damaged: parts are missing"):
        read(tmp_path, data[: len(data) // 2], "a.exr")
    assert capfd.readouterr() == ("", "")
