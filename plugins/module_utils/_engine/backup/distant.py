# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A repository at a remote, of which only what is needed is brought here, into a directory that is removed afterwards."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.rclone import Place, Rclone, RemoteError, Run
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import ID, Repository, check_name


class Distant:
    """A repository at a remote.

    :arg scratch: an empty directory; a repository that grows as things are asked for
    :raises BackupError: the remote cannot be looked at, or there is none
    """

    def __init__(self, place: Place, run: Run, scratch: str) -> None:
        self._rclone = Rclone(place, run)
        self._sizes = {name: size for name, size in self._rclone.sizes().items() if _is_ours(name)}
        self._root = scratch
        if "FORMAT" not in self._sizes:
            raise BackupError(f"there is no repository at {place.path}")
        self.repository = Repository(scratch)
        self._bring(["FORMAT", *(name for name in self._sizes if name.startswith("snapshots/"))])

    def manifests(self, ids: t.Collection[str]) -> None:
        """Bring the manifests of snapshots."""
        self._bring(self._of("manifests", ids))

    def indexes(self, ids: t.Collection[str]) -> None:
        """Bring what says what lies where in archives."""
        self._bring([name for name in self._of("archives", ids) if ".tar" not in name])

    def archives(self, ids: t.Collection[str]) -> None:
        """Bring archives and their indexes."""
        self._bring(self._of("archives", ids))

    def stand_ins(self) -> None:
        """Make files of the size of every archive that is not here, which take no room; enough for a quick look at a repository."""
        for name, size in self._sizes.items():
            place = os.path.join(self._root, name)
            if name.startswith("archives/") and ".tar" in name and not os.path.exists(place):
                os.makedirs(os.path.dirname(place), 0o700, exist_ok=True)
                with open(place, "wb") as file:
                    file.truncate(size)
        self.repository.shelf.forget()

    def _of(self, folder: str, ids: t.Collection[str]) -> list[str]:
        return [name for name in self._sizes if name.startswith(f"{folder}/") and _id(name) in ids]

    def _bring(self, names: t.Collection[str]) -> None:
        wanted = [name for name in names if not os.path.exists(os.path.join(self._root, name))]
        if not wanted:
            return
        why = self._rclone.fetch(self._root, wanted)
        if why:
            raise RemoteError(f"{self._rclone.place.path} cannot be read: {why}")
        self.repository.shelf.forget()


def _id(name: str) -> str:
    return name.rsplit("/", 1)[-1].split(".")[0]


def _is_ours(name: str) -> bool:
    """What is at a remote is data from outside: only names of a repository are ever made here."""
    if name == "FORMAT":
        return True
    parts = name.split("/")
    if not ID.fullmatch(_id(name)) or not parts[-1].replace(".", "").replace("-", "").isalnum():
        return False
    if parts[0] == "snapshots" and len(parts) == 3:
        try:
            return bool(check_name(parts[1]))
        except ValueError:
            return False
    return parts[0] in ("archives", "manifests") and len(parts) == 2
