# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The records of a zone, from a zone file or from a transfer (AXFR, RFC 5936), signed with TSIG (RFC 8945) where a key is given."""

from __future__ import annotations

import base64
import binascii
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import names, rrset
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.answer import rdata_text

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.servers import Server

Records = t.Dict[t.Tuple[str, int], t.Tuple[str, ...]]
# bytes of each hash
ALGORITHMS = {"hmac-md5": 16, "hmac-sha1": 20, "hmac-sha224": 28, "hmac-sha256": 32, "hmac-sha384": 48, "hmac-sha512": 64}
LARGEST_FILE = 512 * 1024 * 1024
_NS, _SOA, _DS = 2, 6, 43
# made by the server while it signs, or different on every server
_MADE = frozenset((46, 47, 50, 51, 65534))
_LINE = re.compile(r"^(.*):([0-9]+):\s*(.*)$", re.DOTALL)


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
    """The zone in a master file (RFC 1035 section 5).

    :raises ZoneError: it cannot be read; the line is named
    """
    import dns.exception
    import dns.zone

    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read(LARGEST_FILE + 1)
    except OSError as exc:
        raise ZoneError(f"zone_file: {path} cannot be read ({(exc.strerror or str(exc)).lower()})") from exc
    if len(text) > LARGEST_FILE:
        raise ZoneError(f"zone_file: {path} is larger than {LARGEST_FILE // 1024**2} MiB")
    try:
        return _parsed(text, zone)
    except dns.zone.NoSOA:
        raise ZoneError(f"zone_file: {path} has no SOA record of {zone}; is it the file of that zone?") from None
    except dns.zone.NoNS:
        raise ZoneError(f"zone_file: {path} has no NS record of {zone}") from None
    except Exception as exc:
        raise ZoneError(f"zone_file: {path}, {_place(text, zone, exc)}") from exc


def _parsed(text: str, zone: str, check: bool = True) -> t.Any:
    import dns.zone

    return dns.zone.from_text(text, origin=zone.rstrip(".") + ".", relativize=False, check_origin=check)


def _place(text: str, zone: str, exc: Exception) -> str:
    """``line 7 ("www IN A 1.2.3"): what is wrong``. The library counts to where it stopped reading, which may be the line after."""
    found = _LINE.match(str(exc))
    if found is None:
        return f"a record cannot be used: {' '.join(str(exc).split())[:200]}"
    lines = text.splitlines()
    number = min(int(found.group(2)), len(lines) + 1)
    if number > 1 and _fails("\n".join(lines[: number - 1]) + "\n", zone):
        number -= 1
    shown = " ".join(lines[number - 1].split())[:80] if number <= len(lines) else "the end of the file"
    return f'line {number} ("{shown}"): {" ".join(found.group(3).split())[:160].rstrip(".").lower() or "it cannot be read"}'


def _fails(text: str, zone: str) -> bool:
    try:
        _parsed(text, zone, check=False)
    except Exception:  # noqa: BLE001 - only whether
        return True
    return False


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
    cuts = {_name(owner) for owner, rdataset in zone.iterate_rdatasets() if int(rdataset.rdtype) == _NS} - {apex}
    return {key: values for key, values in found.items() if _is_answered(key[0], key[1], apex, cuts)}


def _is_answered(name: str, kind: int, apex: str, cuts: t.Collection[str]) -> bool:
    if name in cuts:
        return kind == _DS
    return rrset.is_below(name, apex) and not any(parent in cuts for parent in rrset.parents(name)[1:])


def serial(zone: t.Any) -> t.Optional[int]:
    """The serial number in the zone's SOA."""
    for _owner, rdataset in zone.iterate_rdatasets(_SOA):
        for rdata in rdataset:
            return int(rdata.serial)
    return None


def _name(name: t.Any) -> str:
    return names.to_text(name.canonicalize().to_wire())
