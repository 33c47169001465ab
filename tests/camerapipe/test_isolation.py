"""Readers in a process of their own: the same results, and no accident of theirs is the host's."""

import ctypes
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from camerapipe import isolation
from camerapipe.cli import cli
from camerapipe.errors import CaptureError, LimitError, RequestError
from camerapipe.ingest import open_capture, read_mask
from camerapipe.isolation import Decoder, DecoderLimits
from camerapipe.runtime import warm_up

SECONDS = 1.0
MEMORY = 256 << 20


@pytest.fixture(scope="module")
def decoder():
    warm_up()  # two processes must not compile the same kernels
    with Decoder(DecoderLimits(seconds=SECONDS, memory_bytes=MEMORY), threads=1) as made:
        yield made


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.jpg"
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    Image.fromarray(pixels).save(path, quality=90, comment="made by code")
    return path


def crash(path):
    ctypes.string_at(0)


def hang(path):
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    time.sleep(600)


def eat(path):
    return np.ones(MEMORY, np.float64)


def process_id():
    return os.getpid()


def doubled(values):
    values *= 2
    return values, values.T


def not_picklable():
    return lambda: None


def test_a_capture_is_the_same_as_in_this_process(decoder, photo):
    found, expected = decoder.open(photo), open_capture(photo)
    np.testing.assert_array_equal(found.linear, expected.linear)
    np.testing.assert_array_equal(found.curve.decode, expected.curve.decode)
    assert (found.name, found.comment, found.meta) == (str(photo), b"made by code", expected.meta)
    found.linear[:] = 0  # it is the caller's own


def test_the_process_stays_for_the_next_file_and_is_another(decoder, photo):
    first = decoder.call(process_id)
    decoder.open(photo)
    assert decoder.call(process_id) == first != os.getpid()


def test_arrays_go_both_ways_and_those_of_the_caller_stay(decoder):
    given = np.arange(6.0).reshape(2, 3)
    found, turned = decoder.call(doubled, given)
    np.testing.assert_array_equal(found, 2 * np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(turned, found.T)
    np.testing.assert_array_equal(given, np.arange(6.0).reshape(2, 3))


def test_errors_of_readers_are_those_of_this_process(decoder, tmp_path):
    path = tmp_path / "empty.jpg"
    path.touch()
    with pytest.raises(CaptureError) as here:
        open_capture(path)
    with pytest.raises(CaptureError) as there:
        decoder.open(path)
    assert str(there.value) == str(here.value)
    assert "reading.py" in str(there.value.__cause__)  # the traceback of the other process


@pytest.mark.parametrize(
    ("accident", "kind", "words"),
    [
        (crash, CaptureError, "photo.jpg: damaged: a decoder crashed on it (SIGSEGV); "),
        (hang, LimitError, "photo.jpg: reading it took longer than the limit of 1 s; "),
        (eat, MemoryError, ""),
    ],
)
def test_an_accident_costs_only_its_file(decoder, photo, accident, kind, words):
    with pytest.raises(kind) as told:
        decoder.call(accident, photo)
    assert words in str(told.value)
    assert decoder.open(photo).linear.shape == (48, 64, 3)


def test_what_cannot_be_sent_back_is_an_error(decoder):
    with pytest.raises((AttributeError, TypeError), match="pickle|local object"):
        decoder.call(not_picklable)
    assert decoder.call(process_id)


def test_readers_of_ingest_are_diverted_in_a_block(decoder, photo, monkeypatch):
    asked = []
    monkeypatch.setattr(decoder, "call", lambda reader, *args, **more: asked.append(reader))
    with decoder.reading():
        open_capture(photo)
        read_mask(photo, (48, 64))
    assert asked == [open_capture, read_mask]
    assert open_capture(photo).linear.shape == (48, 64, 3)


def test_a_decoder_that_does_not_start_is_told(photo, monkeypatch):
    monkeypatch.setattr(isolation, "START_SECONDS", 0.001)
    with Decoder(threads=1) as slow, pytest.raises(LimitError, match="photo.jpg: .*did not start"):
        slow.open(photo)


def test_a_closed_decoder_has_no_process_and_takes_no_file(photo):
    with Decoder(threads=1) as decoder:
        process = decoder._process
    assert process.poll() is not None
    with pytest.raises(RequestError, match="closed"):
        decoder.open(photo)


@pytest.mark.parametrize("wrong", [{"seconds": 0}, {"seconds": float("nan")}, {"memory_bytes": -1}])
def test_limits_are_positive(wrong):
    with pytest.raises(RequestError, match=next(iter(wrong))):
        DecoderLimits(**wrong)


def test_commands_read_in_the_process(photo, tmp_path, monkeypatch):
    opened = []
    call = Decoder.call

    def noted(self, reader, *args, **more):
        opened.append(args[0])
        return call(self, reader, *args, **more)

    monkeypatch.setattr(Decoder, "call", noted)
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(photo.read_bytes()[:200])
    result = CliRunner().invoke(cli, ["check", "--isolate", str(bad), str(photo)])
    assert result.exit_code == 1
    assert [Path(path) for path in opened] == [bad, photo]
    assert "bad.jpg: is cut off" in result.stderr and "photo.jpg: " in result.stderr
