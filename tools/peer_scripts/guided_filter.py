"""Least seconds of three colour guided filters of OpenCV's contrib build; prints JSON.

Run by the environment of the peers: `guided_filter.py ARRAYS.npz` with the array `guide`, HxWx3.
"""

import json
import sys
import time

import cv2
import numpy as np

RADIUS, EPSILON, REPEATS = 10, 1e-2, 3

guide = np.load(sys.argv[1])["guide"]
plane = np.ascontiguousarray(guide[..., 1])
times = []
for _ in range(REPEATS):
    started = time.perf_counter()
    cv2.ximgproc.guidedFilter(guide, plane, RADIUS, EPSILON)
    times.append(time.perf_counter() - started)
print(json.dumps({"seconds": min(times), "version": cv2.__version__}))
