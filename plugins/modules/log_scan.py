#!/usr/bin/python
# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: log_scan
short_description: Read only what is new in logs, and raise alarms
version_added: 1.0.0
description:
  - Reads what was written to logs since the last run, looks for the lines that rules describe, and makes alarms of them.
  - Every line is read once, whatever is done to the file in between. It may be renamed, copied and truncated, packed, deleted and made again, and more
    than once. The last line waits until its end is written.
  - How far each log was read, what the rules remember and what was found are kept in one transaction in the store of O(state_url). Findings are returned
    again by the next run unless their result reached the controller, so that none is lost when a run is killed.
  - A log that cannot be read is in RV(failures) and does not keep the module from the others.
  - The task is V(changed) when there are alarms.
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
      - Reads and looks. Nothing is stored, so the next run finds the same. Programs of O(sources) do not run.
  diff_mode:
    support: none
  async:
    support: none
options:
  sources:
    description:
      - Where lines come from. A path or a pattern of absolute paths (C(**) is any number of directories), such as V(/var/log/nginx/*.log); packed files
        (C(.gz), C(.bz2), C(.xz)) are unpacked. V(journal:unit=nginx) is the journal of systemd, of units, of an C(identifier) or from a C(priority) on.
      - Or a mapping with C(path) (or a list of them), C(journal) or C(command) (a list of a program and its arguments, in which C({since}) is the time of
        the last run), and C(name), C(exclude) (patterns), C(rotated) (patterns of where rotated logs go), C(start), C(encoding), C(multiline), C(timeout)
        (of programs) and C(rules) (the names of the rules that are looked for in it).
    type: list
    elements: raw
    required: true
  rules:
    description:
      - What is looked for. Names of ready-made sets, which are V(syslog), V(kernel), V(systemd), V(sshd), V(nginx), V(apache), V(postgresql), V(java) and
        V(python), and mappings.
      - A mapping has a C(name), and C(keyword) (a text or a list), C(regex) (its named groups become fields) or C(json) (JMESPath expressions over the JSON
        object in the line, and what they must be, as in checks). Several of these must all hold. C(exclude) (regular expressions) takes lines out again.
      - C(severity) (V(error)), C(labels), C(annotations) and C(ignore_case) are options, too. C(sources) (patterns) names the sources that it is for, and
        C(mask) (regular expressions) what is not to be shown. C(alarm=false) only counts.
      - C(threshold) with C(count), C(within) and C(by) (a field) fires when so many lines came within a time. C(rate) with C(per), C(factor) and C(least)
        fires when there are so many times more than usual. C(absent) is a time without any such line. C(first_seen) fires for lines of a kind that was
        not there before, after so long a time for learning. Without any of these all lines of a run are one alarm.
      - C(cooldown) is the time after an alarm in which lines are only counted.
    type: list
    elements: raw
    required: true
  start:
    description:
      - Where logs are begun that are there when a source is looked at for the first time. Files that appear later are read from their beginning.
    type: str
    choices: [end, begin]
    default: end
  multiline:
    description:
      - How messages of several lines are told apart. V(indent), V(java), V(python) or V(timestamp), or a mapping with C(start) (a regular expression for
        the first line) or C(continue) (for all others), C(max_lines) and C(timeout), after which the last message is complete.
    type: raw
  levels:
    description:
      - Count the lines of each source by the level that they name. This takes a pass of its own.
    type: bool
    default: false
  max_matches:
    description:
      - At most so many RV(matches) are returned and kept. RV(counts) has all.
    type: int
    default: 100
  context:
    description:
      - So many lines before and behind are shown with an alarm.
    type: int
    default: 3
  mask:
    description:
      - Regular expressions for what is not to be shown of lines. Passwords, tokens and the like are masked without it where they are named as such.
    type: list
    elements: str
  view:
    description:
      - Tasks that read the same logs on one host with other rules need a view each, as a line is read once in a view.
    type: str
    default: ""
  strategy:
    description:
      - How candidates are found. V(auto) takes C(hyperscan) or C(re2) where the Python libraries C(hyperscan) or C(google-re2) are on the host, else what
        suits the number of rules. All find the same.
    type: str
    choices: [auto, hyperscan, re2, anchored, find]
    default: auto
  state_url:
    description:
      - The store B(on the host) that runs the task. V(default) is that of the user it runs as.
    type: str
    default: default
  history_url:
    description:
      - The store B(on the controller) that remembers what was received. The default is the environment variable E(VIGIL_STATE_URL) of the controller, and
        without it the store of the user who runs Ansible.
    type: str
  acknowledge:
    description:
      - With V(received) findings are not returned again once their result reached the controller.
      - With V(told) they are returned again until M(vigil.ops.notify) got them (O(vigil.ops.notify#module:results)) and has kept them for the channels.
    type: str
    choices: [received, told]
    default: received
  show:
    description:
      - Print a short table of alarms and failures at the end of the run.
    type: bool
    default: false
  only_validate:
    description:
      - Read the options on the controller and do nothing else.
    type: bool
    default: false
  batch:
    description:
      - Set by the action part, the last RV(batch) that was received.
    type: str
requirements:
  - jmespath on the host, where a rule has a JMESPath expression that is more than a dotted path
notes:
  - The user must be able to read the logs. For the journal it must be root or a member of the group C(systemd-journal).
  - What a program of O(sources) writes is all taken as new.
seealso:
  - module: vigil.ops.notify
  - module: vigil.ops.inspect
"""

EXAMPLES = r"""
- name: Errors of a shop, and attacks on ssh
  vigil.ops.log_scan:
    sources:
      - /var/log/shop/*.log
      - journal:unit=ssh
    rules:
      - sshd
      - kernel
      - name: errors
        regex: ' ERROR \[(?P<component>\w+)\]'
        exclude: [heartbeat]
        threshold: {count: 10, within: 60s, by: component}
        labels: {service: shop}
      - name: payment refused
        json: {level: error, event.code: "in [P1, P2]"}
        cooldown: 10m
      - {name: no backup, keyword: backup finished, absent: 26h, severity: critical}
    multiline: java
  become: true
  register: logs

- name: Tell the channels
  vigil.ops.notify:
    channels: ["wecom://KEY"]
    results: "{{ {inventory_hostname: logs} }}"
"""

RETURN = r"""
matches:
  description: Lines that were found, at most O(max_matches), those of earlier runs that were not received first.
  returned: success
  type: list
  elements: dict
  contains:
    id: {description: "The match's name, the same one whenever it is returned.", type: str, returned: always, sample: 3f9a}
    rule: {description: Name of the rule., type: str, returned: always, sample: errors}
    source: {description: "The file, journal or program.", type: str, returned: always, sample: /var/log/shop/app.log}
    line: {description: "The line without secrets, cut at 2048 letters.", type: str, returned: always, sample: "12:00:01 ERROR [pay] refused"}
    fields: {description: What was read from it., type: dict, returned: always, sample: {"component": "pay"}}
    time: {description: "The time that the line says, else that of the run.", type: str, returned: always, sample: "2026-11-20T12:34:56Z"}
    severity: {description: As in O(rules)., type: str, returned: always, sample: error}
counts:
  description: The number of matches of each rule in this run.
  returned: success
  type: dict
  sample: {"errors": 12, "no backup": 0}
levels:
  description: For each source the number of lines of each level, with O(levels).
  returned: success
  type: dict
  sample: {"/var/log/shop/*.log": {"info": 812, "error": 12}}
alarms:
  description: What is to be told, oldest first, those of earlier runs that were not received included.
  returned: success
  type: list
  elements: dict
  contains:
    id: {description: "The alarm's name, the same one whenever it is returned.", type: str, returned: always, sample: 1c0f}
    rule: {description: Name of the rule., type: str, returned: always, sample: errors}
    kind: {description: "V(lines), V(threshold), V(absent), V(new) or V(rate).", type: str, returned: always, sample: threshold}
    status: {description: "V(firing), or V(resolved) when it is over.", type: str, returned: always, sample: firing}
    severity: {description: As in O(rules)., type: str, returned: always, sample: error}
    count: {description: How many lines there were., type: int, returned: always, sample: 12}
    since: {description: Time of the first of them., type: str, returned: always, sample: "2026-11-20T12:34:01Z"}
    until: {description: Time of the last of them., type: str, returned: always, sample: "2026-11-20T12:34:56Z"}
    key: {description: "Value of the field C(by) of a threshold.", type: str, returned: always, sample: pay}
    sample: {description: "One of the lines, without secrets.", type: str, returned: always, sample: "12:00:01 ERROR [pay] refused"}
    source: {description: Where it stands., type: str, returned: always, sample: /var/log/shop/app.log}
    fields: {description: What was read from it., type: dict, returned: always, sample: {"component": "pay"}}
    context: {description: The line with some before and behind., type: list, elements: str, returned: always, sample: ["12:00:01 ERROR [pay] refused"]}
    trace_id: {description: The trace that the line names., type: str, returned: always, sample: 4bf92f3577b34da6a3ce929d0e0e4736}
    message: {description: All of it in a sentence., type: str, returned: always, sample: "errors: 12 lines within 60 s for component pay"}
failures:
  description: Logs that could not be read and rules that could not be used, each with C(source), C(reason) and C(message).
  returned: success
  type: list
  elements: dict
  sample: [{"source": "/var/log/secure", "reason": "permission", "message": "/var/log/secure cannot be read: Permission denied"}]
stats:
  description:
    - How many C(bytes) and C(lines) were read in how many C(seconds), how many logs were C(rotations) found again under another name, how many C(files) were
      looked at, how many C(matches) there are, how many C(long_lines) were cut at 1 MiB, how many C(processes) looked, and the
      C(strategy).
  returned: success
  type: dict
  sample: {"bytes": 1048576, "lines": 9000, "seconds": 0.01, "rotations": 1, "files": 12, "matches": 12, "processes": 1, "strategy": "anchored"}
truncated:
  description: Whether there were more matches than are returned.
  returned: success
  type: bool
  sample: false
view:
  description: As in O(view).
  returned: success
  type: str
  sample: ""
batch:
  description: Names what was returned; empty when nothing is to be acknowledged.
  returned: success
  type: str
  sample: "6bf4faf0aa82d7b2:8"
receipt:
  description: Where the controller keeps RV(batch).
  returned: success
  type: str
  sample: web1:6bf4faf0aa82d7b2
scope:
  description: Tells this task from others, so that alerts are resolved by the task that raised them.
  returned: success
  type: str
  sample: 1c0ffee5a1ad
"""

from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import log_scan as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.errors import StateError
from ansible_collections.vigil.ops.plugins.module_utils._module import SilentModule, finish, open_state
from ansible_collections.vigil.ops.plugins.module_utils._streams import stream

ARGUMENT_SPEC = {
    "sources": {"type": "list", "elements": "raw", "required": True},
    "rules": {"type": "list", "elements": "raw", "required": True},
    "start": {"type": "str", "choices": ["end", "begin"], "default": "end"},
    "multiline": {"type": "raw"},
    "levels": {"type": "bool", "default": False},
    "max_matches": {"type": "int", "default": 100},
    "context": {"type": "int", "default": 3},
    "mask": {"type": "list", "elements": "str"},
    "view": {"type": "str", "default": ""},
    "strategy": {"type": "str", "choices": ["auto", "hyperscan", "re2", "anchored", "find"], "default": "auto"},
    "state_url": {"type": "str", "default": "default"},
    "history_url": {"type": "str"},
    "acknowledge": {"type": "str", "choices": ["received", "told"], "default": "received"},
    "show": {"type": "bool", "default": False},
    "only_validate": {"type": "bool", "default": False},
    "batch": {"type": "str"},
}


def main() -> None:
    module = SilentModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        request = flow.read(module.params)
        store = open_state(module, module.params["state_url"])
        result = flow.log_scan(request, store, stream, module.check_mode)
    except flow.Refusal as exc:
        module.fail_json(msg=f"The options cannot be used: {exc}")
    except StateError as exc:
        module.fail_json(msg=f"state_url: {exc} Nothing that cannot be kept counts as read.")
    for notice in result.pop("notices"):
        module.warn(notice)
    finish(module, result)


if __name__ == "__main__":
    main()
