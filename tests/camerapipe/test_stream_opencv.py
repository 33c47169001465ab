"""Videos by OpenCV, as where PyAV is not installed: read, written, and what is said about them."""

import importlib.util
from fractions import Fraction

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

import camerapipe
from camerapipe.cli import cli
from camerapipe.errors import CaptureError, LimitError
from camerapipe.stream import opencv_source
from camerapipe.stream.opencv_writer import opencv_writer, writable_rate
from camerapipe.stream.sources import open_source

COLOURS = ((203, 63, 63), (63, 188, 63), (118, 118, 118))
NEEDS_AV = 'clips with such properties are made by PyAV: pip install "camerapipe[video]"'


@pytest.fixture(autouse=True)
def without_av(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "av" else find(name)
    )


def motion_jpeg(path, frames=4, size=(96, 64), fps=25.0):
    """A clip in which every frame has its own grey: 60, 80, 100 and so on."""
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, size)
    for k in range(frames):
        video.write(np.full((size[1], size[0], 3), 60 + 20 * (k % 9), np.uint8))
    video.release()
    return path


def frames_of(path, **options):
    source = open_source(str(path), paced=False, **options)
    frames = [(a.filmed_s, a.value.develop().linear) for a in source.frames]
    source.close()
    return frames


def run(*args):
    return CliRunner().invoke(cli, ["stream", *map(str, args), "--rung", "draft"])


def test_frames_are_read_and_what_is_not_read_is_said(tmp_path):
    path = motion_jpeg(tmp_path / "a.avi")
    source = open_source(str(path), paced=False)
    assert source.length == 4 and source.fps == 25 and source.footage is None
    assert [f.code for f in source.findings] == ["video_tags_unread"]
    assert 'pip install "av' in source.findings[0].message
    times_s = [at_s for at_s, _ in frames_of(path)]
    assert times_s == pytest.approx([0, 0.04, 0.08, 0.12], abs=2e-3)
    assert [at_s for at_s, _ in frames_of(path, fps=10)] == pytest.approx([0, 0.1, 0.2, 0.3])


class FakeClip:
    """Frames with times and a shape of pixels; OpenCV turns them itself."""

    PROPERTIES = {
        cv2.CAP_PROP_FRAME_WIDTH: 60, cv2.CAP_PROP_FRAME_HEIGHT: 40, cv2.CAP_PROP_FPS: 10,
        cv2.CAP_PROP_SAR_NUM: 3, cv2.CAP_PROP_SAR_DEN: 2, cv2.CAP_PROP_FRAME_COUNT: 3,
    }  # fmt: skip
    TIMES_MS, TURNED = (500, 540, 700), 0

    def __init__(self, address):
        self.place = 0

    def isOpened(self):  # noqa: N802 - as OpenCV calls it
        return True

    def get(self, prop):
        if prop == cv2.CAP_PROP_POS_MSEC:
            return self.TIMES_MS[self.place - 1]
        if prop == cv2.CAP_PROP_ORIENTATION_META:
            return self.TURNED
        return self.PROPERTIES.get(prop, 0)

    def read(self):
        self.place += 1
        return self.place <= len(self.TIMES_MS), np.full((40, 60, 3), 90, np.uint8)

    def release(self):
        pass


@pytest.mark.parametrize(("turned", "shape"), [(0, (40, 90, 3)), (90, (60, 60, 3))])
def test_times_and_the_shape_of_pixels(tmp_path, monkeypatch, turned, shape):
    monkeypatch.setattr(opencv_source.cv2, "VideoCapture", FakeClip)
    monkeypatch.setattr(FakeClip, "TURNED", turned)
    (tmp_path / "a.mp4").write_bytes(b"x")
    frames = frames_of(tmp_path / "a.mp4")
    assert [at_s for at_s, _ in frames] == pytest.approx([0, 0.04, 0.2])
    assert {linear.shape for _, linear in frames} == {shape}
    with pytest.raises(LimitError):
        open_source(str(tmp_path / "a.mp4"), max_pixels=40 * 60)


def test_times_that_stand_still_are_replaced_by_the_rate(tmp_path, monkeypatch):
    monkeypatch.setattr(opencv_source.cv2, "VideoCapture", FakeClip)
    monkeypatch.setattr(FakeClip, "TIMES_MS", (0, 0, 0))
    (tmp_path / "a.mp4").write_bytes(b"x")
    assert [at_s for at_s, _ in frames_of(tmp_path / "a.mp4")] == pytest.approx([0, 0.1, 0.2])


def test_a_clip_cut_off(tmp_path, capfd):
    whole = motion_jpeg(tmp_path / "a.avi", frames=50).read_bytes()
    nothing, part = tmp_path / "nothing.avi", tmp_path / "part.avi"
    nothing.write_bytes(whole[: whole.index(b"movi") + 40])  # within the first frame
    done = run(nothing, "-q")
    assert done.exit_code == 3 and done.stderr.count("\n") == 1, done.stderr
    assert "nothing.avi: is" in done.stderr
    part.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CaptureError, match=r"part.avi: is cut off: \d+ bytes are missing"):
        frames_of(part)
    assert capfd.readouterr() == ("", "")


def test_a_written_video_is_said_to_be_basic(tmp_path):
    done = run(motion_jpeg(tmp_path / "a.avi"), "-o", tmp_path / "out.mp4")
    assert done.exit_code == 0
    assert "browsers may not play it" in done.stderr and 'pip install "av' in done.stderr


@pytest.mark.parametrize("size", [(1280, 64), (192, 64)])
def test_colours_are_those_that_players_show(tmp_path, size):
    """Players take a video without tags as BT.709 if it is large, else as BT.601."""
    av = pytest.importorskip("av", reason=NEEDS_AV)
    red, blue = (0.2126, 0.0722) if size[0] == 1280 else (0.299, 0.114)
    path = tmp_path / "a.mp4"
    with opencv_writer(path, "a.mp4", size, 25) as writer:
        for k, colour in enumerate(COLOURS):
            writer.write(np.full((size[1], size[0], 3), colour, np.uint8), k / 25)
    with av.open(str(path)) as container:
        for colour, frame in zip(COLOURS, container.decode(video=0), strict=True):
            y, cb, cr = (float(np.median(np.frombuffer(p, np.uint8))) for p in frame.planes)
            luma, cb, cr = (y - 16) / 219, (cb - 128) / 224, (cr - 128) / 224
            r, b = luma + 2 * (1 - red) * cr, luma + 2 * (1 - blue) * cb
            g = (luma - red * r - blue * b) / (1 - red - blue)
            assert np.abs(np.array([r, g, b]) * 255 - colour).max() <= 2.5


@pytest.mark.parametrize(
    ("fps", "rate"),
    [(30.0, 30.0), (29.97, 29.97), (59.94, 59.94), (66.667, 66.67), (120.456, 120.46),
     (700.04, 700.0), (1e6, 65535.0), (1 / 3, 0.333)],
)  # fmt: skip
def test_every_rate_can_be_written(tmp_path, fps, rate):
    assert writable_rate(fps) == pytest.approx(rate)
    with opencv_writer(tmp_path / "a.mp4", "a.mp4", (64, 48), fps) as writer:
        writer.write(np.full((48, 64, 3), 90, np.uint8), 0.0)
    assert (tmp_path / "a.mp4").stat().st_size > 0


def test_a_clip_of_an_odd_rate_becomes_a_video(tmp_path):
    path, out = motion_jpeg(tmp_path / "a.avi", fps=66.667), tmp_path / "out.avi"
    report = camerapipe.open_stream(path, output=out, rung="draft").run()
    assert report.done == 4 and report.ended == "complete"
    assert Fraction(opencv_source.cv2.VideoCapture(str(out)).get(cv2.CAP_PROP_FPS)) > 66
