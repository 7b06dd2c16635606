# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Echo requests and their answers on the wire, by sockets with and without privileges (RFC 792, RFC 4443, icmp(7))."""

from __future__ import annotations

import os
import socket
import struct

# echo request and reply
_KINDS = {int(socket.AF_INET): (8, 0), int(socket.AF_INET6): (128, 129)}


def open_socket(family: int) -> socket.socket:
    """One for which no privileges are needed, else a raw one.

    :raises OSError: this user may have neither
    """
    protocol = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
    try:
        return socket.socket(family, socket.SOCK_DGRAM, protocol)
    except OSError:
        return socket.socket(family, socket.SOCK_RAW, protocol)


def _identity(channel: socket.socket) -> int:
    """Of a socket without privileges the kernel chooses it; else any will do, as the nonce tells."""
    return int(channel.getsockname()[1]) & 0xFFFF if channel.type == socket.SOCK_DGRAM else os.getpid() & 0xFFFF


def request(channel: socket.socket, number: int, nonce: bytes) -> bytes:
    """An echo request; the nonce of 16 bytes is how its answer is known."""
    kind = _KINDS[int(channel.family)][0]
    body = struct.pack("!HH", _identity(channel), number) + nonce + bytes(40 - len(nonce))
    total = 0
    if channel.family == socket.AF_INET:  # of ICMPv6 the kernel does it, as addresses belong to it (RFC 3542)
        words = struct.unpack(f"!{(len(body) + 4) // 2}H", struct.pack("!BBH", kind, 0, 0) + body)
        total = sum(words)
        total = (total & 0xFFFF) + (total >> 16)
        total = ~(total + (total >> 16)) & 0xFFFF
    return struct.pack("!BBH", kind, 0, total) + body


def answered(channel: socket.socket, data: bytes, nonce: bytes) -> int | None:
    """The number of the request that a packet answers; None for all else, such as the answers to others."""
    if channel.type == socket.SOCK_RAW and channel.family == socket.AF_INET and data:
        data = data[(data[0] & 15) * 4 :]  # the IP header
    if len(data) < 8 + len(nonce) or data[0] != _KINDS[int(channel.family)][1] or data[8 : 8 + len(nonce)] != nonce:
        return None
    identity, number = struct.unpack_from("!HH", data, 4)
    return number if identity == _identity(channel) else None
