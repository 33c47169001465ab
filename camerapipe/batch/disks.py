"""The kind of disk that a folder is on, and the memory of the machine."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

NETWORK = re.compile(r"nfs|cifs|smb|9p|afs|ceph|glusterfs|lustre|beegfs|gpfs|davfs|fuse")
MOUNTS = Path("/proc/self/mounts")
CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
UNKNOWN_MEMORY = 8 << 30  # bytes, where the system does not say


def is_network_drive(folder: str | os.PathLike[str], mounts: Path = MOUNTS) -> bool:
    """Whether a folder is on a network drive; False where the system does not say so.

    User-space file systems (FUSE) count as network drives, since most of them are.
    """
    place = os.path.join(os.path.realpath(folder), "")
    kind, longest = "", 0
    with suppress(OSError):
        for line in mounts.read_text(errors="replace").splitlines():
            _, mounted, found, *_ = line.split(" ")
            mounted = os.path.join(re.sub(r"\\(\d{3})", _octal, mounted), "")
            if place.startswith(mounted) and len(mounted) >= longest:
                kind, longest = found, len(mounted)
    return NETWORK.match(kind) is not None


def memory_bytes() -> int:
    """Memory of the machine, or of the control group of this process if that is less."""
    found = [UNKNOWN_MEMORY]
    with suppress(AttributeError, ValueError, OSError):  # the system does not say
        found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # ValueError: "max"
            found.append(int(path.read_text()))
    return min(found)


def _octal(match: re.Match[str]) -> str:
    return chr(int(match[1], 8))
