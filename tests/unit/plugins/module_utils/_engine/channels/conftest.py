# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Receivers and stores for the tests of this room."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store

_PLACE = Path(__file__).resolve().parents[5] / "receivers.py"
_SPEC = importlib.util.spec_from_file_location("vigil_receivers", _PLACE)
receivers = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(receivers)


@pytest.fixture(name="receivers")
def _receivers():
    return receivers


@pytest.fixture
def listen():
    """`listen(mode, tls)` starts a Receiver that is closed after the test."""
    started = []

    def start(*args, **options):
        started.append(receivers.Receiver(*args, **options))
        return started[-1]

    yield start
    for receiver in started:
        receiver.close()


@pytest.fixture
def store(tmp_path):
    with open_store(str(tmp_path / "state.db")) as store:
        yield store
