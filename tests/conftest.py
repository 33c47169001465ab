"""Shared fixtures: real data where it is present, the `slow` switch, kernels compiled first."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from camerapipe import runtime
from stages import strips

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MANY_TESTS = 200  # from here on, compiling all kernels first takes less time than in the tests
NO_BROWSER = "no browser: install Chromium (Debian: apt-get install chromium) and .[test]"
REQUIRE_BROWSER = "CAMERAPIPE_REQUIRE_BROWSER"  # if it is set, an absent browser is a failure
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NO_SHARED_DATA = f"no folder of real captures at {SHARED_DATA}"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-slow", action="store_true", help="run the tests marked slow as well")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile the kernels before processes of pytest-xdist start, which share their cache."""
    if getattr(session.config.option, "numprocesses", None):  # None in these processes themselves
        runtime.warm_up()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Compile the kernels on all cores before many tests, which would compile one by one."""
    if len(session.items) >= MANY_TESTS and not hasattr(session.config, "workerinput"):
        runtime.warm_up()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--run-slow"):
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="slow; give --run-slow"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line how many tests were skipped for want of real data, or of a browser."""
    skipped = terminalreporter.getreports("skipped")
    for reason in (NO_SHARED_DATA, NO_BROWSER):
        count = sum(reason in str(report.longrepr) for report in skipped)
        if count:
            terminalreporter.write_line(f"{count} tests were skipped: {reason}")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real captures; tests that use it skip where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(NO_SHARED_DATA)
    return SHARED_DATA


@pytest.fixture(scope="session")
def browser_path() -> str:
    """The system's browser; tests that use it skip where it is absent."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None or find_spec("playwright") is None:
        if os.environ.get(REQUIRE_BROWSER):
            pytest.fail(f"{NO_BROWSER}; {REQUIRE_BROWSER} is set")
        pytest.skip(NO_BROWSER)
    return found


@pytest.fixture
def set_workers() -> Iterator[Callable[[int], None]]:
    """Change the number of worker threads for one test."""
    before = strips.workers()
    yield strips.set_workers
    strips.set_workers(before)


@pytest.fixture(scope="session")
def small_photograph() -> npt.NDArray[np.uint8]:
    """A sharp subject before a blurred background, 240x320x3."""
    rng, shape = np.random.default_rng(3), (240, 320)

    def texture(cell: int) -> npt.NDArray[np.float32]:
        small = rng.random((shape[0] // cell, shape[1] // cell, 3), np.float32)
        return cv2.resize(small, shape[::-1], interpolation=cv2.INTER_NEAREST)

    subject = np.zeros((*shape, 1), np.float32)
    subject[60:200, 100:220] = 1
    blurred = cv2.GaussianBlur(texture(20), (0, 0), 3.5)
    return (255 * (0.1 + 0.8 * (subject * texture(10) + (1 - subject) * blurred))).astype(np.uint8)


@pytest.fixture(scope="session")
def photographs(
    tmp_path_factory: pytest.TempPathFactory, small_photograph: npt.NDArray[np.uint8]
) -> Path:
    """A folder with that photograph, one that is too dark, and a file that is none."""
    folder = tmp_path_factory.mktemp("photographs")
    Image.fromarray(small_photograph).save(folder / "one.png")
    Image.fromarray(np.full_like(small_photograph, 9)).save(folder / "two.png")
    (folder / "zero.jpg").write_bytes(b"\xff\xd8\xff\xe0 this is not a picture")
    return folder
