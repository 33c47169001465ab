"""The forward model of a simulated camera: scenery with metric depth, lens and sensor, to RAW.

`scenery` is what stands before the camera (`made`: from nothing, `rgbd`: from pictures with
disparity), and `motion` how things change in time. `lens` focuses, `sensor_light` makes the light
on the sensor, `sensor` has the noise model, and `raw` exposes a frame. All are functions of their
arguments: time, motion and seeds are given. `exact`, which is imported by itself, makes the light
slowly, and says what is true of it.

Distances are in m from the camera, focus is in dioptres (1/m), time in s.

Not simulated: aberrations that vary over the picture, vignetting, flare, polarisation; differences
between pixels (fixed-pattern noise, defects), dark current, crosstalk; light that flickers within
a frame; rotation about the optical axis.
"""

from stages.actuator import Actuator, FocusMotion
from stages.forward.lens import Optics
from stages.forward.made import SCENERIES, make_scenery
from stages.forward.motion import Pose, Tremor, still
from stages.forward.raw import Exposure, RawFrame, capture_raw
from stages.forward.rgbd import Stereo, rgbd_scenery
from stages.forward.scenery import Scenery, Surface
from stages.forward.sensor import Sensor
from stages.forward.sensor_light import photograph

__all__ = [
    "SCENERIES",
    "Actuator",
    "Exposure",
    "FocusMotion",
    "Optics",
    "Pose",
    "RawFrame",
    "Scenery",
    "Sensor",
    "Stereo",
    "Surface",
    "Tremor",
    "capture_raw",
    "make_scenery",
    "photograph",
    "rgbd_scenery",
    "still",
]
