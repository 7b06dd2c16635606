# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A certificate in a file on this host."""

from __future__ import annotations

import base64
import binascii
import re
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, Option, ProbeFailure, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._der import Certificate, read_certificate
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._looks import guarded, start_guard

_LARGEST = 2 << 20
_MOST_NAMES = 50
_DAY = 86400.0
_PEM = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----([^-]*)-----END (?:X509 |TRUSTED )?CERTIFICATE-----")

SPEC = ProbeSpec(
    "cert_file",
    {
        "path": Option(
            "path", required=True, help="file with one or more certificates as PEM, or one as DER; keys in it are not looked at"
        ),
        "timeout": Option("duration", default=5.0, help="how long the file may take to answer"),
    },
    {
        "exists": "whether there is anything at the path",
        "valid": "whether now is within the validity of all certificates in the file",
        "days_left": "days until the first of them expires, negative when it has",
        "expires_first": "subject of that one",
        "subject": "of the first certificate in the file, as is all that follows",
        "issuer": "who issued it",
        "names": "host names and addresses it is for",
        "self_signed": "whether subject and issuer are the same",
        "not_before": "first moment of its validity, UTC",
        "not_after": "last moment of its validity, UTC",
        "serial": "its serial number in hexadecimal digits",
        "certificates": "how many certificates are in the file",
    },
    {"valid": True, "days_left": "> 14"},
    help="Signatures and trust are not looked at; the probe tls does that, at the server that uses the file.",
)


def gather(all_options: list[dict[str, t.Any]], ctx: Context) -> None:
    """Fork before threads are started."""
    start_guard()


def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once.

    :raises ProbeFailure: not_found with ``exists: false``, or tls where there is no certificate in it, or one that is not valid now
    :raises CannotSee: timeout, permission
    """
    path = options["path"]
    try:
        found = guarded("bytes", path, options["timeout"], most=_LARGEST + 1)["data"]
    except ProbeFailure as exc:
        raise ProbeFailure(exc.reason, exc.sentence, {"exists": False}) from exc
    data = base64.b64decode(found or "")
    if len(data) > _LARGEST:
        raise CannotSee(f"{path} is longer than {_LARGEST >> 20} MiB, which no file with certificates is", "unsupported")
    try:
        certificates = read_all(data)
    except ValueError as exc:
        raise ProbeFailure("tls", f"{path}: {exc}", {"exists": True, "valid": False}) from exc
    now = time.time()
    seen = _seen(certificates, now)
    if not seen["valid"]:
        raise ProbeFailure("tls", f"{path}: {_dates(certificates, seen, now)}", seen)
    return seen


def read_all(data: bytes) -> list[Certificate]:
    """All certificates of a file, at least one.

    :raises ValueError: there is none, or one that cannot be read
    """
    bodies = []
    for match in _PEM.finditer(data):
        try:
            # a trusted one carries more behind the certificate itself, which the reader does not look at
            bodies.append(base64.b64decode(b"".join(match.group(1).split()), validate=True))
        except binascii.Error as exc:
            raise ValueError("a certificate in it is not base64") from exc
    if not bodies:
        if not data.startswith(b"\x30"):
            raise ValueError("there is no certificate in it, neither as PEM nor as DER")
        bodies.append(data)
    return [read_certificate(body) for body in bodies]


def _seen(certificates: list[Certificate], now: float) -> dict[str, t.Any]:
    first = certificates[0]
    soonest = min(certificates, key=lambda certificate: certificate.not_after)
    return {
        "exists": True,
        "valid": soonest.not_after > now and all(certificate.not_before <= now for certificate in certificates),
        "days_left": round((soonest.not_after - now) / _DAY, 3),
        "expires_first": soonest.subject,
        "subject": first.subject,
        "issuer": first.issuer,
        "names": ([value for kind, value in first.san if kind in ("DNS", "IP")] or first.common_names)[:_MOST_NAMES],
        "self_signed": first.subject == first.issuer,
        "not_before": _moment(first.not_before),
        "not_after": _moment(first.not_after),
        "serial": f"{first.serial:x}",
        "certificates": len(certificates),
    }


def _dates(certificates: list[Certificate], seen: dict[str, t.Any], now: float) -> str:
    """What is wrong with the dates: of the one that ended first, or else of the one that begins last."""
    if seen["days_left"] <= 0:
        end = _moment(min(certificate.not_after for certificate in certificates))
        return f"expired: the certificate of {seen['expires_first'] or 'nobody'} ended {-seen['days_left']:.1f} days ago, on {end}"
    last = max(certificates, key=lambda certificate: certificate.not_before)
    return f"expired: the certificate of {last.subject or 'nobody'} is not valid before {_moment(last.not_before)}"


def _moment(epoch: float) -> str:
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
    except (OverflowError, ValueError, OSError):
        return "unknown"
