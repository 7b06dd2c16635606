# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The records of a zone, from a zone file or from a transfer (AXFR, RFC 5936), signed with TSIG (RFC 8945) where a key is given."""

from __future__ import annotations

import base64
import binascii
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import names, rrset, zonefile
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.answer import rdata_text

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.servers import Server

Records = t.Dict[t.Tuple[str, int], t.Tuple[str, ...]]
# bytes of each hash
ALGORITHMS = {"hmac-md5": 16, "hmac-sha1": 20, "hmac-sha224": 28, "hmac-sha256": 32, "hmac-sha384": 48, "hmac-sha512": 64}
_NS, _CNAME, _SOA, _DNAME, _DS = 2, 5, 6, 39, 43
# made by the server while it signs, or different on every server
_MADE = frozenset((46, 47, 50, 51, 63, 65534))


class Key(t.NamedTuple):
    """A TSIG key. ``secret`` is base64."""

    name: str
    algorithm: str
    secret: str


class ZoneError(Exception):
    """The zone cannot be had; the text is one sentence."""


def read_key(given: t.Any) -> t.Optional[Key]:
    """The key in ``{name, algorithm, secret}``; None for None.

    :raises ValueError: one sentence, without the secret
    """
    if given is None:
        return None
    if not isinstance(given, t.Mapping) or not given.get("name") or not given.get("secret"):
        raise ValueError("tsig needs name and secret (base64), and algorithm unless it is hmac-sha256")
    algorithm = str(given.get("algorithm") or "hmac-sha256").lower().rstrip(".")
    algorithm = "hmac-md5" if algorithm == "hmac-md5.sig-alg.reg.int" else algorithm
    if algorithm not in ALGORITHMS:
        raise ValueError(f'tsig: there is no algorithm "{algorithm}"' + nearest(algorithm, tuple(ALGORITHMS)))
    try:
        name = names.to_text(names.to_wire(str(given["name"])))
    except ValueError as exc:
        raise ValueError(f"tsig: the name of the key: {exc}") from exc
    try:
        size = len(base64.b64decode("".join(str(given["secret"]).split()), validate=True))
    except (binascii.Error, ValueError) as exc:
        raise ValueError("tsig: the secret is not base64") from exc
    least = ALGORITHMS[algorithm] // 2
    if size < least:
        wanted = ALGORITHMS[algorithm]
        raise ValueError(
            f"tsig: the secret has {size} bytes, which is too short for {algorithm}; it should have {wanted}, and never less than {least}"
        )
    return Key(name, algorithm, "".join(str(given["secret"]).split()))


def from_file(path: str, zone: str) -> t.Any:
    """The zone in a master file (RFC 1035 section 5), with the files that it includes.

    :raises ZoneError: it cannot be read; the line is named
    """
    import dns.zone

    def parse(text: str, check: bool = False) -> t.Any:
        return dns.zone.from_text(text, origin=zone.rstrip(".") + ".", relativize=False, check_origin=check)

    try:
        file = zonefile.read(path, zone)
    except zonefile.ZoneFileError as exc:
        raise ZoneError(f"zone_file: {exc}") from exc
    try:
        return parse(file.text(), True)
    except dns.zone.NoSOA:
        raise ZoneError(f"zone_file: {path} has no SOA record of {zone}; is it the file of that zone?") from None
    except dns.zone.NoNS:
        raise ZoneError(f"zone_file: {path} has no NS record of {zone}") from None
    except Exception as exc:
        raise ZoneError(f"zone_file: {zonefile.problem(file, exc, parse)}") from exc


def transfer(server: Server, zone: str, key: t.Optional[Key], timeout: float, lifetime: float) -> t.Any:
    """The zone as a server hands it out.

    :arg timeout: seconds for one message; ``lifetime`` for all of it
    :raises ZoneError: one sentence that names server and zone
    """
    import dns.exception
    import dns.name
    import dns.query
    import dns.tsigkeyring
    import dns.zone

    if server.transport not in ("udp", "tcp"):
        raise ZoneError(
            f"the zone {zone} cannot be fetched from {server.label}: zone transfers go over TCP; name the server without {server.transport}://"
        )
    signed: t.Dict[str, t.Any] = {}
    if key is not None:
        algorithm = "hmac-md5.sig-alg.reg.int." if key.algorithm == "hmac-md5" else key.algorithm + "."
        signed = {
            "keyring": dns.tsigkeyring.from_text({key.name: key.secret}),
            "keyname": key.name,
            "keyalgorithm": dns.name.from_text(algorithm),
        }
    where = f"the zone {zone} cannot be fetched from {server.label}"
    try:
        messages = dns.query.xfr(server.address, zone, port=server.port, timeout=timeout, lifetime=lifetime, relativize=False, **signed)
        return dns.zone.from_xfr(messages, relativize=False)
    except dns.exception.Timeout as exc:
        raise ZoneError(f"{where}: it did not answer in time") from exc
    except OSError as exc:
        raise ZoneError(f"{where}: {(exc.strerror or str(exc)).lower()}") from exc
    except Exception as exc:
        raise ZoneError(f"{where}: {_refusal(exc, key)}") from exc


def _refusal(exc: Exception, key: t.Optional[Key]) -> str:
    text = " ".join(str(exc).split()).rstrip(".").lower()
    kind = type(exc).__name__
    if kind in ("PeerBadKey", "PeerBadSignature", "BadSignature", "PeerError", "UnknownTSIGKey") or "bad key" in text:
        return f"it does not take the key {key.name if key else ''}: {text or kind}"
    if "refused" in text or "notauth" in text:
        return f"it refused ({text}); see that it allows transfers to this host" + (
            " with this key" if key else ", perhaps with a tsig key"
        )
    return text[:200] or kind


def records(zone: t.Any, kinds: t.Optional[t.Collection[int]] = None) -> Records:
    """The records of a zone that its servers answer with, as canonical texts by name and type.

    What is below a delegation is left out, as are signatures and, unless it is asked for, the SOA, which differs with every change.

    :arg kinds: types; None for all
    """
    apex = _name(zone.origin)
    found: Records = {}
    for owner, rdataset in zone.iterate_rdatasets():
        kind = int(rdataset.rdtype)
        if (kinds is None and (kind in _MADE or kind == _SOA)) or (kinds is not None and kind not in kinds):
            continue
        found[_name(owner), kind] = tuple(sorted({rdata_text(rdata) for rdata in rdataset}))
    cut = cuts(zone)
    return {key: values for key, values in found.items() if is_answered(key[0], key[1], apex, cut)}


class Lookup:
    """Finds in the records of a zone what its servers answer with (RFC 1034 section 4.3.2)."""

    def __init__(self, found: Records, apex: str) -> None:
        self._found, self._apex = found, apex
        self._owners = {owner for owner, _kind in found}
        self._exist = {parent for owner in self._owners for parent in rrset.parents(owner)}  # with those between, which have no record

    def __call__(self, name: str, kind: int) -> t.Tuple[int, t.Tuple[str, ...]]:
        """Type and records of a name: its own, those of the wildcard that stands for it, or the CNAME where it is an alias."""
        if name not in self._exist:
            closest = next((parent for parent in rrset.parents(name) if parent in self._exist), self._apex)
            name = "*" if closest == "." else f"*.{closest}"
        if (name, kind) not in self._found and (name, _CNAME) in self._found:
            kind = _CNAME
        return kind, self._found.get((name, kind), ())


class Cuts(t.NamedTuple):
    """Where a zone ends: names with a delegation, whose other records are the child's, and names whose children a DNAME hides."""

    delegations: t.FrozenSet[str] = frozenset()
    aliases: t.FrozenSet[str] = frozenset()

    def hides(self, name: str) -> bool:
        """Whether the zone's servers answer with something else than this zone's records of the name, itself or below."""
        above = rrset.parents(name)
        return any(parent in self.delegations for parent in above) or any(parent in self.aliases for parent in above[1:])


def cuts(zone: t.Any) -> Cuts:
    """Where the zone ends."""
    owners: t.Dict[int, t.Set[str]] = {_NS: set(), _DNAME: set()}
    for owner, rdataset in zone.iterate_rdatasets():
        if int(rdataset.rdtype) in owners:
            owners[int(rdataset.rdtype)].add(_name(owner))
    return Cuts(frozenset(owners[_NS] - {_name(zone.origin)}), frozenset(owners[_DNAME]))


def is_answered(name: str, kind: int, apex: str, cut: Cuts) -> bool:
    """Whether the servers of the zone answer for a name and type with what is in it."""
    if name in cut.delegations and not cut.hides(_parent(name)):
        return kind == _DS
    return rrset.is_below(name, apex) and not cut.hides(name)


def _parent(name: str) -> str:
    above = rrset.parents(name)
    return above[1] if len(above) > 1 else "."


def serial(zone: t.Any) -> t.Optional[int]:
    """The serial number in the zone's SOA."""
    for _owner, rdataset in zone.iterate_rdatasets(_SOA):
        for rdata in rdataset:
            return int(rdata.serial)
    return None


def _name(name: t.Any) -> str:
    return names.to_text(name.canonicalize().to_wire())
