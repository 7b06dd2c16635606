#!/usr/bin/python
# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: watcher_program
short_description: Put the program of the watcher on a host
version_added: 1.0.0
description:
  - Unpacks the program that a watcher runs, the engine of this collection, below O(dest), each version in a directory of its own, and points C(current) to it.
  - The role P(vigil.ops.watcher#role) uses it. Nothing is started or restarted.
author:
  - vigil.ops contributors (@vigil-ops)
extends_documentation_fragment:
  - vigil.ops._attributes
  - vigil.ops._attributes.action
  - vigil.ops._attributes.actiongroup_all
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  async:
    support: none
options:
  dest:
    description:
      - The directory, absolute.
    type: path
    default: /opt/vigil
  state:
    description:
      - V(present) puts the program of this collection there.
      - V(previous) points back to the version that was there before, such as after one that does not run.
      - V(absent) removes all versions, and O(dest) where nothing else is in it.
    type: str
    choices: [present, previous, absent]
    default: present
  keep:
    description:
      - How many versions are kept, the present one among them.
    type: int
    default: 2
  version:
    description:
      - Given by the controller.
    type: str
  archive:
    description:
      - Given by the controller.
    type: path
seealso:
  - module: vigil.ops.service_guard
"""

EXAMPLES = r"""
- name: The program of the watcher
  vigil.ops.watcher_program:
    dest: /opt/vigil
  become: true
"""

RETURN = r"""
version:
  description: The version that C(current) points to, empty when there is none.
  returned: success
  type: str
  sample: 6bf4faf0aa82d7b2
previous:
  description: The version before it that is still there, empty when there is none.
  returned: success
  type: str
  sample: ""
path:
  description: Where it is.
  returned: success
  type: str
  sample: /opt/vigil/current
"""

import os
import tarfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.vigil.ops.plugins.module_utils._versions import Versions

ARGUMENT_SPEC = {
    "dest": {"type": "path", "default": "/opt/vigil"},
    "state": {"type": "str", "choices": ["present", "previous", "absent"], "default": "present"},
    "keep": {"type": "int", "default": 2},
    "version": {"type": "str"},
    "archive": {"type": "path"},
}


def _wanted(module: AnsibleModule, place: Versions) -> str:
    """The version that is to be used; empty for none."""
    if module.params["state"] == "absent":
        return ""
    if module.params["state"] == "present":
        if not module.params["version"]:
            module.fail_json(msg="This module is run through its action part, which brings the program along.")
        return str(module.params["version"])
    others = place.others()
    if not others:
        module.fail_json(msg=f"There is no version in {place.dest} but the present one.", changed=False)
    return others[0]


def _apply(module: AnsibleModule, place: Versions, wanted: str) -> bool:
    """Make it so; False when the program has to be brought first."""
    if not wanted:
        place.remove()
        return True
    if not os.path.isdir(os.path.join(place.versions, wanted)):
        if not module.params["archive"]:
            return False
        place.unpack(module.params["archive"], wanted)
    place.use(wanted)
    place.tidy(module.params["keep"])
    return True


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    dest = module.params["dest"]
    if not dest.startswith("/") or os.path.normpath(dest) == "/":
        module.fail_json(msg=f"dest is {dest!r}; it must be an absolute path of a directory of its own.")
    place = Versions(os.path.normpath(dest))
    before = place.current()
    wanted = _wanted(module, place)
    changed = before != wanted or (not wanted and os.path.isdir(place.versions))
    needed = False
    if changed and not module.check_mode:
        try:
            needed = not _apply(module, place, wanted)
        except (OSError, ValueError, tarfile.TarError) as exc:
            module.fail_json(msg=f"The program could not be put into {dest}: {exc}", changed=False)
    others = [name for name in place.others() if name != wanted]
    diff = {
        "before": f"version {before or 'none'}\n",
        "after": f"version {wanted or 'none'}\n",
        "before_header": dest,
        "after_header": dest,
    }
    module.exit_json(
        changed=changed, needed=needed, version=wanted, previous=(others or [""])[0], path=place.link, **({"diff": diff} if changed else {})
    )


if __name__ == "__main__":
    main()
