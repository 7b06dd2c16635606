#!/usr/bin/python
# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: silence
short_description: Mute matching alerts for a time, or acknowledge one
version_added: 1.0.0
description:
  - Keeps a silence in the store. While it lasts, alerts that match are kept and counted as usual, and nobody is told of them by
    M(vigil.ops.notify) and the callback P(vigil.ops.webhook#callback) of runs on the same store. An alert that still lasts when the silence ends is
    told when it is observed next.
  - The end of an alert is told to those who were told of its beginning, in a silence as well.
  - With O(alert_id) it acknowledges one alert, so that nobody is told of it again and it is not escalated. Those who were told of it are told that
    somebody takes care, with the next run or with M(vigil.ops.notify) and O(vigil.ops.notify#module:flush). It ends with the alert. A
    risen severity is told nevertheless.
  - Recurring maintenance windows, and silences that belong into version control, are data in C(vigil_alerts), see O(vigil.ops.notify#module:alerts).
  - Runs on the controller alone.
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
    details:
      - Says what would be and which open alerts are meant. Nothing is stored.
  diff_mode:
    support: full
options:
  matchers:
    description:
      - What the alerts must be; all must hold. Keys are C(severity), C(service), C(instance), C(check), C(group) (of the inventory), C(alert_id),
        C(fingerprint) and C(labels.NAME).
      - A value is text (C(*) and C(?) stand for any characters), a list of which one must hold, or a matcher such as V(~ ^web[0-9]+), V(!= db).
        Severities have an order, V(>= error).
      - The same matchers are the same silence, which gets the new end.
    type: dict
  alert_id:
    description:
      - The alert to acknowledge, such as V(VGL-20261120T123456Z-7c1f09a2b3). M(vigil.ops.history_info) with C(kind=alerts) lists the open ones,
        every event as JSON has it, and a template of C(vigil_alerts) can show it in chats.
    type: str
  id:
    description:
      - The silence to end or to change, as RV(silence) had it.
    type: str
  until:
    description:
      - When it ends, such as V(2026-11-21T20:00:00Z), or V(2026-11-21 20:00) in the controller's time zone.
    type: str
  duration:
    description:
      - How long it lasts, such as V(2h).
    type: str
  starts:
    description:
      - When it begins, in the form of O(until). It is now where this is left out.
    type: str
  comment:
    description:
      - Why.
    type: str
    default: ""
  author:
    description:
      - Who. The user of the controller, or the one who launched the job in AWX, where this is left out.
    type: str
  state:
    description:
      - V(present) silences or acknowledges, V(absent) ends that now.
    type: str
    choices: [present, absent]
    default: present
  state_url:
    description:
      - The store on the controller, such as C(sqlite:////var/lib/vigil/state.db). V(default) is the store of the user who runs Ansible.
      - When it is left out, the environment variable E(VIGIL_STATE_URL) of the controller counts, without that the default.
    type: str
seealso:
  - module: vigil.ops.notify
  - module: vigil.ops.history_info
"""

EXAMPLES = r"""
- name: Nobody is told of the shop for two hours
  vigil.ops.silence:
    matchers: {service: shop}
    duration: 2h
    comment: Release 4.2
  run_once: true

- name: Mute the web hosts while they are patched, all but what is critical
  vigil.ops.silence:
    matchers: {group: web, severity: "< critical"}
    until: 2026-11-21T20:00:00Z
  run_once: true

- name: It went faster than expected
  vigil.ops.silence:
    matchers: {service: shop}
    state: absent
  run_once: true

- name: I look after this one
  vigil.ops.silence:
    alert_id: VGL-20261120T123456Z-7c1f09a2b3
    comment: Disk is ordered
  run_once: true
"""

RETURN = r"""
silence:
  description: The silence or the acknowledgement.
  returned: success
  type: dict
  contains:
    id:
      description: The name of the silence; null for an acknowledgement, or where there was nothing to end.
      type: str
      sample: VGS-20261121T180000Z-1f2e3d4c5b
    matchers:
      description: What it is about.
      type: dict
    alert_id:
      description: The alert that is acknowledged.
      type: str
    starts_at:
      description: When it begins.
      type: str
    ends_at:
      description: When it ends; null for an acknowledgement that ends with its alert.
      type: str
    comment:
      description: Why.
      type: str
    author:
      description: Who.
      type: str
    state:
      description: V(active), V(pending) (it begins later), V(expired), V(acknowledged), V(resolved) (the alert was over already), V(absent).
      type: str
    matched:
      description: How many open alerts it is about now.
      type: int
    alerts:
      description: The first twenty of them.
      type: list
      elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC = {
    "matchers": {"type": "dict"},
    "alert_id": {"type": "str"},
    "id": {"type": "str"},
    "until": {"type": "str"},
    "duration": {"type": "str"},
    "starts": {"type": "str"},
    "comment": {"type": "str", "default": ""},
    "author": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "state_url": {"type": "str"},
}
MUTUALLY_EXCLUSIVE = [["matchers", "alert_id", "id"], ["until", "duration"], ["alert_id", "starts"]]
REQUIRED_ONE_OF = [["matchers", "alert_id", "id"]]


def main() -> None:
    # The action plugin of the same name does the work; this file documents it.
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC, supports_check_mode=True, mutually_exclusive=MUTUALLY_EXCLUSIVE, required_one_of=REQUIRED_ONE_OF
    )
    module.fail_json(msg="vigil.ops.silence runs on the controller as an action; it cannot be run as a module")


if __name__ == "__main__":
    main()
