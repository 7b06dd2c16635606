#!/usr/bin/python
# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: history_info
short_description: Read what was seen, told, and is still to be told
version_added: 1.0.0
description:
  - Reads the store on the host it runs on. The history of playbooks is on the controller, so delegate the task to C(localhost) for that.
  - The store is only read. One that does not exist has no entries, and a warning says so.
author:
  - vigil.ops contributors (@vigil-ops)
extends_documentation_fragment:
  - vigil.ops._attributes
  - vigil.ops._attributes.info_module
  - vigil.ops._attributes.action
  - vigil.ops._attributes.actiongroup_all
  - vigil.ops._store
attributes:
  async:
    support: full
options:
  kind:
    description:
      - V(results) are the results of checks, V(changes) those whose status differs from the run before, and every change of a DNS name that
        M(vigil.ops.dns_diff) found.
      - V(events) are the alerts and messages that were to be told.
      - V(outbox) are messages that wait to be sent, V(dead) those that a receiver refused for good, or that nobody
        served the channel of for a week (C(code) is V(expired)).
      - V(alerts) are the alerts that last, V(silences) the silences that do (with O(since) also those that ended after it).
    type: str
    choices: [results, changes, events, outbox, dead, alerts, silences]
    default: results
  name:
    description:
      - Only entries of this host (instance), this check, or this DNS name or view. C(*) and C(?) stand for any characters, upper and lower case are alike.
    type: str
  since:
    description:
      - Only entries after this time, such as V(2026-11-21T08:00:00Z), or of the last V(24h), V(7d).
    type: str
  limit:
    description:
      - At most so many entries, the newest.
    type: int
    default: 100
  state_url:
    description:
      - The store, such as C(sqlite:////var/lib/vigil/state.db). The default is the store of the user the task runs as.
      - What is over is forgotten after 90 days, or after the time in the URL's parameter C(keep), such as
        C(sqlite:////var/lib/vigil/state.db?keep=30d), at least a day. The URL of the run that writes counts.
    type: str
    default: default
seealso:
  - module: vigil.ops.inspect
  - module: vigil.ops.notify
"""

EXAMPLES = r"""
- name: What has changed in the last day
  vigil.ops.history_info:
    kind: changes
    since: 24h
  delegate_to: localhost
  run_once: true
  register: history

- name: What was refused by a receiver, and why
  vigil.ops.history_info:
    kind: dead
    state_url: sqlite:////srv/vigil/state.db
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
entries:
  description:
    - The entries, newest first.
    - Of results C(time), C(host), C(check), C(probe), C(status), C(was), C(severity), C(summary), C(reason), C(since) and C(metrics).
    - Of DNS changes what RV(vigil.ops.dns_diff#module:changes) has, and C(view).
    - Events have the format of C(docs/schema/event.schema.json).
    - Of messages C(event_id), C(alert_id), C(channel) (its name, never its URL), C(state), C(time), C(updated), C(next), C(attempts), C(code),
      C(message) (why it is still here), C(status), C(severity), C(service), C(instance), C(check) and C(event).
    - Of alerts C(alert_id), C(service), C(instance), C(check), C(severity), C(message), C(since), C(seen), C(count) and C(acknowledged); of
      silences what M(vigil.ops.silence) returns.
  returned: success
  type: list
  elements: dict
"""

from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.history import history
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import StateError, default_url
from ansible_collections.vigil.ops.plugins.module_utils._module import SilentModule

ARGUMENT_SPEC = {
    "kind": {"type": "str", "choices": ["results", "changes", "events", "outbox", "dead", "alerts", "silences"], "default": "results"},
    "name": {"type": "str"},
    "since": {"type": "str"},
    "limit": {"type": "int", "default": 100},
    "state_url": {"type": "str", "default": "default"},
}


def main() -> None:
    module = SilentModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    url = default_url() if params["state_url"] == "default" else params["state_url"]
    try:
        entries, notices = history(url, params["kind"], params["name"], params["since"], params["limit"])
    except StateError as exc:
        module.fail_json(msg=f"state_url: {exc}")
    except ValueError as exc:
        module.fail_json(msg=str(exc))
    for notice in notices:
        module.warn(notice)
    module.exit_json(changed=False, entries=entries)


if __name__ == "__main__":
    main()
