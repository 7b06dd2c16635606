#!/usr/bin/python
# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_info
short_description: List snapshots and verify them
version_added: 1.0.0
description:
  - Lists the snapshots of a repository of M(vigil.ops.backup), and reads back what is in it where asked.
author:
  - vigil.ops contributors (@vigil-ops)
extends_documentation_fragment:
  - vigil.ops._repository
  - vigil.ops._repository.read
  - vigil.ops._attributes
  - vigil.ops._attributes.info_module
  - vigil.ops._attributes.actiongroup_all
options:
  name:
    description: Name of a job. The default is all of them.
    type: str
  verify:
    description:
      - V(quick) looks at records, manifests and sizes; V(full) reads every content back and compares its hash.
    type: str
    choices: [none, quick, full]
    default: none
seealso:
  - module: vigil.ops.backup
  - module: vigil.ops.restore
"""

EXAMPLES = r"""
- name: Is all of it still what was written?
  vigil.ops.backup_info:
    repository: /var/backups/vigil
    verify: full
  register: backups
  failed_when: backups.problems
"""

RETURN = r"""
snapshots:
  description:
    - The snapshots, oldest first, each with C(id), C(name), C(time), C(host), C(parent), C(stats), the numbers C(added), C(modified), C(removed), and the
      files that were C(torn).
  returned: success
  type: list
  elements: dict
  sample: [{"id": "20261121T164723Z-28061da5", "name": "etc", "time": "2026-11-21T16:47:23Z"}]
problems:
  description: What is not as it was written, as C(message), the C(snapshots) that it touches and the C(paths) whose content is lost.
  returned: success
  type: list
  elements: dict
  sample: []
"""

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import check_name
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
    "name": {"type": "str"},
    "verify": {"type": "str", "choices": ["none", "quick", "full"], "default": "none"},
}


ALTERNATIVES: dict[str, t.Any] = {
    "mutually_exclusive": [("repository", "remote")],
    "required_one_of": [("repository", "remote")],
}


def main() -> None:
    module = SilentModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, **ALTERNATIVES)
    engine: t.Any = restore_restic if module.params["engine"] == "restic" else flow
    more = {"stream": stream} if engine is restore_restic else {}
    name = module.params["name"]
    try:
        source = engine.read_source(module.params)
        name = name if name is None else check_name(name)
    except ValueError as exc:
        conceal(module.params)
        module.fail_json(msg=f"The options cannot be used: {exc}.")
    conceal(module.params)
    try:
        result = engine.info(source, name, module.params["verify"], run, **more)
    except BackupError as exc:
        result = {"failed": True, "msg": f"The repository cannot be read: {exc}."}
    finish(module, {"changed": False, **result}, source.secrets())


if __name__ == "__main__":
    main()
