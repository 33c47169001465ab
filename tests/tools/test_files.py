"""Files of every kind come out right; a wrong one would be seen."""

import json
import shutil

import numpy as np
import pytest

KINDS = (
    "SDR codings", "written formats", "HDR signals", "gain maps", "which picture", "DNG", "depth",
    "damaged", "metadata", "video", "optics",
)  # fmt: skip


@pytest.fixture(scope="module")
def files(tool):
    return tool("subjects.files")


def test_all_kinds_are_tried(files):
    assert tuple(files.KINDS) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_every_case_is_right(files, tmp_path, kind):
    found = files.KINDS[kind](tmp_path)
    if not found.outcomes:
        pytest.skip(f"missing: {', '.join(found.missing)}")
    assert [outcome for outcome in found.outcomes if outcome.wrong] == []
    assert (found.colour_error or 0) <= 2 and (found.dng_error or 0) <= 1 / 4095
    assert found.lost == 0 and (found.depth_sigma_px or 0) <= 0.01


def test_wrong_colours_are_seen(tool, tmp_path, monkeypatch):
    colours, cases = tool("measures.file_colours"), tool("measures.file_cases")

    def darker(path, to, **how):
        capture = cases.open_capture(path)
        codes = np.rint(np.clip(capture.linear, 0, 1) * 200).astype(np.uint8)
        cases.Image.fromarray(codes).save(to)
        return capture

    monkeypatch.setattr(colours, "rendered", darker)
    found = colours.codings(tmp_path)
    assert all(outcome.wrong for outcome in found.outcomes) and found.colour_error > 10
    assert cases.off_by(np.array([1.0, 2.5]), 2) == "off by 2.5 codes"


def test_lost_and_changed_tags_are_seen(tool):
    lost = tool("measures.file_metadata")._lost
    before = {"IFD0:Artist": "A", "XMP-xmp:Rating": 4, "IPTC:By-line": "B", "File:Size": 1}
    assert set(lost(before, {"XMP:Rating": 5}, "")) == {
        "IFD0:Artist", "XMP-xmp:Rating", "IPTC:By-line",
    }  # fmt: skip
    kept = {"IFD0:Artist": "A", "XMP:Rating": 4}
    assert not list(lost(before, kept, "no place for: IPTC and image resources"))


def test_another_picture_is_seen(tool, tmp_path, monkeypatch):
    pictures = tool("measures.file_pictures")
    monkeypatch.setattr(pictures, "decoded", lambda data: np.zeros((48, 72, 3), np.uint8))
    names = {each.name for each in pictures.pictures(tmp_path).outcomes if each.wrong}
    assert {"animated, deep.png", "transparent.jpg"} <= names


def test_the_subject_counts(tool, files, tmp_path, monkeypatch):
    cases = tool("measures.file_cases")
    wrong = cases.Found([cases.Outcome("colours", "a", "off")], 3.0)
    monkeypatch.setattr(files, "KINDS", {"colours": lambda folder: wrong})
    found = files.measure(tool("bench").Context(tmp_path, quick=True))
    assert json.loads(json.dumps(found)) == {"files.wrong": 1.0, "files.colour_error_max": 3.0}


def test_absent_readers_are_missing(tool, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    found = tool("measures.file_metadata").metadata(tmp_path)
    assert found.outcomes == [] and len(found.missing) == 2
