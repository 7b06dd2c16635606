# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is mounted where."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, Option, ProbeFailure, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._mounts import mount_table

MOUNTS = "/proc/self/mountinfo"
_ESCAPE = re.compile(r"\\([0-7]{3})")

SPEC = ProbeSpec(
    "mount",
    {"path": Option("path", required=True, help="the mount point itself")},
    {
        "mounted": "whether something is mounted there",
        "source": "what is mounted, such as /dev/sda1 or nas:/export",
        "fstype": "type of the file system, such as ext4 or nfs4",
        "options": "options of the mount and of the file system, such as rw, noexec or size=64k",
        "read_only": "whether the mount or its file system is read-only",
    },
    {"mounted": True},
    help="Reads the table of mounts and touches no file system, so a dead one cannot hang it; disk tells whether it answers.",
)


class Mount(t.NamedTuple):
    """One line of mountinfo (proc(5))."""

    point: str
    source: str
    fstype: str
    options: list[str]


def gather(all_options: list[dict[str, t.Any]], ctx: Context) -> None:
    """Read the table once.

    :raises CannotSee: there is none
    """
    ctx.shared[SPEC.name] = parse(mount_table(ctx)) or read_mounts()


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises ProbeFailure: not_found, with ``mounted: false``
    :raises CannotSee: there is no table of mounts
    """
    mounts = ctx.shared.get(SPEC.name) if ctx.attempt == 1 else None
    path = "/" + "/".join(part for part in options["path"].split("/") if part not in ("", "."))
    # what was mounted last hides what was there before
    found = next((mount for mount in reversed(read_mounts() if mounts is None else mounts) if mount.point == path), None)
    if found is None:
        nothing: dict[str, t.Any] = {"mounted": False, "source": None, "fstype": None, "options": [], "read_only": None}
        raise ProbeFailure("not_found", f"nothing is mounted on {path}", nothing)
    return {
        "mounted": True,
        "source": found.source,
        "fstype": found.fstype,
        "options": found.options,
        "read_only": "ro" in found.options,
    }


def read_mounts(table: str = MOUNTS) -> list[Mount]:
    """All mounts, in the order in which they were made.

    :raises CannotSee: there is no table
    """
    try:
        with open(table, "rb") as source:
            text = source.read().decode("utf-8", "surrogateescape")
    except OSError as exc:
        raise CannotSee(f"mounts cannot be seen: {table} cannot be read ({(exc.strerror or 'error').lower()})", "unsupported") from exc
    return parse(text)


def parse(text: str) -> list[Mount]:
    """The mounts in a table (proc(5))."""
    mounts = []
    for line in text.split("\n"):  # and nowhere else: names of mount points may hold what other readers take for an end of line
        before, _dash, after = line.partition(" - ")
        left, right = before.split(" "), after.split(" ")
        if len(left) >= 6 and len(right) >= 3:
            own, whole = left[5].split(","), right[2].split(",")
            # either of them being read-only makes it so, and "rw" of the other one would contradict
            drop = "rw" if "ro" in own + whole else ""
            merged = dict.fromkeys(_plain(option) for option in own + whole if option != drop)
            mounts.append(Mount(_plain(left[4]), _plain(right[1]), _plain(right[0]), list(merged)))
    return mounts


def _plain(text: str) -> str:
    r"""Without the escapes of space, tab, newline and backslash, such as ``\040``."""
    return _ESCAPE.sub(lambda match: chr(int(match.group(1), 8)), text)
