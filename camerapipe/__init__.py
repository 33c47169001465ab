"""camerapipe: one RAW or JPEG capture becomes a shallow depth-of-field photograph.

>>> import camerapipe
>>> shot = camerapipe.render("IMG_0042.DNG", strength=2.5, budget="2s")  # doctest: +SKIP
>>> shot.image, shot.blur_map.sigma, shot.findings, shot.report  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from camerapipe.version import __version__ as __version__

if TYPE_CHECKING:
    from camerapipe.api import check, open_stream, render
    from camerapipe.capture import Capture, CaptureError, LimitError, OutputError, Shot

__all__ = [
    "Capture",
    "CaptureError",
    "LimitError",
    "OutputError",
    "Shot",
    "check",
    "open_stream",
    "render",
]

_HOMES = dict.fromkeys(("check", "open_stream", "render"), "camerapipe.api")


def __getattr__(name: str) -> Any:
    """Import the public names when they are first used: the package itself is quick to import."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "camerapipe.capture")), name)
