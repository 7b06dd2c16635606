#!/usr/bin/python
# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: notify
short_description: Tell people through chat robots, webhooks and files, so that nothing is lost
version_added: 1.0.0
description:
  - Tells channels about an alert, the results of an inspection, or a message.
  - What is to be told is first kept in the store (the outbox) and then sent. What cannot be sent within O(deadline) stays there and goes
    out with the next call, the next run of the callback P(vigil.ops.webhook#callback), or with O(flush).
  - An alert is told once when it begins, again after four hours while it lasts, and once when it is resolved, however often it is reported.
    One that goes back and forth is told once as well. O(alerts) says who is told of what, and M(vigil.ops.silence) mutes for a time.
  - Runs on the controller alone; the secrets of channels never reach a host.
  - A task of this module never fails because somebody could not be told; a warning says so. It fails for options that are wrong.
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
      - Says in RV(channels) and RV(events) what would be told. Nothing is stored or sent. A store that could not be written is refused.
  diff_mode:
    support: N/A
    details:
      - Nothing on a host is changed, so there is no difference to show.
options:
  channels:
    description:
      - Where to tell. Each is a URL, or a mapping with C(url) and any of C(name), C(min_severity), C(language), C(group), C(mention),
        C(mention_from), C(type), C(timeout), C(headers), C(secret), C(template), C(ca) and C(client_cert) (paths of files on the controller).
      - Chat robots are C(wecom://KEY), C(dingtalk://TOKEN?secret=SEC), C(feishu://HOOK?secret=S), C(lark://HOOK?secret=S), C(slack://T/B/X),
        C(discord://ID/TOKEN), and C(teams://) with the rest of the workflow's URL. People are called with C(pagerduty://ROUTINGKEY) and written to
        with C(smtp://user:pass@host:587?to=a@example.com) or C(smtps://).
      - Programs get each event by itself. C(https://host/path) and C(http://host/path) as JSON with a POST request, C(cloudevents+https://) as
        CloudEvents, C(alertmanager://host:9093), C(amqp://user:pass@host/vhost?queue=q) and C(amqps://), C(kafka://host:9092/topic) and C(kafkas://),
        C(syslog://), C(syslog+tcp://), C(syslog+tls://), C(journald://), and C(file:///path/events.jsonl) as one line of JSON an event.
      - C(apprise+SCHEME://) is anything that the Python package Apprise speaks. C(kafka://) needs the Python package confluent-kafka.
      - C(docs/channels.md) of the collection says what each of them takes, its limits, and how it is set up.
      - URLs of robots take C(endpoint) (such as C(http://proxy:8080) in place of the vendor's host) and the keys of a mapping as parameters.
      - A chat gets all that is due as one message, with how many alerts there are of what and as many of them as it takes, the worst first.
        With C(group=host) it gets one message a host, with C(group=none) one an event. So does mail.
      - What is queued is kept under the name of the channel, which a URL may have as its fragment (C(wecom://KEY#ops)). Give names where
        several channels are on one host; then a changed key or password still finds what was queued.
      - What is queued for a channel that is not given any more is named once a day, and given up when nobody served the channel for a week.
        It is kept with the code C(expired), see M(vigil.ops.history_info) with C(kind=dead).
      - When it is left out, the environment variables E(VIGIL_CHANNELS) (separated by white space) and E(VIGIL_CHANNELS_FILE) (a file with
        one a line, or a YAML list) of the controller count.
      - A text is read like the variable, so that a survey or an extra variable can give it. A single mapping is one channel.
    type: raw
  event:
    description:
      - An alert, or a list of them, with the keys C(check), C(message), C(status) (V(firing) or V(resolved)), C(severity), C(service),
        C(instance), C(labels), C(annotations), C(context) and C(timestamp). C(message) is required, and one of C(check) and C(service).
      - Service, instance, check and labels are its identity. C(instance) is the host of the task where it is left out.
      - It goes through the life of its alert, so it is told when it begins and ends and not each time.
    type: raw
  title:
    description:
      - The title of a message that is always told, whatever was told before.
    type: str
  body:
    description:
      - The text of the message.
    type: str
  severity:
    description:
      - The severity of the message; channels with a higher C(min_severity) are not told.
    type: str
    choices: [info, warning, error, critical]
    default: info
  status:
    description:
      - Whether the message is about something that happens or something that is over.
    type: str
    choices: [firing, resolved]
    default: firing
  results:
    description:
      - What M(vigil.ops.inspect) returned, as a mapping of host names. Each check that is not ok is an alert, and resolved when it is ok again.
        What a task in a loop registered is taken as well.
      - What M(vigil.ops.dns_diff) returned is taken as well, or a list of such results. A change is told once, a name that cannot be looked at is
        an alert until it answers again, and so is a mass of changes that is held back. More than 20 of a kind are told as one.
      - What M(vigil.ops.service_guard) returned is taken as well. A service is an alert from when something was done about it, or could not be
        done, until it is well again.
      - What M(vigil.ops.log_scan) returned is taken as well. Lines are told once; a threshold that is reached, a line that is missing and a log
        that cannot be read are alerts until that is over.
      - What M(vigil.ops.backup) returned is taken as well. What a snapshot changed is told once; files that wait to be uploaded, a dump that is not
        whole, what cannot be read and a damaged repository are alerts until that is over.
      - A host that was unreachable is an alert of the check C(reachable), one whose task failed of the check C(inspection).
    type: raw
  scope:
    description:
      - A name for the list of checks that O(results) are of. An open alert that was last told under the same name, of a host with results here,
        is resolved when its check is not among them any more, as it was taken out of the list or renamed.
      - One name is for one list of checks. Where a run tells two different ones of a host under one name, no such alert of the host is
        resolved for a month.
      - Hosts that were not reached, whose task failed without results, or that are not in O(results), keep their alerts.
      - V(auto) makes a name of the playbook, the inventory, the extra variables and the tags of the run.
    type: str
  service:
    description:
      - The service of events that name none, also of O(results) of checks without the label C(service).
    type: str
    default: vigil
  heartbeat:
    description:
      - This run has ended well, and the next one is expected within C(every). A mapping, or a list of them, with C(name), C(every)
        (such as V(1d)), and C(grace) (a quarter of C(every), at most an hour, where it is left out), C(severity) (V(error)) and C(service).
      - When the next one does not come, an alert C(run of NAME) is raised by whoever looks at the store next, which any task of this module
        does (one with O(flush) in a cron job of its own is enough), and any run with the callback P(vigil.ops.webhook#callback). It is
        resolved by the next heartbeat.
      - C(expected) in O(alerts) declares the same for runs that have never happened.
    type: raw
  alerts:
    description:
      - Who is told of what, as data or as the path of a YAML file, mostly C(vigil_alerts). See C(docs/alerts.md) and C(docs/schema/alerts.schema.json).
      - Keys are C(routes), C(silences), C(maintenance), C(inhibit), C(flapping), C(expected), C(templates), C(repeat_interval), C(timezone)
        and C(read_more).
      - Without routes every channel is told of everything of its C(min_severity).
      - When it is left out, the environment variable E(VIGIL_ALERTS_FILE) of the controller names the file.
    type: raw
  flush:
    description:
      - Send what is queued and due, with nothing new to tell.
    type: bool
    default: false
  dead:
    description:
      - What to do with messages that receivers refused for good. They are kept until somebody does one of these; RV(dead) says which they are.
      - V(list) shows them, V(replay) sends them again, as after a key was put right, V(purge) throws them away.
      - What tells of an alert that has ended since is not sent again, as its end would never be told.
    type: str
    choices: [list, replay, purge]
  dead_only:
    description:
      - Which of them, with C(channel) (its name), C(name) (of the instance or the check, with C(*) and C(?)) and C(before) (a time, or how
        long ago, such as V(7d)).
    type: dict
  language:
    description:
      - The language of texts in chats, for all channels.
    type: str
    choices: [en, zh]
  deadline:
    description:
      - The longest time for sending, such as V(10s). What is not sent by then stays queued.
    type: str
    default: 10s
  state_url:
    description:
      - The store on the controller, such as C(sqlite:////var/lib/vigil/state.db). V(default) is the store of the user who runs Ansible.
      - What is over is forgotten after 90 days, or after the time in the URL's parameter C(keep), such as
        C(sqlite:////var/lib/vigil/state.db?keep=30d), at least a day. Messages that are queued or were refused stay.
      - When it is left out, the environment variable E(VIGIL_STATE_URL) of the controller counts, without that the default.
    type: str
notes:
  - Set C(no_log) on the task where the channels are written in the playbook, as Ansible shows task options at higher verbosity.
seealso:
  - module: vigil.ops.history_info
  - plugin: vigil.ops.webhook
    plugin_type: callback
"""

EXAMPLES = r"""
- name: Say that a deployment is done
  vigil.ops.notify:
    channels: "{{ vault_channels }}"
    title: Deployment of shop
    body: Version 4.2 is live on all hosts.
  run_once: true
  no_log: true

- name: Tell the outcome of an inspection
  vigil.ops.notify:
    results: "{{ dict(ansible_play_hosts_all | zip(ansible_play_hosts_all | map('extract', hostvars) | map(attribute='inspection'))) }}"
    service: shop
  run_once: true

- name: Raise an alert, or resolve it
  vigil.ops.notify:
    event:
      check: nightly restore test
      status: "{{ 'resolved' if restore is success else 'firing' }}"
      severity: error
      message: The restored database could not be read.

- name: Let the people on call know of what is critical, and the others once a day of what is not
  vigil.ops.notify:
    results: "{{ results }}"
    alerts:
      routes:
        - match: {severity: critical}
          to: [oncall]
          escalate: {after: 15m, to: [boss]}
        - match: {severity: "<= warning"}
          to: [ops]
          digest: "08:00"
        - to: [ops]
  run_once: true

- name: Say at the end of the nightly backup that it has run
  vigil.ops.notify:
    heartbeat: {name: nightly backup, every: 1d, grace: 2h}
  run_once: true

- name: The robot has a new key, so send again what it refused
  vigil.ops.notify:
    dead: replay
    dead_only: {channel: ops}
  run_once: true

- name: Send what could not be sent before
  vigil.ops.notify:
    flush: true
  run_once: true
"""

RETURN = r"""
delivered:
  description: How many messages (events times channels) the receivers took in this call, those queued by earlier runs included.
  returned: success
  type: int
  sample: 2
queued:
  description: How many messages stay queued for these channels.
  returned: success
  type: int
  sample: 0
collected:
  description: How many messages wait on these channels for the time of their digest.
  returned: success
  type: int
  sample: 0
dropped:
  description: How many messages were refused for good. They are kept with the reason, see M(vigil.ops.history_info) with C(kind=dead).
  returned: success
  type: int
  sample: 0
dead:
  description: The refused messages that O(dead) was about, C(number) of them, the first hundred in C(letters); C(over) were not sent again.
  returned: when O(dead) is given
  type: dict
channels:
  description: What happened on each channel.
  returned: success
  type: list
  elements: dict
  contains:
    channel:
      description: Its name and its URL without secrets.
      type: str
      sample: ops (https://hooks.example.com/********)
    status:
      description: V(delivered), V(queued) (something remains), V(dropped) (something was refused), V(nothing), in check mode V(would tell).
      type: str
    attempts:
      description: How many requests were made.
      type: int
    code:
      description: The last answer of the receiver (HTTP status, or the vendor's code), or the word for what went wrong on the network.
      type: str
      sample: "200"
    message:
      description: The last reason in a sentence, empty when all went well.
      type: str
events:
  description: The events told now, in the format of C(docs/schema/event.schema.json). Alerts that were told already are not among them.
  returned: success
  type: list
  elements: dict
muted:
  description: Those of RV(events) that nobody is told of for now, and why, as C(instance), C(check) and C(reason).
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC = {
    "channels": {"type": "raw"},
    "event": {"type": "raw"},
    "title": {"type": "str"},
    "body": {"type": "str"},
    "severity": {"type": "str", "choices": ["info", "warning", "error", "critical"], "default": "info"},
    "status": {"type": "str", "choices": ["firing", "resolved"], "default": "firing"},
    "results": {"type": "raw"},
    "scope": {"type": "str"},
    "service": {"type": "str", "default": "vigil"},
    "heartbeat": {"type": "raw"},
    "alerts": {"type": "raw"},
    "dead": {"type": "str", "choices": ["list", "replay", "purge"]},
    "dead_only": {"type": "dict"},
    "flush": {"type": "bool", "default": False},
    "language": {"type": "str", "choices": ["en", "zh"]},
    "deadline": {"type": "str", "default": "10s"},
    "state_url": {"type": "str"},
}
MUTUALLY_EXCLUSIVE = [["event", "title"], ["event", "scope"]]
REQUIRED_BY = {"body": ["title"]}
REQUIRED_ONE_OF = [["event", "title", "results", "heartbeat", "flush", "dead"]]


def main() -> None:
    # The action plugin of the same name does the work; this file documents it.
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        supports_check_mode=True,
        mutually_exclusive=MUTUALLY_EXCLUSIVE,
        required_by=REQUIRED_BY,
        required_one_of=REQUIRED_ONE_OF,
    )
    module.fail_json(msg="vigil.ops.notify runs on the controller as an action; it cannot be run as a module")


if __name__ == "__main__":
    main()
