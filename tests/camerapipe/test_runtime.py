import os
import platform
import subprocess
import sys
import warnings

import pytest

import camerapipe
from camerapipe import runtime
from stages import kernels
from stages.kernels import Kernel, i64


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """Neither the code nor the home can be written; temporary files can."""
    monkeypatch.delenv(runtime.CACHE_VARIABLE, raising=False)
    monkeypatch.setattr(runtime, "_writable", lambda place: False)
    monkeypatch.setattr(runtime.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(sys.modules["numba"].config, "CACHE_DIR", "")
    yield tmp_path
    os.environ.pop(runtime.CACHE_VARIABLE, None)


def test_without_a_place_kernels_are_kept_in_a_temporary_one(nowhere):
    with pytest.warns(RuntimeWarning, match="no writable place for compiled kernels"):
        runtime.ensure_kernel_cache()
    place = os.environ[runtime.CACHE_VARIABLE]
    assert place.startswith(str(nowhere)) and os.path.isdir(place)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        runtime.ensure_kernel_cache()
    assert not seen


def test_a_place_of_ones_own_is_respected(monkeypatch, tmp_path):
    monkeypatch.setenv(runtime.CACHE_VARIABLE, str(tmp_path))
    runtime.ensure_kernel_cache()
    assert os.environ[runtime.CACHE_VARIABLE] == str(tmp_path) == runtime.kernel_cache()


def test_a_kernel_compiles_where_no_cache_can_be_kept(monkeypatch):
    real = kernels.numba.njit

    def njit(*args, cache=False, **options):
        if cache:
            raise RuntimeError("no locator available")
        return real(*args, **options)

    monkeypatch.setattr(kernels.numba, "njit", njit)
    assert Kernel(_twice, (i64,))(21) == 42


def _twice(value):
    return 2 * value


def test_warm_up_compiles_every_kernel_once():
    seen = []
    count = runtime.warm_up(lambda name, done, total: seen.append((name, done, total)))
    names = [name for name, _, _ in seen]
    assert count == len(names) == len(set(names)) > 10
    assert seen[-1][1:] == (count - 1, count)
    assert all(kernel.ready for kernel in kernels.registered())


def _three():
    return [Kernel(_twice, (i64,)) for _ in range(3)]


@pytest.fixture
def nothing_cached(monkeypatch):
    """Where every kernel has to be compiled."""
    build = Kernel._build
    monkeypatch.setattr(Kernel, "_build", lambda self, cache: build(self, cache=False))


@pytest.mark.usefixtures("nothing_cached")
def test_warm_up_says_once_that_it_compiles(monkeypatch):
    said, kernels = [], _three()
    monkeypatch.setattr(runtime, "_kernels", lambda: kernels)
    monkeypatch.setattr(runtime, "available_cores", lambda: 1)
    for _ in range(2):
        runtime.warm_up(compiling=lambda: said.append("compiling"))
    assert said == ["compiling"]


def test_warm_up_says_nothing_of_kernels_in_the_cache():
    runtime.warm_up()
    code = "from camerapipe import runtime; runtime.warm_up(compiling=lambda: print('compiling'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""


@pytest.mark.usefixtures("nothing_cached")
def test_warm_up_is_helped_and_leaves_no_process_behind(monkeypatch):
    started = []

    class Watched(subprocess.Popen):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            started.append(self)

    monkeypatch.setattr(runtime, "_kernels", _three)
    monkeypatch.setattr(runtime, "available_cores", lambda: 2)
    monkeypatch.setattr(subprocess, "Popen", Watched)
    assert runtime.warm_up() == 3
    assert len(started) == 1 and started[0].returncode is not None


@pytest.mark.usefixtures("nothing_cached")
def test_without_another_process_warm_up_does_it_all(monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no more processes")

    monkeypatch.setattr(runtime, "_kernels", _three)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert runtime.warm_up() == 3


MEMORY = """
import resource, threading, numpy as np
from camerapipe.runtime import keep_freed_memory, return_freed_memory
def faults(size=1 << 22):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.empty(size, np.uint8).fill(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
def faults_of_thread():
    found = []
    thread = threading.Thread(target=lambda: found.extend(faults(1 << 27) for _ in range(2)))
    thread.start()
    thread.join()
    return found[1]
told = return_freed_memory()
faults()
returned = faults()
told = keep_freed_memory() and told
faults()
print(told, returned > 0, faults() == 0, faults_of_thread() == 0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is told of it, and faults are counted")
def test_freed_arrays_are_returned_and_then_reused():
    run = [sys.executable, "-c", MEMORY]
    told, *found = subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()
    if told == "False":
        pytest.skip("this C library cannot be told what to do with memory")
    assert found == ["True", "True", "True"]


HEAPS = """
import ctypes
import {module}
import cv2, numpy as np
cv2.setNumThreads(2)
cv2.resize(np.ones((3000, 4000, 3), np.uint8), (2000, 1500), interpolation=cv2.INTER_AREA)
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
libc.malloc_info(0, ctypes.c_void_p(libc.fdopen(1, b"w")))
libc.fflush(None)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc has heaps for threads")
@pytest.mark.parametrize("module", ["camerapipe.stream.session", "camerapipe.camera"])
def test_threads_share_a_heap_with_those_that_libraries_have(module):
    run = [sys.executable, "-c", HEAPS.format(module=module)]
    told = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert told.count("<heap nr=") == 1


SETTLED = """
import gc, weakref
from camerapipe.runtime import settle_objects
class Node: pass
def loop():
    node = Node()
    node.itself = node
    return weakref.ref(node)
before = loop()
settle_objects()
looked_at, kept, gone = len(gc.get_objects()), gc.get_freeze_count(), before() is None
after = loop()
gc.collect()
print(looked_at < kept, gone, after() is None)
"""


def test_garbage_is_looked_for_only_among_what_is_new():
    run = [sys.executable, "-c", SETTLED]
    told = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert told.split() == ["True", "True", "True"]


def test_facts_about_the_process():
    assert runtime.available_cores() >= 1
    assert runtime.versions()["camerapipe"] == camerapipe.__version__
    assert runtime.peak_mb() is None or runtime.peak_mb() > 10


@pytest.mark.skipif(
    not os.path.exists("/proc/self/status"), reason="Linux tells it of each process"
)
def test_peak_memory_is_not_that_of_the_process_that_started_this_one():
    ballast = bytearray(600_000_000)
    ballast[::4096] = b"\1" * len(ballast[::4096])  # resident
    code = "from camerapipe.runtime import peak_mb; print(peak_mb())"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert len(ballast) and 1 < float(told.stdout) < 500
