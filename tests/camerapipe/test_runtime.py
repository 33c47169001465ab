import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import camerapipe
from camerapipe import runtime
from stages import kernels
from stages.kernels import Kernel, i64
from stages.strips import limited_workers


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """Numba finds no place for its cache; temporary files can be written."""
    monkeypatch.setattr(kernels._CacheImpl, "_locator_classes", (kernels._FallbackLocator,))
    monkeypatch.setattr(runtime.tempfile, "gettempdir", lambda: str(tmp_path))
    runtime._temporary_cache.cache_clear()
    yield tmp_path
    runtime._temporary_cache.cache_clear()


def test_without_a_place_kernels_are_kept_in_a_temporary_one(nowhere):
    before = dict(os.environ), kernels.numba.config.CACHE_DIR
    first, again = Kernel(_twice, (i64,)), Kernel(_twice, (i64,))
    with pytest.warns(RuntimeWarning, match="no writable place for compiled kernels"):
        assert first.compile()
    assert runtime.kernel_cache().startswith(str(nowhere))
    assert not again.compile() and again(21) == 42  # from the cache, and without a warning
    assert [path.suffix for path in nowhere.rglob("*.nb?")].count(".nbc") == 1
    assert before == (dict(os.environ), kernels.numba.config.CACHE_DIR)


@pytest.mark.usefixtures("nowhere")
def test_functions_of_one_name_do_not_share_a_cached_kernel():
    def named(factor):
        def function(value):
            return value * factor

        function.__module__ = f"{__name__}_{factor}"
        return function

    with pytest.warns(RuntimeWarning, match="no writable place"):
        assert [Kernel(named(factor), (i64,))(10) for factor in (2, 3)] == [20, 30]


def test_a_folder_of_somebody_else_is_not_used(nowhere, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 12345, raising=False)
    (nowhere / "camerapipe-kernels-12345").mkdir()
    assert Kernel(_twice, (i64,))(21) == 42
    assert runtime.kernel_cache() is None and not list(nowhere.rglob("*.nbc"))


def test_a_place_of_ones_own_is_respected(tmp_path):
    code = "from camerapipe.runtime import kernel_cache; print(kernel_cache())"
    told = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.startswith(str(tmp_path))


def test_a_kernel_compiles_where_no_cache_can_be_kept(monkeypatch):
    def nowhere(function):
        raise RuntimeError("no locator available")

    monkeypatch.setattr(kernels, "KernelCache", nowhere)
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


def test_warm_up_knows_the_kernels_of_every_stage():
    """A new process, since this one has imported more than the command line does."""
    code = """
import importlib, pkgutil
from camerapipe import runtime
known = [kernel.name for kernel in runtime._kernels()]
import stages
from stages import kernels
for module in pkgutil.walk_packages(stages.__path__, "stages."):
    importlib.import_module(module.name)
# In no graph: for tests and data sets, and for simulated cameras.
others = ("stages.bokeh.reference.", "stages.scene.", "stages.forward.")
used = [k.name for k in kernels.registered() if not k.name.startswith(others)]
assert sorted(known) == sorted(used), set(used) ^ set(known)
assert "stages.preview._compose" in known
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_first_picture_needs_no_kernel_that_is_said_to_be_seldom_needed():
    code = """
import numpy as np
import camerapipe
from camerapipe import runtime
from stages import kernels
warmed = runtime.warm_up(seldom=False)
before = {kernel.name for kernel in kernels.registered() if kernel.ready}
assert warmed == len(before) < len(runtime._kernels())
rows, cols = np.mgrid[:192, :256]
sharp = np.where((rows // 8 + cols // 8) % 2, 0.7, 0.3)
soft = 0.5 + 0.2 * np.tanh((cols % 64 - 32) / 6)
grey = np.where(cols < 128, sharp, soft).astype(np.float32)
camerapipe.render(np.repeat(grey[..., None], 3, axis=2), force=True)
print(*{kernel.name for kernel in kernels.registered() if kernel.ready} - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


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
@pytest.mark.parametrize(("cores", "helpers"), [(2, 1), (9, 2)])
def test_warm_up_is_helped_and_leaves_no_process_behind(monkeypatch, cores, helpers):
    started = []

    class Watched(subprocess.Popen):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            started.append(self)

    monkeypatch.setattr(runtime, "_kernels", _three)
    monkeypatch.setattr(runtime, "available_cores", lambda: cores)
    monkeypatch.setattr(subprocess, "Popen", Watched)
    assert runtime.warm_up() == 3
    assert len(started) == helpers  # no more than there are kernels left
    assert all(process.returncode is not None for process in started)


@pytest.mark.usefixtures("nothing_cached")
def test_without_another_process_warm_up_does_it_all(monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no more processes")

    monkeypatch.setattr(runtime, "_kernels", _three)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert runtime.warm_up() == 3


HOST = """
import ctypes, gc, os, signal, warnings
import cv2, numba, numpy as np, rawpy, scipy.fft, scipy.linalg, scipy.sparse, scipy.special
from PIL import Image
from threadpoolctl import threadpool_info, threadpool_limits

asked = []
real = ctypes.CDLL.__getattr__
ctypes.CDLL.__getattr__ = lambda self, name: asked.append(name) or real(self, name)
threads = 3
cv2.setNumThreads(threads)
threadpool_limits(limits=threads)
gc.set_threshold(701, 11, 12)
Image.MAX_IMAGE_PIXELS = 5_000  # fewer than half of the picture below

def state():
    return {
        "malloc": asked.count("mallopt"),
        "environment": dict(os.environ),
        "frozen": gc.get_freeze_count(),
        "collector": (gc.isenabled(), gc.get_threshold(), gc.get_debug()),
        "opencv": cv2.getNumThreads(),
        "pools": sorted((pool["filepath"], pool["num_threads"]) for pool in threadpool_info()),
        "numpy": np.geterr(),
        "pillow": Image.MAX_IMAGE_PIXELS,
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "warnings": list(warnings.filters),
    }

before = state()
"""
PICTURE = """
import camerapipe
picture = np.kron(np.random.default_rng(1).integers(0, 255, (12, 16, 3), np.uint8),
                  np.ones((10, 10, 1), np.uint8))
"""
API = """
cv2.imwrite("picture.png", picture)
camerapipe.render("picture.png", force=True, budget="9s")
camerapipe.check("picture.png")
camerapipe.open_stream([picture] * 3, budget="9s", force=True).run()
changed = {key: value for key, value in state().items() if value != before[key]}
assert not changed, changed
"""
OURS = """
from camerapipe import runtime
from stages import strips
image = camerapipe.render(picture, force=True).image
runtime.configure(workers=2, long_running={long_running})
runtime.warm_up()
after = state()
assert np.array_equal(camerapipe.render(picture, force=True).image, image)
print(after["malloc"] > 0, after["frozen"] > 10_000, after["opencv"], strips.workers(),
      {{pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}},
      after["environment"] == before["environment"])
"""


def said_by(code, folder):
    root = str(Path(camerapipe.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=os.environ | {"PYTHONPATH": root},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_api_leaves_its_host_as_it_was(tmp_path):
    assert said_by(HOST + PICTURE + API, tmp_path) == ""


@pytest.mark.parametrize("long_running", [False, True])
def test_configure_sets_up_a_process_of_ours(long_running, tmp_path):
    said = said_by(HOST + PICTURE + OURS.format(long_running=long_running), tmp_path)
    assert said == f"{long_running} {long_running} 2 2 {{1}} True"


def test_a_picture_does_not_depend_on_the_workers_of_a_context():
    picture = np.random.default_rng(2).integers(0, 255, (150, 200, 3), np.uint8)
    shots = []
    for count in (None, 1, 3):
        with limited_workers(count):
            shots.append(camerapipe.render(picture, force=True))
    for shot in shots[1:]:
        np.testing.assert_array_equal(shot.image, shots[0].image)
        np.testing.assert_array_equal(shot.blur_map.sigma, shots[0].blur_map.sigma)


def test_configure_refuses_no_workers():
    with pytest.raises(ValueError, match="at least 1"):
        runtime.configure(workers=0)


MEMORY = """
import resource, threading, numpy as np
from camerapipe.runtime import configure
def faults(size=1 << 26):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.empty(size, np.uint8).fill(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
def faults_of_thread():
    found = []
    thread = threading.Thread(target=lambda: found.extend(faults(1 << 27) for _ in range(2)))
    thread.start()
    thread.join()
    return found[1]
faults()
returned = faults()
configure(long_running=True)
faults()
print(returned > 0, faults() == 0, faults_of_thread() == 0)
"""
on_glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="glibc has options for memory"
)


@on_glibc
def test_a_long_running_process_reuses_freed_arrays(tmp_path):
    assert said_by(MEMORY, tmp_path) == "True True True"


HEAPS = """
import ctypes
from camerapipe.runtime import configure
configure(long_running=True)
import cv2, numpy as np
cv2.setNumThreads(2)
cv2.resize(np.ones((3000, 4000, 3), np.uint8), (2000, 1500), interpolation=cv2.INTER_AREA)
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
libc.malloc_info(0, ctypes.c_void_p(libc.fdopen(1, b"w")))
libc.fflush(None)
"""


@on_glibc
def test_threads_share_a_heap_with_those_that_libraries_have(tmp_path):
    assert said_by(HEAPS, tmp_path).count("<heap nr=") == 1


FROZEN = """
import gc, weakref
from camerapipe import runtime
class Node: pass
def loop():
    node = Node()
    node.itself = node
    return weakref.ref(node)
runtime.configure(long_running=True)
before = loop()
runtime.warm_up()
looked_at, kept, gone = len(gc.get_objects()), gc.get_freeze_count(), before() is None
after = loop()
gc.collect()
print(looked_at < kept, gone, after() is None)
"""


def test_garbage_is_looked_for_only_among_what_is_new(tmp_path):
    assert said_by(FROZEN, tmp_path) == "True True True"


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
