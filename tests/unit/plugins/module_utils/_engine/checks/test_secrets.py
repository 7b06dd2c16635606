# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.secrets import mask, mask_url, secrets_of


def test_urls_show_no_user_and_no_token():
    url = "https://joe:pa%40ss@host/x?page=2&access_token=T0PSECRET&key=K3Y;sig=abc"
    assert mask_url(url) == "https://********@host/x?page=2&access_token=********&key=********;sig=********"
    assert mask_url("https://host/x?page=2") == "https://host/x?page=2"


def test_secrets_are_found_where_options_hold_them():
    options = {
        "url": "https://joe:hunter22@host/?token=tok3n-value&page=long",
        "headers": {"Authorization": "Bearer abcdefgh", "Accept": "text/html", "X-Api-Key": "k3y-value"},
        "nested": [{"password": "s3cr3t!"}],
        "keyword": "harmless",
    }
    assert secrets_of(options) == {"hunter22", "tok3n-value", "Bearer abcdefgh", "abcdefgh", "k3y-value", "s3cr3t!"}


def test_masking_goes_everywhere_and_changes_nothing_in_place():
    value = {"a secret1 b": ["secret1", {"x": "secret12"}, 5, None]}
    assert mask(value, {"secret1", "secret12"}) == {"a ******** b": ["********", {"x": "********"}, 5, None]}
    assert value == {"a secret1 b": ["secret1", {"x": "secret12"}, 5, None]}


def test_short_values_do_not_tear_text_apart():
    assert secrets_of({"password": "a"}) == set()
