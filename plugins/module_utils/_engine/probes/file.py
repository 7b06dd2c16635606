# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a file or directory is."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context, Option, ProbeFailure, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._looks import guarded, start_guard

SPEC = ProbeSpec(
    "file",
    {
        "path": Option("path", required=True, help="path of the file; links are followed"),
        "content": Option("bool", default=False, help="read the first 64 KiB; also done when an expectation names content"),
        "sha256": Option("bool", default=False, help="compute the hash; also done when an expectation names sha256"),
        "timeout": Option("duration", default=10.0, help="how long everything may take"),
    },
    {
        "exists": "whether there is anything at the path",
        "type": "file, directory, link (one that leads nowhere), fifo, socket, block device or character device",
        "size": "bytes",
        "age_seconds": "seconds since the content was changed",
        "mode": 'permissions in octal, such as "0644"',
        "owner": "name of the owner, or the number where it has no name",
        "group": "name of the group, or the number where it has no name",
        "uid": "number of the owner",
        "gid": "number of the group",
        "link": "where a link leads; null when it is none",
        "sha256": "hash of a regular file, if asked for",
        "content": "first 64 KiB of a regular file, if asked for; bytes that are not UTF-8 are replaced",
    },
    {"exists": True},
    help="Only regular files are ever opened.",
)


def gather(all_options: list[dict[str, t.Any]], ctx: Context) -> None:
    """Fork before threads are started."""
    start_guard()


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises ProbeFailure: not_found, with ``exists: false``
    :raises CannotSee: timeout, permission
    """
    digest = options["sha256"] or "sha256" in ctx.wanted
    content = options["content"] or "content" in ctx.wanted
    try:
        found = guarded("file", options["path"], options["timeout"], digest=digest, content=content)
    except ProbeFailure as exc:
        raise ProbeFailure(exc.reason, exc.sentence, {"exists": False}) from exc
    seen = {key: found[key] for key in ("type", "size", "mode", "owner", "group", "uid", "gid", "link", "sha256", "content")}
    seen["exists"] = True
    seen["age_seconds"] = round(time.time() - found["modified"], 3)
    return seen
