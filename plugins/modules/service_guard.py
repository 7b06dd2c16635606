#!/usr/bin/python
# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_guard
short_description: Restart a service that keeps failing, and make sure that it helped
version_added: 1.0.0
description:
  - Looks at a service with checks. When it fails so many times in a row, counted over the runs, it is restarted through systemd and looked at
    again with the same checks, until it is well or O(verify_timeout) is over.
  - Restarts are limited. After O(max_restarts) O(within) a time the guard gives up, says so once, and does nothing until the service was seen
    well again. Between two restarts of an outage it waits, each time twice as long (O(backoff)).
  - Nothing is restarted where that would not help. That is the case while something that the service needs fails (O(depends_on)), while a disk is full
    (O(paths)), while the unit is masked (somebody did that on purpose), or when there is no such unit.
  - What is counted is kept on the host (O(state_url)) before anything is restarted, so that a run that is killed, or a second one at the same
    time, restarts nothing twice.
  - The task is V(changed) when something was restarted.
author:
  - vigil.ops contributors (@vigil-ops)
extends_documentation_fragment:
  - vigil.ops._attributes
  - vigil.ops._attributes.action
  - vigil.ops._attributes.actiongroup_all
  - vigil.ops._store
attributes:
  check_mode:
    support: full
    details:
      - Looks, and says what would be restarted. Nothing is restarted or stored, and C(command) checks do not run.
  diff_mode:
    support: full
    details:
      - Shows the services that are restarted before and after.
  async:
    support: none
options:
  service:
    description:
      - The unit, such as V(nginx) or V(backup.timer).
    type: str
  guards:
    description:
      - Several services in one round trip, instead of O(service). Each is the name of a unit, or a mapping with C(service) and those of the options
        O(checks) to O(paths) that are not the same for all.
      - Services that others need (O(depends_on)) come first.
    type: list
    elements: raw
  checks:
    description:
      - When the service is well, in the check language of M(vigil.ops.inspect). It fails when one of them is V(critical).
      - Without any, the unit must be active, and systemd must not have restarted it O(failures) times (twice at least) since the last look.
    type: list
    elements: dict
    default: []
  failures:
    description:
      - So many looks in a row must be bad before anything is done. Looks of earlier runs count; those of more than a day ago, or before the host
        was booted, do not.
    type: int
    default: 3
  interval:
    description:
      - When the first look of a run is bad, look again after so long, until O(failures) are together or it is well.
      - With V(0s) a run looks once, so that the schedule of the runs is the interval.
    type: str
    default: 0s
  verify_timeout:
    description:
      - How long a restart, and the service's way to being well, may take.
    type: str
    default: 60s
  max_restarts:
    description:
      - At most so many restarts O(within) a time, whether they helped or not. With V(0) nothing is ever restarted, only told.
    type: int
    default: 3
  within:
    description:
      - The time in which restarts are counted.
    type: str
    default: 30m
  backoff:
    description:
      - The pause after the first restart of an outage; it doubles with each further one.
    type: str
    default: 30s
  grace:
    description:
      - The time that a service has to come up after a restart, or after it was started by anybody else; bad looks do not count in it.
    type: str
    default: 30s
  depends_on:
    description:
      - What the service needs, as a list of names of units and of checks. A name that is one of O(guards) is guarded itself, and tells for itself.
      - While one of them fails nothing is restarted.
    type: list
    elements: raw
    default: []
  restart_command:
    description:
      - A program with its arguments that restarts the service where systemd does not know it, or does not run the host. No shell is used.
    type: list
    elements: str
  paths:
    description:
      - Where the service must be able to write. Nothing is restarted while one of these file systems is full, that is with less than 8 MiB and
        5 percent free, or without a free inode.
    type: list
    elements: str
    default: [/, /var, /tmp]
  restart:
    description:
      - With V(false) nothing is restarted; the look counts all the same, and what would be restarted has the status V(due).
    type: bool
    default: true
  recheck:
    description:
      - This look repeats that of a task before (with O(restart=false)), so what is bad does not count a second time.
    type: bool
    default: false
  stop_when_worse:
    description:
      - Once a restart has made a service worse on any host, other tasks of the same run of Ansible with this option restart nothing any more.
    type: bool
    default: false
  only_validate:
    description:
      - Only read the options; the host is not touched.
    type: bool
    default: false
  state_url:
    description:
      - The store B(on the host). V(default) is that of the user the task runs as.
    type: str
    default: default
  history_url:
    description:
      - The store B(on the controller) that remembers which events were received. The default is the environment variable E(VIGIL_STATE_URL) of
        the controller, and without it the store of the user who runs Ansible.
    type: str
  acknowledge:
    description:
      - With V(received) an event is not returned again once its result reached the controller.
      - With V(told) it is returned again until M(vigil.ops.notify) got it (O(vigil.ops.notify#module:results)) and has kept it for the channels.
    type: str
    choices: [received, told]
    default: received
  show:
    description:
      - Print a line for each service at the end of the run.
    type: bool
    default: false
  batch:
    description:
      - Set by the action part, the last RV(batch) that was received.
    type: str
seealso:
  - module: vigil.ops.inspect
  - module: vigil.ops.notify
"""

EXAMPLES = r"""
- name: Keep nginx running
  vigil.ops.service_guard:
    service: nginx
    checks:
      - name: front page
        http: {url: "http://127.0.0.1/health", timeout: 3}
        expect: {status: 200}
    failures: 3
    interval: 10s
    max_restarts: 3
    within: 30m

- name: Services of a node, those first that others need
  vigil.ops.service_guard:
    grace: 1m
    guards:
      - postgresql
      - service: shop
        depends_on:
          - postgresql
          - {name: queue, tcp: {host: queue.example.com, port: 5672}}
        paths: [/, /var/lib/shop]

- name: A program that systemd does not know
  vigil.ops.service_guard:
    service: legacy
    checks:
      - name: port
        tcp: {host: 127.0.0.1, port: 7000}
    restart_command: [/opt/legacy/bin/ctl, restart]
"""

RETURN = r"""
healthy:
  description: Whether all services are well; null where that could not be seen.
  returned: success
  type: bool
  sample: true
restarted:
  description: Whether something was restarted.
  returned: success
  type: bool
  sample: true
attempts:
  description: How many restarts there were in the present outages, the last one of this run included.
  returned: success
  type: int
  sample: 1
recovered:
  description: Whether an outage is over since this run.
  returned: success
  type: bool
  sample: true
status:
  description:
    - The worst status of a service. V(healthy), V(grace) (it is starting), V(unknown) (it could not be seen), V(failing) (not often enough yet),
      V(waiting) (for the next restart), V(due) (a restart is due, and O(restart=false) or check mode), V(restarted) (which has not helped yet),
      V(dependency), V(disk), V(manager) (no systemd), V(masked), V(missing) (there is no such unit), V(worse) (since the restart) or V(given_up).
  returned: success
  type: str
  sample: healthy
reason:
  description: What is wrong in one word, such as V(refused), V(failed), V(restart_loop); empty when nothing is.
  returned: success
  type: str
  sample: refused
message:
  description: What is wrong, and what is done about it, in a sentence.
  returned: success
  type: str
  sample: "front page: 127.0.0.1:80 refused (2 of 3 looks)"
guards:
  description: One entry for each service, those first that others need.
  returned: success
  type: list
  elements: dict
  contains:
    service: {description: The service as it was given., type: str, returned: always, sample: nginx}
    unit: {description: Its unit., type: str, returned: always, sample: nginx.service}
    healthy: {description: As RV(healthy)., type: bool, returned: always, sample: false}
    status: {description: As RV(status)., type: str, returned: always, sample: failing}
    reason: {description: As RV(reason)., type: str, returned: always, sample: refused}
    message: {description: As RV(message)., type: str, returned: always, sample: "front page: 127.0.0.1:80 refused (2 of 3 looks)"}
    failures: {description: Bad looks in a row that count., type: int, returned: always, sample: 2}
    since: {description: When the outage was first seen., type: str, returned: always, sample: "2026-11-20T12:34:56Z"}
    restarted: {description: Whether it was restarted in this run., type: bool, returned: always, sample: false}
    attempts: {description: Restarts in this outage., type: int, returned: always, sample: 0}
    recovered: {description: Whether its outage is over since this run., type: bool, returned: always, sample: false}
    caused_by: {description: What it needs and that fails., type: str, returned: always, sample: postgresql.service}
    results:
      description: The last results of its checks, with C(name), C(status), C(reason) and C(summary).
      type: list
      elements: dict
      returned: always
      sample: [{"name": "front page", "status": "critical", "reason": "refused", "summary": "127.0.0.1:80 refused"}]
events:
  description:
    - What is to be told, oldest first, those of earlier runs that were not received included. C(service) is the unit, C(kind) is V(restart),
      V(recovered), V(given_up), V(worse), V(unseen) (O(failures) looks in a row saw nothing), or what keeps the guard from
      restarting (V(dependency), V(disk), V(manager), V(masked), V(missing)).
    - C(status) is V(firing) or V(resolved). There are also C(severity), C(message), C(reason), C(attempts), C(downtime) in seconds, C(caused_by),
      C(time), and C(at) and C(since) in seconds since the epoch. C(number) and C(ledger) name the event.
  returned: success
  type: list
  elements: dict
  sample: [{"service": "nginx.service", "kind": "recovered", "status": "resolved", "severity": "info", "downtime": 42.1, "attempts": 1,
            "message": "it is well again after 1 restart; it was down for 42s", "time": "2026-11-20T12:34:56Z", "number": 8}]
stopped:
  description: Why nothing is restarted any more in this run of Ansible (O(stop_when_worse)); null when nothing stops it.
  returned: success
  type: str
  sample: "web1: the restart made it worse"
batch:
  description: Names the events that were returned; empty when there are none.
  returned: success
  type: str
  sample: "6bf4faf0aa82d7b2:8"
receipt:
  description: Where the controller keeps RV(batch).
  returned: success
  type: str
  sample: web1:6bf4faf0aa82d7b2
"""

from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import guard as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.errors import StateError
from ansible_collections.vigil.ops.plugins.module_utils._module import SilentModule, finish, open_state
from ansible_collections.vigil.ops.plugins.module_utils._runner import run as run_program

ARGUMENT_SPEC = {
    "service": {"type": "str"},
    "guards": {"type": "list", "elements": "raw"},
    "checks": {"type": "list", "elements": "dict", "default": []},
    "failures": {"type": "int", "default": 3},
    "interval": {"type": "str", "default": "0s"},
    "verify_timeout": {"type": "str", "default": "60s"},
    "max_restarts": {"type": "int", "default": 3},
    "within": {"type": "str", "default": "30m"},
    "backoff": {"type": "str", "default": "30s"},
    "grace": {"type": "str", "default": "30s"},
    "depends_on": {"type": "list", "elements": "raw", "default": []},
    "restart_command": {"type": "list", "elements": "str"},
    "paths": {"type": "list", "elements": "str", "default": ["/", "/var", "/tmp"]},
    "restart": {"type": "bool", "default": True},
    "recheck": {"type": "bool", "default": False},
    "stop_when_worse": {"type": "bool", "default": False},
    "only_validate": {"type": "bool", "default": False},
    "state_url": {"type": "str", "default": "default"},
    "history_url": {"type": "str"},
    "acknowledge": {"type": "str", "choices": ["received", "told"], "default": "received"},
    "show": {"type": "bool", "default": False},
    "batch": {"type": "str"},
}


def main() -> None:
    module = SilentModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    try:
        guards = flow.read(params)
        store = open_state(module, params["state_url"])
        given = (params["restart"], params["batch"] or "", params["recheck"])
        result = flow.guard(guards, store, run_program, module.check_mode, *given)
    except flow.Refusal as exc:
        module.fail_json(msg=f"The options cannot be used: {exc}")
    except StateError as exc:
        module.fail_json(msg=f"state_url: {exc} Nothing that is not kept is restarted.")
    if not module._diff:
        del result["diff"]
    finish(module, result, flow.secrets_of(guards))


if __name__ == "__main__":
    main()
