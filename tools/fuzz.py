"""Damaged files through check, map and render, in a process that may crash.

`python tools/fuzz.py --inputs 10000` tells how many were used, how many were refused, and what went
wrong: crashes and tracebacks, files that took too long or too much memory, outputs that are no
whole files. Each that went wrong is kept with its message; `--only NUMBER` tries one again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # before an installed copy, and `datasets` is not installed

from measures.mutants import Seed, made_seeds, mutant, real_seeds  # noqa: E402
from measures.tries import Trier  # noqa: E402

from camerapipe.isolation import Decoder, DecoderLimits  # noqa: E402

LIMITS = DecoderLimits(seconds=20, memory_bytes=2 << 30)
TELL_EVERY = 1000


def fuzz(
    seeds: list[Seed], series: int, numbers: range, kept: Path | None, *, seconds: float = 1e9
) -> Counter[str]:
    """Try the mutants of these numbers; count what came of them.

    Parameters
    ----------
    seeds : list of Seed
        Whole files.
    series : int
        Chooses the mutants.
    numbers : range
        Which of them.
    kept : Path or None
        Folder for files that went wrong, and their messages.
    seconds : float
        End earlier after this time.
    """
    counts: Counter[str] = Counter()
    photo = next(seed for seed in seeds if seed.name.endswith(".jpg")).data
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder, Decoder(LIMITS, threads=1) as decoder:
        trier = Trier(decoder, Path(folder), photo)
        for number in numbers:
            made = mutant(seeds, series, number)
            tried = trier.try_data(made.data, made.role(number), number)
            if tried.kind == "slow":  # a busy machine may be the reason once
                tried = trier.try_data(made.data, made.role(number), number)
            counts[tried.kind] += 1
            if not tried.is_fine:
                said = (tried.words.strip().splitlines() or [""])[-1]
                print(f"{series}/{number}: {tried.kind}: {made.name}: {said}", flush=True)
                if kept is not None:
                    (kept / f"{series}-{number}").write_bytes(made.data)
                    (kept / f"{series}-{number}.txt").write_text(f"{made.name}\n{tried.words}\n")
            if number % TELL_EVERY == TELL_EVERY - 1:
                print(f"{number + 1}: {dict(counts)}", flush=True)
            if time.monotonic() > end:
                break
    return counts


def main() -> None:
    """Parse the command line; exit with 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--inputs", type=int, default=1000, help="how many (1000)")
    parser.add_argument("--first", type=int, default=0, help="number of the first (0)")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="try this one")
    parser.add_argument("--series", type=int, default=0, help="other mutants (0)")
    parser.add_argument("--seconds", type=float, default=1e9, help="end after this time")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="files that went wrong")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", metavar="DIR")
    given = parser.parse_args()
    # Made files count three times: many of the small real ones are damaged already.
    seeds = 3 * made_seeds() + (real_seeds(given.data) if given.data.is_dir() else [])
    first = given.first if given.only is None else given.only
    numbers = range(first, first + (given.inputs if given.only is None else 1))
    if given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
    print(f"{len(seeds)} whole files, series {given.series}, {numbers}")
    counts = fuzz(seeds, given.series, numbers, given.keep, seconds=given.seconds)
    print(dict(counts))
    sys.exit(any(kind not in ("done", "refused") for kind in counts))


if __name__ == "__main__":
    main()
