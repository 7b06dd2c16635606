# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong with a backup, as one sentence."""

from __future__ import annotations

import os


class BackupError(Exception):
    """The work cannot be done; nothing that was there is harmed."""


class Damaged(BackupError):
    """A part of the repository is not what it was when it was written."""


class Missing(BackupError):
    """A library is not on this host; ``library`` names it."""

    def __init__(self, library: str, where: str) -> None:
        super().__init__(f"this host has no library for {library}; install {where}, or write another compression")
        self.library = library


class Busy(BackupError):
    """Another process works on the repository."""


def refusal(exc: OSError, path: str, deed: str) -> BackupError:
    """The sentence of a system error.

    :arg deed: what was tried, such as ``written``
    """
    return BackupError(f"{path} cannot be {deed}: {os.strerror(exc.errno).lower() if exc.errno else exc}")
