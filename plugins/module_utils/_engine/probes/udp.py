# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends a packet by UDP and waits for an answer; a refusal is told apart from silence."""

from __future__ import annotations

import re
import socket
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context, Option, ProbeFailure, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._common import failure, milliseconds
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import Deadline, NetError, explain
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._looks import start_guard
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._net import look_up
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._search import is_found
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._talks import Talker, ready

_LONGEST = 1024
_LARGEST = 65507  # what fits into one packet (RFC 768)
_AGAIN = 1.0  # seconds of silence after which the packet is sent once more: one may be lost


def _complete(options: dict[str, t.Any]) -> None:
    if options["send"] is not None and options["send_hex"] is not None:
        raise ValueError("udp takes send or send_hex, not both")
    if options["send_hex"] is not None and not re.fullmatch(r"(?:\s*[0-9A-Fa-f]{2})+\s*", options["send_hex"]):
        raise ValueError(f"udp.send_hex: {options['send_hex']!r} is not a row of bytes; write them as pairs of digits, such as 1b00ff")
    if len(_packet(options)) > _LARGEST:
        raise ValueError(f"udp.send: more than {_LARGEST} bytes do not fit into a packet")


SPEC = ProbeSpec(
    "udp",
    {
        "host": Option("str", default="127.0.0.1", help="name or address; of a name its first address"),
        "port": Option("port", required=True, help="port number"),
        "send": Option("str", help="text that is sent"),
        "send_hex": Option("str", help="bytes that are sent, as hexadecimal digits"),
        "expect": Option("regex", help="regular expression that must be found in the first KiB of the answer"),
        "timeout": Option("duration", default=5.0, help="for everything together"),
    },
    {
        "answered": "whether an answer came",
        "refused": "whether the host said that nothing listens there",
        "answer": "the first KiB of the answer; bytes that are not UTF-8 are replaced",
        "answer_hex": "the same as hexadecimal digits",
        "answer_bytes": "length of the answer",
    },
    {"answered": True},
    one_of=(("send", "send_hex"),),
    help="A service that never answers is checked with expect: {refused: false}; a host that is down looks the same to that.",
    complete=_complete,
)


def _packet(options: dict[str, t.Any]) -> bytes:
    if options["send_hex"] is not None:
        return bytes.fromhex("".join(options["send_hex"].split()))
    return (options["send"] or "").encode("utf-8", "surrogateescape")


def gather(all_options: list[dict[str, t.Any]], ctx: Context) -> None:
    """Fork before threads are started."""
    if any(options["expect"] is not None for options in all_options):
        start_guard()


@Talker
async def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises ProbeFailure: dns, unreachable, refused or timeout with ``answered: false``; mismatch
    """
    deadline, where = Deadline(options["timeout"]), f"{options['host']}:{options['port']}"
    begin = time.monotonic()
    try:
        data = await _exchange(options, deadline)
    except NetError as exc:
        sentence = {
            "refused": f"{where} refused the packet: nothing listens on this port",
            "timeout": f"{where} neither answered nor refused within {options['timeout']:g} s",
        }.get(exc.reason, exc.sentence)
        # whether it refuses is not known of what could not be sent
        refused = {"refused": True, "timeout": False}.get(exc.reason)
        nothing: dict[str, t.Any] = {"answered": False, "refused": refused, "answer": None, "answer_hex": None, "answer_bytes": None}
        raise failure(NetError(exc.reason, sentence), nothing) from exc
    latency = milliseconds(begin)
    text = data[:_LONGEST].decode("utf-8", "replace")
    seen: dict[str, t.Any] = {
        "answered": True,
        "refused": False,
        "answer": text,
        "answer_hex": data[:_LONGEST].hex(),
        "answer_bytes": len(data),
    }
    if options["expect"] is not None and not await is_found(options["expect"], text, max(0.5, deadline.end - time.monotonic())):
        del seen["answered"], seen["refused"]  # an answer of another kind does not pass as one
        raise ProbeFailure("mismatch", f"{where} answered, but not as expected", seen)
    return dict(seen, latency_ms=latency)


async def _exchange(options: dict[str, t.Any], deadline: Deadline) -> bytes:
    """The first packet that comes back.

    :raises NetError: dns, refused, unreachable or timeout
    """
    family, address = (await look_up(options["host"], options["port"], deadline))[0]
    packet = _packet(options)
    with socket.socket(family, socket.SOCK_DGRAM) as channel:
        try:
            channel.connect(address)
            channel.setblocking(False)
            while True:
                channel.send(packet)
                again = time.monotonic() + min(_AGAIN, deadline.left("first_byte"))
                if await ready(channel, False, again):
                    return channel.recv(65536)
        except OSError as exc:
            raise explain(exc, "connect", deadline, f"{options['host']}:{options['port']}") from exc
