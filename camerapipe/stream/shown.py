"""Frames of a stream before and after the viewfinder: plain data."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from camerapipe.assembly import Request, megapixels_of
from camerapipe.budget import Budget
from camerapipe.capture import Capture, CaptureMeta
from camerapipe.pipelines import PASS_THROUGH
from camerapipe.report import Caveat, StageReport, caveats_of
from camerapipe.stream.policy import CHECK, PolicyState
from stages.advice import Advice, AdviceState
from stages.findings import Finding
from stages.grid import BlurBounds, BlurMap
from stages.params import Array
from stages.steady import Memory
from stages.tone import to_codes

CONTENDED = 1.2  # from this ratio of wall to CPU time on, a frame says nothing about the stream
CARRIED = "carried"  # instead of the name of a check level


class Frame(NamedTuple):
    """A developed frame.

    Attributes
    ----------
    seq : int
        Its number.
    capture : Capture
        Its pixels and metadata.
    origin : Path or None
        The file that it comes from, if it has a file of its own.
    at_s : float or None
        When it was filmed, in seconds after the first frame; None if that is unknown, as for
        pictures that were taken one by one.
    focusing : bool
        Autofocus was searching, so that its sharpness says nothing about the picture to be taken.
    plain : bool
        It is shown with advice, but without lens blur.
    """

    seq: int
    capture: Capture
    origin: Path | None = None
    at_s: float | None = None
    focusing: bool = False
    plain: bool = False

    @property
    def megapixels(self) -> float:
        """Size of the picture."""
        return megapixels_of(self.capture)


class AgedFindings(NamedTuple):
    """Findings of the check, and how many frames ago they were made."""

    findings: tuple[Finding, ...]
    age_frames: int = 0


class CheckReport(NamedTuple):
    """How a frame was checked."""

    level: str  # name of a check level, or CARRIED
    age_frames: int  # of the findings
    used_ms: float
    granted_ms: float | None  # None: no limit


class DeviceHeat(NamedTuple):
    """Heat of a simulated device after a frame."""

    temperature_c: float
    throttled: bool


class StreamState(NamedTuple):
    """State that is passed from a frame to the next."""

    memory: Memory | None = None  # of the temporal filter
    advice: AdviceState = AdviceState()
    policy: PolicyState = PolicyState()
    checked: AgedFindings | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shown:
    """A frame with its picture, its map, its findings, and the time it took.

    Attributes
    ----------
    frame : Frame
        The frame.
    image : Array
        Display-encoded picture, HxWx3 uint8 RGB.
    blur_map : BlurMap or None
        Sigma in full-resolution px, on the grid of the rung; None if the frame was passed through.
    evidence : BlurMap or None
        Upper bounds on the blur from sharp detail, on the view: the confidence is where detail
        proves sharpness. None if the frame was passed through.
    findings : tuple of Finding
        Of the check, and of opening the frame.
    check : CheckReport
        How the frame was checked.
    advice : Advice
        What to tell the person who films.
    rung : str
        The rung that the frame had, also if it was passed through.
    reason : str
        Why the frame had this rung, in words for people.
    blocked : bool
        The frame was passed through because of a blocking finding.
    before : StreamState
        State before the frame; with it, the frame can be computed again.
    stages : tuple of StageReport
        Every stage with its time.
    started_s, spent_ms : float
        When it began, and how long it took from its pixels to the picture.
    cpu_ms : float or None
        CPU time of the whole process meanwhile; None in virtual time.
    heat : DeviceHeat or None
        Of a simulated device; None if times are measured.
    request : Request
        What was asked of the frame.
    meta : CaptureMeta or None
        Metadata that were used where the frame has none.
    """

    frame: Frame
    image: npt.NDArray[np.uint8]
    blur_map: BlurMap | None
    evidence: BlurBounds | None
    findings: tuple[Finding, ...]
    check: CheckReport
    advice: Advice
    rung: str
    reason: str
    blocked: bool
    before: StreamState = field(repr=False)
    stages: tuple[StageReport, ...] = field(repr=False)
    started_s: float
    spent_ms: float
    cpu_ms: float | None
    heat: DeviceHeat | None
    request: Request = field(repr=False)
    meta: CaptureMeta | None = field(repr=False)

    @property
    def budget(self) -> Budget:
        """That of the frame."""
        return self.request.budget

    @property
    def label(self) -> str:
        """The rung, or that the frame was passed through."""
        return PASS_THROUGH.name if self.blocked else self.rung

    @property
    def late(self) -> bool:
        """Whether the budget, or that of a stage, was missed."""
        return self._exceeds(0.0)

    @property
    def in_time(self) -> bool:
        """Whether the budgets were kept up to one step, which cannot be interrupted."""
        return not self._exceeds(self.step_ms)

    def _exceeds(self, slack_ms: float) -> bool:
        stages_ms = self.budget.stages_ms
        pairs = [(row.used_ms, stages_ms.get(row.name, math.inf)) for row in self.stages]
        pairs.append((self.check.used_ms, stages_ms.get(CHECK, math.inf)))
        pairs.append((self.spent_ms, self.budget.total_ms or math.inf))
        return any(used_ms > limit_ms + slack_ms for used_ms, limit_ms in pairs)

    @property
    def contended(self) -> bool:
        """Whether other processes had the machine for more than a fifth of the time."""
        return self.cpu_ms is not None and self.spent_ms > CONTENDED * self.cpu_ms

    @property
    def caveats(self) -> Caveat:
        """What any stage gave up."""
        return caveats_of(self.stages)

    @property
    def step_ms(self) -> float:
        """Longest step of the anytime stages."""
        anytime = (s for s in self.stages if s.steps > 1)
        return max(((s.used_ms - s.setup_ms) / (s.steps - 1) for s in anytime), default=0.0)


def codes_of(image: Array | npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Codes of a display-encoded picture, HxWx3 uint8.

    Parameters
    ----------
    image : Array
        HxWx3 float32 in [0, 1], or uint8 codes, which are returned as they are.
    """
    codes = image if image.dtype == np.uint8 else to_codes(np.asarray(image, np.float32), 8)
    return np.asarray(codes, np.uint8)
