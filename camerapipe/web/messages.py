"""Messages between a page and the server: a header (JSON) and bytes, such as pixels.

A binary message is the length of its header (4 bytes, little-endian), the header, and the bytes.
The header is padded by spaces, so that the bytes start at a multiple of 8 and a browser can read
them as numbers of any size without a copy. A message without bytes may also be a text.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ALIGNMENT = 8  # bytes
LENGTH = struct.Struct("<I")


class MessageError(ValueError):
    """A message that is not of this form."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a page. `op` says what it asks for; the answer has the same `id`."""

    op: str
    id: int | None
    fields: Mapping[str, Any]
    data: bytes = b""


def pack(header: Mapping[str, Any], data: bytes | memoryview = b"") -> bytes:
    """Binary message of a header and bytes."""
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-(LENGTH.size + len(text)) % ALIGNMENT)
    return b"".join((LENGTH.pack(len(text)), text, data))


def unpack(message: bytes | str) -> Message:
    """Message of a page.

    Raises
    ------
    MessageError
        If the form is another, or `op` is missing.
    """
    text: bytes | str = message
    data = b""
    if isinstance(message, bytes):
        if len(message) < LENGTH.size:
            raise MessageError("message: is shorter than its head")
        (length,) = LENGTH.unpack_from(message)
        if LENGTH.size + length > len(message):
            raise MessageError("message: the header is longer than the message")
        text = message[LENGTH.size : LENGTH.size + length]
        data = message[LENGTH.size + length :]
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MessageError(f"message: the header is not JSON: {error}") from None
    if not isinstance(fields, dict) or not isinstance(fields.get("op"), str):
        raise MessageError("message: expected an object with a text `op`")
    number = fields.pop("id", None)
    if number is not None and type(number) is not int:
        raise MessageError(f"message: id: expected an integer; got {number!r}")
    return Message(fields.pop("op"), number, fields, data)
