# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: dns
short_description: The DNS records of names
version_added: 1.0.0
author:
  - vigil.ops contributors (@vigil-ops)
description:
  - Asks name servers from the controller and returns the records of all names in one flat list, in the order of the names and, for each, of O(types).
  - The records of one name and type are in canonical text, sorted, and none is there twice, so the same records always give the same list.
  - Names that are not there, and every failure, are errors that name the status; see O(empty).
options:
  _terms:
    description: The names. With the type V(PTR) an IP address stands for its reverse name.
    type: list
    elements: str
    required: true
  types:
    description: Record types by name, such as V(MX), or by number, such as V(TYPE65280).
    type: list
    elements: str
    default: [A]
    aliases: [type]
  nameservers:
    description:
      - Whom to ask, as in the option of the same name of M(vigil.ops.dns_info); the resolvers of the controller if left out.
      - With V(authoritative), what any of the servers of a zone says is returned once, and one that fails is an error.
    type: list
    elements: str
  transport:
    description: How those of the O(nameservers) are asked that name no transport themselves.
    type: str
    choices: [udp, tcp, tls, https]
    default: udp
  timeout:
    description: The longest wait for the reply to one try, such as V(5s).
    type: str
    default: 5s
  retries:
    description: How often a name without an answer is asked again, of another server where there is one.
    type: int
    default: 2
  deadline:
    description: The time for all names together.
    type: str
    default: 1m
  dnssec:
    description: Validate the answers; one that is bogus is an error. Answers of zones that are not signed are taken.
    type: bool
    default: false
  trust_anchors:
    description: DS or DNSKEY records to begin with, the root's keys if left out.
    type: list
    elements: str
  ca:
    description: A PEM file, or a directory of certificates, to trust for V(tls) and V(https) instead of those of the system.
    type: path
  empty:
    description: A name that is not there (V(nxdomain)), or has no record of a type (V(nodata)), gives nothing to the list instead of an error.
    type: bool
    default: false
requirements:
  - dnspython on the controller
seealso:
  - module: vigil.ops.dns_info
"""

EXAMPLES = r"""
- name: The address of a name
  ansible.builtin.debug:
    msg: "{{ lookup('vigil.ops.dns', 'www.example.com') }}"

- name: The mail servers of two domains, from a certain resolver
  ansible.builtin.debug:
    msg: "{{ query('vigil.ops.dns', 'example.com', 'example.org', types=['MX'], nameservers=['192.0.2.53']) }}"

- name: Whether there is an IPv6 address
  ansible.builtin.debug:
    msg: "{{ query('vigil.ops.dns', 'www.example.com', type='AAAA', empty=true) | length > 0 }}"
"""

RETURN = r"""
_raw:
  description: The records of all names, one after the other.
  type: list
  elements: str
  sample: ["192.0.2.1", "192.0.2.2"]
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.lookup import LookupBase
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.answer import LibraryMissing
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import dns_info as flow
from ansible_collections.vigil.ops.plugins.plugin_utils._plain import plain

_OPTIONS = ("types", "nameservers", "transport", "timeout", "retries", "deadline", "dnssec", "trust_anchors", "ca")
_KNOWN = (*_OPTIONS, "type", "empty")
_EMPTY = ("nodata", "nxdomain")


class LookupModule(LookupBase):
    def run(self, terms: t.Any, variables: t.Any = None, **kwargs: t.Any) -> list[str]:
        self._check(kwargs)
        self.set_options(var_options=variables, direct=kwargs)
        params = {name: plain(self.get_option(name)) for name in _OPTIONS}
        names = plain(_flat(terms))
        if not names:
            raise AnsibleLookupError("vigil.ops.dns: there is nothing to ask for: give a name")
        try:
            job = flow.read(dict(params, names=names))
        except (flow.Refusal, LibraryMissing) as exc:
            raise AnsibleLookupError(f"vigil.ops.dns: {exc}") from None  # the cause would be told twice
        found: dict[t.Any, set[str]] = {}
        for number, answer in enumerate(flow.run(job)["answers"]):
            # authoritative servers say the same several times
            records = found.setdefault(number if job.port is None else (answer["name"], answer["type"]), set())
            if answer["status"] == "noerror":
                records.update(answer["rdata"])
            elif answer["status"] not in _EMPTY or not self.get_option("empty"):
                raise AnsibleLookupError(f"vigil.ops.dns: {answer['name']} {answer['type']}: {answer['status']}: {answer['message']}")
        return [record for records in found.values() for record in sorted(records)]

    @staticmethod
    def _check(given: dict[str, t.Any]) -> None:
        """What Ansible lets pass for lookups: unknown options, and words for yes and no that are none."""
        for name, value in given.items():
            if name not in _KNOWN:
                raise AnsibleLookupError(f'vigil.ops.dns: there is no option "{name}"' + nearest(name, _KNOWN))
            if name in ("dnssec", "empty"):
                try:
                    boolean(value)
                except TypeError:
                    raise AnsibleLookupError(f'vigil.ops.dns: {name} is "{value}"; it must be true or false') from None


def _flat(terms: t.Any) -> list[t.Any]:
    """Names, and lists of names, in one list."""
    if isinstance(terms, (list, tuple)):
        return [name for term in terms for name in _flat(term)]
    if isinstance(terms, dict):
        raise AnsibleLookupError("vigil.ops.dns: a mapping is not a name; give names, or a list of them")
    return [terms]
