"""Videos by PyAV: times, rotation, shape of pixels, colour and sound, of the source and written."""

import struct
from fractions import Fraction

import numpy as np
import pytest
from click.testing import CliRunner

import camerapipe
from camerapipe.cli import cli
from camerapipe.errors import CaptureError, LimitError
from camerapipe.stream.sources import open_source
from stages.tone import encode, to_codes

av = pytest.importorskip("av", reason='videos by PyAV need pip install "camerapipe[video]"')
from datasets.clips import LUMA, Tags, write_clip  # noqa: E402 - of PyAV, which may be absent

SRGB = {"red": (203, 63, 63), "green": (63, 188, 63), "grey": (118, 118, 118)}
TIMES_S = (0.0, 0.04, 0.05, 0.5, 0.61)  # of a variable frame rate
P3_TO_SRGB = np.array([[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]])
BT2020_TO_SRGB = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)


def flat(colour, size=(96, 64)):
    return np.full((size[1], size[0], 3), np.array(colour) / 255)


def light(codes):
    codes = np.asarray(codes, np.float64) / 255
    return np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)


def captures(path, **options):
    source = open_source(str(path), paced=False, **options)
    arrivals = list(source.frames)
    source.close()
    return [arrival.value.develop() for arrival in arrivals], arrivals, source


def codes_of(capture):
    return to_codes(encode(capture.linear), 8)


def decoded(path):
    """Frames of an output: times in s, and R'G'B' codes by the matrix of BT.709."""
    times_s, pictures = [], []
    red, blue = LUMA[1]
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            planes = [
                np.frombuffer(p, np.uint8).reshape(p.height, -1)[:, : p.width] for p in frame.planes
            ]
            luma = (planes[0][::2, ::2].astype(float) - 16) / 219
            cb, cr = ((plane.astype(float) - 128) / 224 for plane in planes[1:])
            r, b = luma + 2 * (1 - red) * cr, luma + 2 * (1 - blue) * cb
            g = (luma - red * r - blue * b) / (1 - red - blue)
            pictures.append(np.stack([r, g, b], axis=2) * 255)
            times_s.append(float(frame.time))
    return times_s, pictures


def streamed(path, output, **options):
    stream = camerapipe.open_stream(str(path), output=output, rung="draft", **options)
    report = stream.run()
    assert report.done == report.submitted, report.failures
    return report


# Reading


def test_frames_have_the_times_of_the_file(tmp_path):
    path = write_clip(tmp_path / "a.mp4", [flat((k, k, k)) for k in range(60, 65)], times_s=TIMES_S)
    _, arrivals, source = captures(path)
    assert [a.filmed_s for a in arrivals] == pytest.approx(TIMES_S, abs=1e-4)
    assert [a.captured_s for a in arrivals] == [None] * 5 and source.length == 5
    paced = open_source(str(path), paced=True)
    assert [a.captured_s for a in paced.frames] == pytest.approx(TIMES_S, abs=1e-4)
    rated = open_source(str(path), paced=True, fps=10)
    assert [a.filmed_s for a in rated.frames] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def test_a_clip_that_begins_late_has_its_first_frame_at_zero(tmp_path):
    path = write_clip(tmp_path / "a.mkv", [flat((90, 90, 90))] * 2, times_s=(2.0, 2.5))
    assert [a.filmed_s for a in captures(path)[1]] == pytest.approx([0, 0.5], abs=1e-3)


def corners():
    """Picture whose left half is red and whose top right is green, 96 x 64."""
    picture = flat((118, 118, 118))
    picture[:, :48] = np.array(SRGB["red"]) / 255
    picture[:32, 48:] = np.array(SRGB["green"]) / 255
    return picture


TURNS = {
    "a quarter clockwise": ((0, 1, -1, 0), lambda picture: np.rot90(picture, -1)),
    "half": ((-1, 0, 0, -1), lambda picture: np.rot90(picture, 2)),
    "a quarter anticlockwise": ((0, -1, 1, 0), np.rot90),
    "mirrored": ((-1, 0, 0, 1), np.fliplr),
    "mirrored upside down": ((1, 0, 0, -1), np.flipud),
}


@pytest.mark.parametrize(("turn", "upright"), TURNS.values(), ids=TURNS)
def test_a_turned_clip_is_upright(tmp_path, turn, upright):
    path = write_clip(tmp_path / "a.mp4", [corners()], turn=turn)
    (capture,), _, _ = captures(path)
    expected = upright(corners() * 255)
    assert capture.linear.shape == expected.shape
    codes = codes_of(capture)
    for row in (8, -8):
        for column in (8, -8):
            assert np.abs(codes[row, column] - expected[row, column]).max() <= 1


def test_a_turned_clip_with_wide_pixels(tmp_path):
    path = write_clip(tmp_path / "a.mp4", [corners()], turn=(0, 1, -1, 0), aspect=Fraction(2))
    assert captures(path)[0][0].linear.shape == (192, 64, 3)


@pytest.mark.parametrize(
    ("aspect", "size"),
    [(Fraction(16, 9), (171, 64)), (Fraction(1, 2), (96, 128)), (Fraction(1000, 1), (96, 64))],
)
def test_pixels_become_square(tmp_path, aspect, size):
    path = write_clip(tmp_path / "a.mp4", [corners()], aspect=aspect)
    (capture,), _, _ = captures(path)
    assert capture.linear.shape == (size[1], size[0], 3)
    codes = codes_of(capture)
    assert np.abs(codes[size[1] // 2, size[0] // 4] - np.array(SRGB["red"])).max() <= 1
    assert np.abs(codes[size[1] // 4, 3 * size[0] // 4] - np.array(SRGB["green"])).max() <= 1


HD = (1280, 32)
CODINGS = {
    "BT.709": (Tags(), HD),
    "BT.601": (Tags(matrix=6, primaries=1, transfer=6), HD),
    "full range": (Tags(full_range=True), HD),
    "10 bits": (Tags(bits=10), HD),
    "BT.2020 matrix": (Tags(matrix=9, bits=10), HD),
    "sRGB curve": (Tags(transfer=13), HD),
    "large without tags": (Tags(stated=False), HD),
    "small without tags": (Tags(matrix=6, stated=False), (96, 64)),
}


@pytest.mark.parametrize("colour", SRGB)
@pytest.mark.parametrize(("tags", "size"), CODINGS.values(), ids=CODINGS)
def test_colours_of_a_clip(tmp_path, colour, tags, size):
    path = write_clip(tmp_path / "a.mkv", [flat(SRGB[colour], size)], tags=tags)
    (capture,), _, source = captures(path)
    assert np.abs(codes_of(capture).astype(int) - SRGB[colour]).max() <= 1
    assert source.findings == () and capture.profile is None


@pytest.mark.parametrize(
    ("tags", "matrix"),
    [(Tags(primaries=12), P3_TO_SRGB), (Tags(primaries=9, matrix=9, bits=10), BT2020_TO_SRGB)],
    ids=["Display P3", "BT.2020"],
)
def test_wide_primaries_are_converted(tmp_path, tags, matrix):
    wanted = np.array((150, 110, 100))
    stored = encode(np.linalg.solve(matrix, light(wanted)).astype(np.float32)[None, None])[0, 0]
    path = write_clip(tmp_path / "a.mkv", [flat(stored * 255)], tags=tags)
    (capture,), _, _ = captures(path)
    assert np.abs(codes_of(capture).astype(int) - wanted).max() <= 1


def pq(nits):
    y = (nits / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375


@pytest.mark.parametrize(("transfer", "code"), [(16, pq(50.0)), (18, 0.5)], ids=["PQ", "HLG"])
def test_hdr_is_tone_mapped_and_said_once(tmp_path, transfer, code):
    tags = Tags(primaries=9, transfer=transfer, matrix=9, bits=10)
    path = write_clip(tmp_path / "a.mkv", [flat([255 * code] * 3)] * 2, tags=tags)
    pictures, _, source = captures(path)
    assert [f.code for f in source.findings] == ["hdr_tone_mapped"]
    nits = 50.0 if transfer == 16 else 1000 * (1 / 12) ** 1.2  # system gamma of BT.2100
    for capture in pictures:
        assert capture.linear.mean() == pytest.approx(nits / 203, rel=0.03)
        assert capture.findings == () and capture.bit_depth == 16
    done = CliRunner().invoke(cli, ["stream", str(path), "--rung", "draft"])
    assert done.exit_code == 0 and done.stderr.count("[hdr_tone_mapped]") == 1


# What is no video, or a damaged one


@pytest.fixture
def long_clip(tmp_path):
    """Noise, which does not compress, with the index at its start."""
    rng = np.random.default_rng(1)
    path = write_clip(tmp_path / "long.mp4", [rng.random((64, 96, 3)) for _ in range(25)])
    with (
        av.open(str(path)) as old,
        av.open(str(tmp_path / "fast.mp4"), "w", options={"movflags": "+faststart"}) as new,
    ):
        copy = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = copy
                new.mux(packet)
    return tmp_path / "fast.mp4"


def test_a_clip_cut_off_in_its_first_frame(tmp_path, long_clip, capfd):
    path = tmp_path / "cut.mp4"
    path.write_bytes(long_clip.read_bytes()[:4000])
    done = CliRunner().invoke(cli, ["stream", str(path), "-o", str(tmp_path / "out.mp4")])
    assert done.exit_code == 3
    assert done.stderr.count("\n") == 1 and "is cut off or damaged" in done.stderr
    assert capfd.readouterr() == ("", "") and not (tmp_path / "out.mp4").exists()


def test_a_clip_cut_off_later_keeps_its_frames_and_says_so(tmp_path, long_clip):
    path, out = tmp_path / "cut.mp4", tmp_path / "out.mp4"
    whole = long_clip.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    args = ["stream", str(path), "-o", str(out), "--rung", "draft", "--force", "-q"]
    done = CliRunner().invoke(cli, args)
    assert done.exit_code == 1, done.stderr
    assert f"is cut off: {len(whole) - len(whole) // 2} bytes are missing" in done.stderr
    assert 8 <= len(decoded(out)[0]) <= 14


def test_what_is_no_video_is_refused(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"nothing")
    with pytest.raises(CaptureError, match="a.mp4: is not a video, or it is damaged"):
        open_source(str(tmp_path / "a.mp4"))
    with av.open(str(tmp_path / "b.wav"), "w") as container:
        tone = container.add_stream("pcm_s16le", 8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux(tone.encode(frame))
    with pytest.raises(CaptureError, match=r"is not a video, .*\(it has no pictures\)"):
        open_source(str(tmp_path / "b.wav"))


def test_a_file_that_lies_about_its_size_is_refused(tmp_path):
    path = write_clip(tmp_path / "a.mp4", [flat((9, 9, 9), (640, 480))])
    data = path.read_bytes()  # the size stands in the header of the track and in that of samples
    for layout, unit in ((">HH", 1), (">II", 1 << 16)):
        large, small = (struct.pack(layout, w * unit, h * unit) for w, h in ((640, 480), (64, 48)))
        assert large in data
        data = data.replace(large, small)
    path.write_bytes(data)
    with pytest.raises(CaptureError):
        open_source(str(path), max_pixels=64 * 48)


def test_large_frames_are_refused_before_they_are_decoded(tmp_path):
    path = write_clip(tmp_path / "a.mp4", [flat((9, 9, 9))], aspect=Fraction(2, 1))
    assert open_source(str(path), max_pixels=2 * 96 * 64).length == 1
    with pytest.raises(LimitError, match="192 x 64"):
        open_source(str(path), max_pixels=2 * 96 * 64 - 1)


# Writing


def test_what_is_written_plays_in_browsers(tmp_path):
    pictures = [flat(SRGB[name], (1280, 64)) for name in SRGB]
    path, out = write_clip(tmp_path / "a.mkv", pictures), tmp_path / "out.mp4"
    streamed(path, out)
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264" and stream.pix_fmt == "yuv420p"
        tags = stream.color_primaries, stream.color_trc, stream.colorspace, stream.color_range
        assert tags == (1, 1, 1, 1)
    data = out.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    times_s, found = decoded(out)
    assert times_s == pytest.approx([0, 0.04, 0.08])
    for name, picture in zip(SRGB, found, strict=True):
        assert np.abs(picture.mean(axis=(0, 1)) - SRGB[name]).max() <= 1, name
        assert np.abs(picture - SRGB[name]).max() <= 2, name


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_frames_are_shown_at_the_times_of_the_source(tmp_path, suffix):
    pictures = [flat((k, k, k)) for k in range(60, 110, 10)]
    path = write_clip(tmp_path / "a.mp4", pictures, times_s=TIMES_S)
    out = tmp_path / f"out{suffix}"
    streamed(path, out)
    times_s, found = decoded(out)
    assert times_s == pytest.approx(TIMES_S, abs=1e-3)
    assert [round(float(p.mean()), -1) for p in found] == [60, 70, 80, 90, 100]
    with av.open(str(out)) as container:
        assert container.duration / av.time_base >= TIMES_S[-1]


def test_a_picture_with_odd_sides_becomes_even(tmp_path):
    path = write_clip(tmp_path / "a.mp4", [corners()], aspect=Fraction(16, 9))
    streamed(path, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (172, 64)


def packets_of(path):
    """Packets of the sound: time in s after the first frame, and data."""
    with av.open(str(path)) as container:
        first_s = next(container.decode(video=0)).time
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(audio=0) if p.pts is not None]
        return [(float(p.pts * p.time_base) - first_s, bytes(p)) for p in packets]


def sounding(tmp_path, suffix=".mp4", sound="aac"):
    pictures = [flat((k, k, k)) for k in range(60, 110)]
    return write_clip(tmp_path / f"a{suffix}", pictures, sound=sound)  # 2 s


@pytest.mark.parametrize(
    ("suffix", "sound", "to"),
    [
        (".mp4", "aac", ".mp4"),
        (".mp4", "aac", ".mkv"),
        (".mov", "pcm_s16le", ".mov"),
        (".avi", "pcm_s16le", ".mp4"),
        (".mkv", "libopus", ".mp4"),
    ],
)
def test_sound_is_copied(tmp_path, suffix, sound, to):
    path, out = sounding(tmp_path, suffix, sound), tmp_path / f"out{to}"
    report = streamed(path, out)
    assert report.findings == ()
    before, after = packets_of(path), packets_of(out)
    assert b"".join(data for _, data in after) == b"".join(data for _, data in before)
    assert after[0][0] == pytest.approx(before[0][0], abs=2e-3)
    assert after[-1][0] == pytest.approx(before[-1][0], abs=2e-3)


def test_sound_ends_with_the_frames(tmp_path):
    path, out = sounding(tmp_path), tmp_path / "out.mp4"
    streamed(path, out, frames=10)
    assert packets_of(out)[-1][0] == pytest.approx(0.4, abs=0.03)


@pytest.mark.parametrize(
    ("suffix", "sound", "options", "why"),
    [
        (".mov", "pcm_mulaw", {}, "a .mp4 video cannot have pcm_mulaw; choose .mov"),
        (".mp4", "aac", {"fps": 5.0}, "the frames are at other times"),
    ],
)
def test_sound_that_cannot_be_kept_is_said(tmp_path, suffix, sound, options, why):
    path, out = sounding(tmp_path, suffix, sound), tmp_path / "out.mp4"
    report = streamed(path, out, frames=3, **options)
    (found,) = report.findings
    assert found.code == "sound_dropped" and why in found.message
    with av.open(str(out)) as container:
        assert not container.streams.audio


@pytest.mark.parametrize("place", ["location", "com.apple.quicktime.location.ISO6709"])
def test_date_place_and_title_are_kept(tmp_path, place):
    written = {"creation_time": "2024-05-06T07:08:09.000000Z", "title": "Ducks", place: "+48-011/"}
    path, out = tmp_path / "a.mov", tmp_path / "out.mp4"
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata.update(written)
        stream = container.add_stream("h264", 25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 96, 3), np.uint8))))
        container.mux(stream.encode(None))
    streamed(path, out)
    with av.open(str(out)) as container:
        found = container.metadata
    assert found["title"] == "Ducks" and found["creation_time"] == written["creation_time"]
    assert found["location"] == "+48.0000-011.0000/"


def test_a_folder_of_pictures_of_a_clip_needs_no_sound(tmp_path):
    report = streamed(sounding(tmp_path), tmp_path / "out", frames=2)
    assert report.findings == () and len(list((tmp_path / "out").iterdir())) == 2


def test_an_avi_is_said_to_be_basic(tmp_path):
    report = streamed(sounding(tmp_path), tmp_path / "out.avi", frames=2)
    assert [f.code for f in report.findings] == ["video_basic"]
    assert "choose .mp4" in report.findings[0].message
