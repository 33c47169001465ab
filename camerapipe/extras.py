"""Optional packages: how a person installs what a feature needs, wherever camerapipe came from.

The packages themselves are named, and not an extra of camerapipe: that would need an index which
has camerapipe, and a checkout is in none.
"""

from __future__ import annotations

# As in `[project.optional-dependencies]` of pyproject.toml, which need not be at hand.
EXTRAS = {
    "heif": ("pillow-heif>=1.0",),
    "dng": ("imagecodecs>=2024.1.1",),
    "jxl": ("imagecodecs>=2025.3.30",),
    "exr": ("OpenEXR>=3.4",),
    "demo": ("scikit-learn>=1.3",),
    "lens": ("lensfunpy>=1.17",),
    "report": ("matplotlib>=3.8",),
    "data": ("pooch>=1.8",),
    "video": ("av>=18",),
    "batch": ("pebble>=5.2", "watchfiles>=1.0"),
    "remote": ("fsspec>=2024.6",),
    "cluster": ("pebble>=5.2", "watchfiles>=1.0", "distributed>=2024.8"),
    "web": ("starlette>=0.46", "uvicorn>=0.35", "websockets>=13"),
}


def install(extra: str) -> str:
    """Command that installs the packages of an extra.

    Parameters
    ----------
    extra : str
        Its name in pyproject.toml.

    Returns
    -------
    str
        For a shell, such as ``python -m pip install "OpenEXR>=3.4"``.
    """
    return "python -m pip install " + " ".join(f'"{package}"' for package in EXTRAS[extra])
