"""Sinks of frames: a folder of pictures, an app, or none (to measure); `video_sink` has videos.

A sink is a context. Its outputs appear whole when the context ends without an error, also after a
stop. `View` selects what is written of a frame: the picture, the coloured blur map, or both side by
side.
"""

from __future__ import annotations

import logging
import os
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any, Literal, Protocol, Self, get_args

import numpy as np
import numpy.typing as npt

from camerapipe.errors import OutputError, RequestError
from camerapipe.ingest import PICTURES, check_output, colour_map, make_folder, write_picture
from camerapipe.stream.shown import Shown, codes_of
from stages.grid import Grid, lift

LOG = logging.getLogger(__name__)
View = Literal["picture", "map", "both"]
BRIGHTEST_SIGMA = 6 / 1280  # of the long side, so that all maps have one scale


class Sink(AbstractContextManager["Sink"], Protocol):
    """Takes frames in order, one at a time. An error fails the frame, not the stream."""

    @property
    def encodes(self) -> bool:
        """Whether frames are encoded, which takes time on a device."""

    def deliver(self, shown: Shown) -> None:
        """Take one frame."""


class Nowhere(nullcontext[Any]):
    """Discards frames."""

    encodes = False

    def deliver(self, shown: Shown) -> None:
        """Discard a frame."""


class App(nullcontext[Any]):
    """Calls a function with every frame, one at a time, from any thread of the stream.

    An error of the function fails the frame, with a note where it was raised. The first one is
    logged with its traceback.
    """

    encodes = False

    def __init__(self, callback: Callable[[Shown], None]) -> None:
        super().__init__(self)
        self._callback = callback
        self._has_failed = False

    def deliver(self, shown: Shown) -> None:
        """Call the function with a frame."""
        try:
            self._callback(shown)
        except Exception as error:
            if not self._has_failed:
                LOG.exception("on_frame raised an error; it and later ones are in the report")
            self._has_failed = True
            place = traceback.extract_tb(error.__traceback__)[-1]
            error.add_note(f"in on_frame: {Path(place.filename).name}, line {place.lineno}")
            raise


class Both(ExitStack):
    """Two sinks: the second takes a frame after the first."""

    def __init__(self, first: Sink, second: Sink) -> None:
        super().__init__()
        self._sinks = (first, second)

    def __enter__(self) -> Self:
        """Enter both."""
        with ExitStack() as opening:
            for sink in self._sinks:
                opening.enter_context(sink)
            self.push(opening.pop_all())
        return super().__enter__()

    @property
    def encodes(self) -> bool:
        """Whether one of them encodes frames."""
        return any(sink.encodes for sink in self._sinks)

    def deliver(self, shown: Shown) -> None:
        """Deliver a frame to both."""
        for sink in self._sinks:
            sink.deliver(shown)


class Pictures(AbstractContextManager["Pictures"]):
    """Writes each frame to a folder as a picture, which has the name of the frame.

    If two frames have the same name except for the suffix, the later ones are numbered. The folder
    is made when the context is entered.

    Parameters
    ----------
    folder : Path
        Where the pictures go.
    view : View
        What is written.
    overwrite : bool
        Replace pictures that exist.
    suffix : str
        Format of the pictures.
    stems : iterable of str
        Names of frames that are known beforehand: if their pictures exist already, that is an
        error here, not of the frame.

    Raises
    ------
    OutputError
        If pictures cannot be written there.
    """

    encodes = True

    def __init__(
        self,
        folder: Path,
        view: View,
        *,
        overwrite: bool,
        suffix: str = ".jpg",
        stems: Iterable[str] = (),
    ) -> None:
        check_view(view)
        if suffix not in PICTURES:
            raise RequestError(f"pictures: expected one of {', '.join(PICTURES)}; got {suffix!r}")
        check_folder(folder)
        if folder.is_dir():
            for stem in stems:
                check_output(folder / f"{stem}{suffix}", overwrite=overwrite, suffixes=PICTURES)
        self._folder, self._view = folder, view
        self._overwrite, self._suffix = overwrite, suffix
        self._names: Counter[str] = Counter()

    def __enter__(self) -> Self:
        """Make the folder."""
        make_folder(self._folder)
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the pictures that were written."""

    def deliver(self, shown: Shown) -> None:
        """Write a frame."""
        capture = shown.frame.capture
        stem = Path(capture.name).stem
        self._names[stem] += 1
        number = f"-{self._names[stem]}" if self._names[stem] > 1 else ""
        path = self._folder / f"{stem}{number}{self._suffix}"
        inputs = [shown.frame.origin] if shown.frame.origin else []
        check_output(path, inputs, overwrite=self._overwrite, suffixes=PICTURES)
        write_picture(path, view_of(shown, self._view), capture, overwrite=self._overwrite)


def view_of(shown: Shown, view: View) -> npt.NDArray[np.uint8]:
    """What a sink writes of a frame.

    Parameters
    ----------
    shown : Shown
        The frame.
    view : View
        `picture`, `map` (black if there is none) or `both`, side by side.

    Returns
    -------
    Array
        Display-encoded RGB codes, HxWx3 uint8, or Hx2Wx3 for `both`.
    """
    picture = shown.image
    if view == "picture":
        return picture
    coloured = np.zeros_like(picture)
    if shown.blur_map is not None:
        full = lift(shown.blur_map, Grid(picture.shape[:2]))
        brightest_px = BRIGHTEST_SIGMA * max(picture.shape)
        coloured = codes_of(colour_map(full.sigma, brightest_px))
    return coloured if view == "map" else np.hstack([picture, coloured])


def check_folder(folder: Path, *, empty: bool = False) -> None:
    """Refuse a folder that cannot be made or written to, or, if wanted, one that is not empty.

    Raises
    ------
    OutputError
        Naming the folder, and what is wrong with it.
    """
    try:
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        if not there.is_dir():
            raise OutputError(f"{folder}: {there} is a file; name a folder")
        if empty and there == folder and any(folder.iterdir()):
            raise OutputError(f"{folder}: is not empty; name another folder")
    except OSError as error:
        raise OutputError(f"{folder}: cannot be read ({error.strerror})") from error
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: the folder {there} may not be written to")


def check_view(view: str) -> None:
    """Refuse a view that does not exist."""
    if view not in get_args(View):
        raise RequestError(f"view: expected one of {', '.join(get_args(View))}; got {view!r}")
