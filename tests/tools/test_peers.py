"""Peers in processes of their own: what they are given, what they say, and how they fail."""

import sys
from pathlib import Path

import numpy as np
import pytest

PYTHON = Path(sys.executable)


@pytest.fixture
def peers(tool, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tool("measures.peer_environment")


def test_pymatting_solves_the_same_problem(peers, tool):
    pytest.importorskip("pymatting")
    problems, runs = tool("problems"), tool("measures.peers")
    given = problems.problem(problems.made_picture(0.01), 1)
    laplacian = given.laplacian(tool("stages.laplacian").LaplacianParams())
    truth = problems.converged(laplacian, given.constraints).sigma
    seconds, steps = runs.pymatting_to_goal(given, truth)
    assert seconds > 0 and 2 < steps < 200


def test_a_peer_that_fails_says_so_in_one_line(peers):
    with pytest.raises(peers.PeerError, match="^guided_filter.py: .*ximgproc"):
        peers.run_peer("guided_filter.py", PYTHON, guide=np.zeros((8, 8, 3), np.float32))


def test_the_environment_is_used_when_all_is_installed(peers, monkeypatch, tmp_path):
    folder, calls = peers.peer_folder(), []
    assert folder == tmp_path / "camerapipe" / "peers"
    assert peers.peer_python() is None

    def create(place, **options):
        (place / "bin").mkdir(parents=True, exist_ok=True)
        (place / "bin" / "python").touch()

    def run(command, **options):
        calls.append(command)
        failed = len(calls) == 1
        return type("Done", (), {"returncode": failed, "stderr": "one\nno network" * failed})()

    monkeypatch.setattr(peers.venv, "create", create)
    monkeypatch.setattr(peers.subprocess, "run", run)
    monkeypatch.setattr(peers.os, "name", "posix")
    with pytest.raises(peers.PeerError, match="cannot be installed: no network"):
        peers.make_environment()
    assert peers.peer_python() is None  # half of an environment is none
    assert peers.make_environment() == peers.peer_python() == folder / "bin" / "python"
    assert set(peers.PACKAGES) < set(calls[-1])
    peers.make_environment()
    assert len(calls) == 2
