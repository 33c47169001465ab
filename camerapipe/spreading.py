"""The solver by itself: any sparse quantity, spread along the colours of a guide."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.arrays import reduce_by
from stages.grid import BlurMap, Grid, lift
from stages.laplacian import LaplacianParams, matting_laplacian
from stages.params import Array, Params
from stages.propagate import PropagateParams, propagate
from stages.upsample import UpsampleParams, guided_upsample

SPAN = 10.0  # range of the data in the solver, whose tolerance is meant for blur in px
MAX_VALUE = 1e38  # results are float32
INTEGERS = (np.uint8, np.uint16)


def solve(
    guide: npt.NDArray[Any],
    values: npt.NDArray[Any],
    confidence: npt.NDArray[Any] | None = None,
    *,
    data_weight: float | None = None,
    iterations: int | None = None,
    tolerance: float | None = None,
    window_radius: int | None = None,
    epsilon: float | None = None,
    step: int = 1,
) -> Array:
    """Spread sparse values to every pixel with the matting Laplacian.

    The result minimises alpha^T L alpha + lambda (alpha - beta)^T D (alpha - beta): smooth where
    the guide is locally a linear function of colour, and close to the values where there are some.

    Parameters
    ----------
    guide : array
        HxW or HxWx3, uint8, uint16 or floating point in [0, 1]; display-encoded for photographs.
    values : array
        beta, HxW, any real dtype: depth, blur, strokes. Of any sign and unit; NaN: no data.
    confidence : array, optional
        D, HxW, >= 0; 0: no data. Without it every finite value has 1.
    data_weight, iterations : optional
        lambda, and the largest number of steps; the defaults are those of `PropagateParams`.
    tolerance : float, optional
        Stop when a step changes no pixel by more, in the unit of `values`; 0: make all iterations.
        The default is 0.002 of the range of the data. On cells of more than 2 pixels (`step`) it
        is larger, in proportion.
    window_radius, epsilon : optional
        Windows of the Laplacian, px, and their regularisation; defaults of `LaplacianParams`.
    step : int
        1: solve at every pixel. Larger: on cells of step x step pixels, followed by guided
        upsampling, which is faster.

    Returns
    -------
    Array
        HxW float32, in the unit of `values`.

    Raises
    ------
    ValueError
        If an argument has the wrong shape, dtype or range, or if there is no data at all.

    References
    ----------
    A. Levin, D. Lischinski, Y. Weiss, A closed-form solution to natural image matting, PAMI 30,
    2008; F. Kriener, T. Binder, M. Wille, Accelerating defocus blur magnification, 2013, eq. (4).

    Examples
    --------
    >>> import numpy as np
    >>> import camerapipe
    >>> guide = np.zeros((40, 60)); guide[:, 30:] = 1.0
    >>> values = np.full((40, 60), np.nan); values[20, 5], values[20, 50] = 2.0, -3.0
    >>> dense = camerapipe.solve(guide, values, data_weight=100)
    >>> bool(abs(dense[5, 5] - 2) < 0.1), bool(abs(dense[35, 55] + 3) < 0.1)
    (True, True)
    """
    colours = _guide_of(guide)
    data, weight = _data_of(values, confidence, colours.shape[:2])
    if isinstance(step, bool) or not isinstance(step, int | np.integer) or step < 1:
        raise ValueError(f"solve: step must be an int >= 1; got {step!r}")
    step = int(step)
    known = data[weight > 0]
    if np.abs(known).max() > MAX_VALUE:
        raise ValueError(f"solve: values must lie within +-{MAX_VALUE:g}, the range of the result")
    lowest, span = float(known.min()), float(np.ptp(known)) or 1.0
    scaled = np.where(weight > 0, (data - lowest) / span * SPAN + SPAN, 0).astype(np.float32)
    full = Grid(colours.shape[:2])
    low = Grid.cells(full.shape, step)
    constraints = lift(BlurMap(scaled, weight, full), low)
    laplacian = matting_laplacian(
        reduce_by(colours, step), _changed(LaplacianParams(), window_radius=window_radius,
                                           epsilon=epsilon),
    )  # fmt: skip
    params = _changed(
        PropagateParams(),
        data_weight=data_weight,
        iterations=iterations,
        tolerance_px=_tolerance_px(tolerance, span),
    )
    *_, last = propagate(laplacian, constraints, None, params)
    dense = last.value if step == 1 else guided_upsample(last.value, colours, UpsampleParams())
    return np.asarray((dense.sigma - SPAN) / SPAN * span + lowest, np.float32)


def _tolerance_px(tolerance: float | None, span: float) -> float | None:
    """The tolerance of the solver for data of this span; at most the whole range of the data."""
    if tolerance is None:
        return None
    if not (isinstance(tolerance, int | float) and 0 <= tolerance < math.inf):
        raise ValueError(f"solve: tolerance must be a number >= 0; got {tolerance!r}")
    return min(tolerance / span, 1.0) * SPAN


def _changed(params: Any, **changes: float | None) -> Any:
    """Parameters with the changes that are not None."""
    assert isinstance(params, Params)
    return params.replace(**{name: value for name, value in changes.items() if value is not None})


def _guide_of(guide: npt.NDArray[Any]) -> Array:
    """The guide as HxWx3 float32 in [0, 1]."""
    guide = np.asarray(guide)
    shaped = guide.ndim == 2 or (guide.ndim == 3 and guide.shape[2] == 3)
    if not shaped or guide.size == 0 or not (guide.dtype in INTEGERS or guide.dtype.kind == "f"):
        raise ValueError(
            "solve: guide must be HxW or HxWx3, uint8, uint16 or floating point; "
            f"got {guide.shape} {guide.dtype}"
        )
    top = np.iinfo(guide.dtype).max if guide.dtype in INTEGERS else 1
    colours = (guide / top).astype(np.float32)
    if not np.isfinite(colours).all() or colours.min() < 0 or colours.max() > 1:
        raise ValueError(
            "solve: guide must be finite and lie in [0, 1]; "
            f"got {float(np.nanmin(guide)):g} to {float(np.nanmax(guide)):g}"
        )
    return np.ascontiguousarray(np.dstack([colours] * 3) if colours.ndim == 2 else colours)


def _data_of(
    values: npt.NDArray[Any], confidence: npt.NDArray[Any] | None, shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.float64], Array]:
    """Data as float64, 0 where there is none, and confidence as float32."""
    planes = {"values": np.asarray(values)}
    if confidence is not None:
        planes["confidence"] = np.asarray(confidence)
    for name, plane in planes.items():
        if plane.shape != shape or plane.dtype.kind not in "fiub":
            raise ValueError(
                f"solve: {name} must be {shape}, as the guide is, of real numbers; "
                f"got {plane.shape} {plane.dtype}"
            )
    data = planes["values"].astype(np.float64)
    weight = np.isfinite(data).astype(np.float32)
    if confidence is not None:
        given = planes["confidence"].astype(np.float32)
        if not np.isfinite(given).all() or given.min() < 0:
            raise ValueError("solve: confidence must be finite and >= 0")
        if not np.isfinite(data[given > 0]).all():
            raise ValueError("solve: values must be finite where confidence is above 0")
        weight = given
    if not weight.any():
        raise ValueError("solve: there is no data: no value is finite and has a confidence")
    return np.where(weight > 0, data, 0.0), weight
