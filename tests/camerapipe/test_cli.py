"""The command line as a person meets it: in a process of its own where the exit matters."""

import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from camerapipe.cli import COMMANDS, main
from datasets.tiny_onnx import conv_model

GPS_IFD = 0x8825


def test_help_names_every_command(run):
    code, out, _ = run("--help")
    assert code == 0 and all(f"  {name} " in out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name, run):
    code, out, _ = run(name, "--help")
    assert code == 0 and "Usage" in out


def test_render_writes_picture_map_and_report(photograph, tmp_path, run):
    before = photograph.read_bytes()
    code, out, err = run(
        "render", photograph, "-o", tmp_path / "out.jpg", "--map", tmp_path / "map.tiff",
        "--report", tmp_path / "report.json", "--strength", 3,
    )  # fmt: skip
    assert (code, out) == (0, "")
    lines = [line for line in err.splitlines() if "compiling" not in line]
    assert len(lines) == 1 and "propagate" not in err
    assert "photo.jpg: defocus present; rendered at strength 3 in" in lines[0]
    assert "out.jpg, " in lines[0] and "map.tiff" in lines[0]
    assert cv2.imread(str(tmp_path / "out.jpg")).shape == (240, 360, 3)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["stages"][-1]["name"] == "write"
    assert photograph.read_bytes() == before


def test_the_map_renders_again(photograph, tmp_path, run):
    assert run("map", photograph, "-o", tmp_path / "map.tiff", "-q")[0] == 0
    code, _, err = run(
        "render", photograph, "-o", tmp_path / "again.png", "--from-map", tmp_path / "map.tiff"
    )
    assert code == 0 and "from the given map" in err


def test_several_inputs_and_one_that_is_bad(photograph, tmp_path, run):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"not a picture")
    good = tmp_path / "good.jpg"
    good.write_bytes(photograph.read_bytes())
    code, out, err = run("render", good, bad, photograph, "-o", tmp_path / "dir", "--json")
    assert code == 1
    first, second, third = json.loads(out)
    assert first["graph"] == third["graph"] == "default"
    assert second["exit_code"] == 3 and "bad.jpg" in second["error"]
    assert sorted(p.name for p in (tmp_path / "dir").iterdir()) == [
        "good_bokeh.jpg",
        "photo_bokeh.jpg",
    ]
    assert err.count("error:") == 1 and "bad.jpg" in err


def test_a_raw_and_its_jpeg_are_told_as_one_photograph(photograph, tmp_path, run):
    folder = tmp_path / "card"
    folder.mkdir()
    (folder / "DSC_1.jpg").write_bytes(photograph.read_bytes())
    (folder / "DSC_1.NEF").write_bytes(b"damaged")
    code, out, err = run("check", folder, "--pairs", "jpeg", "--json")
    assert code == 0 and json.loads(out)[0]["capture"].endswith("DSC_1.jpg")
    assert "1 file is passed over: the JPEG of each RAW+JPEG pair is used (see --pairs)" in err
    code, out, err = run("check", folder, "-q", "--json")
    assert code == 3 and json.loads(out)[0]["capture"].endswith("DSC_1.NEF")
    assert "passed over" not in err


def test_exit_codes(photograph, tmp_path, run):
    out, bad = tmp_path / "out.jpg", tmp_path / "bad.jpg"
    assert run("render", tmp_path / "absent.jpg", "-o", out)[0] == 3
    assert run("render", photograph, "-o", out, "--max-pixels", 100)[0] == 4
    assert run("render", photograph, "-o", photograph)[0] == 5
    assert run("render", photograph, "-o", tmp_path / "out.gif")[0] == 5
    assert run("render", photograph, "-o", tmp_path / "none" / "out.jpg")[0] == 5
    assert run("render", photograph, "-o", out, "--strength", 99)[0] == 2
    assert run("render", photograph, "-o", out, "--set", "blur.exat=1")[0] == 2
    assert run("render", photograph, "-o", out, "--budget", "soon")[0] == 2
    assert run("render", photograph, "-o", out, "--budget", "clean=1s")[0] == 2  # of `paper`
    assert run("render", photograph, "-o", out, "--focus", "9999,1")[0] == 2
    assert run("render", photograph, "-o", "")[0] == 2
    assert run("render", photograph, "-o", out, "--report", "-")[0] == 2
    assert run("render", photograph, bad, "-o", out)[0] == 2
    assert run("render", photograph, bad, "-o", "-")[0] == 2
    assert run("render", photograph, bad, "-o", tmp_path / "d", "--from-map", bad)[0] == 2
    assert run("render", photograph, "-o", out, "--format", "gif")[0] == 2
    assert run("render", photograph, "-o", out, "--format", "png")[0] == 2
    assert run("render", photograph, "-o", out, "--bits", "16")[0] == 2
    assert run("map", photograph, "-o", "-")[0] == 2
    assert run("render", photograph)[0] == 2
    assert run("graph", "nonsense")[0] == 2
    assert not out.exists()
    assert run("render", photograph, "-o", out, "-q")[0] == 0
    assert run("render", photograph, "-o", out, "-q")[0] == 5
    assert run("render", photograph, "-o", out, "-q", "--overwrite")[0] == 0


def test_strict_exit_codes(photograph, tmp_path, run):
    late = ("--budget", "1ms", "--strict-budget", "-q")
    code, _, err = run("render", photograph, "-o", tmp_path / "late.jpg", *late)
    assert code == 6 and "error" in err and "the budget was missed" in err
    assert (tmp_path / "late.jpg").is_file()
    flat = tmp_path / "flat.png"
    cv2.imwrite(str(flat), np.full((60, 80, 3), 90, np.uint8))
    code, _, err = run("render", flat, "-o", tmp_path / "flat_out.png", "--strict-check", "-q")
    assert code == 7 and "too_few_edges" in err
    assert "error" in err and "the check is negative" in err
    assert (tmp_path / "flat_out.png").read_bytes() == flat.read_bytes()
    assert run("check", flat, "--strict-check")[0] == 7
    assert run("check", photograph, "--strict-check")[0] == 0


def test_an_input_cannot_be_its_own_output_through_a_link(photograph, tmp_path, run):
    link = tmp_path / "link.jpg"
    os.symlink(photograph, link)
    before = photograph.read_bytes()
    code, _, err = run("render", photograph, "-o", link, "--overwrite")
    assert code == 5 and "input" in err
    assert photograph.read_bytes() == before


def test_two_inputs_of_one_name(photograph, tmp_path, run):
    for folder in ("A", "B"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "DSC_1.JPG").write_bytes(photograph.read_bytes())
    inputs = [tmp_path / folder / "DSC_1.JPG" for folder in ("A", "B", "A")]
    code, _, err = run("render", *inputs, "-o", tmp_path / "dir")
    assert code == 0 and err.count("rendered") == 2
    names = sorted(path.name for path in (tmp_path / "dir").iterdir())
    assert names == ["A_DSC_1_bokeh.jpg", "B_DSC_1_bokeh.jpg"]


def test_two_results_of_one_name(photograph, tmp_path, run):
    same = tmp_path / "same.png"
    code, _, err = run("render", photograph, "-o", same, "--map", tmp_path / "." / "same.png")
    assert code == 2 and "would both be written to" in err
    link = tmp_path / "elsewhere.png"
    link.symlink_to(same)
    assert run("render", photograph, "-o", same, "--map", link)[0] == 2


def test_a_raw_and_a_jpeg_of_one_stem(photograph, tmp_path, run):
    other = tmp_path / f"{photograph.stem}.DNG"
    other.write_bytes(photograph.read_bytes())
    assert run("render", photograph, other, "-o", tmp_path / "dir", "-q")[0] == 0
    names = sorted(path.name for path in (tmp_path / "dir").iterdir())
    assert names == ["photo_dng_bokeh.jpg", "photo_jpg_bokeh.jpg"]


def test_a_picture_on_stdout(photograph):
    done = subprocess.run(
        [sys.executable, "-m", "camerapipe", "render", str(photograph), "-o", "-", "-q"],
        capture_output=True,
        check=True,
    )
    picture = cv2.imdecode(np.frombuffer(done.stdout, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (240, 360, 3)


def test_a_reader_of_stdout_that_goes_away(photograph):
    done = subprocess.run(
        f"{sys.executable} -m camerapipe render {photograph} -o - -q | true",
        shell=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stderr == ""


@pytest.mark.parametrize("signal_name, code", [("SIGINT", 130), ("SIGTERM", 143)])
def test_interrupted_while_writing(photograph, tmp_path, signal_name, code):
    """The signal comes while the output is on its way to the disk: nothing of it may stay."""
    script = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # if a shell ignores it
        "from camerapipe.cli import main\n"
        "def fsync(handle):\n"
        f"    os.kill(os.getpid(), signal.{signal_name})\n"
        "    signal.pause()\n"
        "os.fsync = fsync\n"
        "main(sys.argv[1:])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "render", photograph, "-o", tmp_path / "out.jpg", "-q"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == code and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_verbose_shows_the_traceback_and_the_parameters(photograph, tmp_path, capfd):
    for source, shown in (
        (tmp_path / "absent.jpg", ["Traceback"]),
        (photograph, ["strength=", "propagate", "info", "[defocus_present]"]),
    ):
        with pytest.raises(SystemExit):
            main(["render", str(source), "-o", str(tmp_path / "v.jpg"), "-v"])
        err = capfd.readouterr().err
        assert all(word in err for word in shown)


def test_names_that_look_like_markup(photograph, tmp_path, run):
    plain = tmp_path / "a b [red] ü.jpg"
    plain.write_bytes(photograph.read_bytes())
    code, _, err = run("render", plain, "-o", tmp_path / "out.jpg")
    assert code == 0 and "[red] ü" in err


def test_a_map_says_what_was_found(tmp_path, run):
    flat = tmp_path / "flat.png"
    cv2.imwrite(str(flat), np.full((60, 80, 3), 90, np.uint8))
    code, out, err = run("map", flat, "-o", tmp_path / "map.npz", "--json", "--budget", "1s")
    assert code == 0 and "[too_few_edges]" in err
    assert json.loads(out)["findings"][0]["code"] == "too_few_edges"
    code, _, err = run("render", flat, "-o", tmp_path / "f.png", "--map", tmp_path / "f.tiff")
    assert code == 0 and "no blur map was estimated" in err


def test_coarse_and_sparse_maps_from_files(photograph, tmp_path, run):
    sigma = np.full((120, 180), 2.0, np.float32)
    grid = {"step": 2, "phase": 0.5, "unit": "sigma_px"}
    for name, confidence, code in (("dense", np.ones_like(sigma), 0), ("sparse", 0 * sigma, 2)):
        path = tmp_path / f"{name}.npz"
        np.savez(path, sigma=sigma, confidence=confidence, **grid)
        out = tmp_path / f"{name}.jpg"
        assert run("render", photograph, "-o", out, "--from-map", path)[0] == code


def test_scribbles_from_a_file(photograph, tmp_path, run):
    strokes = tmp_path / "strokes.json"
    strokes.write_text('[{"points": [[20, 20], [60, 30]], "width_px": 12, "kind": "sharp"}]')
    for command, out in (("render", "out.jpg"), ("map", "out.tiff")):
        code, _, _ = run(command, photograph, "-o", tmp_path / out, "--scribbles", strokes)
        assert code == 0
    strokes.write_text('[{"points": [[20, 20]], "width_px": 12, "kind": "sharpish"}]')
    code, _, err = run("render", photograph, "-o", tmp_path / "no.jpg", "--scribbles", strokes)
    assert code == 2 and "strokes.json" in err and "sharpish" in err


def test_a_foreground_mask_changes_what_is_in_front(photograph, tmp_path, run):
    mask = np.zeros((120, 180), np.uint8)
    mask[:, :40] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    for name, more in (("plain", ()), ("front", ("--foreground", tmp_path / "mask.png"))):
        out = tmp_path / f"{name}.png"
        assert run("render", photograph, "-o", out, "-q", "--strength", 3, *more)[0] == 0
    plain, front = (cv2.imread(str(tmp_path / f"{n}.png")).astype(int) for n in ("plain", "front"))
    assert np.abs(plain - front)[:, 60:100].max() > 4  # light of the foreground reaches over
    np.testing.assert_array_equal(plain[:, 300:], front[:, 300:])
    (tmp_path / "bad.png").write_bytes(b"no")
    bad = run("render", photograph, "-o", tmp_path / "x.png", "--foreground", tmp_path / "bad.png")
    assert bad[0] == 3


def test_protection_from_files(photograph, tmp_path, run):
    mask = np.zeros((120, 180), np.uint8)
    mask[30:90, 40:140] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    (tmp_path / "m.onnx").write_bytes(conv_model([[0, 0, 0]], [0], (32, 32)))
    model = ("--protect-model", tmp_path / "m.onnx", "--protect-input", "32x32")
    asked = ("--protect", tmp_path / "mask.png", "--subject", "40,30,100,60", *model)
    for command, out in (("render", "out.jpg"), ("map", "out.tiff")):
        assert run(command, photograph, "-o", tmp_path / out, *asked)[0] == 0
    saved = ("--save-recipe", tmp_path / "r.toml")
    assert run("render", photograph, "-o", tmp_path / "a.png", *asked, *saved)[0] == 0
    text = (tmp_path / "r.toml").read_text()
    assert 'protect = "mask.png"' in text and 'path = "m.onnx"' in text and "subject" in text
    again = run("render", photograph, "-o", tmp_path / "b.png", "--recipe", tmp_path / "r.toml")
    assert again[0] == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    "asked, code, said",
    [
        (("--protect", "black.png"), 3, "black everywhere"),
        (("--protect", "wide.png"), 3, "another shape"),
        (("--protect", "none.png"), 3, "does not exist"),
        (("--subject", "900,0,50,50"), 2, "subject: expected X,Y,W,H within"),
        (("--subject", "1,2,3"), 2, "--subject: expected X,Y,W,H"),
        (("--protect-model", "wide.png"), 3, "is no ONNX or TFLite model"),
        (("--protect-model", "m.onnx", "--protect-class", "1"), 2, "has the classes 0 to 0"),
        (("--protect-model", "m.onnx", "--protect-input", "30"), 2, "expected WxH in pixels"),
        (("--protect-model", "m.onnx", "--protect-mean", "1,2"), 2, "mean must be one or three"),
        (("--protect-input", "9x9"), 2, "--protect-input belongs to --protect-model"),
    ],
)
def test_protection_that_cannot_be_used_is_said_in_a_line(
    photograph, tmp_path, run, asked, code, said
):
    cv2.imwrite(str(tmp_path / "black.png"), np.zeros((120, 180), np.uint8))
    cv2.imwrite(str(tmp_path / "wide.png"), np.full((20, 180), 255, np.uint8))
    (tmp_path / "m.onnx").write_bytes(conv_model([[1, 0, 0]], [0], (32, 32)))
    files = [tmp_path / each if each.endswith((".png", ".onnx")) else each for each in asked]
    found, _, err = run("render", photograph, "-o", tmp_path / "out.png", *files)
    assert found == code and said in err and err.strip().count("\n") == 0, err
    assert not (tmp_path / "out.png").exists()
