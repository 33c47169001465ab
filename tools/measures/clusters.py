"""Batches on a cluster of processes that are killed, restarted, or cut off from the network.

Scheduler and workers are started as people start them. What happens to them happens after a number
of files, not after a time. Every performance of an order is logged beside the outputs, so that
those that were done twice can be compared.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from camerapipe.batch.cluster import ClusterEngine
from camerapipe.batch.cluster_connection import Cluster
from camerapipe.batch.journal import JOURNAL_NAME, Journal
from camerapipe.batch.listing import Listing
from camerapipe.batch.order import Order, Outcome, State
from camerapipe.batch.running import Batch, Ended
from camerapipe.batch.working import perform
from measures.copying import planner_for, work_of_copies

AFTER = 10  # files, after which something happens
LOG = "performed.log"  # beside the outputs: number of an order, digest of its picture
LOOPBACK, HERE, THERE = "127.0.0.1", "10.213.7.1", "10.213.7.2"
SPACE, LINK = "camerapipe-cut", "camerapipe0"  # a network of its own, and our end of its cable
SETTINGS = {  # of Dask: losses are noticed soon
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "12s",
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "15s",
    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "3",
}


class Survived(NamedTuple):
    """What came of a batch: files lost, files done with different bytes, times one was repeated."""

    lost: int
    doubled: int
    repeated: int


def logged_perform(order: Order) -> Outcome:
    """Perform an order, and log the digest of its picture."""
    outcome = perform(order)
    picture = order.outputs.picture
    if outcome.state is State.DONE and picture is not None:
        digest = hashlib.sha256(picture.read_bytes()).hexdigest()
        handle = os.open(picture.parent / LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        with os.fdopen(handle, "w") as log:
            log.write(f"{order.number} {digest}\n")
    return outcome


class Site:
    """A scheduler and two workers, in processes of their own.

    Parameters
    ----------
    folder : Path
        For what they write.
    host : str
        Address of the scheduler.
    """

    def __init__(self, folder: Path, host: str = LOOPBACK) -> None:
        self._folder, self._host = folder, host
        self._stack = ExitStack()
        with socket.socket() as free:
            free.bind((host, 0))
            self._port = free.getsockname()[1]
        self.address = f"tcp://{host}:{self._port}"

    def __enter__(self) -> Site:
        self.start_scheduler()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start_scheduler(self) -> None:
        """Start a scheduler at the address."""
        self.scheduler = self._start(
            "dask_scheduler", "--host", self._host, "--port", str(self._port), "--no-dashboard",
            "--dashboard-address", f"{self._host}:0",
        )  # fmt: skip

    def start_worker(self, *before: str) -> subprocess.Popen[bytes]:
        """Start a worker, by a command `before` it if that is given."""
        return self._start(
            "dask_worker", self.address, "--nthreads", "1", "--memory-limit", "0",
            "--no-dashboard", "--local-directory", str(self._folder), before=before,
        )  # fmt: skip

    def _start(self, module: str, *words: str, before: tuple[str, ...] = ()) -> Any:
        log = (self._folder / f"{module}.log").open("ab")
        process = subprocess.Popen(
            [*before, sys.executable, "-m", f"distributed.cli.{module}", *words],
            env=os.environ | SETTINGS | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        self._stack.callback(log.close)
        self._stack.callback(_end, process)
        return process


def survive(
    source: Path, folder: Path, site: Site, happen: Callable[[Any], None], wanted: dict[str, bytes]
) -> Survived:
    """Run a batch to its end while something happens to its cluster.

    Parameters
    ----------
    source, folder : Path
        Photographs, and where pictures go.
    site : Site
        The cluster.
    happen : callable
        Called with the engine after `AFTER` files.
    wanted : dict
        Right pictures by their names.
    """
    folder.mkdir()
    engine = ClusterEngine(
        work_of_copies(), cluster=Cluster(address=site.address), memory_bytes=None, timeout_s=120,
        perform=logged_perform,
    )  # fmt: skip
    ended: Counter[int] = Counter()

    def observe(each: Ended | None) -> None:
        if each is not None and not each.again:
            ended[each.order.number] += 1
            if ended.total() == AFTER:
                happen(engine)

    with Journal(folder / JOURNAL_NAME) as journal, engine:
        batch = Batch(planner=planner_for(journal, folder), engine=engine, observe=observe)
        batch.run(Listing(sources=[str(source)], output=str(folder)))
        done = {os.fsdecode(row.picture) for row in journal.rows(State.DONE)}
    right = {name for name, data in wanted.items() if _has(folder / name, data)}
    lost = sum(str(folder / name) not in done or name not in right for name in wanted)
    lost += sum(count != 1 for count in ended.values())
    performed = defaultdict(list)
    for line in (folder / LOG).read_text().splitlines():
        number, digest = line.split()
        performed[number].append(digest)
    return Survived(
        lost=lost,
        doubled=sum(len(set(digests)) > 1 for digests in performed.values()),
        repeated=sum(len(digests) - 1 for digests in performed.values()),
    )


def kill_a_worker(site: Site) -> Callable[[Any], None]:
    """Kill one of the processes that work, which its nanny replaces."""

    def happen(engine: Any) -> None:
        pid = next(iter(engine._connection._client.run(os.getpid).values()))
        os.kill(pid, signal.SIGKILL)

    return happen


def restart_the_scheduler(site: Site) -> Callable[[Any], None]:
    """Kill the scheduler, and start it anew; its workers end, and are started as a service is."""

    def happen(engine: Any) -> None:
        site.scheduler.kill()
        site.scheduler.wait()
        site.start_scheduler()
        for _ in range(2):
            site.start_worker()

    return happen


@contextmanager
def own_network(is_wanted: bool = True) -> Iterator[None]:
    """A network namespace with one cable to this one; needs root."""
    if not is_wanted:
        yield
        return
    commands = (
        f"ip netns add {SPACE}",
        f"ip link add {LINK} type veth peer name inside netns {SPACE}",
        f"ip addr add {HERE}/24 dev {LINK}",
        f"ip link set {LINK} up",
        f"ip netns exec {SPACE} ip addr add {THERE}/24 dev inside",
        f"ip netns exec {SPACE} ip link set inside up",
        f"ip netns exec {SPACE} ip link set lo up",
    )
    try:
        for command in commands:
            subprocess.run(command.split(), check=True)
        yield
    finally:
        subprocess.run(["ip", "netns", "del", SPACE], stderr=subprocess.DEVNULL)


def can_cut_networks() -> bool:
    """Whether this process may make networks."""
    return sys.platform == "linux" and os.geteuid() == 0 and shutil.which("ip") is not None


def cut_the_network(site: Site) -> Callable[[Any], None]:
    """Pull the cable of the network."""

    def happen(engine: Any) -> None:
        subprocess.run(["ip", "link", "set", LINK, "down"], check=True)

    return happen


def _has(path: Path, data: bytes) -> bool:
    return path.is_file() and path.read_bytes() == data


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and those that it started."""
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
    process.kill()
    process.wait()
