# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads with what an SSH server introduces itself (RFC 4253, section 4.2)."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context, Option, ProbeFailure, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._common import failure, milliseconds
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import Deadline, NetError
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._net import Stream, dial
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._talks import Talker

_MOST_LINES = 50
# Without it servers log that nobody introduced himself.
_GREETING = b"SSH-2.0-vigil\r\n"

SPEC = ProbeSpec(
    "ssh",
    {
        "host": Option("str", default="127.0.0.1", help="name or address"),
        "port": Option("port", default=22, help="port number"),
        "timeout": Option("duration", default=5.0, help="for everything together"),
    },
    {
        "connected": "whether the connection was made",
        "banner": "the whole line, such as SSH-2.0-OpenSSH_9.2p1 Debian-2",
        "protocol": "the version it speaks, such as 2.0",
        "software": "such as OpenSSH_9.2p1",
        "comment": "what stands behind the software, such as Debian-2; null where there is nothing",
    },
    {"protocol": "in [2.0, 1.99]"},
    help="Does not log in, and exchanges no keys.",
)


@Talker
async def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises ProbeFailure: dns, refused, unreachable or timeout with ``connected: false``; protocol, reset or timeout after that
    """
    begin, where = time.monotonic(), f"{options['host']}:{options['port']}"
    try:
        stream = await dial(options["host"], options["port"], Deadline(options["timeout"]))
    except NetError as exc:
        raise failure(exc, {"connected": False}, where if exc.reason == "timeout" else "") from exc
    try:
        banner = await _banner(stream)
    except NetError as exc:
        raise failure(exc, {"connected": True}, where) from exc
    finally:
        stream.close()
    latency = milliseconds(begin)
    parts = banner.split("-", 2)
    if len(parts) < 3 or not parts[1] or not parts[2]:
        raise ProbeFailure("protocol", f"{where} introduces itself against the rules", {"connected": True, "banner": banner})
    software, _blank, comment = parts[2].partition(" ")
    return {
        "connected": True,
        "banner": banner,
        "protocol": parts[1],
        "software": software,
        "comment": comment or None,
        "latency_ms": latency,
    }


async def _banner(stream: Stream) -> str:
    """The line of the version; others may come before it.

    :raises NetError: reset, timeout, or protocol where it is no SSH server
    """
    for _number in range(_MOST_LINES):
        line = await stream.line("dialogue", 1024)
        if line.startswith(b"SSH-"):
            await stream.send(_GREETING, "dialogue")
            return "".join(char if char.isprintable() else "?" for char in line.decode("utf-8", "replace"))
    raise NetError("protocol", "this is no SSH server", "dialogue")
