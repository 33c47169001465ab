"""Run the tests of what was changed: those that mirror each file, and the rules of the house.

Changed is what differs from where this branch left `main` (or the commit that is given), with files
that are not committed yet. `python tools/quick.py [COMMIT] [pytest options]`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ALWAYS = ("tests/test_architecture.py", "tests/test_docstrings.py")
MIRRORED = ("camerapipe", "stages", "datasets", "tools")


def changed_files(commit: str) -> list[Path]:
    """Files that were changed since this branch left a commit, relative to the root."""
    (base,) = _git("merge-base", commit, "HEAD")
    names = _git("diff", "--name-only", base) + _git("ls-files", "--others", "--exclude-standard")
    return [Path(name) for name in dict.fromkeys(names)]


def _git(*command: str) -> list[str]:
    done = subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"quick: {(done.stderr.strip() or 'git failed').splitlines()[0]}")
    return done.stdout.split()


def tests_of(path: Path, known: list[Path]) -> list[Path]:
    """Tests among `known` that mirror a file: the longest name that is the beginning of its own.

    `stages/bokeh/outline.py` has `tests/stages/test_bokeh_outline.py`, and where that does not
    exist, all `tests/stages/test_bokeh*.py`.
    """
    if path in known:
        return [path]
    if path.suffix != ".py" or len(path.parts) < 2 or path.parts[0] not in MIRRORED:
        return []
    names = [part for part in path.with_suffix("").parts[1:] if part != "__init__"]
    near = [test for test in known if test.parts[1] == path.parts[0]]
    for length in range(len(names), 0, -1):
        stem = "test_" + "_".join(names[:length])
        found = [test for test in near if test.stem == stem or test.stem.startswith(f"{stem}_")]
        if found:
            return found
    return []


def main(arguments: list[str]) -> int:
    """Choose the tests, say which, and run them."""
    commit = arguments.pop(0) if arguments and not arguments[0].startswith("-") else "main"
    known = [test.relative_to(ROOT) for test in sorted((ROOT / "tests").rglob("test_*.py"))]
    chosen = {test for path in changed_files(commit) for test in tests_of(path, known)}
    names = [*ALWAYS, *sorted(map(str, chosen))]
    print(f"quick: {len(names)} files of tests: {' '.join(names)}", flush=True)
    return subprocess.run(
        [sys.executable, "-m", "pytest", *dict.fromkeys(names), *arguments], cwd=ROOT
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
