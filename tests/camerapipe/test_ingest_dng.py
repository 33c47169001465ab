"""DNG files of phones: what was written comes back, and agrees with LibRaw where that reads it."""

import io
import sys

import numpy as np
import pytest
import rawpy
import tifffile

from camerapipe.errors import CaptureError
from camerapipe.ingest import open_capture
from camerapipe.ingest.dng import develop_dng, read_negative, tags
from camerapipe.ingest.dng.colour import balanced_to_srgb
from camerapipe.ingest.dng.decode import linear_codes
from camerapipe.ingest.dng.demosaic import demosaiced_camera
from camerapipe.ingest.dng.develop import linear_samples
from camerapipe.ingest.dng.writing import LONG, RATIONAL, SHORT, SRATIONAL, Compression, rationals
from camerapipe.ingest.pixels import upright
from datasets.dng_opcodes import (
    bad_pixels_constant,
    bad_pixels_list,
    bayer_gain_maps,
    fix_vignette,
    gain_map,
    map_polynomial,
    opcode,
    opcode_list,
)
from datasets.synthetic_raw import (
    BLACK_LEVEL,
    NEUTRAL,
    WHITE_LEVEL,
    sample_linear,
    sample_mosaic,
    write_dng,
)

PATCH = 16  # px
INNER = slice(5, 11)
SHAPE = (64, 96)
STEP = 1 / 4095
FULL = {"black_level": 0, "white_level": 65535}
BOTH = (0, 0, *SHAPE, 0, 3, 1, 1)  # region of all pixels and planes
UNIT = opcode_list(2, [gain_map(BOTH, np.ones((3, 4, 1)))])  # a correction that changes nothing


def needs_jpeg_xl():
    pytest.importorskip("imagecodecs", reason="JPEG XL needs the extra dng (imagecodecs)")


@pytest.fixture(scope="module")
def patches():
    colours = np.random.default_rng(5).uniform(0.02, 0.5, (4, 6, 3))
    colours[0, 0], colours[0, 1] = 1, 0.18
    return colours


@pytest.fixture(scope="module")
def picture(patches):
    return np.kron(patches, np.ones((PATCH, PATCH, 1)))


@pytest.fixture(scope="module")
def shading():
    """Gains of the four places of a Bayer pattern, from the centre to the corners."""
    y, x = np.mgrid[-1:1:5j, -1:1:7j]
    return [1 + (0.3 + 0.1 * place) * (x**2 + y**2) for place in range(4)]


def measured(linear):
    rows, cols = linear.shape[0] // PATCH, linear.shape[1] // PATCH
    cells = linear.reshape(rows, PATCH, cols, PATCH, 3)
    return cells[:, INNER, :, INNER].mean((1, 3))


def written(samples, **options):
    file = io.BytesIO()
    write_dng(file, samples, **options)
    return file


def developed(file):
    negative, _ = read_negative(file, 10**9)
    return develop_dng(file, negative)


def by_libraw(file):
    """LibRaw's linear light, with the settings of `open_raw`."""
    file.seek(0)
    with rawpy.imread(file) as raw:
        codes = raw.postprocess(
            output_bps=16, gamma=(1, 1), no_auto_bright=True, use_camera_wb=True,
            adjust_maximum_thr=0,
        )  # fmt: skip
    return codes / 65535


def on_the_border(gains, shape):
    """Gain at pixel centres, whose first and last points lie on the border of the picture."""
    rows, cols = (
        (np.arange(n) + 0.5) / n * (k - 1) for n, k in zip(shape, gains.shape, strict=True)
    )
    along = np.array([np.interp(cols, np.arange(gains.shape[1]), line) for line in gains])
    return np.array([np.interp(rows, np.arange(gains.shape[0]), line) for line in along.T]).T


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize("parts", [{}, {"tile": (48, 64)}, {"tile": (16, 16)}, {"strip_rows": 24}])
def test_jpeg_xl_of_16_bits_comes_back(tmp_path, picture, parts, preview):
    needs_jpeg_xl()
    options = {"compression": Compression.JPEG_XL, "preview": preview, **parts, **FULL}
    write_dng(tmp_path / "a.dng", sample_linear(picture), **options)
    capture = open_capture(tmp_path / "a.dng")
    np.testing.assert_allclose(capture.linear / capture.exposure_gain, picture, atol=STEP)
    assert (capture.kind, capture.bit_depth, capture.findings) == ("raw", 16, ())
    assert capture.meta.focal_length_mm.value == 50


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("pattern", ["RGGB", "GBRG"])
def test_mosaics_of_jpeg_xl(picture, patches, interleaved, pattern):
    needs_jpeg_xl()
    mosaic = sample_mosaic(picture, pattern=pattern)
    options = {"pattern": pattern, "interleaved": interleaved}
    file = written(mosaic, compression=Compression.JPEG_XL, tile=(48, 48), **options)
    negative, _ = read_negative(file, 10**9)
    np.testing.assert_array_equal(linear_codes(file, negative)[..., 0], mosaic)
    np.testing.assert_allclose(measured(developed(file)), patches, atol=3e-4)


@pytest.mark.parametrize("shape", [(33, 41), (32, 45), (27, 30)])
def test_interleaved_fields_of_odd_sizes(shape):
    mosaic = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    file = written(mosaic, interleaved=True)
    negative, _ = read_negative(file, 10**9)
    np.testing.assert_array_equal(linear_codes(file, negative)[..., 0], mosaic)


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_jpeg_xl_of_few_bits_has_the_full_range(bits):
    imagecodecs = pytest.importorskip("imagecodecs", reason="needs the extra dng")
    from camerapipe.ingest.dng.jpeg_xl import decode_jpeg_xl, read_header

    top = 2**bits - 1
    codes = np.linspace(0, top, 40 * 24 * 3).reshape(40, 24, 3)
    codes = codes.astype(np.uint8 if bits == 8 else np.uint16)
    data = imagecodecs.jpegxl_encode(codes, lossless=True, bitspersample=bits)
    assert read_header(data)[:4] == (24, 40, bits, False)
    found = decode_jpeg_xl(data, 40, 24, 3)
    full = np.iinfo(found.dtype).max
    np.testing.assert_allclose(found / full, codes / top, atol=0.51 / full)


def test_mosaics_are_corrected_before_demosaicing(picture, patches, shading):
    """Codes of the mosaic are those of the sensor times the gain; flat patches are flat again."""
    ideal = np.empty(SHAPE)
    gain = np.empty(SHAPE)
    camera = sample_mosaic(picture, black_level=0, white_level=1_000_000 // 16)
    for place, each in enumerate(shading):
        row, col = divmod(place, 2)
        gain[row::2, col::2] = on_the_border(each, SHAPE)[row::2, col::2]
    ideal = camera / (1_000_000 // 16)
    span = WHITE_LEVEL - BLACK_LEVEL
    shaded = np.rint(BLACK_LEVEL + ideal / gain * span).astype(np.uint16)
    file = written(shaded, extra=[opcode_list(2, bayer_gain_maps(SHAPE, shading))])
    negative, _ = read_negative(file, 10**9)
    found = linear_samples(linear_codes(file, negative), negative)[..., 0]
    exact = np.minimum((shaded - float(BLACK_LEVEL)) / span * gain, 1)
    np.testing.assert_allclose(found, exact, atol=2e-6)
    assert (np.abs(found - ideal) <= gain / span).all()
    np.testing.assert_allclose(measured(developed(file)), patches, atol=5e-4)
    plain, _ = read_negative(written(shaded), 10**9)
    assert plain is None  # LibRaw does it
    assert np.abs(measured(by_libraw(written(shaded))) - patches).max() > 0.1


def test_lossy_jpeg_keeps_what_it_can(picture, patches):
    """Eight linear bits and a JPEG: within two codes, times the gain of white balance."""
    codes = np.rint(sample_linear(picture) / 257).astype(np.uint8)
    options = {"compression": Compression.LOSSY, "black_level": 0, "white_level": 255}
    found = developed(written(codes, **options))
    assert np.abs(measured(found) - patches).max() < 2 / 255 / min(NEUTRAL)


def test_lossy_jpeg_is_linearised_by_its_polynomial(picture, patches):
    """As Adobe's converter writes it: codes of a curve, and its inverse as a MapPolynomial."""
    camera = np.clip(picture * NEUTRAL, 0, 1)
    codes = np.rint(255 * (np.sqrt(0.01 + 3.96 * camera) - 0.1) / 1.98).astype(np.uint8)
    curve = [0, 0.396 / 3.96, 3.9204 / 3.96]
    extra = [opcode_list(2, [map_polynomial(BOTH, curve)])]
    options = {"compression": Compression.LOSSY, "black_level": 0, "white_level": 255}
    found = measured(developed(written(codes, extra=extra, **options)))
    assert np.abs(found - patches).max() < 0.02


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("preview", [False, True])
def test_patches_agree_with_libraw(picture, orientation, preview):
    """The same mosaic: plain by LibRaw, and with a correction that changes nothing by our path."""
    mosaic = sample_mosaic(picture)
    options = {"orientation": orientation, "preview": preview}
    reference = by_libraw(written(mosaic, **options))
    found = developed(written(mosaic, extra=[UNIT], **options))
    assert found.shape == reference.shape == (*upright(picture, orientation).shape[:2], 3)
    np.testing.assert_allclose(measured(found), measured(reference), rtol=0.01, atol=1e-4)
    options |= FULL
    reference = by_libraw(written(sample_linear(picture), **options))
    found = developed(written(sample_linear(picture), extra=[UNIT], **options))
    np.testing.assert_allclose(found, reference, rtol=0.01, atol=1e-4)


@pytest.mark.parametrize("tile", [None, (32, 48)])
def test_lossless_jpeg_agrees_with_libraw(picture, patches, tile):
    """LibRaw unpacks the samples, and the corrections follow."""
    pytest.importorskip("imagecodecs", reason="the encoder needs the extra dng (imagecodecs)")
    options = {"compression": Compression.LOSSLESS_JPEG, "tile": tile}
    reference = by_libraw(written(sample_mosaic(picture), **options))
    found = developed(written(sample_mosaic(picture), extra=[UNIT], **options))
    np.testing.assert_allclose(measured(found), measured(reference), rtol=0.01, atol=1e-4)
    np.testing.assert_allclose(measured(found), patches, atol=3e-4)


@pytest.mark.parametrize("compression", [Compression.NONE, Compression.JPEG_XL])
def test_levels_agree_with_libraw(picture, compression):
    """A linearisation table, and a black level that differs in a pattern of 2 x 2."""
    if compression is Compression.JPEG_XL:
        needs_jpeg_xl()
    mosaic = sample_mosaic(picture)
    black = np.array([[0, 40], [80, 20]])
    table = np.minimum(np.arange(4150) * 4, 65535)
    quarter = ((mosaic + np.tile(black, (32, 48))) // 4).astype(np.uint16)
    extra = [
        (50712, SHORT, len(table), tuple(int(each) for each in table)),
        (50713, SHORT, 2, (2, 2)),
        (50714, LONG, 4, tuple(int(BLACK_LEVEL + each) for each in black.ravel())),
        (50717, LONG, 1, WHITE_LEVEL + 80),
    ]
    reference = by_libraw(written(quarter, extra=extra))
    found = developed(written(quarter, extra=[*extra, UNIT], compression=compression))
    np.testing.assert_allclose(measured(found), measured(reference), rtol=0.01, atol=1e-4)


def test_black_levels_of_rows_and_columns(picture):
    codes = sample_linear(picture, black_level=1000, white_level=60000).astype(np.int64)
    rows, cols = np.arange(SHAPE[0]) % 7, -(np.arange(SHAPE[1]) % 5)
    codes += rows[:, None, None] + cols[:, None]
    extra = [
        (50716, SRATIONAL, SHAPE[0], rationals(rows)),
        (50715, SRATIONAL, SHAPE[1], rationals(cols)),
        UNIT,
    ]
    options = {"black_level": 1000, "white_level": 60006, "extra": extra}
    found = developed(written(codes.astype(np.uint16), **options))
    np.testing.assert_allclose(found, picture, atol=STEP)


def test_opcode_lists_apply_in_order(picture):
    """Defects of stored codes, shading of linear values, and vignetting of the picture."""
    codes = sample_mosaic(picture)
    broken = codes.copy()
    broken[20, 30], broken[33, 40:43] = 0, 16000
    extra = [
        opcode_list(1, [bad_pixels_constant(0), bad_pixels_list([(33, 41)], [(33, 40, 34, 43)])]),
        UNIT,
        opcode_list(3, [fix_vignette([-0.5, 0, 0, 0, 0])]),
    ]
    found = developed(written(broken, extra=extra))
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    square = (x - 47.5) ** 2 + (y - 31.5) ** 2
    gain = 1 - 0.5 * square / square.max()
    whole = developed(written(codes, extra=[UNIT]))
    np.testing.assert_allclose(measured(found), measured(whole * gain[..., None]), atol=0.01)


def test_crop_scale_and_baseline_exposure(picture):
    extra = [
        (50718, RATIONAL, 2, rationals([1, 2])),  # DefaultScale
        (50730, SRATIONAL, 1, rationals([-1.5])),  # BaselineExposure
        UNIT,
    ]
    codes = sample_linear(picture)
    found = developed(written(codes, crop=(16, 0, 32, 48), extra=extra, **FULL))
    assert found.shape == (96, 32, 3)
    inner = found[40:56, 4:12].mean((0, 1))  # of the third row of patches, drawn out to two
    np.testing.assert_allclose(inner, picture[24, 20] * 2**-1.5, atol=STEP)


def test_a_monochrome_camera(picture):
    grey = picture[..., :1]
    codes = np.rint(grey * 65535).astype(np.uint16)
    file = io.BytesIO()
    extra = [(50706, 1, 4, bytes((1, 4, 0, 0)), True), (*UNIT, True)]
    tifffile.imwrite(file, codes[..., 0], metadata=None, extratags=extra)
    file.seek(0)
    with tifffile.TiffFile(file, mode="r+") as tiff:
        tiff.pages[0].tags[262].overwrite(34892)
    found = developed(file)
    np.testing.assert_allclose(found, np.repeat(grey, 3, axis=2), atol=STEP)


def test_what_is_not_done_is_told(tmp_path, picture):
    fisheye = [opcode_list(3, [opcode(2, bytes(64))])]
    write_dng(tmp_path / "a.dng", sample_mosaic(picture), extra=fisheye)
    (finding,) = open_capture(tmp_path / "a.dng").findings
    assert finding.code == "dng_corrections_missing" and "WarpFisheye" in finding.message
    optional = [opcode_list(3, [opcode(2, bytes(64), optional=True)])]
    write_dng(tmp_path / "b.dng", sample_mosaic(picture), extra=optional)
    assert open_capture(tmp_path / "b.dng").findings == ()
    no_matrix = [(50721, SHORT, 1, 7), UNIT]
    write_dng(tmp_path / "c.dng", sample_mosaic(picture), extra=no_matrix)
    (finding,) = open_capture(tmp_path / "c.dng").findings
    assert "GainMap" in finding.message


@pytest.mark.parametrize("kind, name", [(65540, "masks"), (8, "a depth map")])
@pytest.mark.parametrize("extra", [(), (UNIT,)])
def test_masks_and_depth_are_ignored_with_a_note(tmp_path, picture, kind, name, extra):
    path = tmp_path / "a.dng"
    write_dng(path, sample_mosaic(picture), extra=extra)
    tifffile.imwrite(path, np.zeros((32, 48), np.uint8), append=True, subfiletype=1, metadata=None)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages[1].tags[254].overwrite(kind)
    (finding,) = open_capture(path).findings
    assert finding.code == "dng_extras_ignored" and f"holds {name} of" in finding.message


def test_without_the_extra_it_is_named(tmp_path, picture, monkeypatch):
    needs_jpeg_xl()
    path = tmp_path / "a.dng"
    write_dng(path, sample_mosaic(picture), compression=Compression.JPEG_XL)
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(CaptureError, match=r'a\.dng: .* python -m pip install "imagecodecs'):
        open_capture(path)


def test_a_real_sensor_agrees_with_libraw(shared_data, monkeypatch):
    """Camera values of a real mosaic: LibRaw alone, and our levels with LibRaw's demosaicing."""
    monkeypatch.setattr(tags, "_asks_for_more", lambda page: True)
    path = shared_data / "raw" / "canon_kissx4_magiclantern_colorchart.dng"
    with path.open("rb") as file:
        negative, _ = read_negative(file, 10**9)
        samples = linear_samples(linear_codes(file, negative), negative)[..., 0]
    found = demosaiced_camera(samples, negative.pattern, balanced_to_srgb(negative.colour))
    with rawpy.imread(str(path)) as raw:
        reference = raw.postprocess(
            output_bps=16, gamma=(1, 1), no_auto_bright=True, use_camera_wb=True,
            output_color=rawpy.ColorSpace.raw, adjust_maximum_thr=0,
        ) / 65535  # fmt: skip
    assert found.shape == reference.shape == (1156, 1734, 3)
    one, two = (each.reshape(34, 34, 51, 34, 3).mean((1, 3)) for each in (found, reference))
    np.testing.assert_allclose(one, two, rtol=0.01, atol=2e-4)
