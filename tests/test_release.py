"""What is released: a wheel and a source archive that install and run outside of the checkout.

Built without a network and without isolation. Compiled kernels of the checkout are copied beside
the installed ones, so that the run needs no compiler; they are no part of a release.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

import stages

ROOT = Path(__file__).resolve().parents[1]
CHECKOUT = ("pyproject.toml", "README.md", "LICENSE", "camerapipe", "stages")
WITHOUT = shutil.ignore_patterns("__pycache__")
KERNELS = ("*.nbi", "*.nbc")
BUILD = (sys.executable, "-m", "build", "--no-isolation")
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

pytest.importorskip("build", reason="the extra `test` is absent: python -m pip install build")


def run(*command, cwd, **more):
    known = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=known | OFFLINE | more, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """Folder of a release: source archive and wheel, both of the checkout."""
    source = tmp_path_factory.mktemp("source")
    for name in CHECKOUT:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=WITHOUT)
        else:
            shutil.copy(ROOT / name, source)
    run(*BUILD, "--sdist", "--wheel", cwd=source)
    return source / "dist"


@pytest.fixture(scope="module")
def wheel(release):
    (path,) = release.glob("*.whl")
    return path


def members(wheel):
    """Names in the wheel and digests of their content, without the record of them."""
    with zipfile.ZipFile(wheel) as archive:
        files = archive.infolist()
    return {each.filename: each.CRC for each in files if "RECORD" not in each.filename}


def test_the_wheel_has_every_file_of_both_packages(wheel):
    names = set(members(wheel))
    for package in ("camerapipe", "stages"):
        files = (p.relative_to(ROOT) for p in (ROOT / package).rglob("*") if p.is_file())
        expected = {p.as_posix() for p in files if "__pycache__" not in p.parts}
        assert expected <= names
    named = {"camerapipe/py.typed", "stages/py.typed", "camerapipe/trace.schema.json",
             "camerapipe/costs.toml", "camerapipe/web/static/studio.html"}  # fmt: skip
    assert named <= names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"camerapipe", "stages"}


def test_the_source_archive_builds_the_same_wheel(release, wheel, tmp_path):
    (archive,) = release.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    again = tmp_path / "again"
    run(*BUILD, "--wheel", "-o", again, source, cwd=tmp_path)
    (other,) = again.glob("*.whl")
    assert other.name == wheel.name and members(other) == members(wheel)


def test_the_version_is_that_of_the_project(wheel):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert wheel.name == f"camerapipe-{version}-py3-none-any.whl"


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The command of an environment that has the wheel, and the dependencies of this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", wheel, cwd=folder)
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))",
                    cwd=folder).strip())  # fmt: skip
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for pattern in KERNELS:
        for path in Path(stages.__path__[0]).rglob(pattern):
            place = site / "stages" / path.relative_to(stages.__path__[0])
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)
    return python.with_name("camerapipe")


def test_the_wheel_runs_outside_of_the_checkout(installed, tmp_path):
    rng = np.random.default_rng(5)
    small = rng.integers(20, 236, (20, 30, 3)).astype(np.uint8)
    sharp = cv2.resize(small, (360, 240), interpolation=cv2.INTER_NEAREST)
    picture = cv2.GaussianBlur(sharp, (0, 0), 3.5)
    picture[70:170, 110:250] = sharp[70:170, 110:250]
    cv2.imwrite(str(tmp_path / "photo.jpg"), picture)
    run(installed, "render", "photo.jpg", "-o", "bokeh.jpg", cwd=tmp_path)
    assert cv2.imread(str(tmp_path / "bokeh.jpg")).shape == picture.shape
    told = "import camerapipe; print(camerapipe.__file__)"
    where = run(installed.with_name("python"), "-c", told, cwd=tmp_path)
    assert ROOT not in Path(where.strip()).parents
