"""The door of the benchmarks: it lists its goals, and says what is missing instead of guessing."""

import json
import re
import subprocess
import sys
from pathlib import Path

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
