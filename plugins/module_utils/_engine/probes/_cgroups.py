# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control groups, version 1 and 2, and mixtures of both (cgroups(7), the kernel's cgroup-v2.rst and cgroup-v1/)."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._mounts import mount_table

_SHARED = "<cgroups>"
# Where version 1 has no limit it shows the largest number of pages that it can count.
_NO_LIMIT = 1 << 60


class Mounted(t.NamedTuple):
    """Where a hierarchy of groups is mounted. :ivar root: which group of it is visible there."""

    point: str
    root: str


class Groups:
    """The control groups of this host as they are mounted here.

    :arg top: put in front of every path that is read
    :arg table: the table of mounts, where it was read already
    """

    def __init__(self, top: str = "", table: str | None = None) -> None:
        self._top = top
        self.unified: Mounted | None = None
        self.single: dict[str, Mounted] = {}
        for line in (self.text("/proc/self/mountinfo") if table is None else table).split("\n"):
            before, _dash, after = line.partition(" - ")
            left, right = before.split(" "), after.split(" ")
            if len(left) < 5 or len(right) < 3:
                continue
            mounted = Mounted(left[4], left[3])
            if right[0] == "cgroup2":
                self.unified = self.unified or mounted
            elif right[0] == "cgroup":
                self.single.update((name, mounted) for name in right[2].split(",") if name not in ("rw", "ro", "xattr"))

    def text(self, path: str) -> str:
        """A small file; nothing where there is none."""
        try:
            with open(self._top + path, "rb") as source:
                return source.read(1 << 20).decode("utf-8", "replace")
        except OSError:
            return ""

    def number(self, path: str) -> int | None:
        """A number; null for ``max``, for no limit, and where there is no file."""
        text = self.text(path).strip()
        return int(text) if text.isdigit() and int(text) < _NO_LIMIT else None

    def identity(self, folder: str | None) -> int:
        """A number that no other group by that name has until the system is started anew; 0 where there is none."""
        try:
            return os.stat(self._top + folder).st_ino if folder is not None else 0
        except OSError:
            return 0

    def table(self, path: str) -> dict[str, int]:
        """A file of names and numbers."""
        rows = (line.split() for line in self.text(path).splitlines())
        return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}

    def is_new(self, controller: str) -> bool:
        """Whether version 2 has the controller."""
        return controller not in self.single

    def of_process(self, controller: str, process: str = "self") -> str | None:
        """The group of a process for a controller, such as ``/system.slice/ssh.service``; null where there is none."""
        for line in self.text(f"/proc/{process}/cgroup").splitlines():
            number, _colon, rest = line.partition(":")
            names, _colon, path = rest.partition(":")
            if (controller in names.split(",")) if controller in self.single else (number == "0" and not names):
                return path
        return None

    def folder(self, controller: str, group: str) -> str | None:
        """Where the files of a group are; null where they cannot be seen."""
        mounted = self.single.get(controller) or self.unified
        if mounted is None:
            return None
        # A container may be told the name that its group has outside, while only that group is mounted.
        root = mounted.root.rstrip("/")
        inner = group[len(root) :] if group == root or group.startswith(root + "/") else "" if root else group
        place = mounted.point if "/.." in inner else mounted.point + inner.rstrip("/")
        return place if os.path.isdir(self._top + place) else None

    def above(self, controller: str, folder: str) -> list[str]:
        """The folder of a group and of all above it that can be seen, which limit it, too."""
        mounted = self.single.get(controller) or self.unified
        folders = [folder]
        while mounted is not None and folders[-1] != mounted.point and folders[-1].startswith(mounted.point):
            folders.append(os.path.dirname(folders[-1]))
        return folders

    def memory(self, folder: str) -> tuple[int | None, int | None]:
        """Bytes that a group holds, without file caches that can be given up at once, and its own limit."""
        new = self.is_new("memory")
        current = self.number(f"{folder}/memory.current" if new else f"{folder}/memory.usage_in_bytes")
        limit = self.number(f"{folder}/memory.max" if new else f"{folder}/memory.limit_in_bytes")
        if current is not None:
            cache = self.table(f"{folder}/memory.stat").get("inactive_file" if new else "total_inactive_file", 0)
            current = max(0, current - cache)
        return current, limit


def groups_of(ctx: Context) -> Groups:
    """The control groups as the whole run sees them."""
    return t.cast("Groups", ctx.shared.get(_SHARED) or ctx.shared.setdefault(_SHARED, Groups(table=mount_table(ctx))))
