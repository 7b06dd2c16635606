# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every kind of channel fails in every way at the highest verbosity, and no secret of it is in any output, result, log or store."""

from __future__ import annotations

import json

import pytest

# Each kind with secrets of its own; {place} is host:port of a receiver, {url} the same with http://.
KINDS = {
    "dingtalk": ("dingtalk://TOKEN-ding-61c0?secret=SEC-ding-77ab02&endpoint={url}", ["TOKEN-ding-61c0", "SEC-ding-77ab02"]),
    "feishu": ("feishu://hook-feishu-5b1e?secret=sign-feishu-90c4&endpoint={url}", ["hook-feishu-5b1e", "sign-feishu-90c4"]),
    "slack": ("slack://T0A1B2C3D/B0A1B2C3D/xoxslack77token?endpoint={url}", ["xoxslack77token", "B0A1B2C3D"]),
    "discord": ("discord://123456789012345678/discord-token-42ab?endpoint={url}", ["discord-token-42ab"]),
    "pagerduty": ("pagerduty://R0UT1NGKEY77abcdef?endpoint={url}", ["R0UT1NGKEY77abcdef"]),
    "alertmanager": ("alertmanager://me:am-password-31@{place}", ["am-password-31"]),
    "wecom": ("wecom://robot-key-3c9f12?endpoint={url}", ["robot-key-3c9f12"]),
    "cloudevents": ("cloudevents+{url}/ce-token-8b21f0?sig=ce-sign-77fe1", ["ce-token-8b21f0", "ce-sign-77fe1"]),
    "webhook": ("http://me:web-password-5a@{place}/web-token-9d0c1e", ["web-password-5a", "web-token-9d0c1e"]),
    "smtp": ("smtp://me:smtp-password-6f@{place}?to=a@example.com", ["smtp-password-6f"]),
    "apprise": ("apprise+json://me:appr-password-8d@{place}/appr-token-2c77e0", ["appr-password-8d", "appr-token-2c77e0"]),
    "amqp": ("amqp://me:amqp-password-7e@{place}/?queue=alerts", ["amqp-password-7e"]),
}


@pytest.fixture
def answers(listen, receivers):
    """Ways to fail, by name -> host:port. The worst receivers say back all that they were told, URL and body, with and without success."""

    def echo(status):
        return listen(lambda path, body: (status, {}, path.encode() + b" " + body)).url

    return {
        "refused": f"http://127.0.0.1:{receivers.dead_port()}",
        "denied": echo(403),
        "broken": echo(500),
        "strange": echo(200),
        "elsewhere": listen(lambda path, _body: (302, {"Location": f"http://127.0.0.1:1{path}"}, b"")).url,
        "silent": listen("silent").url,
    }


def test_no_secret_is_shown_or_kept(run_playbook, ansible_env, answers):
    channels, secrets = [], []
    for name, (form, own) in KINDS.items():
        channels += [form.format(url=url, place=url.split("//")[1]) + f"#{name}-{way}" for way, url in answers.items()]
        secrets += own
    place = ansible_env.home / "channels"
    place.write_text("\n".join(channels), encoding="utf-8")
    place.chmod(0o600)
    environment = {
        "VIGIL_CHANNELS_FILE": str(place),
        "ANSIBLE_DEBUG": "1",
        "ANSIBLE_LOG_PATH": str(ansible_env.home / "log"),
        "ANSIBLE_CALLBACKS_ENABLED": "vigil.ops.webhook",
        "VIGIL_DEADLINE": "5s",
    }
    event = {"check": "a", "message": "it is down"}
    plays = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "tasks": [
                {"vigil.ops.notify": {"event": event, "deadline": "5s", "dead": "list"}, "register": "r"},
                {"ansible.builtin.copy": {"content": "{{ r | to_json }}", "dest": f"{ansible_env.home}/registered.json"}},
                {"ansible.builtin.fail": {"msg": "it is broken"}},
            ],
        }
    ]
    outcome = run_playbook(plays, "-vvvvv", env=environment)
    assert outcome.rc == 2, outcome.output[-2000:]
    found = json.loads((ansible_env.home / "registered.json").read_text(encoding="utf-8"))
    assert len(found["channels"]) == len(channels)
    assert {one["channel"].split(" ")[0].split("-")[1] for one in found["channels"] if one["delivered"]} == {"strange"}
    everything = outcome.output + json.dumps(found) + (ansible_env.home / "log").read_text(encoding="utf-8")
    everything += "".join(path.read_bytes().decode("latin-1") for path in ansible_env.home.glob("state.db*"))
    assert [secret for secret in secrets if secret in everything] == []
