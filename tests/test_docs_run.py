"""Every example of README.md and docs/ runs as printed, in a folder that has the files it names.

The examples run in a process of their own in another folder, without pytest's path. What is not run
here stands in `EXCEPTIONS`, with the reason; each is used, and their number is known.
"""

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from camerapipe.synthetic import synthetic_frame
from datasets.depth_files import depth_scene, jpeg
from datasets.heif_files import heic_with_auxiliary
from datasets.synthetic_raw import sample_mosaic, write_dng
from stages.tone import linearise

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
HEIC_DEPTH = b"urn:mpeg:hevc:2015:auxid:2"
LANGUAGES = {"sh", "python", "json", "toml"}
EXCEPTIONS = {  # a part of an example: why it is not run here; a file that is named exists
    "make ": "sets an environment up and runs everything",
    "pip install": "sets an environment up",
    "camerapipe serve": "runs until it is stopped; tests/camerapipe/test_web_serving.py",
    "camerapipe watch": "runs until it is stopped; tests/camerapipe/test_batch_watching.py",
    "camerapipe stream 0": "needs a camera",
    "camerapipe demo": "12 MP; tests/camerapipe/test_cli_commands.py runs it smaller",
    "--cluster tcp": "needs machines; tests/camerapipe/test_batch_cluster.py",
    "s3://": "needs a bucket; tests/camerapipe/test_batch_places.py has one",
    "python tools/gallery.py": "takes a minute; tests/tools/test_gallery.py has its parts",
    "python tools/peers.py": "takes minutes; tests/tools/test_peers.py",
    "open_camera(": "tests/test_docs_camera.py runs it, and looks at what it gives",
}
NOT_RUN = 36


def blocks(page):
    """Language and text of every block of code of a page."""
    fence = re.compile(r"^( *)```([\w{}]*)[^\n]*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
    for _, language, body in fence.findall(page.read_text()):
        if language and not language.startswith("{"):
            yield language, textwrap.dedent(body)


def examples(page):
    """Language and text of every example: a line of a shell, or a block of Python."""
    for language, body in blocks(page):
        if language == "sh":
            for line in body.replace("\\\n", " ").splitlines():
                if text := line.split(" #")[0].strip():
                    yield language, text
        elif language == "python":
            yield language, body


def reason(text):
    return next((why for part, why in EXCEPTIONS.items() if part in text), None)


def block_of(page, language):
    return next(body for found, body in blocks(ROOT / "docs" / page) if found == language)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """A folder with every file that examples name; photographs have 640x427 px."""
    from camerapipe.samples import flower_path

    pytest.importorskip("sklearn", reason="the extra `demo` is absent")
    folder = tmp_path_factory.mktemp("examples")
    flower = np.asarray(Image.open(flower_path()))
    height, width = flower.shape[:2]
    (folder / "photo.jpg").write_bytes(jpeg(flower))
    small = cv2.resize(flower, (320, 214), interpolation=cv2.INTER_AREA)
    for place in ("photos/a.jpg", "photos/b.jpg", "photos/more/c.jpg", "card/DSC_1.jpg",
                  "inbox/a.jpg", "shots/a.jpg", "shots/b.jpg"):  # fmt: skip
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(jpeg(small))
    mosaic = sample_mosaic(linearise(small))
    for place in ("photo.dng", "card/DSC_1.dng"):
        write_dng(folder / place, mosaic)
    inside = np.zeros((height, width), np.uint8)
    cv2.ellipse(inside, (330, 210), (150, 150), 0, 0, 360, 255, -1)
    cv2.imwrite(str(folder / "mask.png"), inside)
    depth = depth_scene((240, 320))
    nearness = np.rint(255 * depth.depth_m.min() / depth.depth_m).astype(np.uint8)
    heic = heic_with_auxiliary(depth.picture, nearness, urn=HEIC_DEPTH)
    (folder / "photo.heic").write_bytes(heic)
    _write_depth(folder / "z.exr", np.where(inside > 0, 1.2, 4.0).astype(np.float32))
    frames = [synthetic_frame("pull", k, (180, 320)).picture for k in range(6)]
    clip = cv2.VideoWriter(
        str(folder / "clip.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 25, (320, 180)
    )
    for frame in frames:
        clip.write(np.ascontiguousarray(frame[..., ::-1]))
    clip.release()
    (folder / "strokes.json").write_text(block_of("guides/corrections.md", "json"))
    (folder / "camera.toml").write_text(block_of("reference/parameters.md", "toml"))
    (folder / "steps.toml").write_text(block_of("camera.md", "toml"))
    (folder / "scene.toml").write_text('scenery = "portrait"\nsubject_m = 0.8\nlux = 300\n')
    return folder


def _write_depth(path, metres):
    exr = pytest.importorskip("OpenEXR", reason="the extra `exr` is absent")
    header = {"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}
    exr.File(header, {"Z": metres}).write(str(path))


@pytest.fixture(scope="module")
def player(samples):
    """Ask the process that runs examples: gives None, or a failure."""
    process = subprocess.Popen(
        [sys.executable, "-P", str(ROOT / "tests" / "docs_player.py")],
        cwd=samples, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, env=os.environ | {"XDG_CACHE_HOME": str(samples / "cache")},
    )  # fmt: skip

    def ask(page):
        process.stdin.write(json.dumps(page) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    with process:  # waits for its end, and closes its pipes
        yield ask


def first_time():
    """Examples of each page that no page before it has, without exceptions."""
    seen = set()
    for page in PAGES:
        new = [each for each in examples(page) if each not in seen and not reason(each[1])]
        seen.update(new)
        if new:
            yield pytest.param(new, id=str(page.relative_to(ROOT)))


@pytest.mark.parametrize("page", [*first_time()])
def test_examples_run_as_printed(page, player):
    failure = player(page)
    assert failure is None, failure


def test_what_is_not_run_has_a_reason_and_is_counted():
    left_out = [(text, reason(text)) for page in PAGES for _, text in examples(page)]
    left_out = [(text, why) for text, why in left_out if why]
    assert {part for part in EXCEPTIONS if not any(part in text for text, _ in left_out)} == set()
    for _, why in left_out:
        for name in re.findall(r"tests/[\w/.]+", why):
            assert (ROOT / name).exists(), name
    assert len(left_out) == NOT_RUN


def test_every_block_is_of_a_language_that_is_run_or_read():
    assert {language for page in PAGES for language, _ in blocks(page)} == LANGUAGES


def test_commands_of_help_texts_and_messages_exist():
    """Commands that the code prints: names, and options of those that are written in full."""
    import click

    from camerapipe.cli import cli

    found = set()
    for path in (ROOT / "camerapipe").rglob("*.py"):
        found.update(re.findall(r"(?:`|: )camerapipe ([a-z]+)([^`\"\n]*)", path.read_text()))
    assert {"render", "settings", "report", "graph"} <= {name for name, _ in found}
    for name, rest in found:
        known = cli.get_command(click.Context(cli), name)
        assert known is not None, name
        options = {o for each in known.params for o in (*each.opts, *each.secondary_opts)}
        assert {w for w in rest.split() if w.startswith("-")} <= options | {"--help"}, (name, rest)
