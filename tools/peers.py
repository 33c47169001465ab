"""Peers on the same work, side by side in one run: `python tools/peers.py`.

PyMatting solves for the same map, OpenCV's guided filter upsamples (both in an environment of their
own, which the first run makes with pip), and GEGL's lens blur renders (Debian package `gegl`). A
peer that is absent is said to be missing.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import Context  # finds the packages of this checkout
from measures.peer_environment import PeerError, make_environment
from problems import photograph_paths
from subjects import bokeh, propagate


def main() -> None:
    """Parse the command line, make the environment, run the peers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of photographs")
    parser.add_argument("--quick", action="store_true", help="smaller pictures")
    parser.add_argument("--setup", action="store_true", help="only make the environment")
    given = parser.parse_args()
    try:
        print(f"peers: {make_environment()}")
    except PeerError as error:
        print(error, file=sys.stderr)
    if given.setup:
        return
    paths = dict(list(photograph_paths(given.data).items())[:1])
    if not paths:
        parser.error("no photograph: python -m pip install scikit-image, or name a folder: --data")
    context = Context(given.data or Path(), given.quick)
    found = propagate.against_pymatting(context, paths) | propagate.upsampling(context, paths)
    found |= bokeh.against_gegl(context)
    for key, value in found.items():
        print(f"{key:32}{value:12.4g}")
    for what in context.missing:
        print(f"missing: {what}")


if __name__ == "__main__":
    main()
