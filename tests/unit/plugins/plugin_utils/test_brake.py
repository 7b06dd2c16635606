# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The brake is shared by the main process and its workers, which are forks."""

from __future__ import annotations

import os

import pytest
from ansible_collections.vigil.ops.plugins.plugin_utils import _brake


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(_brake, "_memory", None)


def in_worker(work):
    pid = os.fork()
    if not pid:
        try:
            work()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def test_what_a_worker_pulls_is_seen_by_all():
    _brake.prepare()
    assert _brake.pulled() == ""
    in_worker(lambda: _brake.pull("web1: the restart made it worse: ä"))
    in_worker(lambda: _brake.pull("web2: another"))
    assert _brake.pulled() == "web1: the restart made it worse: ä"


def test_a_very_long_reason_is_cut():
    _brake.prepare()
    _brake.pull("ä" * 10000)
    assert 1000 < len(_brake.pulled()) < _brake.SIZE


def test_without_memory_it_is_never_pulled():
    _brake.pull("x")
    assert _brake.pulled() == ""
