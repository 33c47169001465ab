"""The engine of a batch by its options: processes of this machine, or workers of a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from camerapipe.cli.common import USAGE, Failure
from camerapipe.extras import install

if TYPE_CHECKING:
    from camerapipe.batch.engine import Engine
    from camerapipe.batch.order import Work

MEMORY_SHARE = 0.5  # of the machine, where --memory is not given
ALONE_SHARE = 0.9  # for a file that runs alone
EXTRAS = {"pebble": "batch", "distributed": "cluster"}  # package: the extra that installs it
TLS = ("tls_ca", "tls_cert", "tls_key")


def engine_in(options: dict[str, Any], work: Work) -> Engine:
    """The engine that the options of a batch ask for."""
    timeout_s, memory = _timeout_s(options["timeout"]), _memory(options["memory"])
    try:
        if options["cluster"] is not None:
            return _cluster(options, work, timeout_s, memory)
        _refuse_tls(options)
        return _local(options, work, timeout_s, memory)
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        extra = EXTRAS[error.name]
        message = f"it needs the package {error.name}: {install(extra)}"
        raise Failure(message, USAGE) from error


def _local(options: dict[str, Any], work: Work, timeout_s: float, memory: int | None) -> Engine:
    from camerapipe.batch.disks import memory_bytes
    from camerapipe.batch.local import LocalEngine
    from camerapipe.runtime import available_cores

    whole = memory_bytes()
    return LocalEngine(
        work,
        workers=options["workers"] or available_cores(),
        memory_bytes=memory or int(MEMORY_SHARE * whole),
        largest_bytes=memory or int(ALONE_SHARE * whole),
        timeout_s=timeout_s,
    )


def _cluster(options: dict[str, Any], work: Work, timeout_s: float, memory: int | None) -> Engine:
    import logging

    from camerapipe.batch.cluster import ClusterEngine
    from camerapipe.batch.cluster_connection import LOCAL, Cluster, certificates
    from camerapipe.runtime import available_cores

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # losses are told by the batch
    address, security = options["cluster"], None
    if address == LOCAL:
        _refuse_tls(options)
    elif options["workers"] is not None:
        raise Failure("--workers: the workers are those of the cluster", USAGE)
    elif any(options[key] is not None for key in TLS):
        security = certificates(*(options[key] for key in TLS))
    workers = options["workers"] or available_cores()
    return ClusterEngine(
        work,
        cluster=Cluster(address=address, security=security, local_workers=workers),
        memory_bytes=memory // workers if memory and address == LOCAL else memory,
        timeout_s=timeout_s,
    )


def _refuse_tls(options: dict[str, Any]) -> None:
    for key in TLS:
        if options[key] is not None:
            option = f"--{key.replace('_', '-')}"
            raise Failure(f"{option} belongs to --cluster tls://HOST:PORT", USAGE)


def _timeout_s(text: str) -> float:
    from camerapipe.budget import BudgetError, parse_duration_ms

    try:
        return parse_duration_ms(text) / 1000
    except BudgetError as error:
        raise Failure(str(error).replace("budget", "--timeout", 1), USAGE) from error


def _memory(text: str | None) -> int | None:
    from camerapipe.batch.memory import parse_bytes

    return None if text is None else parse_bytes("--memory", text)
