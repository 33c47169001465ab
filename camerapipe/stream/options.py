"""Options of a stream: the values that a person or an app may set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from camerapipe.arguments import workers_of
from camerapipe.assembly import Request, shape_of
from camerapipe.budget import Budget, BudgetError
from camerapipe.capture import Capture, CaptureMeta
from camerapipe.errors import RequestError, hint
from camerapipe.levels import LADDER
from camerapipe.live import LIVE, LIVE_CARRY, LIVE_CHECK, LIVE_FULL, LIVE_SEE
from camerapipe.optics import meta_of
from camerapipe.presets import LENS, PRESETS
from camerapipe.recipe import Recipe
from camerapipe.settings import Settings
from camerapipe.stream.line import DropPolicy, Rules
from camerapipe.stream.policy import CHECK
from camerapipe.stream.profile import SPEEDS, Profile
from camerapipe.stream.sources import SYNTHETIC_FPS
from stages.optics import Lens
from stages.scribble import Scribble

STUCK_S = 30.0
MAX_BYTES = 2e9
IN_FLIGHT = {"block": 4, "latest": 2}  # frames


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOptions:
    """Options of a stream; all but the settings have a default.

    Raises
    ------
    RequestError
        If something does not exist for streams (the preset, the rung, a stage with a budget, a mask
        of the foreground), or a value is out of range.
    """

    settings: Settings
    budget: Budget = Budget()
    policy: DropPolicy = "block"
    in_flight: int | None = None  # frames; None: IN_FLIGHT
    max_bytes: float = MAX_BYTES  # of the frames in flight
    frames: int | None = None  # end after this many
    stuck_s: float = STUCK_S  # a frame that takes a stage longer has failed
    rung: str | None = None  # always this one; None: the best that the budget allows
    profile: Profile | None = None  # simulate this device; None: measure on this machine
    place: float = SPEEDS["typical"]  # in the range of the profile's scales
    seed: int = 0
    distance_m: float | None = None
    lens: Lens | None = None  # overrides that of the frames; None: that of the frames or the device
    focus_point: tuple[float, float] | None = None
    scribbles: tuple[Scribble, ...] = ()
    force: bool = False
    recipe: Recipe | None = None  # its parameters are in the settings; see `fitted` for the rest
    workers: int | None = None  # threads that compute; None: those of the process

    def __post_init__(self) -> None:
        _check_preset(self.settings)
        if self.rung is not None and self.rung not in (names := [rung.name for rung in LADDER]):
            raise RequestError(f"rung {self.rung!r} does not exist{hint(self.rung, names)}")
        _check_stages(self.budget)
        workers_of(self.workers)
        if self.recipe is not None and self.recipe.foreground is not None:
            raise RequestError(
                f"{self.recipe.name}: foreground: a mask belongs to one photograph; a stream takes "
                "focus point, scribbles and parameters of a recipe"
            )

    @property
    def names_places(self) -> bool:
        """Whether a focus point or scribbles are given, which have to fit the frames."""
        points = [self.focus_point, self.recipe.focus_point if self.recipe else None]
        strokes = self.scribbles or (self.recipe.scribbles if self.recipe else ())
        return bool(strokes) or any(point is not None for point in points)

    def fitted(self, first: Capture) -> Self:
        """Options with focus point and scribbles of the recipe, scaled to the size of a frame.

        A focus point that is given beside the recipe overrides its own; scribbles follow its own.

        Raises
        ------
        RecipeError
            If the recipe was made for a picture of another shape.
        """
        if self.recipe is None:
            return self
        height, width = shape_of(first)
        recipe = self.recipe.fitted((width, height))
        return replace(
            self,
            recipe=None,
            focus_point=recipe.focus_point if self.focus_point is None else self.focus_point,
            scribbles=(*recipe.scribbles, *self.scribbles),
        )

    @property
    def request(self) -> Request:
        """What is asked of every frame."""
        return Request(
            settings=self.settings,
            budget=self.budget,
            focus_point=self.focus_point,
            distance_m=self.distance_m,
            scribbles=self.scribbles,
            force=self.force,
        )

    @property
    def meta(self) -> CaptureMeta | None:
        """Metadata of the given lens, else of a simulated device; None if neither is known."""
        if self.lens is not None:
            return meta_of(self.lens)
        return self.profile.meta() if self.profile else None

    @property
    def nearest_focus_m(self) -> float:
        """Nearest distance at which the lens of a simulated device can focus; 0 if unknown."""
        return self.profile.lens.nearest_focus_m if self.profile else 0.0

    @property
    def sensor_fps(self) -> float:
        """Rate of a synthetic scene."""
        return self.profile.sensor.fps if self.profile else SYNTHETIC_FPS

    @property
    def rules(self) -> Rules:
        """Limits of the line."""
        return Rules(
            policy=self.policy,
            max_in_flight=IN_FLIGHT.get(self.policy, 1)
            if self.in_flight is None
            else self.in_flight,
            max_bytes=self.profile.memory_mb * 1e6 if self.profile else self.max_bytes,
            source_timeout_s=self.stuck_s,
        )


def _check_preset(settings: Settings) -> None:
    preset = settings.preset
    if not preset.live:
        live = ", ".join(repr(each.name) for each in PRESETS.values() if each.live)
        raise RequestError(
            f"preset {preset.name!r} is for photographs only: it has no graphs for streams; "
            f"choose {live} for a stream, or render single frames with it"
        )
    if settings.look != LENS:
        raise RequestError(
            f"look {settings.look!r} is for photographs only: leave it out for a stream"
        )


def _check_stages(budget: Budget) -> None:
    graphs = (LIVE_SEE, LIVE_CHECK, LIVE, LIVE_CARRY, LIVE_FULL)
    known = {CHECK} | {node.name for graph in graphs for node in graph.nodes}
    for name in budget.stages_ms:
        if name not in known:
            raise BudgetError(f"budget: a stream has no stage {name!r}{hint(name, sorted(known))}")
