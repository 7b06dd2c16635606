# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules notify and history_info, run by ansible-playbook against real receivers on loopback."""

from __future__ import annotations

import json
import stat

import pytest

KEY = "ROBOT-KEY-693a7aoc4bc4"
TOKEN = "hook-token-0ec2s1fa5"


@pytest.fixture
def play(run_playbook, ansible_env):
    """Run tasks on localhost; returns (outcome, what the last of them registered as `r`)."""

    def run(*tasks, args=(), env=None):
        report = ansible_env.home / "registered.json"
        report.unlink(missing_ok=True)
        last = {"ansible.builtin.copy": {"content": "{{ r | to_json }}", "dest": str(report)}, "check_mode": False}
        outcome = run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": [*tasks, last]}], *args, env=env)
        return outcome, json.loads(report.read_text(encoding="utf-8")) if report.exists() else None

    return run


def notify(**options):
    return {"vigil.ops.notify": options, "register": "r"}


def history(**options):
    return {"vigil.ops.history_info": {"state_url": "{{ lookup('env', 'VIGIL_STATE_URL') }}", **options}, "register": "r"}


def test_message_to_three_kinds_of_channels(play, listen, tmp_path, receivers):
    webhook, robot = listen(), receivers.Robot(KEY)
    channels = [
        {"name": "hook", "url": f"{webhook.url}/{TOKEN}"},
        f"wecom://{KEY}?endpoint={listen(robot).url}&language=zh",
        f"file://{tmp_path}/events.jsonl",
    ]
    outcome, r = play(notify(channels=channels, title="Deployment", body="Version 4.2 is live", severity="warning"))
    assert outcome.rc == 0, outcome.output
    assert (r["delivered"], r["queued"], r["dropped"], r["changed"]) == (3, 0, 0, True)
    assert [channel["channel"] for channel in r["channels"]][:2] == [
        "hook (http://127.0.0.1:%d/********)" % webhook.port,
        "wecom://********",
    ]
    assert (webhook.bodies[0]["check"], webhook.bodies[0]["instance"]) == ("Deployment", "localhost")
    assert robot.contents[0].startswith('**<font color="comment">[警告] Deployment</font>**\nVersion 4.2 is live')
    assert len((tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines()) == 1


def test_event_is_told_once_and_resolved_once(play, listen):
    receiver = listen()
    environment = {"VIGIL_CHANNELS": f"{receiver.url}/{TOKEN}"}
    firing = notify(event={"check": "nightly", "message": "it failed", "labels": {"db": "shop"}})
    resolved = notify(event=[{"check": "nightly", "message": "it works", "labels": {"db": "shop"}, "status": "resolved"}])
    outcome, r = play(firing, firing, resolved, resolved, env=environment)
    assert outcome.rc == 0, outcome.output
    assert r["changed"] is False
    assert [body["status"] for body in receiver.bodies] == ["firing", "resolved"]
    assert receiver.bodies[1]["count"] in (1, 2)  # the same second is the same observation
    assert receiver.bodies[1]["duration_seconds"] >= 0


def test_results_of_hosts(play, listen):
    receiver = listen()
    results = {
        "web1": {
            "results": [{"name": "disk", "status": "critical", "severity": "critical", "summary": "used_percent is 93", "labels": {}}]
        },
        "web2": {"unreachable": True, "msg": "no route"},
    }
    outcome, r = play(notify(results=results, channels=[receiver.url], service="shop"))
    assert outcome.rc == 0, outcome.output
    assert sorted((body["service"], body["instance"], body["check"]) for body in receiver.bodies) == [
        ("shop", "web1", "disk"),
        ("shop", "web2", "reachable"),
    ]
    assert r["delivered"] == 2


def test_results_of_a_loop_and_checks_that_are_gone(play, listen):
    receiver = listen()

    def told(items, **more):
        before = len(receiver.bodies)
        checks = [{"name": "f {{ item }}", "file": {"path": "/none/{{ item }}"}}]
        look = {"name": "look", "vigil.ops.inspect": {"checks": checks}, "loop": items, "register": "seen", **more}
        assert play(look, notify(results={"web1": "{{ seen }}"}, scope="shop", channels=[receiver.url]))[0].rc == 0
        return sorted((body["status"], body["check"]) for body in receiver.bodies[before:])

    assert told([1, 2, 3]) == [("firing", "f 1"), ("firing", "f 2"), ("firing", "f 3")]
    assert told([1, 2], when="item == 1") == told([1, 2], when="false") == []
    assert told([1, 2]) == [("resolved", "f 3")]
    assert told([1], ignore_errors=True, timeout=1, vars={"ansible_python_interpreter": "/none/python"}) == [("firing", "inspection")]


def test_what_cannot_be_sent_is_queued_and_flushed_later(play, listen, receivers):
    port = receivers.dead_port()
    channel = {"name": "ops", "url": f"http://127.0.0.1:{port}/{TOKEN}"}
    outcome, r = play(notify(channels=[channel], event={"check": "a", "message": "b"}, deadline="2s"))
    assert outcome.rc == 0, outcome.output
    assert (r["delivered"], r["queued"], r["changed"]) == (0, 1, False)
    assert (r["channels"][0]["status"], r["channels"][0]["code"]) == ("queued", "refused")
    _outcome, r = play(history(kind="outbox"))
    assert [(entry["channel"], entry["check"], entry["code"]) for entry in r["entries"]] == [("ops", "a", "refused")]
    receiver = listen(port=port)
    channel["url"] = f"http://127.0.0.1:{port}/another-token"
    outcome, r = play(notify(channels=[channel], flush=True))
    assert (r["delivered"], r["queued"], r["changed"]) == (1, 0, True), outcome.output
    assert receiver.requests[0][0] == "/another-token", "a rotated secret finds what was queued under the name"


def test_refused_is_dead_with_its_reason(play, listen, receivers):
    robot = receivers.Robot("ANOTHER-KEY-0001")
    channel = f"wecom://{KEY}?endpoint={listen(robot).url}"
    outcome, r = play(notify(channels=[channel], title="t"), history(kind="dead"))
    assert outcome.rc == 0, outcome.output
    assert [(entry["code"], entry["attempts"]) for entry in r["entries"]] == [("93000", 1)]
    assert "key is not valid" in r["entries"][0]["message"]


def test_check_mode_tells_and_stores_nothing(play, listen, ansible_env):
    receiver = listen()
    outcome, r = play(notify(channels=[receiver.url], event={"check": "a", "message": "b"}), args=["--check"])
    assert outcome.rc == 0, outcome.output
    assert (r["channels"][0]["status"], r["changed"], len(r["events"])) == ("would tell", False, 1)
    assert receiver.requests == []
    assert not (ansible_env.home / "state.db").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"title": "t"}, "There is no channel to tell: give the option channels, or set VIGIL_CHANNELS"),
        ({"channels": ["htps://x/" + TOKEN], "title": "t"}, 'unknown scheme "htps"; did you mean "http'),
        ({"channels": ["https://x/" + TOKEN], "event": {"check": "a"}}, "event needs a message"),
        (
            {"channels": ["https://x/" + TOKEN], "event": {"check": "a", "mesage": "b"}},
            'event has no key "mesage"; did you mean "message"?',
        ),
        ({"channels": ["https://x/" + TOKEN]}, "nothing to tell"),
        ({"channels": ["https://x/" + TOKEN], "title": "t", "deadline": "soon"}, "deadline: "),
        ({"channels": ["https://x/" + TOKEN], "title": "t", "state_url": "state.db"}, "state_url: state_url 'state.db' is not a URL"),
        (
            {"channels": [{"url": "https://x/" + TOKEN, "ca": "/none/ca.pem"}], "title": "t"},
            "names the file /none/ca.pem, which cannot be read",
        ),
        ({"channels": ["https://x/" + TOKEN], "results": ["web1"]}, "results must be a mapping"),
        (
            {
                "channels": ["https://x/" + TOKEN],
                "results": {"a": {"results": [{"name": "b", "status": "critical", "labels": 5}], "score": 1}},
            },
            "results cannot be read (TypeError)",
        ),
        ({"channels": ["https://x/" + TOKEN], "title": "t", "severity": "fatal"}, "severity must be one of"),
    ],
)
def test_bad_input_is_refused_before_anything_is_stored(play, ansible_env, options, words):
    outcome, r = play(notify(**options))
    assert outcome.rc == 2
    assert r is None
    assert words in outcome.stdout.replace('\\"', '"')
    assert not (ansible_env.home / "state.db").exists()


def test_channels_file(play, listen, tmp_path):
    receiver = listen()
    place = tmp_path / "channels"
    place.write_text(f"# ours\n{receiver.url}/{TOKEN}#ops\n", encoding="utf-8")
    assert play(notify(title="t"), env={"VIGIL_CHANNELS_FILE": str(place)})[1]["delivered"] == 1
    place.write_text(f"- {{name: ops, url: '{receiver.url}/{TOKEN}', min_severity: error}}\n", encoding="utf-8")
    assert play(notify(title="t"), env={"VIGIL_CHANNELS_FILE": str(place)})[1]["delivered"] == 0
    outcome, _r = play(notify(title="t"), env={"VIGIL_CHANNELS_FILE": "/none/channels"})
    assert "The channels file /none/channels cannot be read: no such file or directory." in outcome.stdout


def test_history_of_a_store_that_is_not_there(play):
    outcome, r = play(history(kind="results"))
    assert outcome.rc == 0, outcome.output
    assert r["entries"] == []
    assert "There is no state file" in outcome.output
    outcome, _r = play(history(since="soon"))
    assert outcome.rc == 2
    assert "since is 'soon'; write how long ago, such as 12h or 7d, or a time" in outcome.stdout


def test_secrets_are_nowhere(play, listen, ansible_env, receivers):
    """Every channel fails in its way at the highest verbosity; the task itself has no_log, as its options are shown by Ansible."""
    secrets = [KEY, TOKEN, "url-password-88", "header-value-88"]
    refusing, dead = listen(403).url, f"127.0.0.1:{receivers.dead_port()}"
    channels = "\n".join(
        [
            f"http://me:url-password-88@127.0.0.1:{receivers.dead_port()}/{TOKEN}#a",
            f"{listen(403).url}/{TOKEN}#b",
            f"{listen('drip').url}/{TOKEN}#c",
            f"https://127.0.0.1:{listen().port}/{TOKEN}#d",
            f"http://no-such-host.invalid/{TOKEN}#e",
            f"wecom://{KEY}?endpoint={listen(lambda _path, _body: (200, {}, KEY.encode())).url}#f",
            f"wecom://{KEY}?endpoint={listen(receivers.Robot('x')).url}#g",
            f"dingtalk://{KEY}?secret={TOKEN}&endpoint={refusing}#i",
            f"feishu://{KEY}?secret={TOKEN}&endpoint={refusing}#j",
            f"slack://T1/B1/{TOKEN}?endpoint={refusing}#k",
            f"slack://{KEY}@C1?endpoint={refusing}#l",
            f"teams://flow.example.com/workflows/{KEY}?sig={TOKEN}&endpoint={refusing}#m",
            f"discord://1234/{TOKEN}?endpoint={refusing}#n",
            f"pagerduty://{KEY}?endpoint={refusing}#o",
            f"alertmanager://me:{TOKEN}@{dead}#p",
            f"cloudevents+{refusing}/{TOKEN}#q",
            f"smtp://me:{TOKEN}@{dead}?to=a@example.com#r",
            f"smtps://me:{TOKEN}@127.0.0.1:{listen().port}?to=a@example.com#s",
            f"amqp://me:{TOKEN}@{dead}/?queue=q#t",
            f"amqps://me:{TOKEN}@127.0.0.1:{listen().port}/?queue=q#u",
            f"kafka://me:{TOKEN}@{dead}/topic#v",
            f"syslog+tls://{dead}#w",
            f"apprise+json://me:{TOKEN}@{dead}/{KEY}#x",
        ]
    )
    place = ansible_env.home / "channels"
    place.write_text(channels, encoding="utf-8")
    task = notify(event={"check": "a", "message": f"the key is {KEY}"}, deadline="2s")
    more = notify(channels=[{"name": "h", "url": listen(500).url, "headers": {"X-Key": "header-value-88"}}], title="t", deadline="1s")
    outcome, r = play(task, dict(more, no_log=True), history(kind="outbox"), args=["-vvvvv"],
                      env={"VIGIL_CHANNELS_FILE": str(place), "ANSIBLE_DEBUG": "1", "ANSIBLE_LOG_PATH": str(ansible_env.home / "log")})  # fmt: skip
    assert outcome.rc == 0, outcome.output[-2000:]
    shown = outcome.output.replace(f"the key is {KEY}", "")  # the user's own words in the task
    kept = json.dumps(r) + "".join(path.read_bytes().decode("latin-1") for path in ansible_env.home.glob("state.db*"))
    for secret in secrets:
        assert secret not in kept
        assert secret not in shown
    assert stat.S_IMODE((ansible_env.home / "state.db").stat().st_mode) == 0o600


@pytest.mark.parametrize("word", ["status", "message", "events"])
def test_an_ordinary_word_in_the_path_of_a_channel(play, listen, word):
    receiver = listen()
    event = {"check": "disk", "message": "disk full", "severity": "critical"}
    outcome, r = play(notify(event=event), env={"VIGIL_CHANNELS": f"{receiver.url}/{word}"})
    assert outcome.rc == 0, outcome.output
    assert (r["events"][0]["status"], r["events"][0]["severity"], r["events"][0]["message"]) == ("firing", "critical", "disk full")
    assert (receiver.bodies[0]["severity"], receiver.bodies[0]["check"]) == ("critical", "disk")
    assert r["channels"][0]["channel"] == f"{receiver.url}/********"


def test_what_could_not_be_told_is_a_warning(play, listen, ansible_env, receivers):
    dead = f"http://127.0.0.1:{receivers.dead_port()}"
    event = [{"check": name, "message": "m"} for name in "ab"]
    task = notify(channels=[f"{dead}/{TOKEN}", f"{listen(404).url}/{TOKEN}"], event=event, deadline="2s")
    outcome, _r = play(dict(task, no_log=True))
    assert outcome.rc == 0, outcome.output
    said = " ".join(outcome.output.split())
    assert f"2 messages for {dead}/******** could not be sent yet: " in said
    assert "state.db and go out with the next run" in said
    assert "were refused: the receiver refuses it (HTTP 404). See vigil.ops.history_info with kind dead." in said


def test_check_mode_with_a_damaged_store(play, listen, ansible_env):
    (ansible_env.home / "state.db").write_bytes(b"no database at all" * 1000)
    outcome, r = play(notify(channels=[listen().url], event={"check": "a", "message": "b"}), args=["--check"])
    assert outcome.rc == 0, outcome.output
    assert r["channels"][0]["status"] == "would tell"
    assert "The next run that writes there sets it aside" in " ".join(outcome.output.split())
    assert [path.name for path in ansible_env.home.glob("state.db*")] == ["state.db"]


def test_channels_as_a_text_or_a_mapping(play, listen):
    one, two = listen(), listen()
    for given in (
        f"{one.url}/a {two.url}/b",
        f"{one.url}/a\n{two.url}/b\n",
        json.dumps([{"url": f"{one.url}/a"}, f"{two.url}/b"]),
        f"- {one.url}/a\n- url: {two.url}/b\n",
    ):
        outcome, r = play(notify(channels="{{ survey }}", title="t"), args=["-e", json.dumps({"survey": given})])
        assert (outcome.rc, r["delivered"]) == (0, 2), outcome.output
    for given in ({"url": f"{one.url}/a", "name": "ops"}, "{{ survey }}"):
        survey = json.dumps({"survey": " " + json.dumps({"url": f"{one.url}/a", "name": "ops"})})
        outcome, r = play(notify(channels=given, title="t"), args=["-e", survey])
        assert r["channels"][0]["channel"] == f"ops ({one.url}/********)", outcome.output
    outcome, _r = play(notify(channels=5, title="t"))
    assert "channels must be a list of URLs and mappings, or a text with URLs, not int." in outcome.stdout
