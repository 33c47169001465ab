"""`python -m datasets.fetch [NAME...]`: download public pictures, all of them or those named.

A folder's name stands for all files below it (`depth_gt/teddy`).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from datasets.sources import PUBLIC, DataError, download_folder, fetch


def chosen(names: list[str]) -> list[str]:
    """Public files that are named, or lie below a folder that is named; all where none is."""
    if not names:
        return list(PUBLIC)
    found: list[str] = []
    for name in names:
        below = [path for path in PUBLIC if path == name or path.startswith(f"{name}/")]
        if not below:
            raise DataError(f"{name}: not public; there are: {', '.join(PUBLIC)}")
        found += below
    return list(dict.fromkeys(found))


def main(arguments: list[str] | None = None) -> int:
    """Fetch, say where files are; 1 if one could not be had."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--folder", type=Path, default=download_folder(), metavar="DIR")
    given = parser.parse_args(arguments)
    try:
        names = chosen(given.names)
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    failed = 0
    for name in names:
        try:
            print(fetch(name, given.folder))
        except DataError as error:
            print(error, file=sys.stderr)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
