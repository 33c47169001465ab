"""Batches on a cluster of Dask: workers and connections that are lost cost no file."""

import socket
import sys
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="needs the extra cluster")

import distributed

from camerapipe.assembly import Request
from camerapipe.batch import cluster as room
from camerapipe.batch import cluster_connection
from camerapipe.batch.cluster import ClusterEngine
from camerapipe.batch.cluster_connection import Cluster, certificates
from camerapipe.batch.order import Asked, Order, State, Work
from camerapipe.errors import RequestError, WorkersError
from camerapipe.naming import Outputs
from camerapipe.recipe import resolve_with

HELPERS = Path(__file__).parent / "workers"


@pytest.fixture(scope="module")
def scheduler():
    """Address of a scheduler with a worker, which is a process."""
    sys.path.insert(0, str(HELPERS))  # workers get it
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, memory_limit=0, host="127.0.0.1",
        dashboard_address="127.0.0.1:0", silence_logs="CRITICAL",
    ) as found:  # fmt: skip
        yield found.scheduler_address
    sys.path.remove(str(HELPERS))


@pytest.fixture
def engine(monkeypatch):
    """Makes engines whose workers do what the names of sources say."""
    monkeypatch.syspath_prepend(str(HELPERS))
    import batch_faults

    def make(address, security=None):
        work = Work(asked=Asked(request=Request(settings=resolve_with(None))))
        return ClusterEngine(
            work, cluster=Cluster(address=address, security=security), memory_bytes=1000,
            timeout_s=60, perform=batch_faults.perform, prepare=batch_faults.prepare,
        )  # fmt: skip

    return make


def orders(folder, names):
    for number, name in enumerate(names):
        yield Order(
            number=number, source=f"/in/{name}.jpg", outputs=Outputs(picture=folder / f"{name}.jpg")
        )


def test_a_lost_worker_and_a_lost_connection_cost_no_file(engine, scheduler, tmp_path):
    names = [*map(str, range(12)), "lost", "error", *map(str, range(12, 24))]
    with engine(scheduler) as workers:
        assert workers.workers == 1
        ended = []
        for each in filter(None, workers.outcomes(orders(tmp_path, names))):
            ended.append(each)
            if len(ended) == 3:
                workers._connection._client.close()
        alone = filter(None, workers.outcomes(orders(tmp_path, "ab"), alone=True))
        assert [order.number for order, _ in alone] == [0, 1]
    assert sorted(order.number for order, _ in ended) == list(range(len(names)))
    found = {Path(order.source).stem: outcome for order, outcome in ended}
    assert "of the worker" in found.pop("error").message
    assert all(outcome.state is State.DONE for outcome in found.values())


def test_a_worker_with_other_code_is_refused(engine, scheduler, monkeypatch):
    monkeypatch.setattr(room, "code_versions", lambda: {"camerapipe": "9.9", "code": "00"})
    with (
        pytest.raises(WorkersError, match=r"worker tcp://.* has camerapipe 0.* instead of 9\.9"),
        engine(scheduler),
    ):
        pass


@pytest.mark.parametrize("is_frozen", [False, True])
def test_without_a_scheduler_the_address_is_named(engine, monkeypatch, is_frozen):
    monkeypatch.setattr(cluster_connection, "CONNECT_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if is_frozen:
            silent.listen()  # it accepts, and says nothing
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(WorkersError, match=f"{address}: no scheduler"), engine(address):
            pass


def test_certificates_are_files_and_given_together(tmp_path):
    with pytest.raises(RequestError, match="--tls-ca, --tls-cert and --tls-key"):
        certificates(tmp_path / "ca.pem", None, None)
    with pytest.raises(RequestError, match="ca.pem: does not exist"):
        certificates(*(tmp_path / name for name in ("ca.pem", "own.pem", "key.pem")))


def test_a_worker_without_the_code_is_named(scheduler, tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("def perform(order): pass")
    monkeypatch.syspath_prepend(str(tmp_path))
    import only_here

    work = Work(asked=Asked(request=Request(settings=resolve_with(None))))
    engine = ClusterEngine(
        work, cluster=Cluster(address=scheduler), memory_bytes=None, timeout_s=1,
        perform=only_here.perform,
    )  # fmt: skip
    with pytest.raises(WorkersError, match="install the same camerapipe"), engine:
        pass


def test_a_cluster_with_certificates(engine, tmp_path):
    pytest.importorskip("cryptography", reason="needs cryptography, to make certificates")
    made = distributed.Security.temporary()
    pems = {"ca": made.tls_ca_file, "own": made.tls_client_cert, "key": made.tls_client_key}
    for name, text in pems.items():
        (tmp_path / name).write_text(text)
    with distributed.LocalCluster(
        n_workers=1,
        processes=False,
        security=made,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
    ) as found:
        security = certificates(*(tmp_path / name for name in pems))
        with engine(found.scheduler_address, security=security) as workers:
            assert workers.workers >= 1
