# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Questions sent many at a time, with and without the help of the kernel: every one is asked and answered, whatever their lengths."""

from __future__ import annotations

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import lane, servers, sweep, wire

A = 1


def asked(server, count, length=1):
    """The fingerprints of the answers to `count` questions, whose names have up to `length` lengths."""
    questions = [wire.question(f"{'x' * (number % length)}{number:06d}.example.test", A) for number in range(count)]
    done = sweep.sweep(questions, [servers.parse(server.address)], sweep.Limits(timeout=10.0))
    assert done.same == 0 and sorted(odd.index for odd in done.odd) == list(range(count))
    return questions, {odd.index: wire.fingerprint(odd.packet, 12 + len(questions[odd.index].tail)) for odd in done.odd}, done.stats


@pytest.fixture
def server(nsd):
    return nsd({"example.test": "".join(f"{'x' * (number % 7)}{number:06d} A 192.0.2.{number % 250}\n" for number in range(3000))})


@pytest.mark.parametrize("segments", [1, 2, 64, 250], ids=["one by one", "pairs", "usual", "more than the kernel takes"])
def test_every_question_is_asked_however_many_go_at_once(server, monkeypatch, segments):
    monkeypatch.setattr(lane, "SEGMENTS", segments)
    questions, found, stats = asked(server, 3000, 7)
    assert all(found[number].endswith(bytes((192, 0, 2, number % 250))) for number in range(3000))
    assert stats["rejected"] <= stats["resent"]  # a busy machine answers twice, the second time when the id stands for another name
    again = sweep.sweep(questions, [servers.parse(server.address)], sweep.Limits(timeout=10.0), known=[found[at] for at in range(3000)])
    assert again.same == 3000 and not again.odd


def test_a_kernel_without_the_option_is_asked_one_by_one(server, monkeypatch):
    monkeypatch.setattr(lane, "_UDP_SEGMENT", 9999)
    port = lane.Port(servers.parse(server.address))
    port.socket.close()
    assert port.most == 1
    assert len(asked(server, 300)[1]) == 300


def test_where_nobody_listens_every_question_is_told_so(server):
    server.stop()
    questions = [wire.question(f"{number:06d}.example.test", A) for number in range(500)]
    done = sweep.sweep(questions, [servers.parse(server.address)], sweep.Limits(timeout=10.0))
    assert sorted(odd.index for odd in done.odd) == list(range(500))
    assert {odd.status for odd in done.odd} == {"network"}
