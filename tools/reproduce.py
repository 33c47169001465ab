"""The figures of Kriener, Binder and Wille 2013: `python tools/reproduce.py fig5 fig6 fig7`.

fig5: maps and renderings of the direct method, the paper's scheme (half resolution, guided
upsampling as printed) and ours, side by side. fig6: error against time on one thread, as a plot and
a table of mean and variance (eq. 9). fig7: smooth subjects (a synthetic ball, porcelain, skin,
plastic) without and with the doubt about edges that shading explains. quarter: maps that were
solved at half and quarter resolution, upsampled in several ways. relatives: the estimators that the
paper names, on scenes of known blur.

Photographs have the size of the paper's, 0.43 MP. They are those of the folder `--data`, those that
were downloaded (`python -m datasets.fetch`), those that scikit-image carries, or a scene made from
nothing. Pictures and tables go to the folder `-o`.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # before an installed copy, and `datasets` is not installed

from figures.request import Asked  # noqa: E402

FIGURES = ("fig5", "fig6", "fig7", "quarter", "relatives")
FIGURE_MP = 0.43


def main() -> None:
    """Parse the command line, look for what figures need, draw them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("figures", nargs="+", choices=FIGURES, metavar="FIGURE",
                        help=", ".join(FIGURES))  # fmt: skip
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of photographs")
    parser.add_argument("-o", "--output", type=Path, default=Path("figures"), metavar="DIR")
    parser.add_argument("--repeats", type=int, default=10, help="of every measurement (fig6)")
    parser.add_argument("--photographs", type=int, default=3, help="how many of the list")
    parser.add_argument("--megapixels", type=float, default=FIGURE_MP, help="of photographs")
    given = parser.parse_args()
    if min(given.repeats, given.photographs) < 1 or given.megapixels <= 0:
        parser.error("--repeats, --photographs and --megapixels must be positive")
    rooms = {name: import_module(f"figures.{name}") for name in dict.fromkeys(given.figures)}
    for name, room in rooms.items():
        for package in room.NEEDS:
            if find_spec(package) is None:
                parser.error(f"{name} needs {package}: python -m pip install {package}")
    given.output.mkdir(parents=True, exist_ok=True)
    asked = Asked(
        given.data, given.output, given.photographs, given.megapixels, given.repeats
    )  # fmt: skip
    for room in rooms.values():
        room.draw(asked)


if __name__ == "__main__":
    main()
