#!/usr/bin/python
# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: inspect
short_description: Run a list of checks on a host in one round trip
version_added: 1.0.0
description:
  - Looks at a host, and from it at others, with a list of checks, and returns a verdict for each, a score and the likely causes.
  - All checks of a host run at once, in one task. Nothing is written on the host unless O(state_url) is given, and nothing is changed.
  - Bad checks are refused on the controller, before the host is touched, with one sentence that names the check, the key and the nearest valid one.
  - A failed check does not fail the task unless O(fail_on) says so.
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
    support: none
options:
  checks:
    description:
      - The checks. Each is a mapping with a C(name), exactly one probe (such as C(http), C(tcp), C(service) or C(disk)) and, where the probe's
        own default does not fit, C(expect) and C(warn). The check language is described in C(docs/checks.md) of the collection.
      - A check that is there twice, word for word, counts once.
    type: list
    elements: dict
    default: []
  checks_from:
    description:
      - YAML or JSON files on the controller with more checks. Each holds a list, or a mapping with the key C(checks) or C(vigil_checks).
      - A goss file is read as well. What of it has no equivalent is left out, said in a warning, and returned as RV(left_out).
      - V(profile:linux), V(profile:web), V(profile:database), V(profile:container_host) and V(profile:three_tier) are checks of the collection.
    type: list
    elements: str
  variable:
    description:
      - Name of a variable with checks. The checks of every other variable whose name begins with it and an underscore are added, so that
        inventory groups and hosts contribute theirs.
      - Where the variable itself is not set, O(checks) count instead. Text in these variables is read as YAML, as the command line and
        surveys give it; an empty one contributes nothing.
    type: str
  only_validate:
    description:
      - Only read what is given, and open the history; the host is not touched.
    type: bool
    default: false
  concurrency:
    description:
      - How many checks run at the same time.
      - A check over the network that has waited for a quarter of a second makes room for another one, so that dead endpoints do not hold up the rest.
      - From 300 checks over the network on they are shared out between up to four processes, one for each processor.
    type: int
    default: 64
  timeout:
    description:
      - The time for all checks together, such as V(30s) or V(2m). What has not ended by then is C(unknown).
    type: str
    default: 60s
  fail_on:
    description:
      - From which status on the task fails. With V(warning), C(unknown) results count too.
    type: str
    choices: [never, warning, critical]
    default: never
  state_url:
    description:
      - A store B(on the host) that keeps the results, such as C(sqlite:////var/lib/vigil/state.db).
      - Without it nothing is written there.
    type: str
  history_url:
    description:
      - A store B(on the controller) that keeps the results, gives C(since), C(was) and C(confirmed), and feeds the thresholds that are written C(< baseline).
      - V(default) is the store of the user who runs Ansible. When it is left out, the environment variable E(VIGIL_STATE_URL) of the
        controller counts; without that no history is kept.
    type: str
  baselines:
    description:
      - The ranges behind C(< baseline), as check, then expression, then C(low), C(high) and C(n); C(usual) and C(spread) are shown where they
        are given. They come from O(history_url) by themselves.
    type: dict
    default: {}
  held:
    description:
      - The limits that were broken in the last run, for checks with a C(hysteresis), as check, then C(expect) and C(warn) with their expressions.
        They come from O(history_url) or O(state_url) by themselves.
    type: dict
    default: {}
  last_look:
    description:
      - What the probes left in the last run, RV(last_look), so that rates are taken over the time since then and nothing is waited for.
      - It comes from O(history_url) or O(state_url) by itself.
    type: dict
notes:
  - The engine needs Python 3.8 or newer on the host. Probes read C(/proc), so they need no psutil. Expressions beyond plain dotted paths need the
    Python library jmespath there, and DNS record types other than A and AAAA need dnspython; without them such a check is C(unknown) and says so.
  - A C(command) check does not run in check mode; its status is C(skipped).
seealso:
  - module: vigil.ops.report
  - module: vigil.ops.notify
  - module: vigil.ops.history_info
"""

EXAMPLES = r"""
- name: Look at a web shop
  vigil.ops.inspect:
    checks:
      - name: front page
        http: {url: "https://shop.example.com/health", timeout: 3}
        expect: {status: 200, json.status: up}
        warn: {latency_ms: "< 200"}
        severity: critical
        depends_on: [database port]
      - name: database port
        tcp: {host: 127.0.0.1, port: 5432}
      - name: root disk
        disk: {path: /}
        expect: {used_percent: "< 90"}
        warn: {used_percent: "< 80"}
      - name: ssh
        service: {name: ssh}
  register: inspection

- name: Stop a rollout when anything is critical
  vigil.ops.inspect:
    checks_from: checks/shop.yml
    fail_on: critical

- name: Look at a web server with what the collection brings along and what was written for goss
  vigil.ops.inspect:
    checks_from:
      - profile:linux
      - profile:web
      - goss.yaml
"""

RETURN = r"""
results:
  description: One verdict for each check, in the order of the checks.
  returned: when the checks were valid
  type: list
  elements: dict
  contains:
    name: {description: Name of the check., type: str, returned: always, sample: root disk}
    probe: {description: Name of its probe., type: str, returned: always, sample: disk}
    status:
      description: V(ok), V(warning) (a C(warn) does not hold), V(critical) (an C(expect) does not hold), V(unknown) (it could not be seen) or
        V(skipped) (it fails while a check it depends on fails, or it would run a command in check mode).
      type: str
      returned: always
      sample: critical
    severity: {description: Severity of the check., type: str, returned: always, sample: error}
    summary: {description: The finding as a sentence., type: str, returned: always, sample: "used_percent is 93.1, expected < 90"}
    reason: {description: The finding in one word., type: str, returned: always, sample: used_percent}
    observed: {description: What the expressions name and the numbers that were seen., type: dict, returned: always, sample: {"used_percent": 93.1}}
    failed:
      description: The expectations that do not hold, each with C(path), C(expected) and C(observed).
      type: list
      elements: dict
      returned: always
      sample: [{"path": "used_percent", "expected": "< 90", "observed": 93.1}]
    duration_ms: {description: How long the last attempt took., type: float, returned: always, sample: 12.4}
    attempts: {description: How many attempts it took., type: int, returned: always, sample: 1}
    labels: {description: Labels of the check., type: dict, returned: always, sample: {"service": "shop"}}
    annotations: {description: Annotations of the check., type: dict, returned: always, sample: {}}
    weight: {description: Weight in the score., type: float, returned: always, sample: 1}
    caused_by: {description: The failing check that explains this failure., type: str, returned: always, sample: database port}
    since: {description: Since when it has this status., type: str, returned: always, sample: "2026-11-20T12:34:56Z"}
    was: {description: The status of the last run., type: str, returned: always, sample: ok}
    confirmed:
      description: What stands by the history of the check, and what is told; with C(status), C(severity), how often the present finding was
        C(seen) of the C(needed) times (0 when it stands), whether it is C(flapping), and the C(change) over 21 looks in percent. Null without a history.
      type: dict
      returned: always
      sample: {"status": "ok", "severity": "warning", "seen": 2, "needed": 3, "flapping": false, "change": null}
    depends_on: {description: The checks that it depends on., type: list, elements: str, returned: always, sample: [database port]}
    metrics: {description: The numbers that were seen., type: dict, returned: always, sample: {"used_percent": 93.1}}
summary:
  description: How many results there are of each status.
  returned: when the checks were valid
  type: dict
  sample: {"ok": 11, "warning": 1, "critical": 0, "unknown": 0, "skipped": 0}
score:
  description:
    - From 0 to 100 over the weights; C(ok) counts whole, C(warning) half. At most 49 while a check of severity C(critical) fails.
    - Null when nothing counts.
  returned: when the checks were valid
  type: float
  sample: 95.8
coverage:
  description: How much of what was asked could be seen, from 0 to 100 over the weights; C(unknown) results could not. Null when nothing counts.
  returned: when the checks were valid
  type: float
  sample: 100.0
status:
  description: The worst status, V(critical) before V(unknown) before V(warning).
  returned: when the checks were valid
  type: str
  sample: warning
last_look:
  description: What probes left for the next run, such as counters; it is kept where there is an O(history_url), and only returned without.
  returned: when O(last_look) is given
  type: dict
  sample: {}
left_out:
  description: What of goss files in O(checks_from) has no equivalent here, in sentences.
  returned: when there is any
  type: list
  elements: str
  sample: ["goss.yaml: file /etc/passwd: md5"]
root_causes:
  description:
    - The failing checks that explain other failures, the one that explains most first, each with C(name), C(status), C(reason), C(summary), the
      names it C(affects), the C(probability) that it is behind them, the worst C(severity) of all of these, and C(why) in a sentence.
    - Causes on other hosts are found by M(vigil.ops.report) and M(vigil.ops.notify), which see the results of all hosts.
  returned: when the checks were valid
  type: list
  elements: dict
  sample:
    - name: database port
      status: critical
      reason: refused
      summary: "127.0.0.1:5432 refused"
      affects: [front page]
      probability: 0.99
      severity: critical
      why: '"database port" fails (refused), and so does the check that depends on it'
"""

import time

from ansible_collections.vigil.ops.plugins.module_utils._bridge import Module, finish, open_state, read_duration
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.spec import SpecError
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import inspect as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.errors import StateError
from ansible_collections.vigil.ops.plugins.module_utils._runner import run as run_program

# A store on the host knows one host alone.
HOST = "localhost"
ARGUMENT_SPEC = {
    "checks": {"type": "list", "elements": "dict", "default": []},
    "checks_from": {"type": "list", "elements": "str"},
    "variable": {"type": "str"},
    "only_validate": {"type": "bool", "default": False},
    "concurrency": {"type": "int", "default": 64},
    "timeout": {"type": "str", "default": "60s"},
    "fail_on": {"type": "str", "choices": ["never", "warning", "critical"], "default": "never"},
    "state_url": {"type": "str"},
    "history_url": {"type": "str"},
    "baselines": {"type": "dict", "default": {}},
    "held": {"type": "dict", "default": {}},
    "last_look": {"type": "dict"},
}


def run(module: Module) -> None:
    params = module.params
    timeout = read_duration(module, "timeout")
    try:
        checks = flow.read_checks(params["checks"])
    except SpecError as exc:
        module.fail_json(msg=str(exc))
    store = open_state(module, params["state_url"])
    baselines, held, last = dict(params["baselines"]), dict(params["held"]), params["last_look"]
    if store:
        baselines = flow.learned_baselines(store, HOST, checks, baselines)
        held.update(flow.broken_limits(store, HOST, checks))
        last = flow.last_look(store, HOST, checks, last)
    outcome = flow.inspect(checks, run_program, module.check_mode, params["concurrency"], timeout, baselines, held, last)
    left = {} if params["last_look"] is None else {"last_look": outcome["last_look"]}
    if store:
        try:
            outcome["results"] = flow.keep(store, HOST, outcome, time.time(), checks, dry=module.check_mode)
        except StateError as exc:
            module.warn(f"The results were not kept: {exc}")
    failure = flow.fails(outcome, params["fail_on"])
    if failure:
        outcome.update(failed=True, msg=failure)
    finish(module, dict(outcome, changed=False, **left), flow.check_secrets(checks))


def main() -> None:
    # Only here: the action part sends this file without AnsibleModule where it can.
    from ansible_collections.vigil.ops.plugins.module_utils._module import SilentModule

    run(SilentModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True))


if __name__ == "__main__":
    main()
