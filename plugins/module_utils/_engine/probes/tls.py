# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes a TLS handshake and describes the certificate, the bad ones above all."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context, Option, ProbeFailure, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._common import failure, milliseconds
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import EXPIRED, NOT_YET_VALID, Deadline, NetError
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._net import Stream, ascii_host, dial
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._starttls import PROTOCOLS, start
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._talks import Talker

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._der import Certificate

_USUAL_PORTS = {None: 443, "smtp": 25, "imap": 143, "pop3": 110, "ftp": 21, "ldap": 389, "postgres": 5432, "mysql": 3306, "xmpp": 5222}
_MOST_NAMES = 50


def _complete(options: dict[str, t.Any]) -> None:
    for name in ("host", "server_name"):
        if options[name] is not None:
            try:
                ascii_host(options[name])
            except NetError as exc:
                raise ValueError(f"tls.{name}: {exc.sentence}") from exc


SPEC = ProbeSpec(
    "tls",
    {
        "host": Option("str", required=True, help="name or address to connect to"),
        "port": Option("port", help="port number; 443, or the usual one of starttls"),
        "server_name": Option("str", help="the name to ask for and to find in the certificate; host if left out"),
        "starttls": Option("str", choices=tuple(PROTOCOLS), help="the protocol that is spoken before TLS begins"),
        "timeout": Option("duration", default=5.0, help="for everything together"),
        "ca": Option("path", help="PEM file or hashed directory on the node to trust instead of its own store"),
    },
    {
        "days_left": "days until the certificate expires, negative when it has",
        "valid": "whether dates, name and chain are all right",
        "name_ok": "whether the certificate is for the server name",
        "chain_ok": "whether its chain leads to a trusted CA; null where another fault hides that",
        "issuer": "who issued the certificate",
        "subject": "whom it was issued to",
        "protocol": "such as TLSv1.3",
        "not_before": "first moment of validity, UTC",
        "not_after": "last moment of validity, UTC",
        "san": "subject alternative names, such as DNS:www.example.com",
    },
    {"valid": True, "days_left": "> 14"},
    help="Reads the certificate of a server.",
    complete=_complete,
)


@Talker
async def observe(options: dict[str, t.Any], ctx: Context) -> dict[str, t.Any]:
    """Look once: with verification, and where that fails once more without, to read what is there.

    :raises ProbeFailure: tls with everything that is known of a bad certificate; dns, refused, reset, timeout ... with nothing
    """
    begin = time.monotonic()
    deadline = Deadline(options["timeout"])
    host, port = options["host"], options["port"] or _USUAL_PORTS[options["starttls"]]
    refusal: NetError | None = None
    try:
        try:
            seen, certificate = await _look(options, ctx, port, deadline, True)
        except NetError as exc:
            if exc.reason != "tls" or exc.phase != "tls":
                raise
            refusal = exc
            seen, certificate = await _look(options, ctx, port, deadline, False)
    except NetError as exc:
        where = "" if exc.phase in ("dns", "connect") and exc.reason != "timeout" else f"{host}:{port}"
        raise failure(refusal or exc, None, where) from exc
    seen["latency_ms"] = milliseconds(begin)
    now = time.time()
    expired = certificate.not_after < now
    early = certificate.not_before > now
    dated = refusal is not None and refusal.code in EXPIRED + NOT_YET_VALID and (expired or early)
    seen["chain_ok"] = None if refusal and not refusal.code else refusal is None or dated
    seen["valid"] = refusal is None and seen["name_ok"]
    if not seen["valid"]:
        raise ProbeFailure("tls", f"{host}:{port}: {_faults(options, seen, refusal, expired, early)}", seen)
    return seen


async def _look(
    options: dict[str, t.Any], ctx: Context, port: int, deadline: Deadline, verify: bool
) -> tuple[dict[str, t.Any], Certificate]:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import _tls

    name = options["server_name"] or options["host"]
    settings = await _tls.prepared(ctx.shared, deadline, verify=verify, check_name=False, ca=options["ca"] if verify else None)
    stream: Stream = await dial(options["host"], port, deadline)
    try:
        if options["starttls"]:
            await start(stream, options["starttls"], ascii_host(name))
        await _tls.handshake(stream, settings, name)
        certificate = _tls.peer_certificate(stream)
        protocol = _tls.protocol(stream)
    finally:
        stream.close()
    seen = {
        "days_left": _tls.days_left(certificate),
        "name_ok": _tls.name_fits(certificate, name),
        "issuer": certificate.issuer,
        "subject": certificate.subject,
        "protocol": protocol,
        "not_before": _moment(certificate.not_before),
        "not_after": _moment(certificate.not_after),
        "san": [f"{kind}:{value}" for kind, value in certificate.san[:_MOST_NAMES]],
    }
    return seen, certificate


def _moment(epoch: float) -> str:
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
    except (OverflowError, ValueError, OSError):
        return "unknown"


def _faults(options: dict[str, t.Any], seen: dict[str, t.Any], refusal: NetError | None, expired: bool, early: bool) -> str:
    """Everything that is wrong with it, not only what was found first."""
    faults = []
    if expired:
        faults.append(f"expired: the certificate ended {-seen['days_left']:.1f} days ago, on {seen['not_after']}")
    if early:
        faults.append(f"expired: the certificate is not valid before {seen['not_before']}")
    if refusal is not None and not (seen["chain_ok"] and (expired or early)):
        faults.append(refusal.sentence + ("" if refusal.code else f"; it speaks {seen['protocol']}"))
    if not seen["name_ok"]:
        names = ", ".join(seen["san"][:5]) or seen["subject"] or "nobody"
        faults.append(f"name: the certificate is for {names}, not for {options['server_name'] or options['host']}")
    return "; ".join(faults)
