# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What NSEC (RFC 4034, 4035) and NSEC3 (RFC 5155) records of one zone prove to be absent. Their signatures were verified by the caller.

Names are dnspython's; they compare in canonical order. A proof is ``secure``, ``insecure`` (an opt-out span, or more iterations than is reasonable, RFC
9276) or None for no proof.
"""

from __future__ import annotations

import base64
import hashlib
import typing as t

_NS, _CNAME, _SOA, _DNAME, _DS = 2, 5, 6, 39, 43
_MOST_ITERATIONS = 150
_OPT_OUT = 1
_TO_HEX = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHIJKLMNOPQRSTUV")


def has(rdata: t.Any, kind: int) -> bool:
    """Whether the type stands in the bitmap of an NSEC or NSEC3."""
    for window, bits in rdata.windows:
        if window == kind >> 8:
            place = kind & 255
            return place >> 3 < len(bits) and bool(bits[place >> 3] & 0x80 >> (place & 7))
    return False


class Denial:
    """The records of one zone.

    :arg nsec: (owner, rdata) of verified NSEC records; ``nsec3`` of NSEC3 records
    """

    def __init__(self, zone: t.Any, nsec: t.Sequence[t.Tuple[t.Any, t.Any]], nsec3: t.Sequence[t.Tuple[t.Any, t.Any]]) -> None:
        self.zone = zone
        self.nsec = list(nsec)
        first: t.Any = nsec3[0][1] if nsec3 else None
        self.nsec3 = {
            owner.labels[0].upper(): rdata
            for owner, rdata in nsec3
            if (rdata.algorithm, rdata.iterations, rdata.salt) == (1, first.iterations, first.salt) and owner.parent() == zone
        }
        self._first = first
        self._hashes: t.Dict[t.Any, bytes] = {}

    @property
    def lax(self) -> bool:
        """So many iterations that it is not worked out (RFC 9276 section 3.2)."""
        return self._first is not None and self._first.iterations > _MOST_ITERATIONS

    def no_data(self, name: t.Any, kind: int) -> t.Optional[str]:
        """That the name has no record of the type."""
        if self.lax:
            return "insecure"
        return self._no_data3(name, kind) if self.nsec3 else self._no_data(name, kind)

    def no_name(self, name: t.Any) -> t.Optional[str]:
        """That the name is not there, and no wildcard stands for it."""
        if self.lax:
            return "insecure"
        if self.nsec3:
            closest, span = self._closest3(name)
            if closest is None or span is None or self._covering3(_star(closest)) is None:
                return None
            return "insecure" if span.flags & _OPT_OUT else "secure"
        closest = self._not_there(name)
        return "secure" if closest is not None and self._not_there(_star(closest)) is not None else None

    def no_closer(self, name: t.Any, labels: int) -> t.Optional[str]:
        """That an answer from a wildcard with so many labels was right: no name closer to the one asked is there (RFC 4035 5.3.4)."""
        if self.lax:
            return "insecure"
        closest = name
        while len(closest.labels) - 1 > labels:
            nearer, closest = closest, closest.parent()
        if self.nsec3:
            return "secure" if self._covering3(nearer) is not None else None
        return "secure" if self._not_there(name) is not None else None

    def cut(self, name: t.Any) -> t.Optional[str]:
        """What the absence of a DS at the name means: ``delegation`` (to an unsigned zone), ``none`` (no zone begins there), None for no proof."""
        if self.lax:
            return "delegation"
        if self.nsec3:
            match = self.nsec3.get(self._hash(name))
            if match is None:
                closest, span = self._closest3(name)
                return None if closest is None or span is None else "delegation" if span.flags & _OPT_OUT else "none"
        else:
            match = next((rdata for owner, rdata in self.nsec if owner == name), None)
            if match is None:
                return "none" if self._covering(name) is not None else None
        if has(match, _DS) or (has(match, _SOA) and len(name.labels) > 1):
            return None  # that is the zone below speaking for the one above
        return "delegation" if has(match, _NS) else "none"

    # NSEC

    def _covering(self, name: t.Any) -> t.Optional[t.Tuple[t.Any, t.Any]]:
        for owner, rdata in self.nsec:
            if owner < name and (name < rdata.next or rdata.next == self.zone) and not _is_elsewhere(owner, rdata, name):
                return owner, rdata
        return None

    def _not_there(self, name: t.Any) -> t.Any:
        """The closest name above that is there; None where it is not proven that this one is not."""
        found = self._covering(name)
        if found is None or found[1].next.is_subdomain(name):
            return None
        closest = name.parent()
        while not (found[0].is_subdomain(closest) or found[1].next.is_subdomain(closest)):
            closest = closest.parent()
        return closest

    def _no_data(self, name: t.Any, kind: int) -> t.Optional[str]:
        for owner, rdata in self.nsec:
            if owner == name:
                return "secure" if _lacks(rdata, name, kind) else None
        found = self._covering(name)
        if found is None:
            return None
        if found[1].next.is_subdomain(name):
            return "secure"  # nothing is there but names below it
        star = _star(self._not_there(name))
        return "secure" if any(owner == star and _lacks(rdata, star, kind) for owner, rdata in self.nsec) else None

    # NSEC3

    def _hash(self, name: t.Any) -> bytes:
        if name not in self._hashes:
            digest = name.canonicalize().to_wire()
            for _number in range(1 + self._first.iterations):
                digest = hashlib.sha1(digest + self._first.salt).digest()  # noqa: S324 - the only algorithm there is (RFC 5155)
            self._hashes[name] = base64.b32encode(digest).translate(_TO_HEX)
        return self._hashes[name]

    def _covering3(self, name: t.Any) -> t.Any:
        wanted = self._hash(name)
        for owner, rdata in self.nsec3.items():
            last = base64.b32encode(rdata.next).translate(_TO_HEX)
            if owner < wanted < last or (last <= owner and (wanted > owner or wanted < last)):
                return rdata
        return None

    def _closest3(self, name: t.Any) -> t.Tuple[t.Any, t.Any]:
        """The closest name above that is there, and the span that the next name below it falls into (RFC 5155 8.3)."""
        nearer, closest = name, name
        while closest.is_subdomain(self.zone):
            match = self.nsec3.get(self._hash(closest))
            if match is not None:
                if closest == name or _is_elsewhere(closest, match, name):
                    return None, None
                return closest, self._covering3(nearer)
            if closest == self.zone:
                break
            nearer, closest = closest, closest.parent()
        return None, None

    def _no_data3(self, name: t.Any, kind: int) -> t.Optional[str]:
        match = self.nsec3.get(self._hash(name))
        if match is not None:
            return "secure" if _lacks(match, name, kind) else None
        closest, span = self._closest3(name)
        if closest is None or span is None:
            return None
        if kind == _DS and span.flags & _OPT_OUT:
            return "insecure"
        star = self.nsec3.get(self._hash(_star(closest)))
        return "secure" if star is not None and _lacks(star, _star(closest), kind) else None


def _star(name: t.Any) -> t.Any:
    import dns.name

    return dns.name.Name((b"*", *name.labels))


def _lacks(rdata: t.Any, name: t.Any, kind: int) -> bool:
    """Whether the record, from the right side of a zone cut, says that the type is not there."""
    if has(rdata, kind) or has(rdata, _CNAME):
        return False
    if kind == _DS:
        return not has(rdata, _SOA) or len(name.labels) == 1
    return not has(rdata, _NS) or has(rdata, _SOA)


def _is_elsewhere(owner: t.Any, rdata: t.Any, name: t.Any) -> bool:
    """Whether the names below the owner are another zone's, or moved by a DNAME, so that it says nothing about this one (RFC 6840 4.1)."""
    delegated = has(rdata, _NS) and not has(rdata, _SOA)
    return name != owner and name.is_subdomain(owner) and (delegated or has(rdata, _DNAME))
