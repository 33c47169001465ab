"""The door of the benchmarks: it lists its goals, and says what is missing instead of guessing."""

import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


def bench(*args):
    command = [sys.executable, str(TOOLS / "bench.py"), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_every_goal_names_a_subject_that_exists():
    rows = re.findall(r"^ +(\w+)\.(\S+) +(\w+)", bench("--list"), re.MULTILINE)
    assert rows and len(rows) == len({row[:2] for row in rows})
    for _, _, subject in rows:
        assert (TOOLS / "subjects" / f"{subject}.py").is_file(), subject


def test_absent_data_is_reported_and_never_a_number(tmp_path):
    out = bench("e2e", "--quick", "--data", tmp_path, "--json", tmp_path / "out.json")
    assert "missing: picture photos/dandelion_16mp.jpg" in out
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["subject"] == "e2e" and found["results"] == {}
    assert len(found["missing"]) == 3 and found["machine"]["cores"] >= 1


@pytest.mark.slow
def test_published_sets_that_are_absent_are_missing_and_own_copies_are_measured(tmp_path):
    out = bench("public", "--data", tmp_path)
    assert all(f"missing: {name} in {tmp_path / 'blur_gt'}" in out for name in ("RTF", "masks"))
    (tmp_path / "own" / "masks").mkdir(parents=True)
    picture = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    picture[:, 80:] = cv2.GaussianBlur(picture[:, 80:], (0, 0), 3)
    mask = np.repeat(np.uint8([[0, 255]]), 120, axis=0).repeat(80, axis=1)
    cv2.imwrite(str(tmp_path / "own" / "masks" / "cuhk_1.png"), picture)
    cv2.imwrite(str(tmp_path / "own" / "masks" / "cuhk_1_mask.png"), mask)
    bench("public", "--copies", tmp_path / "own", "--json", tmp_path / "out.json")
    found = json.loads((tmp_path / "out.json").read_text())["results"]
    assert found.keys() == {"public.masks_f", "public.masks_f_choosing"}
    assert 0.9 < found["public.masks_f"] <= 1
