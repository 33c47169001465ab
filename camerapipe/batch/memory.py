"""Memory of a job: what it will need, by the pixels of its header, and the limit that it gets.

A job takes `JOB_BYTES` and `BYTES_PER_PIXEL` for each pixel beyond what its worker has after it has
started. Address space exceeds resident memory: its limit is 1.5 times that estimate.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from camerapipe.errors import RequestError

try:
    import resource
except ImportError:  # Windows: no limits
    resource = None  # type: ignore[assignment]

JOB_BYTES = 100 << 20
BYTES_PER_PIXEL = 80
ADDRESS_SPACE = 1.5  # of the limit over the estimate
STATM = Path("/proc/self/statm")


class Size(NamedTuple):
    """Memory of a process, bytes."""

    virtual: int
    resident: int

    @classmethod
    def now(cls) -> Size:
        """That of this process; zero where the system does not say."""
        with suppress(OSError):
            virtual, resident, *_ = STATM.read_text().split()
            page = os.sysconf("SC_PAGE_SIZE")
            return cls(int(virtual) * page, int(resident) * page)
        return cls(0, 0)


def job_bytes(pixels: int) -> int:
    """Resident memory that a job of so many pixels adds to its worker."""
    return JOB_BYTES + BYTES_PER_PIXEL * pixels


@contextmanager
def limited_address_space(limit: int) -> Iterator[None]:
    """Let allocations fail that lead beyond a limit in bytes, where the system can."""
    if resource is None or STATM.exists() is False:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    allowed = [limit, *(each for each in (soft, hard) if each != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_AS, (min(allowed), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def parse_bytes(option: str, text: str) -> int:
    """Read a number of bytes such as `4G` or `512M`; `RequestError` if it is none."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?", text.strip(), re.IGNORECASE)
    if found is None or float(found[1]) == 0:
        raise RequestError(f"{option}: expected bytes such as 4G or 512M; got {text!r}")
    return int(float(found[1]) * 1024 ** " KMGT".index(found[2].upper() or " "))


def as_text(count: int) -> str:
    """A number of bytes for people."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
