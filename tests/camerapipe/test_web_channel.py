"""Messages, and connections on which the newest picture wins."""

import json

import pytest

pytest.importorskip("starlette", reason='the extra "web" is not installed')
pytest.importorskip("httpx2", reason='the extra "test" is not installed')

from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from camerapipe.web.channel import IN_FLIGHT, Channel
from camerapipe.web.messages import ALIGNMENT, MessageError, pack, unpack


@given(st.text(max_size=20), st.binary(max_size=20))
def test_a_message_comes_back(text, data):
    packed = pack({"op": "say", "id": 7, "text": text}, data)
    message = unpack(packed)
    assert (message.op, message.id, message.fields, message.data) == (
        "say", 7, {"text": text}, data,
    )  # fmt: skip
    assert (len(packed) - len(data)) % ALIGNMENT == 0


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x01", b"\xff\xff\xff\xff{}", "", "[]", "{}", '{"op": 1}', '{"op": "x", "id": "1"}',
     '{"op": "x", "id": true}', "[" * 100_000, pack({"id": 1})],
)  # fmt: skip
def test_other_messages_are_refused(raw):
    with pytest.raises(MessageError):
        unpack(raw)


def connected(handle):
    """A client of a channel whose messages `handle(channel, message)` gets."""

    async def endpoint(socket):
        channel = Channel(socket)

        async def handling(message):
            handle(channel, message)

        await channel.run(handling)

    return TestClient(Starlette(routes=[WebSocketRoute("/", endpoint)])).websocket_connect("/")


def headers_of(socket, count):
    found = (unpack(socket.receive_bytes()) for _ in range(count))
    return [(message.op, message.fields.get("number")) for message in found]


def test_answers_are_in_order_and_none_is_lost():
    def handle(channel, message):
        for number in range(50):
            channel.send({"op": "answer", "number": number})

    with connected(handle) as socket:
        socket.send_text('{"op": "go"}')
        assert headers_of(socket, 50) == [("answer", number) for number in range(50)]


def test_the_newest_of_a_slot_wins_and_all_are_accounted():
    lost = []

    def handle(channel, message):
        if message.op == "go":
            for number in range(message.fields["count"]):
                channel.show(
                    "picture", {"op": "picture", "number": number},
                    superseded=lambda number=number: lost.append(number),
                )  # fmt: skip
        channel.send({"op": "counted", "number": channel.superseded})

    with connected(handle) as socket:
        shown = []
        for _ in range(IN_FLIGHT):  # fills what may be with the browser
            socket.send_text(json.dumps({"op": "go", "count": 1}))
            shown += headers_of(socket, 2)
        socket.send_text(json.dumps({"op": "go", "count": 5}))
        assert headers_of(socket, 1) == [("counted", 4)]  # no picture may leave
        assert lost == [0, 1, 2, 3]
        socket.send_text(json.dumps({"op": "shown", "slot": "picture"}))
        assert headers_of(socket, 1) == [("picture", 4)]
        assert [each for each in shown if each[0] == "picture"] == [("picture", 0)] * IN_FLIGHT


def test_a_wrong_message_ends_the_connection_with_a_reason():
    with connected(lambda channel, message: None) as socket:
        socket.send_bytes(b"\xff\xff\xff\xff")
        with pytest.raises(WebSocketDisconnect) as ended:
            socket.receive_bytes()
        assert ended.value.code == 1008 and "header" in ended.value.reason
