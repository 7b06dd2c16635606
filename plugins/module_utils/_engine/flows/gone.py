# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Alerts whose check is gone: it was taken out of a host's list or renamed, so no result will ever resolve them.

That can only be known where the whole list of a host was seen, and where the same list is meant: a playbook with two lists for one host
would otherwise resolve with each what the other has found.
"""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event, fingerprint, print_of_result
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.lifecycle import SHARED
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import episodes, marks
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import rfc3339
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import Unit

MESSAGE = "the check is gone from the checks of this host"
_SPACE = "lists"
_SHARED_FOR = 30 * 86400.0
_FORGOTTEN_AFTER = 90 * 86400.0


class Listed(t.NamedTuple):
    """The alerts that the checks of some hosts could have, as {host: fingerprints}.

    ``source`` names the list, and is the source of the alerts; ``run`` names the run of Ansible.
    """

    source: str
    run: str
    hosts: t.Mapping[str, t.Collection[str]]


def source_of(scope: str) -> str:
    """The source of alerts of a list with this name."""
    return SHARED + hashlib.sha256(scope.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def prints_of(host: str, outcome: t.Any, service: str, own: t.Iterable[str]) -> set[str] | None:
    """The alerts that the checks of an outcome of ``vigil.ops.inspect`` could have; None where it does not show all checks.

    :arg own: the checks that stand for the host itself
    """
    whole = isinstance(outcome, t.Mapping) and "score" in outcome and not outcome.get("partial")
    results = outcome.get("results") if whole else None
    if not isinstance(results, (list, tuple)) or not all(isinstance(one, t.Mapping) and one.get("name") for one in results):
        return None
    return {print_of_result(one, service, host) for one in results} | {fingerprint(service, host, check, {}) for check in own}


def events(unit: Unit, listed: Listed, dry: bool = False) -> list[Event]:
    """Resolved events for the open alerts of the source whose check is not listed any more on a host whose checks are known."""
    if not dry:
        marks.forget(unit, _SPACE, unit.now - _FORGOTTEN_AFTER)
    certain = {host for host, prints in listed.hosts.items() if not _is_shared(unit, listed, host, prints, dry)}
    return [
        dict(episode.event, status="resolved", message=MESSAGE, timestamp=rfc3339(unit.now))
        for episode in episodes.open_from(unit, listed.source)
        if episode.instance in certain and episode.fingerprint not in listed.hosts[episode.instance]
    ]


def _is_shared(unit: Unit, listed: Listed, host: str, prints: t.Collection[str], dry: bool) -> bool:
    """Whether several lists of the host go under this one source: one run has told two different ones, now or within a month."""
    key = f"{listed.source}/{host}"
    known = marks.get(unit, _SPACE, key, {})
    digest = hashlib.sha256("".join(sorted(prints)).encode()).hexdigest()[:32]
    shared = known.get("shared")
    if known.get("run") == listed.run and known.get("list") != digest:
        shared = unit.now
    if not dry:
        marks.put(unit, _SPACE, key, {"run": listed.run, "list": digest, "shared": shared})
    return shared is not None and abs(unit.now - shared) < _SHARED_FOR
