"""The engine of a cluster: workers of Dask, each with worker processes of its own.

The scheduler decides which worker an order goes to, and hands it out again if that worker is lost.
A worker performs it as a single machine does (`local.LocalEngine`), so that a file that crashes,
hangs or exhausts memory costs neither the worker of Dask nor other files. Outputs are written by
the workers, to a place that all of them share. An order may be performed twice: outputs are whole,
and the same order writes the same bytes.
"""

from __future__ import annotations

import queue
import secrets
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from distributed import Client, Future, LocalCluster, Security
from distributed.client import ClosedClientError
from distributed.scheduler import KilledWorker

from camerapipe.batch.cluster_worker import (
    BatchWorker,
    OtherCodeError,
    one_process,
    perform_there,
)
from camerapipe.batch.order import Order, Outcome, State, Work
from camerapipe.batch.places import remove_partial
from camerapipe.batch.working import perform, prepare_worker
from camerapipe.budget import wall_s
from camerapipe.errors import ExitCode, RequestError, WorkersError
from camerapipe.runtime import code_versions

LOCAL = "local"  # instead of an address: a cluster on this machine
HOST = "127.0.0.1"  # of such a cluster, which only this machine reaches
WINDOW = 10  # orders for each thread of a worker that the scheduler has at once
TICK_S = 0.5  # longest time without a yield
CONNECT_S, RETRY_S = 30.0, 1.0  # time for a connection, and for one of repeated attempts
LOST_S = 600.0  # after which a scheduler or workers that were lost do not come back
MOST_DEATHS = 3  # of workers of Dask that had an order; it is then taken as the reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Where the workers are.

    Parameters
    ----------
    address : str
        Of the scheduler, such as `tcp://10.0.0.1:8786`, or `LOCAL`.
    security : Security or None
        Certificates, for an address with `tls://`.
    local_workers : int
        Workers of a cluster on this machine.
    """

    address: str
    security: Security | None = None
    local_workers: int = 1


def certificates(authority: Path | None, own: Path | None, key: Path | None) -> Security:
    """TLS of a connection: the authority's certificate, and the own one with its private key."""
    if authority is None or own is None or key is None:
        raise RequestError("--tls-ca, --tls-cert and --tls-key are needed together")
    for path in (authority, own, key):
        if not path.is_file():
            raise RequestError(f"{path}: does not exist; expected a certificate or a key")
    return Security(
        require_encryption=True,
        tls_ca_file=str(authority),
        tls_client_cert=str(own),
        tls_client_key=str(key),
    )


class ClusterEngine:
    """Performs orders on the workers of a Dask scheduler; a context that frees them at its end.

    Parameters
    ----------
    work : Work
        What is asked of all files.
    cluster : Cluster
        Where the workers are.
    memory_bytes : int or None
        Of all processes of one worker; None: what the worker states as its limit.
    timeout_s : float
        Longest time for one file.
    perform, prepare : callable
        As of `LocalEngine`.

    Raises
    ------
    WorkersError
        On entry, if there is no scheduler or no worker, or a worker has other code.
    """

    def __init__(
        self,
        work: Work,
        *,
        cluster: Cluster,
        memory_bytes: int | None,
        timeout_s: float,
        perform: Callable[[Order], Outcome] = perform,
        prepare: Callable[[Work, int], None] = prepare_worker,
    ) -> None:
        self._cluster = cluster
        self._new_engine = partial(
            one_process, work, timeout_s=timeout_s, perform=perform, prepare=prepare
        )
        self._memory = memory_bytes
        self._name = f"camerapipe-{secrets.token_hex(6)}"  # a cluster may have several batches
        self._client: Client | None = None
        self._local: LocalCluster | None = None
        self._running: dict[Future, Order] = {}
        self._waiting: deque[Order] = deque()
        self._ended: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._deaths: Counter[int] = Counter()  # of workers, by the number of their order
        self._doubtful: set[int] = set()  # orders that a worker had when it was lost
        self._workers: dict[str, int] = {}  # threads, by address
        self._looked_s = self._seen_s = wall_s()  # when workers were asked for, and there

    @property
    def workers(self) -> int:
        """Orders that can be performed at the same time now."""
        return sum(self._workers.values())

    def __enter__(self) -> ClusterEngine:
        try:
            client = self._connect(CONNECT_S)
            client.wait_for_workers(1, timeout=CONNECT_S)
            self._look()
        except (OSError, ValueError) as error:
            self.__exit__()
            message = f"{self._cluster.address}: no scheduler with workers answers ({error})"
            raise WorkersError(message) from error
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop what is in work, and end the processes of the workers."""
        running, self._running = self._running, {}
        self._disconnect(running)
        if self._local is not None:
            self._local.close()
        for order in running.values():
            remove_partial(order.outputs)

    def outcomes(
        self, orders: Iterable[Order], *, alone: bool = False
    ) -> Iterator[tuple[Order, Outcome] | None]:
        """Perform orders, and yield each with its outcome; as of `engine.Engine`."""
        source = iter(orders)
        while True:
            self._look()
            while self._has_room(alone):
                order = self._waiting.popleft() if self._waiting else next(source, None)
                if order is None:
                    break
                self._submit(order)
            if not self._running and not self._waiting:
                return
            try:
                future = self._ended.get(timeout=TICK_S)
            except queue.Empty:
                yield None
                continue
            if future not in self._running:
                continue  # of a connection that was lost
            ended = self._outcome(self._running.pop(future), future)
            future.release()
            yield ended

    def _has_room(self, alone: bool) -> bool:
        if self._client is None:
            return False
        return len(self._running) < (1 if alone else WINDOW * max(self.workers, 1))

    def _submit(self, order: Order) -> None:
        assert self._client is not None
        # A lost worker may have written the output: the journal has claimed it for this order.
        task = replace(order, overwrite=True)
        key = f"{self._name}-{order.number}-{secrets.token_hex(4)}"
        try:
            future = self._client.submit(perform_there, task, self._name, key=key, pure=False)
        except ClosedClientError:  # since the last look
            self._waiting.append(order)
            self._disconnect({})
            return
        self._running[future] = order
        future.add_done_callback(self._ended.put)

    def _outcome(self, order: Order, future: Future) -> tuple[Order, Outcome] | None:
        """How an order ended; None if it is handed out again."""
        try:
            outcome: Outcome = future.result(timeout=CONNECT_S)
        except (
            CancelledError,
            TimeoutError,
        ):  # the scheduler was lost, or the result with a worker
            self._doubtful.add(order.number)
            self._waiting.append(order)
            return None
        except KilledWorker:
            self._deaths[order.number] += 1
            self._doubtful.add(order.number)
            if self._deaths[order.number] < MOST_DEATHS:
                self._waiting.append(order)  # it may have been beside the order that killed it
                return None
            message = f"{order.source}: workers of the cluster died each time they had it"
            outcome = Outcome(state=State.FAILED, message=message, code=ExitCode.FAILED, fatal=True)
        except Exception as error:
            message = f"{order.source}: {type(error).__name__}: {error}"
            outcome = Outcome(state=State.FAILED, message=message, code=ExitCode.FAILED)
        if order.number in self._doubtful:
            self._doubtful.discard(order.number)
            remove_partial(order.outputs)
        return order, outcome

    def _look(self) -> None:
        """See which workers there are, now and then; connect again if the scheduler was lost."""
        now = wall_s()
        client = self._client
        is_lost = client is None or client.status != "running"
        if self._workers and not is_lost and now - self._looked_s < TICK_S:
            return
        self._looked_s = now
        try:
            if client is None or is_lost:
                client = self._reconnect()
            found = dict(client.nthreads())
        except (OSError, ValueError):
            found = {}
        if self._workers.keys() - found.keys():
            self._doubtful.update(order.number for order in self._running.values())
        self._workers = found
        if found:
            self._seen_s = now
        elif now - self._seen_s > LOST_S:
            address = self._cluster.address
            raise WorkersError(f"{address}: no scheduler or no worker for {LOST_S:g} s")

    def _connect(self, timeout_s: float) -> Client:
        address: Any = self._cluster.address
        if address == LOCAL:
            self._local = LocalCluster(
                n_workers=self._cluster.local_workers, threads_per_worker=1, memory_limit=0,
                host=HOST, dashboard_address=f"{HOST}:0", silence_logs="ERROR",
            )  # fmt: skip
            address = self._local
        self._client = client = Client(
            address, security=self._cluster.security, timeout=timeout_s, set_as_default=False
        )
        try:
            plugin = BatchWorker(self._new_engine, code_versions(), self._memory)
            client.register_plugin(plugin, name=self._name)
        except OtherCodeError as error:
            raise WorkersError(str(error)) from error
        except OSError:
            raise
        except Exception as error:  # Dask has only its text, where a module is absent
            message = f"a worker cannot do this work ({error}); install the same camerapipe there"
            raise WorkersError(message) from error
        return client

    def _reconnect(self) -> Client:
        """Connect to a scheduler that was lost, and hand out again what it had."""
        running, self._running = self._running, {}
        self._doubtful.update(order.number for order in running.values())
        self._waiting.extend(running.values())
        self._disconnect({})
        return self._connect(RETRY_S)

    def _disconnect(self, running: Iterable[Future]) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        with suppress(Exception):  # the scheduler may be gone
            if client.status == "running":
                client.cancel(list(running))
                client.unregister_worker_plugin(self._name)
        with suppress(Exception):
            client.close()
