# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What dns_diff is asked to do, read and checked before a query is sent."""

from __future__ import annotations

import dataclasses
import fnmatch
import ipaddress
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import answer as answers
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import expected, names, rotation, rrtypes, wire
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.pace import Limits
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.zone import Cuts, Key, read_key
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.dns_options import (
    Params,
    Refusal,
    anchors_of,
    limits_of,
    rates_of,
    servers_of,
    written_names,
)

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.servers import Server

AGAINST = ("previous", "expected", "nameservers", "zone")
_PTR = 12
Network = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


@dataclasses.dataclass(frozen=True)
class Tolerance:
    """Which new addresses of some names are no news. ``prefix`` 0: only ``networks`` count."""

    names: t.Tuple[t.Pattern[str], ...]
    networks: t.Tuple[Network, ...]
    prefix: int
    prefix6: int

    def covers(self, name: str, before: t.Collection[str], after: t.Collection[str]) -> bool:
        """Whether the new ones among the records of ``after`` lie in the networks, or in those of the records of ``before``."""
        if not any(pattern.match(name) for pattern in self.names):
            return False
        old = {rotation.network(value, self.prefix, self.prefix6) for value in before} if self.prefix else set()
        return all(self._is_near(value, old) for value in after if value not in before)

    def _is_near(self, value: str, old: t.Collection[str]) -> bool:
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            return False
        if any(address.version == network.version and address in network for network in self.networks):
            return True
        return bool(self.prefix) and rotation.network(value, self.prefix, self.prefix6) in old


@dataclasses.dataclass
class Request:
    """What is to be done. Durations are seconds; ``zone`` is a canonical name."""

    against: str = "previous"
    questions: t.List[wire.Question] = dataclasses.field(default_factory=list)
    servers: t.List[Server] = dataclasses.field(default_factory=list)
    reference: t.List[Server] = dataclasses.field(default_factory=list)
    expectations: t.List[expected.Expectation] = dataclasses.field(default_factory=list)
    zone: str = ""
    zone_file: str = ""
    key: t.Optional[Key] = None
    cuts: Cuts = dataclasses.field(default_factory=Cuts)
    kinds: t.Optional[t.FrozenSet[int]] = None
    limits: Limits = dataclasses.field(default_factory=Limits)
    dnssec: bool = False
    trust_anchors: t.Sequence[str] = ()
    ca: t.Optional[str] = None
    rotation: bool = False
    tolerance: t.Tuple[Tolerance, ...] = ()
    confirm: int = 1
    max_change_percent: float = 30.0
    max_results: int = 1000
    view: str = ""
    batch: str = ""


def read(params: Params) -> Request:
    """The request in a module's options.

    :raises Refusal: one sentence that names the option
    :raises LibraryMissing: dnspython is not there
    """
    answers.require()
    request = Request(
        against=str(params.get("against") or "previous"), view=str(params.get("view") or ""), batch=str(params.get("batch") or "")
    )
    if request.against not in AGAINST:
        raise Refusal(f'against is "{request.against}"' + nearest(request.against, AGAINST))
    request.kinds = _kinds(params)
    request.questions = questions_of(written_names(params), sorted(request.kinds or {1}))
    request.limits = limits_of(params)
    request.servers = servers_of(params, "nameservers")
    request.dnssec, request.ca = bool(params.get("dnssec")), params.get("ca") or None
    request.trust_anchors = tuple(anchors_of(params.get("trust_anchors"), request.dnssec))
    _check_ca(request.ca)
    request.rotation = bool(params.get("rotation"))
    request.tolerance = tuple(_tolerance(number, item) for number, item in enumerate(params.get("tolerance") or (), 1))
    _numbers(request, params)
    _sources(request, params)
    rates_of(request.limits, params.get("rate"), [*request.servers, *request.reference])
    return request


def _check_ca(ca: t.Optional[str]) -> None:
    if ca:
        from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import connection  # TLS takes its time to import

        try:
            connection.tls_context(ca)
        except ValueError as exc:
            raise Refusal(str(exc)) from exc


def _numbers(request: Request, params: Params) -> None:
    for name, least, most in (("confirm", 0, 20), ("max_change_percent", 0, 100), ("max_results", 0, 10**7)):
        value = params.get(name)
        if value is None:
            continue
        if not least <= value <= most:
            raise Refusal(f"{name} is {value:g}; it must be from {least} to {most}")
        setattr(request, name, value)


def _sources(request: Request, params: Params) -> None:
    """What each way to compare needs, and what it has no use for."""
    given = {name for name in ("expected", "reference", "zone_file", "tsig", "zone") if params.get(name) is not None}
    uses = {"previous": {"zone", "zone_file", "tsig"}, "expected": {"expected"}, "nameservers": {"reference"}}
    uses["zone"] = {"zone", "zone_file", "tsig", "reference"}
    for name in sorted(given - uses[request.against]):
        raise Refusal(f"{name} is of no use with against: {request.against}")
    try:
        if request.against == "expected":
            if "expected" not in given:
                raise ValueError("against: expected needs expected, the records as they should be")
            request.expectations = expected.read(params["expected"])
            asked = dict.fromkeys((one.name, one.kind) for one in request.expectations)
            request.questions = [wire.question(name, kind) for name, kind in asked]
        request.reference = servers_of(params, "reference") if "reference" in given else []
        if request.against == "nameservers" and len(request.servers) + len(request.reference) < 2:
            raise ValueError("against: nameservers needs two sources: several nameservers, or nameservers and reference")
        _zone(request, params, given)
    except ValueError as exc:
        raise Refusal(str(exc)) from exc
    if request.against == "expected":
        for name in ("names", "names_file", "types"):
            if params.get(name):
                raise Refusal(f"{name} is of no use with against: expected, as expected says what is asked for")
    if not request.questions and not request.zone:
        empty = "expected is empty" if "expected" in given else ""
        if not empty and params.get("names_file"):
            empty = f"there is no name in {params['names_file']}"
        raise Refusal("there is nothing to ask for: " + (empty or "give names or names_file"))


def _zone(request: Request, params: Params, given: t.Collection[str]) -> None:
    if "zone" not in given:
        if request.against == "zone" or "zone_file" in given:
            raise ValueError("zone is missing; name the zone, such as example.com")
        if "tsig" in given:
            raise ValueError("tsig is for fetching a zone; name it with zone")
        return
    try:
        request.zone = names.to_text(names.to_wire(str(params["zone"])))
    except ValueError as exc:
        raise ValueError(f"zone: {exc}") from exc
    request.zone_file = str(params.get("zone_file") or "")
    request.key = read_key(params.get("tsig"))
    if not request.zone_file and not params.get("nameservers") and not request.reference:
        raise ValueError("the zone has to come from somewhere: give zone_file, or nameservers that hand it out")


def questions_of(written: t.Iterable[t.Tuple[str, int, str]], kinds: t.Sequence[int]) -> t.List[wire.Question]:
    """Every name with every type, each once.

    :raises Refusal: an impossible name, with the place where it stands
    """
    ends = [(kind, kind.to_bytes(2, "big") + b"\0\1") for kind in kinds]
    found: t.Dict[bytes, wire.Question] = {}
    both, new = names.both, tuple.__new__  # a named tuple's own __new__ takes twice as long
    pointers = _PTR in kinds
    for place, number, name in written:
        try:
            text, packed = both(_reverse(name) if pointers else name)
        except ValueError as exc:
            raise Refusal(f"{place} {number}: {exc}") from exc
        for kind, end in ends:
            tail = packed + end
            found[tail] = new(wire.Question, (text, kind, tail))
    return list(found.values())


def _reverse(name: str) -> str:
    """The name that an address has for PTR (RFC 1035 3.5, RFC 3596 2.5); other names as they are."""
    try:
        return ipaddress.ip_address(name).reverse_pointer
    except ValueError:
        return name


def _kinds(params: Params) -> t.Optional[t.FrozenSet[int]]:
    given = params.get("types")
    try:
        return frozenset(rrtypes.number(kind) for kind in given) if given else None
    except ValueError as exc:
        raise Refusal(f"types: {exc}") from exc


def _tolerance(number: int, item: t.Any) -> Tolerance:
    where = f"item {number} of tolerance"
    if not isinstance(item, t.Mapping):
        raise Refusal(f"{where} must be a mapping with names, and networks or prefix")
    for key in item:
        if key not in ("names", "networks", "prefix", "prefix6"):
            raise Refusal(f'{where} has no key "{key}"' + nearest(str(key), ("names", "networks", "prefix", "prefix6")))
    if not item:
        raise Refusal(f"{where} is empty; it must have names, and networks or prefix")
    globs, networks = _texts(item.get("names", "*")), []
    if not globs:
        raise Refusal(f"{where} has no names, so it is for nothing; leave names out for all, or write for example *.example.com")
    for text in _texts(item.get("networks")):
        try:
            networks.append(ipaddress.ip_network(text))
        except ValueError as exc:
            raise Refusal(f'{where}: "{text}" is not a network; write for example 192.0.2.0/24 ({exc})') from exc
    sizes = []
    for key, usual, most in (("prefix", rotation.PREFIX4, 32), ("prefix6", rotation.PREFIX6, 128)):
        size = item.get(key, 0 if networks and "prefix" not in item and "prefix6" not in item else usual)
        if isinstance(size, bool) or not isinstance(size, int) or not (key not in item or 1 <= size <= most):
            raise Refusal(f"{where}: {key} is {size!r}; it must be a number from 1 to {most}")
        sizes.append(size)
    patterns = tuple(re.compile(fnmatch.translate(_pattern(glob))) for glob in globs)
    return Tolerance(patterns, tuple(networks), sizes[0], sizes[1])


def _pattern(glob: str) -> str:
    """A pattern as names are compared: lower case, A-labels, no final dot."""
    labels = glob.lower().rstrip(".").split(".")
    try:
        return ".".join(label if label.isascii() else names.to_text(names.to_wire(label)) for label in labels) or "."
    except ValueError as exc:
        raise Refusal(f"tolerance: {exc}") from exc


def _texts(value: t.Any) -> t.List[str]:
    return [] if value is None else [str(item) for item in value] if isinstance(value, (list, tuple)) else [str(value)]
