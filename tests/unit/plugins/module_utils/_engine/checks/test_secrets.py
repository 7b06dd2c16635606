# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.secrets import mask, secrets_of


def test_secrets_are_found_where_options_hold_them():
    options = {
        "url": "https://joe:hunter22@host/?token=tok3n-value&page=long",
        "headers": {"Authorization": "Bearer abcdefgh", "Accept": "text/html", "X-Api-Key": "k3y-value"},
        "nested": [{"password": "s3cr3t!"}],
        "keyword": "harmless",
    }
    assert secrets_of(options) == {"hunter22", "tok3n-value", "Bearer abcdefgh", "abcdefgh", "k3y-value", "s3cr3t!"}


def test_masking_goes_into_all_values_but_no_key_and_changes_nothing_in_place():
    value = {"a secret1 b": ["secret1", {"x": "secret12"}, 5, None]}
    assert mask(value, {"secret1", "secret12", "x"}) == {"a secret1 b": ["********", {"x": "********"}, 5, None]}
    assert value == {"a secret1 b": ["secret1", {"x": "secret12"}, 5, None]}


def test_short_values_do_not_tear_text_apart():
    assert secrets_of({"password": "a"}) == set()


def test_secrets_of_commands_and_bodies():
    options = {
        "argv": ["psql", "--password=s3cret-1", "--token", "s3cret-2", "sh", "-c", "PGPASSWORD=s3cret-3; echo fine"],
        "body": '{"user": "joe", "password": "s3cret-4"}',
        "form": "password=s3cret-5&user=joe",
        "expect": "== Bearer s3cret-6",
        "headers": {"X-Vault": "s3cret-7"},
        "send": "AUTH s3cret-8\r\nUSER joe\r\nPASS s3cret-9\r\na1 LOGIN joe s3cret-10\r\nAUTH PLAIN s3cret-11",
        "note": "the AUTH of joe is fine",
    }
    assert {f"s3cret-{number}" for number in range(1, 12)} <= secrets_of(options)
    assert not {"joe", "psql", "fine", "echo"} & secrets_of(options)


@pytest.mark.parametrize(
    "text",
    [
        "PASS hunter22",
        "AUTH hunter22",
        "a1 LOGIN joe hunter22",
        "redis://:hunter22@cache:6379",
        "sig=hunter22",
        "https://host/?apikey=hunter22",
        "Basic hunter22",
        "bearer hunter22",
        "PGPASSWORD=hunter22",
        "credentials: hunter22",
    ],
)
def test_each_alone_is_seen(text):
    """The quick look must not pass over what the dear one would find."""
    assert "hunter22" in secrets_of({"send": text})
