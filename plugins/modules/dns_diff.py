#!/usr/bin/python
# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dns_diff
short_description: Say which DNS records have changed
version_added: 1.0.0
description:
  - Looks at one name or a hundred thousand and compares what they are now with what they were in the run before, with what they should be, with
    other name servers, or with a zone.
  - The order of records, upper and lower case, TTLs and records that are there twice never make a change.
  - A name that cannot be looked at (C(SERVFAIL), a time-out, ...) is in RV(failures). It is no change, and what was known of it stays.
  - A name's first observation is learned; it is no change.
  - The task is V(changed) when there are changes. What was compared with in the run before is kept in the store of O(state_url).
  - A change is returned again by the next run unless its result reached the controller, so that none is lost when a run is killed.
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
      - Looks and compares. Nothing is stored, so the next run finds the same changes.
  diff_mode:
    support: full
    details:
      - Shows the records that changed before and after, sorted.
  async:
    support: none
options:
  names:
    description:
      - The names, such as V(www.example.com). Names beyond ASCII become A-labels (IDNA). With the type V(PTR) an IP address stands for its reverse name.
    type: list
    elements: str
  names_file:
    description:
      - A file on the host that runs the task, one name a line. Empty lines, and what stands behind a C(#), do not count.
    type: path
  types:
    description:
      - Record types by name, such as V(A), V(MX), V(HTTPS), or by number, such as V(TYPE65280).
      - The default is V(A), and of a O(zone) every type in it.
    type: list
    elements: str
  nameservers:
    description:
      - Whom to ask, each as V(192.0.2.1), V(192.0.2.1:5353), V([2001:db8::1]:53), V(dns.example.com), V(tcp://192.0.2.1),
        V(tls://192.0.2.1#dns.example.com) or V(https://dns.example.com/dns-query). The default is the system's resolvers.
      - Name several, so that what looks like a change is asked of another one as well.
    type: list
    elements: str
  transport:
    description:
      - How those of the O(nameservers) and O(reference) are asked that name no transport themselves.
    type: str
    choices: [udp, tcp, tls, https]
    default: udp
  timeout:
    description:
      - The longest wait for the reply to one try, such as V(5s) or V(500ms).
    type: str
    default: 5s
  retries:
    description:
      - How often a name without an answer is asked again, of another server where there is one.
    type: int
    default: 2
  concurrency:
    description:
      - How many questions may be on their way to one server.
    type: int
    default: 1000
  deadline:
    description:
      - The time for everything together, such as V(5m). Names that were not reached by then are in RV(failures).
    type: str
    default: 5m
  rate:
    description:
      - Questions a second to each name server, as a number, or as a mapping of entries of O(nameservers) to numbers. V(0) is no limit.
      - Without it, servers that are neither on this machine nor on a private network are asked 50 questions a second.
    type: raw
  dnssec:
    description:
      - Validate every answer. A bogus one is a failure with the status V(bogus). It needs the Python library C(cryptography).
    type: bool
    default: false
  trust_anchors:
    description:
      - DS or DNSKEY records to begin with; the default is the keys of the root zone.
    type: list
    elements: str
  ca:
    description:
      - A file with certificates in PEM form, or a directory of them, to trust for V(tls) and V(https) instead of those of the system.
    type: path
  against:
    description:
      - V(previous) compares with what was known of each name.
      - V(expected) compares with the records in O(expected), V(nameservers) the O(nameservers) with O(reference) (or with the first of them), and
        V(zone) with the records of a O(zone). These keep nothing and are V(changed) as long as there is a difference.
    type: str
    choices: [previous, expected, nameservers, zone]
    default: previous
  expected:
    description:
      - The records as they should be, as a list of mappings with C(name), C(type) (A), C(values) or C(value), and C(match).
      - C(match) is C(exact) (the same records), C(subset) (no others than these), C(superset) (at least these), C(count) (so many, such as
        C(">= 2")) or C(cidr) (addresses in these networks). With C(exact) and C(values=[]) the name must have no such record.
      - A mapping with C(zone) and records below it in the format of octoDNS is taken as well, and so is the path of a YAML file B(on the
        controller) with either of them.
    type: raw
  reference:
    description:
      - The name servers to compare with, as in O(nameservers). Together they are one source. With O(against=zone) they are those that are asked.
    type: list
    elements: str
  zone:
    description:
      - The name of a zone whose records are compared with (O(against=zone)), or whose names are watched (O(against=previous)), those of before that
        it does not have any more included.
    type: str
  zone_file:
    description:
      - The zone in a file on the host that runs the task. Without it the zone is fetched (AXFR) from the first of the O(nameservers) that hands it
        out; with O(against=zone), O(reference) or the system's resolvers are then asked for its names.
    type: path
  tsig:
    description:
      - The key that the zone is fetched with.
    type: dict
    suboptions:
      name:
        description:
          - Name of the key.
        type: str
        required: true
      algorithm:
        description:
          - Algorithm of the key.
        type: str
        default: hmac-sha256
      secret:
        description:
          - The key in base64.
        type: str
        required: true
  rotation:
    description:
      - Learn the pool of addresses behind round robin, CDNs and GeoDNS. A new address is a change where it is a surprise, which is worked out
        from how often new ones have appeared before, and stays one when it is looked at again.
      - Without it every other set of records is a change.
    type: bool
    default: false
  tolerance:
    description:
      - Which new addresses are no change, as a list of mappings with C(names) (patterns such as C(*.cdn.example.com)), and C(networks) (CIDR) they
        may be in, or C(prefix) (24) and C(prefix6) (48), the network that they have in common with one of before.
    type: list
    elements: dict
    default: []
  confirm:
    description:
      - How many times a difference is looked at again, at another server where there is one, before it is a change. Each look must show it.
    type: int
    default: 1
  max_change_percent:
    description:
      - When more than so many percent of ten names or more have changed at once, one change of the kind V(mass) stands for all of them. They are
        compared again in the next run; run once with V(100) to accept them.
    type: float
    default: 30
  max_results:
    description:
      - At most so many RV(changes) and so many RV(failures) are returned. The history has all changes, and RV(stats) counts all.
      - Of a change whose records are very long, the first 4096 letters are returned.
    type: int
    default: 1000
  view:
    description:
      - Keeps apart what the same names are for different askers, such as inside and outside of a network.
    type: str
    default: ""
  state_url:
    description:
      - The store B(on the host) that runs the task. V(default) is that of the user it runs as.
    type: str
    default: default
  history_url:
    description:
      - The store B(on the controller) that remembers which changes were received. The default is the environment variable E(VIGIL_STATE_URL) of
        the controller, and without it the store of the user who runs Ansible.
    type: str
  acknowledge:
    description:
      - With V(received) a change is not returned again once its result reached the controller.
      - With V(told) it is returned again until M(vigil.ops.notify) got it (O(vigil.ops.notify#module:results)) and has kept it for the channels.
    type: str
    choices: [received, told]
    default: received
  show:
    description:
      - Print a short table of changes and failures at the end of the run.
    type: bool
    default: false
  batch:
    description:
      - Set by the action part, the last RV(batch) that was received.
    type: str
requirements:
  - dnspython 1.16 or newer on the host that runs the task
notes:
  - The task runs on the host; delegate it to C(localhost) to look from the controller.
seealso:
  - module: vigil.ops.dns_info
  - module: vigil.ops.notify
  - module: vigil.ops.history_info
"""

EXAMPLES = r"""
- name: What has changed since the last run
  vigil.ops.dns_diff:
    names_file: /etc/vigil/names.txt
    types: [A, AAAA, MX]
    nameservers: [192.0.2.53, 198.51.100.53]
  register: dns

- name: A name behind a CDN
  vigil.ops.dns_diff:
    names: [www.example.com]
    rotation: true
    tolerance:
      - names: ["*.example.com"]
        networks: [203.0.113.0/24]

- name: Records as they should be
  vigil.ops.dns_diff:
    against: expected
    expected:
      - {name: www.example.com, values: [192.0.2.1, 192.0.2.2]}
      - {name: www.example.com, type: AAAA, match: count, value: ">= 1"}
      - {name: api.example.com, match: cidr, value: 198.51.100.0/24}

- name: Do both name servers say the same as the primary?
  vigil.ops.dns_diff:
    against: nameservers
    names_file: /etc/vigil/names.txt
    nameservers: [ns1.example.com, ns2.example.com]
    reference: [192.0.2.1]

- name: Does the world see the zone?
  vigil.ops.dns_diff:
    against: zone
    zone: example.com
    nameservers: [192.0.2.1]
    reference: [9.9.9.9, 1.1.1.1]
    tsig: {name: transfer.example.com, secret: "{{ vault_transfer_key }}"}
"""

RETURN = r"""
changes:
  description: The changes, at most O(max_results). A mass is first, then come those of earlier runs that were not received.
  returned: success
  type: list
  elements: dict
  contains:
    id: {description: "The change's name, the same one whenever it is returned.", type: str, returned: always, sample: 3f9a}
    name: {description: "The name; V(*) of a mass.", type: str, returned: always, sample: www.example.com}
    type: {description: The record type., type: str, returned: always, sample: A}
    kind:
      description: V(changed), V(added) (there was none), V(removed) (there is none any more), V(mass) (it stands for very many and says so in
        RV(changes[].message)) or V(flapping) (the record goes back and forth; nothing more is said of it until it rests).
      type: str
      returned: always
      sample: changed
    before: {description: "The records before, or as they should be.", type: list, elements: str, returned: always, sample: ["192.0.2.1"]}
    after: {description: The records as they were seen., type: list, elements: str, returned: always, sample: ["192.0.2.9"]}
    added: {description: What is new., type: list, elements: str, returned: always, sample: ["192.0.2.9"]}
    removed: {description: What is gone., type: list, elements: str, returned: always, sample: ["192.0.2.1"]}
    status: {description: "Status of the answer, V(noerror), V(nodata) or V(nxdomain).", type: str, returned: always, sample: noerror}
    time: {description: When it was seen., type: str, returned: always, sample: "2026-11-20T12:34:56Z"}
    nameserver: {description: Who said so., type: str, returned: always, sample: "192.0.2.53:53"}
    message: {description: "What else is to be said, such as the serial numbers of two servers.", type: str, returned: always, sample: ""}
failures:
  description: The names that could not be looked at, at most O(max_results). The statuses are those of M(vigil.ops.dns_info).
  returned: success
  type: list
  elements: dict
  sample: [{"name": "www.example.com", "type": "A", "status": "servfail", "nameserver": "192.0.2.53:53", "message": "192.0.2.53:53 answered servfail"}]
stats:
  description:
    - How many C(names) and C(queries) there were, C(seconds) in all and C(qps).
    - How many names and types were C(learned), C(unchanged), C(changed) or C(failed); how many differences were C(unconfirmed), C(held) back
      as a mass, in C(flapping) records or of C(rotating) (or tolerated) ones. C(returned_again) counts changes of earlier runs.
  returned: success
  type: dict
  sample: {"names": 100000, "queries": 100002, "learned": 0, "unchanged": 99999, "changed": 1, "failed": 0, "seconds": 0.7, "qps": 150000}
truncated:
  description: Whether there were more changes or failures than O(max_results).
  returned: success
  type: bool
  sample: false
against:
  description: As in O(against).
  returned: success
  type: str
  sample: previous
view:
  description: As in O(view).
  returned: success
  type: str
  sample: ""
batch:
  description: Names the changes that were returned; empty when none is to be acknowledged.
  returned: success
  type: str
  sample: ""
receipt:
  description: Where the controller keeps RV(batch).
  returned: success
  type: str
  sample: web1:6bf4faf0aa82d7b2
scope:
  description: Tells this watch from others, so that alerts are resolved by the watch that raised them.
  returned: success
  type: str
  sample: 1c0ffee5a1ad
"""

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.answer import LibraryMissing
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import dns_diff as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.errors import StateError
from ansible_collections.vigil.ops.plugins.module_utils._module import SilentModule, finish, open_state

_KEY = {"name": {"type": "str", "required": True}, "algorithm": {"type": "str", "default": "hmac-sha256"}}
ARGUMENT_SPEC = {
    "names": {"type": "list", "elements": "str"},
    "names_file": {"type": "path"},
    "types": {"type": "list", "elements": "str"},
    "nameservers": {"type": "list", "elements": "str"},
    "transport": {"type": "str", "choices": ["udp", "tcp", "tls", "https"], "default": "udp"},
    "timeout": {"type": "str", "default": "5s"},
    "retries": {"type": "int", "default": 2},
    "concurrency": {"type": "int", "default": 1000},
    "deadline": {"type": "str", "default": "5m"},
    "rate": {"type": "raw"},
    "dnssec": {"type": "bool", "default": False},
    "trust_anchors": {"type": "list", "elements": "str"},
    "ca": {"type": "path"},
    "against": {"type": "str", "choices": ["previous", "expected", "nameservers", "zone"], "default": "previous"},
    "expected": {"type": "raw"},
    "reference": {"type": "list", "elements": "str"},
    "zone": {"type": "str"},
    "zone_file": {"type": "path"},
    "tsig": {"type": "dict", "options": {**_KEY, "secret": {"type": "str", "required": True, "no_log": True}}},
    "rotation": {"type": "bool", "default": False},
    "tolerance": {"type": "list", "elements": "dict", "default": []},
    "confirm": {"type": "int", "default": 1},
    "max_change_percent": {"type": "float", "default": 30},
    "max_results": {"type": "int", "default": 1000},
    "view": {"type": "str", "default": ""},
    "state_url": {"type": "str", "default": "default"},
    "history_url": {"type": "str"},
    "acknowledge": {"type": "str", "choices": ["received", "told"], "default": "received"},
    "show": {"type": "bool", "default": False},
    "batch": {"type": "str"},
}


def _read(module: SilentModule) -> flow.Request:
    try:
        return flow.read(module.params)
    except flow.Refusal as exc:
        module.fail_json(msg=f"The options cannot be used: {exc}")


def main() -> None:
    module = SilentModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    try:
        request = _read(module)
        store = open_state(module, params["state_url"]) if request.against == "previous" else None
        result = flow.dns_diff(request, store, module.check_mode)
    except flow.Refusal as exc:
        module.fail_json(msg=f"Nothing was compared: {exc}")
    except LibraryMissing as exc:
        module.fail_json(msg=missing_required_lib(exc.library) if exc.library else str(exc))
    except StateError as exc:
        module.fail_json(msg=f"state_url: {exc}")
    if not module._diff:
        del result["diff"]
    finish(module, result, {(params["tsig"] or {}).get("secret") or ""} - {""})


if __name__ == "__main__":
    main()
