# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether this host waits for a restart."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._common import run_program

_TIMEOUT = 25.0
_MOST = 50
_CONTAINER = ("/run/systemd/container", "/.dockerenv", "/run/.containerenv")

SPEC = ProbeSpec(
    "reboot",
    {},
    {
        "pending": "whether a restart is due",
        "reason": "why, as a sentence; null where none is due",
        "packages": "packages that ask for it, where the system tells",
        "running_kernel": "release of the kernel that runs",
        "newest_kernel": "release of the newest installed kernel of the same kind; null where none is installed, as in containers",
    },
    {"pending": False},
    help="Looks at /run/reboot-required (Debian), asks needs-restarting (Red Hat), and compares the running kernel with those that are installed.",
)


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once."""
    running = os.uname().release
    newest = newest_kernel(running)
    reason, packages = _by_marker("/run")
    if reason is None and newest is not None and _version(newest) > _version(running):
        reason = f"kernel {newest} is installed, but {running} runs"
    if reason is None:
        reason, packages = _by_program(ctx)
    return {
        "pending": reason is not None,
        "reason": reason,
        "packages": packages,
        "running_kernel": running,
        "newest_kernel": newest,
    }


def _by_marker(run: str) -> tuple[str | None, list[str]]:
    """What update-notifier and unattended-upgrades leave behind."""
    if not os.path.exists(f"{run}/reboot-required"):
        return None, []
    try:
        with open(f"{run}/reboot-required.pkgs", "rb") as source:
            words = source.read(65536).decode("utf-8", "replace").split()
    except OSError:
        words = []
    packages = list(dict.fromkeys(words))[:_MOST]
    return "the system asks for it" + (f" because of {', '.join(packages[:5])}" if packages else ""), packages


def _by_program(ctx: Context) -> tuple[str | None, list[str]]:
    """Exit status 1 of ``needs-restarting -r`` means that it is due (dnf-utils); where it cannot be asked, it has no say."""
    try:
        rc, out, _err = run_program(ctx, ["needs-restarting", "-r"], _TIMEOUT)
    except CannotSee:
        return None, []
    packages = re.findall(r"^\s*\*\s*(\S+)", out, re.MULTILINE)[:_MOST]
    if rc != 1 or not packages:
        return None, []
    return f"{', '.join(packages[:5])} changed since the system was started", packages


def newest_kernel(running: str, root: str = "") -> str | None:
    """The newest installed kernel of the kind of the running one (``generic``, ``el``, ``cloud amd`` ...).

    Kernels of another kind do not count: a host may run one that its provider gave it, or one that was chosen on purpose.
    """
    if any(os.path.exists(root + place) for place in _CONTAINER):
        return None
    found = []
    for folder in ("/lib/modules", "/usr/lib/modules"):
        try:
            releases = os.listdir(root + folder)
        except OSError:
            continue
        # a folder alone may be left over from a kernel that is gone
        images = (f"{root}/boot/vmlinuz-{{0}}", f"{root}/boot/vmlinux-{{0}}", f"{root}{folder}/{{0}}/vmlinuz")
        found += [release for release in releases if any(os.path.exists(image.format(release)) for image in images)]
    alike = [release for release in found if _kind(release) == _kind(running)]
    return max(alike, key=_version) if alike else None


def _kind(release: str) -> list[str]:
    return re.findall(r"[a-z]+", release, re.IGNORECASE)


def _version(release: str) -> tuple[list[int], list[int]]:
    """The numbers before the first letter, then those behind it."""
    match = re.search(r"[a-z]", release, re.IGNORECASE)
    place = match.start() if match else len(release)
    before, behind = (re.findall(r"[0-9]+", part) for part in (release[:place], release[place:]))
    return [int(number) for number in before], [int(number) for number in behind]
