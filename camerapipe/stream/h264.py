"""Video files by PyAV: H.264 that browsers play, frames at their times, with sound and metadata.

Colours are BT.709, tagged. Sound is copied without encoding it again. The index of an MP4 or MOV
is at its start, so that the file plays while it is loaded.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from camerapipe.errors import OutputError
from camerapipe.ingest.files import one_line
from camerapipe.ingest.video import exact_scaling, library, swscale
from camerapipe.stream.exposures import Footage

TICK_S = Fraction(1, 90_000)  # time base
MOST_PARTS = 1001  # denominator of a rate: 30000 / 1001 of NTSC
BT709 = 1  # primaries, transfer characteristics and matrix of ITU-T H.273
NARROW = 1  # AVColorRange
# Options of libx264. Without B-frames, the duration in the file is right for any times of frames.
QUALITY = {"crf": "17", "preset": "fast", "rc-lookahead": "20", "bf": "0"}
SOUND_TAIL_S = 1.0  # sound that may follow the last frame
# Metadata that belong to the file itself, or to the program that wrote it.
OF_THE_FILE = {
    "compatible_brands", "duration", "encoder", "major_brand", "minor_version", "timecode",
}  # fmt: skip
APPLE_PLACE = "com.apple.quicktime.location.ISO6709"
INDEX_FIRST = {"movflags": "+faststart"}
FORMATS = {".mkv": "matroska", ".mov": "mov", ".mp4": "mp4"}  # FFmpeg's names, by suffix


@contextmanager
def h264_writer(
    path: Path, name: str, size: tuple[int, int], fps: float, footage: Footage | None
) -> Iterator[H264Writer]:
    """Open a video file; it is complete when the context ends without an error.

    Parameters
    ----------
    path : Path
        The file, whose suffix is one of `FORMATS`.
    name : str
        Of the output, for messages.
    size : (width, height)
        Even numbers, px.
    fps : float
        Usual rate; frames have their own times.
    footage : Footage, optional
        Its metadata are copied, and its sound up to the end of the last frame.

    Raises
    ------
    OutputError
        If the file could not be written.
    """
    options = {} if path.suffix.lower() == ".mkv" else INDEX_FIRST
    with _errors(name), library().open(f"file:{path}", "w", options=options) as container:
        writer = H264Writer(container, name, size, fps, footage)
        yield writer
        writer.finish()


@functools.cache
def can_copy(codec: str, suffix: str) -> bool:
    """Whether a file with a suffix of `FORMATS` can have sound of a codec."""
    with library().open(os.devnull, "w", format=FORMATS[suffix]) as container:
        return codec in container.supported_codecs


class H264Writer:
    """Encodes frames, and copies sound beside them; made by `h264_writer`."""

    def __init__(
        self,
        container: Any,
        name: str,
        size: tuple[int, int],
        fps: float,
        footage: Footage | None,
    ) -> None:
        self._container, self._name, self._av = container, name, library()
        rate = max(Fraction(fps).limit_denominator(MOST_PARTS), Fraction(1, MOST_PARTS))
        self._stream = container.add_stream("h264", rate, options=QUALITY)
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        context = self._stream.codec_context
        context.time_base = TICK_S
        context.color_primaries = context.color_trc = context.colorspace = BT709
        context.color_range = NARROW
        self._sound = None
        if footage is not None:
            container.metadata.update(_metadata_of(footage))
            self._sound = _SoundCopy(container, footage) if footage.sound else None
        self._scaler = swscale().VideoReformatter()
        self._last_tick, self._interval_s = -1, float(1 / rate)  # the last frame lasts so long
        self._failed = False

    def write(self, codes: npt.NDArray[np.uint8], at_s: float) -> None:
        """Append a frame.

        Parameters
        ----------
        codes : Array
            Display-encoded sRGB codes, HxWx3 uint8.
        at_s : float
            It is shown from this time on, s after the first frame.
        """
        tick = max(round(at_s / TICK_S), self._last_tick + 1)
        try:
            with _errors(self._name):
                self._encode(codes, tick)
                if self._sound is not None:
                    self._sound.copy_until(at_s)
        except OutputError:
            self._failed = True
            raise
        self._last_tick = tick

    def finish(self) -> None:
        """Write what the encoder still holds, and the rest of the sound."""
        self._container.mux(self._stream.encode(None))
        if self._sound is not None:
            self._sound.copy_rest(float(self._last_tick * TICK_S) + self._interval_s)
        if self._failed:
            raise OutputError(f"{self._name}: is not complete; is there room on the disk?")

    def _encode(self, codes: npt.NDArray[np.uint8], tick: int) -> None:
        space, ranges = swscale().Colorspace.ITU709, swscale().ColorRange
        frame = self._scaler.reformat(
            self._av.VideoFrame.from_ndarray(np.ascontiguousarray(codes), "rgb24"),
            format="yuv420p",
            src_colorspace=space,
            dst_colorspace=space,
            src_color_range=ranges.JPEG,
            dst_color_range=ranges.MPEG,
            interpolation=exact_scaling(),
            threads=1,
        )
        frame.pts, frame.time_base = tick, TICK_S
        frame.color_primaries = frame.color_trc = BT709
        self._container.mux(self._stream.encode(frame))


class _SoundCopy:
    """Copies the packets of a sound, interleaved with the frames of a video."""

    def __init__(self, container: Any, footage: Footage) -> None:
        self._container, self._start_s = container, footage.start_s
        self._source = library().open(f"file:{footage.path}")
        stream = self._source.streams.audio[0]
        self._copy = container.add_stream_from_template(stream)
        self._packets = (p for p in self._source.demux(stream) if p.pts is not None)
        self._next = next(self._packets, None)

    def copy_until(self, end_s: float) -> None:
        """Copy what begins before a time, s after the first frame."""
        while self._next is not None and self._time_s(self._next) < end_s:
            self._take()

    def copy_rest(self, end_s: float) -> None:
        """Copy up to the end of the video, or all that is left if that is short."""
        self.copy_until(end_s)
        tail = []
        while self._next is not None and self._time_s(self._next) < end_s + SOUND_TAIL_S:
            tail.append(self._next)
            self._next = next(self._packets, None)
        if self._next is None:
            for packet in tail:
                self._mux(packet)
        self._source.close()

    def _take(self) -> None:
        self._mux(self._next)
        self._next = next(self._packets, None)

    def _mux(self, packet: Any) -> None:
        offset = round(self._start_s / packet.time_base)
        packet.pts -= offset
        packet.dts = None if packet.dts is None else packet.dts - offset
        packet.stream = self._copy
        self._container.mux(packet)

    def _time_s(self, packet: Any) -> float:
        return float(packet.pts * packet.time_base) - self._start_s


def _metadata_of(footage: Footage) -> dict[str, str]:
    """What a person or a camera wrote: date, place, title and so on."""
    with library().open(f"file:{footage.path}", metadata_errors="replace") as source:
        found = dict(source.metadata)
    if APPLE_PLACE in found:
        found.setdefault("location", found[APPLE_PLACE])
    return {name: value for name, value in found.items() if name not in OF_THE_FILE}


@contextmanager
def _errors(name: str) -> Iterator[None]:
    """Turn errors of FFmpeg into an `OutputError` of one line."""
    try:
        yield
    except library().FFmpegError as error:
        reason = error.strerror or one_line(error)
        raise OutputError(
            f"{name}: could not be written ({reason}); is there room on the disk?"
        ) from error
