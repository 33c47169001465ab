"""Tools are run from their folder, not installed: their rooms are imported as they import."""

import sys
from importlib import import_module
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
PACKAGES = ("measures", "subjects", "goals", "bench", "contact_sheet", "fuzz", "gallery",
            "problems", "quick")  # fmt: skip


@pytest.fixture(scope="module")
def tool():
    """Import a room of the tools by its name; all are forgotten after the module's tests."""
    sys.path.insert(0, str(TOOLS))
    yield import_module
    sys.path.remove(str(TOOLS))
    for name in [name for name in sys.modules if name.split(".")[0] in PACKAGES]:
        del sys.modules[name]
