"""What a viewfinder can show: its sources, and the streams that are opened from them.

Pages name sources by numbers of a list that the server makes: a page cannot name a path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from camerapipe.errors import RequestError, hint
from camerapipe.ingest import DEFAULT_MAX_PIXELS
from camerapipe.levels import LADDER
from camerapipe.optics import SENSORS, lens_facts, sensor_diagonal_mm
from camerapipe.simulator.opening import DEFAULT_DEVICE
from camerapipe.simulator.scenes import is_scene
from camerapipe.stream.opening import StreamInput, open_stream
from camerapipe.stream.profile import profile_names
from camerapipe.stream.recorded import RECORDING
from camerapipe.stream.sources import SYNTHETIC
from camerapipe.stream.stream import Stream
from camerapipe.synthetic import SCENES
from camerapipe.web.live import Live, Opening
from camerapipe.web.simulated import SimulatedStream
from stages.bokeh import RadiusParams
from stages.forward import SCENERIES
from stages.optics import Lens

CAMERA, GIVEN = "camera", "given"  # ids of sources; others are a prefix and a name
SIMULATED = "simulate:"  # prefix of a scene before a simulated camera
RECORDINGS = Path("camerapipe-recordings")
FOLDER_FPS = 2.0  # rate at which the photographs of a folder are shown
DEFAULT_BUDGET_MS = 66.0
SIMULATED_SIZE = (640, 360)  # px; scene, sensor and effect are all computed here
CAMERA_OPTIONS = ("preset", "config", "overrides", "strength", "budget", "rung", "force")


@dataclass(slots=True)
class Views:
    """The sources of a viewfinder, and the options of its streams.

    Parameters
    ----------
    given : str, optional
        A source that a person named on the command line, as for `open_stream`.
    options : mapping
        Further options of `open_stream`.
    max_pixels : int
        Larger frames are refused.
    recordings : Path
        Folder of the recordings of this viewfinder, which can be shown again.
    """

    given: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    max_pixels: int = DEFAULT_MAX_PIXELS
    recordings: Path = RECORDINGS

    def about(self) -> dict[str, Any]:
        """What a page can choose from, as plain data."""
        strength = next(each for each in fields(RadiusParams) if each.name == "strength")
        return {
            "sources": self.sources(),
            "profiles": profile_names(),
            "device": DEFAULT_DEVICE,
            "simulated": [GIVEN] if self.given and is_scene(self.given) else [],
            "rungs": [rung.name for rung in LADDER],
            "sensors": list(SENSORS),
            "budget_ms": DEFAULT_BUDGET_MS,
            "strength": {
                "value": strength.default,
                **{key: strength.metadata[key] for key in ("low", "high", "help")},
            },
        }

    def opening(self, wish: Mapping[str, Any]) -> Opening:
        """How the stream of a wish is opened.

        Raises
        ------
        RequestError
            If the wish names something that does not exist.
        """
        number, known = wish.get("source"), [each["id"] for each in self.sources()]
        if number not in known:
            raise RequestError(f"source {number!r} does not exist{hint(str(number), known)}")
        text = str(self.given if number == GIVEN else number)
        if text.startswith(RECORDING) and number != GIVEN:
            text = f"{RECORDING}{self.recordings / text.removeprefix(RECORDING)}"
        options = {**self.options, **changes_of(wish)}
        if number.startswith(SIMULATED) or (number == GIVEN and is_scene(text)):
            return self._simulated(text.removeprefix(SIMULATED), wish, options)

        def opened(live: Live) -> Stream:
            source: StreamInput = text if live.feed is None else live.feed
            profile = wish.get("profile") or None
            rate = FOLDER_FPS if Path(text).is_dir() else None
            return open_stream(
                source,
                live.pace if profile else None,
                policy="latest",
                fps=rate,
                profile=profile,
                observe=live.observe,
                max_pixels=self.max_pixels,
                **options,
            )

        return opened

    def _simulated(
        self, scene: str, wish: Mapping[str, Any], options: Mapping[str, Any]
    ) -> Opening:
        """How a simulated camera before a scene is opened."""
        own = {name: options[name] for name in CAMERA_OPTIONS if name in options}
        later = {name: options[name] for name in ("distance_m", "lens") if name in options}

        def opened(live: Live) -> SimulatedStream:
            stream = SimulatedStream(
                wish.get("profile") or DEFAULT_DEVICE, scene,
                size=options.get("size", SIMULATED_SIZE), observe=live.observe, pace=live.pace,
                max_pixels=self.max_pixels, **own,
            )  # fmt: skip
            stream.change(**later)
            return stream

        return opened

    def sources(self) -> list[dict[str, str]]:
        """What a page can choose from, by id."""
        scenes = [
            {"id": f"{SYNTHETIC}{name}", "label": f"Synthetic scene: {name}"} for name in SCENES
        ]
        given = [{"id": GIVEN, "label": Path(self.given).name}] if self.given else []
        simulated = [
            {"id": f"{SIMULATED}{name}", "label": f"Simulated camera: {name}"} for name in SCENERIES
        ]
        return [
            *given, {"id": CAMERA, "label": "Camera of this browser"}, *self.recorded(),
            *simulated, *scenes,
        ]  # fmt: skip

    def recorded(self) -> list[dict[str, str]]:
        """The recordings as sources, the newest first."""
        folders = sorted(self.recordings.glob("recording-*/run.json"), reverse=True)
        return [
            {"id": f"{RECORDING}{path.parent.name}", "label": f"Recording: {path.parent.name}"}
            for path in folders
        ]


def changes_of(wish: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a stream that a page may set, and change while it runs.

    Raises
    ------
    RequestError
        If a value has another form.
    """
    changes: dict[str, Any] = {}
    if "strength" in wish:
        changes["strength"] = _number("strength", wish["strength"])
    if "budget_ms" in wish:
        limit_ms = wish["budget_ms"]
        changes["budget"] = None if limit_ms is None else _number("budget", limit_ms) / 1000
    if "rung" in wish:
        changes["rung"] = wish["rung"] or None
    if "distance_m" in wish:
        distance_m = wish["distance_m"]
        changes["distance_m"] = None if distance_m is None else _number("distance", distance_m)
    if "lens" in wish:
        changes["lens"] = None if wish["lens"] is None else lens_of(wish["lens"])
    lens, distance_m = changes.get("lens"), changes.get("distance_m")
    if lens is not None and distance_m is not None:
        facts_of(lens, distance_m, (1, 1))  # refuses a distance within the lens
    if "force" in wish:
        changes["force"] = wish["force"] is True
    return changes


def lens_of(typed: Mapping[str, Any]) -> Lens:
    """A lens that a person typed; `RequestError` says what is wrong with it."""
    try:
        return Lens(
            focal_length_mm=_number("focal length", typed["focal_mm"]),
            f_number=_number("f-number", typed["f_number"]),
            sensor_diagonal_mm=sensor_diagonal_mm(str(typed["sensor"])),
        )
    except (LookupError, TypeError) as error:
        raise RequestError(f"lens: {error} is missing") from None
    except RequestError:
        raise
    except ValueError as error:
        raise RequestError(str(error)) from None


def facts_of(lens: Lens, distance_m: float | None, shape: tuple[int, int]) -> dict[str, float]:
    """What a lens does (`lens_facts`); `RequestError` if the distance is within it."""
    try:
        return lens_facts(lens, distance_m, shape)
    except ValueError as error:
        raise RequestError(str(error)) from None


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RequestError(f"{name}: expected a number; got {value!r}")
    return float(value)
