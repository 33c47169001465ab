"""Pictures from depth: the blur of a wished lens, and measured blur with the sign of depth."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

import camerapipe
from camerapipe.assembly import Request
from camerapipe.capture import Capture
from camerapipe.depth import given_depth, wished_lens
from camerapipe.errors import ExitCode, RequestError
from camerapipe.ingest import open_capture
from camerapipe.job import Job, Task, Writing, run_job
from camerapipe.naming import Outputs
from camerapipe.recipe import Recipe
from camerapipe.session import Session
from camerapipe.settings import resolve
from datasets.depth_files import FOCUS_M, depth_scene, gdepth_jpeg, jpeg, photographs
from stages.depth import DepthMap, depth_cells, depth_grid, wished_blur

SHAPE = (240, 320)
SCENE = depth_scene(SHAPE)
APERTURE = 0.05  # so small a picture needs a lens so wide


@pytest.fixture(scope="module")
def photograph(tmp_path_factory):
    path = tmp_path_factory.mktemp("depth") / "metric.jpg"
    path.write_bytes(gdepth_jpeg(SCENE))
    return path


@pytest.fixture(scope="module")
def relative(tmp_path_factory):
    path = tmp_path_factory.mktemp("depth") / "relative.jpg"
    path.write_bytes(gdepth_jpeg(SCENE, units=""))
    return path


@pytest.mark.parametrize("container", [*photographs(SCENE)])
def test_sigma_from_a_file_is_that_of_the_scene(tmp_path, container):
    """Lens from EXIF, metric depth from the container, the focus at a distance: to 0.01 px."""
    path = tmp_path / "a.jpg"
    path.write_bytes(photographs(SCENE)[container])
    capture = open_capture(path)
    settings = resolve(values={"depth": {"aperture": APERTURE}})
    depth = given_depth("embedded", capture, settings).depth
    cells = depth_cells(depth, depth_grid(depth, capture.linear), capture.linear)
    sigma = wished_blur(cells, 1 / FOCUS_M, wished_lens(capture, depth, settings)).sigma
    truth = SCENE.sigma_px(APERTURE)
    assert np.abs(truth).max() > 8
    assert np.abs(sigma - truth).max() <= 0.01  # measured: 1.4e-4


def test_the_graph_renders_the_blur_of_the_wished_lens(photograph):
    shot = camerapipe.render(
        photograph, from_depth="embedded", aperture=APERTURE, focus=FOCUS_M, keep=["wished_cells"]
    )
    sigma = shot.kept["wished_cells"].sigma
    assert np.abs(sigma - SCENE.sigma_px(APERTURE)).max() <= 0.01


def test_what_is_in_focus_stays_and_the_rest_is_blurred_on_its_side(photograph):
    keep = ["signed_radius", "blur", "dead_zone"]
    shot = camerapipe.render(
        photograph, from_depth="embedded", aperture=APERTURE, focus=SCENE.subject, keep=keep,
        params={"finish": {"grain": 0.0}},
    )  # fmt: skip
    radius, depth = shot.kept["signed_radius"], SCENE.depth_m
    inside = cv2.erode((depth == FOCUS_M).astype(np.uint8), np.ones((9, 9))) > 0
    rail = cv2.erode((depth < FOCUS_M).astype(np.uint8), np.ones((9, 9))) > 0
    wall = cv2.erode((depth > FOCUS_M).astype(np.uint8), np.ones((9, 9))) > 0
    assert radius[inside].max() == 0 and radius[rail].max() < 0 < radius[wall].min()
    truth = 2 * np.sqrt(SCENE.sigma_px(APERTURE) ** 2)
    measured = np.maximum(shot.kept["blur"].sigma ** 2 - shot.kept["dead_zone"] ** 2, 0)
    missing = np.sqrt(np.maximum(truth**2 - 4 * measured, 0))
    assert np.abs(np.abs(radius) - missing)[wall | rail].max() < 0.2
    detail = open_capture(photograph).linear
    before, after = (
        cv2.Laplacian(np.ascontiguousarray(each[..., 1], np.float32), cv2.CV_32F)
        for each in (detail, shot.image)
    )
    assert after[wall].std() < 0.3 * before[wall].std()


def test_exact_depth_keeps_its_own_outlines(photograph):
    shot = camerapipe.render(
        photograph, from_depth="embedded", aperture=APERTURE, focus=SCENE.subject,
        params={"depth": {"fit_outlines": False}}, keep=["signed_radius"],
    )  # fmt: skip
    assert shot.report.graph == "from-exact-depth"
    assert ((shot.kept["signed_radius"] < 0) == (SCENE.depth_m < FOCUS_M)).all()


def test_strength_is_a_wider_lens_where_depth_and_lens_are_known(photograph):
    capture = open_capture(photograph)
    given = given_depth("embedded", capture, resolve())
    assert wished_lens(capture, given.depth, resolve()).lens.f_number == 0.75  # f/1.5, doubled
    assert wished_lens(capture, given.depth, resolve(strength=3)).lens.f_number == 0.5
    asked = resolve(values={"depth": {"aperture": 1.2}}, strength=3)
    assert wished_lens(capture, given.depth, asked).lens.f_number == 1.2
    percent = resolve(values={"radius": {"largest_percent": 1}})
    assert wished_lens(capture, given.depth, percent).largest_percent == 1


def test_without_a_unit_a_strength_is_asked_for(relative):
    with pytest.raises(RequestError, match="the depth has no unit, so .* give a strength above 1"):
        camerapipe.render(relative, from_depth="embedded")
    with pytest.raises(RequestError, match="aperture: the depth has no unit"):
        camerapipe.render(relative, from_depth="embedded", aperture=1.0)
    with pytest.raises(RequestError, match="focus: the depth has no unit; expected a point"):
        camerapipe.render(relative, from_depth="embedded", focus=1.5, strength=2)
    capture = open_capture(relative)
    depth = given_depth("embedded", capture, resolve()).depth
    assert wished_lens(capture, depth, resolve(strength=3)).largest_percent == 1.5
    assert wished_lens(capture, depth, resolve(strength=1)).largest_percent == 0


def test_a_focus_within_the_lens_is_refused(photograph):
    with pytest.raises(RequestError, match="focus: expected metres beyond the focal length"):
        camerapipe.render(photograph, from_depth="embedded", focus=0.005)


def test_a_lens_that_the_file_does_not_state_is_named():
    capture = Capture(name="array", linear=np.zeros((*SHAPE, 3), np.float32), kind="array")
    depth = given_depth(SCENE.depth_m, capture, resolve()).depth
    with pytest.raises(RequestError, match="strength: the file does not say the lens"):
        wished_lens(capture, depth, resolve())
    wide = resolve(values={"depth": {"aperture": 1.0}})
    with pytest.raises(RequestError, match="aperture: the file does not say the focal length and"):
        wished_lens(capture, depth, wide)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (np.ones((240, 100)), "another shape than the picture"),
        (np.ones((240, 320), np.uint8), "expected hxw metres"),
        (np.full((240, 320), np.nan), "unknown everywhere"),
        (DepthMap(inverse=np.ones((9, 9), np.float32), is_metric=True), "another shape"),
        ("embedded", "an array has no embedded depth"),
    ],
)
def test_depth_that_does_not_fit_an_array_is_refused(source, said):
    with pytest.raises(RequestError, match=f"depth: .*{said}"):
        camerapipe.render(SCENE.picture, from_depth=source, strength=2)


def test_two_sources_of_blur_exclude_each_other(photograph):
    with pytest.raises(RequestError, match="from_depth and guide_depth exclude each other"):
        camerapipe.render(photograph, from_depth="embedded", guide_depth="embedded")


@pytest.mark.parametrize("asked", [{"aperture": 1.0}, {"focus": 1.5}])
def test_a_wished_lens_without_depth_is_refused(photograph, asked):
    with pytest.raises(RequestError, match="needs the depth .* give it by --from-depth"):
        camerapipe.render(photograph, **asked)


def test_a_picture_without_defocus_is_rendered_from_depth(photograph):
    """Depth needs no defocus: what blocks an estimate is a note then."""
    grey = np.full((*SHAPE, 3), 0.5, np.float32)
    shot = camerapipe.render(grey, encoding="srgb", from_depth=SCENE.depth_m, strength=3)
    assert shot.report.graph == "from-depth"
    assert shot.findings[0].severity.value == "info"
    assert camerapipe.render(grey, encoding="srgb").report.graph == "pass-through"


def test_jobs_recipes_and_sessions_render_the_same(photograph, tmp_path):
    settings = resolve(values={"depth": {"aperture": APERTURE, "focus_m": FOCUS_M}})
    png = Writing(format="png")
    job = Job(
        source=photograph, request=Request(settings=settings), from_depth="embedded", writing=png,
        outputs=Outputs(picture=tmp_path / "a.png", recipe=tmp_path / "r.toml"),
    )  # fmt: skip
    result = run_job(job)
    assert result.exit_code is ExitCode.OK and "rendered from depth at f/0.05" in result.verdict
    recipe = Recipe.read(tmp_path / "r.toml")
    assert recipe.from_depth == "embedded" and recipe.params["depth"]["aperture"] == APERTURE
    shot = camerapipe.render(photograph, recipe=recipe)
    shot.save(tmp_path / "b.png")
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "a.png").read_bytes()
    session = Session(photograph, recipe=recipe)
    session.export().save(tmp_path / "c.png")
    assert (tmp_path / "c.png").read_bytes() == (tmp_path / "a.png").read_bytes()
    small = Session(photograph, recipe=recipe, proxy_megapixels=0.02).render()
    assert small.report.graph == "from-depth" and small.image.shape[0] < SHAPE[0]


def test_a_recipe_names_the_file_of_its_depth(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(jpeg(SCENE.picture))
    plane = np.rint(SCENE.depth_m * 1000).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "depth.png"), plane)
    text = (
        'format_version = 1\nfrom_depth = "depth.png"\n'
        '[params.depth]\nvalues = "millimetres"\naperture = 0.1'
    )
    (tmp_path / "r.toml").write_text(text)
    recipe = Recipe.read(tmp_path / "r.toml")
    assert recipe.from_depth == str(tmp_path / "depth.png")
    assert camerapipe.render(tmp_path / "photo.jpg", recipe=recipe).report.graph == "from-depth"
    recipe.write(tmp_path / "again.toml")
    assert Recipe.read(tmp_path / "again.toml") == recipe


def test_what_is_assumed_of_a_depth_picture_is_told(tmp_path, relative):
    plane = np.rint(255 / SCENE.depth_m / 3).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "depth.png"), plane)
    job = Job(
        source=relative, request=Request(settings=resolve(strength=2)),
        from_depth=tmp_path / "depth.png", writing=Writing(format="png"),
    )  # fmt: skip
    result = run_job(job)
    assert "depth.png: The depth has no description" in result.notes[0]
    colour = tmp_path / "colour.png"
    cv2.imwrite(str(colour), SCENE.picture)
    assert run_job(replace(job, from_depth=colour)).exit_code is ExitCode.UNREADABLE


def blurred_scene():
    """The scene through a real wide lens, layer by layer, with a foreground as blurred as the wall.

    The layers are blurred one by one, from the farthest to the nearest.
    """
    depth, picture = SCENE.depth_m, SCENE.picture.astype(np.float32)
    out = cv2.GaussianBlur(picture, (0, 0), 3.0)
    for mask, sigma in ((depth == FOCUS_M, 0.4), (depth < FOCUS_M, 3.0)):
        cover = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma)[..., None]
        out = cover * cv2.GaussianBlur(picture, (0, 0), sigma) + (1 - cover) * out
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)


def test_depth_gives_measured_blur_its_sign(tmp_path):
    """The rail in front is as blurred as the wall: only with depth it comes out in front."""
    path = tmp_path / "blurred.png"
    cv2.imwrite(str(path), blurred_scene()[..., ::-1])
    nearness = (1 / SCENE.depth_m / 3).astype(np.float32)
    depth = DepthMap(inverse=nearness**2, is_metric=False)  # any unit, and not even linear
    keep = ["signed_radius", "calibration"]
    shot = camerapipe.render(path, guide_depth=depth, strength=3, force=True, keep=keep)
    radius = shot.kept["signed_radius"]
    deep = SCENE.depth_m
    assert shot.report.graph == "with-depth"
    rail, subject, wall = (
        cv2.erode(each.astype(np.uint8), np.ones((15, 15))) > 0
        for each in (deep < FOCUS_M, deep == FOCUS_M, deep > FOCUS_M)
    )
    assert np.median(radius[rail]) < -5 and np.median(radius[wall]) > 5
    assert np.abs(radius[subject]).max() == 0
    assert (
        camerapipe.render(path, strength=3, force=True, keep=keep).kept["signed_radius"].min() == 0
    )


def test_a_map_can_be_guided_by_depth(tmp_path):
    path = tmp_path / "blurred.png"
    cv2.imwrite(str(path), blurred_scene()[..., ::-1])
    depth = tmp_path / "depth.png"
    cv2.imwrite(str(depth), np.rint(100 / SCENE.depth_m).astype(np.uint8))
    job = Job(
        source=path, request=Request(settings=resolve()), task=Task.MAP, guide_depth=depth,
        outputs=Outputs(map=tmp_path / "map.npz"),
    )  # fmt: skip
    result = run_job(job)
    assert result.report.graph == "with-depth-map" and (tmp_path / "map.npz").exists()
