# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Probes that read what others wrote: the journal, disks' own reports, certificates in files, signs of life."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import read_options
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import (
    CannotSee,
    CommandFlood,
    CommandMissing,
    CommandTimeout,
    Context,
    ProbeFailure,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import cert_file, heartbeat, journal, smart
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import results
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store
from ansible_collections.vigil.ops.plugins.module_utils._runner import run as run_program


def answering(rc, out, err=""):
    return Context(run=lambda argv, timeout: (rc, out, err))


def failing(error):
    def run(argv, timeout):
        raise error

    return Context(run=run)


def refused(look, probe, **options):
    with pytest.raises(ProbeFailure) as caught:
        look(probe, **options)
    return caught.value


# --- journal ---


def entry(message, unit="web.service", **more):
    fields = {"__REALTIME_TIMESTAMP": str(int((time.time() - 60) * 1e6)), "PRIORITY": "3", "_SYSTEMD_UNIT": unit, "MESSAGE": message}
    return json.dumps({key: value for key, value in {**fields, **more}.items() if value is not None})


def test_errors_of_the_journal(look):
    lines = [
        entry("one"),
        "torn",
        entry("two", unit=None, SYSLOG_IDENTIFIER="kernel"),
        entry("login failed password=hunter2-x\x1b[0m\nnext"),
    ]
    seen = look("journal", answering(0, "\n".join(lines) + "\n"))
    assert (seen["errors"], seen["units"]) == (3, {"web.service": 2, "kernel": 1})
    assert "hunter2" not in seen["last"]
    assert "\x1b" not in seen["last"]
    assert 55 < seen["last_age_seconds"] < 600
    assert set(seen) == set(journal.SPEC.observes) - {"latency_ms"}


def test_messages_that_are_no_text(look):
    assert look("journal", answering(0, entry([104, 105, 255])))["last"] == "hi\ufffd"
    assert look("journal", answering(0, entry(None, unit=None)))["last_unit"] == "kernel"
    assert len(look("journal", answering(0, entry("x" * 100000)))["last"]) == 300


def test_a_quiet_journal(look):
    def run(argv, timeout):
        return 0, "" if any(word.startswith("--priority") for word in argv) else entry("all is well"), ""

    seen = look("journal", Context(run=run))
    assert (seen["errors"], seen["last"], seen["last_age_seconds"]) == (0, None, None)


def test_what_is_asked(look):
    asked = []

    def run(argv, timeout):
        asked.extend(argv)
        return 0, entry("one"), ""

    look("journal", Context(run=run), since="2h", priority="warning", unit="app-*.service")
    since = next(word for word in asked if word.startswith("--since=@"))
    assert 7190 < time.time() - int(since[9:]) < 7800
    assert {"--priority=warning", "--unit=app-*.service", "--lines=1000", "--output=json"} <= set(asked)


@pytest.mark.parametrize(
    ("ctx", "reason", "sentence"),
    [
        (answering(0, "", "Hint: You are currently not seeing messages from other users and the system."), "permission", "systemd-journal"),
        (answering(1, "", "No journal files were opened due to insufficient permissions."), "permission", "systemd-journal"),
        (answering(0, "", "No journal files were found."), "unsupported", "No journal files"),
        (answering(0, "-- No entries --\n"), "unseen", "the journal is empty"),
        (answering(1, "", "Failed to parse timestamp"), "unseen", "Failed to parse"),
        (failing(CommandMissing("journalctl")), "unsupported", "systemd is needed"),
        (failing(CommandTimeout("journalctl")), "timeout", "did not end"),
        (failing(CommandFlood("journalctl wrote too much")), "unseen", "look at a shorter time"),
        (Context(), "unsupported", "cannot be run here"),
    ],
)
def test_a_journal_that_cannot_be_seen(look, ctx, reason, sentence):
    with pytest.raises(CannotSee, match=sentence) as caught:
        look("journal", ctx)
    assert caught.value.reason == reason


class Journal:
    """Understands the options that the probe gives to journalctl as that of systemd 252 does, and keeps what the probe leaves."""

    def __init__(self):
        self.messages, self.past, self.broken = [], {}, False

    def add(self, *priorities):
        for priority in priorities:
            number = str(len(self.messages))
            self.messages.append(
                {"__CURSOR": f"s=1;i={number}", "PRIORITY": str(priority), "MESSAGE": number, "_SYSTEMD_UNIT": "a.service"}
            )

    def __call__(self, argv, timeout):
        given = dict(word[2:].partition("=")[::2] for word in argv[1:])
        fits = [one for one in self.messages if int(one["PRIORITY"]) <= {"err": 3, "info": 6}.get(given.get("priority"), 7)]
        most = int(given["lines"])
        if "cursor" in given:
            if not given["cursor"].startswith("s=1;i="):
                return 1, "", "Failed to seek to cursor: Invalid argument"
            fits = [one for one in fits if int(one["MESSAGE"]) >= int(given["cursor"][6:])][:most]
        else:
            fits = fits[-most:][::-1] if "reverse" in given else fits[-most:]
        return 0, "".join(json.dumps(one) + "\n" for one in fits), ""

    def look(self, **options):
        ctx = Context(run=self, past=json.loads(json.dumps(self.past)), left={})
        seen = journal.observe(read_options(journal.SPEC, {"since_last": True, **options}), ctx)
        self.past.update(ctx.left)
        return seen["errors"], seen["last"], seen["since_last"]


def test_errors_since_the_last_run():
    log = Journal()
    log.add(6, 3, 6, 3)
    assert log.look() == (2, "3", False)
    assert log.look() == log.look() == (0, None, True)
    log.add(6)
    assert log.look() == (0, None, True)  # the next one begins behind a message that the filter leaves out
    log.add(3)
    assert log.look() == (1, "5", True) and log.look() == (0, None, True)
    log.add(6, 3, 3, 6)
    assert log.look() == (2, "8", True)
    assert log.look(priority="info") == (10, "9", False)
    log.add(6)
    assert log.look(priority="info") == (1, "10", True) and log.look() == (0, None, True)
    log.add(*[3] * 2500)
    assert log.look() == (1000, "1010", True)  # or more
    assert log.look() == (0, None, True)


@pytest.mark.parametrize("row", [7, None, {}, {"look": 7}, {"look": {"--priority=err": 7}}, {"look": {"--priority=err": "--help"}}])
def test_a_position_that_was_damaged(row):
    log = Journal()
    log.add(3)
    log.past["journal"] = row
    assert log.look() == (1, "0", False) and log.look() == (0, None, True)
    log.past["journal"]["look"] = {"--priority=err": "s=9;i=9"}
    assert log.look() == (1, "0", False) and log.look() == (0, None, True)


def test_without_a_place_to_keep_it_the_time_counts(look):
    log = Journal()
    log.add(3, 3)
    assert look("journal", Context(run=log), since_last=True)["errors"] == 2


def test_positions_of_checks_that_are_not_run_stay(look):
    log = Journal()
    log.add(3)
    log.look(unit="a")
    log.add(3)
    log.look(unit="b")
    assert log.look(unit="a") == (1, "1", True)


@pytest.mark.skipif(shutil.which("journalctl") is None, reason="this node has no journalctl")
def test_the_real_journalctl_understands_what_it_is_asked(look):
    try:
        assert look("journal", Context(run=run_program), since="1s", priority="emerg", unit="no-such.service")["errors"] == 0
    except CannotSee as exc:
        assert exc.reason in ("permission", "unsupported") or "the journal is empty" in exc.sentence, exc.sentence


@pytest.mark.parametrize(
    "options", [{"since": 0}, {"since": "x"}, {"since": "20000d"}, {"priority": "bad"}, {"unit": "-x"}, {"unit": "a b"}]
)
def test_journal_options_that_cannot_be(options):
    with pytest.raises(ValueError, match="journal"):
        read_options(journal.SPEC, options)


# --- smart ---

ATA = {
    "smartctl": {"exit_status": 0},
    "model_name": "ACME 4TB",
    "serial_number": "S1",
    "smart_status": {"passed": True},
    "temperature": {"current": 34},
    "power_on_time": {"hours": 20123},
    "ata_smart_attributes": {
        "table": [
            {"id": 5, "name": "Reallocated_Sector_Ct", "raw": {"value": 8}},
            {"id": 197, "name": "Current_Pending_Sector", "raw": {"value": 1}},
            {"id": 198, "name": "Offline_Uncorrectable", "raw": {"value": 2}},
            {"id": 9},
            "odd",
        ]
    },
}
NVME = {
    "smart_status": {"passed": False, "nvme": {"value": 4}},
    "nvme_smart_health_information_log": {"media_errors": 3, "percentage_used": 104},
    "temperature": {"current": 51},
}


def test_disks(look):
    seen = look("smart", answering(0, json.dumps(ATA)), device="/dev/sda")
    assert [seen[key] for key in ("healthy", "temperature", "reallocated", "pending", "uncorrectable", "power_on_hours", "used_percent")] == [
        True, 34, 8, 1, 2, 20123, None,
    ]  # fmt: skip
    assert set(seen) == set(smart.SPEC.observes) - {"latency_ms"}
    seen = look("smart", answering(8, json.dumps(NVME)), device="/dev/nvme0")
    assert [seen[key] for key in ("healthy", "temperature", "uncorrectable", "used_percent", "reallocated", "model")] == [
        False,
        51,
        3,
        104,
        None,
        None,
    ]


def opened(message, status=2):
    return answering(status, json.dumps({"smartctl": {"messages": [{"string": message, "severity": "error"}], "exit_status": status}}))


@pytest.mark.parametrize(
    ("ctx", "reason", "sentence"),
    [
        (failing(CommandMissing("smartctl")), "unsupported", "install smartmontools"),
        (failing(CommandTimeout("smartctl")), "timeout", "did not end"),
        (failing(CommandFlood("smartctl wrote too much")), "unseen", "wrote too much"),
        (answering(1, "smartctl 6.6: unrecognized option"), "unsupported", "smartmontools 7"),
        (opened("Smartctl open device: /dev/sda failed: Permission denied"), "permission", "run with become"),
        (opened("Smartctl open device: /dev/sda failed: No such device"), "unseen", "No such device"),
        (opened("/dev/vda: Unable to detect device type", 1), "unseen", "Unable to detect device type"),
        (answering(4, json.dumps({"smart_support": {"available": False}})), "unsupported", "knows no SMART"),
        (answering(0, "[]"), "unsupported", "smartmontools 7"),
        (answering(0, json.dumps({"smart_status": 1, "ata_smart_attributes": {"table": 1}})), "unsupported", "knows no SMART"),
    ],
)
def test_disks_that_cannot_be_asked(look, ctx, reason, sentence):
    with pytest.raises(CannotSee, match=sentence) as caught:
        look("smart", ctx, device="/dev/sda")
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "options", [{}, {"device": "sda"}, {"device": "/etc/passwd"}, {"device": "/dev/../etc"}, {"device": "/dev/sda", "type": "-x"}]
)
def test_devices_that_cannot_be(options):
    with pytest.raises(ValueError, match="smart"):
        read_options(smart.SPEC, options)


# --- cert_file ---


def test_a_certificate_as_pem_with_its_key(look, certificates):
    seen = look("cert_file", path=certificates.file("good"))
    assert (seen["exists"], seen["valid"], seen["self_signed"], seen["certificates"]) == (True, True, False, 1)
    assert (seen["subject"], seen["issuer"], seen["expires_first"]) == ("O=Test, CN=localhost", "CN=Test ca", "O=Test, CN=localhost")
    assert seen["names"] == ["localhost", "127.0.0.1", "*.wild.example.test"]
    assert (seen["not_before"], seen["not_after"]) == ("2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z")
    assert seen["days_left"] > 10000
    assert set(seen) == set(cert_file.SPEC.observes) - {"latency_ms"}


def test_der_and_self_signed(look, certificates, tmp_path):
    with open(certificates.file("self"), encoding="ascii") as source:
        text = source.read()
    (tmp_path / "x.der").write_bytes(ssl.PEM_cert_to_DER_cert(text[: text.index("-----END CERTIFICATE-----") + 26]))
    assert look("cert_file", path=str(tmp_path / "x.der"))["self_signed"] is True


def test_a_chain_is_as_good_as_its_worst_part(look, certificates, tmp_path):
    parts = []
    for name in ("good", "expired"):
        with open(certificates.file(name), encoding="ascii") as source:
            parts.append(source.read())
    (tmp_path / "chain.pem").write_text("# a comment\n" + "\r\n".join(parts))
    failure = refused(look, "cert_file", path=str(tmp_path / "chain.pem"))
    seen = failure.observed
    assert (seen["certificates"], seen["valid"], seen["days_left"] < 0) == (2, False, True)
    assert failure.reason == "tls"
    assert ": expired: the certificate of O=Test, CN=localhost ended " in failure.sentence
    assert failure.sentence.endswith(" days ago, on 2021-01-01T00:00:00Z")
    assert seen["not_after"] == "2100-01-01T00:00:00Z"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nothing",
        b"\x30\x82",
        b"-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----",
    ],
)
def test_files_without_a_certificate(look, tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    failure = refused(look, "cert_file", path=str(tmp_path / "x"))
    assert (failure.reason, failure.observed) == ("tls", {"exists": True, "valid": False})


def test_a_certificate_of_the_future(look, certificates):
    failure = refused(look, "cert_file", path=certificates.file("early"))
    assert (failure.observed["valid"], failure.observed["days_left"] > 0) == (False, True)
    assert failure.sentence.endswith(": expired: the certificate of O=Test, CN=localhost is not valid before 2090-01-01T00:00:00Z")


def test_no_file_a_folder_a_pipe_and_a_flood(look, tmp_path):
    assert refused(look, "cert_file", path=str(tmp_path / "none")).observed == {"exists": False}
    assert refused(look, "cert_file", path=str(tmp_path)).reason == "tls"
    os.mkfifo(tmp_path / "pipe")
    assert refused(look, "cert_file", path=str(tmp_path / "pipe")).reason == "tls"
    with open(tmp_path / "long", "wb") as target:
        target.truncate(3 << 20)
    with pytest.raises(CannotSee, match="longer than 2 MiB"):
        look("cert_file", path=str(tmp_path / "long"))


# --- heartbeat ---


def test_a_sign_in_time(look, tmp_path):
    sign = tmp_path / "sign"
    sign.touch()
    seen = look("heartbeat", path=str(sign), every="1h")
    assert (seen["exists"], seen["late"], seen["missed"]) == (True, False, 0)
    assert set(seen) == set(heartbeat.SPEC.observes) - {"latency_ms"}


def test_a_sign_that_is_late(look, tmp_path):
    sign = tmp_path / "sign"
    sign.touch()
    old = time.time() - 3.5 * 86400
    os.utime(sign, (old, old))
    failure = refused(look, "heartbeat", path=str(sign), every="1d")
    assert (failure.reason, failure.observed["late"], failure.observed["missed"]) == ("late", True, 3)
    assert "is 3d12h old, expected one every 1d" in failure.sentence
    assert look("heartbeat", path=str(sign), every="1d", grace="3d")["late"] is False
    assert look("heartbeat", path=str(sign), every="1w")["missed"] == 0


def test_no_sign_and_one_of_the_future(look, tmp_path):
    failure = refused(look, "heartbeat", path=str(tmp_path / "none"), every="1h")
    assert (failure.reason, failure.observed["exists"], failure.observed["late"]) == ("not_found", False, True)
    (tmp_path / "sign").touch()
    os.utime(tmp_path / "sign", (time.time() + 7200, time.time() + 7200))
    failure = refused(look, "heartbeat", path=str(tmp_path / "sign"), every="1h")
    assert (failure.reason, failure.observed["late"]) == ("clock", None)


def test_a_run_that_is_kept_is_a_sign(look, tmp_path):
    url = f"sqlite:///{tmp_path}/state.db"
    failure = refused(look, "heartbeat", state=url, every="1h")
    assert (failure.reason, failure.observed["exists"]) == ("not_found", False)
    assert not (tmp_path / "state.db").exists()
    now = time.time()
    with open_store(url) as store, store.unit() as unit:
        results.record(unit, "a", {"status": "ok"}, now - 60)
        results.record(unit, "b", {"status": "critical"}, now - 7000)
        results.record(unit, "b", {"unreachable": True}, now)
    assert 59 < look("heartbeat", state=url, every="1h")["age_seconds"] < 600
    assert look("heartbeat", state=url, host="a", every="1h")["late"] is False
    failure = refused(look, "heartbeat", state=url, host="b", every="1h")
    assert (failure.reason, failure.observed["missed"]) == ("late", 1) and url in failure.sentence
    assert "knows no run of c" in refused(look, "heartbeat", state=url, host="c", every="1h").sentence


@pytest.mark.parametrize("url", ["mysql://x", "sqlite://relative", "sqlite:////proc/cpuinfo/x.db", "sqlite:////etc/passwd"])
def test_a_store_that_is_none(look, url):
    with pytest.raises(CannotSee):
        look("heartbeat", state=url, every="1h")


@pytest.mark.parametrize(
    "options",
    [
        {"path": "/x"},
        {"path": "/x", "every": 0},
        {"path": "/x", "every": "4000d"},
        {"path": "x", "every": "1h"},
        {"every": "1h"},
        {"path": "/x", "state": "default", "every": "1h"},
        {"path": "/x", "host": "a", "every": "1h"},
    ],
)
def test_heartbeats_that_cannot_be(options):
    with pytest.raises(ValueError, match="heartbeat"):
        read_options(heartbeat.SPEC, options)
