# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The bridge from AnsibleModule to the engine: the command runner, the guarded run, and results without secrets."""

from __future__ import annotations

import os
import threading
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CommandFlood, CommandMissing, CommandTimeout
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.secrets import mask
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import parse_duration

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import Store

_OUTPUT_LIMIT = 8 * 1024 * 1024


class SilentModule(AnsibleModule):
    """A module whose arguments may hold secrets, so nothing goes to the system log.

    ``no_log=True`` is no help: Ansible replaces it by that of the task.
    """

    def log(self, msg: str, log_args: object = None) -> None:
        """Nothing is logged."""


class _Bounded:
    """The output pipe of a program that is stopped when it writes without end: run_command keeps all in memory."""

    def __init__(self, pipe: t.Any, stop: t.Callable[[], None]) -> None:
        self._pipe = pipe
        self._stop = stop
        self._left = _OUTPUT_LIMIT

    def fileno(self) -> int:
        return int(self._pipe.fileno())

    def close(self) -> None:
        self._pipe.close()

    def read(self, size: int) -> t.Any:
        chunk = self._pipe.read(size)
        if chunk:
            kept = chunk[: self._left]
            self._left -= len(kept)
            if len(kept) < len(chunk):
                self._stop()
                return kept
        return chunk


def make_runner(module: AnsibleModule) -> t.Callable[..., tuple[int, str, str]]:
    """``run(argv, timeout) -> (rc, out, err)`` for the engine.

    The program gets its arguments as they are. It is ended after ``timeout`` seconds (CommandTimeout), or when it writes more than 8 MiB
    to one of its outputs (CommandFlood); bytes that are not UTF-8 are replaced.
    """

    def run(argv: t.Sequence[str], timeout: float = 10.0) -> tuple[int, str, str]:
        late, flooded = threading.Event(), threading.Event()
        timers: list[threading.Timer] = []

        def watch(process: t.Any) -> None:
            def end() -> None:
                late.set()
                process.kill()

            def dam() -> None:
                flooded.set()
                process.kill()

            process.stdout = _Bounded(process.stdout, dam)
            process.stderr = _Bounded(process.stderr, dam)
            timer = threading.Timer(timeout, end)
            timer.daemon = True
            timer.start()
            timers.append(timer)

        try:
            rc, out, err = module.run_command(
                list(argv),
                handle_exceptions=False,
                expand_user_and_vars=False,
                errors="surrogate_then_replace",
                before_communicate_callback=watch,
            )
        except OSError as exc:
            raise CommandMissing(f"{argv[0]} cannot be run: {os.strerror(exc.errno or 0)}") from exc
        finally:
            for timer in timers:
                timer.cancel()
        if late.is_set():
            raise CommandTimeout(f"{argv[0]} did not end within {timeout:g} s")
        if flooded.is_set():
            raise CommandFlood(f"{argv[0]} wrote more than {_OUTPUT_LIMIT // 1024**2} MiB and was stopped")
        return rc, out, err

    return run


def read_duration(module: AnsibleModule, option: str) -> float:
    """The seconds of a duration option; ends the module with a sentence when it is none."""
    try:
        return parse_duration(module.params[option])
    except ValueError as exc:
        module.fail_json(msg=f"{option}: {exc}")


def finish(module: AnsibleModule, result: dict[str, t.Any], secrets: t.Collection[str] = ()) -> t.NoReturn:
    """End the module with a result that holds no secret; none is left in the echo of its arguments that Ansible may add."""
    result["invocation"] = {"module_args": mask(dict(module.params), secrets)}
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


def open_state(module: AnsibleModule, url: str | None) -> Store | None:
    """The store of the option ``state_url`` on this host, None where the option is left out; what it has to say becomes warnings.

    In check mode it is only read, and none is made.
    """
    if not url:
        return None
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import StateError, StateMissing, default_url, open_store

    try:
        store = open_store(default_url() if url == "default" else url, read_only=module.check_mode)
    except StateMissing:
        return None
    except StateError as exc:
        module.fail_json(msg=f"state_url: {exc}")
    for notice in store.notices:
        module.warn(notice)
    return store
