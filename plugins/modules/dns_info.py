#!/usr/bin/python
# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dns_info
short_description: Resolve many names at once
version_added: 1.0.0
description:
  - Asks name servers for one name or a hundred thousand, over UDP, TCP, TLS (DoT) or HTTPS (DoH), and says for each what came of it, with one
    status of a closed list.
  - Every name and type has an answer in the result. What was not reached before O(deadline) has the status V(timeout), nothing is left out.
  - A failed name does not fail the task; see RV(stats) and RV(answers[].status).
  - All input is checked before a query is sent.
author:
  - vigil.ops contributors (@vigil-ops)
extends_documentation_fragment:
  - vigil.ops._attributes
  - vigil.ops._attributes.info_module
  - vigil.ops._attributes.actiongroup_all
options:
  names:
    description:
      - The names, such as V(www.example.com). Names beyond ASCII become A-labels (IDNA).
      - With the type V(PTR) an IP address stands for its reverse name.
      - One of O(names) and O(names_file) is needed.
    type: list
    elements: str
  names_file:
    description:
      - A file on the host that runs the task, one name a line. Empty lines, and what stands behind a C(#), do not count.
    type: path
  types:
    description:
      - Record types by name, such as V(A), V(AAAA), V(MX), V(HTTPS), or by number, such as V(TYPE65280).
    type: list
    elements: str
    default: [A]
  nameservers:
    description:
      - Whom to ask, each as V(192.0.2.1), V(192.0.2.1:5353), V([2001:db8::1]:53), V(dns.example.com), V(tcp://192.0.2.1),
        V(tls://192.0.2.1#dns.example.com) (the name of the certificate follows the C(#)) or V(https://dns.example.com/dns-query).
      - Each name is asked of one of them; one that fails is followed by the next.
      - V(authoritative) asks B(every) authoritative server of each name's zone, without recursion, and returns one answer from each, whose
        RV(answers[].nameserver) is V(address:port#name). V(authoritative:5300) does so on another port. The other entries, or the system's
        resolvers, are then only used to find these servers. One that answers without authority is V(lame). DS records are asked of the
        zone above.
      - The default is the system's resolvers, as in C(/etc/resolv.conf).
    type: list
    elements: str
  transport:
    description:
      - How those of the O(nameservers) are asked that name no transport themselves, and the system's resolvers where there are none.
      - Answers that do not fit into a datagram are fetched by TCP with V(udp).
      - Some servers speak HTTP/2 alone for V(https). It needs the Python library C(h2); without it such a server fails with the status V(http).
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
      - The time for everything together, such as V(5m).
    type: str
    default: 5m
  rate:
    description:
      - Questions a second to each name server, as a number, or as a mapping of entries of O(nameservers) to numbers. V(0) is no limit.
      - Without it, servers that are neither on this machine nor on a private network are asked 50 questions a second.
    type: raw
  dnssec:
    description:
      - Validate every answer from O(trust_anchors) down. RV(answers[].secure) then says V(secure), V(insecure) or V(bogus), and a bogus answer
        has the status V(bogus) and no records.
      - Signatures, delegations and the absence of names, types and DS records (NSEC and NSEC3) are all verified here; what the name server
        says of them does not count. The O(nameservers) must hand on signatures.
      - It needs the Python library C(cryptography).
    type: bool
    default: false
  trust_anchors:
    description:
      - DS or DNSKEY records to begin with, such as V(example.com. DS 12345 13 2 AB12...). Names below none of them are V(insecure).
      - The default is the keys of the root zone of 2017 and 2024.
    type: list
    elements: str
  ca:
    description:
      - A file with certificates in PEM form, or a directory of them as OpenSSL hashes it, to trust for V(tls) and V(https) instead of those of
        the system.
    type: path
requirements:
  - dnspython 1.16 or newer on the host that runs the task; 2.0 or newer for O(dnssec), 2.1 or newer for the text of V(SVCB) and V(HTTPS)
notes:
  - Records are in canonical text. Names in them are absolute and in lower case, they are sorted, and none is there twice.
seealso:
  - module: vigil.ops.dns_diff
  - plugin: vigil.ops.dns
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Resolve two names
  vigil.ops.dns_info:
    names: [www.example.com, example.com]
    types: [A, AAAA, MX]
  register: dns

- name: Ask a resolver over TLS, and validate
  vigil.ops.dns_info:
    names_file: /etc/vigil/names.txt
    nameservers: ["tls://9.9.9.9#dns.quad9.net"]
    dnssec: true
    rate: 100

- name: Do all authoritative servers say the same?
  vigil.ops.dns_info:
    names: [example.com]
    types: [SOA]
    nameservers: [authoritative]
  register: soa
  failed_when: soa.stats.statuses.keys() | list != ['noerror'] or soa.answers | map(attribute='rdata') | unique | length != 1

- name: The names of addresses
  vigil.ops.dns_info:
    names: [192.0.2.1, "2001:db8::1"]
    types: [PTR]
"""

RETURN = r"""
answers:
  description: An answer for each name and type, in the order of the input; with V(authoritative) one from each server.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: "The name, in lower case and without the final dot.", type: str, returned: always, sample: www.example.com}
    type: {description: The record type., type: str, returned: always, sample: A}
    status:
      description:
        - V(noerror) (there are records), V(nodata) (the name has none of this type) and V(nxdomain) (the name is not there) are answers.
        - All else are failures that say nothing about the name. V(servfail), V(refused), V(formerr) and V(notimp) are what the server said,
          V(lame) is a server that is not responsible for the name and points elsewhere, V(malformed) an answer that makes no sense,
          V(truncated) one that did not come whole, V(timeout), V(network), V(tls) and V(http) say where the way to the server ended, and
          V(bogus) is an answer that DNSSEC does not confirm.
      type: str
      returned: always
      sample: noerror
    rdata: {description: The records., type: list, elements: str, returned: always, sample: ["192.0.2.1"]}
    ttl: {description: "Seconds for which the answer may be kept, null when not known.", type: int, returned: always, sample: 300}
    nameserver: {description: Who answered or failed last., type: str, returned: always, sample: "192.0.2.53:53"}
    latency_ms: {description: How long that server took., type: float, returned: always, sample: 12.4}
    chain: {description: The names that aliases (CNAME) led to., type: list, elements: str, returned: always, sample: []}
    message:
      description: What went wrong, as a sentence; with the extended error (RFC 8914) if the server gave one.
      type: str
      returned: always
      sample: ""
    secure:
      description: V(secure), V(insecure) or V(bogus); null without O(dnssec), and where there was nothing to validate.
      type: str
      returned: always
      sample: secure
stats:
  description: How many C(names), C(queries) (with those that were C(resent)), C(seconds), C(qps), how many answers were C(answered) and C(failed), and
    how many of each of the C(statuses).
  returned: success
  type: dict
  sample: {"names": 2, "queries": 6, "resent": 0, "seconds": 0.021, "qps": 285.7, "answered": 6, "failed": 0, "statuses": {"noerror": 5, "nodata": 1}}
"""

import traceback

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.answer import LibraryMissing
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import dns_info as flow

ARGUMENT_SPEC = {
    "names": {"type": "list", "elements": "str"},
    "names_file": {"type": "path"},
    "types": {"type": "list", "elements": "str", "default": ["A"]},
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
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, required_one_of=[("names", "names_file")])
    try:
        job = flow.read(module.params)
    except flow.Refusal as exc:
        module.fail_json(msg=f"The options cannot be used: {exc}")
    except LibraryMissing as exc:
        msg = f"{exc}: {missing_required_lib(exc.library)}" if exc.library else str(exc)
        module.fail_json(msg=msg, exception=traceback.format_exc())
    module.exit_json(changed=False, **flow.run(job))


if __name__ == "__main__":
    main()
