"""Foreground: which blurred pixels lie in front of the focus.

Blur alone does not tell near from far. Without a mask everything blurred counts as further away
than the focus, which is right for most photographs with a subject. A mask marks what is nearer.
"""

from __future__ import annotations

import numpy as np

from stages.bokeh.checks import check_radius
from stages.params import Array

NEARER = 0.5  # value of a mask from which on a pixel is in front


def mark_foreground(radius: Array, foreground: Array | None) -> Array:
    """Give pixels in front of the focus a negative radius, as `render_bokeh` reads it.

    Parameters
    ----------
    radius : Array
        Disk radius in px, HxW float32, >= 0.
    foreground : Array or None
        Mask, HxW float32 in [0, 1]: 1 where a pixel is nearer than the focus. None: nowhere.

    Returns
    -------
    Array
        Signed radius, HxW float32.

    Raises
    ------
    ValueError
        If `radius` is not a map of radii, or the mask has another size or type.
    """
    check_radius("foreground", radius)
    if foreground is None:
        return radius
    if foreground.shape != radius.shape or foreground.dtype != np.float32:
        raise ValueError(
            f"foreground: mask must be {radius.shape} float32; "
            f"got {foreground.shape} {foreground.dtype}"
        )
    return np.where(foreground > NEARER, -radius, radius)
