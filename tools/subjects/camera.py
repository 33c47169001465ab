"""A simulated camera: physics of its RAW frames, and 3A."""

from __future__ import annotations

import statistics
from typing import Any

from measures import camera_runtime, guidance_runs
from measures.camera_control import SCENERIES, auto_exposure, autofocus
from measures.camera_physics import SCENERIES as MADE
from measures.camera_physics import disks, fast_light, patches


def measure(context: Any) -> dict[str, float]:
    """Measure everything of a simulated camera."""
    parts = {"physics": physics, "control": control, "runtime": runtime, "guidance": guidance}
    found: dict[str, float] = {}
    for name, part in parts.items():
        if context.wants(name):
            found |= part(context)
    return found


def physics(context: Any) -> dict[str, float]:
    """Blur of point lights, and noise of grey walls."""
    found, greys = disks(), patches()
    rows = [[*disk, disk.measured_px - disk.formula_px] for disk in found]
    head = ["focus 1/m", "distance m", "formula px", "measured px", "error px"]
    context.table("diameters of disks", head, rows)
    head = ["gain", "code over black", "variance / model"]
    context.table("noise of grey walls", head, [list(patch) for patch in greys])
    made = fast_light(tuple(MADE)[:1] if context.quick else tuple(MADE))
    head = ["scenery", "focus 1/m", "PSNR dB"]
    context.table("fast light against the exact one", head, [list(each) for each in made])
    return {
        "camera.fast_db": min(each.psnr_db for each in made),
        "camera.truth_px": statistics.mean(abs(d.measured_px - d.formula_px) for d in found),
        "camera.noise_ratio": max((patch.ratio for patch in greys), key=lambda r: abs(r - 1)),
    }


def control(context: Any) -> dict[str, float]:
    """Frames until auto-exposure and autofocus have settled."""
    sceneries = SCENERIES[:1] if context.quick else SCENERIES
    exposed, focused = auto_exposure(sceneries), autofocus(sceneries)
    head = ["scenery", "change", "frames"]
    context.table("3A", head, [list(each) for each in (*exposed, *focused)])
    return {
        "camera.ae_frames": max(each.frames for each in exposed),
        "camera.af_frames": max(each.frames for each in focused),
    }


def runtime(context: Any) -> dict[str, float]:
    """Speed in virtual time, and replays to the byte."""
    speeds = camera_runtime.virtual_speeds(0.5 if context.quick else 1.0)
    context.table(
        "virtual over wall time", ["target", "ratio"], [list(each) for each in speeds.items()]
    )
    return {
        "camera.virtual_speed_metadata": speeds["metadata"],
        "camera.virtual_speed_picture": speeds["picture"],
        "camera.virtual_speed_preview": speeds["preview"],
        "camera.replay": camera_runtime.differing_bytes(),
    }


def guidance(context: Any) -> dict[str, float]:
    """A person who obeys the advice, on the seed that no rule was tuned on."""
    return guidance_runs.measure(context)
