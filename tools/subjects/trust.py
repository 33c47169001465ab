"""Trust: damaged files, kills and full disks at every step, interruptions, long batches."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from fuzz import fuzz
from measures.endings import interrupted, small_pictures, soaked
from measures.faulting import build_shim, run_preloaded
from measures.mutants import made_seeds, real_seeds
from measures.tries import FINE

INPUTS, QUICK_INPUTS = 100_000, 300
SERIES = 3
FAULTS: dict[str, tuple[Any, ...]] = {  # of `measures.faulting`: further arguments
    "faults_in_writing": (),
    "faults_in_a_job": (),
    "faults_in_a_batch": (3,),
}
INTERRUPTIONS, INTERRUPTED_FILES = 200, 30
SOAKED_FILES = 3000


def measure(context: Any) -> dict[str, float]:
    """Measure all keys of trust; `--only` takes fuzz, faults, signals or soak."""
    results: dict[str, float] = {}
    for name, part in PARTS.items():
        if context.wants(name):
            with tempfile.TemporaryDirectory() as folder:
                results |= part(context, Path(folder))
    return results


def _fuzz(context: Any, root: Path) -> dict[str, float]:
    real = real_seeds(context.data) if context.data.is_dir() else []
    numbers = range(QUICK_INPUTS if context.quick else INPUTS)
    counts = fuzz(3 * made_seeds() + real, SERIES, numbers, None)
    context.table("damaged files", ["what came of them", "files"], [*map(list, counts.items())])
    wrong = sum(count for kind, count in counts.items() if kind not in FINE)
    return {"trust.fuzz_inputs": counts.total(), "trust.fuzz_wrong": wrong}


def _faults(context: Any, root: Path) -> dict[str, float]:
    shim = build_shim(root)
    if shim is None:
        context.missing.append("Linux and a C compiler, for faults of the disk")
        return {}
    rows, wrong = [], []
    for name, more in FAULTS.items():
        (place := root / name).mkdir()
        found = run_preloaded(shim, f"measures.faulting:{name}", str(place), *more)
        rows.append([name, found["trials"], len(found["wrong"])])
        wrong += found["wrong"]
    context.table("kills and full disks", ["in", "trials", "wrong"], rows)
    if wrong:
        context.table("wrong", ["what"], [[each] for each in wrong])
    return {"trust.faults": sum(row[1] for row in rows), "trust.faults_wrong": len(wrong)}


def _signals(context: Any, root: Path) -> dict[str, float]:
    source = small_pictures(root / "in", INTERRUPTED_FILES)
    wrong = {}
    for number in range(5 if context.quick else INTERRUPTIONS):
        if found := interrupted(source, root / str(number), number):
            wrong[number] = found
    if wrong:
        context.table("interrupted batches", ["number", "wrong"], [*map(list, wrong.items())])
    return {"trust.signals_wrong": len(wrong)}


def _soak(context: Any, root: Path) -> dict[str, float]:
    source = small_pictures(root / "in", SOAKED_FILES // (6 if context.quick else 1))
    found = soaked(source, root / "out")
    return {
        "trust.soak_mb_per_1000": found.mb_per_1000,
        "trust.soak_descriptors": found.descriptors,
        "trust.soak_workers": found.workers,
    }


PARTS = {"fuzz": _fuzz, "faults": _faults, "signals": _signals, "soak": _soak}
