"""What an app may do to a camera: errors of its functions, two cameras, closing in the midst."""

import asyncio
import gc
import weakref

import numpy as np
import pytest
from PIL import Image

import camerapipe
from camerapipe.errors import RequestError
from camerapipe.simulator.driving import GIVE_UP_AFTER
from camerapipe.simulator.requests import (
    CaptureFailedError,
    CaptureRequest,
    Failure,
    FailureReason,
    Partial,
    Result,
    Started,
    Target,
)
from camerapipe.simulator.scene_module import ThreeA
from camerapipe.simulator.scenes import Scene
from stages import strips
from stages.forward import make_scenery

SIZE = (64, 48)
WALL = Scene(make_scenery("wall", subject_m=0.5, texels_per_rad=120))


def opened(*, target=Target.METADATA, scene=WALL, **given):
    return camerapipe.open_camera("everyday-phone", scene, size=SIZE, target=target, **given)


def broken(*state, **given):
    raise ZeroDivisionError("my own")


def nothing(*state, **given):
    return None


@pytest.mark.parametrize(
    ("step", "match"),
    [
        ({"step_exposure": broken}, r"ZeroDivisionError: my own \(in test_simulator_driving.py, "),
        ({"step_focus": nothing}, "step_focus gave None; expected AutoFocusState"),
        ({"step_colour": nothing}, "step_colour gave None; expected WhiteBalanceState"),
    ],
)
def test_functions_of_the_app_that_fail_end_every_wait(step, match):
    with opened(control=ThreeA(**step)) as camera:
        with pytest.raises(CaptureFailedError, match=match):
            next(iter(camera))
        with pytest.raises(CaptureFailedError, match=match):
            camera.run(frames=1)
        with pytest.raises(CaptureFailedError, match=match):
            camera.focus().result()
        with pytest.raises(CaptureFailedError, match=match):
            asyncio.run(anext(aiter(camera)))
        assert camera.open_requests < GIVE_UP_AFTER


def test_a_function_that_fails_for_some_frames_costs_those_only():
    count = 0

    def sometimes(state, *arguments, **given):
        nonlocal count
        count += 1
        if count % 3 == 0:
            raise ValueError("now and then")
        return state

    failed = []
    with opened(control=ThreeA(step_exposure=sometimes)) as camera:
        camera.listen(Failure, failed.append)
        camera.run(frames=20)
    errors = [each.frame_number for each in failed if each.reason is FailureReason.ERROR]
    assert errors[:6] == [2, 5, 8, 11, 14, 17]


def test_a_pose_that_fails_is_told_with_its_line():
    scene = Scene(WALL.scenery, pose=broken)
    with opened(scene=scene) as camera, pytest.raises(CaptureFailedError, match="my own .in test_"):
        camera.run(frames=1)


def test_an_error_of_a_callback_keeps_no_other_from_an_event():
    seen = []
    with opened() as camera:
        camera.listen(Result, broken)
        camera.listen(Result, lambda result: seen.append(result.frame_number))
        future = camera.submit([CaptureRequest(target=Target.METADATA)])[0]
        future.add_done_callback(broken)
        future.add_done_callback(lambda done: seen.append("done"))
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                camera.run(frames=5)
        assert future.done() and seen[0] == "done" and seen[1:] == [0, 1, 2]


def test_callbacks_may_capture_set_and_close():
    taken = []

    def shoot(started):
        if started.frame_number == 2:
            camera.set(sensitivity=400)
            request = CaptureRequest(controls=camera.controls, target=Target.METADATA)
            taken.extend(camera.submit([request]))
        elif started.frame_number == 6:
            camera.close()

    with opened() as camera:
        camera.listen(Started, shoot)
        numbers = [result.frame_number for result in camera]
        assert camera.closed and camera.open_requests == 0
    assert numbers[-1] <= 6
    assert taken[0].result().metadata.sensitivity == 400


def test_a_callback_that_is_removed_twice_or_while_it_is_called():
    seen = []

    def once(partial):
        seen.append(partial.frame_number)
        remove()

    with opened() as camera:
        remove = camera.listen(Partial, once)
        camera.run(frames=4)
        remove()
    assert seen == [0]


def test_a_closed_camera_says_so():
    camera = opened()
    focused = camera.focus()
    camera.run(frames=2)
    camera.close()
    camera.close()
    for use in (
        lambda: camera.set(sensitivity=100),
        lambda: camera.change(strength=2.0),
        camera.focus,
        camera.capture,
        lambda: camera.burst(1),
        lambda: camera.set_repeating(None),
        lambda: next(iter(camera)),
        lambda: camera.run(frames=1) or focused.result(),
        lambda: asyncio.run(anext(aiter(camera))),
    ):
        with pytest.raises(RequestError, match="it was closed"):
            use()
    assert camera.report().done == 2 and camera.open_requests == 0


def test_a_wait_for_what_cannot_come_ends():
    with opened() as camera:
        focused = camera.focus()
        camera.set_repeating(None)
        with pytest.raises(TimeoutError, match="can come any more: the preview was stopped"):
            focused.result()
        with pytest.raises(TimeoutError, match="within 0.5 s"):
            focused.result(0.5)
        assert list(camera) == []


def test_focus_ends_where_there_is_no_autofocus(tmp_path):
    with opened() as camera:
        focused = camera.focus()
        camera.set(focus_distance_dpt=2.0)
        assert focused.result().af_state == "inactive"
    Image.new("RGB", SIZE, "grey").save(tmp_path / "still.png")
    with opened(scene=tmp_path / "still.png") as camera:
        assert camera.focus().result(1.0).af_state == "inactive"


@pytest.mark.parametrize("given", [{"seconds": -1}, {"frames": -1}, {"seconds": np.nan}, {}])
def test_time_that_is_no_time_is_refused(given):
    with opened() as camera, pytest.raises(RequestError, match="expected seconds or frames"):
        camera.run(**given)


def test_two_cameras_have_times_and_threads_of_their_own():
    before = strips.workers()
    first, second = opened(workers=1), opened(workers=2, seed=1)
    alone = opened(workers=1)
    alone.run(frames=12)
    wanted = [alone.now_s, alone.controls]
    for one, other in zip(first, second, strict=False):
        assert one.frame_number == other.frame_number
        if one.frame_number == 11:
            break
    first.close()
    second.close()
    alone.close()
    assert [first.now_s, first.controls] == wanted
    assert strips.workers() == before


def test_a_camera_outlives_the_task_that_opened_it():
    async def opener():
        return opened(workers=1)

    async def closer(camera):
        camera.run(frames=1)
        camera.close()

    camera = asyncio.run(opener())
    asyncio.run(closer(camera))
    assert camera.closed


def test_a_task_that_is_cancelled_leaves_the_camera_as_it_is():
    async def session(camera):
        futures = camera.burst(3, Target.METADATA)
        waiting = asyncio.ensure_future(futures[2])
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        gathered = await asyncio.gather(*futures)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                async for _ in camera:
                    pass
        return [result.frame_number for result in gathered]

    with opened() as camera:
        numbers = asyncio.run(session(camera))
        assert numbers == sorted(numbers)
        assert next(iter(camera)).frame_number > numbers[-1]


def test_an_interrupt_in_a_function_of_the_app_leaves_a_camera_that_closes():
    def interrupted(*arguments, **given):
        raise KeyboardInterrupt

    events = []
    with opened(control=ThreeA(step_exposure=interrupted)) as camera:
        for kind in (Result, Failure):
            camera.listen(kind, events.append)
        future = camera.burst(1, Target.METADATA)[0]
        with pytest.raises(KeyboardInterrupt):
            camera.run(frames=1)
    assert future.done() and camera.open_requests == 0
    assert {event.reason for event in events} == {FailureReason.CLOSED}


def test_a_closed_camera_is_freed():
    camera = opened()
    camera.listen(Result, lambda result: None)
    camera.run(frames=2)
    camera.close()
    gone = weakref.ref(camera)
    del camera
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"exposure": 3}, "no such control; did you mean 'exposure_"),
        ({"sensitivity": -1}, "sensitivity: expected a number from 1"),
        ({"focus_point": (1,)}, "focus_point: expected two numbers"),
        ({"exposure_compensation_ev": "much"}, "expected stops"),
        ({"exposure_compensation_ev": 1e9}, "expected stops from -16 to 16"),
        ({"focus_point": 5}, "focus_point: expected two numbers"),
        ({"white_balance": (0, 1)}, "white_balance: expected two numbers above 0"),
        ({"ae_lock": "no"}, "ae_lock: expected true or false"),
        ({"focus_trigger": "now"}, "focus_trigger: expected an integer"),
    ],
)
def test_bad_controls_are_named(changes, match):
    with opened() as camera, pytest.raises(RequestError, match=match):
        camera.set(**changes)


def test_targets_that_do_not_fit_are_refused():
    with opened() as camera:
        with pytest.raises(RequestError, match="still is not one of a preview"):
            camera.set_repeating(CaptureRequest(target=Target.STILL))
        with pytest.raises(RequestError, match="preview is not one of a capture"):
            camera.submit([CaptureRequest(target=Target.PREVIEW)])
