"""Guided upsampling of a blur map to full resolution, along the edges of the picture.

`stage.py` selects the method: `fast.py` (the default), `masked.py` (Kriener et al. 2013, section
2.3, as printed), `bilateral.py` (Kopf et al. 2007), `optimization.py` (Park et al. 2011), or
bilinear interpolation.
"""

from stages.upsample.stage import (
    UpsampleParams,
    bilinear_upsample,
    guided_upsample,
    upsample_to_light,
)

__all__ = ["UpsampleParams", "bilinear_upsample", "guided_upsample", "upsample_to_light"]
