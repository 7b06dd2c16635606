# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The use case behind dns_diff: what has changed, as a result of bounded size."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import servers as addresses
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import zone as zones
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.diff import Change, bounded, texts
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import dns_previous, dns_sources
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.dns_asker import Asker, Failure
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.dns_judge import STATS
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.dns_request import Refusal, Request, read
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import rfc3339

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import Store

__all__ = ["Refusal", "Request", "dns_diff", "read"]

Result = t.Dict[str, t.Any]


def dns_diff(request: Request, store: t.Optional[Store] = None, check_mode: bool = False) -> Result:
    """Compare, and keep what is to be kept.

    :arg store: for against: previous; None where there is none yet and none may be made (check mode)
    :return: changed, changes, failures, stats, truncated, batch, against, view, diff
    :raises Refusal: something could not be read or fetched, one sentence
    :raises StateError: the store cannot be used
    """
    begin, left_out = time.monotonic(), 0
    records = _zone_records(request)
    if not request.questions:
        raise Refusal(f"the zone {request.zone} has no record of these types")
    asker = Asker(request)
    stats: t.Dict[str, t.Any] = dict.fromkeys(STATS, 0)
    if request.against == "previous":
        found = dns_previous.compare(request, asker, store, check_mode)
        stats.update(found.judge.stats, returned_again=found.returned)
        # a mass stands for very many, so it is the last one to be left out
        changes, failures, batch = [*found.mass, *found.again, *found.changes], found.judge.failures, found.batch
        left_out = found.returned - len(found.again)
    else:
        compared = _compared(request, asker, records)
        changes, failures, batch = compared.changes, compared.failures, ""
        now = rfc3339(time.time())
        for one in changes:
            one.update(time=now, id=None)
        stats.update(unchanged=compared.unchanged, unconfirmed=compared.unconfirmed, changed=len(changes), failed=len(failures))
    stats.update(_measured(request, asker, time.monotonic() - begin))
    return _result(request, changes, failures, stats, batch, left_out)


def _zone_records(request: Request) -> zones.Records:
    if not request.zone:
        return {}
    try:
        return dns_sources.zone_questions(request, dns_sources.fetch(request))
    except zones.ZoneError as exc:
        raise Refusal(str(exc)) from exc


def _compared(request: Request, asker: Asker, records: zones.Records) -> dns_sources.Compared:
    if request.against == "expected":
        return dns_sources.against_expected(request, asker)
    if request.against == "nameservers":
        return dns_sources.against_nameservers(request, asker)
    if not request.zone_file:
        # the servers that hand the zone out are what is compared with
        try:
            request.servers = request.reference or addresses.system()
        except ValueError as exc:
            raise Refusal(f"reference: {exc}") from exc
    elif request.reference:
        request.servers = request.reference
    return dns_sources.against_zone(request, asker, records)


def _measured(request: Request, asker: Asker, seconds: float) -> t.Dict[str, t.Any]:
    return {
        "names": len({question.name for question in request.questions}),
        "queries": asker.queries,
        "seconds": round(seconds, 3),
        "qps": round(asker.queries / asker.seconds) if asker.seconds else 0,
    }


def _result(
    request: Request, changes: t.List[Change], failures: t.List[Failure], stats: t.Dict[str, t.Any], batch: str, left_out: int
) -> Result:
    most = request.max_results
    shown, failed = [bounded(one) for one in changes[:most]], sorted(failures, key=lambda one: (one["name"], one["type"]))[:most]
    sides = texts(shown)
    header = f"DNS {request.against}" + (f" ({request.view})" if request.view else "")
    return {
        "changed": bool(changes or left_out),
        "changes": shown,
        "failures": failed,
        "stats": stats,
        "truncated": len(changes) + left_out > most or len(failures) > most,
        "batch": batch,
        "against": request.against,
        "view": request.view,
        "diff": dict(sides, before_header=header, after_header="DNS now"),
    }
