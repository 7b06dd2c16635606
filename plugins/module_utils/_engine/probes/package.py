# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which packages are installed."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, Option, ProbeFailure, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._common import run_program

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*(?::[a-z0-9-]+)?")
_TIMEOUT = 30.0
_QUERY = "%{NAME}\\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\n"

Installed = t.Dict[str, t.List[str]]


def _complete(options: dict[str, t.Any]) -> None:
    if not _NAME.fullmatch(options["name"]):
        raise ValueError(f"package.name: {options['name']!r} is not the name of a package; write one such as nginx, without a version")


SPEC = ProbeSpec(
    "package",
    {"name": Option("str", required=True, help="name as the package manager of the host knows it")},
    {
        "installed": "whether it is installed",
        "version": "its version; the last one where there are several",
        "versions": "all installed versions, such as those of a kernel",
        "manager": "whose list was read: dpkg, rpm, apk or pacman",
    },
    {"installed": True},
    help="Reads the list of the package manager once for all packages of a run; rpm is asked by its program.",
    complete=_complete,
)


def gather(all_options: list[dict[str, t.Any]], ctx: Context) -> None:
    """Look for all packages.

    :raises CannotSee: there is no package manager that is known here
    """
    ctx.shared[SPEC.name] = look_up([options["name"] for options in all_options], ctx)


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once; on a later attempt again.

    :raises ProbeFailure: not_found, with ``installed: false``
    :raises CannotSee: there is no package manager that is known here
    """
    known = ctx.shared.get(SPEC.name) if ctx.attempt == 1 else None
    manager, found = known or look_up([options["name"]], ctx)
    versions = found.get(options["name"], [])
    if not versions:
        nothing: dict[str, t.Any] = {"installed": False, "version": None, "versions": [], "manager": manager}
        raise ProbeFailure("not_found", f"{options['name']} is not installed ({manager})", nothing)
    return {"installed": True, "version": versions[-1], "versions": versions, "manager": manager}


def look_up(names: t.Collection[str], ctx: Context, root: str = "") -> tuple[str, Installed]:
    """The manager and the installed versions of those packages that are.

    :raises CannotSee: there is no package manager that is known here
    """
    wanted = set(names)
    status = f"{root}/var/lib/dpkg/status"
    if _size(status) or os.path.isdir(f"{root}/var/lib/dpkg/status.d"):
        return "dpkg", _stanzas(_read_all(status, f"{root}/var/lib/dpkg/status.d"), wanted, "Package: ", "Version: ")
    if any(os.path.isdir(f"{root}{place}") for place in ("/var/lib/rpm", "/usr/lib/sysimage/rpm")):
        return "rpm", _by_rpm(sorted(wanted), ctx)
    for place in ("/lib/apk/db/installed", "/usr/lib/apk/db/installed"):
        if _size(root + place):
            return "apk", _stanzas(_read_all(root + place, ""), wanted, "P:", "V:")
    if os.path.isdir(f"{root}/var/lib/pacman/local"):
        return "pacman", _by_folders(f"{root}/var/lib/pacman/local", wanted)
    raise CannotSee("packages cannot be seen: there is no list of dpkg, rpm, apk or pacman on this host", "unsupported")


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _read_all(path: str, folder: str) -> str:
    """The list, and those of images without a package manager, which have one file a package."""
    paths = [path] if _size(path) else []
    if os.path.isdir(folder):
        paths += sorted(f"{folder}/{name}" for name in os.listdir(folder) if not name.endswith(".md5sums"))
    texts = []
    try:
        for place in paths:
            with open(place, "rb") as source:
                texts.append(source.read().decode("utf-8", "replace"))
    except OSError as exc:
        raise CannotSee(f"packages cannot be seen: {place} cannot be read ({(exc.strerror or 'error').lower()})", "permission") from exc
    return "\n\n".join(texts)


def _stanzas(text: str, wanted: set[str], name_field: str, version_field: str) -> Installed:
    """Paragraphs of ``Field: value`` lines; of dpkg's only those whose status ends with "installed" (dpkg-query(1))."""
    plain = {name.partition(":")[0] for name in wanted}
    found: Installed = {}
    for stanza in text.split("\n\n"):
        place = 0 if stanza.startswith(name_field) else stanza.find("\n" + name_field) + 1
        if not stanza.startswith(name_field, place) or _line(stanza, place + len(name_field)) not in plain:
            continue
        name = _line(stanza, place + len(name_field))
        version, status, machine = (_field(stanza, key) for key in (version_field, "Status: ", "Architecture: "))
        if not status or status.split()[-1] == "installed":
            for asked in {name, f"{name}:{machine}"} & wanted:
                found.setdefault(asked, []).append(version)
    return found


def _line(text: str, place: int) -> str:
    return text[place:].split("\n", 1)[0]


def _field(stanza: str, field: str) -> str:
    place = stanza.find("\n" + field)
    return _line(stanza, place + 1 + len(field)).strip() if place >= 0 else ""


def _by_rpm(names: list[str], ctx: Context) -> Installed:
    _rc, out, _err = run_program(ctx, ["rpm", "-q", "--queryformat", _QUERY, "--", *names], _TIMEOUT)
    found: Installed = {}
    for line in out.splitlines():
        name, tab, version = line.partition("\t")
        if tab and name in names:
            found.setdefault(name, []).append(version)
    return found


def _by_folders(folder: str, wanted: set[str]) -> Installed:
    found: Installed = {}
    for entry in sorted(os.listdir(folder)):
        parts = entry.rsplit("-", 2)
        if len(parts) == 3 and parts[0] in wanted:
            found.setdefault(parts[0], []).append(f"{parts[1]}-{parts[2]}")
    return found
