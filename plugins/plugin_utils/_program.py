# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""The program that nodes run as their watcher: the engine as it is and the files of the role, packed so that the same files give the same bytes."""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import tarfile
import typing as t
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_PLACE = "ansible_collections/vigil/ops/"
_ENGINE = ("plugins/module_utils/_engine", "plugins/module_utils/_runner.py", "plugins/module_utils/_streams.py")
_WATCH = "roles/watcher/files/vigil_watch"


class Program(t.NamedTuple):
    """A tar.gz, and the name of its version: a hash of what is in it."""

    version: str
    data: bytes


@functools.cache
def packed() -> Program:
    """The program of this collection."""
    files = {_PLACE + str(path.relative_to(_ROOT)): path for place in _ENGINE for path in _below(_ROOT / place)}
    files.update({"vigil_watch/" + path.name: path for path in _below(_ROOT / _WATCH)})
    digest, out = hashlib.sha256(), io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0, compresslevel=6) as pressed, tarfile.open(fileobj=pressed, mode="w") as archive:
        for name in sorted(files):
            data = files[name].read_bytes()
            digest.update(f"{name}\0{len(data)}\0".encode() + data)
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            archive.addfile(info, io.BytesIO(data))
    return Program(digest.hexdigest()[:16], out.getvalue())


def _below(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    return sorted(path for path in place.rglob("*.py") if "__pycache__" not in path.parts)
