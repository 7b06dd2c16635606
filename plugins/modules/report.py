#!/usr/bin/python
# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Write one inspection report for the whole fleet
version_added: 1.0.0
description:
  - Turns what M(vigil.ops.inspect) returned on every host into one document, as a web page, Markdown, JSON, JUnit XML
    and a Prometheus text file.
  - Runs on the controller alone. Hosts that were unreachable, failed or never asked are in the report too.
  - Every file is written in one step, so a reader never sees half of it.
author:
  - vigil.ops contributors (@vigil-ops)
extends_documentation_fragment:
  - vigil.ops._attributes
  - vigil.ops._attributes.controller
  - vigil.ops._attributes.actiongroup_all
  - vigil.ops._store
attributes:
  check_mode:
    support: full
  diff_mode:
    support: partial
    details:
      - Of the web page, and of files above 200 000 characters, only the size is shown.
options:
  results:
    description:
      - What was registered on each host, as a mapping of host names. An unreachable, failed or skipped task is a result too,
        and so is what a task in a loop registered.
      - A list of such results is taken as well, each with C(name) or C(host).
      - When it is left out nothing is written; the call only checks that the other options are right and that O(dest) can be written.
        Use that as the first task of a play, so that a mistake is found before the hosts are inspected.
    type: raw
  dest:
    description:
      - The directory of the report on the controller. It is made with its parents when it is missing.
      - A relative path starts in the directory in which Ansible was started.
    type: path
    required: true
  formats:
    description:
      - What to write, one or more of V(html) (C(inspection.html)), V(md) (C(inspection.md)), V(json) (C(inspection.json)),
        V(junit) (C(inspection.xml)) and V(prometheus) (C(inspection.prom), for the textfile collector of node_exporter).
      - In JUnit a critical check is a failure and an unknown one an error; a warning passes.
    type: list
    elements: str
    default: [html, json, md]
  title:
    description:
      - The title of the report. The default is V(Inspection), or the same in Chinese.
    type: str
  language:
    description:
      - The language of the report, V(en) (English) or V(zh) (Chinese). Words that come from hosts stay as they are.
    type: str
    default: en
  history_url:
    description:
      - The store on the controller to take the last scores of each host from, for the trend in the report. It is only read.
      - V(default) is the store of the user who runs Ansible. When it is left out, the environment variable E(VIGIL_STATE_URL) of the
        controller counts; without that, or with an empty string, the report shows no trend.
    type: str
  show:
    description:
      - Print a short table and the path of the report when the whole run has ended, after the play recap.
      - Nothing is printed when the standard output is meant for a program, such as with the callback P(ansible.posix.json#callback).
    type: bool
    default: false
notes:
  - A report covers the fleet, so give the task C(run_once).
seealso:
  - module: vigil.ops.inspect
  - module: vigil.ops.notify
"""

EXAMPLES = r"""
- name: Inspect the fleet
  hosts: all
  gather_facts: false
  tasks:
    - name: Find a mistake in the report's options before any work
      vigil.ops.report:
        dest: reports
      run_once: true

    - name: Look at each host
      vigil.ops.inspect:
        checks_from: checks.yml
      register: inspection
      ignore_unreachable: true

- name: Report
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Write the report
      vigil.ops.report:
        results: >-
          {{ dict(groups['all'] | zip(groups['all'] | map('extract', hostvars) | map(attribute='inspection', default=none))) }}
        dest: reports
        formats: [html, json, prometheus]
        title: Production
        show: true
"""

RETURN = r"""
files:
  description: The files of the report by format, absolute paths. In check mode, and without O(results), those that would be written.
  returned: success
  type: dict
  sample: {"html": "/srv/reports/inspection.html", "json": "/srv/reports/inspection.json"}
summary:
  description:
    - Checks of the whole fleet by status (C(ok), C(warning), C(critical), C(unknown), C(skipped)), and the number of hosts that
      are C(unreachable).
  returned: when O(results) is given
  type: dict
  sample: {"ok": 87, "warning": 3, "critical": 1, "unknown": 0, "skipped": 0, "unreachable": 1}
host_counts:
  description: Hosts by status (C(ok), C(warning), C(critical), C(unknown), C(unreachable)).
  returned: when O(results) is given
  type: dict
  sample: {"ok": 9, "warning": 2, "critical": 1, "unknown": 0, "unreachable": 1}
score:
  description:
    - Mean of the scores of all hosts, 0 to 100; an unreachable host counts 0. At most 49 while a check of severity C(critical) fails.
    - Null when no host has a score.
  returned: when O(results) is given
  type: float
  sample: 93.4
status:
  description: The worst status of all hosts, V(ok), V(warning), V(unknown) or V(critical); an unreachable host counts as critical.
  returned: when O(results) is given
  type: str
  sample: warning
table:
  description: The short table as text, the worst hosts first, 30 at most.
  returned: when O(results) is given
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC = {
    "results": {"type": "raw"},
    "dest": {"type": "path", "required": True},
    "formats": {"type": "list", "elements": "str", "default": ["html", "json", "md"]},
    "title": {"type": "str"},
    "language": {"type": "str", "default": "en"},
    "history_url": {"type": "str"},
    "show": {"type": "bool", "default": False},
}


def main() -> None:
    # The action plugin of the same name does the work; this file documents it.
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="vigil.ops.report runs on the controller as an action; it cannot be run as a module")


if __name__ == "__main__":
    main()
