"""The connection to a Dask scheduler, which may be lost, or may freeze, at any moment.

No call of the client is waited for without a limit: a scheduler that is stopped keeps its
connections open, and says nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future as Result
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from distributed import Client, Future, LocalCluster, Security

from camerapipe.batch.cluster_worker import BatchWorker, OtherCodeError
from camerapipe.errors import RequestError, WorkersError

T = TypeVar("T")
LOCAL = "local"  # instead of an address: a cluster on this machine
HOST = "127.0.0.1"  # of such a cluster, which only this machine reaches
CONNECT_S = 30.0  # for the first connection, and until a worker is there
CALL_S = 1.0  # for a question to the scheduler


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


class Connection:
    """A connection to a cluster whose workers have a plugin.

    Parameters
    ----------
    cluster : Cluster
        Where the workers are.
    plugin : BatchWorker
        What each worker gets.
    name : str
        Of the plugin; a cluster may have several batches.
    """

    def __init__(self, cluster: Cluster, plugin: BatchWorker, name: str) -> None:
        self._cluster, self._plugin, self._name = cluster, plugin, name
        self._local: LocalCluster | None = None
        self._client: Client | None = None
        self._attempt: Result[Client] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the scheduler is there, as far as this side knows."""
        return self._client is not None and self._client.status == "running"

    def open(self) -> None:
        """Connect, and wait for a worker.

        Raises
        ------
        WorkersError
            If there is no scheduler or no worker, or a worker has other code.
        """
        address = self._cluster.address
        try:
            if address == LOCAL:
                self._local = LocalCluster(
                    n_workers=self._cluster.local_workers, threads_per_worker=1, memory_limit=0,
                    host=HOST, dashboard_address=f"{HOST}:0", silence_logs="CRITICAL",
                )  # fmt: skip
            self._client = _in_thread(self._connected).result(CONNECT_S)
            self._client.wait_for_workers(1, timeout=CONNECT_S)
        except (OSError, ValueError) as error:
            said = str(error) or f"none within {CONNECT_S:g} s"
            raise WorkersError(f"{address}: no scheduler with workers answers ({said})") from error

    def open_again(self) -> None:
        """Go on with connecting again; `is_open` tells when that has succeeded."""
        if self._attempt is None:
            self._drop()
            self._attempt = _in_thread(self._connected)
        if self._attempt.done():
            attempt, self._attempt = self._attempt, None
            with suppress(OSError, ValueError):
                self._client = attempt.result()

    def threads(self) -> dict[str, int]:
        """Threads of the workers that are there, by address; empty if the scheduler is silent."""
        client = self._client
        if client is None:
            return {}
        try:
            return dict(client.sync(client.scheduler.ncores, callback_timeout=CALL_S))
        except Exception:  # it is lost, or silent
            return {}

    def submit(self, function: Callable[..., Any], *args: Any, key: str) -> Future | None:
        """Hand out a task; None if the scheduler was lost meanwhile."""
        try:
            assert self._client is not None
            return self._client.submit(function, *args, key=key, pure=False)
        except Exception:
            if self.is_open:
                raise
            return None

    def close(self, futures: Iterable[Future] = ()) -> None:
        """Cancel tasks, and free the workers."""
        if self.is_open:
            client, futures = self._client, list(futures)
            assert client is not None

            def free() -> None:
                client.cancel(futures)
                client.unregister_worker_plugin(self._name)

            with suppress(Exception):  # the scheduler may be gone
                _in_thread(free).result(CONNECT_S)
        self._drop()
        if self._local is not None:
            self._local.close()

    def _connected(self) -> Client:
        """A new client whose workers have the plugin."""
        client = Client(
            self._local or self._cluster.address, security=self._cluster.security,
            timeout=CONNECT_S, set_as_default=False,
        )  # fmt: skip
        try:
            client.register_plugin(self._plugin, name=self._name)
        except OtherCodeError as error:
            raise WorkersError(str(error)) from error
        except OSError:
            raise
        except Exception as error:  # Dask has only its text, where a module is absent
            message = f"a worker cannot do this work ({error}); install the same camerapipe there"
            raise WorkersError(message) from error
        return client

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                _in_thread(client.close).result(CALL_S)


def _in_thread(function: Callable[[], T]) -> Result[T]:
    """The result of a function that may never return."""
    result: Result[T] = Result()

    def run() -> None:
        try:
            result.set_result(function())
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return result
