"""Jobs: one input to its outputs, errors included."""

import io
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from camerapipe import job as jobs
from camerapipe.assembly import Request
from camerapipe.budget import Budget
from camerapipe.errors import ExitCode
from camerapipe.ingest import Metadata
from camerapipe.job import Job, Task, Writing, run_job
from camerapipe.naming import Outputs
from camerapipe.recipe import Recipe, resolve_with
from camerapipe.settings import resolve
from stages.scribble import Scribble

GPS_IFD = 0x8825


def scene():
    """A picture with a sharp middle and a blurred surround."""
    rng = np.random.default_rng(5)
    small = rng.integers(20, 236, (20, 30, 3)).astype(np.uint8)
    sharp = cv2.resize(small, (360, 240), interpolation=cv2.INTER_NEAREST)
    picture = cv2.GaussianBlur(sharp, (0, 0), 3.5)
    picture[70:170, 110:250] = sharp[70:170, 110:250]
    return picture


@pytest.fixture(scope="module")
def photograph(tmp_path_factory):
    path = tmp_path_factory.mktemp("photos") / "photo.png"
    cv2.imwrite(str(path), scene())
    return path


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    """A JPEG without detail, with a place in its metadata."""
    exif = Image.Exif()
    exif.get_ifd(GPS_IFD).update({1: "N", 2: (48.0, 8.0, 0.0)})
    path = tmp_path_factory.mktemp("photos") / "flat.jpg"
    Image.new("RGB", (80, 60), (90, 80, 70)).save(path, quality=30, exif=exif)
    return path


def asked(**changes):
    return Request(settings=resolve(), **changes)


def test_a_job_writes_what_is_wanted(photograph, tmp_path):
    places = Outputs(
        picture=tmp_path / "p.png", map=tmp_path / "m.npz",
        report=tmp_path / "r.json", recipe=tmp_path / "r.toml",
    )  # fmt: skip
    before = photograph.read_bytes()
    result = run_job(Job(source=photograph, request=asked(), outputs=places))
    assert result.exit_code is ExitCode.OK and result.error is None
    assert set(result.written.values()) == set(places.paths())
    assert all(path.is_file() for path in places.paths())
    assert photograph.read_bytes() == before
    assert result.verdict.startswith("defocus present; rendered at strength 2 in ")
    for path in places.paths():
        assert str(path) in result.verdict
    data = json.loads(json.dumps(result.to_dict()))
    assert data["graph"] == "default" and data["exit_code"] == 0
    assert data["written"]["map"] == str(places.map)
    assert Recipe.read(places.recipe).size_px == (360, 240)


def test_a_picture_without_a_place_is_returned(photograph):
    for name, kind in ((None, "JPEG"), ("png", "PNG"), ("tiff", "TIFF")):
        done = run_job(Job(source=photograph, request=asked(), writing=Writing(format=name)))
        with Image.open(io.BytesIO(done.picture)) as picture:
            assert (picture.format, picture.size) == (kind, (360, 240))
    from_array = run_job(Job(source=scene()[..., ::-1].copy(), request=asked()))
    assert from_array.picture[:2] == b"\xff\xd8"


@pytest.mark.parametrize(
    "changes, code, said",
    [
        ({"source": Path("none.jpg")}, ExitCode.UNREADABLE, "none.jpg"),
        ({"max_pixels": 100}, ExitCode.LIMIT, "pixels"),
        ({"outputs": Outputs(picture=Path("no/folder/x.jpg"))}, ExitCode.UNWRITTEN, "make it"),
        ({"outputs": Outputs(picture=Path("x.gif"))}, ExitCode.UNWRITTEN, "choose .jpg"),
        ({"writing": Writing(format="gif")}, ExitCode.USAGE, "expected jpeg, png, tiff"),
        ({"writing": Writing(format="jpeg", bits=16)}, ExitCode.USAGE, "choose png or tiff"),
        ({"request": asked(focus_point=(999, 0))}, ExitCode.USAGE, "360x240"),
        ({"from_map": Path("none.tiff")}, ExitCode.UNREADABLE, "none.tiff"),
    ],
)
def test_an_error_is_a_result(photograph, changes, code, said):
    result = run_job(Job(**{"source": photograph, "request": asked()} | changes))
    assert (result.exit_code, result.written) == (code, {})
    assert said in result.verdict == result.error.message
    assert "Traceback" in result.error.traceback and "\n" not in result.error.message
    assert json.loads(json.dumps(result.to_dict()))["error"] == result.verdict


def test_bad_outputs_are_refused_before_the_work(photograph, tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "open_input", lambda *_, **__: pytest.fail("opened"))
    taken = tmp_path / "taken.jpg"
    taken.write_bytes(b"mine")
    for outputs in (Outputs(picture=taken), Outputs(picture=photograph)):
        result = run_job(Job(source=photograph, request=asked(), outputs=outputs))
        assert result.exit_code is ExitCode.UNWRITTEN
    for field in ("protected", "foreground", "from_map"):
        value = (taken,) if field == "protected" else taken
        place = Outputs(picture=taken)
        job = Job(source=photograph, request=asked(), outputs=place, overwrite=True)
        result = run_job(replace(job, **{field: value}))
        assert "is the input itself" in result.verdict
    assert taken.read_bytes() == b"mine"


def test_what_was_written_before_an_error_is_told(photograph, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise MemoryError

    monkeypatch.setattr(jobs, "write_bytes", fail)
    places = Outputs(picture=tmp_path / "p.png", map=tmp_path / "m.npz")
    result = run_job(Job(source=photograph, request=asked(), outputs=places))
    assert result.exit_code is ExitCode.LIMIT and "not enough memory" in result.verdict
    assert result.written == {"map": places.map}  # the picture comes last


def test_only_a_broken_pipe_is_raised(photograph, monkeypatch):
    def fail(*_, **__):
        raise BrokenPipeError

    monkeypatch.setattr(jobs, "open_input", fail)
    with pytest.raises(BrokenPipeError):
        run_job(Job(source=photograph, request=asked()))


def test_a_recipe_that_the_settings_lack_is_refused(photograph):
    recipe = Recipe(params={"radius": {"strength": 3}})
    lacking = run_job(Job(source=photograph, request=asked(), recipe=recipe))
    assert lacking.exit_code is ExitCode.USAGE and "resolve_with" in lacking.verdict
    request = Request(settings=resolve_with(recipe))
    assert "strength 3" in run_job(Job(source=photograph, request=request, recipe=recipe)).verdict


def picture_of(source, writing=None, **changes):
    return run_job(Job(source=source, request=asked(**changes), writing=writing or Writing()))


def test_the_picture_untouched_is_the_input(flat):
    same = picture_of(flat)
    assert same.picture == flat.read_bytes()
    assert "left untouched (the bytes of the input)" in same.verdict
    assert "[too_few_edges]" in same.verdict  # and why


@pytest.mark.parametrize(
    "writing, how",
    [
        (Writing(quality=95), "JPEG"),
        (Writing(format="png"), "PNG"),
        (Writing(metadata=Metadata.WITHOUT_GPS), "JPEG"),
    ],
)
def test_what_was_asked_changes_the_picture_untouched(flat, writing, how):
    result = picture_of(flat, writing)
    assert result.picture != flat.read_bytes()
    assert f"left untouched (encoded as {how})" in result.verdict
    with Image.open(flat) as before, Image.open(io.BytesIO(result.picture)) as after:
        assert after.format == how
        gone = writing.metadata is Metadata.WITHOUT_GPS
        assert bool(after.getexif().get_ifd(GPS_IFD)) is not gone
        if how == "PNG":
            np.testing.assert_array_equal(np.asarray(before), np.asarray(after))


def test_bits_of_the_picture_untouched(tmp_path):
    path = tmp_path / "flat.png"
    cv2.imwrite(str(path), np.full((60, 80, 3), 90, np.uint8))
    png = Writing(format="png")
    assert picture_of(path, png).picture == path.read_bytes()
    assert picture_of(path, replace(png, bits=8, quality=50)).picture == path.read_bytes()
    deep = picture_of(path, replace(png, bits=16)).picture
    decoded = cv2.imdecode(np.frombuffer(deep, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded.dtype == np.uint16 and (decoded == 90 * 257).all()


def test_force_renders_what_is_blocked(flat):
    forced = picture_of(flat, force=True)
    assert "too few edges; rendered at strength 2" in forced.verdict


def test_no_map_of_a_blocked_picture(flat, tmp_path):
    places = Outputs(picture=tmp_path / "p.jpg", map=tmp_path / "m.tiff")
    result = run_job(Job(source=flat, request=asked(), outputs=places))
    assert list(result.written) == ["picture"] and not places.map.exists()
    assert "no blur map was estimated" in result.notes[0]


def test_a_missed_budget_is_said(photograph):
    request = asked(budget=Budget(total_ms=0.5))
    late = run_job(Job(source=photograph, request=request))
    assert "(LATE: the budget was 0 ms" in late.verdict or "(LATE: the budget was 1" in late.verdict
    assert late.exit_code is ExitCode.OK and late.picture
    strict = run_job(Job(source=photograph, request=request, strict_budget=True))
    assert strict.exit_code is ExitCode.LATE and strict.picture
    assert "the budget was missed" in strict.error.message
    within = run_job(
        Job(source=photograph, request=asked(budget=Budget(total_ms=6e5)), strict_budget=True)
    )
    assert "(budget 600 s)" in within.verdict and within.exit_code is ExitCode.OK
    stage = asked(budget=Budget(stages_ms={"bokeh": 1e-6}))
    assert "LATE: bokeh took" in run_job(Job(source=photograph, request=stage)).verdict


def test_a_strict_check_says_why(flat, photograph):
    for task in (Task.RENDER, Task.CHECK):
        strict = run_job(Job(source=flat, request=asked(), task=task, strict_check=True))
        assert strict.exit_code is ExitCode.NEGATIVE and strict.findings
        assert "the check is negative: Not enough detail" in strict.error.message
        job = Job(source=photograph, request=asked(), task=task, strict_check=True)
        assert run_job(job).error is None


def test_a_check_answers_in_a_word(flat, photograph):
    yes = run_job(Job(source=photograph, request=asked(), task=Task.CHECK))
    assert yes.verdict.startswith("yes: ") and yes.report is None
    no = run_job(Job(source=flat, request=asked(), task=Task.CHECK))
    assert no.verdict.startswith("no: ") and no.verdict.endswith("[too_few_edges]")


def test_a_focus_point_that_is_blurred_is_said(photograph):
    blurred = picture_of(photograph, focus_point=(20.0, 20.0))
    assert "focus point 20,20 is itself blurred" in blurred.notes[0]
    assert blurred.findings[-1].value > blurred.findings[-1].limit
    assert picture_of(photograph, focus_point=(180.0, 120.0)).notes == ()


@pytest.mark.parametrize(
    "mask, said",
    [
        (np.zeros((24, 36), np.uint8), "is black everywhere"),
        (np.full((24, 36), 255, np.uint8), "is white everywhere"),
        (scene()[::10, ::10], "is a colour picture"),
    ],
)
def test_what_is_no_mask_is_refused(photograph, tmp_path, mask, said):
    path = tmp_path / "mask.png"
    cv2.imwrite(str(path), mask)
    result = run_job(Job(source=photograph, request=asked(), foreground=path))
    assert said in result.verdict
    assert result.exit_code is ExitCode.UNREADABLE


def test_a_scribble_outside_is_refused_and_one_beside_a_map_noted(photograph, tmp_path):
    outside = picture_of(photograph, scribbles=(Scribble(((999.0, 999.0),), 9.0),))
    assert outside.exit_code is ExitCode.USAGE and "stroke 1 lies outside" in outside.verdict
    foreign = tmp_path / "map.png"
    cv2.imwrite(str(foreign), np.tile(np.arange(36, dtype=np.uint8) * 7, (24, 1)))
    request = asked(scribbles=(Scribble(((9.0, 9.0),), 9.0),))
    result = run_job(Job(source=photograph, request=request, from_map=foreign))
    assert any("not used with a map" in note for note in result.notes)
    assert any("0 to 255 are taken as sigma from 0 to 10 px" in note for note in result.notes)
    assert "from the given map" in result.verdict


@pytest.mark.parametrize("preset", ["default", "paper", "direct"])
@pytest.mark.parametrize("focus", [None, (180.0, 120.0)])
def test_map_then_render_is_render(photograph, tmp_path, preset, focus):
    """Bit-identical through .npz; through TIFF at most 0.1 % of pixels differ by over 8 codes."""
    request = Request(
        settings=resolve(preset, strength=3, values={"propagate": {"iterations": 40}}),
        focus_point=focus,
    )
    png = Writing(format="png")
    whole = run_job(Job(source=photograph, request=request, writing=png))
    for suffix, point in ((".npz", None), (".npz", focus), (".tiff", None)):  # the map knows it
        path = tmp_path / f"map{suffix}"
        job = Job(source=photograph, request=request, task=Task.MAP, outputs=Outputs(map=path))
        assert run_job(replace(job, overwrite=True)).written == {"map": path}
        plain = replace(request, focus_point=point)
        again = run_job(Job(source=photograph, request=plain, from_map=path, writing=png))
        if suffix == ".npz":
            by_place = preset == "default" and focus is None
            assert ("zone_sigma" in np.load(path)) == by_place
            assert again.picture == whole.picture
            assert again.notes == ()
        else:
            first, second = (
                cv2.imdecode(np.frombuffer(each.picture, np.uint8), cv2.IMREAD_COLOR).astype(int)
                for each in (whole, again)
            )
            assert np.mean(np.abs(first - second).max(axis=2) > 8) <= 1e-3


@pytest.mark.parametrize("suffix", [".exr", ".jpg"])
def test_a_map_in_exr_or_jpeg_renders_like_the_photograph(photograph, tmp_path, suffix):
    """Bit-identical through EXR; through a JPEG as through TIFF, with 12 bits."""
    if suffix == ".exr":
        pytest.importorskip("OpenEXR")
    request, png = Request(settings=resolve(strength=3)), Writing(format="png")
    path = tmp_path / f"map{suffix}"
    job = Job(source=photograph, request=request, writing=png, outputs=Outputs(map=path))
    whole = run_job(job)
    assert whole.written == {"map": path}
    again = run_job(Job(source=photograph, request=request, from_map=path, writing=png))
    assert again.notes == ()
    if suffix == ".exr":
        assert again.picture == whole.picture
    first, second = (
        cv2.imdecode(np.frombuffer(each.picture, np.uint8), cv2.IMREAD_COLOR).astype(int)
        for each in (whole, again)
    )
    assert np.mean(np.abs(first - second).max(axis=2) > 8) <= 1e-3


def test_a_rendered_jpeg_carries_the_map_of_its_photograph(photograph, tmp_path):
    out = tmp_path / "out.jpg"
    request = Request(settings=resolve(strength=3))
    job = Job(
        source=photograph, request=request, outputs=Outputs(picture=out),
        writing=Writing(embed_map=True),
    )  # fmt: skip
    assert run_job(job).exit_code is ExitCode.OK
    plain = replace(job, writing=Writing(), outputs=Outputs(picture=tmp_path / "plain.jpg"))
    again = replace(plain, from_map=out, outputs=Outputs(picture=tmp_path / "again.jpg"))
    assert run_job(plain).exit_code is run_job(again).exit_code is ExitCode.OK
    names = ("out.jpg", "plain.jpg", "again.jpg")
    first, second, third = (cv2.imread(str(tmp_path / name)).astype(int) for name in names)
    assert (first == second).all()
    assert np.mean(np.abs(second - third).max(axis=2) > 8) <= 1e-3
    refused = run_job(
        replace(job, outputs=Outputs(), writing=Writing(format="png", embed_map=True))
    )
    assert refused.exit_code is ExitCode.USAGE and "only a JPEG carries" in refused.verdict


def test_a_saved_recipe_renders_the_same_bytes(photograph, tmp_path):
    cv2.imwrite(str(tmp_path / "mask.png"), np.eye(24, 36, dtype=np.uint8) * 255)
    request = Request(
        settings=resolve(strength=3), focus_point=(180.0, 120.0),
        scribbles=(Scribble(((20.0, 20.0), (60.0, 30.0)), 12.0),),
    )  # fmt: skip
    places = Outputs(picture=tmp_path / "first.png", recipe=tmp_path / "r.toml")
    mask = tmp_path / "mask.png"
    run_job(Job(source=photograph, request=request, outputs=places, foreground=mask))
    recipe = Recipe.read(places.recipe)
    assert recipe.foreground == mask
    again = Job(
        source=photograph, request=Request(settings=resolve_with(recipe)), recipe=recipe,
        writing=Writing(format="png"),
    )  # fmt: skip
    assert run_job(again).picture == places.picture.read_bytes()
