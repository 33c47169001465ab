"""Videos, folders of pictures, and optics: cases of `datasets.clips` and small files.

Clips are made by PyAV; where it is not installed, only cases without clips are tried.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

import camerapipe
from camerapipe.errors import CaptureError
from camerapipe.ingest import open_capture
from camerapipe.optics import optics_of
from camerapipe.stream.opencv_writer import writable_rate
from camerapipe.stream.sources import open_source
from datasets.clips import Tags, write_clip
from datasets.coded_files import PATCHES, coded, gamma_curve, hlg_curve, patches_of, pq_curve
from datasets.coded_files import srgb_curve as srgb
from measures.file_cases import MAX_CODES, Floats, Found, Outcome, off_by
from stages.capture_check import UnknownOptics
from stages.optics import distance_text
from stages.tone import encode

TIMES_S = (0.0, 0.04, 0.05, 0.5)  # of a variable frame rate
SLACK_S = 1e-3
# Half a step of 8-bit Y', Cb and Cr is up to 1.6 codes of blue, and the source has its own error.
MAX_WRITTEN = 2.5
BELOW_KNEE = slice(2, None)  # patches below half of reference white
NEEDS = "PyAV (extra video), for clips"
SDR_CLIPS = {
    "BT.709": ("srgb", srgb, Tags()),
    "BT.601, 525 lines": ("srgb", srgb, Tags(matrix=6, transfer=6)),
    "full range": ("srgb", srgb, Tags(full_range=True)),
    "10 bits": ("srgb", srgb, Tags(bits=10)),
    "BT.2020": ("bt2020", srgb, Tags(primaries=9, matrix=9, transfer=14, bits=10)),
    "Display P3": ("p3", srgb, Tags(primaries=12, transfer=13, bits=10)),
    "gamma 2.2": ("srgb", gamma_curve(2.2), Tags(transfer=4)),
}
HDR_CLIPS = {"PQ": (pq_curve, 16), "HLG": (hlg_curve, 18)}


def videos(folder: Path) -> Found:
    """Colours, times, shape, sound and damage of clips; the colour error is that of reading."""
    found = [Outcome("video", name, case(folder)) for name, case in PLAIN_CASES.items()]
    if importlib.util.find_spec("av") is None:
        return Found(found, missing=(NEEDS,))
    worst = 0.0
    for name, (space, curve, tags) in SDR_CLIPS.items():
        picture = _deep(space, curve)
        path = write_clip(folder / "in.mkv", [picture] * 2, tags=tags)
        read = np.abs(_patches(path) - PATCHES)
        camerapipe.open_stream(path, output=folder / "out.mp4", overwrite=True).run()
        written = np.abs(_patches(folder / "out.mp4") - PATCHES)
        worst = max(worst, float(read.max()))
        found.append(Outcome("video", f"{name}, read", off_by(read, MAX_CODES)))
        found.append(Outcome("video", f"{name}, written", off_by(written, MAX_WRITTEN)))
    for name, (curve, transfer) in HDR_CLIPS.items():
        tags = Tags(primaries=9, matrix=9, transfer=transfer, bits=10)
        path = write_clip(folder / "in.mkv", [_deep("bt2020", curve)], tags=tags)
        wrong = off_by(np.abs(_patches(path) - PATCHES)[BELOW_KNEE], MAX_CODES)
        told = [each.code for each in _opened(path).findings] == ["hdr_tone_mapped"]
        found.append(Outcome("video", name, wrong or ("" if told else "not told")))
    for name, case in CLIP_CASES.items():
        found.append(Outcome("video", name, case(folder)))
    return Found(found, worst)


def optics(folder: Path) -> Found:
    """The sensor of a picture that was resized, and distances as people say them."""
    exif = Image.Exif()
    exif[271] = "Canon"
    density = IFDRational(577_308, 100)  # per inch: 22.4 mm for the 5184 px of the sensor
    exif.get_ifd(0x8769).update(
        {0x920A: IFDRational(500), 0x829D: IFDRational(71, 10), 0xA20E: density, 0xA20F: density,
         0xA210: 2, 0xA002: 900, 0xA003: 600}
    )  # fmt: skip
    Image.new("RGB", (900, 600), (90, 120, 80)).save(folder / "resized.jpg", exif=exif)
    unknown = optics_of(open_capture(folder / "resized.jpg"))
    said = {0.684: "0.68 m", 12.4: "12 m", 12_488.0: "over 1 km"}
    right = all(distance_text(distance_m) == text for distance_m, text in said.items())
    return Found(
        [
            Outcome("optics", "resized by an editor", ""
                    if isinstance(unknown, UnknownOptics) else "a sensor was told"),
            Outcome("optics", "distances", "" if right else "not as people say them"),
        ]
    )  # fmt: skip


def _deep(space: str, curve: Any) -> Floats:
    return np.asarray(coded(space, curve, 16) / 65535)


def _opened(path: Path) -> Any:
    source = open_source(str(path), paced=False)
    source.close()
    return source


def _frames(path: Path) -> list[tuple[float | None, Any]]:
    """Times and captures of the frames."""
    source = open_source(str(path), paced=False)
    frames = [(each.filmed_s, each.value.develop()) for each in source.frames]
    source.close()
    return frames


def _patches(path: Path) -> Floats:
    return patches_of(encode(_frames(path)[0][1].linear) * 255)


def _times(folder: Path) -> str:
    pictures = [np.full((32, 48, 3), 0.2 * k) for k in range(1, 5)]
    path = write_clip(folder / "in.mp4", pictures, times_s=TIMES_S)
    camerapipe.open_stream(path, output=folder / "out.mp4", overwrite=True).run()
    for each in (path, folder / "out.mp4"):
        found = [at_s for at_s, _ in _frames(each) if at_s is not None]
        if len(found) != len(TIMES_S) or np.abs(np.subtract(found, TIMES_S)).max() > SLACK_S:
            return f"{each.name} shows frames at {found}"
    return ""


def _shape(folder: Path, wanted: tuple[int, int], **options: Any) -> str:
    path = write_clip(folder / "in.mp4", [np.full((32, 48, 3), 0.5)], **options)
    shape = _frames(path)[0][1].linear.shape[:2]
    return "" if shape == wanted else f"shown as {shape[1]} x {shape[0]}"


def _sound(folder: Path) -> str:
    pictures = [np.full((32, 48, 3), 0.5)] * 25
    path = write_clip(folder / "in.mp4", pictures, sound="aac")
    camerapipe.open_stream(path, output=folder / "out.mp4", overwrite=True).run()
    return "" if _sound_of(path) == _sound_of(folder / "out.mp4") else "its sound is another"


def _sound_of(path: Path) -> bytes:
    import av

    with av.open(str(path)) as container:
        return b"".join(bytes(packet) for packet in container.demux(audio=0))


def _cut(folder: Path) -> str:
    noise = np.random.default_rng(1).random((64, 96, 3))
    path = write_clip(folder / "in.mkv", [noise])
    path.write_bytes(path.read_bytes()[:4000])
    try:
        _frames(path)
    except CaptureError as error:
        return "" if "cut off" in str(error) else str(error)
    return "read without an error"


def _odd_rate(folder: Path) -> str:
    rate = Fraction(str(writable_rate(66.667)))
    return "" if rate.numerator <= 65_535 else "cannot be written"


def _order(folder: Path) -> str:
    numbered = folder / "numbered"
    numbered.mkdir()
    for k in range(1, 12):
        cv2.imwrite(str(numbered / f"img{k}.jpg"), np.full((16, 16, 3), 90, np.uint8))
    (numbered / "img1.xmp").write_text("no picture")
    names = [each.value.name for each in open_source(str(numbered), paced=False).frames]
    return "" if names == [f"img{k}.jpg" for k in range(1, 12)] else f"read as {names}"


def _photograph(folder: Path) -> str:
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (48, 32)).save(folder / "turned.jpg", exif=exif)
    shape = _frames(folder / "turned.jpg")[0][1].linear.shape[:2]
    return "" if shape == (48, 32) else "not turned"


PLAIN_CASES: dict[str, Callable[[Path], str]] = {
    "odd rate": _odd_rate,
    "folder": _order,
    "photograph": _photograph,
}
CLIP_CASES: dict[str, Callable[[Path], str]] = {
    "variable rate": _times,
    "turned": lambda folder: _shape(folder, (48, 32), turn=(0, 1, -1, 0)),
    "wide pixels": lambda folder: _shape(folder, (32, 96), aspect=Fraction(2)),
    "sound": _sound,
    "cut off": _cut,
}
