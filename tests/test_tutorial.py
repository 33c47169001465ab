"""The notebook of the tutorial runs from top to bottom, and its experiments come out as it says."""

import json
import subprocess
import sys
from pathlib import Path

NOTEBOOK = Path(__file__).resolve().parents[1] / "docs" / "guides" / "tutorial.ipynb"
CHECKS = """
assert errors["default"] < errors["paper"]
assert error_px(dense) < 0.75 * error_px(np.full_like(truth, nearest))
assert curves["two_level"][19][1] < 0.1 * curves["cg"][99][1]
"""


def test_the_notebook_runs(tmp_path):
    """In a process of its own and in another folder, as a person would run it."""
    notebook = json.loads(NOTEBOOK.read_text())
    assert notebook["nbformat"] == 4
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] for cell in cells)
    backend = "import importlib.util as u\nif u.find_spec('matplotlib'):\n"
    backend += "    import matplotlib; matplotlib.use('agg')\n"
    script = backend + "\n".join("".join(cell["source"]) for cell in cells) + CHECKS
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "two_level" in done.stdout
