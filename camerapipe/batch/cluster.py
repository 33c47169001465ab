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
from dataclasses import replace
from functools import partial

from distributed import Future
from distributed.scheduler import KilledWorker

from camerapipe.batch.cluster_connection import Cluster, Connection
from camerapipe.batch.cluster_worker import BatchWorker, one_process, perform_there
from camerapipe.batch.order import Order, Outcome, State, Work
from camerapipe.batch.places import remove_partial
from camerapipe.batch.working import perform, prepare_worker
from camerapipe.budget import wall_s
from camerapipe.errors import ExitCode, WorkersError
from camerapipe.runtime import code_versions

WINDOW = 10  # orders for each thread of a worker that the scheduler has at once
TICK_S = 0.5  # longest time without a yield
LOST_S = 600.0  # after which a scheduler or workers that were lost do not come back
RESULT_S = 30.0  # for an outcome to come from its worker
MOST_DEATHS = 3  # of workers of Dask that had an order; it is then taken as the reason


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
        new_engine = partial(
            one_process, work, timeout_s=timeout_s, perform=perform, prepare=prepare
        )
        self._address = cluster.address
        self._name = f"camerapipe-{secrets.token_hex(6)}"
        plugin = BatchWorker(new_engine, code_versions(), memory_bytes)
        self._connection = Connection(cluster, plugin, self._name)
        self._running: dict[Future, Order] = {}
        self._waiting: deque[Order] = deque()
        self._ended: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._deaths: Counter[int] = Counter()  # of workers, by the number of their order
        self._doubtful: set[int] = set()  # orders that a worker had when it was lost
        self._threads: dict[str, int] = {}  # of workers, by address
        self._looked_s = self._seen_s = wall_s()  # when workers were asked for, and there

    @property
    def workers(self) -> int:
        """Orders that can be performed at the same time now."""
        return sum(self._threads.values())

    def __enter__(self) -> ClusterEngine:
        try:
            self._connection.open()
        except BaseException:
            self._connection.close()
            raise
        self._threads = self._connection.threads()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop what is in work, and end the processes of the workers."""
        running, self._running = self._running, {}
        self._connection.close(running)
        for order in running.values():
            remove_partial(order.outputs)

    def outcomes(
        self, orders: Iterable[Order], *, alone: bool = False
    ) -> Iterator[tuple[Order, Outcome] | None]:
        """Perform orders, and yield each with its outcome; as of `engine.Engine`."""
        source, is_over = iter(orders), False
        while True:
            self._look()
            while self._has_room(alone) and (self._waiting or not is_over):
                order = self._waiting.popleft() if self._waiting else next(source, None)
                if order is None:
                    is_over = True
                else:
                    self._submit(order)
            if is_over and not self._running and not self._waiting:
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
        most = 1 if alone else WINDOW * max(self.workers, 1)
        return self._connection.is_open and len(self._running) < most

    def _submit(self, order: Order) -> None:
        # A lost worker may have written the output: the journal has claimed it for this order.
        task = replace(order, overwrite=True)
        key = f"{self._name}-{order.number}-{secrets.token_hex(4)}"
        future = self._connection.submit(perform_there, task, self._name, key=key)
        if future is None:
            self._waiting.append(order)
            return
        self._running[future] = order
        future.add_done_callback(self._ended.put)

    def _outcome(self, order: Order, future: Future) -> tuple[Order, Outcome] | None:
        """How an order ended; None if it is handed out again."""
        try:
            outcome: Outcome = future.result(timeout=RESULT_S)
        except (CancelledError, TimeoutError):  # the scheduler or the worker was lost
            self._take_back(order)
            return None
        except KilledWorker:
            self._deaths[order.number] += 1
            if self._deaths[order.number] < MOST_DEATHS:
                self._take_back(order)  # it may have been beside the order that killed it
                return None
            remove_partial(order.outputs)
            message = f"{order.source}: workers of the cluster died each time they had it"
            outcome = Outcome(state=State.FAILED, message=message, code=ExitCode.FAILED, fatal=True)
        except Exception as error:
            message = f"{order.source}: {type(error).__name__}: {error}"
            outcome = Outcome(state=State.FAILED, message=message, code=ExitCode.FAILED)
        if order.number in self._doubtful:
            self._doubtful.discard(order.number)
            remove_partial(order.outputs)
        return order, outcome

    def _take_back(self, order: Order) -> None:
        """Hand an order out again, whose worker may have left something."""
        self._doubtful.add(order.number)
        self._waiting.append(order)

    def _look(self) -> None:
        """See which workers there are, now and then; connect again if the scheduler was lost."""
        now = wall_s()
        if not self._connection.is_open:
            for order in self._running.values():
                self._take_back(order)
            self._running.clear()
            self._connection.open_again()
        elif self._threads and now - self._looked_s < TICK_S:
            return
        self._looked_s = now
        found = self._connection.threads()
        if self._threads.keys() - found.keys():
            self._doubtful.update(order.number for order in self._running.values())
        self._threads = found
        if found:
            self._seen_s = now
        elif now - self._seen_s > LOST_S:
            raise WorkersError(f"{self._address}: no scheduler or no worker for {LOST_S:g} s")
