"""The virtual environment of the peers: packages that cannot be installed beside ours, or are not.

OpenCV's contrib build replaces the plain one, so that it needs an environment of its own.
`python tools/peers.py` makes it, in the cache; benchmarks use it if it is there. A peer is a script
of `tools/peer_scripts` in a process of its own, which reads arrays from a file and prints JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

import numpy as np

from datasets.sources import download_folder

PACKAGES = ("opencv-contrib-python-headless", "pymatting")
SCRIPTS = Path(__file__).resolve().parents[1] / "peer_scripts"
READY = "ready"  # file that is written when all packages are installed


class PeerError(Exception):
    """The environment cannot be made, or a peer fails."""


def peer_folder() -> Path:
    """Where the environment is: below the cache folder."""
    return download_folder().parent / "peers"


def peer_python(folder: Path | None = None) -> Path | None:
    """Python of the environment; None where it was not made."""
    folder = folder or peer_folder()
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    return python if (folder / READY).is_file() and python.is_file() else None


def make_environment(folder: Path | None = None) -> Path:
    """Python of the environment, which is made if it is not there.

    Raises
    ------
    PeerError
        If packages cannot be installed.
    """
    folder = folder or peer_folder()
    if (python := peer_python(folder)) is not None:
        return python
    print(f"making an environment for {', '.join(PACKAGES)} in {folder}", flush=True)
    venv.create(folder, with_pip=True, clear=True)
    pip = [str(folder / ("Scripts" if os.name == "nt" else "bin") / "python"), "-m", "pip"]
    done = subprocess.run(
        [*pip, "install", "--quiet", "--disable-pip-version-check", *PACKAGES],
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        raise PeerError(f"{folder}: packages of peers cannot be installed: {last}")
    (folder / READY).touch()
    made = peer_python(folder)
    assert made is not None
    return made


def run_peer(script: str, python: Path | None = None, **arrays: Any) -> dict[str, Any]:
    """What a peer prints.

    Parameters
    ----------
    script : str
        Name of a file of `tools/peer_scripts`.
    python : Path, optional
        Interpreter; that of the environment of the peers by default, else our own.
    **arrays
        Arrays and numbers that the script reads.

    Raises
    ------
    PeerError
        If the script fails.
    """
    python = python or peer_python() or Path(sys.executable)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "arrays.npz"
        np.savez(file, **arrays)
        done = subprocess.run(
            [str(python), str(SCRIPTS / script), str(file)], capture_output=True, text=True
        )
    if done.returncode:
        raise PeerError(f"{script}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))
