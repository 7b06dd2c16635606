# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What arrives in the programs themselves: Alertmanager is asked for its alerts, RabbitMQ for its messages."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
import trustme
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import amqp_wire as wire
from dns_process import free_port, program

PASSWORD = "broker-PASS-0123456789"


def wait_for(port, child, seconds=90.0):
    """Until somebody listens."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and child.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    pytest.fail(f"nobody listens on port {port} (exit code {child.poll()})")


def end(child):
    """End a program and what it started."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(15)
            return


# --- Alertmanager ---


@pytest.fixture(scope="module")
def alertmanagers(tmp_path_factory):
    """Two that know nothing of each other: (port, port)."""
    place = tmp_path_factory.mktemp("alertmanager")
    (place / "am.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n", encoding="utf-8")
    ports, children = (free_port(), free_port()), []
    try:
        for port in ports:
            command = [program("prometheus-alertmanager"), f"--config.file={place}/am.yml", f"--storage.path={place}/{port}"]
            command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
            with (place / f"{port}.log").open("wb") as log:
                children.append(subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True))
        for port, child in zip(ports, children):
            wait_for(port, child)
        yield ports
    finally:
        for child in children:
            end(child)


def alerts_of(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/alerts", timeout=10) as answer:
        return {alert["labels"]["alertname"]: alert for alert in json.load(answer)}


def severities_of(port, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/alerts", timeout=10) as answer:
        return sorted(alert["labels"]["severity"] for alert in json.load(answer) if alert["labels"]["alertname"] == name)


def notify(run_playbook, channel, *events):
    tasks = [{"vigil.ops.notify": {"channels": [channel], "event": list(events)}}]
    outcome = run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}])
    assert outcome.rc == 0, outcome.output
    assert "could not be sent" not in outcome.output, outcome.output
    assert "refused" not in outcome.output, outcome.output


def test_alertmanager_has_what_burns_and_forgets_what_is_over(run_playbook, alertmanagers):
    channel = "alertmanager://" + ",".join(f"127.0.0.1:{port}" for port in alertmanagers)
    page = {
        "check": "shop page",
        "message": "慢: 812 ms",
        "severity": "critical",
        "service": "shop",
        "labels": {"db-name": "a.b", "1st": "x"},
    }
    disk = {"check": "disk", "message": "full", "annotations": {"runbook url": "https://wiki.example.com/disk"}}
    notify(run_playbook, channel, page, disk)
    for port in alertmanagers:
        found = alerts_of(port)
        assert set(found) == {"shop page", "disk"}
        alert = found["shop page"]
        expected = {"service": "shop", "severity": "critical", "instance": "localhost", "db_name": "a.b", "_1st": "x"}
        assert {name: alert["labels"][name] for name in expected} == expected
        assert (alert["annotations"]["summary"], alert["status"]["state"]) == ("慢: 812 ms", "active")
        assert found["disk"]["generatorURL"] == "https://wiki.example.com/disk"
        begin, over = (time.mktime(time.strptime(alert[name][:19], "%Y-%m-%dT%H:%M:%S")) for name in ("startsAt", "endsAt"))
        assert over - begin > 4 * 3600, "it is told again after four hours, and must not end before"
    # its severity is one of the labels that an alert is known by there
    notify(run_playbook, channel, dict(disk, severity="critical"))
    for port in alertmanagers:
        assert severities_of(port, "disk") == ["critical"]
    notify(run_playbook, channel, dict(page, status="resolved"), dict(disk, severity="warning"))
    for port in alertmanagers:
        assert set(alerts_of(port)) == {"disk"}
    notify(run_playbook, channel, dict(disk, severity="warning", status="resolved"))
    for port in alertmanagers:
        assert alerts_of(port) == {}


# --- libraries that wait and run threads as they like, while Ansible forks ---


def test_callback_with_kafka_and_apprise_while_ansible_forks(run_playbook, listen, receivers):
    import confluent_kafka

    owner = confluent_kafka.Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "x", "log_level": 0})
    brokers = list(owner.list_topics(timeout=20).brokers.values())
    receiver = listen()
    channels = [
        f"kafka://{brokers[0].host}:{brokers[0].port}/alerts#kafka",
        f"kafka://127.0.0.1:{receivers.dead_port()}/alerts?timeout=1s#dead",
        f"apprise+json://localhost:{receiver.port}/#apprise",
    ]
    hosts = {
        f"h{number}": {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"} for number in range(12)
    }
    tasks = [{"name": f"t{number}", "ansible.builtin.fail": {"msg": "x"}, "ignore_errors": False, "when": f"'{number}' in inventory_hostname"}
             for number in range(6)]  # fmt: skip
    more = {
        "ANSIBLE_CALLBACKS_ENABLED": "vigil.ops.webhook",
        "VIGIL_CHANNELS": " ".join(channels),
        "VIGIL_DEADLINE": "8s",
        "ANSIBLE_FORKS": "4",
    }
    outcome = run_playbook([{"hosts": "all", "gather_facts": False, "tasks": tasks}], inventory={"all": {"hosts": hosts}}, env=more)
    assert outcome.rc == 2, outcome.output
    reader = confluent_kafka.Consumer(
        {"bootstrap.servers": f"{brokers[0].host}:{brokers[0].port}", "group.id": "g", "auto.offset.reset": "earliest", "log_level": 0}
    )
    reader.subscribe(["alerts"])
    found, until = [], time.monotonic() + 20
    while len(found) < 8 and time.monotonic() < until:
        message = reader.poll(0.5)
        found += [json.loads(message.value().decode("utf-8"))] if message is not None and not message.error() else []
    reader.close()
    del owner
    failed = {"h0", "h1", "h2", "h3", "h4", "h5", "h10", "h11"}
    assert {event["instance"] for event in found} == failed
    assert "alerts, " in receiver.bodies[-1]["title"] or len(receiver.bodies) > 1
    assert "8 messages for dead (kafka://127.0.0.1" in " ".join(outcome.output.split())


# --- RabbitMQ ---


class Rabbit:
    """A client with as much of the protocol as the tests need: it declares, binds and gets."""

    def __init__(self, port, user="guest", password="guest"):
        self.sock = socket.create_connection(("127.0.0.1", port), 20)
        self.file = self.sock.makefile("rb")
        self.sock.sendall(wire.HEADER)
        self.take(wire.START)
        login = wire.table({}) + wire.short("PLAIN") + wire.long(f"\0{user}\0{password}".encode()) + wire.short("en_US")
        self.say(0, wire.START_OK, login)
        self.take(wire.TUNE)
        self.say(0, wire.TUNE_OK, struct.pack(">HIH", 10, 131072, 0))
        self.say(0, wire.OPEN, wire.short("/") + b"\0\0")
        self.take(wire.OPEN_OK)
        self.say(1, wire.CHANNEL_OPEN, b"\0")
        self.take(wire.CHANNEL_OPEN_OK)

    def say(self, channel, method, arguments):
        self.sock.sendall(wire.method(channel, method, arguments))

    def frame(self):
        kind, channel, size = wire.head(self.file.read(7))
        return wire.parse(kind, channel, self.file.read(size + 1))

    def take(self, *methods):
        while True:
            frame = self.frame()
            assert frame.method not in (wire.CLOSE, wire.CHANNEL_CLOSE), wire.reason(frame.arguments)
            if frame.method in methods:
                return frame

    def exchange(self, name, kind):
        self.say(1, (40, 10), b"\0\0" + wire.short(name) + wire.short(kind) + b"\x02" + wire.table({}))
        self.take((40, 11))

    def queue(self, name, exchange="", key=""):
        self.say(1, (50, 10), b"\0\0" + wire.short(name) + b"\x02" + wire.table({}))
        self.take((50, 11))
        if exchange:
            self.say(1, (50, 20), b"\0\0" + wire.short(name) + wire.short(exchange) + wire.short(key) + b"\0" + wire.table({}))
            self.take((50, 21))

    def get(self, name):
        """The next message as (properties, body), None where there is none."""
        self.say(1, (60, 70), b"\0\0" + wire.short(name) + b"\x01")
        if self.take((60, 71), (60, 72)).method == (60, 72):
            return None
        head = self.frame().arguments
        size, body = struct.unpack(">Q", head[4:12])[0], b""
        while len(body) < size:
            body += self.frame().arguments
        return head[14:], json.loads(body.decode("utf-8"))


@pytest.fixture(scope="module")
def rabbitmq(tmp_path_factory):
    """(port, port with TLS, CA)."""
    place = tmp_path_factory.mktemp("rabbitmq")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(place / "ca.pem"))
    ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(place / "server.pem"))
    port, secure, epmd_port, dist = (free_port() for _number in range(4))
    (place / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{port}\nlisteners.ssl.1 = 127.0.0.1:{secure}\nssl_options.certfile = {place}/server.pem\n"
        f"ssl_options.keyfile = {place}/server.pem\nssl_options.verify = verify_none\nssl_options.fail_if_no_peer_cert = false\n"
        f"ssl_options.versions.1 = tlsv1.2\ndefault_user = robot\ndefault_pass = {PASSWORD}\nlog.console = true\nlog.file = false\n",
        encoding="utf-8",
    )
    (place / "plugins").write_text("[].", encoding="utf-8")
    found = Path(program("rabbitmq-server")).resolve()
    # the one of an installed package asks for its own user first; what it starts then does not
    script = next(iter(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server")), found)
    environment = {
        **os.environ,
        "HOME": str(place),
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": "vigil@localhost",
        "RABBITMQ_DIST_PORT": str(dist),
        "RABBITMQ_CONFIG_FILE": str(place / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(place / "plugins"),
        **{f"RABBITMQ_{name}": str(place / name.lower()) for name in ("MNESIA_BASE", "LOG_BASE", "PID_FILE", "GENERATED_CONFIG_DIR")},
        **{f"RABBITMQ_{name}": str(place / name.lower()) for name in ("ADVANCED_CONFIG_FILE", "CONF_ENV_FILE")},
    }
    children = [subprocess.Popen([program("epmd"), "-port", str(epmd_port)], env=environment, start_new_session=True)]
    try:
        with (place / "log").open("wb") as log:
            children.append(
                subprocess.Popen([str(script)], env=environment, stdout=log, stderr=log, start_new_session=True, cwd=str(place))
            )
        for one in (port, secure):
            wait_for(one, children[1])
        yield port, secure, str(place / "ca.pem")
    finally:
        for child in reversed(children):
            end(child)


@pytest.mark.long
def test_rabbitmq_has_what_was_confirmed(run_playbook, rabbitmq, ansible_env):
    port, secure, ca = rabbitmq
    client = Rabbit(port, "robot", PASSWORD)
    client.exchange("alerts", "topic")
    client.queue("severe", "alerts", "vigil.critical.#")
    client.queue("mine")
    place = f"robot:{PASSWORD}@127.0.0.1"
    channels = [
        {"name": "topic", "url": f"amqps://{place}:{secure}/?exchange=alerts", "ca": ca},
        {"name": "queue", "url": f"amqp://{place}:{port}/?queue=mine"},
        {"name": "nobody", "url": f"amqp://{place}:{port}/?queue=nobody-made-it"},
        {"name": "no exchange", "url": f"amqp://{place}:{port}/?exchange=nobody-made-it"},
        {"name": "no vhost", "url": f"amqp://{place}:{port}/else?queue=mine"},
        {"name": "no password", "url": f"amqp://robot:wrong@127.0.0.1:{port}/?queue=mine"},
        {"name": "strange", "url": f"amqps://{place}:{secure}/?queue=mine"},
    ]
    events = [{"check": f"c{number}", "message": "内存" * 1000, "severity": "critical"} for number in range(20)]
    events.append({"check": "mild", "message": "m", "severity": "warning"})
    report = ansible_env.home / "registered.json"
    tasks = [
        {"vigil.ops.notify": {"channels": channels, "event": events, "deadline": "20s"}, "register": "r", "no_log": True},
        {"ansible.builtin.copy": {"content": "{{ r | to_json }}", "dest": str(report)}},
    ]
    outcome = run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], "-vvvv")
    assert outcome.rc == 0, outcome.output
    assert PASSWORD not in outcome.output
    told = {re.sub(r" \(.*", "", one["channel"]): one for one in json.loads(report.read_text(encoding="utf-8"))["channels"]}
    assert (told["queue"]["delivered"], told["queue"]["code"]) == (21, "ack")
    assert (told["topic"]["delivered"], told["topic"]["dropped"]) == (20, 1), "nobody listens for warnings there, which is not a success"
    codes = {name: (told[name]["delivered"], told[name]["code"]) for name in told if name not in ("queue", "topic")}
    assert codes == {
        "nobody": (0, "312"),
        "no exchange": (0, "404"),
        "no vhost": (0, "530"),
        "no password": (0, "403"),
        "strange": (0, "tls"),
    }
    severe = [client.get("severe") for _number in range(20)]
    assert [body["check"] for _properties, body in severe] == [f"c{number}" for number in range(20)]
    assert client.get("severe") is None
    assert severe[0][1]["event_id"].encode() in severe[0][0]
    assert len([1 for _number in range(21) if client.get("mine")]) == 21
