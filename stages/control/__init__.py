"""3A, the control of a camera: statistics, auto-exposure, autofocus and auto white balance.

Each algorithm is a step function: state and statistics of a frame in, next state out. It may be
replaced by any other of the same form. Decisions are made from integers or from values that are
rounded coarsely, so that every host decides the same. States have the names of Camera2 in lower
case.
"""

from stages.control.auto_exposure import (
    AutoExposureParams,
    AutoExposureState,
    ExposureLimits,
    split_exposure,
    step_auto_exposure,
)
from stages.control.auto_focus import (
    AutoFocusParams,
    AutoFocusState,
    start_focus,
    step_auto_focus,
)
from stages.control.statistics import Statistics, focus_window, measure_light, measure_sharpness
from stages.control.white_balance import (
    WhiteBalanceParams,
    WhiteBalanceState,
    step_white_balance,
)

__all__ = [
    "AutoExposureParams",
    "AutoExposureState",
    "AutoFocusParams",
    "AutoFocusState",
    "ExposureLimits",
    "Statistics",
    "WhiteBalanceParams",
    "WhiteBalanceState",
    "focus_window",
    "measure_light",
    "measure_sharpness",
    "split_exposure",
    "start_focus",
    "step_auto_exposure",
    "step_auto_focus",
    "step_white_balance",
]
