"""Options that change while a stream runs, and what a frame says about its rung."""

from dataclasses import replace

import numpy as np
import pytest

from camerapipe.budget import Budget
from camerapipe.capture import CaptureMeta, Sourced
from camerapipe.errors import RequestError
from camerapipe.ingest import capture_from_array
from camerapipe.levels import LADDER
from camerapipe.settings import resolve
from camerapipe.stream.controls import changed
from camerapipe.stream.exposures import Exposure, FrameSource
from camerapipe.stream.frames import Arrival
from camerapipe.stream.options import StreamOptions
from camerapipe.stream.profile import read_profile
from camerapipe.stream.sinks import App
from camerapipe.stream.sources import open_source
from camerapipe.stream.stream import Stream
from camerapipe.synthetic import synthetic_frame
from stages.bokeh import BokehParams, RadiusParams
from stages.optics import Lens

SIZE = (240, 136)
PLAIN = StreamOptions(settings=resolve(), force=True, frames=4)
PHONE = replace(PLAIN, profile=read_profile("budget-phone"))
LENS = Lens(focal_length_mm=50, f_number=2, sensor_diagonal_mm=43.267)


def scene(**kwargs):
    return open_source("synthetic:pan", size=SIZE, fps=300, **kwargs)


def shown_with(options, changes, source=None):
    """Frames of a stream in which something changes after some of them."""
    shown = []

    def app(frame):
        shown.append(frame)
        if asked := changes.get(frame.frame.seq):
            stream.change(**asked)

    stream = Stream(source or scene(), App(app), options)
    stream.run()
    return shown


def test_changes_add_up_and_leave_the_rest():
    options = changed(PLAIN, {"strength": 3.0, "params": {"bokeh": {"blades": 7}}})
    options = changed(options, {"params": {"radius": {"focus_ramp": 2.0}}, "budget": 0.04})
    params = options.settings.params
    assert (params[RadiusParams].strength, params[RadiusParams].focus_ramp) == (3.0, 2.0)
    assert params[BokehParams].blades == 7 and options.budget.total_ms == 40
    options = changed(changed(options, {"focus": [10, 20]}), {"focus": None, "rung": "draft"})
    assert options.focus_point is None and options.rung == "draft"
    assert changed(options, {"budget": None}).budget == Budget()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"colour": 1}, "colour: cannot change while a stream runs; strength, params"),
        ({"strength": 99.0}, "radius.strength"),
        ({"params": {"moon": {}}}, "moon"),
        ({"budget": "soon"}, "soon"),
        ({"rung": "best"}, "rung 'best' does not exist"),
        ({"focus": "here"}, "focus: expected a point"),
        ({"focus": (500, 20)}, "focus: expected a point within 240x136"),
        ({"distance_m": 0.01, "lens": LENS}, "distance"),
    ],
)
def test_a_wrong_change_is_refused_as_a_whole_and_the_stream_goes_on(change, told):
    errors = []

    def app(frame):
        if frame.frame.seq == 1:
            with pytest.raises(RequestError, match=told) as error:
                stream.change(**{"strength": 4.0, **change})
            errors.append(error)

    stream = Stream(scene(), App(app), replace(PHONE, frames=3))
    report = stream.run()
    assert errors and report.done == 3 and stream.options.settings == PLAIN.settings


def test_a_change_holds_from_the_next_frame_on():
    shown = shown_with(PHONE, {1: {"strength": 5.0}})
    strengths = [frame.request.settings.params[RadiusParams].strength for frame in shown]
    assert strengths[:2] == [2.0, 2.0] and strengths[-1] == 5.0


def test_a_budget_that_comes_later_chooses_a_rung_and_says_why():
    options = replace(PHONE, frames=20)
    shown = shown_with(options, {2: {"budget": "30ms"}, 8: {"budget": None}, 14: {"rung": "draft"}})
    best, under, last = shown[0], shown[7], shown[-1]
    assert best.rung == "full" and best.reason == "no budget: the best rung"
    assert under.budget.total_ms == 30 and under.rung != "full"
    above = LADDER[[rung.name for rung in LADDER].index(under.rung) - 1].name
    assert under.reason.startswith("expected ") and f"of 30; {above} needs" in under.reason
    assert shown[13].reason == best.reason
    assert last.rung == "draft" and last.reason == "chosen by hand"


def test_a_budget_for_which_nothing_fits_says_so():
    shown = shown_with(replace(PHONE, budget=Budget(0.05)), {})
    assert "no earlier map" in shown[0].reason
    assert "the quickest rung" in shown[1].reason


def test_a_better_rung_waits_until_it_has_fitted():
    changes = {2: {"budget": "500ms"}}
    options = replace(PHONE, budget=Budget(15.0), frames=16)
    reasons = [frame.reason for frame in shown_with(options, changes)]
    assert any("has fitted for 3 of 8 frames" in reason for reason in reasons)


def test_frames_have_their_evidence_and_a_simulated_device_its_heat():
    frame = shown_with(PHONE, {})[-1]
    assert frame.evidence.confidence.shape == frame.evidence.grid.shape
    assert frame.evidence.confidence.min() >= 0 and 0 < frame.evidence.confidence.max() <= 1
    assert frame.heat.temperature_c > PHONE.profile.thermal.ambient_c
    assert shown_with(replace(PLAIN, frames=1), {})[0].heat is None


def test_a_lens_that_is_typed_overrides_that_of_the_file():
    meta = CaptureMeta(focal_length_mm=Sourced(4.0, "EXIF"), f_number=Sourced(8.0, "EXIF"),
                       sensor_width_mm=Sourced(6.0, "EXIF"))  # fmt: skip
    picture = synthetic_frame("pan", 0, SIZE[::-1]).picture
    capture = replace(capture_from_array(np.asarray(picture), "srgb", "one"), meta=meta)
    frames = (Arrival(value=Exposure("one", lambda: capture)) for _ in range(2))
    source = FrameSource("app", "camera", None, frames)
    shown = shown_with(replace(PHONE, profile=None), {0: {"lens": LENS}}, source)
    limits = [next(f.limit for f in s.findings if f.code == "hyperfocal") for s in shown]
    assert limits[0] < 0.1 and limits[1] > 1  # m
