"""camerapipe: one RAW or JPEG capture becomes a shallow depth-of-field photograph.

>>> import camerapipe
>>> shot = camerapipe.render("IMG_0042.DNG", strength=2.5, budget="2s")  # doctest: +SKIP
>>> shot.image, shot.blur_map.sigma, shot.findings, shot.report  # doctest: +SKIP
>>> shot.save("bokeh.jpg")  # doctest: +SKIP
"""

from __future__ import annotations

import importlib as _importlib
import typing as _typing

from camerapipe.version import __version__ as __version__

if _typing.TYPE_CHECKING:
    from camerapipe.api import check, render
    from camerapipe.budget import Budget
    from camerapipe.capture import Capture
    from camerapipe.errors import CaptureError, LimitError, OutputError, RequestError
    from camerapipe.ingest.saved_map import SavedMap
    from camerapipe.presets import Preset, add_estimator
    from camerapipe.recipe import Recipe
    from camerapipe.segmentation import SegmentationModel
    from camerapipe.session import Session
    from camerapipe.shot import Shot
    from camerapipe.simulator.camera import Camera
    from camerapipe.simulator.opening import open_camera
    from camerapipe.simulator.requests import CaptureControls, CaptureRequest, Target
    from camerapipe.simulator.scenes import Scene, make_scene
    from camerapipe.spreading import solve
    from camerapipe.stream.account import StreamReport
    from camerapipe.stream.opening import open_stream
    from camerapipe.stream.shown import Shown
    from camerapipe.stream.stream import Stream
    from stages.depth import DepthMap
    from stages.findings import Finding
    from stages.grid import BlurMap
    from stages.scribble import Scribble

# Where the public names are. They are imported when they are first used, so that the package itself
# is quick to import.
_HOMES = {
    "BlurMap": "stages.grid",
    "Budget": "camerapipe.budget",
    "Camera": "camerapipe.simulator.camera",
    "Capture": "camerapipe.capture",
    "CaptureControls": "camerapipe.simulator.requests",
    "CaptureError": "camerapipe.errors",
    "CaptureRequest": "camerapipe.simulator.requests",
    "DepthMap": "stages.depth",
    "Finding": "stages.findings",
    "LimitError": "camerapipe.errors",
    "OutputError": "camerapipe.errors",
    "Preset": "camerapipe.presets",
    "Recipe": "camerapipe.recipe",
    "RequestError": "camerapipe.errors",
    "SavedMap": "camerapipe.ingest.saved_map",
    "Scene": "camerapipe.simulator.scenes",
    "Scribble": "stages.scribble",
    "SegmentationModel": "camerapipe.segmentation",
    "Session": "camerapipe.session",
    "Shot": "camerapipe.shot",
    "Shown": "camerapipe.stream.shown",
    "Stream": "camerapipe.stream.stream",
    "StreamReport": "camerapipe.stream.account",
    "Target": "camerapipe.simulator.requests",
    "add_estimator": "camerapipe.presets",
    "check": "camerapipe.api",
    "make_scene": "camerapipe.simulator.scenes",
    "open_camera": "camerapipe.simulator.opening",
    "open_stream": "camerapipe.stream.opening",
    "render": "camerapipe.api",
    "solve": "camerapipe.spreading",
}
__all__ = [
    "BlurMap",
    "Budget",
    "Camera",
    "Capture",
    "CaptureControls",
    "CaptureError",
    "CaptureRequest",
    "DepthMap",
    "Finding",
    "LimitError",
    "OutputError",
    "Preset",
    "Recipe",
    "RequestError",
    "SavedMap",
    "Scene",
    "Scribble",
    "SegmentationModel",
    "Session",
    "Shot",
    "Shown",
    "Stream",
    "StreamReport",
    "Target",
    "add_estimator",
    "check",
    "make_scene",
    "open_camera",
    "open_stream",
    "render",
    "solve",
]


def __getattr__(name: str) -> _typing.Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names, imported or not."""
    return [*__all__, "__version__"]
