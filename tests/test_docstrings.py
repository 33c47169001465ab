"""Docstrings: every public function describes the shape of the arrays that it takes."""

import collections.abc
import importlib
import inspect
import pkgutil
import re
import typing

import numpy as np
import pytest

import camerapipe
import stages

SECTION = re.compile(r"^Parameters\n-+\n(.*?)(?=^\w[\w ]*\n-+$|\Z)", re.MULTILINE | re.DOTALL)
ENTRY = re.compile(r"^(\*{0,2}\w[\w, *]*?)(?: : [^\n]+)?\n((?:(?:    [^\n]*)?\n)+)", re.MULTILINE)
# A shape (HxW, n x 7, (n, 3)), words for one, or a reference to another function.
SHAPE = re.compile(
    r"\b(\d|[HhWwnNkm]|[Rr]ows) ?x ?\w+|\([HhWwnNkm\d], ?|\bany shape\b|\bflat\b|\b2-D\b"
    r"|\bshapes? (of|as|that|and)\b|\b(As (for|in|of)|Of) `"
)


def takes_array(hint):
    """Whether a hint is, or contains, an array."""
    if typing.get_origin(hint) is typing.Annotated:
        hint = hint.__origin__
    parts = typing.get_args(hint)
    return typing.get_origin(hint) is np.ndarray or any(map(takes_array, parts))


def functions():
    for found in pkgutil.walk_packages(stages.__path__, "stages."):
        module = importlib.import_module(found.name)
        for name, function in vars(module).items():
            own = inspect.isfunction(function) and function.__module__ == found.name
            if own and not name.startswith("_"):
                yield pytest.param(function, id=f"{found.name}.{name}")
    for name in dir(camerapipe):
        if inspect.isfunction(function := getattr(camerapipe, name)):
            yield pytest.param(function, id=f"camerapipe.{name}")


@pytest.mark.parametrize("function", list(functions()))
def test_arrays_are_described_with_their_shape(function):
    hints = typing.get_type_hints(function, localns=vars(collections.abc), include_extras=True)
    arrays = [name for name, hint in hints.items() if name != "return" and takes_array(hint)]
    section = SECTION.search(inspect.getdoc(function) or "")
    assert section or not arrays, "there is no section Parameters"
    entries = {
        name.strip(" *"): text
        for names, text in ENTRY.findall(section[1] + "\n" if section else "")
        for name in names.split(",")
    }
    for name in arrays:
        assert SHAPE.search(entries.get(name, "")), f"{name}: its shape is not described"


def test_a_shape_that_is_not_described_is_found():
    def forgotten(picture: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> None:
        """Do nothing.

        Parameters
        ----------
        picture : array
            A picture.
        """

    with pytest.raises(AssertionError, match="picture: its shape is not described"):
        test_arrays_are_described_with_their_shape(forgotten)
