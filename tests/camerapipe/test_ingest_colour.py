"""Embedded colour profiles: tone curves are honoured, tables are converted, damage is survived."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from camerapipe.ingest import icc, open_capture, write_picture
from stages.tone import SRGB, encode, linearise

X = np.linspace(0, 1, 256)


def curv(*entries):
    return b"curv\0\0\0\0" + struct.pack(f">I{len(entries)}H", len(entries), *entries)


def para(kind, *values):
    fixed = [round(v * 65536) for v in values]
    return b"para\0\0\0\0" + struct.pack(f">HH{len(fixed)}i", kind, 0, *fixed)


def profile(space=b"RGB ", **tags):
    """A profile with the tags given (`rTRC=...`) and the primaries of sRGB."""
    xyz = {"rXYZ": (0.4361, 0.2225, 0.0139), "gXYZ": (0.3851, 0.7169, 0.0971),
           "bXYZ": (0.1431, 0.0606, 0.7141), "wtpt": (0.9642, 1.0, 0.8249)}  # fmt: skip
    blocks = {
        name: b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in value))
        for name, value in xyz.items()
    } | tags
    head = bytearray(128)
    head[8:12] = b"\x02\x40\0\0"
    head[12:24] = b"mntr" + space + b"XYZ "
    head[36:40] = b"acsp"
    head[68:80] = struct.pack(">3i", 63190, 65536, 54061)
    at = 128 + 4 + 12 * len(blocks)
    table, body = struct.pack(">I", len(blocks)), b""
    for name, block in blocks.items():
        block += b"\0" * (-len(block) % 4)
        table += struct.pack(">4sII", name.encode(), at + len(body), len(block))
        body += block
    head[0:4] = struct.pack(">I", at + len(body))
    return bytes(head) + table + body


def rgb_profile(curve):
    return profile(rTRC=curve, gTRC=curve, bTRC=curve)


def opened(tmp_path, image, data, kind="PNG"):
    path = tmp_path / "picture"
    image.save(path, kind, icc_profile=data)
    return open_capture(path)


GREY_RAMP = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
RAMP = GREY_RAMP.convert("RGB")
CURVES = {
    "identity": (curv(), X),
    "gamma 2.2": (curv(563), X ** (563 / 256)),
    "table": (curv(*(np.linspace(0, 1, 1024) ** 2 * 65535).round().astype(int)), X**2),
    "para 0": (para(0, 1.8), X**1.8),
    "para 1": (para(1, 2, 1.25, -0.25), np.maximum(1.25 * X - 0.25, 0) ** 2),
    "para 2": (para(2, 2, 1.1, -0.2, 0.1), np.maximum(1.1 * X - 0.2, 0) ** 2 + 0.1),
    "para 3": (
        para(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
        linearise(X.astype(np.float32)),
    ),
    "para 4": (
        para(4, 2, 0.9, 0.05, 0.1, 0.1, 0.0221, 0.03),
        np.where(X >= 0.1, (0.9 * X + 0.05) ** 2 + 0.0221, 0.1 * X + 0.03),
    ),
}


@pytest.mark.parametrize(("curve", "expected"), CURVES.values(), ids=CURVES)
def test_tone_curves_of_the_standard(tmp_path, curve, expected):
    data = rgb_profile(curve)
    capture = opened(tmp_path, RAMP, data)
    np.testing.assert_allclose(capture.linear[0, :, 1], expected, atol=1e-4)
    assert capture.profile == data and capture.findings == ()


def test_littlecms_reads_the_same_curve(tmp_path):
    data = rgb_profile(curv(563))
    source = ImageCms.ImageCmsProfile(io.BytesIO(data))
    theirs = ImageCms.profileToProfile(RAMP, source, ImageCms.createProfile("sRGB"))
    ours = encode(opened(tmp_path, RAMP, data).linear) * 255
    assert np.abs(ours - np.asarray(theirs)).max() < 1.5


def test_grey_curve(tmp_path):
    data = profile(space=b"GRAY", kTRC=curv(563))
    capture = opened(tmp_path, GREY_RAMP, data)
    assert capture.grey and capture.profile == data
    np.testing.assert_allclose(capture.linear[0, :, 0], X ** (563 / 256), atol=1e-4)


@pytest.mark.parametrize("curve", [curv(563), para(0, 1.8)])
def test_a_picture_with_a_profile_keeps_its_codes_and_profile(tmp_path, curve):
    capture = opened(tmp_path, RAMP, rgb_profile(curve))
    write_picture(tmp_path / "out.png", encode(capture.linear, capture.curve), capture)
    with Image.open(tmp_path / "out.png") as back:
        np.testing.assert_array_equal(np.asarray(back), np.asarray(RAMP))
        assert back.info["icc_profile"] == capture.profile


@pytest.mark.parametrize("bits", [8, 16])
def test_different_curves_are_converted_to_srgb(tmp_path, bits):
    data = profile(rTRC=curv(563), gTRC=curv(256), bTRC=curv(563))
    codes = np.full((2, 2, 3), 128 if bits == 8 else 128 * 257)
    assert icc.curve_of(data, grey=False) is None
    colour, written, finding = icc.to_srgb(codes.astype(f"uint{bits}"), data)
    assert finding.code == "profile_converted" and written == icc.srgb_profile()
    green = encode(np.float32([[128 / 255]]))[0, 0] * 255  # its curve is linear
    assert abs(int(colour[0, 0, 1]) - green) < 3
    capture = opened(tmp_path, RAMP, data)
    assert [f.code for f in capture.findings] == ["profile_converted"]


def test_a_cmyk_picture_without_a_usable_profile_is_approximate(tmp_path):
    image = Image.new("CMYK", (4, 4), (0, 255, 255, 0))
    capture = opened(tmp_path, image, b"no profile", "TIFF")
    assert [f.code for f in capture.findings] == ["cmyk_approximate"]
    assert capture.linear[0, 0, 0] > 0.5 > capture.linear[0, 0, 2]


BROKEN = {
    "text": b"this is not a profile at all" * 10,
    "cut off": rgb_profile(curv(563))[:200],
    "wrong space": profile(space=b"CMYK", rTRC=curv(), gTRC=curv(), bTRC=curv()),
    "falling": rgb_profile(curv(65535, 0)),
    "many tags": rgb_profile(curv())[:128] + b"\xff\xff\xff\xff" + bytes(100),
    "unknown para": rgb_profile(para(9, 1, 1, 1)),
    "unknown curve": rgb_profile(b"xxxx\0\0\0\0" + bytes(8)),
    "lying count": rgb_profile(b"curv\0\0\0\0" + struct.pack(">I", 1 << 31)),
    "no curves": profile(),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_broken_profile_is_ignored(tmp_path, data):
    capture = opened(tmp_path, RAMP, data)
    assert [f.code for f in capture.findings] == ["profile_ignored"]
    assert capture.profile is None and capture.curve is SRGB
    np.testing.assert_array_equal(capture.linear, linearise(np.asarray(RAMP)))


def test_an_absurdly_large_profile_is_ignored():
    data = rgb_profile(curv()) + bytes(icc.MAX_BYTES)
    with pytest.raises(icc.BrokenProfileError, match="bytes are too many"):
        icc.curve_of(data, grey=False)
