#!/usr/bin/python
# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: check_suggest
short_description: Write a list of checks from a live host
version_added: 1.0.0
description:
  - Reads what runs on a host, and returns checks that describe it as it is, for M(vigil.ops.inspect) and its playbook. The list is meant to be read,
    cut and committed.
  - Every check was tried on the host, and all that are returned hold there now. What did not hold is in RV(left_out), as it may be a fault.
  - Limits are the usual ones; a disk that is fuller than these today gets a limit between what is used and full.
author:
  - vigil.ops contributors (@vigil-ops)
extends_documentation_fragment:
  - vigil.ops._attributes
  - vigil.ops._attributes.info_module
  - vigil.ops._attributes.actiongroup_all
options:
  include:
    description:
      - V(services) that run, and whether they start with the system (systemd).
      - V(ports) on which programs listen; those that the kernel chose are left out.
      - V(mounts) of file systems with files, with their space and inodes.
      - V(certificates) in the places where servers usually keep them, and in O(certificates).
      - V(limits) of load, memory, swap and processes, and the settings in C(/etc/sysctl.conf) and C(/etc/sysctl.d).
    type: list
    elements: str
    choices: [services, ports, mounts, certificates, limits]
    default: [services, ports, mounts, certificates, limits]
  certificates:
    description:
      - More files with certificates, as paths that may hold C(*) and C(?).
    type: list
    elements: str
    default: []
  timeout:
    description:
      - The time for trying the checks.
    type: str
    default: 60s
notes:
  - Programs behind ports, and certificates beside keys, are seen by root alone; run it with C(become).
seealso:
  - module: vigil.ops.inspect
"""

EXAMPLES = r"""
- name: Read what runs on the host
  vigil.ops.check_suggest:
  become: true
  register: suggested

- name: Write it down for the host
  ansible.builtin.copy:
    content: "{{ {'vigil_checks_own': suggested.checks} | to_nice_yaml(indent=2, sort_keys=false) }}"
    dest: "{{ inventory_dir }}/host_vars/{{ inventory_hostname }}/checks.yml"
    mode: "0644"
  delegate_to: localhost

- name: Only what listens, and the certificates of one program
  vigil.ops.check_suggest:
    include: [ports, certificates]
    certificates: ["/opt/shop/tls/*.pem"]
"""

RETURN = r"""
checks:
  description: The checks, in the check language of the collection. All of them are C(ok) on this host now.
  returned: success
  type: list
  elements: dict
  sample:
    - name: service nginx
      service: {name: nginx}
      expect: {active: true, enabled: true}
    - name: disk /
      disk: {path: /}
      expect: {used_percent: "< 90", read_only: false}
      warn: {used_percent: "< 80"}
left_out:
  description: What was found and does not hold now, with C(name), C(status) and C(summary).
  returned: success
  type: list
  elements: dict
  sample: [{"name": "certificate /etc/nginx/tls/shop.crt", "status": "warning", "summary": "days_left is 12.4, expected > 21"}]
notes:
  description: What could not be seen on this host, in sentences.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import suggest as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.suggest import AREAS
from ansible_collections.vigil.ops.plugins.module_utils._module import SilentModule, read_duration
from ansible_collections.vigil.ops.plugins.module_utils._runner import run as run_program

ARGUMENT_SPEC = {
    "include": {"type": "list", "elements": "str", "choices": list(AREAS), "default": list(AREAS)},
    "certificates": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "str", "default": "60s"},
}


def main() -> None:
    module = SilentModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    timeout = read_duration(module, "timeout")
    if timeout <= 0:
        module.fail_json(msg=f"timeout is {module.params['timeout']}; it must be more than 0")
    found = flow.suggest(run_program, module.params["include"], module.params["certificates"], timeout)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
