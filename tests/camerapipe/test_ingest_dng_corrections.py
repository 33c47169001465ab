"""Opcodes of a DNG against their definitions, pixel by pixel; damaged lists are refused."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camerapipe.errors import CaptureError
from camerapipe.ingest.dng.corrections import corrected
from camerapipe.ingest.dng.levels import Area, Levels, normalised
from camerapipe.ingest.dng.opcodes import OpcodeList, parse_opcodes
from datasets.dng_opcodes import (
    bad_pixels_constant,
    bad_pixels_list,
    fix_vignette,
    gain_map,
    map_polynomial,
    map_table,
    opcode,
    opcode_list,
    per_line,
    warp_rectilinear,
)

HEIGHT, WIDTH = 37, 52
ALL = (0, 0, HEIGHT, WIDTH, 0, 3, 1, 1)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def picture(rng):
    return rng.uniform(0, 1, (HEIGHT, WIDTH, 3)).astype(np.float32)


def parsed(*opcodes):
    return parse_opcodes(opcode_list(2, opcodes)[3], "OpcodeList2")


def applied(picture, *opcodes):
    return corrected(picture.copy(), parsed(*opcodes).corrections)


def smooth(x, y):
    return 0.5 + 0.2 * np.sin(x / 6) + 0.2 * np.cos(y / 5)


@pytest.mark.parametrize(
    "region", [ALL, (1, 0, HEIGHT, WIDTH, 0, 1, 2, 2), (3, 5, 30, 999, 1, 9, 3, 1)]
)
@pytest.mark.parametrize("points", [(5, 7, 1), (4, 3, 3), (1, 6, 1), (1, 1, 2)])
def test_gain_map(picture, rng, region, points):
    gains = rng.uniform(0.5, 2, points).astype(np.float32)
    found = applied(picture, gain_map(region, gains))
    expected = picture.astype(np.float64)
    top, left, bottom, right, plane, planes, row_pitch, column_pitch = region
    for y in range(top, min(bottom, HEIGHT), row_pitch):
        for x in range(left, min(right, WIDTH), column_pitch):
            v = (y + 0.5) / HEIGHT * (points[0] - 1)
            h = (x + 0.5) / WIDTH * (points[1] - 1)
            for p in range(plane, min(plane + planes, 3)):
                each = gains[..., min(p, points[2] - 1)]
                lines = [np.interp(h, np.arange(points[1]), line) for line in each]
                gain = np.interp(v, np.arange(points[0]), lines)
                expected[y, x, p] = min(expected[y, x, p] * gain, 1)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_gain_map_beyond_its_grid_keeps_the_border(picture):
    """A map whose first and last points are inside of the picture."""
    content = struct.pack(">8I", *ALL) + struct.pack(">II4dI", 2, 2, 0.2, 0.2, 0.4, 0.4, 1)
    gains = np.array([[0.5, 1.0], [0.5, 1.0]], ">f4").tobytes()
    found = applied(picture, opcode(9, content + gains))
    np.testing.assert_allclose(found[:, :20], picture[:, :20] * 0.5, atol=1e-6)
    np.testing.assert_allclose(found[:, 32:], picture[:, 32:], atol=1e-6)


def test_a_warp_of_one_changes_nothing(picture):
    np.testing.assert_allclose(applied(picture, warp_rectilinear([1, 0, 0, 0, 0, 0])), picture)


@pytest.mark.parametrize("centre", [(0.5, 0.5), (0.4, 0.7)])
def test_warp_reads_where_the_lens_has_put_a_pixel(centre):
    """Each plane has coefficients of its own (lateral chromatic aberration)."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    picture = np.repeat(smooth(x, y)[..., None], 3, 2).astype(np.float32)
    table = np.array([[0.95, 0.04, -0.02, 0.01, 0.003, -0.002], [1, 0, 0, 0, 0, 0],
                      [0.97, 0.02, 0.0, 0.0, 0.0, 0.001]])  # fmt: skip
    found = applied(picture, warp_rectilinear(table, centre))
    cx, cy = centre[0] * (WIDTH - 1), centre[1] * (HEIGHT - 1)
    corners = [(px - cx, py - cy) for px in (0, WIDTH - 1) for py in (0, HEIGHT - 1)]
    unit = max(np.hypot(*each) for each in corners)
    dx, dy = (x - cx) / unit, (y - cy) / unit
    square = dx**2 + dy**2
    for plane, (k0, k1, k2, k3, t0, t1) in enumerate(table):
        radial = k0 + k1 * square + k2 * square**2 + k3 * square**3
        sx = cx + unit * (radial * dx + t0 * 2 * dx * dy + t1 * (square + 2 * dx**2))
        sy = cy + unit * (radial * dy + t1 * 2 * dx * dy + t0 * (square + 2 * dy**2))
        inside = (sx > 2) & (sx < WIDTH - 3) & (sy > 2) & (sy < HEIGHT - 3)
        assert inside.mean() > 0.7
        np.testing.assert_allclose(found[..., plane][inside], smooth(sx, sy)[inside], atol=2e-3)


def test_vignette(picture):
    k = [0.3, -0.2, 0.1, 0.05, -0.02]
    found = applied(picture, fix_vignette(k, (0.45, 0.5)))
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    square = (x - 0.45 * (WIDTH - 1)) ** 2 + (y - 0.5 * (HEIGHT - 1)) ** 2
    square = square / square.max()
    gain = 1 + sum(each * square ** (n + 1) for n, each in enumerate(k))
    expected = np.clip(picture * gain[..., None], 0, 1)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_curves(picture):
    region = (0, 10, HEIGHT, WIDTH, 1, 1, 1, 2)
    found = applied(picture, map_polynomial(region, [0.1, 0.5, 0.2]))
    expected = picture.copy()
    part = expected[:, 10::2, 1]
    expected[:, 10::2, 1] = 0.1 + 0.5 * part + 0.2 * part**2
    np.testing.assert_allclose(found, expected, atol=1e-6)
    table = np.rint(65535 * np.linspace(0, 1, 65536) ** 2).astype(np.uint16)
    np.testing.assert_allclose(applied(picture, map_table(ALL, table)), picture**2, atol=3e-5)
    half = applied(picture, map_table(ALL, table[:32768]))  # larger values have its last one
    np.testing.assert_allclose(half.max(), table[32767] / 65535, atol=1e-6)


@pytest.mark.parametrize("code, of_rows, scale", [(10, 1, 0), (11, 0, 0), (12, 1, 1), (13, 0, 1)])
def test_rows_and_columns(picture, rng, code, of_rows, scale):
    count = -(-HEIGHT // 2) if of_rows else -(-WIDTH // 3)
    values = rng.uniform(0.8, 1.2, count) if scale else rng.uniform(-0.1, 0.1, count)
    found = applied(picture, per_line(code, (0, 0, HEIGHT, WIDTH, 0, 3, 2, 3), values))
    expected = picture.astype(np.float64)
    along = values[:, None, None] if of_rows else values[:, None]
    part = expected[::2, ::3]
    expected[::2, ::3] = np.clip(part * along if scale else part + along, 0, 1)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_bad_pixels_have_the_mean_of_their_colour():
    """A mosaic that is a ramp in each of its four colours: inside, means are exact."""
    y, x = np.mgrid[:40, :48]
    mosaic = (1000 * (y % 2) + 400 * (x % 2) + 7 * y + 3 * x + 500) / 65535
    ideal = mosaic[..., None].astype(np.float32)
    broken = ideal.copy()
    broken[10, 13] = broken[20:22, 24:26] = broken[31, 40] = 0
    constant = np.float32(64000 / 65535)
    broken[5, 5] = constant
    opcodes = [
        bad_pixels_constant(64000),
        bad_pixels_list([(10, 13), (31, 40), (999, 1)], [(20, 24, 22, 26), (90, 90, 95, 99)]),
    ]
    np.testing.assert_allclose(applied(broken, *opcodes), ideal, atol=1e-6)


def test_a_large_defect_is_filled_from_its_border():
    picture = np.full((60, 80, 1), 0.25, np.float32)
    picture[20:32, 30:44] = 1
    found = applied(picture, bad_pixels_list([], [(20, 30, 32, 44)]))
    np.testing.assert_allclose(found, 0.25, atol=1e-6)


def test_levels_by_their_definition(rng):
    codes = rng.integers(0, 4096, (20, 30, 1)).astype(np.uint16)
    black = rng.uniform(10, 60, (2, 3, 1))
    rows, columns = rng.uniform(-5, 5, 15), rng.uniform(-5, 5, 24)
    levels = Levels(Area(2, 4, 17, 28), black, np.array([4000.0]), rows, columns)
    found = normalised(codes, levels)[..., 0]
    span = 4000 - (black.max() + rows.max() + columns.max())
    for y in range(15):
        for x in range(24):
            value = codes[2 + y, 4 + x, 0] - black[y % 2, x % 3, 0] - rows[y] - columns[x]
            assert found[y, x] == pytest.approx(min(max(value / span, 0), 1), abs=1e-6)


def test_unknown_opcodes():
    assert parsed(opcode(2, b"abc", optional=True), opcode(99, b"")).missing == ("opcode 99",)
    assert parsed() == OpcodeList()


REGION = struct.pack(">8I", *ALL)
DAMAGED = {
    "empty": b"",
    "cut off": opcode_list(2, [fix_vignette([0] * 5)])[3][:-9],
    "many opcodes": struct.pack(">I", 1_000_000) + bytes(64),
    "a size beyond the list": struct.pack(">I", 1)
    + opcode(9, b"")[:-4]
    + struct.pack(">I", 1 << 31),
    "gigapixel gains": opcode(9, REGION + struct.pack(">II4dI", 1 << 31, 1 << 31, 1, 1, 0, 0, 1)),
    "no gains": opcode(9, REGION + struct.pack(">II4dI", 0, 0, 1, 1, 0, 0, 1)),
    "planes of gains": opcode(9, REGION + struct.pack(">II4dI", 1, 1, 1, 1, 0, 0, 1 << 30)),
    "no spacing": opcode(9, REGION + struct.pack(">II4dI4f", 2, 2, 0, 0, 0, 0, 1, *[1] * 4)),
    "infinite gains": opcode(9, REGION + struct.pack(">II4dIf", 1, 1, 1, 1, 0, 0, 1, np.inf)),
    "no pitch": gain_map((0, 0, 9, 9, 0, 1, 0, 1), np.ones((2, 2, 1))),
    "an area that ends before it begins": gain_map((9, 0, 1, 9, 0, 1, 1, 1), np.ones((2, 2, 1))),
    "many bad pixels": opcode(5, struct.pack(">3I", 0, 1 << 31, 0)),
    "many bad areas": opcode(5, struct.pack(">3I", 0, 0, 1 << 30)),
    "a warp of many planes": opcode(1, struct.pack(">I", 1 << 30)),
    "a warp without numbers": warp_rectilinear([np.nan] * 6),
    "a polynomial of high degree": opcode(8, REGION + struct.pack(">I", 1 << 20) + bytes(800)),
    "a long table": opcode(7, REGION + struct.pack(">I", 1 << 20)),
    "many rows": opcode(10, REGION + struct.pack(">I", 1 << 30)),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_lists_are_refused(name):
    data = DAMAGED[name]
    whole = data if name in ("empty", "cut off", "many opcodes", "a size beyond the list") else None
    data = whole if whole is not None else struct.pack(">I", 1) + data
    with pytest.raises(CaptureError, match=r"^its corrections \(OpcodeList2[^\n]*$"):
        parse_opcodes(data, "OpcodeList2")


def test_many_warps_are_refused():
    with pytest.raises(CaptureError, match="more than 4 warps"):
        parsed(*[warp_rectilinear([1, 0, 0, 0, 0, 0])] * 5)


def test_too_many_defects_are_damage():
    with pytest.raises(ValueError, match="damaged"):
        applied(np.zeros((40, 40, 1), np.float32), bad_pixels_constant(0))


VALID = opcode_list(
    2,
    [
        gain_map((0, 0, 8, 8, 0, 1, 2, 2), np.ones((3, 3, 1))),
        warp_rectilinear([1, 0.1, 0, 0, 0, 0]),
        fix_vignette([0.1] * 5),
        bad_pixels_list([(1, 1)], [(2, 2, 4, 4)]),
        map_polynomial((0, 0, 8, 8, 0, 1, 1, 1), [0, 1]),
    ],
)[3]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), max_size=6))
def test_changed_bytes_are_refused_or_applied(changes):
    data = bytearray(VALID)
    for at, value in changes:
        data[at] = value
    try:
        found = parse_opcodes(bytes(data), "OpcodeList2")
        picture = corrected(np.full((24, 24, 1), 0.5, np.float32), found.corrections)
    except (CaptureError, ValueError):
        return
    assert picture.shape == (24, 24, 1) and np.isfinite(picture).all()
    assert picture.min() >= 0 and picture.max() <= 1
