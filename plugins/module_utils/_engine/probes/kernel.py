# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A parameter of the kernel, as sysctl(8) shows it."""

from __future__ import annotations

import errno
import os
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, Option, ProbeFailure, ProbeSpec

ROOT = "/proc/sys"
_LONGEST = 65536
_NUMBER = re.compile(r"-?[0-9]{1,20}")


def _parts(name: str) -> list[str]:
    """The folders and the file of a parameter: whichever of dot and slash comes first separates, the other stands for itself (sysctl.d(5))."""
    dot, slash = name.find("."), name.find("/")
    if slash < 0 or 0 <= dot < slash:
        name = name.translate({ord("."): "/", ord("/"): "."})
    parts = name.split("/")
    if any(part in ("", ".", "..") or not part.isprintable() for part in parts):
        raise ValueError(f"kernel.name: {name!r} is not the name of a parameter; write one such as net.ipv4.ip_forward")
    return parts


def _complete(options: dict[str, t.Any]) -> None:
    _parts(options["name"])


SPEC = ProbeSpec(
    "kernel",
    {"name": Option("str", required=True, help="name of the parameter, such as net.ipv4.ip_forward or vm.swappiness")},
    {
        "exists": "whether the kernel has such a parameter",
        "value": "what it is set to: a number where it is one, else text whose blanks are single spaces",
        "values": "its parts where there are several, such as those of net.ipv4.tcp_rmem",
    },
    {"exists": True},
    help="Reads /proc/sys; what a file in /etc says does not count.",
    complete=_complete,
)


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises ProbeFailure: not_found, with ``exists: false``
    :raises CannotSee: it may not be read, or there is no /proc/sys
    """
    name = options["name"]
    try:
        text = _read(ROOT, _parts(name))
    except OSError as exc:
        if not os.path.isdir(ROOT):
            raise CannotSee(f"kernel parameters cannot be seen: there is no {ROOT}, which only Linux has", "unsupported") from exc
        if exc.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP):
            nothing: dict[str, t.Any] = {"exists": False, "value": None, "values": []}
            raise ProbeFailure("not_found", f"the kernel has no parameter {name}", nothing) from exc
        if exc.errno in (errno.EACCES, errno.EPERM):
            raise CannotSee(f"{name} may not be read by this user; run with become", "permission") from exc
        raise CannotSee(f"{name} cannot be read: {(exc.strerror or 'error').lower()}", "unseen") from exc
    words = text.split()
    value = " ".join(words)
    return {"exists": True, "value": _typed(value), "values": [_typed(word) for word in words]}


def _read(root: str, parts: list[str]) -> str:
    """Nothing outside of the root is read, wherever a link leads."""
    path = os.path.realpath(os.path.join(root, *parts))
    if not path.startswith(os.path.realpath(root) + "/"):
        raise FileNotFoundError(errno.ENOENT, "not below the root")
    with open(path, "rb") as source:
        return source.read(_LONGEST).decode("utf-8", "replace")


def _typed(text: str) -> int | str:
    return int(text) if _NUMBER.fullmatch(text) else text
