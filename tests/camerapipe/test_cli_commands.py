"""The command line beyond one picture: folders, formats, recipes, settings, other commands."""

import json
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from camerapipe import night_portrait
from camerapipe.presets import SECTIONS, graphs

GPS_IFD = 0x8825


def test_check_as_json(photograph, run):
    code, out, _ = run("check", photograph, "--json")
    assert code == 0
    assert json.loads(out)["findings"][0]["code"] == "defocus_present"


def test_check_begins_with_a_verdict_and_fits(photograph, tmp_path, run):
    other = tmp_path / "a photograph with quite a long name.jpg"
    other.write_bytes(photograph.read_bytes())
    code, out, err = run("check", other, photograph)
    lines = [line for line in err.splitlines() if "compiling" not in line]
    assert code == 0 and out == "" and max(map(len, lines)) <= 100
    assert lines[0].startswith(f"{other.name}: yes: ")
    assert any(line.startswith("    info: ") for line in lines)
    assert any(line.startswith("photo.jpg: yes: ") for line in lines)


def test_lines_tell_inputs_of_one_name_apart(photograph, tmp_path, run):
    paths = [tmp_path / folder / photograph.name for folder in "ab"]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(photograph.read_bytes())
    _, _, err = run("check", *paths)
    assert all(str(path) in err.replace("\n    ", "") for path in paths)
    _, _, err = run("check", paths[0])
    assert err.startswith(f"{photograph.name}: ")


def test_folders(photograph, tmp_path, run):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("10.jpg", "9.jpg", ".hidden.jpg"):
        (folder / name).write_bytes(photograph.read_bytes())
    (folder / "notes.txt").write_text("no picture")
    code, out, _ = run("check", folder, "--json")
    assert [Path(each["capture"]).name for each in json.loads(out)] == ["9.jpg", "10.jpg"]
    targets = ("--map", tmp_path / "maps", "--save-recipe", tmp_path / "recipes")
    assert run("render", folder, "-o", tmp_path / "out", *targets)[0] == 0
    assert run("map", folder, "-o", tmp_path / "npz", "--format", "npz", "-q")[0] == 0
    made = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.glob("*/*") if p.parent != folder)
    assert made == [
        "maps/10_map.tiff", "maps/9_map.tiff", "npz/10_map.npz", "npz/9_map.npz",
        "out/10_bokeh.jpg", "out/9_bokeh.jpg", "recipes/10_recipe.toml", "recipes/9_recipe.toml",
    ]  # fmt: skip
    code, _, err = run("render", folder, "-o", folder)
    assert code == 2 and "is the folder of the inputs" in err
    (tmp_path / "empty").mkdir()
    for command in (("render", "-o", tmp_path / "out"), ("map", "-o", tmp_path / "m"), ("check",)):
        code, _, err = run(command[0], tmp_path / "empty", *command[1:])
        assert code == 3 and "has no pictures in it" in err


def test_format_bits_and_quality(photograph, tmp_path, run):
    out = ("-o", tmp_path / "out", "-q")
    assert run("render", photograph, tmp_path, *out, "--format", "png", "--bits", "16")[0] == 3
    (tmp_path / "one.jpg").write_bytes(photograph.read_bytes())
    assert run("render", photograph, tmp_path, *out, "--format", "png", "--bits", "16")[0] == 0
    deep = cv2.imread(str(tmp_path / "out" / "photo_bokeh.png"), cv2.IMREAD_UNCHANGED)
    assert deep.dtype == np.uint16
    sizes = []
    for quality in (95, 30):
        path = tmp_path / f"{quality}.jpg"
        assert run("render", photograph, "-o", path, "-q", "--quality", quality)[0] == 0
        sizes.append(path.stat().st_size)
    assert sizes[0] > sizes[1]


def test_strip_gps(photograph, tmp_path, run):
    exif = Image.Exif()
    exif.get_ifd(GPS_IFD).update({1: "N", 2: (48.0, 8.0, 0.0)})
    with Image.open(photograph) as picture:
        picture.save(tmp_path / "here.jpg", exif=exif)
    for name, more in (("kept.jpg", ()), ("stripped.jpg", ("--strip-gps",))):
        code, _, _ = run("render", tmp_path / "here.jpg", "-o", tmp_path / name, "-q", *more)
        with Image.open(tmp_path / name) as picture:
            assert bool(picture.getexif().get_ifd(GPS_IFD)) is not bool(more)


def test_json_of_a_folder_is_a_list_however_many_pictures_it_has(photograph, tmp_path, run):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "photo.jpg").write_bytes(photograph.read_bytes())
    _, out, _ = run("check", tmp_path / "one", "--json")
    assert [each["exit_code"] for each in json.loads(out)] == [0]
    _, out, _ = run("check", tmp_path / "one" / "photo.jpg", "--json")
    assert json.loads(out)["exit_code"] == 0


@pytest.mark.parametrize(
    "asked, said",
    [
        (("--strength", 9), "strength (radius.strength): expected"),
        (("--falloff", 0.5), "falloff (radius.focus_ramp): expected"),
        (("--focus", "1.5m"), "give it by --from-depth"),
        (("--aperture", 2), "give it by --from-depth"),
        (("--budget", "propagat=2s"), "did you mean 'propagate'?"),
        (("--subject", "70,30,90,214"), "30 + 214 exceeds the height 240"),
    ],
)
def test_messages_name_the_option(photograph, tmp_path, run, asked, said):
    code, _, err = run("render", photograph, "-o", tmp_path / "out.jpg", *asked)
    assert code == 2 and said in err, err


def test_what_changed_what_was_asked_is_said(photograph, tmp_path, run):
    out = ("-o", tmp_path / "out.jpg", "--overwrite")
    late = run("render", photograph, *out, "--budget", "1ms")
    assert late[0] == 0 and "LATE: the budget was 1 ms" in late[2]
    blurred = run("render", photograph, *out, "--focus", "10,10")
    assert blurred[0] == 0 and "focus point 10,10 is itself blurred" in blurred[2]
    cv2.imwrite(str(tmp_path / "map.png"), np.tile(np.arange(36, dtype=np.uint8), (24, 1)))
    foreign = run("render", photograph, *out, "--from-map", tmp_path / "map.png")
    assert "note: " in foreign[2] and "has no description" in foreign[2]
    assert "image description" not in foreign[2]  # 8 bits: not a map that lost it
    deep = np.tile(np.arange(36, dtype=np.uint16) * 9, (24, 1))
    cv2.imwrite(str(tmp_path / "map.tiff"), deep)
    lost = run("render", photograph, *out, "--from-map", tmp_path / "map.tiff")
    assert "let it keep the image description" in lost[2]
    (tmp_path / "s.json").write_text('[{"points": [[900, 20]], "width_px": 2}]')
    outside = run("render", photograph, *out, "--scribbles", tmp_path / "s.json")
    assert outside[0] == 2 and "outside of the picture" in outside[2]


def test_a_recipe_is_saved_and_renders_the_same(photograph, tmp_path, run):
    first, again = tmp_path / "first.png", tmp_path / "again.png"
    recipe = tmp_path / "r.toml"
    asked = ("--strength", 3, "--focus", "180,120", "--set", "bokeh.blades=6")
    code, _, err = run("render", photograph, "-o", first, "--save-recipe", recipe, *asked)
    assert code == 0 and "r.toml" in err
    assert run("render", photograph, "-o", again, "--recipe", recipe)[0] == 0
    assert again.read_bytes() == first.read_bytes()
    mapped = ("map", photograph, "-o", tmp_path / "m.npz", "--recipe", recipe)
    assert run(*mapped)[0] == 0
    from_map = ("--from-map", tmp_path / "m.npz", "--recipe", recipe, "--overwrite")
    assert run("render", photograph, "-o", again, *from_map)[0] == 0
    assert again.read_bytes() == first.read_bytes()
    code, _, err = run("render", photograph, "-o", recipe, "--recipe", recipe, "--overwrite",
                       "--format", "png")  # fmt: skip
    assert code == 5 and "is the input itself" in err
    recipe.write_text("format_version = 1\nprest = 'paper'")
    code, _, err = run("render", photograph, "-o", again, "--recipe", recipe)
    assert code == 2 and "did you mean 'preset'" in err


def test_settings_with_their_origins(tmp_path, run):
    (tmp_path / "c.toml").write_text("[dead_zone]\nmargin = 1.7\n")
    recipe = tmp_path / "r.toml"
    recipe.write_text("format_version = 1\npreset = 'paper'\n[params.radius]\nstrength = 3\n")
    given = ("--config", tmp_path / "c.toml", "--recipe", recipe, "--set", "bokeh.blades=6")
    code, out, _ = run("settings", *given)
    rows = {words[0]: words[1:] for words in map(str.split, out.splitlines())}
    assert code == 0 and len(rows) == sum(len(fields(kind)) for kind in SECTIONS.values())
    assert rows["radius.strength"] == ["3.0", "recipe", str(recipe)]
    assert rows["dead_zone.margin"] == ["1.7", "file", str(tmp_path / "c.toml")]
    assert rows["bokeh.blades"] == ["6", "person"]
    assert rows["propagate.solver"] == ["cg", "preset", "paper"]
    assert rows["radius.max_radius_px"] == ["120.0", "default"]
    _, out, _ = run("settings", *given, "--json", "--changed")
    changed = json.loads(out)
    assert changed["bokeh"] == {"blades": {"value": 6, "layer": "person", "name": ""}}
    assert "default" not in {each["layer"] for found in changed.values() for each in found.values()}


def test_settings_on_a_rung(run):
    set_by_hand = ("--set", "propagate.iterations=40")
    _, out, _ = run("settings", "--rung", "draft", "--changed", *set_by_hand)
    rows = {words[0]: words[1:] for words in map(str.split, out.splitlines())}
    assert rows["propagate.iterations"] == ["40", "person"]
    assert rows["propagate.bound_updates"] == ["1", "rung", "draft"]
    assert run("settings", "--rung", "drft")[0] == 2
    code, _, err = run("settings", "--rung", "draft", "--preset", "paper")
    assert code == 2 and "stills only" in err


def test_optics_of_the_paper(run):
    code, out, _ = run(
        "optics", "--focal", 4.48, "--fnumber", 2.8, "--sensor", "1/2.5", "--coc", 4.788,
        "--distance", 0.5, "--json",
    )  # fmt: skip
    facts = json.loads(out)
    assert code == 0
    assert facts["hyperfocal_m"] == pytest.approx(1.501, abs=1e-3)
    assert facts["background_sigma_px"] == pytest.approx(facts["background_blur_px"] / 4)
    assert run("optics", "--focal", 0, "--fnumber", 2.8)[0] == 2
    assert run("optics", "--focal", 4, "--fnumber", 2.8, "--sensor", "huge")[0] == 2
    assert run("optics", "--focal", 4, "--fnumber", 2.8, "--coc", -5)[0] == 2
    assert run("optics", "--focal", 4, "--fnumber", 2.8, "--distance", 0)[0] == 2
    assert run("optics", "--focal", 4, "--fnumber", 2.8, "--aspect", 0)[0] == 2


def test_graphs(run):
    _, out, _ = run("graph")
    assert [line.split()[0] for line in out.splitlines()] == list(graphs())
    _, text, _ = run("graph", "default", "check")
    assert "propagate" in text and "anytime" in text and "check:" in text
    _, chart, _ = run("graph", "direct", "--mermaid")
    assert chart.startswith("flowchart TD") and "upsample" not in chart
    _, both, _ = run("graph", "--mermaid")
    assert both.count("flowchart") == 1 and both.count("subgraph") == 2
    code, _, err = run("graph", "defult")
    assert code == 2 and "did you mean 'default'" in err


def test_doctor(run):
    code, out, _ = run("doctor", "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["versions"]["numpy"] == np.__version__
    assert facts["limits"]["max_pixels"] > 100_000_000


def test_demo(tmp_path, run, monkeypatch):
    pytest.importorskip("sklearn")
    small = night_portrait.night_portrait((240, 320))
    monkeypatch.setattr(night_portrait, "night_portrait", lambda: small)
    code, _, err = run("demo", "-o", tmp_path / "demo")
    assert code == 0 and str(tmp_path / "demo") in err
    told = [line for line in err.splitlines() if "compiling" not in line]
    assert len(told) <= 10 and told[0].startswith("camerapipe: flower: ")
    assert run("demo", "-o", tmp_path / "demo", "-q")[0] == 5
    made = {path.name for path in (tmp_path / "demo").iterdir()}
    kinds = ("capture.jpg", "bokeh.jpg", "sheet.jpg", "map.png", "report.json")
    assert made == {f"{name}_{kind}" for name in ("flower", "night") for kind in kinds}
    capture = np.asarray(Image.open(tmp_path / "demo" / "night_capture.jpg"))
    assert capture.shape == small.shape


@pytest.mark.parametrize("name", ["o" * 300 + ".jpg", "o" * 300 + "/"])
def test_a_name_that_is_too_long_is_told_as_an_output(run, photograph, tmp_path, name):
    code, _, err = run("render", photograph, "-o", f"{tmp_path}/{name}")
    assert code == 5 and err.count("\n") == 1 and "File name too long" in err


def test_control_characters_of_names_are_escaped(run, tmp_path):
    name = tmp_path / "a\nb\x1b[31m.jpg"
    name.write_bytes(b"\xff\xd8\xff")
    code, _, err = run("check", name)
    assert code == 3 and err.count("\n") == 1 and "a\\nb\\x1b[31m.jpg: " in err
