# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""dns_diff and the playbook dns_watch, run by ansible-playbook on a real nsd that changes its zone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import jsonschema
import pytest

ZONE = "example.test"
TEXT = "www A 192.0.2.1\nwww A 192.0.2.2\nmail A 192.0.2.3\n"
NAMES = ["www.example.test", "mail.example.test", "none.example.test"]


@pytest.fixture
def diff(run_playbook, ansible_env, tmp_path):
    """diff(server, *args, tasks=..., **options) -> (result of the task, Outcome)."""

    def run(server, *args, env=None, rc=0, **options):
        given = {"nameservers": [server.address], "timeout": "1s", "state_url": f"sqlite:///{tmp_path}/node.db", "names": NAMES, **options}
        given = {key: value for key, value in given.items() if value is not None}
        place = tmp_path / "result.json"
        place.unlink(missing_ok=True)
        tasks = [
            {"name": "Compare", "vigil.ops.dns_diff": given, "register": "found", "ignore_errors": True},
            {
                "ansible.builtin.copy": {"dest": str(place), "content": "{{ found | to_json }}", "mode": "0600"},
                "check_mode": False,
                "diff": False,
            },
        ]
        outcome = run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], *args, env=env)
        assert outcome.rc == rc, outcome.output
        return json.loads(place.read_text()), outcome

    return run


def brief(result):
    return [(one["name"], one["kind"], one["before"], one["after"]) for one in result["changes"]]


def test_learn_change_and_be_told_once(nsd, diff):
    server = nsd({ZONE: TEXT})
    first, _out = diff(server)
    assert not first["changed"] and first["stats"]["learned"] == 3
    server.set_zone(ZONE, "WWW 9 A 192.0.2.2\nwww A 192.0.2.1\nmail A 192.0.2.9\n")
    checked, out = diff(server, "--check", "--diff")
    assert checked["changed"] and brief(checked) == [("mail.example.test", "changed", ["192.0.2.3"], ["192.0.2.9"])]
    assert "-mail.example.test A 192.0.2.3\n+mail.example.test A 192.0.2.9\n" in out.stdout
    found, _out = diff(server)
    assert found["changed"] and brief(found) == brief(checked) and "diff" not in found
    again, _out = diff(server)
    assert not again["changed"] and again["stats"]["unchanged"] == 3


def test_a_result_that_never_arrived_is_returned_again(nsd, diff, ansible_env, tmp_path):
    """The controller's store cannot be written when the result comes, as if the controller had died at that moment."""
    server = nsd({ZONE: TEXT})
    diff(server)
    server.set_zone(ZONE, "www A 192.0.2.7\nmail A 192.0.2.3\n")
    found, _out = diff(server, acknowledge="told")
    again, _out = diff(server, acknowledge="told")
    assert found["changes"] == again["changes"] and again["stats"]["returned_again"] == 1
    received, _out = diff(server)
    assert received["changes"] == found["changes"]
    assert not diff(server)[0]["changed"]


def test_a_notify_task_acknowledges_what_it_keeps(nsd, diff, run_playbook, tmp_path):
    server = nsd({ZONE: TEXT})
    diff(server)
    server.set_zone(ZONE, "www A 192.0.2.7\nmail A 192.0.2.3\n")
    found, _out = diff(server, acknowledge="told")
    told = tmp_path / "told.jsonl"
    task = {"vigil.ops.notify": {"channels": [f"file://{told}"], "results": {"localhost": found}}}
    for _time in range(2):
        assert run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]).rc == 0
    events = [json.loads(line) for line in told.read_text().splitlines()]
    assert [event["check"] for event in events] == ["dns www.example.test A"]
    assert not diff(server, acknowledge="told")[0]["changed"]


def test_a_loop_is_told_as_well(nsd, run_playbook, tmp_path):
    """Each item of a loop is a watch of its own; what all of them returned is handed to notify at once."""
    server = nsd({ZONE: TEXT})
    told = tmp_path / "told.jsonl"
    given = {
        "names": ["{{ item }}"],
        "nameservers": [server.address],
        "view": "{{ item }}",
        "acknowledge": "told",
        "state_url": f"sqlite:///{tmp_path}/node.db",
    }
    tasks = [
        {"vigil.ops.dns_diff": given, "register": "found", "loop": NAMES},
        {"vigil.ops.notify": {"channels": [f"file://{told}"], "results": {"localhost": "{{ found }}"}}},
        {"ansible.builtin.debug": {"msg": "again {{ found.results | map(attribute='changes') | flatten | length }}"}},
    ]
    for text in (TEXT, "www A 192.0.2.7\nmail A 192.0.2.8\n", "www A 192.0.2.7\nmail A 192.0.2.8\n"):
        server.set_zone(ZONE, text)
        outcome = run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}])
        assert outcome.rc == 0, outcome.output
    assert '"msg": "again 0"' in outcome.stdout
    events = [json.loads(line) for line in told.read_text().splitlines()]
    assert sorted(event["check"] for event in events) == ["dns mail.example.test A", "dns www.example.test A"]


def test_killed_runs_lose_nothing(nsd, diff, ansible_env, tmp_path):
    """kill -9 of the whole run at many moments: every change that the history holds was told, and under one name."""
    names = [f"n{number}.example.test" for number in range(200)]

    def serve(round_=-1):
        # with those that go back 8: even those of two runs of one second, which are a group, are fewer than are told as one
        changed = range(round_ * 20, round_ * 20 + 4)
        return "".join(f"n{number} A 10.0.{round_ + 1 if number in changed else 0}.1\n" for number in range(200))

    server = nsd({ZONE: serve()})
    options = {"names": names, "max_change_percent": 100}
    diff(server, **options)
    told = tmp_path / "told.jsonl"
    given = {
        "nameservers": [server.address],
        "timeout": "1s",
        "state_url": f"sqlite:///{tmp_path}/node.db",
        "acknowledge": "told",
        **options,
    }
    tasks = [
        {"vigil.ops.dns_diff": given, "register": "found"},
        {"vigil.ops.notify": {"channels": [f"file://{told}"], "results": {"localhost": "{{ found }}"}}},
    ]
    play = tmp_path / "kill.json"
    play.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    command = [str(ansible_env.bin / "ansible-playbook"), "-i", str(ansible_env.home / "inventory.yml"), str(play)]
    for round_ in range(9):
        server.set_zone(ZONE, serve(round_))
        run = subprocess.Popen(command, env=ansible_env.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        time.sleep(0.6 + 0.2 * round_)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    for _run in range(2):
        done = ansible_env.run(*command)
        assert done.rc == 0, done.output
    with contextlib.closing(sqlite3.connect(tmp_path / "node.db")) as history:
        kept = set(history.execute("SELECT name, before, after, status FROM dns_changes"))
        assert history.execute("SELECT count(*) FROM dns_changes WHERE open = 1").fetchone() == (0,)
    events = {event["event_id"]: event for event in map(json.loads, told.read_text().splitlines())}
    seen = [
        (event["labels"]["name"], *("\n".join(event["context"]["observed"][side]) for side in ("before", "after")))
        for event in events.values()
        if "kind" in event["context"]["observed"]  # on a busy machine the server may be silent for a second, which is told, too
    ]
    assert sorted(seen) == sorted(one[:3] for one in kept)
    assert {f"n{number}.example.test" for number in range(160, 164)} <= {one[0] for one in kept}


def test_names_file_of_a_hundred_thousand(nsd, diff, tmp_path):
    from dns_zones import many

    text, names = many(100_000, ZONE)
    server = nsd({ZONE: text})
    place = tmp_path / "names.txt"
    place.write_text("# a hundred thousand\n" + "\n".join(names) + "\n")
    options = {"names": None, "names_file": str(place), "timeout": "5s"}
    first, _out = diff(server, **options)
    assert first["stats"]["learned"] == 100_000 and not first["changed"]
    again, _out = diff(server, **options)
    assert again["stats"]["unchanged"] == 100_000 and not again["changed"] and again["failures"] == []


def test_expected_from_a_file_on_the_controller(nsd, diff, tmp_path):
    server = nsd({ZONE: TEXT})
    place = tmp_path / "zone.yml"
    place.write_text("zone: example.test\nwww:\n  type: A\n  values: [192.0.2.2, 192.0.2.1]\nmail:\n  - {type: A, value: 192.0.2.8}\n")
    found, _out = diff(server, names=None, against="expected", expected=str(place))
    assert brief(found) == [("mail.example.test", "changed", ["192.0.2.8"], ["192.0.2.3"])]


def test_bad_options_are_one_sentence(nsd, diff, tmp_path):
    server = nsd({ZONE: TEXT})
    for options, words in (
        ({"names": ["a..b"]}, "names, item 1: "),
        ({"namse": ["a"]}, 'did you mean "names"'),
        ({"types": ["AAA"]}, "did you mean"),
        ({"against": "expected", "names": None, "expected": "/nowhere.yml"}, "expected: /nowhere.yml cannot be read"),
        ({"zone": ZONE, "tsig": {"name": "k", "secret": "c2VjcmV0"}}, "6 bytes"),
        ({"state_url": "mysql://x"}, "unknown scheme"),
    ):
        found, out = diff(server, **options)
        assert found["failed"] and words in found["msg"], found
        assert "Traceback" not in out.output and "c2VjcmV0" not in found["msg"]


@pytest.fixture
def watch(run_playbook, tmp_path):
    """watch(server, *args, inventory=None, **variables) -> (Outcome, events told so far)."""
    told = tmp_path / "events.jsonl"

    def run(server, *args, inventory=None, **variables):
        given = {"vigil_dns_nameservers": [server.address], "vigil_channels": [f"file://{told}"], "vigil_dns_confirm": 1, **variables}
        outcome = run_playbook("vigil.ops.dns_watch", "-e", json.dumps(given), *args, inventory=inventory)
        events = [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []
        return outcome, events

    return run


def test_watch_tells_a_change_once(nsd, watch):
    server = nsd({ZONE: TEXT})
    out, events = watch(server, vigil_dns_names=NAMES)
    assert out.rc == 0 and events == [], out.output
    assert "3 names: 3 learned" in out.stdout.rstrip().splitlines()[-1]
    server.set_zone(ZONE, "www A 192.0.2.1\nwww A 192.0.2.9\nmail A 192.0.2.3\n")
    out, events = watch(server, vigil_dns_names=NAMES, vigil_fail_on="change")
    assert out.rc == 2, out.output
    assert [event["message"] for event in events] == ["www.example.test A has changed from 192.0.2.1, 192.0.2.2 to 192.0.2.1, 192.0.2.9"]
    assert "changed  www.example.test A" in out.stdout
    out, events = watch(server, vigil_dns_names=NAMES, vigil_fail_on="change")
    assert out.rc == 0 and len(events) == 1, out.output


def test_watch_resolves_failures_and_a_mass(nsd, watch):
    names = [f"n{number}.example.test" for number in range(20)]
    server = nsd({ZONE: "".join(f"n{number} A 10.0.0.1\n" for number in range(20)), "other.test": "www A 192.0.2.1\n"})
    every = [*names, "www.other.test"]
    assert watch(server, vigil_dns_names=every)[1] == []
    server.remove_zone("other.test")
    out, events = watch(server, vigil_dns_names=every)
    assert out.rc == 0 and [(event["check"], event["status"]) for event in events] == [("dns www.other.test A fails", "firing")], out.output
    server.set_zone("other.test", "www A 192.0.2.1\n")
    server.set_zone(ZONE, "".join(f"n{number} A 10.0.0.2\n" for number in range(20)))
    _out, events = watch(server, vigil_dns_names=every)
    assert {(event["check"], event["status"]) for event in events[1:]} == {
        ("dns www.other.test A fails", "resolved"),
        ("dns mass change", "firing"),
    }
    _out, events = watch(server, vigil_dns_names=every, vigil_dns_max_change_percent=100)
    assert {(event["check"], event["status"]) for event in events[3:]} == {("dns mass change", "resolved")} | {
        (f"dns {name} A", "firing") for name in names
    }


def test_watch_compares_the_inventory(nsd, watch):
    server = nsd({ZONE: TEXT})
    hosts = {
        "www.example.test": {"ansible_host": "192.0.2.1"},
        "mail.example.test": {"ansible_host": "192.0.2.99"},
        "none.example.test": {},
        "short": {"ansible_host": "192.0.2.50"},
    }
    inventory = {"all": {"hosts": hosts}}
    out, events = watch(server, inventory=inventory, vigil_dns_inventory=True)
    assert out.rc == 0, out.output
    assert [(event["check"], event["status"]) for event in events] == [("dns mail.example.test A differs", "firing")]
    hosts["mail.example.test"]["ansible_host"] = "192.0.2.3"
    _out, events = watch(server, inventory=inventory, vigil_dns_inventory=True)
    assert [(event["check"], event["status"]) for event in events[1:]] == [("dns mail.example.test A differs", "resolved")]


def test_watch_of_a_zone_and_without_anything(nsd, watch):
    server = nsd({ZONE: TEXT}, transfer="NOKEY")
    out, _events = watch(server, vigil_dns_zone=ZONE)
    assert out.rc == 0 and "learned" in out.stdout, out.output
    server.set_zone(ZONE, "www A 192.0.2.1\nwww A 192.0.2.2\n")
    _out, events = watch(server, vigil_dns_zone=ZONE)
    assert [event["message"] for event in events] == ["mail.example.test A is gone, it was 192.0.2.3 (nxdomain)"]
    out, _events = watch(server)
    assert out.rc == 2 and "There is nothing to watch" in out.output
    out, _events = watch(server, vigil_dns_names=NAMES, vigil_fail_on="sometimes")
    assert out.rc == 2 and "known are never, change, failure, any" in out.output
    out, events = watch(server, vigil_dns_names={"a": 1})
    assert out.rc == 2 and "vigil_dns_names must be a list of names." in out.output
    secret = "U2VjcmV0U2VjcmV0U2VjcmV0U2VjcmV0U2VjcmV0MTI="
    out, events = watch(server, "-v", vigil_dns_zone=ZONE, vigil_dns_tsig=secret)
    assert out.rc == 2 and "tsig must be a mapping" in out.output and secret[:30] not in out.output
    out, events = watch(server, vigil_dns_zone_file="/nowhere")
    assert out.rc == 2 and "vigil_dns_zone is missing" in out.output
    out, events = watch(server, "--limit", "other", vigil_dns_names=NAMES, inventory={"all": {"hosts": {"other": {}, "localhost": {}}}})
    assert out.rc == 2 and "--limit leaves out" in out.output
    assert {(event["check"], event["status"]) for event in events[1:]} == {("dns watch", "firing")}


def test_watch_looks_at_what_it_can(nsd, watch):
    """A zone that cannot be fetched does not keep what is expected from being looked at; both are told, and over when they are."""
    server = nsd({ZONE: TEXT}, transfer="NOKEY")
    expected = [{"name": "mail.example.test", "values": ["192.0.2.8"]}]
    out, events = watch(server, vigil_dns_zone="other.test", vigil_dns_expected=expected)
    assert out.rc == 2 and "the zone other.test cannot be fetched" in out.output
    assert {(event["check"], event["status"]) for event in events} == {
        ("dns watch", "firing"),
        ("dns mail.example.test A differs", "firing"),
    }
    expected[0]["values"] = ["192.0.2.3"]
    out, events = watch(server, vigil_dns_zone=ZONE, vigil_dns_expected=expected)
    assert out.rc == 0, out.output
    assert {(event["check"], event["status"]) for event in events[2:]} == {
        ("dns watch", "resolved"),
        ("dns mail.example.test A differs", "resolved"),
    }


def test_watch_finds_files_where_it_was_started(nsd, watch, ansible_env):
    server = nsd({ZONE: TEXT})
    (ansible_env.home / "names.txt").write_bytes(b"\xef\xbb\xbfwww.example.test\r\n")
    (ansible_env.home / "example.zone").write_text("@ 60 SOA ns host 1 2 3 4 5\n@ 60 NS ns\nwww 60 A 192.0.2.1\n$INCLUDE more.zone\n")
    (ansible_env.home / "more.zone").write_text("www 60 A 192.0.2.2\n")
    (ansible_env.home / "expected.yml").write_text("- {name: www.example.test, values: [192.0.2.1, 192.0.2.2]}\n")
    files = {"vigil_dns_names_file": "names.txt", "vigil_dns_zone_file": "example.zone", "vigil_dns_expected": "expected.yml"}
    out, events = watch(server, vigil_dns_zone=ZONE, vigil_dns_types=["A"], vigil_fail_on="any", **files)
    assert out.rc == 0 and events == [], out.output
    out, _events = watch(server, vigil_dns_names_file="~/names.txt")
    assert out.rc == 0, out.output
    out, _events = watch(server, vigil_dns_names_file="nowhere.txt", vigil_dns_expected="nowhere.yml")
    assert out.rc == 2 and "names_file: nowhere.txt cannot be read" in out.output and "expected: nowhere.yml cannot be read" in out.output


def test_watch_counts_what_a_result_leaves_out(nsd, watch):
    names = [f"n{number}.example.test" for number in range(1100)]
    server = nsd({ZONE: "".join(f"n{number} A 10.0.0.1\n" for number in range(1100))})
    assert watch(server, vigil_dns_names=names)[0].rc == 0
    server.set_zone(ZONE, "".join(f"n{number} A 10.0.0.2\n" for number in range(1100)))
    out, events = watch(server, vigil_dns_names=names, vigil_dns_max_change_percent=100, vigil_fail_on="change")
    assert out.rc == 2 and "1100 DNS changes and 0 failures" in out.output
    assert [event["message"].partition(":")[0] for event in events] == ["1100 DNS records have changed"]


def test_watch_hands_on_a_rate_of_none(nsd, watch):
    """0 is no limit, and not the same as nothing: what is false in a template arrives too."""
    server = nsd({ZONE: TEXT})
    assert watch(server, vigil_dns_names=NAMES, vigil_dns_rate=0)[0].rc == 0
    assert "rate is False" in watch(server, vigil_dns_names=NAMES, vigil_dns_rate=False)[0].output
    out, _events = watch(server, vigil_dns_names=NAMES, vigil_dns_rate={server.address: 0, "192.0.2.1": 1})
    assert out.rc == 2 and "is none of the nameservers" in out.output
    out, events = watch(server, vigil_dns_names=["a..b"])
    assert out.rc == 2 and [event["check"] for event in events] == ["dns watch"], out.output
    assert "names, item 1" in out.output


def test_events_are_as_the_schema_says(nsd, watch):
    schema = json.loads((Path(__file__).resolve().parents[2] / "docs" / "schema" / "event.schema.json").read_text())
    names = [f"n{number}.example.test" for number in range(30)]
    server = nsd({ZONE: "".join(f"n{number} A 10.0.0.1\n" for number in range(30)), "other.test": "www A 192.0.2.1\n"})
    expected = [{"name": "n1.example.test", "match": "count", "value": ">= 2"}]
    watch(server, vigil_dns_names=[*names, "www.other.test"])
    server.remove_zone("other.test")
    for count, percent in ((1, 30), (30, 30), (30, 100)):
        server.set_zone(ZONE, "".join(f"n{number} A 10.0.0.{1 if number >= count else 2}\n" for number in range(30)))
        _out, events = watch(
            server, vigil_dns_names=[*names, "www.other.test"], vigil_dns_expected=expected, vigil_dns_max_change_percent=percent
        )
    assert {"dns n0.example.test A", "dns mass change", "dns changes", "dns www.other.test A fails", "dns n1.example.test A differs"} <= {
        event["check"] for event in events
    }
    for event in events:
        jsonschema.validate(event, schema)


def test_callback_tells_changes(nsd, diff, tmp_path):
    server = nsd({ZONE: TEXT})
    told = tmp_path / "told.jsonl"
    env = {"ANSIBLE_CALLBACKS_ENABLED": "vigil.ops.webhook", "VIGIL_CHANNELS": f"file://{told}"}
    diff(server, env=env)
    server.set_zone(ZONE, "www A 192.0.2.7\nmail A 192.0.2.3\n")
    for _run in range(2):
        diff(server, env=env)
    events = [json.loads(line) for line in told.read_text().splitlines()]
    assert [event["message"] for event in events] == ["www.example.test A has changed from 192.0.2.1, 192.0.2.2 to 192.0.2.7"]
