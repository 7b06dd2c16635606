# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be said of messages that are not told after sending."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state import marks, outbox, owner

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Channel
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.delivery import Report
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import Store, Unit

WAITING = 7 * 86400.0
_DAY = 86400.0


def _orphaned(key: str, number: int) -> str:
    return f'{_messages(number)} for the channel "{key}" stay{"s" if number == 1 else ""} queued: it is not among the channels given here.'


def _messages(number: int) -> str:
    return f"{number} message{'' if number == 1 else 's'}"


def name_of(channel: Channel) -> str:
    return channel.masked if not channel.name else f"{channel.name} ({channel.masked})"


def left_over(store: Store, channels: t.Sequence[Channel], reports: t.Mapping[str, Report]) -> list[str]:
    """Sentences on what is not told after sending: for these channels, and what waits for channels that are not among them.

    The latter is said once a day; what waited for WAITING seconds while nobody served its channel is given up.

    :arg reports: by the key of the channel, of those that something was sent for
    :raises StateError: the store cannot be used
    """
    with store.view() as unit:
        pending, others = outbox.pending(unit), outbox.elsewhere(unit, owner.this_process())
    left = {key: number - others.get(key, 0) for key, number in pending.items()}
    sentences = [line for channel in channels for line in _unsent(channel, left.get(channel.key, 0), reports.get(channel.key), store.path)]
    strange = {key: number for key, number in left.items() if number > 0 and key not in {channel.key for channel in channels}}
    return sentences + (store.run(lambda unit: _strange(unit, strange)) if strange else [])


def _unsent(channel: Channel, queued: int, report: Report | None, path: str) -> list[str]:
    why = f": {report.message}" if report is not None and report.message else ""
    sentences = []
    if queued:
        they = "It stays" if queued == 1 else "They stay"
        go = "goes" if queued == 1 else "go"
        sentences.append(
            f"{_messages(queued)} for {name_of(channel)} could not be sent yet{why}."
            f" {they} in {path} and {go} out with the next run, or with vigil.ops.notify and flush."
        )
    if report is not None and report.dead:
        was = "was" if report.dead == 1 else "were"
        sentences.append(f"{_messages(report.dead)} for {name_of(channel)} {was} refused{why}. See vigil.ops.history_info with kind dead.")
    return sentences


def _strange(unit: Unit, pending: t.Mapping[str, int]) -> list[str]:
    """What is to be said of channels that messages wait for and that are not served here."""
    sentences = []
    for key, number in sorted(pending.items()):
        given_up = outbox.expire(unit, key, unit.now - WAITING)
        if given_up:
            sentences.append(
                f'{_messages(given_up)} for the channel "{key}" waited for a week in which nobody served it, and will not be sent any more.'
                " See vigil.ops.history_info with kind dead."
            )
        server = outbox.server(unit, key)
        if server and not server.startswith(owner.this_process()) and owner.is_alive(server):
            continue  # another process has the channel, such as the callback of this very run
        said = marks.get(unit, "orphans", key)
        if number > given_up and not (isinstance(said, (int, float)) and abs(unit.now - said) < _DAY):
            marks.put(unit, "orphans", key, unit.now)
            sentences.append(_orphaned(key, number - given_up))
    return sentences
