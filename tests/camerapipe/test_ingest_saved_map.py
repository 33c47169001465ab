"""Maps that carry what a picture depends on: back from a file they give the same picture."""

import io
import json

import numpy as np
import pytest
import tifffile

from camerapipe.errors import CaptureError
from camerapipe.ingest import Focus, SavedMap, encode_map, read_saved_map, write_map
from camerapipe.presets import PRESETS
from datasets.scenes import day
from stages.finish import FinishParams
from stages.grid import BlurMap, Grid, lift
from stages.protection import Protection
from stages.tone import SRGB

SHAPE = (240, 360)
POINT = (180.0, 108.0)
CODES = 8 / 255
NODES = PRESETS["default"].picture_graph.order
RADIUS = next(place for place, node in enumerate(NODES) if node.output == "radius")


def walk(nodes, values):
    """Run nodes by hand, with default parameters but for the dither."""
    for node in nodes:
        section = [node.params()] if node.params else []
        if node.params is FinishParams:
            section = [FinishParams(dither=False)]
        value = node.function(*(values[name] for name in node.inputs), *section)
        if node.anytime:
            *_, last = value
            value = last.value
        values[node.output] = value
    return values


@pytest.fixture(scope="module", params=[None, POINT], ids=["proven", "point"])
def direct(request):
    """All values of the graph from a capture to its picture."""
    sources = {"linear": day(5.0, SHAPE).truth, "scribbles": (), "previous": None, "curve": SRGB,
               "focus_point": request.param, "foreground": None, "headroom": False,
               "protection": Protection()}  # fmt: skip
    return walk(NODES, sources)


def saved_of(values):
    step = values["sharpness_bounds"].grid.step
    focus = Focus.of(values["dead_zone"], values["focus_point"], step)
    return SavedMap(blur=values["blur"], low=values["blur_low"], focus=focus)


def picture_from(saved, values):
    given = {
        "blur": saved.blur, "dead_zone": saved.focus.dead_zone,
    }  # fmt: skip
    sources = ("linear", "curve", "foreground", "headroom", "half_grid", "round_disks")
    return walk(NODES[RADIUS:], {name: values[name] for name in sources} | given)["picture"]


def test_a_map_from_npz_gives_the_picture_bit_for_bit(tmp_path, direct):
    write_map(tmp_path / "a.npz", saved_of(direct))
    back = read_saved_map(tmp_path / "a.npz", SHAPE)
    assert back.focus == saved_of(direct).focus and back.assumptions == ()
    np.testing.assert_array_equal(picture_from(back, direct), direct["picture"])
    assert np.abs(direct["picture"] - SRGB.encode[0]).max() > 0.5  # there is a picture


def test_a_map_from_tiff_gives_nearly_the_picture(tmp_path, direct):
    write_map(tmp_path / "a.tif", saved_of(direct))
    back = read_saved_map(tmp_path / "a.tif", SHAPE)
    assert back.focus == saved_of(direct).focus and back.assumptions == ()
    change = np.abs(picture_from(back, direct) - direct["picture"]).max(axis=2)
    assert np.mean(change > CODES) <= 1e-3  # measured: 0


def test_the_low_map_and_the_dead_zone_matter(direct):
    """Without them the picture is another one: the tests above can fail."""
    saved = saved_of(direct)
    other = SavedMap(
        blur=saved.blur, low=lift(saved.blur, Grid.cells(SHAPE, 8)), focus=Focus(dead_zone_px=4.0)
    )
    assert (np.abs(picture_from(other, direct) - direct["picture"]) > CODES).mean() > 1e-3


def ramp(shape=SHAPE, low_step=2):
    """A map that is sharp on its left half."""
    sigma = np.tile(np.linspace(-4, 4, shape[1], dtype=np.float32), (shape[0], 1)).clip(0.5)
    blur = BlurMap(sigma, np.full(shape, 2, np.float32), Grid(shape))
    low = lift(blur, Grid.cells(shape, low_step))
    return SavedMap(blur=blur, low=low, focus=Focus(dead_zone_px=1.0, step=2))


@pytest.mark.parametrize("name", ["npz", "tiff"])
def test_grids_and_planes_come_back(tmp_path, name):
    saved = ramp((41, 63))
    (tmp_path / "a").write_bytes(encode_map(saved, format=name))
    back = read_saved_map(tmp_path / "a", (41, 63))
    for ours, theirs in ((saved.blur, back.blur), (saved.low, back.low)):
        assert ours.grid == theirs.grid
        np.testing.assert_allclose(theirs.sigma, ours.sigma, atol=4 / 65535)
    assert back.focus == saved.focus


def zoned():
    """A map whose dead zone differs by place."""
    zone = np.linspace(0.5, 2, 12 * 18, dtype=np.float32).reshape(12, 18)
    saved = ramp()
    grid = Grid.cells(SHAPE, 20)
    return SavedMap(
        blur=saved.blur, low=saved.low,
        focus=Focus.of(BlurMap(zone, np.ones_like(zone), grid), None, 2),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["npz", "tiff"])
@pytest.mark.parametrize("low", [True, False])
def test_a_dead_zone_by_place_comes_back(tmp_path, name, low):
    saved = zoned()
    saved = saved if low else SavedMap(blur=saved.blur, focus=saved.focus)
    (tmp_path / "a").write_bytes(encode_map(saved, format=name))
    back = read_saved_map(tmp_path / "a", SHAPE)
    assert back.focus == saved.focus and (back.low is not None) == low
    assert back.focus.zone.grid == saved.focus.zone.grid
    atol = 2 / 65535 if name == "tiff" else 0
    np.testing.assert_allclose(back.focus.zone.sigma, saved.focus.zone.sigma, atol=atol)


def test_a_dead_zone_by_place_is_resized_with_its_map(tmp_path):
    write_map(tmp_path / "a.npz", zoned())
    zone = read_saved_map(tmp_path / "a.npz", (480, 720)).focus.zone
    assert zone.grid == Grid((480, 720))
    assert zone.sigma[0, 0] == 0.5 and zone.sigma[-1, -1] == 2


def test_a_dead_zone_of_one_cell_is_a_number():
    one = np.full((1, 1), 1.25, np.float32)
    focus = Focus.of(BlurMap(one, one, Grid((1, 1), 360)), None, 2)
    assert focus.dead_zone == 1.25 and focus.zone is None


def edit(path, saved, sigma):
    """Save a map, and then other sigma under the same description, as an image editor does."""
    data = encode_map(saved, format=path.suffix[1:])
    if path.suffix == ".npz":
        held = dict(np.load(io.BytesIO(data)))
        np.savez(path, **(held | {"sigma": sigma}))
        return
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        pages = [(page.asarray(), page.description) for page in tiff.pages]
    scale = json.loads(pages[0][1])["scale"]
    pages[0] = (np.rint(sigma / scale).astype(np.uint16), pages[0][1])
    with tifffile.TiffWriter(path, byteorder=">") as tiff:  # an editor may change the byte order
        for codes, text in pages:
            tiff.write(codes, description=text, metadata=None, photometric="minisblack")


@pytest.mark.parametrize("suffix", [".npz", ".tif"])
class TestEdited:
    def test_an_unchanged_map_is_no_edit(self, tmp_path, suffix):
        saved = ramp()
        edit(tmp_path / f"a{suffix}", saved, saved.blur.sigma)
        back = read_saved_map(tmp_path / f"a{suffix}", SHAPE)
        assert back.assumptions == () and back.focus == saved.focus

    def test_the_low_map_follows_the_edit_and_the_focus_stays(self, tmp_path, suffix):
        saved = ramp()
        sigma = saved.blur.sigma.copy()
        sigma[100:140, 300:340] = 0.5
        edit(tmp_path / f"a{suffix}", saved, sigma)
        back = read_saved_map(tmp_path / f"a{suffix}", SHAPE)
        np.testing.assert_allclose(back.low.sigma[55:65, 155:165], 0.5, atol=1e-3)
        np.testing.assert_array_equal(back.low.sigma, lift(back.blur, saved.low.grid).sigma)
        assert back.focus == saved.focus
        assert "was edited" in back.assumptions[0]

    def test_an_edit_that_moves_the_focus_drops_it(self, tmp_path, suffix):
        saved = ramp()
        edit(tmp_path / f"a{suffix}", saved, np.ascontiguousarray(saved.blur.sigma[:, ::-1]) + 0.6)
        back = read_saved_map(tmp_path / f"a{suffix}", SHAPE)
        assert back.focus is None and "in focus is not any more" in back.assumptions[1]

    @pytest.mark.parametrize(("x", "stays"), [(20.0, True), (320.0, False)])
    def test_a_point_in_focus_must_stay_within_the_dead_zone(self, tmp_path, suffix, x, stays):
        ours = ramp()
        focus = Focus(dead_zone_px=1.0, point=(x, 30.0), step=2)
        saved = SavedMap(blur=ours.blur, low=ours.low, focus=focus)
        sigma = ours.blur.sigma.copy()
        sigma[:, 300:] = 4.0
        edit(tmp_path / f"a{suffix}", saved, sigma)
        assert (read_saved_map(tmp_path / f"a{suffix}", SHAPE).focus is not None) == stays


def test_an_editor_that_drops_the_second_page_and_8_bits(tmp_path):
    saved = ramp()
    with tifffile.TiffFile(io.BytesIO(encode_map(saved, format="tiff"))) as tiff:
        codes, text = tiff.pages[0].asarray(), tiff.pages[0].description
    tifffile.imwrite(tmp_path / "a.tif", (codes >> 8).astype(np.uint8), description=text,
                     metadata=None)  # fmt: skip
    back = read_saved_map(tmp_path / "a.tif", SHAPE)
    np.testing.assert_allclose(back.blur.sigma, saved.blur.sigma, atol=4 / 255)
    assert back.low.grid == saved.low.grid and back.focus == saved.focus
    np.testing.assert_allclose(back.low.sigma, saved.low.sigma, atol=4 / 255)


def test_a_map_for_another_size_takes_its_parts_along(tmp_path):
    ours = ramp()
    focus = Focus(dead_zone_px=1.0, point=(30.0, 60.0))
    saved = SavedMap(blur=ours.blur, low=ours.low, focus=focus)
    write_map(tmp_path / "a.npz", saved)
    back = read_saved_map(tmp_path / "a.npz", (480, 720))
    assert back.blur.grid == Grid((480, 720)) and back.low.grid == Grid.cells((480, 720), 2)
    assert back.focus.point == (60.0, 120.0) and back.focus.dead_zone_px == 1.0
    assert "360 x 240 pixels and is resized to 720 x 480" in back.assumptions[0]


def test_a_map_without_a_description_says_what_it_assumes(tmp_path):
    tifffile.imwrite(tmp_path / "codes.tif", np.zeros(SHAPE, np.uint16))
    tifffile.imwrite(tmp_path / "floats.tif", np.ones(SHAPE, np.float32))
    np.savez(tmp_path / "plain.npz", sigma=np.ones(SHAPE, np.float32))
    for name, said in (
        ("codes.tif", "its codes 0 to 65535 are taken as sigma from 0 to 10 px"),
        ("floats.tif", "its values are taken as sigma in full-resolution pixels"),
        ("plain.npz", "sigma is taken as full-resolution pixels"),
    ):
        back = read_saved_map(tmp_path / name, SHAPE)
        assert said in back.assumptions[0]
        assert "does not say what is in focus" in back.assumptions[1]
        assert back.low is None and back.focus is None


def test_old_maps_of_ours_hold_only_sigma(tmp_path):
    meaning = {"unit": "sigma_px", "scale": 0.001, "max": 4.0, "step": 1, "phase": 0.0}
    codes = np.full(SHAPE, 2000, np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", codes, description=json.dumps(meaning), metadata=None)
    plane = np.full(SHAPE, 2, np.float32)
    np.savez(tmp_path / "a.npz", sigma=plane, confidence=plane, step=1, phase=0.0, unit="sigma_px")
    for name in ("a.tif", "a.npz"):
        back = read_saved_map(tmp_path / name, SHAPE)
        np.testing.assert_allclose(back.blur.sigma, 2, rtol=1e-6)
        assert back.low is None and back.focus is None
        assert back.assumptions == (
            "The map does not say what is in focus: the sharpest part of it is taken.",
        )


BAD_FOCUS = [
    {"dead_zone_px": -1.0}, {"dead_zone_px": float("nan")}, {"dead_zone_px": "wide"}, {},
    {"dead_zone_px": 1.0, "point": [1]}, {"dead_zone_px": 1.0, "point": [1, float("inf")]},
]  # fmt: skip


@pytest.mark.parametrize("change", [
    *({"focus": focus} for focus in BAD_FOCUS), {"step": 0}, {"step": 1e9}, {"phase": float("nan")},
    {"low": {"step": -1}, "digest": "other"}, {"low": {"step": 10**6}},
], ids=str)  # fmt: skip
def test_damaged_descriptions_are_refused_in_one_line(tmp_path, change):
    meaning = {"unit": "sigma_px", "scale": 0.001, "step": 1, "phase": 0.0} | change
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones(SHAPE, np.uint16), description=json.dumps(meaning),
                     metadata=None)  # fmt: skip
    with pytest.raises(CaptureError, match=r"^[^\n]*a\.tif: [^\n]*$"):
        read_saved_map(path, SHAPE)
