# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What systemd says of units. It is asked once for all units of a run, whichever probes want them."""

from __future__ import annotations

import re
import threading
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._common import run_program

_KINDS = ("service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope")
_PROPERTIES = (
    "Id,Names,LoadState,ActiveState,SubState,UnitFileState,Result,NRestarts,MainPID,MemoryCurrent,ExecMainStatus,"
    "ActiveEnterTimestampMonotonic,ControlGroup,TriggeredBy,InactiveExitTimestampMonotonic"
)
_NAME = re.compile(r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]{0,254}")
_TIMEOUT = 15.0
_AT_ONCE = 200
_SHARED = "<units>"

Block = t.Dict[str, str]


class _Units:
    """The units of a run, and what was said of them when somebody first asked."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.wanted: dict[str, None] = {}
        self.said: dict[str, Block] = {}
        self.failure: CannotSee | None = None

    def ask(self, ctx: Context) -> dict[str, Block]:
        with self.lock:
            left = [] if self.failure else [name for name in self.wanted if name not in self.said]
            for begin in range(0, len(left), _AT_ONCE):
                try:
                    self.said.update({name: {} for name in left[begin : begin + _AT_ONCE]})
                    self.said.update(_ask(left[begin : begin + _AT_ONCE], ctx))
                except CannotSee as exc:
                    self.failure = exc
                    break
            if self.failure:
                raise CannotSee(self.failure.sentence, self.failure.reason)
            return self.said


def is_name(name: str) -> bool:
    """Whether systemctl takes it as the name of one unit, and as nothing else."""
    return _NAME.fullmatch(name) is not None


def unit_name(name: str) -> str:
    """The whole name: it is a service where it has no kind."""
    return name if name.rpartition(".")[2] in _KINDS and "." in name else name + ".service"


def want(ctx: Context, names: t.Iterable[str]) -> None:
    """Say which units will be asked for, before the first is."""
    _of(ctx).wanted.update(dict.fromkeys(names))


def properties(ctx: Context, name: str) -> Block:
    """Properties of a unit; on a later attempt systemd is asked again, for this one.

    :arg name: the whole name
    :raises CannotSee: there is no systemd, or it does not answer
    """
    units = _of(ctx)
    units.wanted.setdefault(name)
    found = units.ask(ctx).get(name) if ctx.attempt == 1 else _ask([name], ctx).get(name)
    if not found:
        raise CannotSee(f"systemd said nothing about {name}", "unseen")
    return found


def _of(ctx: Context) -> _Units:
    return t.cast("_Units", ctx.shared.get(_SHARED) or ctx.shared.setdefault(_SHARED, _Units()))


def _ask(units: list[str], ctx: Context) -> dict[str, Block]:
    argv = ["systemctl", "show", "--no-pager", f"--property={_PROPERTIES}", "--", *units]
    try:
        rc, out, err = run_program(ctx, argv, _TIMEOUT)
    except CannotSee as exc:
        needed = " (systemd is needed)" if exc.reason == "unsupported" else ""
        raise CannotSee(f"services cannot be seen: {exc.sentence}{needed}", exc.reason) from exc
    blocks = [_block(text) for text in re.split(r"\n\s*\n", out.strip()) if text.strip()]
    if not blocks:
        said = " ".join(err.split())[:200] or f"systemctl ended with {rc}"
        if "not been booted with systemd" in said or "connect to bus" in said.lower():
            raise CannotSee(f"services cannot be seen: systemd does not run this node ({said})", "unsupported")
        raise CannotSee(f"services cannot be seen: {said}", "unseen")
    if len(blocks) == len(units):
        return dict(zip(units, blocks))
    return {name: block for name in units for block in blocks if name == block.get("Id") or name in block.get("Names", "").split()}


def _block(text: str) -> Block:
    return {name: value for name, _equals, value in (line.partition("=") for line in text.splitlines())}
