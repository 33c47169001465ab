"""Numba kernels: declared with their types, compiled when first called, cached on disk.

`kernel` registers a function with one explicit signature; nothing is compiled at import. Kernels
release the GIL and hold no threads of their own: `strips.py` runs them on row strips. No
`fastmath`, so that a value does not depend on where a strip or tile was cut.

Compiled kernels are cached where Numba caches: in the folder of `NUMBA_CACHE_DIR`, else beside the
source, else in the user's cache. If none of these can be written, they go to the folder given to
`set_cache_fallback`. Neither the environment nor Numba's own configuration is changed.

A cached kernel is valid as long as its module, and every module of `stages` that this imports, are
unchanged: helpers and constants of other modules are compiled into it. Numba itself compares only
the file of the kernel.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numba
from numba import types
from numba.core.caching import FunctionCache

from stages.compiling import HelperCompiler, KernelCompiler

f32, f64 = types.float32, types.float64
i32, i64, b1 = types.int32, types.int64, types.boolean
u64 = types.uint64
u8, u16 = types.uint8, types.uint16

IMPORTED = re.compile(r"^\s*(?:from|import) ([\w.]+)(?: import ([\w, ]+))?", re.MULTILINE)
OPTIONS = {
    "nogil": True,
    "error_model": "numpy",
    "no_cfunc_wrapper": True,  # no calls from C
    "pipeline_class": KernelCompiler,
}


def reads(dtype: Any, ndim: int) -> Any:
    """Type of a C-contiguous array that a kernel only reads (a read-only array is accepted)."""
    return types.Array(dtype, ndim, "C", readonly=True)


def writes(dtype: Any, ndim: int) -> Any:
    """Type of a C-contiguous array that a kernel writes."""
    return types.Array(dtype, ndim, "C")


def record(kind: type[Any], *fields: Any) -> Any:
    """Type of a named tuple that a kernel takes as one argument.

    Numba converts nothing inside a named tuple: its arrays must be writable and C-contiguous, and
    its numbers of exactly the types of `fields`, such as `np.uint64` for `u64`.

    Parameters
    ----------
    kind : type
        A `NamedTuple`.
    *fields : Numba types
        Types of its fields.
    """
    return types.BaseTuple.from_types(fields, kind)


def _no_folder() -> str | None:
    """Return None: there is no fallback folder."""
    return None


_cache_fallback = _no_folder


def set_cache_fallback(folder: Callable[[], str | None]) -> None:
    """Set where kernels are cached if Numba finds no writable folder.

    Parameters
    ----------
    folder : callable
        Returns the path of an existing writable folder, or None if there is none. In that case,
        every process compiles the kernels anew. It is called only if it is needed.
    """
    global _cache_fallback
    _cache_fallback = folder


class _FallbackLocator:
    """Locator of Numba's cache protocol for the fallback folder, used after Numba's own."""

    def __init__(self, function: Callable[..., Any], folder: str) -> None:
        self._function, self._folder = function, folder

    @classmethod
    def from_function(cls, function: Callable[..., Any], file: str) -> _FallbackLocator | None:
        folder = _cache_fallback()
        return None if folder is None else cls(function, folder)

    def ensure_cache_path(self) -> None:
        """The folder exists already."""

    def get_cache_path(self) -> str:
        return self._folder

    def get_source_stamp(self) -> str:
        return digest_of(self._function.__module__)

    def get_disambiguator(self) -> str:
        """Distinguish functions of the same name, because all modules share the folder."""
        return f"{self._function.__module__}-{self._function.__code__.co_firstlineno}"


class _CacheImpl(FunctionCache._impl_class):  # type: ignore[misc]  # numba is untyped
    _locator_classes = (*FunctionCache._impl_class._locator_classes, _FallbackLocator)


class KernelCache(FunctionCache):  # type: ignore[misc]  # numba is untyped
    """Numba's cache on disk, with a fallback folder and with digests of all sources of a kernel."""

    _impl_class = _CacheImpl

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file._source_stamp = digest_of(function.__module__)


class Kernel:
    """A compiled-on-demand function with exactly one signature."""

    def __init__(
        self, function: Callable[..., Any], signature: Any, *, seldom: bool = False
    ) -> None:
        self.seldom = seldom  # most photographs do not need it
        self.name = f"{function.__module__}.{function.__name__}"
        self.__doc__ = function.__doc__
        self._function = function
        self._signature = signature
        self._lock = threading.Lock()
        self._compiled: Any = None
        self.is_new = False  # compiled by this process, not loaded from the cache

    @property
    def ready(self) -> bool:
        """Whether it is compiled, or loaded from the cache, in this process."""
        return self._compiled is not None

    @property
    def length(self) -> int:
        """Length of its bytecode with that of all helpers: roughly what compiling it takes."""
        return _length_of(self._function)

    def compile(self) -> bool:
        """Compile, or load from the cache; return whether it was compiled. Thread-safe."""
        with self._lock:
            if self._compiled is not None:
                return False
            try:
                self._compiled = self._build(cache=True)
            except (RuntimeError, OSError):  # no writable folder for the cache, or a full disk
                self._compiled = self._build(cache=False)
            self.is_new = not self._compiled.stats.cache_hits
            return self.is_new

    def _build(self, *, cache: bool) -> Any:
        dispatcher = numba.njit(**OPTIONS)(self._function)
        if cache:
            dispatcher._cache = KernelCache(self._function)
        dispatcher.compile(self._signature)
        dispatcher.disable_compile()
        return dispatcher

    def __call__(self, *args: Any) -> Any:
        """Run; compile first if that has not been done yet."""
        if not self.ready:
            self.compile()
        return self._compiled(*args)


def _length_of(function: Callable[..., Any]) -> int:
    """Length of the bytecode of a function and of its helpers, each as often as it is named."""
    named: list[Any] = [function.__globals__.get(name) for name in function.__code__.co_names]
    helpers = (each.py_func for each in named if hasattr(each, "py_func"))
    return len(function.__code__.co_code) + sum(map(_length_of, helpers))


def digest_of(module: str) -> str:
    """Digest of the sources of a module, and of all modules of its package that it imports."""
    package, waiting = module.split(".")[0], [module]
    sources: dict[str, str] = {}
    while waiting:
        name = waiting.pop()
        if name not in sources:
            sources[name], imported = _source_of(name)
            waiting += [other for other in imported if other.split(".")[0] == package]
    text = "\0".join(sources[name] for name in sorted(sources))
    return hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def _source_of(module: str) -> tuple[str, tuple[str, ...]]:
    """Source of a module, and the names that it imports; empty if the name is not a module."""
    try:
        text = inspect.getsource(importlib.import_module(module))
    except (ImportError, OSError):  # a name imported from a module, or an empty file
        return "", ()
    names = []
    for found, members in IMPORTED.findall(text):
        names += [found, *(f"{found}.{member.strip()}" for member in members.split(",") if member)]
    return text, tuple(names)


_REGISTRY: list[Kernel] = []


def kernel(*arguments: Any, seldom: bool = False) -> Callable[[Callable[..., Any]], Kernel]:
    """Register a function as a kernel.

    Parameters
    ----------
    *arguments : Numba types
        Type of each parameter, as of `reads`, `writes` and `f32`.
    seldom : bool
        Whether most photographs do not need it with the default preset. It is then compiled when it
        is first called, and not before the first picture.

    Returns
    -------
    callable
        Decorator that returns a `Kernel`.
    """

    def register(function: Callable[..., Any]) -> Kernel:
        made = Kernel(function, arguments, seldom=seldom)
        _REGISTRY.append(made)
        return made

    return register


def inline(function: Callable[..., Any]) -> Any:
    """Mark a small helper that kernels call; it is compiled into each of them."""
    return numba.njit(inline="always", **OPTIONS)(function)


def apart(function: Callable[..., Any]) -> Any:
    """Mark a helper that kernels call and that is compiled separately.

    It is for large helpers, and for loops that are vectorised only if they are compiled alone.
    """
    options = OPTIONS | {"no_cpython_wrapper": True, "pipeline_class": HelperCompiler}
    return numba.njit(**options)(function)


@inline
def total_of(row):  # type: ignore[no-untyped-def]
    """Sum of a row, in order. `np.sum` and `np.max` take far longer to compile."""
    total = row[0]
    for x in range(1, row.size):
        total += row[x]
    return total


@inline
def largest_of(row):  # type: ignore[no-untyped-def]
    """Largest value of a row."""
    largest = row[0]
    for x in range(1, row.size):
        largest = max(largest, row[x])
    return largest


@inline
def least_of(row):  # type: ignore[no-untyped-def]
    """Smallest value of a row."""
    least = row[0]
    for x in range(1, row.size):
        least = min(least, row[x])
    return least


def registered() -> Iterator[Kernel]:
    """All kernels of the modules imported so far, in order of declaration."""
    yield from _REGISTRY
