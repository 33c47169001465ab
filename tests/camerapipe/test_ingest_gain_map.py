"""Gain maps of JPEG files: read by the formulas, written so that others read them, or told why not.

The files are put together by `datasets.gain_map_files`. libultrahdr (in imagecodecs) and exiftool
are independent readers, where they are installed.
"""

import io
import shutil
import struct
import subprocess
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from camerapipe import render
from camerapipe.assembly import Request
from camerapipe.ingest import encode_picture, left_out, open_capture
from camerapipe.ingest.colorimetry import BT709, BT2020, DISPLAY_P3, to_xyz
from camerapipe.ingest.exif import ExifBlock
from camerapipe.ingest.gain_metadata import gain_map_of_iso, hdrgm_properties, iso_metadata
from camerapipe.ingest.mpf import other_pictures
from camerapipe.job import Job, run_job
from camerapipe.naming import Outputs
from camerapipe.settings import resolve
from datasets.gain_map_files import (
    KINDS,
    Gain,
    apple_hdr_of,
    exif_of,
    gain_map_jpeg,
    hdr_of,
    plain_jpeg,
)
from datasets.heif_files import heic_with_auxiliary
from stages.gain_map import GainMap, hdr_light
from stages.tone import encode, linearise

SHAPE = (48, 64)
RNG = np.random.default_rng(3)
THREE = Gain(
    low=(-0.5, 0.0, 0.25),
    high=(2.0, 3.0, 1.0),
    gamma=(1.0, 0.5, 2.2),
    sdr_offset=(0.02, 0.0, 0.01),
    hdr_offset=(0.01, 0.0, 0.03),
    headroom=3.0,
)


def smooth(*shape):
    """Codes that a JPEG keeps."""
    noise = RNG.integers(0, 256, (6, 8, *shape[2:]), dtype=np.uint8)
    return cv2.resize(noise, shape[1::-1], interpolation=cv2.INTER_LINEAR)


BASE, GAINS = smooth(*SHAPE, 3), smooth(*SHAPE)


def opened(tmp_path, data):
    path = tmp_path / "in.jpg"
    path.write_bytes(data)
    return open_capture(path)


def light_of(capture):
    return hdr_light(capture.linear, capture.gain_map)


def stored(codes):
    """Codes as a JPEG of the makers has them."""
    with Image.open(io.BytesIO(plain_jpeg(codes))) as image:
        return np.asarray(image)


@pytest.mark.parametrize("kind", KINDS)
def test_hdr_light_is_that_of_the_formula(tmp_path, kind):
    capture = opened(tmp_path, gain_map_jpeg(BASE, GAINS, kind=kind))
    base, gains = linearise(stored(BASE)), stored(GAINS)
    wanted = apple_hdr_of(base, gains) if kind == "apple" else hdr_of(base, gains, Gain())
    np.testing.assert_allclose(light_of(capture), wanted, rtol=1e-4, atol=1e-4)
    assert capture.findings == ()


@pytest.mark.parametrize("kind", ["iso", "iso common", "hdrgm"])
def test_gains_of_three_channels(tmp_path, kind):
    gains = smooth(*SHAPE, 3)
    capture = opened(tmp_path, gain_map_jpeg(BASE, gains, kind=kind, gain=THREE))
    wanted = hdr_of(linearise(stored(BASE)), stored(gains), THREE)
    np.testing.assert_allclose(light_of(capture), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_gain_map_is_turned_with_its_picture(tmp_path, orientation):
    upright = light_of(opened(tmp_path, gain_map_jpeg(BASE, GAINS)))
    back = {5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, orientation)
    stored_as = [Image.fromarray(each) for each in (BASE, GAINS)]
    ways = (None, None, Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180,
            Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_270,
            Image.Transpose.TRANSVERSE, Image.Transpose.ROTATE_90)  # fmt: skip
    if (way := ways[back]) is not None:
        stored_as = [each.transpose(way) for each in stored_as]
    data = gain_map_jpeg(*map(np.asarray, stored_as), orientation=orientation)
    np.testing.assert_allclose(light_of(opened(tmp_path, data)), upright, rtol=0.03, atol=0.02)


def heic(tmp_path, gains, *, apple=True):
    pytest.importorskip("pillow_heif")
    path = tmp_path / "in.heic"
    path.write_bytes(heic_with_auxiliary(BASE, gains, exif=exif_of(1, apple=apple)))
    return open_capture(path)


def test_the_gain_map_of_a_heic(tmp_path):
    flat = np.full((24, 32), 140, np.uint8)  # codes that HEVC keeps
    capture = heic(tmp_path, flat)
    assert capture.findings == () and capture.gain_map.values.shape == (24, 32)
    wanted = apple_hdr_of(capture.linear, np.full(SHAPE, 140))
    np.testing.assert_allclose(light_of(capture), wanted, rtol=0.02, atol=1e-4)
    path = tmp_path / "out.jpg"
    render(capture, from_map=np.zeros(SHAPE, np.float32), force=True).save(path)
    np.testing.assert_allclose(light_of(open_capture(path)), wanted, rtol=0.1, atol=0.05)


@pytest.mark.parametrize(
    ("shape", "apple", "reason"), [((48, 16), True, "does not fit"), ((24, 32), False, "its scale")]
)
def test_a_bad_gain_map_of_a_heic_is_told(tmp_path, shape, apple, reason):
    capture = heic(tmp_path, np.full(shape, 99, np.uint8), apple=apple)
    assert [each.code for each in capture.findings] == ["gain_map_ignored"]
    assert reason in capture.findings[0].message and capture.linear.shape == (*SHAPE, 3)


BAD = {
    "outside": (gain_map_jpeg(BASE, GAINS, shift=10**6), "outside of the file"),
    "cut off": (gain_map_jpeg(BASE, GAINS)[:-200], "outside of the file"),
    "elsewhere": (gain_map_jpeg(BASE, GAINS, shift=-40), "it is not in the file"),
    "other aspect": (gain_map_jpeg(BASE, smooth(40, 20)), "20 x 40 does not fit the picture of 64"),
    "too large": (gain_map_jpeg(BASE, smooth(96, 128)), "128 x 96 does not fit"),
    "not plausible": (gain_map_jpeg(BASE, GAINS, gain=Gain(high=(99.0,))), "not plausible"),
    "no scale": (
        gain_map_jpeg(BASE, GAINS, kind="apple").replace(b"Apple iOS", b"Apple xxx"),
        "does not state its scale",
    ),
    "damaged": (gain_map_jpeg(BASE, GAINS)[:-2] + b"\0\0", "it is damaged"),
    "entities": (
        gain_map_jpeg(BASE, GAINS, kind="hdrgm").replace(b"<x:xmpmeta", b"<!DOCTYPE "),
        "",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_gain_map_is_told_and_the_picture_is_read(tmp_path, name):
    data, reason = BAD[name]
    capture = opened(tmp_path, data)
    assert capture.gain_map is None and capture.linear.shape == (*SHAPE, 3)
    np.testing.assert_array_equal(capture.linear, linearise(stored(BASE)))
    if reason:
        assert [each.code for each in capture.findings] == ["gain_map_ignored"]
        assert reason in capture.findings[0].message


def test_a_stated_size_of_gigapixels_is_refused_before_decoding(tmp_path):
    small = plain_jpeg(GAINS)
    frame = b"\x08" + SHAPE[0].to_bytes(2, "big") + SHAPE[1].to_bytes(2, "big")
    data = gain_map_jpeg(BASE, GAINS)
    place = data.rindex(frame)
    assert frame in small
    huge = data[:place] + b"\x08\xff\xff\xff\xff" + data[place + len(frame) :]
    assert "65535 x 65535 does not fit" in opened(tmp_path, huge).findings[0].message


def written(tmp_path, capture, hdr, name="out.jpg", **how):
    data = encode_picture(encode(capture.linear, capture.curve), capture, format="jpeg", light=hdr,
                          **how)  # fmt: skip
    path = tmp_path / name
    path.write_bytes(data)
    return data, path


@pytest.fixture
def hdr_capture(tmp_path):
    return opened(tmp_path, gain_map_jpeg(BASE, smooth(*SHAPE, 3), kind="hdrgm", gain=THREE))


def test_sdr_and_hdr_light_come_back(tmp_path, hdr_capture):
    """HDR within 3 % and 0.02 of white, which 8-bit codes of SDR and gain explain."""
    wanted = light_of(hdr_capture)
    data, path = written(tmp_path, hdr_capture, wanted, quality=100)
    back = open_capture(path)
    assert back.findings == ()
    sdr = np.abs(encode(back.linear) - encode(hdr_capture.linear)).max()
    assert sdr < 2.1 / 255
    np.testing.assert_allclose(light_of(back), wanted, rtol=0.03, atol=0.02)
    plain = encode_picture(encode(hdr_capture.linear), hdr_capture, format="jpeg", quality=100)
    with Image.open(io.BytesIO(plain)) as one, Image.open(io.BytesIO(data)) as two:
        np.testing.assert_array_equal(np.asarray(one), np.asarray(two))


def test_both_forms_of_the_metadata_agree(hdr_capture):
    gain_map = hdr_capture.gain_map
    read = gain_map_of_iso(iso_metadata(gain_map), gain_map.values)
    np.testing.assert_allclose(np.array(read.curves), np.array(gain_map.curves), atol=1e-6)
    stated = hdrgm_properties(gain_map)
    for place, name in enumerate(("GainMapMin", "GainMapMax", "Gamma", "OffsetSDR", "OffsetHDR")):
        numbers = [float(value) for value in stated[name]]
        np.testing.assert_allclose(numbers, [curve[place] for curve in read.curves], atol=1e-8)
    one = GainMap(values=gain_map.values[..., 0], curves=gain_map.curves[:1] * 3, headroom_stops=2)
    assert gain_map_of_iso(iso_metadata(one), one.values).curves[2] == pytest.approx(read.curves[0])


def test_the_index_of_pictures_is_right(tmp_path, hdr_capture):
    data, _ = written(tmp_path, hdr_capture, light_of(hdr_capture))
    ((start, end),) = other_pictures(data)
    assert end == len(data) and data[start : start + 3] == b"\xff\xd8\xff"
    assert data[start - 2 : start] == b"\xff\xd9"


def test_other_metadata_stay_beside_a_gain_map(tmp_path, hdr_capture):
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-'
        b'syntax-ns#"><r:Description xmlns:p="http://ns.adobe.com/xap/1.0/" p:Rating="4"/></r:RDF>'
        b"</x:xmpmeta>"
    )
    rich = replace(hdr_capture, xmp=packet, comment=b"said", dpi=(300.0, 300.0))
    _, path = written(tmp_path, rich, light_of(rich))
    back = open_capture(path)
    assert b'p:Rating="4"' in back.xmp and back.comment == b"said" and back.dpi == (300, 300)
    assert ExifBlock(back.exif).tags(0) and back.gain_map is not None


def test_an_independent_reader_gets_the_same_hdr_light(tmp_path, hdr_capture):
    imagecodecs = pytest.importorskip("imagecodecs")
    if not imagecodecs.ULTRAHDR.available:
        pytest.skip("imagecodecs without libultrahdr")
    data, path = written(tmp_path, hdr_capture, light_of(hdr_capture))
    theirs = imagecodecs.ultrahdr_decode(data).astype(np.float32)[..., :3]
    ours = light_of(open_capture(path))
    np.testing.assert_allclose(theirs, ours, rtol=0.01, atol=0.01)


@pytest.mark.parametrize("gamut", [BT709, DISPLAY_P3, BT2020], ids=["709", "p3", "2020"])
def test_files_of_an_independent_writer(tmp_path, gamut):
    """Its pictures are P3; its decoder gives the primaries of the HDR light that it was given."""
    imagecodecs = pytest.importorskip("imagecodecs")
    if not imagecodecs.ULTRAHDR.available:
        pytest.skip("imagecodecs without libultrahdr")
    light = np.dstack([4 * (smooth(*SHAPE, 3) / 255) ** 2, np.ones(SHAPE)]).astype(np.float16)
    number = (BT709, DISPLAY_P3, BT2020).index(gamut)
    data = imagecodecs.ultrahdr_encode(light, 100, gamut=number)
    theirs = imagecodecs.ultrahdr_decode(data).astype(np.float32)[..., :3]
    capture = opened(tmp_path, data)
    assert (capture.gain_map.space is not None) == (gamut is BT2020)
    inside = np.linalg.solve(to_xyz(DISPLAY_P3), to_xyz(gamut)) @ theirs[..., None]
    shown = (inside[..., 0] > 0.01).all(axis=2)  # other colours are clipped to P3
    ours = light_of(capture) @ np.linalg.solve(to_xyz(gamut), to_xyz(DISPLAY_P3)).T
    assert shown.sum() > 500
    np.testing.assert_allclose(np.maximum(ours, 0)[shown], theirs[shown], rtol=0.02, atol=0.03)


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
def test_exiftool_finds_gain_map_and_index(tmp_path, hdr_capture):
    _, path = written(tmp_path, hdr_capture, light_of(hdr_capture))
    call = ["exiftool", "-a", "-G1", "-s", "-ee", str(path)]
    said = subprocess.run(call, capture_output=True, text=True, check=True).stdout
    for tag in ("GainMapMax", "HDRCapacityMax", "MPImageLength", "DirectoryItemSemantic"):
        assert tag in said


def test_a_rendered_picture_keeps_its_hdr_light(tmp_path):
    """In focus, HDR light is that of the capture; a blurred lamp keeps its light."""
    scene = np.full((120, 160, 3), 40, np.uint8)
    scene[:, ::8] = 90
    base = scene.copy()
    base[:, 80:] = cv2.GaussianBlur(scene, (0, 0), 4)[:, 80:]
    lamp = np.zeros((120, 160), np.uint8)
    lamp[56:62, 120:126] = 255
    base[lamp > 0] = 255
    capture = opened(tmp_path, gain_map_jpeg(base, lamp, gain=Gain((0.0,), (3.0,), headroom=3.0)))
    sigma = np.zeros((120, 160), np.float32)
    sigma[:, 80:] = 4
    shot = render(capture, from_map=sigma, force=True)
    before = light_of(capture)
    np.testing.assert_allclose(shot.hdr[:, :60], before[:, :60], rtol=1e-5)
    assert shot.hdr.sum() == pytest.approx(before.sum(), rel=0.02)  # blur moves light
    assert shot.hdr[40:80, 100:145].max() < 2 < before.max()
    path = tmp_path / "out.jpg"
    shot.save(path)
    back = open_capture(path)
    error = np.abs(light_of(back) - shot.hdr)
    assert error.mean() < 0.004 and np.percentile(error, 99) < 0.03
    assert light_of(back).sum() == pytest.approx(shot.hdr.sum(), rel=0.01)


def test_a_picture_from_depth_keeps_its_hdr_light(hdr_capture):
    depth = np.full(SHAPE, 1.0)
    depth[:, 40:] = 3.0
    shot = render(hdr_capture, from_depth=depth, strength=4, force=True)
    assert shot.report.graph == "from-depth" and shot.hdr.shape == (*SHAPE, 3)
    assert shot.hdr.mean() == pytest.approx(light_of(hdr_capture).mean(), rel=0.05)


def test_hdr_light_is_only_rendered_where_it_can_be_written(tmp_path):
    path = tmp_path / "in.jpg"
    path.write_bytes(gain_map_jpeg(BASE, GAINS))
    stages = {}
    for name in ("jpg", "png", "exr"):
        if name == "exr":
            pytest.importorskip("OpenEXR")
        outputs = Outputs(picture=tmp_path / f"out.{name}")
        request = Request(settings=resolve(), force=True)
        done = run_job(Job(source=path, request=request, outputs=outputs))
        stages[name] = [stage.name for stage in done.report.stages]
        assert any(each.code == "hdr_left_out" for each in done.findings) == (name == "png")
        assert any("written as SDR" in note for note in done.notes) == (name == "png")
    assert "hdr_bokeh" in stages["jpg"] and "hdr_bokeh" in stages["exr"]
    assert "hdr_bokeh" not in stages["png"]


def test_formats_without_gain_maps_are_told(hdr_capture):
    plain = replace(hdr_capture, gain_map=None)
    assert left_out("jpeg", hdr_capture) == () == left_out("png", plain)
    assert [each.code for each in left_out("png", hdr_capture)] == ["hdr_left_out"]


@pytest.mark.parametrize("behind", [False, True])
def test_a_gain_map_without_index_is_found_by_its_length(tmp_path, behind):
    whole = gain_map_jpeg(BASE, GAINS, kind="hdrgm")
    ((start, end),) = other_pictures(whole)
    data = whole.replace(b"MPF\0", b"xxx\0")
    if behind:  # a film of 9 bytes after it, as in motion photos
        film = (
            b'</rdf:li><rdf:li><c:Item i:Semantic="MotionPhoto" i:Length="9"/></rdf:li></rdf:Seq>'
        )
        packet = data.replace(b"</rdf:li></rdf:Seq>", film, 1)
        at = data.index(b"http://ns.adobe.com/xap/1.0/") - 2
        size = struct.unpack_from(">H", data, at)[0] + len(packet) - len(data)
        data = packet[:at] + struct.pack(">H", size) + packet[at + 2 :] + bytes(9)
    capture = opened(tmp_path, data)
    expected = opened(tmp_path, whole)
    np.testing.assert_array_equal(light_of(capture), light_of(expected))


def test_a_listed_gain_map_that_was_cut_away_is_told(tmp_path):
    whole = gain_map_jpeg(BASE, GAINS, kind="hdrgm")
    ((start, _),) = other_pictures(whole)
    capture = opened(tmp_path, whole.replace(b"MPF\0", b"xxx\0")[:start])
    assert [each.code for each in capture.findings] == ["gain_map_ignored"]
