"""How is this coded? One table over all that files say of their colour."""

import io
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from camerapipe.errors import CaptureError
from camerapipe.ingest import encode_picture, open_capture
from camerapipe.ingest.coding import Cicp, ColourTags, coding_of
from camerapipe.ingest.colorimetry import (
    ADOBE_RGB,
    BT709,
    BT2020,
    DISPLAY_P3,
    Primaries,
    to_srgb_primaries,
)
from camerapipe.ingest.exif import ExifBlock
from camerapipe.ingest.hdr import HLG, PQ, sdr_light, tone_mapped
from camerapipe.ingest.icc import curve_of, srgb_profile
from camerapipe.ingest.profiles import Gamma, grey_profile, rgb_profile
from camerapipe.ingest.tiff import tiff_bytes
from datasets.case_files import hdr_files, sdr_pngs
from datasets.coded_files import (
    PATCHES,
    coded,
    gamma_curve,
    hlg_curve,
    patches_of,
    png_file,
    pq_curve,
    scene,
    srgb_curve,
)
from stages.gain_map import hdr_light
from stages.tone import LINEAR, SRGB, encode, linearise

P3_PROFILE = rgb_profile("P3", DISPLAY_P3, Gamma())
ADOBE_PROFILE = rgb_profile("Adobe", ADOBE_RGB, Gamma(563 / 256))
ADOBE = ColourTags(space=65535, interop="R03")
NARROW = Primaries((0.3127, 0.329), (0.3, 0.3), (0.3, 0.3), (0.3, 0.3))  # on one line

# What a file says -> light of the code 0.5, kind of profile written, finding.
SRGB_HALF, ADOBE_HALF = 0.21404, 0.5 ** (563 / 256)
TABLE = {
    "nothing": (ColourTags(), SRGB_HALF, None, None),
    "ICC": (ColourTags(icc=P3_PROFILE), SRGB_HALF, P3_PROFILE, None),
    "broken ICC": (ColourTags(icc=b"no profile"), SRGB_HALF, None, "profile_ignored"),
    "broken ICC, EXIF": (replace(ADOBE, icc=b"x"), ADOBE_HALF, "made", "profile_ignored"),
    "ICC before nclx": (
        ColourTags(icc=P3_PROFILE, cicp=Cicp(9, 13)), SRGB_HALF, P3_PROFILE, None,
    ),
    "ICC before EXIF": (replace(ADOBE, icc=P3_PROFILE), SRGB_HALF, P3_PROFILE, None),
    "cICP before iCCP": (
        ColourTags(icc=P3_PROFILE, cicp=Cicp(1, 13), cicp_first=True), SRGB_HALF, None, None,
    ),
    "cICP before gAMA": (
        ColourTags(cicp=Cicp(12, 13), cicp_first=True, gamma=1.8), SRGB_HALF, "made", None,
    ),
    "iCCP before sRGB": (ColourTags(icc=ADOBE_PROFILE, srgb=True), ADOBE_HALF, ADOBE_PROFILE, None),
    "sRGB before gAMA": (ColourTags(srgb=True, gamma=1.8), SRGB_HALF, None, None),
    "gAMA 1.8": (ColourTags(gamma=1.8), 0.5**1.8, "made", None),
    "gAMA of sRGB": (ColourTags(gamma=1 / 0.45455, primaries=BT709), SRGB_HALF, None, None),
    "gAMA of linear light": (ColourTags(gamma=1.0), 0.5, None, None),
    "gAMA 0": (ColourTags(gamma=0.0), SRGB_HALF, None, "coding_ignored"),
    "cHRM alone": (ColourTags(primaries=ADOBE_RGB), SRGB_HALF, "made", None),
    "cHRM on one line": (ColourTags(primaries=NARROW), SRGB_HALF, None, "coding_ignored"),
    "gAMA before EXIF": (replace(ADOBE, gamma=1.8), 0.5**1.8, "made", None),
    "R03": (ADOBE, ADOBE_HALF, "made", None),
    "R03 without ColorSpace": (ColourTags(interop="R03"), ADOBE_HALF, "made", None),
    "R03 beside sRGB": (ColourTags(space=1, interop="R03"), SRGB_HALF, None, None),
    "R98": (ColourTags(space=1, interop="R98"), SRGB_HALF, None, None),
    "ColorSpace 2": (ColourTags(space=2), ADOBE_HALF, "made", None),
    "uncalibrated": (ColourTags(space=65535), SRGB_HALF, None, None),
    "nclx of BT.709": (ColourTags(cicp=Cicp(1, 1)), SRGB_HALF, None, None),
    "nclx of P3": (ColourTags(cicp=Cicp(12, 13)), SRGB_HALF, "made", None),
    "nclx of gamma 2.8": (ColourTags(cicp=Cicp(1, 5)), 0.5**2.8, "made", None),
    "nclx unspecified": (ColourTags(cicp=Cicp(2, 2)), SRGB_HALF, None, None),
    "nclx unknown": (ColourTags(cicp=Cicp(99, 13)), SRGB_HALF, None, "coding_ignored"),
    "floats": (ColourTags(floats=True), 0.5, None, None),
    "floats with a curve": (
        ColourTags(floats=True, icc=ADOBE_PROFILE), ADOBE_HALF, ADOBE_PROFILE, None,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("tags", "light", "profile", "finding"), TABLE.values(), ids=TABLE)
def test_the_table(tags, light, profile, finding):
    coding = coding_of(tags, grey=False)
    half = linearise(np.float32([[0.5]]), coding.curve)[0, 0]
    assert half == pytest.approx(light, abs=2e-4)
    if profile == "made":
        assert curve_of(coding.profile, grey=False) is not None
    else:
        assert coding.profile == profile
    assert [f.code for f in coding.findings] == ([finding] if finding else [])
    assert coding.hdr is None and not coding.convert


HDR_TABLE = {
    "cICP PQ": ColourTags(cicp=Cicp(9, 16), cicp_first=True, icc=P3_PROFILE),
    "nclx HLG": ColourTags(cicp=Cicp(9, 18)),
    "nclx PQ beside ICC": ColourTags(cicp=Cicp(12, 16), icc=P3_PROFILE),
}


@pytest.mark.parametrize("tags", HDR_TABLE.values(), ids=HDR_TABLE)
def test_hdr_is_said_and_written_as_srgb(tags):
    coding = coding_of(tags, grey=False)
    assert coding.hdr == tags.cicp.transfer and coding.written is SRGB and coding.profile is None
    assert [f.code for f in coding.findings] == ["hdr_tone_mapped"]


def test_a_profile_with_code_points_is_hdr_as_well():
    """The tag 'cicp' of a profile (ICC.1:2022)."""
    at = P3_PROFILE.index(b"chad")
    renamed = bytearray(P3_PROFILE)
    renamed[at : at + 4] = b"cicp"
    offset = int.from_bytes(renamed[at + 4 : at + 8], "big")
    renamed[offset : offset + 12] = b"cicp\0\0\0\0" + bytes([9, 16, 0, 1])
    assert coding_of(ColourTags(icc=bytes(renamed)), grey=False).hdr == PQ


def test_grey_pictures_have_grey_profiles():
    for tags in (ColourTags(gamma=1.8), ADOBE):
        coding = coding_of(tags, grey=True)
        assert coding.profile[16:20] == b"GRAY"
        assert curve_of(coding.profile, grey=True).decode[32768] == pytest.approx(
            coding.curve.decode[32768], abs=1e-3
        )
    assert coding_of(ColourTags(primaries=ADOBE_RGB), grey=True).profile is None


@pytest.mark.parametrize("primaries", [BT709, ADOBE_RGB, DISPLAY_P3, BT2020])
def test_littlecms_reads_our_profiles_as_we_mean_them(primaries):
    profile = rgb_profile("ours", primaries, Gamma(2.2))
    codes = np.random.default_rng(3).integers(40, 200, (8, 8, 3)).astype(np.uint8)
    theirs = ImageCms.profileToProfile(
        Image.fromarray(codes),
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
    )
    light = (codes / 255) ** 2.2 @ to_srgb_primaries(primaries).T
    inside = ((light > 0.001) & (light < 0.999)).all(axis=2)
    ours = 255 * srgb_curve(np.clip(light, 0, 1))
    assert inside.sum() > 10
    assert np.abs(ours - np.asarray(theirs))[inside].max() < 2
    grey = ImageCms.ImageCmsProfile(io.BytesIO(grey_profile("grey", Gamma(1.8))))
    assert ImageCms.getProfileDescription(grey).strip() == "grey"


def shown(capture):
    """Mean sRGB codes of the patches, as a colour-managed viewer shows the written picture."""
    picture = encode(capture.linear, capture.curve)
    data = encode_picture(picture, capture, format="png", bits=8)
    with Image.open(io.BytesIO(data)) as image:
        if image.info.get("icc_profile") is None:
            return patches_of(np.asarray(image.convert("RGB")))
        source = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        return patches_of(
            np.asarray(ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB")))
        )


SDR_FILES = sdr_pngs()


@pytest.mark.parametrize("data", SDR_FILES.values(), ids=SDR_FILES)
def test_patches_of_pngs_are_right(tmp_path, data):
    (tmp_path / "a.png").write_bytes(data)
    capture = open_capture(tmp_path / "a.png")
    assert np.abs(shown(capture) - PATCHES).max() <= 2
    assert capture.findings == ()


def test_narrow_range_is_expanded(tmp_path):
    codes = np.rint(16 + coded("srgb", srgb_curve) * (219 / 255)).astype(np.uint8)
    (tmp_path / "a.png").write_bytes(png_file(codes, [(b"cICP", bytes([1, 13, 0, 0]))]))
    assert np.abs(shown(open_capture(tmp_path / "a.png")) - PATCHES).max() <= 2


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "WEBP"])
def test_adobe_rgb_by_the_interoperability_index(tmp_path, kind):
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0xA001: 65535, 0xA005: {1: "R03", 2: b"0100"}})
    options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {"lossless": True}
    path = tmp_path / "a"
    codes = coded("adobe", gamma_curve(563 / 256))
    if kind == "TIFF":  # Pillow leaves the directory out
        path.write_bytes(tiff_bytes(codes, ExifBlock(exif.tobytes()), software="test"))
    else:
        Image.fromarray(codes).save(path, kind, exif=exif, **options)
    capture = open_capture(path)
    assert np.abs(shown(capture) - PATCHES).max() <= 2
    data = encode_picture(encode(capture.linear, capture.curve), capture, format="jpeg")
    with Image.open(io.BytesIO(data)) as image:
        details = image.getexif().get_ifd(0x8769)
        assert details[0xA001] == 65535
        assert image.getexif().get_ifd(0xA005)[1] == "R03"


@pytest.mark.parametrize("profile", [srgb_profile(), None])
def test_float_tiffs_follow_their_profile(tmp_path, profile):
    values = scene() if profile is None else srgb_curve(scene())
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values.astype(np.float32), photometric="rgb", iccprofile=profile)
    capture = open_capture(path)
    assert np.abs(shown(capture) - PATCHES).max() <= 1
    assert capture.linear.max() <= 1


def test_a_float_curve_goes_on_beyond_white(tmp_path):
    values = np.linspace(0.9, 1.5, 48, dtype=np.float32).reshape(4, 4, 3)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", iccprofile=ADOBE_PROFILE)
    linear = open_capture(tmp_path / "a.tif").linear
    np.testing.assert_allclose(linear, values ** (563 / 256), rtol=2e-3)


@pytest.mark.parametrize("scale", [255.0, 1023.0, 65535.0])
def test_floats_that_are_codes_are_refused(tmp_path, scale):
    tifffile.imwrite(tmp_path / "a.tif", (srgb_curve(scene()) * scale).astype(np.float32),
                     photometric="rgb")  # fmt: skip
    with pytest.raises(CaptureError, match="1 is display white; divide them"):
        open_capture(tmp_path / "a.tif")


@pytest.mark.parametrize("profile", [None, ADOBE_PROFILE])
def test_light_beyond_all_scenes_is_refused(tmp_path, profile):
    values = np.full((8, 8, 3), 0.5, np.float32)
    values[2, 2] = 1e30  # its square is infinite
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", iccprofile=profile)
    with pytest.raises(CaptureError, match="its light reaches .*1 is display white"):
        open_capture(tmp_path / "a.tif")


def hdr_patches(capture):
    return patches_of(255 * srgb_curve(capture.linear))


@pytest.mark.parametrize("name", ["PQ", "HLG"])
def test_hdr_pngs_show_their_patches(tmp_path, name):
    """Patches below half of reference white are kept; red (0.6 of it) keeps its hue."""
    (tmp_path / "a.png").write_bytes(hdr_files()[f"{name}.png"])
    capture = open_capture(tmp_path / "a.png")
    found = hdr_patches(capture)
    assert [f.code for f in capture.findings] == ["hdr_tone_mapped"]
    assert np.abs(found[2:] - PATCHES[2:]).max() <= 2
    assert np.abs(found - PATCHES).max() <= 14  # the shoulder begins at half of white
    np.testing.assert_allclose(hdr_light(capture.linear, capture.gain_map), scene(), rtol=5e-3)
    light = capture.linear[8, 8]
    assert light[1] / light[0] == pytest.approx(scene()[8, 8, 1] / scene()[8, 8, 0], abs=0.01)


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_avif(tmp_path, transfer):
    """Pillow writes sRGB tags; other code points are patched in over unchanged codes."""
    curve = pq_curve if transfer == 16 else hlg_curve
    image = Image.fromarray(coded("bt2020", curve))
    try:
        image.save(tmp_path / "a.avif", quality=100, subsampling="4:4:4")
    except (KeyError, OSError):
        pytest.skip("this Pillow has no AVIF encoder")
    data = (tmp_path / "a.avif").read_bytes()
    at = data.index(b"colrnclx") + 8
    patched = data[:at] + bytes([0, 9, 0, transfer]) + data[at + 4 :]
    (tmp_path / "a.avif").write_bytes(patched)
    capture = open_capture(tmp_path / "a.avif")
    assert [f.code for f in capture.findings] == ["hdr_tone_mapped"]
    assert np.abs(hdr_patches(capture)[2:] - PATCHES[2:]).max() <= 6  # 8 bits of a steep curve


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_the_gain_of_the_tone_map_leads_back_to_hdr_light(transfer):
    """Up to the largest light, from which on SDR is white."""
    codes = np.random.default_rng(4).random((40, 30, 3)).astype(np.float32)
    sdr, gain_map = tone_mapped(codes, transfer, BT709)
    found = hdr_light(sdr, gain_map)
    peak = 2**gain_map.headroom_stops
    again = sdr_light(np.float32(pq_curve(found) if transfer == PQ else codes), transfer, BT709)
    inside = found.max(axis=2) < 0.98 * peak
    np.testing.assert_allclose(again[inside], sdr[inside], rtol=2e-3, atol=1e-4)
    assert found.max() <= peak * 1.001 and found[inside].max() > 2
    assert np.ptp(sdr_light(codes, transfer, BT709) - sdr) == 0


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_the_tone_map_rises_to_white_and_keeps_grey_grey(transfer):
    codes = np.repeat(np.linspace(0, 1, 512, dtype=np.float32)[None, :, None], 3, axis=2)
    light = sdr_light(codes, transfer, BT2020)[0]
    assert np.ptp(light, axis=1).max() < 1e-3
    assert (np.diff(light[:, 0]) >= -1e-6).all() and 0.98 <= light.max() <= 1
    grey = sdr_light(codes[..., 0], transfer, BT2020)[0]
    np.testing.assert_allclose(grey, light[:, 0], atol=2e-3)


def test_linear_curves_are_the_constant():
    assert coding_of(ColourTags(gamma=1.0), grey=False).curve is LINEAR


def test_our_srgb_profile_is_the_same_bytes_at_any_time():
    profile = srgb_profile.__wrapped__()
    assert profile[24:36] == bytes.fromhex("07ea00010001000000000000") and profile[36:40] == b"acsp"
    assert ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
