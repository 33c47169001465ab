import io

import numpy as np
import pytest
from PIL import Image

import camerapipe
from camerapipe.arguments import (
    flag_of,
    focus_of,
    is_number,
    names_of,
    number_of,
    point_of,
    workers_of,
)
from camerapipe.errors import RequestError

GREY = np.full((20, 30, 3), 99, np.uint8)


def test_a_focus_is_a_point_or_a_distance():
    assert focus_of(None) == (None, None)
    assert focus_of(1.5) == (None, 1.5)
    for point in ((220, 200), [220, 200.0], np.array([220, 200])):
        assert focus_of(point) == ((220.0, 200.0), None)


@pytest.mark.parametrize("value", [(1, 2, 3), (), "12", True, (1, "2"), (1, np.nan), {1, 2, 3}])
def test_anything_else_is_no_focus(value):
    with pytest.raises(RequestError, match=r"focus: expected a point \(x, y\) in px, or a dist"):
        focus_of(value)
    with pytest.raises(RequestError, match=r"focus_point: expected a point \(x, y\) in px; got"):
        point_of("focus_point", value)


def test_numbers_flags_and_names_are_what_they_are():
    assert number_of("size", np.float32(2), above=0) == 2
    assert flag_of("force", np.bool_(True)) is True
    assert names_of("keep", ["a", "b"]) == ("a", "b")
    assert not is_number(True) and not is_number("1") and is_number(np.int8(1))
    with pytest.raises(RequestError, match="size: expected a number above 0 of MP; got 0"):
        number_of("size", 0, above=0, unit=" of MP")


@pytest.mark.parametrize("value", [1.5, "2", True, 0])
def test_workers_are_whole_and_at_least_one(value):
    assert workers_of(None) is None and workers_of(np.int64(3)) == 3
    for call in (camerapipe.render, camerapipe.check):
        with pytest.raises(RequestError, match="workers: expected"):
            call(GREY, workers=value)


@pytest.mark.parametrize("value", ["radius", 5, ["radius"]])
def test_parameters_are_a_mapping(value):
    for call in (camerapipe.render, camerapipe.check):
        with pytest.raises(RequestError, match="params: expected parameters by section"):
            call(GREY, params=value)
    with pytest.raises(RequestError, match="depth is a section"):
        camerapipe.render(GREY, params={"depth": value}, aperture=2.0)


@pytest.mark.parametrize(
    "source", [b"x", io.BytesIO(), Image.new("RGB", (9, 9)), GREY.tolist(), None, 5]
)
def test_a_source_of_another_kind_is_named(source):
    for call in (camerapipe.render, camerapipe.check, camerapipe.Session):
        with pytest.raises(RequestError, match=f"source: expected .*; got {type(source).__name__}"):
            call(source)
