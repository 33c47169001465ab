"""Batches on a cluster: against the processes of one machine, and when parts of it are lost."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any

from measures.clusters import (
    HERE,
    LOOPBACK,
    SPACE,
    Site,
    Survived,
    can_cut_networks,
    cut_the_network,
    kill_a_worker,
    own_network,
    restart_the_scheduler,
    survive,
)
from measures.endings import small_pictures

from camerapipe.assembly import Request
from camerapipe.batch.cluster import ClusterEngine
from camerapipe.batch.cluster_connection import LOCAL, Cluster
from camerapipe.job import Job, run_job
from camerapipe.naming import Outputs
from camerapipe.settings import resolve
from subjects.batch import (
    LARGE,
    PHOTOGRAPHS,
    ROUNDS,
    WORKERS,
    local_engine,
    photographs_of,
    run_batch,
    work_of_all,
)

FILES = 40
CUT = "a network is cut"
LOSSES = {
    "a worker is killed": kill_a_worker,
    "the scheduler restarts": restart_the_scheduler,
    CUT: cut_the_network,
}


def measure(context: Any) -> dict[str, float]:
    """Measure all keys of clusters; `--only` takes time or losses."""
    results: dict[str, float] = {}
    if context.wants("time"):
        with tempfile.TemporaryDirectory() as place:
            results |= _over_local(context, Path(place))
    return results | (_losses(context) if context.wants("losses") else {})


def _over_local(context: Any, root: Path) -> dict[str, float]:
    """Wall time of workers of Dask over that of our own processes; rounds take turns."""
    photographs = [path for name in PHOTOGRAPHS if (path := context.picture(name))]
    if not photographs:
        return {}
    source = photographs_of(photographs, root / "in", 4 if context.quick else FILES, LARGE)
    cluster = ClusterEngine(
        work_of_all(), cluster=Cluster(address=LOCAL, local_workers=WORKERS), memory_bytes=None,
        timeout_s=600,
    )  # fmt: skip
    paths, rows = sorted(source.iterdir()), []
    with local_engine() as ours, cluster as theirs:
        for number in range(1 + (1 if context.quick else ROUNDS)):
            some = paths if number else paths[:WORKERS]  # the first round warms up
            local_s, _ = run_batch(ours, some, root / f"local{number}")
            cluster_s, _ = run_batch(theirs, some, root / f"cluster{number}")
            if number:
                rows.append([number, local_s, cluster_s, cluster_s / local_s])
    head = ["round", "processes s", "workers of Dask s", "ratio"]
    context.table(f"{len(paths)} photographs of 12 MP, {WORKERS} workers", head, rows)
    return {"batch.cluster_over_local": statistics.median(row[-1] for row in rows)}


def _losses(context: Any) -> dict[str, float]:
    rows, found = [], []
    with tempfile.TemporaryDirectory() as place:
        source = small_pictures(Path(place, "in"), FILES)
        wanted = rendered(source, Path(place, "wanted"))
        for number, loss in enumerate(LOSSES):
            (folder := Path(place, str(number))).mkdir()
            each = survived(loss, source, wanted, folder)
            if each is None:
                context.missing.append("rights to make a network, which is then cut")
            else:
                found.append(each)
                rows.append([loss, *each])
    context.table(f"{FILES} files", ["what happens", "lost", "doubled", "repeated"], rows)
    return {
        "cluster.lost": sum(each.lost for each in found),
        "cluster.doubled": sum(each.doubled for each in found),
    }


def survived(loss: str, source: Path, wanted: dict[str, bytes], folder: Path) -> Survived | None:
    """What comes of a batch with one of `LOSSES`; None if this process may not cut networks."""
    is_cut = loss == CUT
    if is_cut and not can_cut_networks():
        return None
    with own_network(is_cut), Site(folder, HERE if is_cut else LOOPBACK) as site:
        site.start_worker()
        site.start_worker(*(("ip", "netns", "exec", SPACE) if is_cut else ()))
        return survive(source, folder / "out", site, LOSSES[loss](site), wanted)


def rendered(source: Path, folder: Path) -> dict[str, bytes]:
    """Right pictures, by their names."""
    folder.mkdir()
    request = Request(settings=resolve())
    for path in source.iterdir():
        outputs = Outputs(picture=folder / f"{path.stem}_bokeh{path.suffix}")
        result = run_job(Job(source=path, request=request, outputs=outputs))
        assert result.error is None, result.error
    return {path.name: path.read_bytes() for path in folder.iterdir()}
