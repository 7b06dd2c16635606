# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opens a TCP connection, and may say something and wait for an answer."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import read_value
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context, Option, ProbeFailure, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._common import failure, milliseconds
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import Deadline, NetError
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._looks import start_guard
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._net import Stream, dial
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._search import first_found, is_found
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._talks import Talker

_LONGEST_BANNER, _LONGEST_ANSWER = 1024, 16384
_STEPS = {"send": "str", "expect": "regex"}
_QUIET = 0.5  # seconds of silence after which a banner without a line end is taken as whole


def _complete(options: dict[str, t.Any]) -> None:
    if options["dialogue"] is None:
        return
    if options["send"] is not None or options["expect"] is not None:
        raise ValueError("tcp takes dialogue, or send and expect, not both")
    for number, step in enumerate(options["dialogue"], 1):
        if len(step) != 1 or not set(step) <= set(_STEPS):
            raise ValueError(f"tcp.dialogue: step {number} must have one of the keys send and expect, such as {{expect: ^220}}")
        ((key, value),) = step.items()
        try:
            step[key] = read_value(_STEPS[key], value)
        except ValueError as exc:
            raise ValueError(f"tcp.dialogue: step {number}: {exc}") from exc


SPEC = ProbeSpec(
    "tcp",
    {
        "host": Option("str", default="127.0.0.1", help="name or address"),
        "port": Option("port", required=True, help="port number"),
        "timeout": Option("duration", default=5.0, help="for everything together"),
        "send": Option("str", help="text that is sent once connected, line ends as they are written"),
        "expect": Option("regex", help="regular expression that must be found in the first KiB of what the server says"),
        "dialogue": Option(
            "list",
            elements="dict",
            help="instead of both, steps that are taken one after the other, each either {send: text} or {expect: a regular expression that a line "
            "of what follows must hold}",
        ),
    },
    {
        "connected": "whether the connection was made",
        "banner": "what the server said, up to 1 KiB; null unless send, expect, dialogue or an expectation on banner asks for it",
    },
    {"connected": True},
    help="Opens a TCP connection. The option expect is searched for anywhere in the answer; write ^ to bind it to the beginning.",
    complete=_complete,
)


def gather(all_options: list[dict[str, t.Any]], ctx: Context) -> None:
    """Fork before threads are started."""
    if any(options["expect"] is not None or options["dialogue"] for options in all_options):
        start_guard()


@Talker
async def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises ProbeFailure: dns, refused, unreachable or timeout with ``connected: false``; mismatch, reset or timeout in the dialogue
    """
    begin = time.monotonic()
    try:
        stream = await dial(options["host"], options["port"], Deadline(options["timeout"]))
    except NetError as exc:
        raise failure(exc, {"connected": False}, _where(options) if exc.reason == "timeout" else "") from exc
    latency = milliseconds(begin)
    banner = None
    try:
        if options["dialogue"]:
            banner = await _dialogue(stream, options["dialogue"], _where(options))
        elif options["send"] is not None or options["expect"] is not None or "banner" in ctx.wanted:
            banner = await _talk(stream, options, _where(options))
    finally:
        stream.close()
    return {"connected": True, "banner": banner, "latency_ms": latency}


def _where(options: dict[str, t.Any]) -> str:
    return f"{options['host']}:{options['port']}"


async def _talk(stream: Stream, options: dict[str, t.Any], where: str) -> str | None:
    pattern = options["expect"]
    heard, matched = b"", False
    try:
        if options["send"]:
            await stream.send(options["send"].encode("utf-8", "surrogateescape"), "dialogue")
        while len(heard) < _LONGEST_BANNER:
            piece = await stream.receive("dialogue", _LONGEST_BANNER - len(heard))
            heard += piece
            matched = pattern is not None and await is_found(pattern, _text(heard), stream.deadline.left("dialogue"))
            if not piece or matched or (pattern is None and heard.endswith(b"\n")):
                break
            if pattern is None:
                stream.deadline = Deadline(min(_QUIET, stream.deadline.left("dialogue")))
    except NetError as exc:
        if pattern is None and exc.reason == "timeout":
            return _text(heard)
        raise failure(exc, {"banner": _text(heard)}, where) from exc
    if pattern is not None and not matched:
        raise ProbeFailure("mismatch", f"{where} answered, but not as expected", {"banner": _text(heard)})
    return _text(heard)


async def _dialogue(stream: Stream, steps: list[dict[str, str]], where: str) -> str:
    """Take the steps; what is found ends with its line, and what follows is left for the next step."""
    heard, used = b"", 0
    for number, step in enumerate(steps, 1):
        try:
            if "send" in step:
                await stream.send(step["send"].encode("utf-8", "surrogateescape"), "dialogue")
                continue
            while True:
                lines = heard[used:].splitlines(keepends=True)
                found = (
                    await first_found(step["expect"], [_text(line) for line in lines], stream.deadline.left("dialogue")) if lines else None
                )
                if found is not None:
                    used += sum(map(len, lines[: found + 1]))
                    break
                piece = await stream.receive("dialogue", 4096) if len(heard) < _LONGEST_ANSWER else b""
                heard += piece
                if not piece:
                    said = {"banner": _text(heard[:_LONGEST_BANNER])}
                    raise ProbeFailure("mismatch", f"{where} did not say what step {number} of the dialogue expects", said)
        except NetError as exc:
            raise failure(exc, {"banner": _text(heard[:_LONGEST_BANNER])}, f"{where}: step {number} of the dialogue") from exc
    return _text(heard[:_LONGEST_BANNER])


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
