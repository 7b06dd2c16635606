# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Runs a program whose output may be larger than memory: it goes to a file piece by piece."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CommandTimeout
from ansible_collections.vigil.ops.plugins.module_utils._runner import started

_PIECE = 1 << 18
_LAST = 4096  # bytes of the error output that are kept


def stream(argv: t.Sequence[str], file: t.BinaryIO, timeout: float, env: t.Mapping[str, str] | None = None) -> tuple[int, str]:
    """Write the output of a program to a file; returns its code and the end of its error output.

    :raises CommandMissing: it cannot be started
    :raises CommandTimeout: it did not end within ``timeout`` seconds; it was ended, with all that it started
    :raises OSError: the file cannot be written; the program was ended
    """
    with started(argv, env) as process:
        err = _copy(process, file, argv[0], timeout)
    return process.returncode, err.decode("utf-8", "replace")


def _copy(process: subprocess.Popen[bytes], file: t.BinaryIO, name: str, timeout: float) -> bytes:
    """The output to the file, until it is closed; returns the end of the error output."""
    until, err = time.monotonic() + timeout, b""
    with selectors.DefaultSelector() as selector:
        for pipe in (process.stdout, process.stderr):
            selector.register(t.cast("t.IO[bytes]", pipe), selectors.EVENT_READ)
        while selector.get_map():
            left = until - time.monotonic()
            if left <= 0:
                raise CommandTimeout(f"{name} did not end within {timeout:g} s")
            for key, _mask in selector.select(min(left, 1.0)):
                piece = os.read(key.fd, _PIECE)
                if not piece:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stdout:
                    file.write(piece)
                else:
                    err = (err + piece)[-_LAST:]
    try:
        process.wait(max(until - time.monotonic(), 0.0))
    except subprocess.TimeoutExpired as exc:
        raise CommandTimeout(f"{name} did not end within {timeout:g} s") from exc
    return err
