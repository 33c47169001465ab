"""Where pictures with known truth are: a folder of the person's, or public files with checksums.

Files are named by their path below the data folder (`depth_gt/teddy/im2.png`), wherever they come
from. The folder is the argument, else the environment's `CAMERAPIPE_DATA`, else the reference data
beside a checkout, else the cache of downloads. Some public files come with scikit-image, and are
found there if it is installed. Nothing is downloaded unless it is asked for, and nothing is kept
whose SHA-256 differs from the one here.

URLs name a fixed version. Checksums of scikit-image's files are those of its own registry.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from camerapipe.extras import install

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
ENVIRONMENT = "CAMERAPIPE_DATA"
SKIMAGE = "https://gitlab.com/scikit-image/data/-/raw/5c090b56df3988d988ff97928e2ef2d2cbe38e1b"
SKLEARN = "https://raw.githubusercontent.com/scikit-learn/scikit-learn/1.5.0/sklearn/datasets"
MIDDLEBURY_2003 = (
    "https://raw.githubusercontent.com/beaupreda/semi-global-matching/"
    "6643cf4b6a5ab197aace8b766c6ab139e281ae8e"
)
OPENCV = "https://raw.githubusercontent.com/opencv/opencv/4.6.0/samples/data"


class DataError(Exception):
    """A data file that is absent, cannot be fetched, or is not what it should be."""


class Remote(NamedTuple):
    """Where a public file is, and what it must be."""

    url: str
    sha256: str


PUBLIC: dict[str, Remote] = {
    # Middlebury 2014 (Scharstein et al.), quarter size
    "depth_gt/motorcycle/motorcycle_left.png": Remote(
        f"{SKIMAGE}/motorcycle_left.png",
        "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179",
    ),
    "depth_gt/motorcycle/motorcycle_right.png": Remote(
        f"{SKIMAGE}/motorcycle_right.png",
        "5fc913ae870e42a4b662314bc904d1786bcad8e2f0b9b67dba5a229406357797",
    ),
    "depth_gt/motorcycle/motorcycle_disp.npz": Remote(
        f"{SKIMAGE}/motorcycle_disp.npz",
        "2e49c8cebff3fa20359a0cc6880c82e1c03bbb106da81a177218281bc2f113d7",
    ),
    # Middlebury 2003 (Scharstein and Szeliski), quarter size
    "depth_gt/teddy/im2.png": Remote(
        f"{MIDDLEBURY_2003}/teddy/im2.png",
        "092142723fd63f1f4867daaf66d85e8228a4fe2c704becd0091b7b599e618f00",
    ),
    "depth_gt/teddy/im6.png": Remote(
        f"{MIDDLEBURY_2003}/teddy/im6.png",
        "b13366171eaa15cbb30c1cfb6bb0d18bec7a3977c92c49a641245dc40f75ec9b",
    ),
    "depth_gt/teddy/disp2.png": Remote(
        f"{MIDDLEBURY_2003}/teddy/disp2.png",
        "695e92dd08819e82e22a0001cd5a34e67859246475db5df38a0ab55e66d1f412",
    ),
    "depth_gt/cones/im2.png": Remote(
        f"{MIDDLEBURY_2003}/cones/im2.png",
        "e9875cec273b9c7a36ab8a0556b5c8451dd90cf50b5c8f30f4ab3bc8f201da92",
    ),
    "depth_gt/cones/im6.png": Remote(
        f"{MIDDLEBURY_2003}/cones/im6.png",
        "a3795d564445b1e041a88fec490d4140efec87c9a4c64c1b56f7240c3a4fc727",
    ),
    "depth_gt/cones/disp2.png": Remote(
        f"{MIDDLEBURY_2003}/cones/disp2.png",
        "d082b192d7893ef597dfaa9af5c7fea9cb0196808be42d40b80fbf47bb96f561",
    ),
    # Middlebury 2006 (Hirschmueller and Scharstein), full size, as OpenCV's samples have it
    "depth_gt/aloe/aloeL.jpg": Remote(
        f"{OPENCV}/aloeL.jpg",
        "cce5736808efe80d9f04b118dbb978c344d4345672b332718c3e039a3eeb8eee",
    ),
    "depth_gt/aloe/aloeR.jpg": Remote(
        f"{OPENCV}/aloeR.jpg",
        "9b23100df31a846bc6e6a6545563b2b4120b948c9835c7d36cde00af77f4503e",
    ),
    "depth_gt/aloe/aloeGT.png": Remote(
        f"{OPENCV}/aloeGT.png",
        "39ce4f3cb48d797d1091c5152f93361d8104298c337f8a1c134d87dda3442c04",
    ),
    # single photographs
    "photos/astronaut.png": Remote(
        f"{SKIMAGE}/astronaut.png",
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    ),
    "photos/coffee.png": Remote(
        f"{SKIMAGE}/coffee.png",
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    ),
    "photos/chelsea_cat.png": Remote(
        f"{SKIMAGE}/chelsea.png",
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    ),
    "all_in_focus/sklearn_china.jpg": Remote(
        f"{SKLEARN}/images/china.jpg",
        "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
    ),
}


CARRIED = {  # public files that the package of scikit-image contains, by their names there
    "depth_gt/motorcycle/motorcycle_left.png": "motorcycle_left.png",
    "depth_gt/motorcycle/motorcycle_right.png": "motorcycle_right.png",
    "depth_gt/motorcycle/motorcycle_disp.npz": "motorcycle_disp.npz",
    "photos/astronaut.png": "astronaut.png",
    "photos/chelsea_cat.png": "chelsea.png",
    "photos/coffee.png": "coffee.png",
}


def data_folder(folder: Path | None = None) -> Path:
    """Folder that data files are looked for in."""
    if folder is not None:
        return folder
    if named := os.environ.get(ENVIRONMENT):
        return Path(named)
    return SHARED_DATA if SHARED_DATA.is_dir() else download_folder()


def download_folder() -> Path:
    """Cache of downloads: below `XDG_CACHE_HOME`, else `~/.cache`."""
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "camerapipe" / "data"


def locate(name: str, folder: Path | None = None) -> Path:
    """Path of a data file: in the folder, downloaded before, or in the package of scikit-image.

    Raises
    ------
    DataError
        Where it is absent, with what to do.
    """
    looked = data_folder(folder)
    for place in dict.fromkeys((looked, download_folder())):
        if (place / name).is_file():
            return place / name
    if (carried := _carried(name)) is not None:
        return carried
    remedy = (
        f"python -m datasets.fetch {name}"
        if name in PUBLIC
        else f"it is not public: set {ENVIRONMENT} to a folder that has it"
    )
    raise DataError(f"{name}: not in {looked}; {remedy}")


def _carried(name: str) -> Path | None:
    """Path of a file within scikit-image; None if it is not there."""
    found = find_spec("skimage") if name in CARRIED else None
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / "data" / CARRIED[name]
    return path if path.is_file() else None


def fetch(name: str, folder: Path | None = None) -> Path:
    """Download a public file into a folder (default: the cache), unless it is there already.

    Raises
    ------
    DataError
        Where the file is not public, cannot be had, or has another checksum: nothing is kept then.
    """
    if name not in PUBLIC:
        raise DataError(f"{name}: not public; there are: {', '.join(PUBLIC)}")
    try:
        import pooch
    except ImportError:
        raise DataError(f"downloads need pooch: {install('data')}") from None
    url, sha256 = PUBLIC[name]
    path = (download_folder() if folder is None else folder) / name
    try:
        pooch.retrieve(
            url, known_hash=f"sha256:{sha256}", fname=path.name, path=path.parent, progressbar=False
        )
    except ValueError as error:  # what pooch raises for another checksum
        raise DataError(f"{name}: {url} is not what it should be ({sha256[:12]}...)") from error
    except OSError as error:
        raise DataError(f"{name}: {url} cannot be fetched: {error}") from error
    return path
