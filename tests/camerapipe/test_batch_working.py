"""One order in a worker: what is read, refused, skipped, cleaned up. Runs in this process."""

import os
from dataclasses import replace

import cv2
import numpy as np
import pytest

from camerapipe.assembly import Request
from camerapipe.batch import suitable, working
from camerapipe.batch.memory import Size, job_bytes
from camerapipe.batch.order import Asked, FileStamp, Order, State, Work
from camerapipe.errors import ExitCode
from camerapipe.ingest import preview, temporary_beginning
from camerapipe.naming import Outputs
from camerapipe.settings import resolve


def blocks(shape, sharp):
    """Random blocks, blurred but for a middle part."""
    height, width = shape
    small = np.random.default_rng(5).integers(20, 236, (height // 12, width // 12, 3), np.uint8)
    picture = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    blurred = cv2.GaussianBlur(picture, (0, 0), 3.5)
    rows, cols = (slice(round(n * (1 - sharp) / 2), n - round(n * (1 - sharp) / 2)) for n in shape)
    blurred[rows, cols] = picture[rows, cols]
    return blurred


@pytest.fixture
def perform(monkeypatch, tmp_path):
    """Perform an order for a photograph; gives the outcome."""
    photograph = tmp_path / "photo.jpg"
    cv2.imwrite(str(photograph), blocks((240, 360), sharp=0.4))
    usual = Order(
        number=1, source=str(photograph), outputs=Outputs(picture=tmp_path / "out" / "photo.jpg")
    )

    def call(work=None, **values):
        given = work or Work(asked=Asked(request=Request(settings=resolve())))
        monkeypatch.setattr(working, "_work", given)
        monkeypatch.setattr(
            working, "_started", Size(virtual=Size.now().virtual + 2**33, resident=0)
        )
        return working.perform(replace(usual, **values))

    return call


def test_an_outcome_says_what_was_read_and_written(perform, tmp_path):
    found = perform()
    assert found.state is State.DONE and found.written == ("picture",)
    assert found.file == FileStamp.of(str(tmp_path / "photo.jpg")) and len(found.digest) == 16
    assert "rendered at strength 2" in found.message and found.stages_ms["bokeh"] > 0
    assert found.seconds > 0 and (tmp_path / "out" / "photo.jpg").is_file()
    assert perform().code is ExitCode.UNWRITTEN  # it exists
    again = perform(known_digest=found.digest)
    assert again.unchanged and again.digest == found.digest


def test_leftovers_of_an_interrupted_attempt_are_removed(perform, tmp_path):
    place = tmp_path / "out" / "photo.jpg"
    place.parent.mkdir()
    other = tmp_path / "out" / "other.jpg"
    left = [path.with_name(f"{temporary_beginning(path)}1f.tmp.jpg") for path in (place, other)]
    for path in left:
        path.write_bytes(b"half a pict")
    assert perform(interrupted=True).state is State.DONE
    assert [path.exists() for path in left] == [False, True]  # another worker may be writing it


def test_a_job_that_needs_more_than_was_granted_does_not_start(perform, tmp_path):
    needs = job_bytes(240 * 360)
    assert perform(granted_bytes=needs - 1).needs_bytes == needs
    assert not (tmp_path / "out").exists()
    assert perform(granted_bytes=needs).state is State.DONE


def test_a_file_that_changes_while_it_is_read_is_told(perform, tmp_path, monkeypatch):
    usual = working.run_job

    def changing(job):
        os.utime(tmp_path / "photo.jpg", ns=(1, 1))
        return usual(job)

    monkeypatch.setattr(working, "run_job", changing)
    found = perform()
    assert found.state is State.FAILED and "changed while it was read" in found.message


@pytest.mark.parametrize("kind", ["absent", "folder", "pipe"])
def test_what_is_no_file_fails_in_one_line(kind, perform, tmp_path):
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    if kind == "pipe":
        os.mkfifo(path)
    found = perform(source=str(path))
    assert (found.state, found.code) == (State.FAILED, ExitCode.UNREADABLE)
    assert "\n" not in found.message and not found.fatal


def test_only_what_is_suitable_is_rendered(perform, tmp_path):
    work = Work(asked=Asked(request=Request(settings=resolve())), only_suitable=True)
    sharp = tmp_path / "sharp.png"
    cv2.imwrite(str(sharp), blocks((240, 360), sharp=1))
    skipped = perform(work, source=str(sharp))
    assert skipped.state is State.SKIPPED and "[everything_in_focus]" in skipped.message
    assert not (tmp_path / "out").exists()
    alone = perform()
    rendered = (tmp_path / "out" / "photo.jpg").read_bytes()
    done = perform(work, overwrite=True)
    assert done.state is alone.state is State.DONE
    assert (tmp_path / "out" / "photo.jpg").read_bytes() == rendered  # decoded once, same bytes


@pytest.mark.parametrize(("side", "expected"), [(1632, State.SKIPPED), (816, State.DONE)])
def test_the_preview_in_a_raw_serves_if_it_is_large_enough(
    side, expected, perform, monkeypatch, tmp_path
):
    """The preview is sharp everywhere; the file itself has defocus."""
    data = cv2.imencode(".jpg", blocks((side * 3 // 4, side), sharp=1))[1].tobytes()
    monkeypatch.setattr(preview, "embedded_jpeg", lambda path: data)
    assert suitable.open_preview is preview.open_preview
    work = Work(asked=Asked(request=Request(settings=resolve())), only_suitable=True)
    found = perform(work)
    assert found.state is expected
    if expected is State.SKIPPED:
        assert "preview in the RAW, 1632 x 1224" in found.message
