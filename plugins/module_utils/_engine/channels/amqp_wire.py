# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of AMQP 0-9-1 a publisher needs: frames, methods and their arguments (https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf)."""

from __future__ import annotations

import struct
import typing as t

HEADER = b"AMQP\x00\x00\x09\x01"
METHOD, CONTENT, BODY, HEARTBEAT = 1, 2, 3, 8
_END = b"\xce"
LEAST_FRAME = 4096

START, START_OK, TUNE, TUNE_OK = (10, 10), (10, 11), (10, 30), (10, 31)
OPEN, OPEN_OK, CLOSE, CLOSE_OK = (10, 40), (10, 41), (10, 50), (10, 51)
CHANNEL_OPEN, CHANNEL_OPEN_OK, CHANNEL_CLOSE, CHANNEL_CLOSE_OK = (20, 10), (20, 11), (20, 40), (20, 41)
PUBLISH, RETURN, ACK, NACK = (60, 40), (60, 50), (60, 80), (60, 120)
SELECT, SELECT_OK = (85, 10), (85, 11)


class Frame(t.NamedTuple):
    """``method`` is (0, 0) where it is none."""

    kind: int
    channel: int
    method: t.Tuple[int, int]
    arguments: bytes


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + _END


def method(channel: int, name: t.Tuple[int, int], arguments: bytes = b"") -> bytes:
    return frame(METHOD, channel, struct.pack(">HH", *name) + arguments)


def head(data: bytes) -> t.Tuple[int, int, int]:
    """(kind, channel, size of the payload) of the first seven bytes of a frame."""
    kind, channel, size = struct.unpack(">BHI", data)
    return kind, channel, size


def parse(kind: int, channel: int, payload: bytes) -> Frame | None:
    """The frame of a payload with its last byte; None where it is no frame."""
    if payload[-1:] != _END:
        return None
    if kind != METHOD or len(payload) < 5:
        return Frame(kind, channel, (0, 0), payload[:-1])
    first, second = struct.unpack(">HH", payload[:4])
    return Frame(kind, channel, (first, second), payload[4:-1])


def short(text: str) -> bytes:
    """A short string: at most 255 bytes."""
    data = text.encode("utf-8", "replace")[:255].decode("utf-8", "ignore").encode()
    return bytes([len(data)]) + data


def long(data: bytes) -> bytes:
    """A long string."""
    return struct.pack(">I", len(data)) + data


def table(values: t.Mapping[str, t.Any]) -> bytes:
    """A field table of texts, truths and tables."""
    data = b""
    for name, value in values.items():
        if isinstance(value, bool):
            data += short(name) + b"t" + bytes([value])
        elif isinstance(value, t.Mapping):
            data += short(name) + b"F" + table(value)
        else:
            data += short(name) + b"S" + long(str(value).encode())
    return long(data)


def publish(channel: int, exchange: str, key: str, properties: t.Mapping[str, t.Any], body: bytes, most: int) -> bytes:
    """A message that must be routed to a queue, kept on disk there; cut into frames of at most ``most`` bytes.

    :arg properties: content_type, message_id, timestamp (seconds), type, app_id
    """
    data = method(channel, PUBLISH, struct.pack(">H", 0) + short(exchange) + short(key) + b"\x01")
    # content_type, content_encoding, delivery_mode 2, message_id, timestamp, type, app_id
    flags = 1 << 15 | 1 << 14 | 1 << 12 | 1 << 7 | 1 << 6 | 1 << 5 | 1 << 3
    values = short(properties["content_type"]) + short("utf-8") + b"\x02" + short(properties["message_id"])
    values += struct.pack(">Q", int(properties["timestamp"])) + short(properties["type"]) + short(properties["app_id"])
    data += frame(CONTENT, channel, struct.pack(">HHQH", 60, 0, len(body), flags) + values)
    size = max(most, LEAST_FRAME) - 8
    for start in range(0, len(body), size):
        data += frame(BODY, channel, body[start : start + size])
    return data


def reason(arguments: bytes) -> t.Tuple[int, str]:
    """(code, text) of a close or a return."""
    return struct.unpack(">H", arguments[:2])[0], arguments[3 : 3 + arguments[2]].decode("utf-8", "replace")


def acknowledged(arguments: bytes) -> t.Tuple[int, bool]:
    """(number of the message, and all before it) of an ack or nack."""
    return struct.unpack(">Q", arguments[:8])[0], bool(arguments[8] & 1)
