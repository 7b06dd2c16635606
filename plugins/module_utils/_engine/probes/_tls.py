# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS: contexts that are built once and shared, the handshake under a deadline, and what the peer's certificate says.

Building a context from the system's CA store takes about 20 ms of CPU, so no conversation ever builds its own.
"""

from __future__ import annotations

import functools
import os
import ssl
import threading
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._der import Certificate, covers, read_certificate
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import Deadline, NetError
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._net import Stream, ascii_host
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._talks import Errand, done

_MOST_CONTEXTS = 64
_PARTIAL_CHAIN = 0x80000  # X509_V_FLAG_PARTIAL_CHAIN; ssl.VERIFY_X509_PARTIAL_CHAIN is there from Python 3.10
_STRICT = 0x20  # X509_V_FLAG_X509_STRICT
_DAY = 86400.0

_CONTEXTS: dict[tuple[t.Any, ...], ssl.SSLContext] = {}
_LOCK = threading.Lock()


def _new_lock() -> None:
    """A forked child must not wait for a thread that it does not have."""
    global _LOCK
    _LOCK = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_lock)


def context(
    verify: bool = True,
    check_name: bool = True,
    ca: str | None = None,
    client_cert: str | None = None,
    client_key: str | None = None,
) -> ssl.SSLContext:
    """The one context for these settings; built anew when one of the files has changed.

    :arg verify: False takes any certificate and any protocol version, to look at what is there
    :arg check_name: False verifies the chain and the dates alone
    :arg ca: a PEM file, or a directory hashed as OpenSSL does it, to trust instead of the system's store
    :arg client_cert: a PEM file with certificate and, without client_key, the key
    :raises NetError: tls, a file cannot be used
    """
    key = (verify, check_name, _version(ca), _version(client_cert), _version(client_key))
    found = _CONTEXTS.get(key)
    if found is not None:
        return found
    made = _build(verify, check_name, ca, client_cert, client_key)  # not under the lock: reading the files may hang
    with _LOCK:
        while len(_CONTEXTS) >= _MOST_CONTEXTS:
            del _CONTEXTS[next(iter(_CONTEXTS))]
        return _CONTEXTS.setdefault(key, made)


def _version(path: str | None) -> tuple[t.Any, ...] | None:
    if path is None:
        return None
    try:
        status = os.stat(path)
    except OSError as exc:
        raise NetError("tls", f"{path} cannot be read: {(exc.strerror or '').lower()}", "file") from exc
    return (path, status.st_mtime_ns, status.st_size, status.st_ino)


def _build(verify: bool, check_name: bool, ca: str | None, client_cert: str | None, client_key: str | None) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    place = ca
    try:
        if verify:
            made.check_hostname = check_name
            made.minimum_version = ssl.TLSVersion.TLSv1_2
            # alike on every Python: 3.13 alone would refuse many private CAs by the strict flag
            flags = (int(made.verify_flags) | _PARTIAL_CHAIN | int(ssl.VERIFY_X509_TRUSTED_FIRST)) & ~_STRICT
            made.verify_flags = ssl.VerifyFlags(flags)
            if ca is None:
                made.load_default_certs(ssl.Purpose.SERVER_AUTH)
            else:
                made.load_verify_locations(**{"capath" if os.path.isdir(ca) else "cafile": ca})
        else:
            made.check_hostname = False
            made.verify_mode = ssl.CERT_NONE
            made.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            made.set_ciphers("ALL:!aNULL:@SECLEVEL=0")
        if client_cert is not None:
            place = client_cert
            made.load_cert_chain(client_cert, client_key, password=_no_password)
    except (OSError, ValueError) as exc:
        raise NetError("tls", f"{place} cannot be used: {_why(exc)}", "file") from exc
    return made


def _no_password() -> str:
    """Never ask at a terminal for the password of a key."""
    raise ValueError("its key is encrypted")


def _why(exc: Exception) -> str:
    if isinstance(exc, ssl.SSLError):
        said = (exc.reason or "no certificate in PEM form in it").replace("_", " ").lower()
        return "the key does not fit the certificate" if "values mismatch" in said else said
    return (getattr(exc, "strerror", None) or str(exc)).lower()


async def prepared(shared: dict[t.Any, t.Any], deadline: Deadline, **wanted: t.Any) -> ssl.SSLContext:
    """The context for these settings (see ``context``), which a run asks for once: the files may be where reading hangs.

    :arg shared: what all conversations of a run share
    :raises NetError: tls, a file cannot be used
    :raises CannotSee: reading did not end, which is not the server's fault
    """
    key = ("tls", *sorted(wanted.items()))
    made = shared.get(key)
    if made is None:
        made = shared[key] = Errand(functools.partial(context, **wanted), "tls-files")
    if not made.over.is_set() and not await done(made, deadline.end):
        raise CannotSee(f"the certificates on this host could not be read within {deadline.seconds:g} s", "timeout")
    if made.error is not None:
        shared.pop(key, None)  # another attempt looks again
    return t.cast("ssl.SSLContext", made.result())


async def handshake(stream: Stream, settings: ssl.SSLContext, server_name: str) -> None:
    """Turn a plain stream into a TLS one.

    :raises NetError: tls, reset, timeout or protocol, all in the phase tls
    """
    if stream.pending:
        raise NetError("protocol", "the server sent data before the TLS handshake", "tls")
    name = ascii_host(server_name).rstrip(".").split("%", 1)[0]
    try:
        secured = settings.wrap_socket(stream.sock, server_hostname=name, do_handshake_on_connect=False)
    except (OSError, ValueError) as exc:
        raise NetError("tls", f"{server_name} cannot be asked for by name: {exc}", "tls") from exc
    stream.sock = secured
    while True:
        stream.deadline.left("tls")
        try:
            secured.do_handshake()
            return
        except OSError as exc:
            await stream.wait(exc, "tls")


def protocol(stream: Stream) -> str | None:
    """Such as ``TLSv1.3``."""
    return stream.sock.version() if isinstance(stream.sock, ssl.SSLSocket) else None


def peer_certificate(stream: Stream) -> Certificate:
    """What the certificate of the server says, verified or not.

    :raises NetError: tls, there is none or it cannot be read
    """
    data = stream.sock.getpeercert(binary_form=True) if isinstance(stream.sock, ssl.SSLSocket) else None
    try:
        return read_certificate(data or b"")
    except ValueError as exc:
        raise NetError("tls", f"the server's certificate cannot be read: {exc}", "tls") from exc


def days_left(certificate: Certificate) -> float:
    """Days until it expires; negative when it has."""
    return round((certificate.not_after - time.time()) / _DAY, 3)


def name_fits(certificate: Certificate, server_name: str) -> bool:
    """Whether the certificate is for this host name or address."""
    return covers(certificate, ascii_host(server_name))
