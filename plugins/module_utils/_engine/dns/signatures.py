# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures of DNSSEC: trust anchors, zones and their keys, and one RRset under one zone's keys (RFC 4034, 4035).

The arithmetic is dnspython's, which needs the library cryptography.
"""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import answer as answers
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import rrtypes

# the root's keys of 2017 and 2024 (https://data.iana.org/root-anchors/root-anchors.xml)
ROOT = (
    ". DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
    ". DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
)
_DNSKEY = 48
_DIGESTS = {1: hashlib.sha1, 2: hashlib.sha256, 4: hashlib.sha384}
_ALGORITHMS = (5, 7, 8, 10, 13, 14, 15, 16)  # RFC 8624 section 3.1, those to be validated
MOST_SIGNATURES = 8  # of one RRset, and tried keys of a zone: nobody makes us work for hours (CVE-2023-50387)
MOST_KEYS = 16


@dataclasses.dataclass
class Zone:
    """A zone on the way down: ``secure`` with its keys, ``insecure``, ``bogus`` or ``failed`` with a sentence."""

    name: t.Any
    state: str
    keys: t.Any = None
    why: str = ""
    status: str = "bogus"  # of an answer that cannot be validated for this reason


class Bogus(Exception):
    """An answer or a zone that is signed, and whose signatures do not hold; the text says which."""


def require() -> None:
    """See that the libraries are there.

    :raises LibraryMissing: one is not
    """
    answers.require()
    try:
        import cryptography.hazmat.primitives  # noqa: F401 - only whether it is there
        import dns.dnssec
    except ImportError as exc:
        raise answers.LibraryMissing(
            "the Python library cryptography is needed to validate DNSSEC; install python3-cryptography", "cryptography"
        ) from exc
    if not hasattr(dns.dnssec, "ValidationFailure") or not hasattr(dns.rdata.Rdata, "replace"):
        raise answers.LibraryMissing("dnspython is too old to validate DNSSEC; 2.0 or newer is needed")


def read_anchors(lines: t.Sequence[str]) -> t.Dict[t.Any, t.List[t.Any]]:
    """Trust anchors by zone from lines like ``example.com. DS 12345 13 2 ABCD...`` (or DNSKEY).

    :raises ValueError: one sentence that names the line
    """
    import dns.exception
    import dns.name
    import dns.rdata

    anchors: t.Dict[t.Any, t.List[t.Any]] = {}
    for line in lines:
        words = str(line).split(";", 1)[0].split()
        place = next((at for at, word in enumerate(words[:4]) if at and word.upper() in ("DS", "DNSKEY")), 0)
        try:
            if not place:
                raise ValueError
            name = dns.name.from_text(words[0]).canonicalize()
            anchor: t.Any = dns.rdata.from_text("IN", words[place].upper(), " ".join(words[place + 1 :]))
            if not (anchor.digest if int(anchor.rdtype) != _DNSKEY else anchor.key):
                raise ValueError
            anchors.setdefault(name, []).append(anchor)
        except (dns.exception.DNSException, ValueError) as exc:
            raise ValueError(
                f'"{line}" is not a trust anchor; write for example ". DS 20326 8 2 E06D..." or "example.com. DNSKEY 257 3 13 ..."'
            ) from exc
    return anchors


def usable(anchor: t.Any) -> bool:
    """Whether its algorithms are known here; a zone with none of these counts as not signed (RFC 4035 5.2)."""
    return int(anchor.algorithm) in _ALGORITHMS and (int(anchor.rdtype) == _DNSKEY or int(anchor.digest_type) in _DIGESTS)


def vouches(anchor: t.Any, name: t.Any, key: t.Any) -> bool:
    """Whether a trust anchor or DS record is for this key (RFC 4034 5.1.4). The key must be one of a zone and not revoked."""
    if not int(key.flags) & 0x0100 or int(key.flags) & 0x0080:
        return False
    if int(anchor.rdtype) == _DNSKEY:
        return bool(anchor == key)
    if int(anchor.algorithm) != int(key.algorithm):
        return False
    digest = _DIGESTS[int(anchor.digest_type)](name.canonicalize().to_wire() + key.to_wire()).digest()
    return bool(digest == anchor.digest)


def verify(rrset: t.Any, signatures: t.Any, zone: Zone) -> int:
    """Verify by the zone's keys; returns the number of labels of the signature (fewer than the name has: it is from a wildcard).

    :raises Bogus: no signature holds
    """
    import dns.dnssec
    import dns.exception
    import dns.rdataset

    what = f"{rrset.name} {rrtypes.text(int(rrset.rdtype))}"
    why = "has no signature"
    for signature in list(signatures or ())[:MOST_SIGNATURES]:
        if signature.signer != zone.name or signature.labels > len(rrset.name.labels) - 1:
            continue
        try:
            dns.dnssec.validate_rrsig(rrset, signature, {zone.name: zone.keys})
            return int(signature.labels)
        except dns.exception.DNSException as exc:
            why = f"has no valid signature ({str(exc) or type(exc).__name__})"
    raise Bogus(f"{what} {why} of {zone.name}")
