"""A segmentation model that a person brings: its mask of a capture, through OpenCV's dnn.

ONNX and TFLite are read. Nothing is shipped and nothing is downloaded. The model is a suggestion:
`stages.protection` holds its mask against the measured blur.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from camerapipe.errors import CaptureError, RequestError
from camerapipe.ingest.files import one_line, opened
from camerapipe.ingest.quiet import muted
from stages.areas import reduce_to
from stages.params import Array
from stages.tone import encode

MAX_MODEL_BYTES = 512 << 20  # segmentation models have 1 to 200 MB
MAX_SIDE_PX = 2048  # of a model's input: bounds its memory
INPUT_PX = (256, 256)
SUFFIXES = (".onnx", ".tflite")
TFLITE_MAGIC = b"TFL3"  # at offset 4 of a flatbuffer
ASPECT_SLACK = 0.1  # between input and mask: sizes are rounded to strides
PROBABILITY_SLACK = 1e-3  # of values and sums that count as probabilities

Numbers = tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentationModel:
    """A model file, and how pictures are given to it.

    Parameters
    ----------
    path : Path
        ONNX or TFLite; told apart by content.
    input_px : (int, int)
        Width and height of its input.
    mean, scale : tuple of float
        One number, or one for each channel: the input is (code - mean) * scale, for codes of 0 to
        255.
    channels : {"rgb", "bgr"}
        Order of the channels.
    output_class : int or None
        Class of the subject. None: the only one, or the second of two.

    Raises
    ------
    RequestError
        If a value does not fit.
    """

    path: Path
    input_px: tuple[int, int] = INPUT_PX
    mean: Numbers = (0.0,)
    scale: Numbers = (1 / 255,)
    channels: Literal["rgb", "bgr"] = "rgb"
    output_class: int | None = None

    def __post_init__(self) -> None:
        if not (len(self.input_px) == 2 and all(1 <= n <= MAX_SIDE_PX for n in self.input_px)):
            raise RequestError(
                f"protect_model: input_px must be two sizes of 1 to {MAX_SIDE_PX} px; "
                f"got {self.input_px}"
            )
        for name, numbers in (("mean", self.mean), ("scale", self.scale)):
            if len(numbers) not in (1, 3) or not all(map(math.isfinite, numbers)):
                raise RequestError(
                    f"protect_model: {name} must be one or three numbers; got {numbers}"
                )
        if self.channels not in ("rgb", "bgr"):
            raise RequestError(f"protect_model: channels must be rgb or bgr; got {self.channels!r}")
        if self.output_class is not None and self.output_class < 0:
            raise RequestError(
                f"protect_model: output_class must be 0 or more; got {self.output_class}"
            )

    def mask_of(self, linear: Array) -> Array:
        """Mask of the subject in a picture.

        Parameters
        ----------
        linear : Array
            Linear light, HxWx3 float32.

        Returns
        -------
        Array
            HxW float32 in [0, 1].

        Raises
        ------
        CaptureError
            If the model cannot be read, does not take the input, or returns something else than
            masks.
        RequestError
            If it has several classes and none, or an absent one, was chosen.
        """
        net = _read(self.path)
        try:
            with muted():
                net.setInput(self._blob(linear))
                output = np.asarray(net.forward())
        except cv2.error as error:
            width, height = self.input_px
            raise CaptureError(
                f"{self.path}: does not take an input of {width}x{height} pixels "
                f"({_reason(error)}); give its size with --protect-input"
            ) from error
        plane = _probability(self._planes(output))
        if not np.isfinite(plane).all():
            raise CaptureError(f"{self.path}: its mask has NaN or infinite values")
        size = linear.shape[1], linear.shape[0]
        mask = cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR)
        return np.clip(np.asarray(mask, np.float32), 0, 1)

    def _blob(self, linear: Array) -> Array:
        """Input of the model, 1x3xHxW."""
        width, height = self.input_px
        rows, cols = linear.shape[:2]
        small = reduce_to(linear, (min(rows, height), min(cols, width)))
        codes = 255 * encode(np.ascontiguousarray(small))
        codes = cv2.resize(codes, (width, height), interpolation=cv2.INTER_LINEAR)
        if self.channels == "bgr":
            codes = codes[..., ::-1]
        mean, scale = (np.array(each, np.float32) for each in (self.mean, self.scale))
        values = (codes - mean) * scale
        return np.ascontiguousarray(values.transpose(2, 0, 1)[None], np.float32)

    def _planes(self, output: npt.NDArray[Any]) -> tuple[Array, int]:
        """Values of all classes, CxHxW, and the class of the subject."""
        shape = output.shape
        planes = output[0] if output.ndim > 2 and shape[0] == 1 else output
        if planes.ndim == 2:
            planes = planes[None]
        if planes.ndim != 3 or min(sorted(planes.shape)[1:]) < 2:
            raise CaptureError(
                f"{self.path}: its output has the shape {'x'.join(map(str, shape))}; "
                "a mask of 1xCxHxW is needed"
            )
        if planes.shape[2] < min(planes.shape[:2]):  # HxWxC, as TFLite has it
            planes = planes.transpose(2, 0, 1)
        (rows, cols), (width, height) = planes.shape[1:], self.input_px
        if abs(rows * width / (cols * height) - 1) > ASPECT_SLACK:
            raise CaptureError(
                f"{self.path}: does not take an input of {width}x{height} pixels (its mask has "
                f"{cols}x{rows}); give its size with --protect-input"
            )
        classes, chosen = len(planes), self.output_class
        if chosen is None and classes > 2:
            raise RequestError(
                f"{self.path}: has {classes} classes; name that of the subject with --protect-class"
            )
        if chosen is None:
            chosen = classes - 1
        if chosen >= classes:
            raise RequestError(
                f"{self.path}: has the classes 0 to {classes - 1}, and not --protect-class {chosen}"
            )
        return planes.astype(np.float32), chosen


def _read(path: Path) -> Any:
    """The network of a file, for OpenCV."""
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_MODEL_BYTES:
            raise CaptureError(
                f"{path}: has {size >> 20} MB; models of up to {MAX_MODEL_BYTES >> 20} MB are read"
            )
        data = np.frombuffer(file.read(), np.uint8)
    tflite = data[4:8].tobytes() == TFLITE_MAGIC
    read = cv2.dnn.readNetFromTFLite if tflite else cv2.dnn.readNetFromONNX
    try:
        with muted():
            net = read(data)
    except cv2.error as error:
        raise CaptureError(
            f"{path}: is no ONNX or TFLite model that OpenCV can read ({_reason(error)})"
        ) from error
    if net.empty():
        raise CaptureError(f"{path}: is no ONNX or TFLite model that OpenCV can read")
    return net


def _reason(error: cv2.error) -> str:
    """What OpenCV says, without its version and place in the source."""
    return one_line(Exception(str(error).rpartition("error: ")[2] or str(error)))


def _probability(found: tuple[Array, int]) -> Array:
    """Probability of one class, from probabilities or from logits."""
    planes, chosen = found
    low, high = float(planes.min()), float(planes.max())
    within = low >= -PROBABILITY_SLACK and high <= 1 + PROBABILITY_SLACK
    if len(planes) == 1:
        only = planes[0]
        return np.asarray(only if within else 1 / (1 + np.exp(-np.clip(only, -60, 60))))
    if within and np.abs(planes.sum(axis=0) - 1).max() < len(planes) * PROBABILITY_SLACK:
        return np.asarray(planes[chosen])
    odds = np.exp(planes - planes.max(axis=0))
    return np.asarray(odds[chosen] / odds.sum(axis=0), np.float32)


def numbers_of(name: str, values: Sequence[Any]) -> Numbers:
    """Numbers of `mean` or `scale`; `RequestError` if they are none."""
    try:
        return tuple(float(value) for value in values)
    except (TypeError, ValueError):
        raise RequestError(f"{name}: expected one or three numbers; got {values!r}") from None
