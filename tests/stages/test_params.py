from dataclasses import FrozenInstanceError, dataclass, fields

import numpy as np
import pytest

from camerapipe.presets import SECTIONS
from stages.params import Params, expectation, param


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoWordsParams(Params):
    size: int = param(3, 1, 9, unit="px", help="size")
    share: float = param(0.5, 0.0, 1.0, help="share")
    mode: str = param("a", choices=("a", "b"), help="mode")
    on: bool = param(True, help="on")


def test_the_stage_is_named_after_the_class():
    assert TwoWordsParams.stage() == "two_words"


@pytest.mark.parametrize(
    "change, message",
    [
        ({"size": 0}, r"two_words\.size: expected int in 1\.\.9 px; got 0"),
        ({"size": 2.0}, r"expected int in 1\.\.9 px; got 2\.0"),
        ({"size": True}, "got True"),
        ({"share": float("nan")}, "got nan"),
        ({"mode": "c"}, "expected one of a, b; got 'c'"),
        ({"on": 1}, "expected bool; got 1"),
    ],
)
def test_wrong_values_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        TwoWordsParams(**change)


def test_an_int_is_welcome_as_a_float_and_parameters_do_not_change():
    params = TwoWordsParams(share=1)
    assert type(params.share) is float
    numpy_made = TwoWordsParams(share=np.float64(0.25), size=np.int64(4))
    assert numpy_made == TwoWordsParams(share=0.25, size=4)
    assert type(numpy_made.size) is int
    assert params.replace(size=4).size == 4
    with pytest.raises(FrozenInstanceError):
        params.size = 5


@pytest.mark.parametrize("kind", SECTIONS.values(), ids=list(SECTIONS))
def test_every_parameter_of_the_camera_is_declared_in_full(kind):
    for spec in fields(kind()):
        assert spec.metadata["help"], spec.name
        assert expectation(spec)
        number = type(spec.default) in (int, float)
        assert not number or spec.metadata["low"] is not None, f"{spec.name} has no range"
