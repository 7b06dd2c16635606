# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records as they should be: a list of expectations, or a zone as octoDNS writes it."""

from __future__ import annotations

import ipaddress
import operator
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import names, rrset, rrtypes

MATCHES = ("exact", "subset", "superset", "count", "cidr")
_KEYS = ("name", "type", "value", "values", "match")
_COMPARED = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne}
_COUNT = re.compile(r"(<=|>=|==|!=|<|>)?\s*([0-9]{1,6})")
# octoDNS's names of the parts of a value, in the order of the record's text
_PARTS: t.Dict[str, t.Tuple[t.Tuple[str, ...], ...]] = {
    "MX": (("preference", "priority"), ("exchange", "value")),
    "SRV": (("priority",), ("weight",), ("port",), ("target",)),
    "CAA": (("flags",), ("tag",), ("value",)),
    "SSHFP": (("algorithm",), ("fingerprint_type",), ("fingerprint",)),
    "DS": (("key_tag",), ("algorithm",), ("digest_type",), ("digest",)),
    "TLSA": (("certificate_usage",), ("selector",), ("matching_type",), ("certificate_association_data",)),
    "NAPTR": (("order",), ("preference",), ("flags",), ("service",), ("regexp",), ("replacement",)),
    "LOC": (),
}
_USUAL = {"CAA flags": "0"}
# what octoDNS has beyond DNS, which nobody can be asked for
_NO_TYPES = ("ALIAS", "URLFWD")
_QUOTED = frozenset(("CAA value", "NAPTR flags", "NAPTR service", "NAPTR regexp"))


class Expectation(t.NamedTuple):
    """What one name and type should be. ``values``: canonical texts, networks for cidr, ``>= 2`` for count."""

    name: str
    kind: int
    match: str
    values: t.Tuple[str, ...]

    def holds(self, seen: t.Collection[str]) -> bool:
        """Whether the records that were seen are as they should be."""
        if self.match == "count":
            sign, number = _count(self.values[0])
            return bool(_COMPARED[sign](len(seen), number))
        if self.match == "cidr":
            networks = [ipaddress.ip_network(value) for value in self.values]
            return bool(seen) and all(_is_within(value, networks) for value in seen)
        wanted = {rrset.joined_strings(self.kind, value) for value in self.values}
        found = {rrset.joined_strings(self.kind, value) for value in seen}
        if self.match == "subset":
            return bool(found) and found <= wanted
        return found >= wanted if self.match == "superset" else found == wanted

    def says(self) -> t.Tuple[str, ...]:
        """The expectation as it is shown in a change."""
        return self.values if self.match in ("exact", "subset", "superset") else tuple(f"{self.match} {value}" for value in self.values)


def read(given: t.Any) -> t.List[Expectation]:
    """The expectations in a list ``[{name, type, values, match}]`` or in a mapping with ``zone`` as octoDNS writes it.

    :raises ValueError: one sentence that names the item
    """
    if isinstance(given, t.Mapping):
        return _of_zone(given)
    if not isinstance(given, (list, tuple)):
        raise ValueError("expected must be a list of records, or a mapping with zone and its records")
    found = []
    for number, item in enumerate(given, 1):
        try:
            found.append(_of_item(item))
        except ValueError as exc:
            label = f" ({item['name']})" if isinstance(item, t.Mapping) and item.get("name") else ""
            raise ValueError(f"item {number} of expected{label}: {exc}") from exc
    return found


def _of_item(item: t.Any) -> Expectation:
    if not isinstance(item, t.Mapping):
        raise ValueError("it must be a mapping with name, type and values")
    for key in item:
        if key not in _KEYS:
            raise ValueError(f'there is no key "{key}"' + nearest(str(key), _KEYS))
    if not item.get("name"):
        raise ValueError("it has no name")
    if ("value" in item) == ("values" in item):
        raise ValueError("it needs values, or value for a single one, and not both")
    match = str(item.get("match", "exact"))
    if match not in MATCHES:
        raise ValueError(f'match is "{match}"' + nearest(match, MATCHES))
    kind = rrtypes.number(item.get("type", "A"))
    name = names.to_text(names.to_wire(str(item["name"])))
    raw = item["values"] if "values" in item else [item["value"]]
    if not isinstance(raw, (list, tuple)):
        raw = [raw]
    return Expectation(name, kind, match, _values(kind, match, [_text(rrtypes.text(kind), value) for value in raw]))


def _values(kind: int, match: str, raw: t.Sequence[t.Any]) -> t.Tuple[str, ...]:
    if match == "count":
        if len(raw) != 1:
            raise ValueError('count takes one value such as 4 or ">= 2"')
        sign, number = _count(str(raw[0]))
        return (f"{sign} {number}",)
    if match == "cidr":
        if kind not in rrset.ADDRESSES:
            raise ValueError(f"cidr is for addresses, not for records of type {rrtypes.text(kind)}")
        if not raw:
            raise ValueError("cidr needs at least one network")
        return tuple(sorted({_network(str(value)) for value in raw}))
    if match != "exact" and not raw:
        raise ValueError(f"{match} needs at least one value")
    return tuple(sorted({rrset.canonical(kind, str(value)) for value in raw}))


def _count(text: str) -> t.Tuple[str, int]:
    found = _COUNT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'"{text}" is not a count; write for example 4 or ">= 2"')
    return found.group(1) or "==", int(found.group(2))


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text.strip()))
    except ValueError as exc:
        raise ValueError(f'"{text}" is not a network; write for example 192.0.2.0/24 ({exc})') from exc


def _is_within(value: str, networks: t.Sequence[t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]]) -> bool:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    return any(address.version == network.version and address in network for network in networks)


def _of_zone(given: t.Mapping[t.Any, t.Any]) -> t.List[Expectation]:
    """octoDNS: names below the zone ('' is the zone itself), each a record or a list of them."""
    if not given.get("zone"):
        raise ValueError("expected is a mapping without zone; name the zone that the records are in, or write a list of records")
    if not isinstance(given["zone"], str):
        raise ValueError("expected: zone is the name of the zone; where a record has that name, put all records below records")
    zone = names.to_text(names.to_wire(given["zone"]))
    records = given.get("records")
    if not isinstance(records, t.Mapping) or isinstance(records.get("type"), str):  # else it is the record of a name "records"
        records = {key: given[key] for key in given if key != "zone"}
    found = []
    for label, entry in records.items():
        written = "" if label is None else str(label)
        for record in entry if isinstance(entry, (list, tuple)) else [entry]:
            try:
                if isinstance(label, bool):
                    raise ValueError("this is a word of YAML (such as on, off, yes or no), not a name; put it into quotes")
                found.append(_of_record(written, zone, record))
            except ValueError as exc:
                raise ValueError(f'expected, "{written}" of the zone {zone}: {exc}') from exc
    return found


def _of_record(label: str, zone: str, record: t.Any) -> Expectation:
    if not isinstance(record, t.Mapping) or "type" not in record:
        raise ValueError("a record is a mapping with type and value or values")
    name = names.to_text(names.to_wire(f"{label}.{zone}" if label not in ("", "@") else zone))
    type_ = str(record["type"]).upper()
    if type_ in _NO_TYPES:
        raise ValueError(f"{type_} is made by the provider and no type of DNS; write what the name answers, or leave the record out")
    kind = rrtypes.number(type_)
    raw = record["values"] if "values" in record else record.get("value")
    if raw is None:
        raise ValueError("a record needs value or values")
    texts = [_text(type_, value) for value in (raw if isinstance(raw, (list, tuple)) else [raw])]
    return Expectation(name, kind, "exact", _values(kind, "exact", texts))


def _text(type_: str, value: t.Any) -> str:
    if value is None or isinstance(value, bool):
        raise ValueError(
            f"a value is {'empty' if value is None else 'a word of YAML, which is read as ' + str(value).lower()}; put it into quotes"
        )
    if not isinstance(value, t.Mapping):
        return str(value)
    if not _PARTS.get(type_):
        raise ValueError(f"a value of type {type_} must be written as text")
    words = []
    for choices in _PARTS[type_]:
        part = next((value[key] for key in choices if key in value), _USUAL.get(f"{type_} {choices[0]}"))
        if part is None:
            raise ValueError(f"a value of type {type_} needs {choices[0]}")
        text = str(part)
        if f"{type_} {choices[-1]}" in _QUOTED:
            text = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
        words.append(text or ".")
    return " ".join(words)
