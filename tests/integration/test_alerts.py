# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""vigil_alerts and the module silence, run by ansible-playbook: who is told, who is not, and what is refused."""

from __future__ import annotations

import json

import pytest

ROUTES = {
    "timezone": "UTC",
    "routes": [
        {"match": {"severity": "critical"}, "to": ["oncall"]},
        {"match": {"group": "web", "severity": "<= warning"}, "to": ["ops"], "digest": "1d"},
        {"to": ["ops"]},
    ],
    "inhibit": [{"when": {"check": "reachable"}, "mute": {"severity": "<= error"}}],
}


@pytest.fixture
def play(run_playbook, ansible_env):
    """Run tasks on web1, which is in the group web; returns (outcome, what they registered as r)."""

    def run(*tasks, args=(), env=None):
        report = ansible_env.home / "registered.json"
        report.unlink(missing_ok=True)
        last = {
            "ansible.builtin.copy": {"content": "{{ r | to_json }}", "dest": str(report)},
            "check_mode": False,
            "delegate_to": "localhost",
        }
        local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        inventory = {"all": {"hosts": {"db1": local}, "children": {"web": {"hosts": {"web1": local}}}}}
        plays = [{"hosts": "web1", "gather_facts": False, "tasks": [*tasks, last]}]
        outcome = run_playbook(plays, *args, env=env, inventory=inventory)
        return outcome, json.loads(report.read_text(encoding="utf-8")) if report.exists() else None

    return run


@pytest.fixture
def rooms(listen):
    ops, oncall = listen(), listen()
    return ops, oncall, [f"{ops.url}/a#ops", f"{oncall.url}/b#oncall"]


def event(check, instance="web1", severity="error", **more):
    return {"check": check, "instance": instance, "severity": severity, "message": f"{check} is bad", **more}


def notify(**options):
    return {"vigil.ops.notify": options, "register": "r"}


def silence(**options):
    return {"vigil.ops.silence": options, "register": "r"}


def checks(receiver):
    return sorted((body["check"], body["status"]) for body in receiver.bodies)


def test_routes_digest_and_inhibition(play, rooms):
    ops, oncall, channels = rooms
    events = [
        event("disk"),
        event("reachable", "db1", "critical"),
        event("cpu", "db1"),
        event("slow", severity="warning"),
        event("old", "db1", "info"),
    ]
    outcome, r = play(notify(channels=channels, event=events, alerts=ROUTES))
    assert outcome.rc == 0, outcome.output
    assert (r["delivered"], r["queued"], r["collected"]) == (2, 0, 1)
    assert checks(ops) == [("disk", "firing")]
    assert checks(oncall) == [("reachable", "firing")]
    assert {(one["check"], one["reason"]) for one in r["muted"]} == {
        ("cpu", "inhibited by db1: reachable"),
        ("old", "inhibited by db1: reachable"),
    }
    assert "WARNING" not in outcome.output


def test_silence_acknowledge_and_history(play, rooms):
    ops, _oncall, channels = rooms
    outcome, r = play(silence(matchers={"group": "web"}, duration="1h", comment="patches"))
    assert outcome.rc == 0, outcome.output
    name = r["silence"]["id"]
    assert (r["changed"], r["silence"]["state"], r["silence"]["comment"]) == (True, "active", "patches")
    outcome, r = play(notify(channels=channels, event=[event("disk"), event("cpu", "db1")]))
    assert [one["reason"] for one in r["muted"]] == [f"silence {name}"]
    assert checks(ops) == [("cpu", "firing")]
    outcome, r = play(
        {"vigil.ops.history_info": {"kind": "alerts", "state_url": "{{ lookup('env', 'VIGIL_STATE_URL') }}"}, "register": "r"}
    )
    assert [one["check"] for one in r["entries"]] == ["cpu", "disk"]
    alert = r["entries"][0]["alert_id"]
    outcome, r = play(
        {"vigil.ops.history_info": {"kind": "silences", "state_url": "{{ lookup('env', 'VIGIL_STATE_URL') }}"}, "register": "r"}
    )
    assert [one["id"] for one in r["entries"]] == [name]
    outcome, r = play(silence(alert_id=alert, comment="ordered", author="ann"))
    assert (r["changed"], r["silence"]["state"]) == (True, "acknowledged")
    outcome, r = play(silence(alert_id=alert, comment="ordered", author="ann"))
    assert r["changed"] is False
    outcome, r = play(silence(id=name, state="absent"), notify(channels=channels, event=event("disk")))
    assert outcome.rc == 0, outcome.output
    assert checks(ops) == [("cpu", "acknowledged"), ("cpu", "firing"), ("disk", "firing")]
    told = next(body for body in ops.bodies if body["status"] == "acknowledged")
    assert (told["annotations"]["acknowledged by"], told["annotations"]["acknowledged with"]) == ("ann", "ordered")


def test_check_mode_of_silence_keeps_nothing(play, ansible_env):
    outcome, r = play(silence(matchers={"service": "shop"}, duration="1h"), args=("--check", "--diff"))
    assert outcome.rc == 0, outcome.output
    assert (r["changed"], r["silence"]["state"]) == (True, "active")
    assert not (ansible_env.home / "state.db").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"matchers": {"team": "db"}, "duration": "1h"}, 'matchers has no key "team"'),
        ({"matchers": {"service": "a"}}, "A silence needs an end"),
        ({"matchers": {"service": "a"}, "until": "2020-01-01T00:00:00Z"}, "The silence would end at 2020-01-01T00:00:00Z, which is over"),
        ({"matchers": {"service": "a"}, "until": "soon"}, 'until is "soon"; write a time such as'),
        ({"alert_id": "VGL-1"}, 'There is no alert "VGL-1"'),
        ({"duration": "1h"}, "one of the following is required: matchers, alert_id, id"),
    ],
)
def test_bad_silences_are_refused(play, options, sentence):
    outcome, _r = play(silence(**options))
    assert outcome.rc == 2
    assert sentence in outcome.stdout.replace('\\"', '"')


def test_bad_alerts_are_refused_before_anything_is_stored(play, rooms, ansible_env, tmp_path):
    _ops, _oncall, channels = rooms
    outcome, _r = play(notify(channels=channels, title="x", alerts={"routes": [{"to": ["onc"]}]}))
    assert outcome.rc == 2
    assert 'vigil_alerts: routes[0].to names the channel "onc"' in outcome.stdout.replace('\\"', '"')
    path = tmp_path / "alerts.yml"
    path.write_text("vigil_alerts:\n  rotues: []\n", encoding="utf-8")
    outcome, _r = play(notify(channels=channels, title="x"), env={"VIGIL_ALERTS_FILE": str(path)})
    assert f'The alerts file {path}: vigil_alerts has no key "rotues"; did you mean "routes"?' in outcome.stdout.replace('\\"', '"')
    assert not (ansible_env.home / "state.db").exists()


def test_a_run_that_is_expected(play, rooms, ansible_env, tmp_path):
    ops, oncall, channels = rooms
    path = tmp_path / "alerts.yml"
    path.write_text("expected:\n- {name: nightly, every: 1s, grace: 0, severity: critical}\n", encoding="utf-8")
    env = {"VIGIL_ALERTS_FILE": str(path)}
    play(notify(channels=channels, flush=True), env=env)
    pause = {"ansible.builtin.pause": {"seconds": 2}}
    outcome, _r = play(pause, notify(channels=channels, flush=True), env=env)
    assert outcome.rc == 0, outcome.output
    assert (checks(ops), checks(oncall)) == ([("run of nightly", "firing")], [("run of nightly", "firing")])
    play(notify(channels=channels, heartbeat={"name": "nightly", "every": "1d"}))
    assert checks(ops) == [("run of nightly", "firing"), ("run of nightly", "resolved")]
