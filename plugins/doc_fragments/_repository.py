# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

from __future__ import annotations


class ModuleDocFragment:
    # What a repository is worked with, of all modules of backups.
    DOCUMENTATION = r"""
options:
  engine:
    description:
      - V(archive) is the plain format of this collection. V(restic) drives C(restic) (0.14 or newer), which must be on the host, for encryption,
        parts of files that are stored once, and its remotes. Options that it has nothing for are refused.
    type: str
    choices: [archive, restic]
    default: archive
  restic:
    description:
      - What O(engine=restic) needs, C(password) or C(password_file) (on the host), and C(environment), variables for its remotes such as
        C(AWS_SECRET_ACCESS_KEY). Neither is shown.
    type: dict
"""

    # Of those that read it. Together with the one above.
    READ = r"""
options:
  repository:
    description: The directory of the repository on the same host. Give this or O(remote).
    type: path
  remote:
    description:
      - A copy of a repository at a remote of rclone, as in M(vigil.ops.backup). Only what is needed is brought to the host, below C(/var/tmp),
        and removed afterwards.
    type: raw
"""
