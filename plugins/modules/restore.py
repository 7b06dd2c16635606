#!/usr/bin/python
# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: restore
short_description: Put back any point in time
version_added: 1.0.0
description:
  - Puts back what differs from a snapshot of M(vigil.ops.backup), and nothing else. What is there besides stays, unless O(exact).
  - Each file is replaced whole or not at all. Nothing outside of the paths is touched, also where a symlink leads there.
  - The snapshot is O(snapshot), or the last one before O(at), or the newest.
author:
  - vigil.ops contributors (@vigil-ops)
extends_documentation_fragment:
  - vigil.ops._repository
  - vigil.ops._repository.read
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
  name:
    description: Name of the job.
    type: str
    default: default
  snapshot:
    description: Id of a snapshot, as M(vigil.ops.backup_info) lists them.
    type: str
  at:
    description:
      - A moment such as V(2026-11-20 12:00) in the host's time, V(2026-11-20T12:00:00Z), V(2026-11-20 12:00 +02:00), or seconds since 1970.
        The last snapshot until then is taken. A date alone means its end, and so does a minute.
    type: str
  paths:
    description: What to put back, with all below it. The default is everything.
    type: list
    elements: path
  dest:
    description: A directory below which the original paths are made. Without it they are put back in their places.
    type: path
  backup:
    description: Rename what is replaced, with its time in the name, instead of losing it.
    type: bool
    default: false
  exact:
    description:
      - Remove what is below the paths of the backup and not in the snapshot, when all else is put back. A directory then makes way for a file.
      - What the backup left out (O(vigil.ops.backup#module:exclude) and the like) or could not read stays, and so do sockets and other file systems.
    type: bool
    default: false
  mask:
    description: Regular expressions of what the diff must not show; the groups of an expression, or all of it where it has none.
    type: list
    elements: str
  devices:
    description: Put back device files, too.
    type: bool
    default: false
seealso:
  - module: vigil.ops.backup
  - module: vigil.ops.backup_info
"""

EXAMPLES = r"""
- name: Put back yesterday's configuration of nginx
  vigil.ops.restore:
    repository: /var/backups/vigil
    name: etc
    at: "2026-11-20 12:00"
    paths: [/etc/nginx]
    backup: true

- name: Look at all of it in another place
  vigil.ops.restore:
    repository: /var/backups/vigil
    name: etc
    dest: /tmp/yesterday
"""

RETURN = r"""
snapshot: {description: Id of the snapshot., returned: success, type: str, sample: 20261121T164723Z-28061da5}
restored: {description: "Paths that were put back, at most 1000.", returned: success, type: list, elements: str, sample: [/etc/main.conf]}
removed: {description: "With O(exact), paths that were removed, at most 1000.", returned: success, type: list, elements: str, sample: []}
kept: {description: Where O(backup) has put what was replaced., returned: success, type: list, elements: str, sample: []}
stats:
  description: How many paths were C(restored) and C(removed).
  returned: success
  type: dict
  sample: {"restored": 1, "removed": 0}
"""

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import restore as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import restore_restic
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.backup_programs import conceal
from ansible_collections.vigil.ops.plugins.module_utils._module import SilentModule, finish
from ansible_collections.vigil.ops.plugins.module_utils._runner import run
from ansible_collections.vigil.ops.plugins.module_utils._streams import stream

ARGUMENT_SPEC = {
    "repository": {"type": "path"},
    "remote": {"type": "raw"},
    "engine": {"type": "str", "choices": ["archive", "restic"], "default": "archive"},
    "restic": {"type": "dict", "no_log": False},
    "name": {"type": "str", "default": "default"},
    "snapshot": {"type": "str"},
    "at": {"type": "str"},
    "paths": {"type": "list", "elements": "path"},
    "dest": {"type": "path"},
    "backup": {"type": "bool", "default": False},
    "exact": {"type": "bool", "default": False},
    "mask": {"type": "list", "elements": "str"},
    "devices": {"type": "bool", "default": False},
}


ALTERNATIVES: dict[str, t.Any] = {
    "mutually_exclusive": [("repository", "remote"), ("snapshot", "at")],
    "required_one_of": [("repository", "remote")],
}


def main() -> None:
    module = SilentModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, **ALTERNATIVES)
    engine: t.Any = restore_restic if module.params["engine"] == "restic" else flow
    more = {"stream": stream} if engine is restore_restic else {}
    try:
        request = engine.read_request(module.params)
    except ValueError as exc:
        conceal(module.params)
        module.fail_json(msg=f"The options cannot be used: {exc}.")
    conceal(module.params)
    try:
        result = engine.restore(request, run, module.check_mode, module._diff, **more)
    except BackupError as exc:
        finish(module, {"failed": True, "msg": f"Not everything was restored: {exc}."}, request.secrets())
    text = result.pop("text")
    if module._diff:
        result["diff"] = {"prepared": text}
    for warning in result.pop("warnings"):
        module.warn(warning)
    finish(module, result, request.secrets())


if __name__ == "__main__":
    main()
