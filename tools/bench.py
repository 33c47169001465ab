"""The one door to all benchmarks: `python tools/bench.py SUBJECT [--quick] [--json FILE]`.

A subject is a module in `tools/subjects` with a function `measure(context)`. It runs side by side
with its peers in one run, prints rows for people through `context.table`, and returns the numbers
of `goals.py`. Absent data or an absent peer is reported as missing: never guessed, never a pass.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from goals import GOALS

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # before an installed copy, and `datasets` is not installed

from camerapipe.runtime import available_cores, versions  # noqa: E402

SUBJECTS = tuple(dict.fromkeys(goal.subject for goal in GOALS))


@dataclass
class Context:
    """What a subject needs to know, and where it says what was missing."""

    data: Path
    quick: bool
    truth: Path | None = None  # folder where true photographs are kept; None: the usual one
    copies: Path | None = None  # of published sets, a person's own
    only: tuple[str, ...] = ()  # parts of the names of scenes; empty: all
    missing: list[str] = field(default_factory=list)

    def picture(self, name: str) -> Path | None:
        """Path of a real picture; None, and noted as missing, where it is absent."""
        path = self.data / name
        if path.is_file():
            return path
        self.missing.append(f"picture {name}")
        return None

    def wants(self, name: str) -> bool:
        """Whether a scene is to be measured, where a subject lets one choose."""
        return not self.only or any(part in name for part in self.only)

    def table(self, title: str, head: list[str], rows: list[list[Any]]) -> None:
        """Print a table for people."""
        from rich import box
        from rich.console import Console
        from rich.table import Table

        table = Table(*head, title=title, box=box.SIMPLE)
        for row in rows:
            table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row))
        Console(width=None if sys.stdout.isatty() else 200).print(table)


def machine() -> dict[str, Any]:
    """Describe the machine that a number was measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {"cpu": model, "cores": available_cores(), "load": load, "versions": versions()}


def print_goals(results: dict[str, float] | None, subject: str | None, context: Context) -> None:
    """Print the table of goals, with what was measured where something was."""
    rows = []
    held_back = {key: v for key, v in (results or {}).items() if key.endswith("_reporting")}
    for goal in GOALS:
        if subject in (None, goal.subject):
            found = [] if results is None else [results.get(goal.key, "missing")]
            if held_back:  # the half of the scenes that no default is chosen on
                found.append(held_back.get(f"{goal.key}_reporting", ""))
            rows.append([goal.key, goal.subject, goal.goal, *found, goal.meaning])
    measured = [] if results is None else ["measured", *(["reporting"] if held_back else [])]
    context.table("goals", ["key", "subject", "goal", *measured, "meaning"], rows)


def main() -> None:
    """Parse the command line, measure one subject, print and write its numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("subject", nargs="?", choices=SUBJECTS)
    parser.add_argument("--list", action="store_true", help="print the table of goals")
    parser.add_argument("--quick", action="store_true", help="fewer repeats and sizes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", metavar="DIR")
    parser.add_argument("--truth", type=Path, metavar="DIR", help="where true pictures are kept")
    parser.add_argument("--copies", type=Path, metavar="DIR", help="own copies of published sets")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="picture: scenes")
    given = parser.parse_args()
    context = Context(given.data, given.quick, given.truth, given.copies, tuple(given.only))
    if given.list or given.subject is None:
        print_goals(None, given.subject, context)
        return
    found = machine()
    results = import_module(f"subjects.{given.subject}").measure(context)
    print_goals(results, given.subject, context)
    for what in context.missing:
        print(f"missing: {what}")
    if given.json:
        facts = {"subject": given.subject, "machine": found, "results": results}
        given.json.write_text(json.dumps(facts | {"missing": context.missing}, indent=2) + "\n")


if __name__ == "__main__":
    main()
