"""The photograph that the demonstration and the gallery show; it comes with scikit-learn."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from camerapipe.extras import install

FLOWER = "datasets/images/flower.jpg"  # within scikit-learn; CC BY 2.0, credited in docs/gallery.md


def flower_path() -> Path:
    """Path of the photograph of a flower, 640x427 px.

    Raises
    ------
    FileNotFoundError
        If scikit-learn is not installed, with the command that installs it.
    """
    found = find_spec("sklearn")
    path = Path(found.origin).parent / FLOWER if found and found.origin else None
    if path is None or not path.is_file():
        raise FileNotFoundError(f"the photograph comes with scikit-learn: {install('demo')}")
    return path
