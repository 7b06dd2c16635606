# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Record types by name and number (IANA's registry "DNS Parameters"; TYPE65 as RFC 3597 writes unknown ones)."""

from __future__ import annotations

import difflib
import re
import typing as t

_TYPES = {
    "A": 1, "NS": 2, "MD": 3, "MF": 4, "CNAME": 5, "SOA": 6, "MB": 7, "MG": 8, "MR": 9, "NULL": 10, "WKS": 11, "PTR": 12, "HINFO": 13, "MINFO": 14,
    "MX": 15, "TXT": 16, "RP": 17, "AFSDB": 18, "X25": 19, "ISDN": 20, "RT": 21, "NSAP": 22, "NSAP-PTR": 23, "SIG": 24, "KEY": 25, "PX": 26,
    "GPOS": 27, "AAAA": 28, "LOC": 29, "NXT": 30, "SRV": 33, "NAPTR": 35, "KX": 36, "CERT": 37, "A6": 38, "DNAME": 39, "OPT": 41, "APL": 42,
    "DS": 43, "SSHFP": 44, "IPSECKEY": 45, "RRSIG": 46, "NSEC": 47, "DNSKEY": 48, "DHCID": 49, "NSEC3": 50, "NSEC3PARAM": 51, "TLSA": 52,
    "SMIMEA": 53, "HIP": 55, "NINFO": 56, "RKEY": 57, "TALINK": 58, "CDS": 59, "CDNSKEY": 60, "OPENPGPKEY": 61, "CSYNC": 62, "ZONEMD": 63,
    "SVCB": 64, "HTTPS": 65, "DSYNC": 66, "SPF": 99, "NID": 104, "L32": 105, "L64": 106, "LP": 107, "EUI48": 108, "EUI64": 109, "TKEY": 249,
    "TSIG": 250, "IXFR": 251, "AXFR": 252, "MAILB": 253, "MAILA": 254, "ANY": 255, "URI": 256, "CAA": 257, "AVC": 258, "DOA": 259, "AMTRELAY": 260,
    "RESINFO": 261, "WALLET": 262, "TA": 32768, "DLV": 32769,
}  # fmt: skip
_NAMES = {number: name for name, number in _TYPES.items()}
_NUMBERED = re.compile(r"(?:TYPE)?([0-9]{1,5})")

# these travel in messages, no name has them (RFC 6891, 8945, 2930, 1995, 5936)
NOT_ASKED = frozenset((0, 41, 249, 250, 251, 252))


def number(kind: t.Union[str, int]) -> int:
    """The number of a record type, from its name in any case, ``TYPE65``, ``65`` or 65.

    :raises ValueError: nobody knows it, or it cannot be asked for
    """
    text_ = str(kind).strip().upper()
    match = _NUMBERED.fullmatch(text_)
    found = int(match.group(1)) if match else _TYPES.get(text_)
    if found is None or isinstance(kind, bool):
        near = difflib.get_close_matches(text_, _TYPES, 1)
        raise ValueError(f'"{kind}" is not a record type; ' + (f"did you mean {near[0]}?" if near else "write for example A, MX or TYPE65"))
    if found > 65535:
        raise ValueError(f'"{kind}" is not a record type: the numbers end at 65535')
    if found in NOT_ASKED:
        raise ValueError(f'"{kind}" is not a type that a name can have, so it cannot be asked for')
    return found


def text(number_: int) -> str:
    """The name of a type, ``TYPE65280`` where it has none."""
    return _NAMES.get(number_) or f"TYPE{number_}"
