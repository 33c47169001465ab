"""A file of a stranger, tried as every kind of input: what came of it, in one word and one line.

`try_file` runs in a process that may crash (`camerapipe.isolation`); `Trier` starts it, and sees
what is left in the folder of the outputs.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import NamedTuple

from camerapipe.assembly import Request
from camerapipe.errors import CaptureError, ExitCode, LimitError
from camerapipe.ingest import open_capture
from camerapipe.isolation import Decoder
from camerapipe.job import Job, Task, run_job
from camerapipe.naming import Outputs
from camerapipe.protecting import ProtectionRequest
from camerapipe.settings import resolve

SUFFIXES = (".jpg", ".png", ".tiff", ".avif")
MAX_PIXELS = 400_000  # larger ones are refused, so that a try is short
REFUSED = (ExitCode.UNREADABLE, ExitCode.LIMIT, ExitCode.USAGE)
FINE = ("done", "refused")


class Tried(NamedTuple):
    """What came of a file.

    `kind` is done, refused, or what is wrong: traceback, host, crash, slow, memory, output, or
    partial. `words` are a message or a traceback.
    """

    kind: str
    words: str = ""

    @property
    def is_fine(self) -> bool:
        """Whether nothing went wrong: the file was used, or refused with one line."""
        return self.kind in FINE


def try_file(path: Path, role: str, number: int, folder: Path, photo: Path) -> Tried:
    """Check a file, estimate its map and render it; or use it beside a whole photograph.

    Parameters
    ----------
    path : Path
        The file.
    role : str
        What it is used as; see `mutants.Seed`.
    number : int
        Chooses the format of the output.
    folder : Path
        Where outputs go; empty before.
    photo : Path
        A whole photograph, for files that are tried as its map, mask or depth.
    """
    picture = folder / f"out{SUFFIXES[number % len(SUFFIXES)]}"
    job = Job(
        source=path if role in ("photo", "embedded") else photo,
        request=Request(settings=resolve(None), force=True),
        outputs=Outputs(picture=picture, map=folder / "map.tiff", report=folder / "report.json"),
        from_map=path if role == "map" else None,
        from_depth={"depth": str(path), "embedded": "embedded"}.get(role),
        protection=ProtectionRequest(mask=path if role == "mask" else None),
        max_pixels=MAX_PIXELS,
    )
    if role == "photo" and number % 5 == 0:
        job = Job(source=path, request=job.request, task=Task.CHECK, max_pixels=MAX_PIXELS)
    result = run_job(job)
    if result.error is not None:
        error = result.error
        one_line = "\n" not in error.message and error.code in REFUSED
        return Tried("refused" if one_line else "traceback", error.message + "\n" + error.traceback)
    try:
        for written in result.written.values():
            if written == picture:
                open_capture(written)
    except CaptureError:
        return Tried("output", traceback.format_exc())
    return Tried("done")


class Trier:
    """Tries files in a process of its own, and tells how each went.

    Parameters
    ----------
    decoder : Decoder
        Its process and its limits.
    folder : Path
        For the file and its outputs.
    photo : bytes
        A whole photograph.
    """

    def __init__(self, decoder: Decoder, folder: Path, photo: bytes) -> None:
        self._decoder, self._file = decoder, folder / "input"
        self._outputs = folder / "outputs"
        self._outputs.mkdir()
        self._photo = folder / "photo.jpg"
        self._photo.write_bytes(photo)

    def try_data(self, data: bytes, role: str, number: int) -> Tried:
        """Try the content of a file; role and number are as for `try_file`."""
        self._file.write_bytes(data)
        try:
            tried = self._decoder.call(
                try_file, self._file, role, number, self._outputs, self._photo
            )
        except LimitError as error:
            tried = Tried("slow", str(error))
        except CaptureError as error:
            tried = Tried("crash", str(error))
        except MemoryError as error:
            tried = Tried("memory", str(error))
        except Exception:
            tried = Tried("host", traceback.format_exc())
        left = sorted(self._outputs.iterdir())
        for path in left:
            path.unlink()
        if left and tried.kind not in ("done", "output"):
            return Tried("partial", f"{[path.name for path in left]} after {tried}")
        if self._file.read_bytes() != data:
            return Tried("partial", "the input was changed")
        return tried
