"""Kernels: what is in the cache is what the sources say."""

import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest

from stages.kernels import Kernel, digest_of, f32, i64, record, registered, u16, writes

HELPER = """
from stages.kernels import inline
VALUE = {value}
@inline
def give():
    return 1
"""
CONSTANTS = "OFFSET = {offset}"
KERNEL = """
from probe import constants
from probe.helper import (
    VALUE,
    give,
)
from stages.kernels import i64, kernel
@kernel(i64)
def work(x):
    return x + give() * VALUE + constants.OFFSET
"""
RUN = "import sys; sys.path.insert(0, {root!r}); from probe.work import work; print(work(100))"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Give what the kernel of a package with a helper and a constant says, in a new process."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    package = tmp_path / "probe"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "work.py").write_text(KERNEL)

    def run(value, offset):
        (package / "helper.py").write_text(HELPER.format(value=value))
        (package / "constants.py").write_text(CONSTANTS.format(offset=offset))
        code = RUN.format(root=str(tmp_path))
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        return int(done.stdout), {f.stat().st_mtime_ns for f in (tmp_path / "cache").rglob("*.nbc")}

    return run


def test_a_kernel_is_compiled_once_and_again_after_its_helpers_or_constants_change(run):
    value, first = run(1, 0)
    assert value == 101
    assert run(1, 0) == (101, first)
    value, second = run(2, 0)
    assert value == 102 and second != first
    value, third = run(2, 5)
    assert value == 107 and third != second


def test_every_kernel_has_its_sources():
    import camerapipe.pipelines  # noqa: F401 - declares all kernels

    digests = {kernel.name.rpartition(".")[0]: "" for kernel in registered()}
    for module in digests:
        digests[module] = digest_of(module)
    assert len(set(digests.values())) == len(digests)


class Steps(NamedTuple):
    first: np.uint16
    second: np.uint16


class Line(NamedTuple):
    values: np.ndarray
    steps: Steps


def _sum(line, add):
    first, second = line.steps
    return line.values[first] + line.values[second] + add


def test_a_kernel_takes_named_tuples():
    kind = record(Line, writes(f32, 1), record(Steps, u16, u16))
    line = Line(np.arange(5, dtype=np.float32), Steps(np.uint16(1), np.uint16(4)))
    assert Kernel(_sum, (kind, i64))(line, 10) == 15
    with pytest.raises(TypeError):  # nothing is converted inside of one
        Kernel(_sum, (kind, i64))(line._replace(steps=Steps(1, 4)), 10)
