# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What does not speak a vendor's HTTP: mail servers, brokers, logs, programs with a signature, a template or CloudEvents; all of them real."""

from __future__ import annotations

import contextlib
import email
import email.policy
import hashlib
import hmac
import json
import os
import re
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time

import aiosmtpd.controller
import aiosmtpd.smtp
import pytest
import trustme
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.policy import read_policy
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import alertmanager, amqp, delivery, syslog
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import amqp_wire as wire
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import ChannelError
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.url import parse
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import notify
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.rules import Rules
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import outbox
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import parse_rfc3339, rfc3339

PASSWORD = "pass-WORD-0123456789"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(delivery, "FIRST_PAUSE", 0.02)
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """(CA, context of a server)."""
    place = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(place / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return str(place / "ca.pem"), context


def queue(store, channel, *events):
    channel.bind(store.salt)
    with store.unit() as unit:
        for number, event in enumerate(events):
            name = f"{number}-{time.monotonic_ns()}"
            outbox.add(unit, name, dict(event, event_id=name), [channel.key])


def event(instance="web1", check="page", **values):
    return new_event("shop", instance, check, 1700000000.0, **{"severity": "critical", "message": "it is down", **values})


def rows(store):
    with store.view() as unit:
        return unit.all("SELECT state, attempts, code, message FROM outbox ORDER BY id")


# --- mail ---


class Inbox:
    """A mail server's handler; ``says`` are answers to RCPT by recipient, ``data`` one to DATA."""

    def __init__(self):
        self.mails = []
        self.says = {}
        self.data = "250 taken"
        self.sessions = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = self.says.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server, session, envelope):
        self.sessions.add(session.peer)
        if self.data.startswith("250"):
            self.mails.append((list(envelope.rcpt_tos), envelope.content, session.ssl is not None, session.auth_data))
        return self.data

    def parsed(self, number=-1):
        return email.message_from_bytes(self.mails[number][1], policy=email.policy.default)


class Login:
    def __call__(self, server, session, envelope, mechanism, data):
        good = data.login == b"robot@example.com" and data.password == PASSWORD.encode()
        return aiosmtpd.smtp.AuthResult(success=good, auth_data=data.login if good else None, handled=False)


@pytest.fixture
def mail_server(receivers, tls):
    """`mail_server(implicit, **options)` -> (port, Inbox)."""
    started = []

    def start(implicit=False, **options):
        inbox = Inbox()
        given = {"authenticator": Login(), "auth_required": True, "decode_data": False, **options}
        if not implicit and "tls_context" not in options:
            given.update(tls_context=tls[1], require_starttls=True)
        controller = aiosmtpd.controller.Controller(
            inbox, "127.0.0.1", receivers.dead_port(), ssl_context=tls[1] if implicit else None, **given
        )
        controller.start()
        started.append(controller)
        return controller.port, inbox

    yield start
    for controller in started:
        controller.stop(no_assert=True)


def mail_channel(scheme, port, tls, more="", user=f"robot%40example.com:{PASSWORD}@", to="ann@example.com,bob@example.org"):
    return parse({"url": f"{scheme}://{user}127.0.0.1:{port}?to={to}{more}", "ca": tls[0]})


@pytest.mark.parametrize(("scheme", "exclude"), [("smtp", ()), ("smtps", ()), ("smtp", ("PLAIN",)), ("smtps", ("LOGIN",))])
def test_mail(store, mail_server, tls, scheme, exclude):
    more = {"auth_exclude_mechanism": exclude, **({"auth_require_tls": False} if scheme == "smtps" else {})}
    port, inbox = mail_server(scheme == "smtps", **more)
    channel = mail_channel(scheme, port, tls, "&language=zh&group=none")
    queue(store, channel, event(check="首页", message="不可用\n.\n..dots\nFrom here", annotations={"runbook": "https://wiki/<x>"}))
    queue(store, channel, event(check="首页", status="resolved", message="恢复"), event(check="disk", severity="warning"))
    report = delivery.deliver(store, [channel], 10)[0]
    assert (report.sent, report.code) == (3, "250"), report.message
    recipients, raw, _secure, user = inbox.mails[0]
    assert recipients == ["ann@example.com", "bob@example.org"]
    assert user == b"robot@example.com"
    assert raw.isascii()
    assert all(len(line) <= 998 for line in raw.splitlines())
    by_subject = {inbox.parsed(number)["Subject"]: inbox.parsed(number) for number in range(3)}
    first, second, third = (by_subject[subject] for subject in ("[严重] 首页", "[已恢复] 首页", "[警告] disk"))
    assert first["References"] == second["References"] == second["In-Reply-To"] != third["References"], "one alert is one thread"
    assert first["Message-ID"] != second["Message-ID"]
    text, page = first.get_body(("plain",)).get_content(), first.get_body(("html",)).get_content()
    assert "不可用\n.\n..dots\nFrom here" in text.replace("\r\n", "\n")
    assert "https://wiki/&lt;x&gt;" in page
    assert "<x>" not in page
    assert len(inbox.sessions) == 1, "the connection is kept"


def test_mail_of_many(store, mail_server, tls):
    port, inbox = mail_server()
    channel = mail_channel("smtp", port, tls)
    queue(store, channel, *(event(f"web{number}", check=f"page {number}", message="<script>x</script>") for number in range(300)))
    assert delivery.deliver(store, [channel], 10)[0].sent == 300
    assert inbox.parsed()["Subject"] == "[Critical] 300 alerts, 300 hosts"
    assert len(inbox.parsed()["References"].split()) == 20
    assert "<script>" not in inbox.parsed().get_body(("html",)).get_content()
    assert "web299" in inbox.parsed().get_body(("plain",)).get_content()


@pytest.mark.parametrize(
    ("says", "data", "state", "code", "words"),
    [
        ({}, "250 OK", "sent", "250", ""),
        ({}, "451 4.3.0 try again", "queued", "451", "asks to try later the mail (451 4.3.0)"),
        ({}, "554 5.7.1 spam", "dead", "554", "refuses the mail (554 5.7.1)"),
        ({}, "552 5.3.4 too big", "dead", "552", "refuses the mail"),
        ({"ann@example.com": "550 5.1.1 nobody", "bob@example.org": "550 no"}, "250 OK", "dead", "550", "the recipient ann@example.com"),
        ({"ann@example.com": "550 5.1.1 nobody"}, "250 OK", "sent", "250", "refuses the recipient ann@example.com (550 5.1.1)"),
        ({"ann@example.com": "450 4.2.1 greylisted"}, "250 OK", "queued", "450", "the recipient ann@example.com (450 4.2.1)"),
    ],
)
def test_mail_codes(store, mail_server, tls, says, data, state, code, words):
    port, inbox = mail_server()
    inbox.says, inbox.data = says, data
    channel = mail_channel("smtp", port, tls)
    queue(store, channel, event())
    delivery.deliver(store, [channel], 1)
    row = rows(store)[0]
    assert (row[0], row[2]) == (state, code), row
    assert words in row[3]


def test_mail_is_sent_again_to_those_alone_who_asked_for_it(store, mail_server, tls):
    port, inbox = mail_server()
    answers = iter(["450 4.2.1 later", "450 4.2.1 later", "250 OK"])
    inbox.says = {"ann@example.com": "450"}
    inbox.handle_RCPT_first = inbox.handle_RCPT

    async def rcpt(server, session, envelope, address, options):
        answer = next(answers) if address == "ann@example.com" else "250 OK"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    inbox.handle_RCPT = rcpt
    channel = mail_channel("smtp", port, tls)
    queue(store, channel, event())
    assert delivery.deliver(store, [channel], 5)[0].sent == 1
    assert [mail[0] for mail in inbox.mails] == [["bob@example.org"], ["ann@example.com"]]
    assert len({email.message_from_bytes(mail[1])["Message-ID"] for mail in inbox.mails}) == 1


def test_mail_servers_that_cannot_be_trusted(store, mail_server, tls):
    port, inbox = mail_server()
    for given, code, state in (
        (parse(f"smtp://robot%40example.com:{PASSWORD}@127.0.0.1:{port}?to=a@example.com#strange-ca"), "tls", "queued"),
        (parse({"url": f"smtp://robot%40example.com:wrong-{PASSWORD}@127.0.0.1:{port}?to=a@example.com#bad", "ca": tls[0]}), "535", "dead"),
    ):
        queue(store, given, event())
        report = delivery.deliver(store, [given], 1)[0]
        assert (report.sent, report.code) == (0, code)
        assert PASSWORD not in report.message
        assert rows(store)[-1][0] == state
    port, inbox = mail_server(tls_context=None, require_starttls=False, auth_require_tls=False)
    channel = mail_channel("smtp", port, tls)
    queue(store, channel, event())
    assert "offers no STARTTLS" in delivery.deliver(store, [channel], 1)[0].message
    assert inbox.mails == [], "no password goes over a line that anybody can read"
    channel = mail_channel("smtp", port, tls, "&starttls=no#plain")
    queue(store, channel, event())
    assert delivery.deliver(store, [channel], 2)[0].sent == 1


def test_mail_server_that_takes_little(store, mail_server, tls):
    port, inbox = mail_server(data_size_limit=40_000)
    channel = mail_channel("smtp", port, tls, "&group=none")
    queue(store, channel, event(message="line\n" * 800, labels={f"l{number}": "v" * 1000 for number in range(60)}))
    assert delivery.deliver(store, [channel], 5)[0].sent == 1, rows(store)
    assert len(inbox.mails[0][1]) < 40_000


# --- AMQP ---


class Broker(socketserver.ThreadingTCPServer):
    """As much of a broker as says yes, no, or nothing; ``plan`` is what is done with each message in turn."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, plan, context=None):
        super().__init__(("127.0.0.1", 0), BrokerSession)
        self.plan, self.context, self.messages, self.opened = list(plan), context, [], 0
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, *unused):
        pass


class BrokerSession(socketserver.StreamRequestHandler):
    def setup(self):
        if self.server.context:
            self.request = self.server.context.wrap_socket(self.request, server_side=True)
        super().setup()

    def take(self):
        kind, channel, size = wire.head(self.rfile.read(7))
        return wire.parse(kind, channel, self.rfile.read(size + 1))

    def say(self, channel, method, arguments=b""):
        self.wfile.write(wire.method(channel, method, arguments))

    def handle(self):
        with contextlib.suppress(OSError, struct.error):
            self.talk()

    def talk(self):
        assert self.rfile.read(8) == b"AMQP\x00\x00\x09\x01"
        self.server.opened += 1
        self.say(
            0, wire.START, b"\x00\x09" + wire.table({"capabilities": {"basic.nack": True}}) + wire.long(b"PLAIN") + wire.long(b"en_US")
        )
        login = self.take().arguments
        if PASSWORD.encode() not in login:
            self.say(0, wire.CLOSE, struct.pack(">H", 403) + wire.short("ACCESS_REFUSED") + struct.pack(">HH", 0, 0))
            return
        self.say(0, wire.TUNE, struct.pack(">HIH", 2047, 4096, 60))
        assert self.take().method == wire.TUNE_OK
        assert self.take().arguments[1:5] == b"shop"
        self.say(0, wire.OPEN_OK, b"\0")
        assert self.take().method == wire.CHANNEL_OPEN
        self.say(1, wire.CHANNEL_OPEN_OK, wire.long(b""))
        assert self.take().method == wire.SELECT
        self.say(1, wire.SELECT_OK)
        number = 0
        while True:
            frame = self.take()
            if frame.method == wire.CLOSE:
                self.say(0, wire.CLOSE_OK)
                return
            if frame.method != wire.PUBLISH:
                continue
            size = struct.unpack(">Q", self.take().arguments[4:12])[0]
            body = b""
            while len(body) < size:
                part = self.take().arguments
                assert len(part) <= 4096 - 8
                body += part
            number += 1
            self.answer(self.server.plan.pop(0) if self.server.plan else "ack", number, frame, body)

    def answer(self, what, number, frame, body):
        tag = struct.pack(">QB", number, 0)
        if what == "ack":
            self.server.messages.append((frame.arguments, json.loads(body.decode("utf-8"))))
            self.wfile.write(wire.frame(wire.HEARTBEAT, 0, b""))
            self.say(1, wire.ACK, tag)
        elif what == "nack":
            self.say(1, wire.NACK, tag)
        elif what == "return":
            self.say(1, wire.RETURN, struct.pack(">H", 312) + wire.short("NO_ROUTE") + wire.short("x") + wire.short("y"))
            self.wfile.write(wire.frame(wire.CONTENT, 1, struct.pack(">HHQH", 60, 0, len(body), 0)) + wire.frame(wire.BODY, 1, body))
            self.say(1, wire.ACK, tag)
        elif what == "close":
            raise OSError
        elif what == "silence":
            time.sleep(5)
        else:
            self.say(1, wire.CHANNEL_CLOSE, struct.pack(">H", what) + wire.short("no") + struct.pack(">HH", 60, 40))


@pytest.fixture
def broker():
    started = []

    def start(*plan, context=None):
        started.append(Broker(plan, context))
        return started[-1]

    yield start
    for one in started:
        one.shutdown()
        one.server_close()


def amqp_channel(server, more="exchange=alerts", scheme="amqp", **options):
    return parse({"url": f"{scheme}://robot:{PASSWORD}@127.0.0.1:{server.server_address[1]}/shop?{more}", **options})


@pytest.mark.parametrize(
    ("plan", "state", "code", "attempts"),
    [
        (["ack"], "sent", "ack", 1),
        (["nack", "ack"], "sent", "ack", 2),
        (["return"], "dead", "312", 1),
        ([404], "dead", "404", 1),
        ([403], "dead", "403", 1),
        ([311], "dead", "311", 1),
        ([406], "dead", "406", 1),
        ([320, "ack"], "sent", "ack", 2),
        ([506, "ack"], "sent", "ack", 2),
        ([541, "ack"], "sent", "ack", 2),
        (["close", "ack"], "sent", "ack", 2),
        (["silence"] * 9, "queued", "timeout", 1),
    ],
)
def test_amqp_codes(store, broker, plan, state, code, attempts):
    server = broker(*plan)
    channel = amqp_channel(server, timeout="700ms")
    queue(store, channel, event())
    delivery.deliver(store, [channel], 1)
    row = rows(store)[0]
    assert (row[0], row[2]) == (state, code), row
    assert row[1] >= attempts


def test_amqp_over_tls_on_one_connection(store, broker, tls):
    server = broker(context=tls[1])
    channel = amqp_channel(server, "exchange=alerts&routing_key=vigil.{severity}.{instance}", "amqps", ca=tls[0])
    queue(store, channel, event("web1.example.com", message="内存" * 1000), event("web2", severity="info"))
    assert delivery.deliver(store, [channel], 5)[0].sent == 2, rows(store)
    assert server.opened == 1
    assert [body["instance"] for _arguments, body in server.messages] == ["web1.example.com", "web2"]
    assert server.messages[0][0] == b"\0\0" + wire.short("alerts") + wire.short("vigil.critical.web1_example_com") + b"\x01"


def test_amqp_with_a_wrong_password(store, broker):
    server = broker()
    channel = parse(f"amqp://robot:not-the-password@127.0.0.1:{server.server_address[1]}/shop?queue=alerts")
    queue(store, channel, event())
    report = delivery.deliver(store, [channel], 1)[0]
    assert (report.dead, report.code) == (1, "403")
    assert "not-the-password" not in report.message


def test_amqp_of_a_server_of_another_kind(store, listen):
    channel = parse(f"amqp://robot:{PASSWORD}@127.0.0.1:{listen().port}/?queue=alerts")
    queue(store, channel, event())
    assert delivery.deliver(store, [channel], 1)[0].code in ("protocol", "reset", "timeout")
    assert amqp.routing_key("vigil.{check}.{nothing}", event(check="a.b *#")) == "vigil.a_b_.{nothing}"


# --- Kafka ---


@pytest.fixture(scope="module")
def kafka():
    """The brokers that librdkafka brings along for tests, and a way to read a topic."""
    import confluent_kafka

    owner = confluent_kafka.Producer({"test.mock.num.brokers": 3, "bootstrap.servers": "x", "log_level": 0})
    place = None
    until = time.monotonic() + 10
    while place is None and time.monotonic() < until:
        brokers = owner.list_topics(timeout=5).brokers
        place = ",".join(f"{broker.host}:{broker.port}" for broker in brokers.values()) or None

    def read(topic, count):
        reader = confluent_kafka.Consumer(
            {"bootstrap.servers": place, "group.id": f"g{time.monotonic_ns()}", "auto.offset.reset": "earliest", "log_level": 0}
        )
        reader.subscribe([topic])
        found, end = [], time.monotonic() + 20
        while len(found) < count and time.monotonic() < end:
            message = reader.poll(0.2)
            if message is not None and not message.error():
                found.append(message)
        reader.close()
        return found

    yield place, read
    del owner


def test_kafka(store, kafka):
    place, read = kafka
    channel = parse({"url": f"kafka://{place}/alerts", "timeout": 10})
    one = event(message="内存不足")
    queue(store, channel, one, dict(one, status="resolved"), event("web2"))
    assert delivery.deliver(store, [channel], 20)[0].sent == 3, rows(store)
    found = read("alerts", 3)
    assert len(found) == 3
    told = [json.loads(message.value().decode("utf-8")) for message in found if message.key().decode() == one["fingerprint"]]
    assert [message["status"] for message in told] == ["firing", "resolved"], "of one alert the order is kept"
    assert told[0]["message"] == "内存不足"


def test_kafka_that_is_not_there(store, receivers, capfd):
    channel = parse({"url": f"kafka://robot:{PASSWORD}@127.0.0.1:{receivers.dead_port()}/alerts?mechanism=SCRAM-SHA-256", "timeout": "1s"})
    queue(store, channel, event())
    report = delivery.deliver(store, [channel], 1.5)[0]
    assert (report.sent, report.code) == (0, "timeout")
    assert rows(store)[0][0] == "queued"
    assert PASSWORD not in report.message
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("package", "url"),
    [
        ("confluent_kafka", "kafka://127.0.0.1/alerts"),
        ("apprise", "apprise+json://127.0.0.1/"),
        ("jinja2", {"url": "https://127.0.0.1/", "template": __file__}),
    ],
)
def test_a_package_that_is_missing_is_named_and_nothing_is_lost(store, monkeypatch, package, url):
    monkeypatch.setitem(sys.modules, package, None)
    channel = parse(url)
    queue(store, channel, event())
    report = delivery.deliver(store, [channel], 1)[0]
    assert "is not installed where this runs; pip install " in report.message
    assert rows(store)[0][0] == "queued"


# --- Apprise ---


def test_apprise(store, listen, capfd):
    receiver = listen()
    channel = parse(f"apprise+json://127.0.0.1:{receiver.port}/token-0123456789?language=x#ops")
    assert (channel.masked, channel.name) == ("apprise+json://********", "ops")
    queue(store, channel, event(), event("web2", severity="warning"))
    report = delivery.deliver(store, [channel], 10)[0]
    assert (report.sent, report.attempts) == (2, 1), report.message
    assert receiver.bodies[0]["title"] == "[Critical] 2 alerts, 2 hosts"
    receiver.mode = 500
    queue(store, channel, event(check="disk"))
    report = delivery.deliver(store, [channel], 2)[0]
    assert (report.sent, report.code) == (0, "apprise")
    assert capfd.readouterr() == ("", "")
    unknown = parse("apprise+nosuchthing://x#unknown")
    queue(store, unknown, event())
    assert delivery.deliver(store, [unknown], 2)[0].message == "Apprise does not know this URL"


# --- logs ---


@pytest.fixture
def unix_log(tmp_path):
    place = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(place)
        sock.settimeout(5)
        yield place, lambda: sock.recv(1 << 20)


def journal_fields(data):
    """Read the journal's protocol as systemd does."""
    found = {}
    while data:
        line, _newline, data = data.partition(b"\n")
        if b"=" in line:
            name, _equal, value = line.partition(b"=")
        else:
            name, size = line, struct.unpack("<Q", data[:8])[0]
            value, data = data[8 : 8 + size], data[9 + size :]
        found[name.decode()] = value.decode("utf-8")
    return found


def test_journal(store, unix_log):
    place, take = unix_log
    channel = parse(f"journald://{place}")
    queue(
        store,
        channel,
        event(message="不可用\nPRIORITY=0"),
        event(status="resolved"),
        event(message="x" * 4000, observed={"a": "b" * 400_000}),
    )
    assert delivery.deliver(store, [channel], 5)[0].sent == 3, rows(store)
    first = journal_fields(take())
    assert (first["PRIORITY"], first["SYSLOG_IDENTIFIER"], first["VIGIL_CHECK"]) == ("2", "vigil", "page")
    assert first["MESSAGE"] == "[Critical] page on web1: 不可用 PRIORITY=0"
    assert json.loads(first["VIGIL_EVENT"])["message"] == "不可用\nPRIORITY=0"
    assert journal_fields(take())["PRIORITY"] == "5"
    assert "VIGIL_EVENT_ID" in journal_fields(take())
    assert journal_fields(syslog.journal(event("a\nb")))["VIGIL_INSTANCE"] == "a\nb"


def test_local_log(store, unix_log):
    place, take = unix_log
    channel = parse(f"syslog://{place}?facility=local3")
    queue(store, channel, event(severity="warning"))
    assert delivery.deliver(store, [channel], 5)[0].sent == 1, rows(store)
    assert re.match(rb"<156>[A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d vigil\[\d+\]: \[Warning\] page on web1: it is down$", take())
    os.unlink(place)
    queue(store, channel, event(check="disk"))
    assert delivery.deliver(store, [channel], 1)[0].message == "the log does not take it: no such file or directory"


SYSLOG = re.compile(
    rb'<26>1 2023-11-14T22:13:20Z \S+ vigil \d+ firing \[vigil@32473 event_id="[^"]+".* check="a\\"b\\]"\] \xef\xbb\xbf\[Critical\] a"b\] on web1: it'
)


def test_syslog_over_udp(store):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        channel = parse(f"syslog://127.0.0.1:{sock.getsockname()[1]}")
        queue(store, channel, event(check='a"b]'), event(check='a"b]', instance="web1", message="it " + "是" * 2000))
        assert delivery.deliver(store, [channel], 5)[0].sent == 2
        assert SYSLOG.match(sock.recv(9000))
        second = sock.recv(9000)
    assert SYSLOG.match(second)
    assert len(second) <= 2048
    second.decode("utf-8")


@pytest.mark.parametrize("secure", [False, True])
def test_syslog_over_tcp(store, tls, secure):
    taken = []

    class Log(socketserver.BaseRequestHandler):
        def handle(self):
            sock = tls[1].wrap_socket(self.request, server_side=True) if secure else self.request
            data = b""
            while True:
                part = sock.recv(9000)
                if not part:
                    break
                data += part
            taken.append(data)
            sock.close()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Log) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        channel = parse({"url": f"syslog+{'tls' if secure else 'tcp'}://127.0.0.1:{server.server_address[1]}", "ca": tls[0]})
        queue(store, channel, event(check='a"b]'))
        assert delivery.deliver(store, [channel], 5)[0].sent == 1, rows(store)
        until = time.monotonic() + 5
        while not taken and time.monotonic() < until:
            time.sleep(0.01)
        server.shutdown()
    count, _space, message = taken[0].partition(b" ")
    assert int(count) == len(message)
    assert SYSLOG.match(message)


# --- programs that take HTTP ---


def test_signed_request(store, listen):
    receiver = listen()
    channel = parse({"url": receiver.url, "secret": "hmac-secret-77"})
    queue(store, channel, event())
    delivery.deliver(store, [channel], 5)
    _path, headers, body = receiver.requests[0]
    signed = headers["X-Vigil-Timestamp"].encode() + b"." + body
    assert headers["X-Vigil-Signature"] == "sha256=" + hmac.new(b"hmac-secret-77", signed, hashlib.sha256).hexdigest()
    assert abs(int(headers["X-Vigil-Timestamp"]) - time.time()) < 60
    assert "hmac-secret-77" in channel.secrets


def test_own_template(store, listen, tmp_path):
    place = tmp_path / "body.j2"
    place.write_text('{"text": {{ (event.check ~ ": " ~ event.message) | tojson }}, "up": {{ (event.status == "resolved") | tojson }}}')
    receiver = listen()
    channel = parse({"url": receiver.url, "template": str(place)})
    queue(store, channel, event(message='"quoted"\n错误'))
    assert delivery.deliver(store, [channel], 5)[0].sent == 1, rows(store)
    assert receiver.bodies[0] == {"text": 'page: "quoted"\n错误', "up": False}
    place.write_text("{{ event.nothing }}")
    os.utime(place, (1, 1))
    queue(store, channel, event(check="disk"))
    report = delivery.deliver(store, [channel], 5)[0]
    assert (report.dead, report.message) == (1, "it could not be written for this channel: UndefinedError")
    place.write_text("{{ event.__class__.__mro__ }}")
    os.utime(place, (2, 2))
    queue(store, channel, event(check="load"))
    assert delivery.deliver(store, [channel], 5)[0].message.endswith("SecurityError"), "a template is data, not a program"


@pytest.mark.parametrize("kind", ["structured", "binary"])
def test_cloudevents(store, listen, kind):
    receiver = listen()
    channel = parse({"url": f"cloudevents+{receiver.url}/events?k=v", "type": kind, "secret": "hmac-secret-77"})
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    queue(store, channel, event("机器 1", trace_id=trace))
    assert delivery.deliver(store, [channel], 5)[0].sent == 1, rows(store)
    path, headers, body = receiver.requests[0]
    assert path == "/events?k=v"
    message = json.loads(body.decode("utf-8"))
    expected = {"specversion": "1.0", "source": "vigil://shop", "type": "io.vigil.alert.firing", "time": "2023-11-14T22:13:20Z"}
    if kind == "structured":
        assert headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
        assert {name: message[name] for name in expected} == expected
        assert (message["subject"], message["datacontenttype"], message["data"]["check"]) == ("机器 1", "application/json", "page")
        found = message
    else:
        assert headers["Content-Type"] == "application/json"
        assert {name: headers[f"ce-{name}"] for name in expected} == expected
        assert headers["ce-subject"] == "%E6%9C%BA%E5%99%A8%201"
        assert message["instance"] == "机器 1"
        found = {name[3:]: value for name, value in headers.items() if name.startswith("ce-")}
    assert found["id"] == (message["data"] if kind == "structured" else message)["event_id"]
    assert re.fullmatch(rf"00-{trace}-[0-9a-f]{{16}}-01", found["traceparent"])
    assert "X-Vigil-Signature" in headers


# --- Alertmanager, whose own program is in tests/integration ---


def test_alertmanager_peers(store, listen, receivers):
    one, two = listen(), listen(503)
    channel = parse(f"alertmanager://me:{PASSWORD}@127.0.0.1:{one.port},127.0.0.1:{two.port},127.0.0.1:{receivers.dead_port()}/am?hold=1h")
    assert channel.masked.endswith("/********")
    queue(store, channel, event(labels={"a-b": "x", "1st": "y"}, annotations={"runbook": "https://wiki"}))
    assert delivery.deliver(store, [channel], 5)[0].sent == 1
    assert [len(receiver.requests) for receiver in (one, two)] == [1, 1]
    assert one.requests[0][0] == "/am/api/v2/alerts"
    assert one.requests[0][1]["Authorization"].startswith("Basic ")
    posted = one.bodies[0][0]
    assert posted["labels"] == {"alertname": "page", "instance": "web1", "service": "shop", "severity": "critical", "a_b": "x", "_1st": "y"}
    assert posted["generatorURL"] == "https://wiki"
    one.mode = 400
    queue(store, channel, event(check="disk"))
    delivery.deliver(store, [channel], 1)
    assert rows(store)[1][0] == "queued", "the others may take it later"
    two.mode = 200
    with store.unit() as unit:
        unit.execute("UPDATE outbox SET next_at = 0")
    delivery.deliver(store, [channel], 2)
    assert rows(store)[1][0] == "sent"


def test_alertmanager_holds_an_alert_longer_than_until_it_is_told_again(store, listen):
    receiver = listen(lambda _path, _body: (200, {}, b""))
    place = f"alertmanager://127.0.0.1:{receiver.port}"
    for more, interval, hold in (("", None, 5 * 3600), ("", "1d", 30 * 3600), ("?hold=1h", "1d", 3600)):
        channel = parse(f"{place}{more}#{hold}")
        rules = Rules(read_policy({"repeat_interval": interval}) if interval else None)
        notify.tell(store, [channel], notify.Batch([event(check=str(hold))]), 5.0, rules=rules)
        end = parse_rfc3339(receiver.bodies[-1][0]["endsAt"]) - time.time()
        assert hold - 60 < end <= hold + 1


def test_alertmanager_ends_what_it_was_with_another_severity(store, listen):
    receiver = listen(lambda _path, _body: (200, {}, b""))
    channel = parse(f"alertmanager://127.0.0.1:{receiver.port}")
    for number, (severity, status) in enumerate((("warning", "firing"), ("critical", "firing"), ("info", "resolved"))):
        seen = event(severity=severity, status=status)
        notify.tell(store, [channel], notify.Batch([dict(seen, timestamp=rfc3339(time.time() + number))]), 5.0)
    told = [[(alert["labels"]["severity"], alert["endsAt"] <= rfc3339(time.time() + 5)) for alert in body] for body in receiver.bodies]
    assert told == [[("warning", False)], [("warning", True), ("critical", False)], [("critical", True)]]


def test_alertmanager_ends():
    now = 1700001000.0
    firing = alertmanager.alert(event(), 3600.0, now)
    assert firing["endsAt"] == "2023-11-14T23:30:00Z"
    over = dict(event(status="resolved"), ends_at="2023-11-14T22:20:00Z")
    assert alertmanager.alert(over, 3600.0, now)["endsAt"] == "2023-11-14T22:20:00Z"
    assert alertmanager.alert(dict(over, ends_at="2023-11-14T22:00:00Z"), 3600.0, now)["endsAt"] == firing["startsAt"], (
        "an end is never before the beginning"
    )
    assert firing["labels"] == alertmanager.alert(over, 3600.0, now)["labels"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (f"smtp://u:{PASSWORD}@h", "needs a host and recipients"),
        (f"smtp://u:{PASSWORD}@h?to=nobody", 'names "nobody", which is not an address'),
        (f"smtp://u:{PASSWORD}@h?to=a@b%0d%0aX:c", "white space|not an address"),
        (f"smtp://u:{PASSWORD}@h?to=a@b&starttls=maybe", "must be yes or no"),
        (f"amqp://u:{PASSWORD}@h/", "either exchange or queue"),
        (f"amqp://u:{PASSWORD}@h/?queue=a&routing_key=b", "beside queue"),
        (f"kafka://u:{PASSWORD}@h", "needs a topic"),
        (f"kafka://u:{PASSWORD}@h/t?mechanism=MD5", "must be one of PLAIN"),
        ("syslog+tcp://", "names no host"),
        ("syslog://h?facility=nine", "must be one of kern"),
        ("journald://h", "needs a host or the path"),
        (f"apprise+dingtalk://{PASSWORD}", "use dingtalk:// instead"),
        (f"alertmanager://u:{PASSWORD}@a:1,b:x", "not valid"),
        (f"alertmanager://u:{PASSWORD}@a:1,", "names no host"),
        (f"pagerduty://{PASSWORD}?region=asia", "must be us or eu"),
        (f"slack://{PASSWORD}", "three parts"),
        (f"discord://1/{PASSWORD}?mention=ann", "write the number of a user"),
        (f"teams://{PASSWORD}.example.com", "whole URL"),
    ],
)
def test_bad_channels(given, words):
    with pytest.raises(ChannelError, match=words) as caught:
        parse(given)
    assert PASSWORD not in str(caught.value) or given.startswith("teams")


def test_order_of_hosts_and_passwords_does_not_show():
    for given in (
        f"smtps://u:{PASSWORD}@h?to=a@b.c",
        f"amqps://u:{PASSWORD}@h/?queue=q",
        f"kafkas://u:{PASSWORD}@h:1,i:2/t",
        f"alertmanagers://u:{PASSWORD}@h,i",
    ):
        channel = parse(given)
        channel.bind("salt")
        assert PASSWORD not in channel.masked + channel.key + repr(channel)
        assert PASSWORD not in channel.hide(f"it says {PASSWORD}")
