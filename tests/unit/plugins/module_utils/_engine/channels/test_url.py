# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Channels as users write them; no error text shows more than scheme and host."""

from __future__ import annotations

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import registry
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import ChannelError
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.url import parse, parse_all

SECRET = "s3cr3t-T0KEN"


@pytest.mark.parametrize(
    ("given", "key", "masked"),
    [
        ("https://hooks.example.com/services/T000/B000/" + SECRET, "https:hooks.example.com:443", "https://hooks.example.com/********"),
        ("http://[::1]:8080/?token=" + SECRET, "http:::1:8080", "http://[::1]:8080/********"),
        ("https://hooks.example.com", "https:hooks.example.com:443", "https://hooks.example.com"),
        ("https://me:" + SECRET + "@hooks.example.com/", "https:hooks.example.com:443", "https://hooks.example.com"),
        ("wecom://" + SECRET, "wecom:qyapi.weixin.qq.com:443", "wecom://********"),
        ("wecom://" + SECRET + "?endpoint=http://127.0.0.1:9#ops", "ops", "wecom://********"),
        ("file:///var/log/ev%20ents.jsonl", "file:/var/log/ev ents.jsonl", "file:///var/log/ev ents.jsonl"),
        ({"name": "ops", "url": "https://x/" + SECRET}, "ops", "https://x/********"),
    ],
)
def test_good_channels(given, key, masked):
    channel = parse(given)
    channel.bind("salt")
    assert (channel.key.split("#")[0], channel.masked) == (key, masked)
    assert SECRET not in channel.key
    assert SECRET not in repr(channel)
    if SECRET in str(given):
        assert SECRET not in channel.hide(f"the key {SECRET} of {given}")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", "needs a url"),
        (7, "a URL or a mapping with one, not int"),
        (None, "not NoneType"),
        ({"name": "x"}, "needs a url"),
        ({"url": "https://x/" + SECRET, "min_severty": "error"}, 'no key "min_severty"; did you mean "min_severity"?'),
        (
            {"url": "https://x/" + SECRET, "min_severity": "eror"},
            'min_severity of the channel https://x/******** is "eror"; did you mean "error"?',
        ),
        ({"url": "https://x/" + SECRET, "timeout": "soon"}, "timeout of the channel https://x/\\*"),
        ({"url": "https://x/" + SECRET, "headers": {"A b": SECRET}}, "headers of the channel"),
        ({"url": "https://x/" + SECRET, "headers": {"A": SECRET + "\r\nB: c"}}, "line break"),
        ({"url": "https://x/" + SECRET, "headers": SECRET}, "must be a mapping"),
        ({"url": "https://x/" + SECRET, "name": " "}, "name of the channel https://x/.* is empty"),
        (SECRET, "is not a URL"),
        ("https//x/" + SECRET, "is not a URL"),
        ("htps://x/" + SECRET, 'unknown scheme "htps"; did you mean "http'),
        ("https://x:port/" + SECRET, "host or port is not valid"),
        ("https://[x/" + SECRET, "host or port is not valid"),
        ("https:///" + SECRET, "names no host"),
        ("https://x/a b" + SECRET, "white space"),
        ("dingtalk://" + SECRET + "/more", "needs the robot's token"),
        ("dingtalk://" + SECRET + "?type=mrkdown", 'is "mrkdown"; did you mean "markdown"?'),
        ("https://x/?" + SECRET + "#a b", "white space"),
        ("wecom://" + SECRET + "/more", "robot's key and nothing else"),
        ("wecom://?x=" + SECRET, "robot's key"),
        ("wecom://" + SECRET + "?endpont=http://x", 'no parameter "endpont"; did you mean "endpoint"?'),
        ("wecom://" + SECRET + "?endpoint=ftp://x", "must be like http://127.0.0.1:9999"),
        ("wecom://" + SECRET + "?language=fr", "language of the channel"),
        ("file://relative/" + SECRET, "absolute path"),
        ("file:///", "absolute path"),
    ],
)
def test_bad_channels(given, words):
    with pytest.raises(
        ChannelError, match=words.replace("********", "\\*+").replace("?", "\\?") if "\\*" not in words else words
    ) as caught:
        parse(given)
    assert SECRET not in str(caught.value)
    assert str(caught.value).endswith((".", "?"))


@pytest.mark.parametrize("scheme", [scheme for scheme in registry.SCHEMES if scheme != "file"])
@pytest.mark.parametrize(
    "rest", [f"me:{SECRET},x", f"me:{SECRET},x:y/z", "h:1,i:x?queue=q", "\ud800", "h/\ud800", "h?secret=%ud800\ud800", "me:\ud800x@h/"]
)
def test_whatever_is_written_is_read_or_refused_with_one_sentence(scheme, rest):
    channels, errors = parse_all([f"{scheme}://{rest}", {"url": "https://h/", "secret": "\ud800"}, "https://good.example.com/x"])
    assert [channel.masked for channel in channels][-1] == "https://good.example.com/********"
    assert errors and len(channels) + len(errors) == 3
    assert not any(SECRET[:5] in sentence or "\n" in sentence for sentence in errors)


def test_all_and_their_errors():
    channels, errors = parse_all(
        ["https://a/1", "htp://x", "https://a/2", "https://a/1", {"name": "n", "url": "https://b"}, {"name": "n", "url": "https://c"}]
    )
    assert [(channel.origin[1], channel.path, channel.name) for channel in channels] == [("a", "/1", ""), ("a", "/2", ""), ("b", "/", "n")]
    assert len(errors) == 2
    assert 'Two channels are named "n"' in errors[1]


def key_of(given, salt="salt"):
    channel = parse(given)
    channel.bind(salt)
    return channel.key


def test_a_name_outlives_a_changed_secret_and_without_one_robots_are_told_apart():
    assert key_of("wecom://OLD-KEY-1#ops") == key_of("wecom://NEW-KEY-2#ops") == "ops"
    assert key_of("wecom://ROOM-KEY-1") == key_of("wecom://ROOM-KEY-1") != key_of("wecom://ROOM-KEY-2")
    assert key_of("https://h/hook/one") != key_of("https://h/hook/two")
    assert key_of({"url": "https://h/", "headers": {"Authorization": "Bearer one-1"}}) != key_of("https://h/")


@pytest.mark.parametrize("rest", [f"tgram://{SECRET}/123", f"json://me:{SECRET}@h.example.com/x", f"json://127.0.0.1:8080/{SECRET}"])
def test_a_key_of_what_apprise_alone_can_read_holds_nothing_of_it(rest):
    channel = parse(f"apprise+{rest}")
    assert SECRET not in key_of(f"apprise+{rest}")
    assert SECRET not in channel.hide(rest)
    assert channel.hide("h.example.com and 127.0.0.1 are down") == "h.example.com and 127.0.0.1 are down"
    assert key_of(f"apprise+{rest}") != key_of(f"apprise+{rest}x")


def test_a_key_says_nothing_outside_of_its_store():
    assert key_of("wecom://ROOM-KEY-1", "one") != key_of("wecom://ROOM-KEY-1", "two")


@pytest.mark.parametrize(
    ("given", "secrets"),
    [
        ("http://h/status", set()),
        ("http://h/hooks/firing/critical/message", set()),
        ("http://h/alert-receiver", set()),
        ("http://h/hooks/a1b2c3d4e5f6", {"a1b2c3d4e5f6"}),
        ("http://h/hooks/onlyletterswithoutend", {"onlyletterswithoutend"}),
        ("http://h/a?token=letmein&name=status&state=critical", {"letmein"}),
        ("http://h/a?token=let%20me%20in", {"let%20me%20in", "let me in"}),
        ("http://me:pass%40word@h/", {"pass%40word", "pass@word", "bWU6cGFzc0B3b3Jk"}),
        ("wecom://status?endpoint=http://127.0.0.1:9999", {"status"}),
        ({"url": "http://h/", "headers": {"X-Api-Key": "letmein", "X-Team": "storage"}}, {"letmein"}),
        ({"url": "http://h/", "headers": {"Authorization": "Bearer letmein"}}, {"Bearer letmein", "letmein"}),
        ({"url": "http://h/", "headers": {"X-Team": "a1b2c3d4e5f6"}}, {"a1b2c3d4e5f6"}),
    ],
)
def test_what_is_a_secret(given, secrets):
    assert parse(given).secrets == secrets


@pytest.mark.parametrize(("one", "other"), [("critical", "warning"), ("warning", "critical")])
def test_the_same_channel_twice_is_told_what_either_is(one, other):
    channels, errors = parse_all([{"url": "https://h/a", "min_severity": one}, {"url": "https://h/a", "min_severity": other}])
    assert ([channel.min_severity for channel in channels], errors) == (["warning"], [])


def test_a_file_must_be_a_plain_one(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "events.jsonl")
    for name, words in (("link", "is a symbolic link; give the path of the file itself"), ("", "is a directory; give the path of a file")):
        with pytest.raises(ChannelError, match=words):
            parse(f"file://{tmp_path / name}")
