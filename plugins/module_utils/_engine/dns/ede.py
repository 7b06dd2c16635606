# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Extended DNS errors: why a server fails, in words (RFC 8914)."""

from __future__ import annotations

import typing as t

# RFC 8914 section 4 and the IANA registry
_EDE_TEXT = (
    "Other Error,Unsupported DNSKEY Algorithm,Unsupported DS Digest Type,Stale Answer,Forged Answer,DNSSEC Indeterminate,DNSSEC Bogus,"
    "Signature Expired,Signature Not Yet Valid,DNSKEY Missing,RRSIGs Missing,No Zone Key Bit Set,NSEC Missing,Cached Error,Not Ready,Blocked,"
    "Censored,Filtered,Prohibited,Stale NXDomain Answer,Not Authoritative,Not Supported,No Reachable Authority,Network Error,Invalid Data,"
    "Signature Expired before Valid,Too Early,Unsupported NSEC3 Iterations Value,Unable to conform to policy,Synthesized"
)
_EDE = _EDE_TEXT.split(",")
_EDE_OPTION = 15


def extended_error(message: t.Any) -> str:
    """All of a dnspython message as one text, empty where there is none."""
    parts = []
    for option in getattr(message, "options", ()):
        if int(option.otype) != _EDE_OPTION:
            continue
        data = getattr(option, "data", None)
        data = option.to_wire() if data is None else data
        if len(data) >= 2:
            code = data[0] << 8 | data[1]
            extra = "".join(char if char.isprintable() else " " for char in data[2:].decode("utf-8", "replace")).strip()[:300]
            parts.append((_EDE[code] if code < len(_EDE) else f"extended error {code}") + (f" ({extra})" if extra else ""))
    return "; ".join(parts)
