"""Small video files for tests: exact Y'CbCr samples, any times, tags, rotation and sound.

Samples are computed here and not by the library that reads them, so that a wrong matrix or range
shows. Files are written by PyAV (extra `video`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

TICK_S = Fraction(1, 90_000)
LUMA = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
RATE_HZ = 48_000


@dataclass(frozen=True, kw_only=True)
class Tags:
    """Colour of a clip, by code points of ITU-T H.273 (2: not stated), and how it is stored.

    `matrix` is that of the samples, and is stated if `stated`; `bits` are 8 or 10.
    """

    primaries: int = 1
    transfer: int = 1
    matrix: int = 1
    full_range: bool = False
    bits: int = 8
    stated: bool = True


def samples(rgb: npt.NDArray[Any], tags: Tags) -> list[npt.NDArray[np.uint16]]:
    """Planes Y', Cb, Cr with 4:2:0 of a picture, HxWx3 R'G'B' in [0, 1] (H, W even)."""
    red, blue = LUMA[tags.matrix]
    luma = np.asarray(rgb, np.float64) @ np.array([red, 1 - red - blue, blue])
    cb = (rgb[..., 2] - luma) / (2 * (1 - blue))
    cr = (rgb[..., 0] - luma) / (2 * (1 - red))
    scale = 2 ** (tags.bits - 8)
    black, span, chroma = (0, 255, 255) if tags.full_range else (16, 219, 224)
    if tags.full_range:
        span = chroma = (2**tags.bits - 1) / scale
    planes = [black + span * luma, 128 + chroma * cb[::2, ::2], 128 + chroma * cr[::2, ::2]]
    top = 2**tags.bits - 1
    return [np.clip(np.rint(plane * scale), 0, top).astype(np.uint16) for plane in planes]


def write_clip(
    path: Path,
    pictures: Sequence[npt.NDArray[Any]],
    *,
    times_s: Sequence[float] | None = None,
    tags: Tags = Tags(),
    codec: str = "h264",
    aspect: Fraction | None = None,
    turn: tuple[int, int, int, int] | None = None,
    sound: str | None = None,
) -> Path:
    """Write a video without loss (H.264) or with little.

    Parameters
    ----------
    path : Path
        The file; its suffix is the format.
    pictures : sequence of Array
        R'G'B' in [0, 1], HxWx3.
    times_s : sequence of float, optional
        When each is shown, s; by default 25 in a second.
    tags : Tags
        Its colour.
    codec : str
        Of the pictures.
    aspect : Fraction, optional
        Width / height of a pixel.
    turn : (int, int, int, int), optional
        a, b, c, d of the stated display matrix: x' = a x + c y, y' = b x + d y.
    sound : str, optional
        Codec of a tone beside the pictures.
    """
    import av

    height, width = pictures[0].shape[:2]
    times_s = [k / 25 for k in range(len(pictures))] if times_s is None else times_s
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, 25, options={"qp": "0", "bf": "0"})
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuv420p" if tags.bits == 8 else "yuv420p10le"
        context = stream.codec_context
        context.time_base = TICK_S
        context.color_range = 2 if tags.full_range else 1
        if tags.stated:
            context.colorspace = tags.matrix
            context.color_primaries, context.color_trc = tags.primaries, tags.transfer
        if aspect is not None:
            context.sample_aspect_ratio = aspect
        if turn is not None:
            a, b, c, d = (n * 65536 for n in turn)
            stream.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
        tone = None if sound is None else container.add_stream(sound, RATE_HZ, layout="mono")
        for rgb, at_s in zip(pictures, times_s, strict=True):
            frame = _frame(rgb, tags, stream.pix_fmt)
            frame.pts, frame.time_base = round(at_s / TICK_S), TICK_S
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if tone is not None:
            _write_tone(container, tone, times_s[-1])
    return path


def _frame(rgb: npt.NDArray[Any], tags: Tags, form: str) -> Any:
    import av

    frame = av.VideoFrame(rgb.shape[1], rgb.shape[0], form)
    dtype = np.uint8 if tags.bits == 8 else np.dtype("<u2")
    for plane, values in zip(frame.planes, samples(rgb, tags), strict=True):
        rows = np.frombuffer(plane, dtype).reshape(values.shape[0], -1)
        rows[:, : values.shape[1]] = values
    return frame


def _write_tone(container: Any, stream: Any, seconds: float) -> None:
    import av

    form = stream.codec_context.format.name
    size = stream.codec_context.frame_size or 1024
    for start in range(0, int(seconds * RATE_HZ) + size, size):
        wave = 0.2 * np.sin(2 * np.pi * 440 * np.arange(start, start + size) / RATE_HZ)
        values = wave.astype(np.float32) if "flt" in form else (wave * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(values[None], form, "mono")
        frame.sample_rate, frame.pts = RATE_HZ, start
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
