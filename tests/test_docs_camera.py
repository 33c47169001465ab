"""The examples of docs/camera.md run, and do what the text says."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "camera.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def played(number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    code = compile(EXAMPLES[number], "camera.md", "exec")
    with ThreadPoolExecutor(1) as pool:  # an event loop of another test may run in this thread
        pool.submit(exec, code, names).result()
    return names


def test_there_are_three_examples():
    assert len(EXAMPLES) == 3


def test_guidance_ends_in_a_shot(tmp_path, monkeypatch, capsys):
    names = played(0, tmp_path, monkeypatch)
    assert names["advice"].code == "shoot"
    assert names["shot"].blur_map is not None
    assert "good: shoot now: focused" in capsys.readouterr().out


def test_the_sharpest_of_a_focus_bracket_is_the_one_at_the_subject(tmp_path, monkeypatch):
    import camerapipe

    names = played(1, tmp_path, monkeypatch)
    assert names["sharpest"].metadata.focus_distance_dpt == pytest.approx(3.5, abs=0.05)
    opened = camerapipe.render(tmp_path / "sharpest.dng", preset="direct", force=True)
    assert opened.capture.meta.focal_length_mm.value == pytest.approx(4.48)


def test_the_best_of_a_burst_is_rendered(tmp_path, monkeypatch):
    names = played(2, tmp_path, monkeypatch)
    assert len(names["burst"]) == 6
    assert names["best"].metadata.sharpness == max(r.metadata.sharpness for r in names["burst"])
    assert names["shot"].image.shape == (192, 320, 3)


def test_command_lines_and_scripts_of_the_page_exist(tmp_path):
    import click

    from camerapipe.cli import cli
    from camerapipe.simulator.script import read_script

    command = cli.get_command(click.Context(cli), "simulate")
    known = {option for each in command.params for option in each.opts}
    for line in re.findall(r"^camerapipe simulate .*$", TEXT, re.MULTILINE):
        for word in line.split("#")[0].split():
            assert not word.startswith("-") or word in known, line
    (tmp_path / "steps.toml").write_text(re.search(r"```toml\n(.*?)```", TEXT, re.DOTALL)[1])
    script = read_script(tmp_path / "steps.toml")
    assert [step.at_frame for step in script.steps] == [30, 60]
    assert script.faults.stall_s(90) == pytest.approx(0.4)
