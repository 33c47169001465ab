"""Tiny ONNX models, written byte by byte, such as a 1x1 convolution of three channels.

Field numbers are those of onnx.proto3; the encoding is that of protocol buffers.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

FLOAT = 1  # TensorProto.DataType


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _tensor(name: str, dims: Sequence[int], values: Sequence[float]) -> bytes:
    shape = b"".join(_number(1, n) for n in dims)
    data = struct.pack(f"<{len(values)}f", *values)
    return shape + _number(2, FLOAT) + _bytes(8, name) + _bytes(9, data)


def _value(name: str, dims: Sequence[int]) -> bytes:
    shape = b"".join(_bytes(1, _number(1, n)) for n in dims)
    tensor = _number(1, FLOAT) + _bytes(2, shape)
    return _bytes(1, name) + _bytes(2, _bytes(1, tensor))


def conv_model(
    weights: Sequence[Sequence[float]], bias: Sequence[float], size: tuple[int, int] = (256, 256)
) -> bytes:
    """Bytes of a model: output class k at a pixel is weights[k] . channels + bias[k].

    Parameters
    ----------
    weights : sequence of 3 numbers for each class
        Weights of the input channels.
    bias : sequence of float
        One number for each class.
    size : (int, int)
        Width and height of the input.
    """
    flat = [weight for row in weights for weight in row]
    tensors = _tensor("w", (len(weights), 3, 1, 1), flat), _tensor("b", (len(bias),), bias)
    return _model("Conv", ("x", "w", "b"), tensors, len(weights), size)


def fixed_model(size: tuple[int, int]) -> bytes:
    """Bytes of a model that takes inputs of one size only: it adds 1 to the three channels."""
    width, height = size
    ones = _tensor("w", (1, 3, height, width), [1.0] * (3 * width * height))
    return _model("Add", ("x", "w"), (ones,), 3, size)


def _model(
    operator: str,
    inputs: Sequence[str],
    tensors: Sequence[bytes],
    classes: int,
    size: tuple[int, int],
) -> bytes:
    width, height = size
    node = b"".join(_bytes(1, each) for each in inputs) + _bytes(2, "y") + _bytes(4, operator)
    graph = (
        _bytes(1, node)
        + _bytes(2, "tiny")
        + b"".join(_bytes(5, tensor) for tensor in tensors)
        + _bytes(11, _value("x", (1, 3, height, width)))
        + _bytes(12, _value("y", (1, classes, height, width)))
    )
    return _number(1, 8) + _bytes(8, _number(2, 13)) + _bytes(7, graph)
