# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From matches to alarms, and what rules remember between runs."""

from __future__ import annotations

import json
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs import presets, spec
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.reader import Block
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.scan import Scanner
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.stamps import time_of
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.windows import Seen, Window, shape_of

NOW = 1795290163.0


class Runs:
    """Runs of one rule whose memory goes through JSON in between."""

    def __init__(self, **rule):
        self.rule = spec.read_rules([{"name": "r", "keyword": "x", **rule}])[0]
        self.memory = {}

    def run(self, now, *seen):
        window = Window(self.rule, self.memory, now)
        for one in seen:
            at, text, fields = one if isinstance(one, tuple) else (one, "x", {})
            window.see(Seen(at, text, fields, lambda text=text: {"sample": text}))
        alarms = window.finish()
        self.memory = json.loads(json.dumps(self.memory))
        return [(alarm["kind"], alarm["status"], alarm["count"], alarm["key"]) for alarm in alarms]


def test_a_threshold_is_reached_over_runs_and_is_over_when_its_window_is_empty():
    runs = Runs(threshold={"count": 3, "within": "60s"})
    assert runs.run(NOW, NOW - 5, NOW) == []
    assert runs.run(NOW + 10, NOW + 10, NOW + 10) == [("threshold", "firing", 4, "")]
    assert runs.run(NOW + 20, NOW + 20) == []  # it is firing already
    assert runs.run(NOW + 70) == []
    assert runs.run(NOW + 90) == [("threshold", "resolved", 5, "")]
    assert runs.run(NOW + 100) == [] and runs.memory["keys"] == {}


def test_a_threshold_counts_each_value_by_itself_and_takes_lines_out_of_order():
    runs = Runs(threshold={"count": 2, "within": "10s", "by": "client"})
    a, b = {"client": "a"}, {"client": "b"}
    assert runs.run(NOW, (NOW, "x", a), (NOW - 3, "x", b), (NOW - 8, "x", a)) == [("threshold", "firing", 2, "a")]
    assert runs.run(NOW, (NOW - 60, "x", b)) == []
    assert runs.run(NOW + 1, (NOW + 1, "x", b)) == [("threshold", "firing", 2, "b")]


def test_lines_of_a_run_are_one_alarm_and_a_cooldown_holds_them_back_but_counts_them():
    runs = Runs(cooldown="10m")
    assert runs.run(NOW, NOW, NOW, NOW) == [("lines", "firing", 3, "")]
    assert runs.run(NOW + 60, NOW + 60, NOW + 61) == []
    assert runs.run(NOW + 601) == [("lines", "firing", 2, "")]
    assert runs.run(NOW + 602, NOW + 602) == []
    assert runs.run(NOW + 1300, NOW + 1300) == [("lines", "firing", 2, "")]


def test_absence_is_told_once_and_over_with_the_next_line():
    runs = Runs(absent="5m")
    assert runs.run(NOW) == [] and runs.run(NOW + 200, NOW + 100) == []
    assert runs.run(NOW + 399) == []
    assert runs.run(NOW + 401) == [("absent", "firing", 0, "")]
    assert runs.run(NOW + 500) == []
    assert runs.run(NOW + 510, NOW + 509) == [("absent", "resolved", 0, "")]


def test_lines_of_a_new_kind():
    runs = Runs(first_seen="1h")
    assert runs.run(NOW, (NOW, "x failed for user 17 at 0xff", {})) == []  # learning
    assert runs.run(NOW + 4000, (NOW, "x failed for user 99 at 0xaa", {})) == []
    assert runs.run(NOW + 4001, (NOW, "x exploded", {}), (NOW, "x exploded", {})) == [("new", "firing", 2, runs_key(runs, "x exploded"))]
    many = [(NOW, f"x kind {'abcdefghijklmnopqrstuvwxyz'[number]}z", {}) for number in range(26)]
    window = runs.run(NOW + 4002, *many)
    assert len(window) == 20


def runs_key(runs, text):
    import hashlib

    return hashlib.blake2b(shape_of(text).encode(), digest_size=8).hexdigest()


def test_a_rate_against_what_is_usual():
    runs = Runs(rate={"per": "60s", "factor": 3, "least": 5})
    at = NOW - NOW % 60
    for number in range(15):
        assert runs.run(at + number * 60 + 30, at + number * 60, at + number * 60 + 1) == []
    burst = [at + 900 + second for second in range(10)]
    assert runs.run(at + 930, *burst) == [("rate", "firing", 6, "")]
    assert runs.run(at + 1000) == []
    assert [one[:2] for one in runs.run(at + 1100)] == [("rate", "resolved")]


@pytest.mark.parametrize(
    "text, expected",
    (
        ("2026-11-21T19:42:43.5Z x", NOW + 0.5),
        ("2026-11-21T20:42:43+01:00 x", NOW),
        ("2026-11-21 19:42:43,000 +0000 x", NOW),
        ('10.0.0.1 - - [21/Nov/2026:19:42:43 +0000] "GET / HTTP/1.1" 200', NOW),
        ("[Sat Nov 21 19:42:43.000001 2026] [core:error]", None),
        ("2026/11/21 19:42:43 [error] 7#7: x", None),
        ("Nov 21 19:42:43 host sshd[1]: x", None),
        ("261121 194243 13 INFO dfs.DataNode: x", None),
        ('{"ts": 1795290163.25, "m": 1}', NOW + 0.25),
        ('{"ts": 1795290163250}', NOW + 0.25),
    ),
)
def test_times_of_common_logs(text, expected):
    found = time_of(text, NOW + 100)
    if expected is None:
        expected = time.mktime((2026, 11, 21, 19, 42, 43, 0, 0, -1))
        assert abs(found - expected) < 0.001 or "Sat" in text
    else:
        assert abs(found - expected) < 0.001


def test_what_is_no_time():
    assert [
        time_of(text, NOW) for text in ("no time", "99:99:99", "2026-13-45 00:00:00", "4026-01-01 00:00:00", "12345678901234567890")
    ] == [None] * 5
    assert time_of("Dec 31 23:59:59 x", 1767225700.0) < 1767225700.0 + 86400  # the last year's


SAMPLES = {
    "ssh failed logins": "Dec 10 06:55:48 LabSZ sshd[24200]: Failed password for invalid user webmaster from 173.234.31.186 port 38926 ssh2",
    "ssh break-in attempt": "sshd[24200]: reverse mapping checking getaddrinfo for x [173.234.31.186] failed - POSSIBLE BREAK-IN ATTEMPT!",
    "ssh root login": "sshd[1]: Accepted publickey for root from 10.0.0.1 port 22 ssh2",
    "kernel oom": "kernel: Out of memory: Killed process 4242 (java) total-vm:8123kB",
    "kernel io error": "kernel: blk_update_request: I/O error, dev sda, sector 12345",
    "syslog no space": "rsyslogd: file '/var/log/messages': write error: No space left on device",
    "systemd unit failed": "systemd[1]: nginx.service: Failed with result 'exit-code'.",
    "systemd restart loop": "systemd[1]: shop.service: Start request repeated too quickly.",
    "nginx server errors": '203.0.113.9 - - [21/Nov/2026:19:42:43 +0000] "GET /api HTTP/1.1" 502 157 "-" "curl/7.88.1"',
    "nginx upstream": "2026/11/21 19:42:43 [error] 7#7: *1 upstream timed out (110: Connection timed out) while connecting to upstream",
    "apache errors": "[Sun Dec 04 04:47:44.1 2005] [core:crit] mod_jk child workerEnv in error state 6",
    "postgresql fatal": '2026-11-21 19:42:43 UTC [17] FATAL:  password authentication failed for user "app"',
    "postgresql errors": '2026-11-21 19:42:43 UTC [17] ERROR:  relation "x" does not exist',
    "java out of memory": "java.lang.OutOfMemoryError: Java heap space",
    "java exceptions": "081109 203615 ERROR dfs.DataNode: java.io.IOException: Connection reset",
    "python tracebacks": "Traceback (most recent call last):",
}


@pytest.mark.parametrize("name", SAMPLES)
def test_ready_made_rules_find_lines_of_their_programs(name):
    rules = spec.read_rules(list(presets.RULES))
    data = f"nothing here\n{SAMPLES[name]}\n".encode()
    hits = Scanner(rules).scan(Block(data, 0, len(data)))
    assert name in {rules[hit.rule].name for hit in hits}


def test_ready_made_rules_have_a_text_to_look_for_quickly():
    hungry = Scanner(spec.read_rules(list(presets.RULES))).hungry
    assert hungry == [], "every line would be looked at"
