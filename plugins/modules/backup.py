#!/usr/bin/python
# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup
short_description: Take a snapshot if and only if content changed
version_added: 1.0.0
description:
  - Compares files and directories with the last snapshot of the same O(name), and takes a new one only where something differs.
    A file that was only touched does not count.
  - A repository is a directory of ordinary C(tar.gz) archives with what was new each time, and of JSON files that say what belongs to a snapshot.
    It can be read and restored with C(tar) and a text editor alone.
  - A snapshot is there whole or not at all, whenever the process ends. Content that the repository holds is not stored again.
  - A file that is being written while it is read is tried three times; then the version of before stays, and the file is named in RV(torn).
  - What cannot be read is named in RV(problems), and what is known of it stays.
author:
  - vigil.ops contributors (@vigil-ops)
extends_documentation_fragment:
  - vigil.ops._attributes
  - vigil.ops._attributes.actiongroup_all
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Texts of up to 64 KiB are shown as a unified diff, all else by size and hash. What not everybody on the host may
        read is named alone. Passwords and the like are masked, see also O(mask).
options:
  paths:
    description: What to keep, as absolute paths.
    type: list
    elements: path
    required: true
  repository:
    description: The directory of the repository on the same host. It is made when it is missing, for its owner alone.
    type: path
    required: true
  name:
    description: Name of the job. Jobs of one repository have snapshots of their own and share contents.
    type: str
    default: default
  exclude:
    description:
      - Globs of what to leave out. One without a slash is held against the last part of a path (V(*.bak)), another against the whole
        (V(/var/cache/*)). V(**) goes over slashes, and a slash at the end means directories alone.
    type: list
    elements: str
  include:
    description: Globs of which a file must fit one. The default is all files.
    type: list
    elements: str
  max_size:
    description: Files that are larger are left out, such as V(100MiB). They are named in RV(left_out).
    type: str
  one_file_system:
    description: Leave out other file systems that are mounted below the O(paths).
    type: bool
    default: false
  paranoid:
    description: Read every file, even if its times say that nothing changed.
    type: bool
    default: false
  retention:
    description:
      - Which snapshots of this O(name) stay, as numbers for V(last), V(hourly), V(daily), V(weekly), V(monthly) and V(yearly), and a time for V(within).
        Of each period (in UTC) the last snapshot stays. The newest one always does.
      - Without it all stay.
    type: dict
  ignore_lines:
    description: Regular expressions. A text file that differs only in lines in which one of them is found has not changed.
    type: list
    elements: str
  mask:
    description: Regular expressions of what the diff must not show; the groups of an expression, or all of it where it has none.
    type: list
    elements: str
  verify:
    description: Read everything of this O(name) back afterwards and compare its hashes; what differs is in RV(damaged).
    type: bool
    default: false
  wait:
    description: How long to wait for another process that works on the repository.
    type: str
    default: 1m
seealso:
  - module: vigil.ops.backup_info
  - module: vigil.ops.restore
"""

EXAMPLES = r"""
- name: Keep /etc whenever it changed
  vigil.ops.backup:
    paths: [/etc]
    repository: /var/backups/vigil
    name: etc
    exclude: ["*.swp", "/etc/mtab"]
    retention: {last: 10, daily: 14, weekly: 8}

- name: Keep the configuration of a switch, whatever the time of its last login
  vigil.ops.backup:
    paths: [/srv/configs]
    repository: /srv/backups
    ignore_lines: ['^! Last configuration change']
"""

RETURN = r"""
snapshot:
  description: Id of the snapshot; null where nothing changed, and in check mode.
  returned: success
  type: str
  sample: 20261121T164723Z-28061da5
added: {description: "Paths that are new, at most 1000.", returned: success, type: list, elements: str, sample: [/etc/new.conf]}
modified: {description: "Paths that differ, at most 1000.", returned: success, type: list, elements: str, sample: [/etc/main.conf]}
removed: {description: "Paths that are gone, at most 1000.", returned: success, type: list, elements: str, sample: []}
torn: {description: Files that were written all the time., returned: success, type: list, elements: str, sample: []}
left_out: {description: Files that are larger than O(max_size)., returned: success, type: list, elements: str, sample: []}
problems: {description: "Sentences about what could not be read.", returned: success, type: list, elements: str, sample: []}
forgotten: {description: Snapshots that O(retention) does not keep., returned: success, type: list, elements: str, sample: []}
damaged:
  description: With O(verify), what is not as it was written, as C(message), C(snapshots) and C(paths).
  returned: success
  type: list
  elements: dict
  sample: []
stats:
  description: Numbers of C(paths) and C(bytes), of C(read_bytes), C(new_bytes) and C(stored_bytes), and how many were C(added), C(modified), C(removed).
  returned: success
  type: dict
  sample: {"paths": 812, "bytes": 5242880, "read_bytes": 2048, "new_bytes": 2048, "stored_bytes": 1100, "added": 0, "modified": 1, "removed": 0}
"""

import platform
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import backup as flow

ARGUMENT_SPEC = {
    "paths": {"type": "list", "elements": "path", "required": True},
    "repository": {"type": "path", "required": True},
    "name": {"type": "str", "default": "default"},
    "exclude": {"type": "list", "elements": "str"},
    "include": {"type": "list", "elements": "str"},
    "max_size": {"type": "str"},
    "one_file_system": {"type": "bool", "default": False},
    "paranoid": {"type": "bool", "default": False},
    "retention": {"type": "dict"},
    "ignore_lines": {"type": "list", "elements": "str"},
    "mask": {"type": "list", "elements": "str"},
    "verify": {"type": "bool", "default": False},
    "wait": {"type": "str", "default": "1m"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        job = flow.read_job(module.params, platform.node())
    except ValueError as exc:
        module.fail_json(msg=f"The options cannot be used: {exc}.")
    try:
        result = flow.backup(job, time.time(), module.check_mode, module._diff)
    except BackupError as exc:
        module.fail_json(msg=f"Nothing was backed up: {exc}.")
    text = result.pop("text")
    if module._diff:
        result["diff"] = {"prepared": text}
    for problem in result["problems"][:10]:
        module.warn(problem)
    if len(result["problems"]) > 10:
        module.warn(f"{len(result['problems']) - 10} more paths could not be read, see problems in the result")
    if result["damaged"]:
        module.fail_json(msg=f"The repository is damaged: {result['damaged'][0]['message']}.", **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
