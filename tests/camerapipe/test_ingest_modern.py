"""AVIF, HEIC, JPEG XL and OpenEXR: colour, depth, alpha and metadata as each format holds them."""

import io
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from camerapipe import render
from camerapipe.capture import CaptureMeta, Sourced
from camerapipe.errors import RequestError
from camerapipe.ingest import capture_from_array, encode_picture, left_out, open_capture
from camerapipe.ingest.colorimetry import ADOBE_RGB, DISPLAY_P3, Primaries, same
from camerapipe.ingest.exif import FIRST, ExifBlock, Value
from camerapipe.ingest.formats import PICTURE_FORMATS, check_library
from camerapipe.ingest.icc import primaries_of, srgb_profile
from camerapipe.ingest.profiles import Gamma, grey_profile, rgb_profile
from camerapipe.job import Job, run_job
from camerapipe.naming import Outputs
from camerapipe.settings import resolve
from datasets.coded_files import PATCHES, coded, gamma_curve, patches_of, scene, srgb_curve
from stages.findings import Severity
from stages.tone import encode

LIBRARIES = {"avif": "PIL._avif", "heic": "pillow_heif", "jxl": "imagecodecs", "exr": "OpenEXR"}
PROFILES = {
    "srgb": (srgb_curve, None),
    "p3": (srgb_curve, rgb_profile("P3", DISPLAY_P3, Gamma())),
    "adobe": (gamma_curve(563 / 256), rgb_profile("Adobe", ADOBE_RGB, Gamma(563 / 256))),
}
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4"/></rdf:RDF></x:xmpmeta>'
)


@pytest.fixture(params=["avif", "heic", "jxl"])
def name(request):
    pytest.importorskip(LIBRARIES[request.param])
    return request.param


def capture_of(tmp_path, space="srgb"):
    curve, profile = PROFILES[space]
    path = tmp_path / f"{space}.png"
    Image.fromarray(coded(space, curve)).save(path, icc_profile=profile)
    return open_capture(path)


def encoded(capture, name, **how):
    return encode_picture(encode(capture.linear, capture.curve), capture, format=name, **how)


def decoded(tmp_path, data, name):
    """Codes and metadata of a file."""
    if name == "jxl":
        return pytest.importorskip("imagecodecs").jpegxl_decode(data)
    (tmp_path / f"back.{name}").write_bytes(data)
    return open_capture(tmp_path / f"back.{name}")


@pytest.mark.parametrize("space", PROFILES)
def test_colours_are_kept(tmp_path, name, space):
    back = decoded(tmp_path, encoded(capture_of(tmp_path, space), name), name)
    wanted = PATCHES if name == "jxl" else patches_of(coded(space, PROFILES[space][0]))
    codes = back if name == "jxl" else encode(back.linear, back.curve) * 255
    assert np.abs(patches_of(codes) - wanted).max() <= 2
    if name != "jxl" and space != "srgb":
        assert same(primaries_of(back.profile), primaries_of(PROFILES[space][1]))


def test_grey_pictures_and_their_profile(tmp_path, name):
    codes = coded("srgb", gamma_curve(1.8))[..., 1]
    path = tmp_path / "grey.png"
    Image.fromarray(codes).save(path, icc_profile=grey_profile("grey", Gamma(1.8)))
    capture = open_capture(path)
    back = decoded(tmp_path, encoded(capture, name), name)
    found = back if name == "jxl" else srgb_curve(back.linear[..., 1]) * 255
    assert found.ndim == 2
    assert np.abs(patches_of(found[..., None])[:, 0] - PATCHES[:, 1]).max() <= 2


@pytest.mark.parametrize("grey", [False, True])
def test_alpha_is_kept(tmp_path, name, grey):
    alpha = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (16, 1))
    planes = coded("srgb", srgb_curve)
    image = Image.fromarray(np.dstack([planes[..., 1] if grey else planes, alpha]))
    image.save(tmp_path / "in.png")
    back = decoded(tmp_path, encoded(open_capture(tmp_path / "in.png"), name), name)
    got = back[..., -1] / 255 if name == "jxl" else back.alpha
    np.testing.assert_allclose(got, alpha / 255, atol=4 / 255)


@pytest.mark.parametrize("name, bits", [("heic", 10), ("jxl", 16)])
def test_deep_pictures_stay_deep(tmp_path, name, bits):
    pytest.importorskip(LIBRARIES[name])
    ramp = np.linspace(0.2, 0.3, 512, dtype=np.float32)
    codes = np.tile((ramp * 65535).astype(np.uint16)[None, :, None], (32, 1, 3))
    capture = capture_from_array(codes, "srgb")
    back = decoded(tmp_path, encoded(capture, name), name)
    values = back[16, :, 1] / 65535 if name == "jxl" else encode(back.linear)[16, :, 1]
    assert np.abs(values - ramp).max() < 1.5 / 2**bits + 1e-3
    assert len(np.unique(values)) > 60  # 8 bits have 26 codes there
    assert len(encoded(capture, name, bits=8)) > 0


def exif_block():
    block = ExifBlock.empty()
    block.change(FIRST, {0x013B: Value(2, 10, b"A. Person\0"), 0x0112: block.integer(6)})
    return bytes(block)


def test_metadata_are_kept_and_the_picture_is_upright(tmp_path, name):
    capture = replace(capture_of(tmp_path), exif=exif_block(), xmp=XMP, dpi=(300.0, 300.0))
    data = encoded(capture, name)
    if name == "jxl":
        assert b"A. Person" in data and b'xmp:Rating="4"' in data
        if shutil.which("exiftool"):
            (tmp_path / "out.jxl").write_bytes(data)
            call = ["exiftool", "-s3", "-Artist", "-Rating", "-Orientation#", "-XResolution",
                    str(tmp_path / "out.jxl")]  # fmt: skip
            said = subprocess.run(call, capture_output=True, text=True, check=True).stdout
            assert said.split("\n")[:4] == ["A. Person", "4", "1", "300"]
        return
    back = decoded(tmp_path, data, name)
    block = ExifBlock(back.exif)
    assert block.text(FIRST, 0x013B) == "A. Person"
    assert block.number(FIRST, 0x0112) in (1, None)  # None: Pillow has the turn in the container
    assert block.entries(FIRST)[282].value.data == bytes((44, 1, 0, 0, 1, 0, 0, 0))
    assert b'xmp:Rating="4"' in back.xmp and back.linear.shape == capture.linear.shape
    assert encoded(capture, name, metadata="none") != data
    assert back.findings == ()


def test_quality_decides_the_size(tmp_path, name):
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    capture = capture_from_array(noise, "srgb")
    sizes = [len(encoded(capture, name, quality=quality)) for quality in (20, 60, 95)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[2] / 2


META = CaptureMeta(make=Sourced("Maker", "EXIF"), f_number=Sourced(2.0, "EXIF"))


@pytest.mark.parametrize("bits", [None, 32])
def test_exr_holds_linear_light_and_what_is_known_of_the_camera(tmp_path, bits):
    exr = pytest.importorskip("OpenEXR")
    capture = replace(capture_of(tmp_path, "p3"), meta=META)
    light = 5 * capture.linear
    data = encode_picture(encode(capture.linear), capture, format="exr", bits=bits, light=light)
    with exr.File(io.BytesIO(data)) as file:
        header, pixels = dict(file.header()), file.channels()["RGB"].pixels
    assert pixels.dtype == (np.float32 if bits else np.float16)
    np.testing.assert_allclose(pixels, light, rtol=1e-6 if bits else 1e-3, atol=1e-6)
    assert header["cameraMake"] == "Maker" and header["aperture"] == 2
    said = np.reshape(header["chromaticities"], (4, 2))
    wanted = Primaries(DISPLAY_P3.red, DISPLAY_P3.green, DISPLAY_P3.blue, DISPLAY_P3.white)
    np.testing.assert_allclose(said, wanted, atol=1e-3)
    bare = encode_picture(encode(capture.linear), capture, format="exr", metadata="none")
    with exr.File(io.BytesIO(bare)) as file:
        assert "cameraMake" not in file.header()
        np.testing.assert_allclose(file.channels()["RGB"].pixels, capture.linear, atol=1e-3)


def test_exr_alpha_and_grey(tmp_path):
    exr = pytest.importorskip("OpenEXR")
    alpha = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (16, 1))
    capture = replace(capture_of(tmp_path), alpha=alpha, grey=True)
    with exr.File(io.BytesIO(encoded(capture, "exr")), separate_channels=True) as file:
        planes = {name: channel.pixels for name, channel in file.channels().items()}
    assert set(planes) == {"Y", "A"}
    np.testing.assert_allclose(planes["Y"], alpha * capture.linear[..., 1], atol=1e-3)


def test_the_headroom_of_a_capture_reaches_the_exr(tmp_path):
    exr = pytest.importorskip("OpenEXR")
    light = np.full((60, 80, 3), 0.2, np.float32)
    light[20:40:2, 20:60:2] = 3
    capture = capture_from_array(light, "linear", "lamps")
    outputs = Outputs(picture=tmp_path / "out.exr")
    shot = render(capture, from_map=np.zeros(light.shape[:2], np.float32), force=True,
                  keep=("bokeh",))  # fmt: skip
    shot.save(outputs.picture)
    with exr.File(str(outputs.picture)) as file:
        np.testing.assert_allclose(file.channels()["RGB"].pixels, light, rtol=1e-3)
    outputs.picture.unlink()
    from camerapipe.assembly import Request

    done = run_job(Job(source=capture, request=Request(settings=resolve()), outputs=outputs))
    assert done.error is None
    with exr.File(str(outputs.picture)) as file:
        assert file.channels()["RGB"].pixels.max() > 1.5


def test_what_a_format_cannot_hold_is_told(tmp_path):
    p3 = replace(capture_of(tmp_path, "p3"), iptc=b"8BIM", xmp=XMP, exif=exif_block())
    codes = {name: [each.code for each in left_out(name, p3)] for name in PICTURE_FORMATS}
    assert codes == {
        "jpeg": [],
        "png": [],
        "tiff": [],
        "avif": ["metadata_left_out"],
        "heic": ["metadata_left_out"],
        "jxl": ["converted_to_srgb", "metadata_left_out"],
        "exr": ["metadata_left_out"],
    }
    assert "IPTC and image resources, XMP, EXIF" in left_out("exr", p3)[0].message
    assert left_out("exr", p3, "none") == ()
    assert left_out("avif", p3)[0].severity is Severity.WARNING  # a note, also without -v
    assert left_out("exr", replace(p3, iptc=None))[0].severity is Severity.INFO
    assert left_out("jxl", replace(p3, profile=srgb_profile(), iptc=None)) == ()


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_missing_library_is_told(monkeypatch, name):
    monkeypatch.setattr("importlib.util.find_spec", lambda library: None)
    with pytest.raises(
        RequestError, match=f"{name.upper()}, a library is missing: python -m pip install"
    ):
        check_library(name)
    check_library("png")


def test_the_scene_of_these_tests_is_within_srgb():
    assert scene().min() > 0 and scene().max() < 1
