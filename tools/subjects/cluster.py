"""Batches on a cluster: against the processes of one machine, and when parts of it are lost."""

from __future__ import annotations

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
from camerapipe.job import Job, run_job
from camerapipe.naming import Outputs
from camerapipe.settings import resolve

FILES = 40
CUT = "a network is cut"
LOSSES = {
    "a worker is killed": kill_a_worker,
    "the scheduler restarts": restart_the_scheduler,
    CUT: cut_the_network,
}


def measure(context: Any) -> dict[str, float]:
    """Measure all keys of clusters."""
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
