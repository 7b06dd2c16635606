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
  - vigil.ops._attributes
  - vigil.ops._attributes.info_module
  - vigil.ops._attributes.actiongroup_all
options:
  repository:
    description: The directory of the repository on the same host.
    type: path
    required: true
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

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.repository import Repository, check_name
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import backup as flow

ARGUMENT_SPEC = {
    "repository": {"type": "path", "required": True},
    "name": {"type": "str"},
    "verify": {"type": "str", "choices": ["none", "quick", "full"], "default": "none"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    name = module.params["name"]
    try:
        repository = Repository(flow.read_repository(module.params["repository"]))
        result = flow.info(repository, name if name is None else check_name(name), module.params["verify"])
    except ValueError as exc:
        module.fail_json(msg=f"The options cannot be used: {exc}.")
    except BackupError as exc:
        module.fail_json(msg=f"The repository cannot be read: {exc}.")
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
