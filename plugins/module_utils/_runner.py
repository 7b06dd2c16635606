# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Runs programs for the engine, which runs none by itself: bounded in time and in output, no shell, nothing left behind."""

from __future__ import annotations

import atexit
import contextlib
import os
import selectors
import signal
import subprocess
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CommandFlood, CommandMissing, CommandTimeout

_OUTPUT_LIMIT = 8 * 1024 * 1024
# Seconds in which a child that the program left behind may still write to its outputs.
_GRACE = 0.1
_RUNNING: set[subprocess.Popen[bytes]] = set()


def run(argv: t.Sequence[str], timeout: float = 10.0, env: t.Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """Run a program with its arguments as they are; returns its code, output and error output (bytes that are not UTF-8 are replaced).

    :arg env: variables that it has besides those of this process
    :raises CommandMissing: it cannot be started
    :raises CommandTimeout: it did not end within ``timeout`` seconds; it was ended, with all that it started
    :raises CommandFlood: it wrote more than 8 MiB to one of its outputs and was ended
    """
    with started(argv, env) as process:
        out, err = _read(process, argv[0], time.monotonic() + timeout, timeout)
    return process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


@contextlib.contextmanager
def started(argv: t.Sequence[str], env: t.Mapping[str, str] | None) -> t.Iterator[subprocess.Popen[bytes]]:
    """A program in a session of its own, with both outputs as pipes; at the end it is ended with all that it started, if it has not yet.

    :raises CommandMissing: it cannot be started
    """
    try:
        # run_command belongs to AnsibleModule, which is not loaded on the host, and it has no limits
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, **env} if env else None,
        )
    except (OSError, ValueError) as exc:
        reason = os.strerror(exc.errno or 0) if isinstance(exc, OSError) else str(exc)
        raise CommandMissing(f"{argv[0]} cannot be run: {reason}") from exc
    _RUNNING.add(process)
    try:
        yield process
    finally:
        _RUNNING.discard(process)
        if process.poll() is None:
            _end(process)
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()


def _read(process: subprocess.Popen[bytes], name: str, until: float, timeout: float) -> tuple[bytes, bytes]:
    """Both outputs, until they are closed or the program has ended."""
    found = {process.stdout: bytearray(), process.stderr: bytearray()}
    with selectors.DefaultSelector() as selector:
        for pipe in found:
            selector.register(t.cast("t.IO[bytes]", pipe), selectors.EVENT_READ)
        while selector.get_map():
            left = until - time.monotonic()
            if left <= 0:
                raise CommandTimeout(f"{name} did not end within {timeout:g} s")
            ready = selector.select(min(left, _GRACE))
            if not ready and process.poll() is not None:
                break
            for key, _mask in ready:
                chunk = os.read(key.fd, 65536)
                if not chunk:
                    selector.unregister(key.fileobj)
                    continue
                kept = found[t.cast("t.IO[bytes]", key.fileobj)]
                kept += chunk
                if len(kept) > _OUTPUT_LIMIT:
                    raise CommandFlood(f"{name} wrote more than {_OUTPUT_LIMIT // 1024**2} MiB and was stopped")
    try:
        process.wait(max(until - time.monotonic(), 0.0))
    except subprocess.TimeoutExpired as exc:
        raise CommandTimeout(f"{name} did not end within {timeout:g} s") from exc
    return bytes(found[process.stdout]), bytes(found[process.stderr])


@atexit.register
def _end_all() -> None:
    """When the module ends before a program does, as its own time is over, the thread that waits for the program just stops."""
    for process in list(_RUNNING):
        if process.poll() is None:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program and what it started (its session is its own)."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        process.kill()
    process.wait()
