"""The promises of the engine of a camera, on random schedules of requests and faults."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camerapipe.errors import RequestError
from camerapipe.ingest import capture_from_array
from camerapipe.settings import resolve
from camerapipe.simulator.camera import Camera
from camerapipe.simulator.engine import MAX_CAPTURES, MAX_PENDING, MAX_READING, Engine
from camerapipe.simulator.module import Exposure
from camerapipe.simulator.requests import (
    NS,
    REPEATING,
    CaptureControls,
    CaptureFailedError,
    CaptureRequest,
    Failure,
    FailureReason,
    FrameMetadata,
    Partial,
    Result,
    Started,
    Target,
)
from camerapipe.simulator.ring import RING_FRAMES
from camerapipe.stream.faults import Fault, FaultKind, Faults
from camerapipe.stream.options import StreamOptions
from camerapipe.stream.profile import read_profile
from stages.forward import RawFrame, Sensor

FRAME_S, READOUT_S, SETTLE_S = 1 / 30, 0.02, 0.08
ZERO_LAG = CaptureRequest(target=Target.RAW, zero_shutter_lag=True)
BROKEN_ISO = 666  # developing a frame of this sensitivity fails


class Bench:
    """A module without a scene: pictures tell the number of their frame by their grey value."""

    name, size = "bench", (16, 16)

    def __init__(self, length=10**6, megapixels=None):
        self.length, self.finished = length, []
        self.pictures = 0

    def settle_s(self, controls, at_s):
        return at_s if controls.focus_distance_dpt is None else at_s + SETTLE_S

    def begin(self, controls, number, at_s):
        if number >= self.length:
            return None
        exposure_s = (controls.exposure_time_ns or 10_000_000) / NS

        def develop(raw):
            self.pictures += 1
            if controls.sensitivity == BROKEN_ISO:
                raise ValueError("broken")
            return capture_from_array(np.full((16, 16, 3), number % 256, np.uint8), "srgb")

        def raw():
            return RawFrame(np.full((16, 16), number, np.uint16), Sensor(), None, 0.0, at_s)

        return Exposure(
            number=number, start_s=at_s, exposure_s=exposure_s, readout_s=READOUT_S,
            duration_s=max(FRAME_S, exposure_s),
            develop=develop, raw=raw,
            state=controls,
        )  # fmt: skip

    def finish(self, exposure):
        self.finished.append(exposure.number)
        return FrameMetadata(
            sensor_timestamp_ns=round(exposure.start_s * NS),
            exposure_time_ns=round(exposure.exposure_s * NS),
            frame_duration_ns=round(FRAME_S * NS),
            rolling_shutter_skew_ns=round(READOUT_S * NS),
            sensitivity=exposure.state.sensitivity or 100,
            focus_distance_dpt=exposure.state.focus_distance_dpt or 0.0,
            sharpness=float(exposure.number % 5),
        )


def camera_on(module=None, faults=(), repeating=Target.RAW, **options):
    """A camera on a bench module, with all its events and its engine."""
    given = StreamOptions(
        settings=resolve(), profile=read_profile("everyday-phone"), policy="latest",
        rung="preview", **options,
    )  # fmt: skip
    engines, events = [], []

    def start(emit):
        def note(event):
            events.append(event)
            emit(event)

        engines.append(Engine(module or Bench(), given, note, Faults(faults)))
        return engines[0]

    return Camera(start, CaptureRequest(target=repeating)), events, engines[0]


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def ends(events):
    return [event for event in events if isinstance(event, Result | Failure)]


CAPTURES = st.builds(
    CaptureRequest,
    controls=st.builds(
        CaptureControls,
        exposure_time_ns=st.sampled_from([None, 1_000_000, 200_000_000]),
        sensitivity=st.sampled_from([None, 100, BROKEN_ISO]),
        focus_distance_dpt=st.sampled_from([None, 2.0]),
    ),
    target=st.sampled_from([Target.METADATA, Target.RAW, Target.PICTURE]),
    zero_shutter_lag=st.booleans(),
)
ACTIONS = st.one_of(
    st.tuples(st.just("submit"), st.lists(CAPTURES, min_size=1, max_size=12)),
    st.tuples(st.just("run"), st.sampled_from([0.001, 0.02, 0.1, 0.7])),
    st.tuples(st.just("repeat"), st.sampled_from([None, *REPEATING[:3]])),
    st.tuples(st.just("set"), st.sampled_from([None, 5_000_000, 100_000_000])),
    st.tuples(st.just("flush"), st.none()),
    st.tuples(st.just("wait"), st.none()),
)  # fmt: skip
FAULTS = st.lists(
    st.one_of(
        st.builds(Fault, kind=st.just(FaultKind.STALL), at_frame=st.integers(0, 40),
                  ms=st.sampled_from([5.0, 80.0, 900.0])),
        st.builds(Fault, kind=st.sampled_from([FaultKind.LOSE, FaultKind.REPEAT]),
                  at_frame=st.integers(0, 40), frames=st.integers(1, 6)),
        st.builds(Fault, kind=st.just(FaultKind.SLOW_START), ms=st.sampled_from([10.0, 700.0])),
    ),
    max_size=4,
)  # fmt: skip
SCHEDULES = st.fixed_dictionaries(
    {
        "actions": st.lists(ACTIONS, max_size=12),
        "faults": FAULTS.map(tuple),
        "length": st.sampled_from([3, 30, 10**6]),
        "ends": st.booleans(),
    }
)


def play(schedule):
    """Run a schedule; give the events, the futures, and what was in flight at most."""
    camera, events, engine = camera_on(Bench(schedule["length"]), schedule["faults"])
    futures, asked, most = [], 0, 0
    for action, value in schedule["actions"]:
        if action == "submit":
            futures += camera.submit(value)
            asked += len(value)
        elif action == "run":
            camera.run(seconds=value)
        elif action == "repeat":
            camera.set_repeating(None if value is None else CaptureRequest(target=value))
        elif action == "set":
            camera.set(exposure_time_ns=value)
        elif action == "flush":
            camera.flush()
        elif futures:
            futures[-1].exception(timeout_s=5.0) if engine.ended else wait(futures[-1])
        most = max(most, camera.open_requests)
    if schedule["ends"]:
        camera.run(seconds=2.0)
    camera.close()
    return events, futures, asked, most


def wait(future):
    try:
        future.exception(timeout_s=20.0)
    except TimeoutError:
        pytest.fail("a capture did not end within 20 s")


@given(SCHEDULES)
@settings(max_examples=25, deadline=None)
def test_every_request_ends_once_in_order_and_within_bounds(schedule):
    events, futures, asked, most = play(schedule)
    ended = [event.request_id for event in ends(events)]
    assert sorted(ended) == list(range(len(ended)))  # each that was issued, once
    assert all(future.done() for future in futures)
    assert len([e for e in ends(events) if not e.repeating]) == asked
    started = of(Started, events)
    assert [event.frame_number for event in started] == list(range(len(started)))
    for repeating in (True, False):
        results = [e for e in of(Result, events) if e.repeating is repeating]
        for target in Target:
            own = [e.frame_number for e in results if e.request.target is target
                   and not e.request.zero_shutter_lag]  # fmt: skip
            assert own == sorted(own)
    for failure in of(Failure, events):
        assert failure.message
        if failure.reason is FailureReason.DROPPED:
            assert failure.repeating
    assert most <= MAX_PENDING + MAX_CAPTURES + MAX_READING + 8


@given(SCHEDULES)
@settings(max_examples=10, deadline=None)
def test_the_same_schedule_gives_the_same_events(schedule):
    def plain(events):
        return [
            (type(e).__name__, e.request_id, e.frame_number, getattr(e, "reason", None),
             getattr(e, "ended_s", None), getattr(e, "metadata", None))
            for e in events
        ]  # fmt: skip

    assert plain(play(schedule)[0]) == plain(play(schedule)[0])


@given(SCHEDULES)
@settings(max_examples=10, deadline=None)
def test_metadata_comes_before_the_result_and_pictures_are_those_of_their_frame(schedule):
    events, *_ = play(schedule)
    told = {}
    for event in events:
        if isinstance(event, Partial):
            told[event.request_id] = event.metadata
        elif isinstance(event, Result):
            assert told[event.request_id] is event.metadata
            if event.raw is not None:
                repeated = any(fault.kind is FaultKind.REPEAT for fault in schedule["faults"])
                assert event.raw.mosaic[0, 0] == event.frame_number or repeated


def test_a_preview_repeats_at_the_rate_of_the_sensor():
    camera, events, _ = camera_on(repeating=Target.METADATA)
    with camera:
        camera.run(seconds=1.001)
    stamps = [event.sensor_timestamp_ns for event in of(Started, events)]
    assert len(stamps) == 31
    assert np.allclose(np.diff(stamps), FRAME_S * NS, atol=2)


def test_a_long_exposure_makes_frames_longer():
    camera, events, _ = camera_on(repeating=Target.METADATA)
    with camera:
        camera.set(exposure_time_ns=NS // 10)
        camera.run(frames=4)
    assert np.allclose(
        np.diff([e.sensor_timestamp_ns for e in of(Started, events)]), NS / 10, atol=2
    )


def test_captures_come_before_the_preview_and_none_is_lost():
    camera, events, _ = camera_on()
    with camera:
        camera.run(frames=3)
        futures = camera.burst(5)
        pictures = [future.result() for future in futures]
    numbers = [result.frame_number for result in pictures]
    assert numbers == list(range(numbers[0], numbers[0] + 5))
    assert all(result.picture is not None for result in pictures)


def test_a_capture_at_another_focus_waits_for_the_lens():
    camera, _, _ = camera_on()
    with camera:
        camera.run(frames=2)
        before_s = camera.now_s
        futures = camera.focus_bracket([1.0, 3.0], Target.RAW)
        first, second = (future.result() for future in futures)
    assert first.metadata.sensor_timestamp_ns >= (before_s + SETTLE_S) * NS - 1
    assert second.metadata.sensor_timestamp_ns - first.metadata.sensor_timestamp_ns >= SETTLE_S * NS
    assert [r.metadata.focus_distance_dpt for r in (first, second)] == [1.0, 3.0]


def test_zero_shutter_lag_takes_the_sharpest_of_the_newest_frames():
    camera, _, engine = camera_on()
    with camera:
        camera.run(frames=12)
        newest = engine.frames - 1
        result = camera.submit([CaptureRequest(target=Target.RAW, zero_shutter_lag=True)])[
            0
        ].result()
        assert newest - RING_FRAMES <= result.frame_number <= newest
        assert result.metadata.sharpness == 4
        assert result.raw.mosaic[0, 0] == result.frame_number


def test_without_frames_in_the_ring_a_new_one_is_taken():
    camera, _, _ = camera_on()
    with camera:
        result = camera.submit([CaptureRequest(target=Target.RAW, zero_shutter_lag=True)])[
            0
        ].result()
    assert result.frame_number == 0


def test_flushing_ends_captures_that_were_not_exposed():
    camera, events, _ = camera_on()
    with camera:
        futures = camera.burst(6)
        camera.flush()
        for future in futures:
            with pytest.raises(CaptureFailedError, match="flushed"):
                future.result()
    assert all(failure.frame_number is None for failure in of(Failure, events)[:6])


def test_closing_ends_everything_and_a_closed_camera_refuses():
    camera, events, _ = camera_on()
    future = camera.burst(3)[0]
    camera.close()
    with pytest.raises(CaptureFailedError, match="closed"):
        future.result()
    with pytest.raises(RequestError, match="closed"):
        camera.capture()
    assert camera.open_requests == 0


def test_a_full_queue_is_refused_as_a_whole():
    camera, _, _ = camera_on()
    with camera:
        camera.burst(MAX_PENDING)
        with pytest.raises(RequestError, match="wait already"):
            camera.burst(1)


def test_a_broken_frame_fails_alone():
    camera, _, _ = camera_on()
    with camera:
        bad = camera.burst(1, sensitivity=BROKEN_ISO)[0]
        good = camera.burst(1)[0]
        assert "broken" in str(bad.exception())
        assert good.result().picture is not None


def test_lost_and_repeated_frames():
    faults = (Fault(kind=FaultKind.LOSE, at_frame=2, frames=2),
              Fault(kind=FaultKind.REPEAT, at_frame=6, frames=2))  # fmt: skip
    camera, events, _ = camera_on(faults=faults)
    with camera:
        camera.run(frames=8)
    lost = [e.frame_number for e in of(Failure, events) if e.reason is FailureReason.LOST]
    assert lost == [2, 3]
    raw = {e.frame_number: int(e.raw.mosaic[0, 0]) for e in of(Result, events)}
    assert raw[5] == raw[6] == raw[7] == 5 and raw[8] == 8


def test_pixels_are_computed_only_if_they_are_asked_for():
    bench = Bench()
    camera, _, _ = camera_on(bench, repeating=Target.RAW)
    with camera:
        camera.run(frames=5)
        assert bench.pictures == 0


def test_a_source_that_ends_ends_the_preview():
    camera, _, _ = camera_on(Bench(4))
    with camera:
        assert [result.frame_number for result in camera] == [0, 1, 2, 3]
        with pytest.raises(CaptureFailedError, match="no more frames"):
            camera.burst(1)[0].result()


def test_callbacks_are_told_and_cannot_wait():
    camera, _, _ = camera_on()
    seen = []
    with camera:
        remove = camera.listen(Result, lambda result: seen.append(result.frame_number))
        camera.run(frames=3)
        remove()
        camera.run(frames=2)
        assert seen == [0, 1, 2]
        camera.listen(Started, lambda started: camera.run(frames=1))
        with pytest.raises(RuntimeError, match="callback"):
            camera.run(frames=1)


def test_coroutines_share_a_camera():
    import asyncio

    async def watch(camera, count):
        numbers = []
        async for result in camera:
            numbers.append(result.frame_number)
            if len(numbers) == count:
                return numbers

    async def shoot(camera):
        return await camera.burst(2)[1]

    async def all_three(camera):
        return await asyncio.gather(watch(camera, 5), watch(camera, 5), shoot(camera))

    camera, _, _ = camera_on()
    with camera:
        first, second, burst = asyncio.run(all_three(camera))
    assert first == sorted(first) and len(second) == 5
    assert burst.frame_number in range(3)
