# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Versions of a program in a directory, of which one is the present one; each is there whole or not at all."""

from __future__ import annotations

import compileall
import os
import shutil
import tarfile
import tempfile


class Versions:
    """The versions in a directory; which one is the present one says a symbolic link."""

    def __init__(self, dest: str) -> None:
        self.dest = dest
        self.versions = os.path.join(dest, "versions")
        self.link = os.path.join(dest, "current")

    def current(self) -> str:
        """The version that is used, empty where there is none."""
        try:
            name = os.path.basename(os.readlink(self.link))
        except OSError:
            return ""
        return name if os.path.isdir(os.path.join(self.versions, name)) else ""

    def others(self) -> list[str]:
        """Versions that are not used, those first that were used last."""
        try:
            names = [name for name in os.listdir(self.versions) if not name.startswith(".")]
        except FileNotFoundError:
            return []
        places = {name: os.stat(os.path.join(self.versions, name)).st_mtime_ns for name in names if name != self.current()}
        return sorted(places, key=lambda name: places[name], reverse=True)

    def unpack(self, archive: str, version: str) -> None:
        """Whole or not at all."""
        os.makedirs(self.versions, 0o755, exist_ok=True)
        scratch = tempfile.mkdtemp(prefix=".new-", dir=self.versions)
        try:
            with tarfile.open(archive, "r:gz") as source:
                for member in source:
                    target = os.path.join(scratch, member.name)
                    if not member.isreg() or not os.path.normpath(target).startswith(scratch + os.sep):
                        raise ValueError(f"{member.name} has no place in a program")
                    os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
                    with open(target, "wb") as out:
                        shutil.copyfileobj(source.extractfile(member), out)  # type: ignore[arg-type]
            os.chmod(scratch, 0o755)
            compileall.compile_dir(scratch, quiet=2, stripdir=scratch, prependdir=os.path.join(self.versions, version))
            os.rename(scratch, os.path.join(self.versions, version))
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def use(self, version: str) -> None:
        """From now on this one."""
        before = self.current()
        if before:
            os.utime(os.path.join(self.versions, before))
        new = self.link + ".new"
        if os.path.lexists(new):
            os.unlink(new)
        os.symlink(os.path.join("versions", version), new)
        os.replace(new, self.link)

    def tidy(self, keep: int) -> None:
        """Remove what is too old."""
        for name in self.others()[max(keep - 1, 0) :]:
            shutil.rmtree(os.path.join(self.versions, name), ignore_errors=True)

    def remove(self) -> None:
        """Everything of it."""
        if os.path.lexists(self.link):
            os.unlink(self.link)
        shutil.rmtree(self.versions, ignore_errors=True)
        if os.path.isdir(self.dest) and not os.listdir(self.dest):
            os.rmdir(self.dest)
