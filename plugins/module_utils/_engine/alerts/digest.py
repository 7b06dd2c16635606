# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One message for many hosts with the same finding: counts, the first hosts by name, and what was found."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event

LEAST = 3  # so many hosts with the same finding are told as one
NAMES = 8  # hosts of a finding that are named


class Finding(t.NamedTuple):
    """An event, or one that stands for several of as many hosts."""

    event: Event
    number: int
    of: t.Tuple[Event, ...] = ()


def findings(events: t.Sequence[Event], such_as: str, others: str) -> list[Finding]:
    """The events, those of one check with one severity and state as one where they are of LEAST hosts or more; in the order of the first of each.

    An event whose words are somebody's own (``_title``, ``_text``) stays by itself, as nothing is known of what they say.

    :arg such_as: ``such as {host}: {message}``, for messages that differ
    :arg others: ``and {count} more`` hosts
    """
    groups: dict[t.Any, list[Event]] = {}
    for number, event in enumerate(events):
        own = number if "_title" in event or "_text" in event or not event["instance"] else ""
        groups.setdefault((own, event["status"], event["severity"], event["service"], event["check"]), []).append(event)
    found: list[Finding] = []
    for group in groups.values():
        hosts = list(dict.fromkeys(event["instance"] for event in group))
        if len(hosts) < LEAST or len(hosts) < len(group):
            found += [Finding(event, 1, (event,)) for event in group]
        else:
            found.append(Finding(_joined(group, hosts, such_as, others), len(group), tuple(group)))
    return found


def _joined(group: t.Sequence[Event], hosts: t.Sequence[str], such_as: str, others: str) -> Event:
    first, rest = group[0], len(hosts) - NAMES
    names = ", ".join(hosts[:NAMES]) + (f" {others.format(count=rest)}" if rest > 0 else "")
    same = all(event["message"] == first["message"] for event in group)
    message = first["message"] if same else such_as.format(host=hosts[0], message=first["message"])
    return dict(
        first,
        instance=names,
        message=message,
        starts_at=min(event["starts_at"] for event in group),
        ends_at=None,
        duration_seconds=None,
        count=1,
        labels=_common(group, "labels"),
        annotations=_common(group, "annotations"),
    )


def _common(group: t.Sequence[Event], key: str) -> dict[str, str]:
    return {name: value for name, value in group[0][key].items() if all(event[key].get(name) == value for event in group)}
