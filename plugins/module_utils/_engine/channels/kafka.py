# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dialects ``kafka://broker:9092,other:9092/topic`` and ``kafkas://`` over TLS: through confluent-kafka (librdkafka), where that is installed.

Success is that all replicas in step have it (acks=all, idempotent). The key is the alert's fingerprint, so its events stay in order.
"""

from __future__ import annotations

import contextlib
import json
import logging
import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import (
    DEAD,
    RETRY,
    SENT,
    Channel,
    ChannelError,
    Dialect,
    Verdict,
    masked_url,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.options import SHORTEST_SECRET, read_hosts, take_query

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event

_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
# Kafka's codes that no waiting cures: too large, and topics, groups, clusters, transactions that the user may not use.
_TOO_LARGE = ("MSG_SIZE_TOO_LARGE", "_MSG_SIZE_TOO_LARGE", "RECORD_LIST_TOO_LARGE", "INVALID_MSG_SIZE")
_FINAL = (
    "TOPIC_AUTHORIZATION_FAILED",
    "CLUSTER_AUTHORIZATION_FAILED",
    "TOPIC_EXCEPTION",
    "INVALID_RECORD",
    "INVALID_REQUIRED_ACKS",
    "POLICY_VIOLATION",
)
_LOGGER = logging.getLogger("vigil.kafka")


def read(channel: Channel, parts: urllib.parse.SplitResult) -> None:
    userinfo, hosts = read_hosts(channel, parts, 9092, "kafka://broker:9092/topic")
    channel.masked = masked_url(channel.scheme, ",".join(f"{host}:{port}" for host, port in hosts), True)
    topic = urllib.parse.unquote(parts.path.strip("/"))
    given = take_query(channel, parts.query, ("mechanism",))
    if not topic or "/" in topic or "endpoint" in given:
        raise ChannelError(f"The channel {channel.masked} needs a topic; write it like kafka://broker:9092/topic.")
    mechanism = given.get("mechanism", "PLAIN")
    if mechanism not in _MECHANISMS:
        raise ChannelError(f'mechanism of the channel {channel.masked} is "{mechanism}"; it must be one of {", ".join(_MECHANISMS)}.')
    channel.origin = (channel.scheme, *hosts[0])
    channel.path = f"{userinfo[0] if userinfo else ''}@{','.join(f'{host}:{port}' for host, port in hosts)}/{topic}"
    channel.own = {"servers": [_place(*host) for host in hosts], "topic": topic, "userinfo": userinfo, "mechanism": mechanism}
    channel.secrets = {userinfo[1]} if userinfo and len(userinfo[1]) >= SHORTEST_SECRET else set()


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Log:
    """The way to a topic."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._producer: t.Any = None
        self._trouble = ""
        self._make: t.Any = None
        try:
            from confluent_kafka import Producer

            self._make = Producer
        except ImportError:
            pass

    def send(self, events: t.Sequence[Event], seconds: float) -> Verdict:
        if self._make is None:
            return Verdict(
                RETRY, "missing", "the Python package confluent-kafka is not installed where this runs; pip install confluent-kafka"
            )
        return self._produce(events[0], seconds)

    def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(Exception):
                producer.purge()
                producer.flush(0.1)

    def _produce(self, event: Event, seconds: float) -> Verdict:
        self._trouble = ""
        if self._producer is None:
            self._producer = self._make(self._settings())
        outcome: list[t.Any] = []
        body = json.dumps(event, ensure_ascii=False, default=str).encode("utf-8", "replace")
        headers = {"event_id": str(event["event_id"] or ""), "status": event["status"], "severity": event["severity"]}
        try:
            self._producer.produce(
                self._channel.own["topic"],
                body,
                event["fingerprint"],
                headers=headers,
                on_delivery=lambda error, _message: outcome.append(error),
            )
            self._producer.flush(seconds)
        except Exception as exc:  # noqa: BLE001 - KafkaException, or BufferError when the queue is full
            return _judged(exc.args[0] if exc.args else exc, self._trouble)
        if not outcome:
            # not known: the producer is given up, so that it does not send behind our back; a confirm may come too late all the same
            self.close()
            return Verdict(RETRY, "timeout", f"no broker confirmed it within {seconds:g} s{self._trouble}")
        return Verdict(SENT, "acks") if outcome[0] is None else _judged(outcome[0], self._trouble)

    def _settings(self) -> dict[str, t.Any]:
        channel, own = self._channel, self._channel.own
        secure = channel.scheme == "kafkas"
        found: dict[str, t.Any] = {
            "bootstrap.servers": ",".join(own["servers"]),
            "client.id": "vigil.ops",
            "enable.idempotence": True,
            "message.timeout.ms": 60000,
            "linger.ms": 0,
            "log_level": 0,
            "logger": _LOGGER,
            "error_cb": self._noted,
            "security.protocol": ("SASL_" if own["userinfo"] else "") + ("SSL" if secure else "PLAINTEXT"),
        }
        if own["userinfo"]:
            user, password = own["userinfo"]
            found.update({"sasl.mechanism": own["mechanism"], "sasl.username": user, "sasl.password": password})
        if secure and channel.ca:
            found["ssl.ca.location"] = channel.ca
        if secure and channel.client_cert:
            found.update({"ssl.certificate.location": channel.client_cert, "ssl.key.location": channel.client_cert})
        return found

    def _noted(self, error: t.Any) -> None:
        """What the library says of brokers; the word alone, as its text holds addresses and what servers answered."""
        self._trouble = f" ({error.name()})"


def _judged(error: t.Any, trouble: str) -> Verdict:
    name = error.name() if hasattr(error, "name") else type(error).__name__
    if name in _TOO_LARGE:
        return Verdict(DEAD, name, f"the topic does not take a message of this size ({name})", of_text=True)
    if name in _FINAL:
        return Verdict(DEAD, name, f"the broker refuses it ({name})")
    return Verdict(RETRY, name, f"no broker took it ({name}){trouble}")


_LOGGER.addHandler(logging.NullHandler())
_LOGGER.propagate = False
DIALECT = Dialect("kafka", read, way=Log)
