"""Models that a person brings, with tiny ones that the test writes."""

import cv2
import numpy as np
import pytest

from camerapipe.errors import CaptureError, RequestError
from camerapipe.segmentation import SegmentationModel
from datasets.tiny_onnx import conv_model, fixed_model
from stages.tone import linearise

CODES = np.zeros((60, 80, 3), np.uint8)
CODES[:, :40, 0], CODES[:, 40:, 2] = 255, 255  # red, then blue
LINEAR = linearise(CODES)
RED, BLUE = np.s_[10:50, 5:35], np.s_[10:50, 45:75]


@pytest.fixture
def model(tmp_path):
    def make(weights, bias, size=(256, 256), **values):
        path = tmp_path / "m.onnx"
        path.write_bytes(conv_model(weights, bias, size))
        return SegmentationModel(path=path, **values)

    return make


def test_channels_scale_and_mean_reach_the_model(model):
    red = model([[1.0, 0.0, 0.0]], [0.0])
    mask = red.mask_of(LINEAR)
    assert mask.shape == (60, 80) and mask.dtype == np.float32
    assert mask[RED].min() > 0.99 and mask[BLUE].max() < 0.01
    swapped = model([[1.0, 0.0, 0.0]], [0.0], channels="bgr").mask_of(LINEAR)
    assert swapped[RED].max() < 0.01 and swapped[BLUE].min() > 0.99
    dark = model([[1.0, 0.0, 0.0]], [0.0], mean=(255.0, 0.0, 0.0), scale=(1 / 510,)).mask_of(LINEAR)
    assert dark[RED].min() > 0.45 and dark[RED].max() < 0.55  # 0 and -1/2, as logits


def test_classes_are_probabilities_or_logits(model):
    two = model([[0.0, 0.0, 0.0], [20.0, 0.0, 0.0]], [10.0, 0.0])
    assert two.mask_of(LINEAR)[RED].min() > 0.99 and two.mask_of(LINEAR)[BLUE].max() < 0.01
    first = model([[0.0, 0.0, 0.0], [20.0, 0.0, 0.0]], [10.0, 0.0], output_class=0)
    assert first.mask_of(LINEAR)[RED].max() < 0.01
    shares = model([[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]], [1.0, 0.0])
    assert shares.mask_of(LINEAR)[RED].min() > 0.99
    three = [[0.0, 0.0, 0.0]] * 3
    with pytest.raises(RequestError, match="has 3 classes; name that of the subject"):
        model(three, [0.0] * 3).mask_of(LINEAR)
    with pytest.raises(RequestError, match="has the classes 0 to 2, and not --protect-class 3"):
        model(three, [0.0] * 3, output_class=3).mask_of(LINEAR)


def test_the_size_of_the_input_is_that_of_the_model(model):
    made = model([[1.0, 0.0, 0.0]], [0.0], (32, 16), input_px=(32, 16))
    assert made.mask_of(LINEAR)[RED].min() > 0.99


def flat(path):
    """A model whose output is no mask: one number for each class."""
    path.write_bytes(conv_model([[1.0, 0.0, 0.0]], [0.0], (1, 1)))
    return SegmentationModel(path=path, input_px=(1, 1))


def test_models_that_cannot_be_used(tmp_path, monkeypatch, capfd):
    path = tmp_path / "m.onnx"
    good = conv_model([[1.0, 0.0, 0.0]], [0.0])
    for data in (b"no model", good[:40], b"\0\0\0\0TFL3" + bytes(40)):
        path.write_bytes(data)
        with pytest.raises(CaptureError, match=r"m\.onnx: is no ONNX or TFLite model") as caught:
            SegmentationModel(path=path).mask_of(LINEAR)
        assert "\n" not in str(caught.value)
    with pytest.raises(CaptureError, match="does not exist"):
        SegmentationModel(path=tmp_path / "none.onnx").mask_of(LINEAR)
    with pytest.raises(CaptureError, match="its output has the shape 1x1x1x1"):
        flat(path).mask_of(LINEAR)
    path.write_bytes(fixed_model((32, 16)))
    with pytest.raises(CaptureError, match="does not take an input of 64x16 pixels") as caught:
        SegmentationModel(path=path, input_px=(64, 16), output_class=0).mask_of(LINEAR)
    assert "\n" not in str(caught.value)
    path.write_bytes(good)
    monkeypatch.setattr("camerapipe.segmentation.MAX_MODEL_BYTES", len(good) - 1)
    with pytest.raises(CaptureError, match="models of up to 0 MB are read"):
        SegmentationModel(path=path).mask_of(LINEAR)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "values, said",
    [
        ({"input_px": (0, 5)}, "input_px must be two sizes of 1 to 2048"),
        ({"input_px": (5000, 5)}, "input_px must be two sizes of 1 to 2048"),
        ({"mean": (1.0, 2.0)}, "mean must be one or three numbers"),
        ({"scale": (float("nan"),)}, "scale must be one or three numbers"),
        ({"channels": "hsv"}, "channels must be rgb or bgr"),
        ({"output_class": -1}, "output_class must be 0 or more"),
    ],
)
def test_values_that_do_not_fit(tmp_path, values, said):
    with pytest.raises(RequestError, match=said):
        SegmentationModel(path=tmp_path / "m.onnx", **values)


def test_opencv_reads_what_the_test_writes():
    assert not cv2.dnn.readNetFromONNX(
        np.frombuffer(conv_model([[1.0, 0.0, 0.0]], [0.0]), np.uint8)
    ).empty()
