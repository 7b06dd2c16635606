# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Channels as people write them into variables and files."""

from __future__ import annotations

import os

import pytest
from ansible_collections.vigil.ops.plugins.plugin_utils import _channels, _pipes

ONE, TWO = "https://one.example/x#ops", "https://two.example/y"


@pytest.mark.parametrize(
    "text",
    [
        f"{ONE} {TWO}",
        f"\ufeff{ONE}\n\n# more\n{TWO}   # the second\n",
        f"---\n- {ONE}\n- {TWO}\n",
        f"# ours\n\n---\n# list\n- {ONE}  # the first\n- {TWO}\n",
        f"\ufeff# ours\n-\n  {ONE}\n- {TWO}\n",
        f'---\n["{ONE}", "{TWO}"]',
        f"---\n{ONE}\n{TWO}\n...\n",
    ],
)
def test_split(text, tmp_path):
    assert _channels.split(text) == [ONE, TWO]
    place = tmp_path / "channels"
    place.write_text(text, encoding="utf-8")
    assert _channels.read_file(str(place)) == [ONE, TWO]


def test_a_list_that_cannot_be_read():
    with pytest.raises(_channels.ChannelsError, match="not valid YAML"):
        _channels.split("[a, b")


def test_gather_names_each_bad_one_and_goes_on():
    def broken():
        raise _channels.ChannelsError("broken.")

    places = [
        ("VIGIL_CHANNELS", broken),
        ("F", lambda: [ONE, "htps://x", {"name": "b", "url": "htps://x"}, ONE, 5, {"url": TWO, "language": "zh"}]),
    ]
    channels, sentences = _channels.gather(places, {"language": "en", "min_severity": "error"})
    assert [(channel.origin[1], channel.language, channel.min_severity) for channel in channels] == [
        ("one.example", "en", "error"),
        ("two.example", "zh", "error"),
    ]
    assert sentences[0] == "broken."
    assert [sentence.partition(":")[0] for sentence in sentences[1:]] == [
        "channel 2 of 6 in F",
        'channel 3 of 6 in F ("b")',
        "channel 5 of 6 in F",
    ]


def test_a_pipe_is_read_and_one_that_nobody_writes_to_is_not_waited_for(tmp_path, monkeypatch):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setattr(_pipes, "_PIPE_SECONDS", 0.2)
    with pytest.raises(_channels.ChannelsError, match="cannot be read: nothing comes out of it"):
        _channels.read_file(str(pipe))
    ends = os.pipe()
    os.write(ends[1], f"{ONE}\n{TWO}\n".encode())
    os.close(ends[1])
    assert _channels.read_file(f"/dev/fd/{ends[0]}") == [ONE, TWO]
    os.close(ends[0])


def test_choices_are_sentences_and_blanks_are_nothing():
    assert _channels.choices("events", ["", " ", "stats"], ["stats", "changes"], ["changes"]) == (["stats"], [])
    _good, bad = _channels.choices("events", ["xyz"], ["stats", "changes"], ["changes"])
    assert bad == ['events names "xyz"; known are changes, stats. It is left out.']
    assert _channels.choice("language", "", ["en", "zh"], "en") == ("en", "")
    assert _channels.choice("language", "de", ["en", "zh"], "en")[1] == 'language is "de"; known are en, zh. The default, en, is used.'
