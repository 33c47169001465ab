"""A folder that is watched: files are taken when they have settled.

A periodic scan of the folder is the truth. Events of the file system only make a scan come earlier,
so that events that are lost, or absent as on network drives, cost no file. What was done is in the
journal, as of any batch: files are neither moved nor changed, and after a restart the first scan
finds what is missing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from camerapipe.batch.disks import is_network_drive
from camerapipe.batch.listing import Found
from camerapipe.batch.order import FileStamp
from camerapipe.batch.running import Batch
from camerapipe.batch.sidecar import sidecar_of
from camerapipe.budget import wall_s

SLICE_S = 0.25  # longest wait without a look at whether to stop
LEAST_WAIT_S = 0.1  # between scans
SCAN_SHARE = 0.25  # of the time, at most, that scans of a large folder take

Stamps = tuple[FileStamp | None, FileStamp | None]  # of a file, and of the recipe beside it


class Seen(NamedTuple):
    """A file as the last scan saw it, since when it is so, and whether it was taken."""

    stamps: Stamps
    since_s: float
    taken: bool = False


class Settling:
    """Tells files that have not changed for some time; each is taken once, until it changes.

    Parameters
    ----------
    settle_s : float
        How long a file must be unchanged.
    """

    def __init__(self, settle_s: float) -> None:
        self._settle_s = settle_s
        self._seen: dict[str, Seen] = {}

    def take(self, found: Iterable[Found], now_s: float) -> list[Found]:
        """Files of a scan that have settled and were not taken as they are; they count as taken."""
        before, self._seen = self._seen, {}
        taken = []
        for each in found:
            stamps = _stamps(each.path)
            seen = before.get(each.path)
            if seen is None or seen.stamps != stamps:
                seen = Seen(stamps, now_s)
            if not seen.taken and now_s - seen.since_s >= self._settle_s:
                taken.append(each)
                seen = seen._replace(taken=True)
            self._seen[each.path] = seen
        return taken

    def next_s(self) -> float | None:
        """When the next file may have settled; None if all were taken."""
        pending = (seen.since_s for seen in self._seen.values() if not seen.taken)
        first = min(pending, default=None)
        return None if first is None else first + self._settle_s


@dataclass(kw_only=True)
class Watch:
    """Runs a batch over the files of a folder as they settle, until it is stopped.

    Parameters
    ----------
    batch : Batch
        What is done with them.
    scan : callable
        Lists the files of the folder.
    settling : Settling
        Which of them have settled.
    rescan_s : float
        Longest time between two scans.
    wait : callable
        `wait(seconds)` returns earlier if something may have changed.
    clock : callable
        Seconds.
    """

    batch: Batch
    scan: Callable[[], Iterable[Found]]
    settling: Settling
    rescan_s: float
    wait: Callable[[float], object]
    clock: Callable[[], float] = wall_s

    def run(self) -> None:
        """Scan, work on what has settled, and wait, until the batch is stopped."""
        while not self.batch.stopped:
            started_s = self.clock()
            due = self.settling.take(self.scan(), started_s)
            scan_s = self.clock() - started_s
            if due:
                self.batch.journal.new_run()
                self.batch.run(due)
            self._wait(least_s=max(LEAST_WAIT_S, scan_s / SCAN_SHARE))

    def _wait(self, least_s: float) -> None:
        """Wait for the next scan; after an event, the least time between scans is kept."""
        now_s = self.clock()
        settled_s, earliest_s = self.settling.next_s(), now_s + least_s
        end_s = now_s + self.rescan_s
        if settled_s is not None:
            end_s = min(end_s, max(settled_s, earliest_s))
        while not self.batch.stopped and (left_s := end_s - self.clock()) > 0:
            if self.wait(min(left_s, SLICE_S)):
                end_s = min(end_s, earliest_s)


@contextmanager
def events(folder: str, *, recursive: bool, polling: bool) -> Iterator[Callable[[float], object]]:
    """Give `wait(seconds)`, which returns whether the folder may have changed.

    With `polling`, on a network drive, or without the package watchfiles, it only waits: scans then
    find what has changed.
    """
    never = threading.Event()
    if polling or is_network_drive(folder):
        yield never.wait
        return
    try:
        from watchfiles import watch
    except ImportError:
        yield never.wait
        return
    changes = watch(
        folder, watch_filter=None, recursive=recursive, yield_on_timeout=True,
        rust_timeout=round(1000 * SLICE_S), debounce=round(1000 * SLICE_S),
        ignore_permission_denied=True, force_polling=False,
    )  # fmt: skip

    def wait(seconds: float) -> object:
        try:
            return next(changes, None)
        except OSError:  # the system has no more watches, or the folder is gone
            return never.wait(seconds)

    try:
        yield wait
    finally:
        changes.close()


def _stamps(path: str) -> Stamps:
    recipe = sidecar_of(path)
    return FileStamp.of(path), FileStamp.of(str(recipe)) if recipe is not None else None
