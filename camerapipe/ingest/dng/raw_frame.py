"""RAW frames of a simulated sensor as DNG files, with all that is known of their exposure."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from camerapipe.ingest.atomic import check_output, write_bytes
from camerapipe.ingest.dng.writing import (
    ASCII,
    DOUBLE,
    RATIONAL,
    SHORT,
    SRATIONAL,
    Colour,
    Tag,
    rationals,
    write_dng,
)
from camerapipe.ingest.dng.writing import Optics as Said
from stages.forward.lens import Optics
from stages.forward.raw import RawFrame

FULL_FRAME_MM = 36.0
MILLIMETRES = 4  # FocalPlaneResolutionUnit
SUFFIX = ".dng"
CLOCK_START = "2000-01-01T00:00:00"  # of virtual time
FAR_M = 10_000.0  # written for a focus at infinity


class Device(NamedTuple):
    """What took a frame.

    Attributes
    ----------
    make, model : str
        Names.
    optics : Optics
        The lens.
    frames_per_s : float or None
        Of RAW video: FrameRate.
    clock_start : str
        ISO 8601 time at second 0 of the frames' clock.
    """

    make: str
    model: str
    optics: Optics
    frames_per_s: float | None = None
    clock_start: str = CLOCK_START


def encode_raw_frame(frame: RawFrame, device: Device, white_balance: tuple[float, float]) -> bytes:
    """A RAW frame as the bytes of a DNG.

    Parameters
    ----------
    frame : RawFrame
        The mosaic and how it was taken.
    device : Device
        What took it.
    white_balance : (float, float)
        Gains of red and blue over green, for AsShotNeutral.

    Returns
    -------
    bytes
        The file. Levels, pattern, colour matrix, neutral and noise profile are those of the
        sensor; exposure, sensitivity, focal length, f-number, subject distance, size of the pixels
        and time are EXIF.
    """
    sensor, lens = frame.sensor, device.optics.lens
    neutral = np.array([1 / white_balance[0], 1.0, 1 / white_balance[1]])
    colour = Colour(
        sensor.black_level,
        sensor.white_level,
        tuple(neutral / neutral.max()),
        sensor.colour_matrix(),
        sensor.pattern,
    )
    width_mm = sensor.cols * sensor.pitch_um / 1000
    said = Said(
        device.make,
        device.model,
        focal_length_mm=lens.focal_length_mm,
        f_number=lens.f_number,
        exposure_s=frame.exposure.time_s,
        iso=round(frame.exposure.iso),
        focal_length_35mm=round(lens.focal_length_mm * FULL_FRAME_MM / width_mm),
        subject_distance_m=min(1 / max(frame.focus_dpt, 1e-9), FAR_M),
    )
    file = io.BytesIO()
    write_dng(
        file, frame.mosaic, colour, said, extra=[*_sensor_tags(frame), *_time_tags(frame, device)]
    )
    return file.getvalue()


def write_raw_frame(
    path: str | os.PathLike[str],
    frame: RawFrame,
    device: Device,
    white_balance: tuple[float, float],
    *,
    overwrite: bool = False,
) -> None:
    """Write a RAW frame as a DNG; the file is complete, or does not exist.

    Parameters
    ----------
    path : path
        Its name ends in .dng.
    frame, device, white_balance
        As of `encode_raw_frame`.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    check_output(path, overwrite=overwrite, suffixes=(SUFFIX,))
    write_bytes(path, encode_raw_frame(frame, device, white_balance), overwrite=overwrite)


def _sensor_tags(frame: RawFrame) -> Sequence[Tag]:
    """Noise profile and size of the pixels."""
    sensor = frame.sensor
    noise = sensor.noise_profile(sensor.gain_at(frame.exposure.iso))
    per_mm = rationals([1000 / sensor.pitch_um])
    return [
        (51041, DOUBLE, 2, noise),  # NoiseProfile, the same for all colours
        (41486, RATIONAL, 1, per_mm),  # FocalPlaneXResolution
        (41487, RATIONAL, 1, per_mm),
        (41488, SHORT, 1, MILLIMETRES),
    ]


def _time_tags(frame: RawFrame, device: Device) -> Sequence[Tag]:
    """Time of the first row, to the nanosecond, and the frame rate."""
    start = np.datetime64(device.clock_start, "ns") + np.timedelta64(
        round(frame.start_s * 1e9), "ns"
    )
    date, _, part = str(start).partition(".")
    rate = device.frames_per_s
    tags: list[Tag] = [
        (36867, ASCII, 0, date.replace("-", ":").replace("T", " ")),  # DateTimeOriginal
        (37521, ASCII, 0, part),  # SubSecTimeOriginal
    ]
    return tags if rate is None else [*tags, (51044, SRATIONAL, 1, rationals([rate]))]
