# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong on the network, in one word and one sentence, and the absolute end of a conversation."""

from __future__ import annotations

import errno
import socket
import time

_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL, errno.EACCES, errno.EPERM}
_NOT_DONE = {
    "dns": "the name was not resolved",
    "connect": "no connection was made",
    "tls": "connected, but the TLS handshake did not end",
    "send": "the request could not be sent",
    "first_byte": "connected, but no answer came",
    "headers": "the headers of the answer did not end",
    "body": "the body of the answer did not end",
    "dialogue": "connected, but what was expected did not come",
}
_WHEN = {
    "connect": "while connecting",
    "tls": "in the TLS handshake",
    "send": "while the request was sent",
    "first_byte": "before it answered",
    "headers": "in the headers",
    "body": "in the body",
    "dialogue": "in the dialogue",
}
_NO_TLS = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "HTTPS_PROXY_REQUEST",
    "UNKNOWN_PROTOCOL",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
)
_NO_VERSION = ("UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE", "VERSION_TOO_LOW", "WRONG_SSL_VERSION")
_ALERTS = {
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it found no common cipher, or it asks for a client certificate",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it asks for a client certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not trust the client certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it does not accept the client certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the client certificate has expired",
    "TLSV1_UNRECOGNIZED_NAME": "it does not know this server name",
    "TLSV1_ALERT_UNRECOGNIZED_NAME": "it does not know this server name",
    "DH_KEY_TOO_SMALL": "its Diffie-Hellman key is too small",
}
# OpenSSL's X509_V_ERR codes (openssl/x509_vfy.h)
EXPIRED, NOT_YET_VALID = (10,), (9,)
_VERIFY = {
    9: "expired: the certificate, or one above it, is not valid yet",
    10: "expired: the certificate, or one above it, has expired",
    18: "chain: the certificate is self-signed",
    19: "chain: a self-signed certificate that is not trusted stands above it",
    20: "chain: its issuer is not known here, or the server does not send the intermediate certificate",
    21: "chain: its issuer is not known here, or the server does not send the intermediate certificate",
    23: "chain: the certificate was revoked",
    62: "name: the certificate is for another host name",
    64: "name: the certificate is for another address",
    66: "chain: the key of the certificate is too weak",
    68: "chain: a signature in the chain is too weak",
}


class NetError(Exception):
    """A conversation that failed.

    :ivar reason: dns, refused, reset, unreachable, timeout, tls or protocol
    :ivar sentence: one sentence for people, without secrets
    :ivar phase: file (one of our own), dns, connect, tls, send, first_byte, headers, body or dialogue
    :ivar code: OpenSSL's verify code where a certificate was refused, ETIMEDOUT where a name was not resolved in time, else 0
    """

    def __init__(self, reason: str, sentence: str, phase: str = "", code: int = 0) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence
        self.phase = phase
        self.code = code


class Deadline:
    """An absolute end of everything that is done under it; ``seconds`` is the time that was given."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.end = time.monotonic() + seconds

    def left(self, phase: str) -> float:
        """Seconds left, more than 0.

        :raises NetError: the time is over
        """
        left = self.end - time.monotonic()
        if left <= 0:
            raise self.passed(phase)
        return left

    def passed(self, phase: str) -> NetError:
        """The error that says in which phase the time ran out."""
        return NetError("timeout", f"{_NOT_DONE.get(phase, phase)} within {self.seconds:g} s", phase)


def explain(exc: OSError, phase: str, deadline: Deadline, place: str = "the server", seconds: float | None = None) -> NetError:
    """The error of a socket, plain or TLS, as one word and one sentence.

    :arg place: what was talked to
    :arg seconds: the time this one attempt had, where it is less than the whole
    """
    if isinstance(exc, socket.timeout) or exc.errno == errno.ETIMEDOUT:
        if phase == "connect":
            return NetError("timeout", f"{place} did not accept a connection within {seconds or deadline.seconds:.3g} s", phase)
        return deadline.passed(phase)
    if isinstance(exc, ConnectionRefusedError):
        return NetError("refused", f"{place} refused the connection", phase)
    if isinstance(exc, ConnectionError) or ended(exc):
        return NetError("reset", f"{place} broke off the connection {_WHEN.get(phase, phase)}", phase)
    if hasattr(exc, "library") or hasattr(exc, "verify_code"):
        return _explain_tls(exc, phase)
    kind = "unreachable" if exc.errno in _UNREACHABLE or phase == "connect" else "protocol"
    return NetError(kind, f"{place} cannot be reached: {(exc.strerror or str(exc)).lower()}", phase)


def ended(exc: OSError) -> bool:
    """Whether this is the end of a TLS connection that was closed without saying so."""
    return type(exc).__name__ in ("SSLEOFError", "SSLZeroReturnError") or getattr(exc, "reason", "") == "UNEXPECTED_EOF_WHILE_READING"


def closed_by_peer(phase: str) -> NetError:
    """The error for a connection that was closed where more was to come."""
    return NetError("reset", f"the server closed the connection {_WHEN.get(phase, phase)}", phase)


def _explain_tls(exc: OSError, phase: str) -> NetError:
    code = int(getattr(exc, "verify_code", 0) or 0)
    if code:
        why = _VERIFY.get(code) or f"chain: {getattr(exc, 'verify_message', '') or 'the certificate was refused'}"
        return NetError("tls", why, phase, code)
    why = str(getattr(exc, "reason", "") or "")
    if why in _NO_TLS:
        return NetError("tls", "protocol: the server does not speak TLS here", phase)
    if why in _NO_VERSION:
        return NetError("tls", "protocol: the server and this host have no TLS version in common", phase)
    said = _ALERTS.get(why) or why.replace("_", " ").lower() or "the conversation failed"
    return NetError("tls", f"protocol: the server refused the TLS handshake: {said}" if phase == "tls" else f"protocol: {said}", phase)
