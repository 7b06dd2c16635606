# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The use case behind the module inspect: look at one host, once."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import LEARNING, Result, check_key, count, overall
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.secrets import mask, secrets_of
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.spec import Check, parse_checks
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection import shares
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.root_cause import trace_causes
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.score import coverage, score
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import registry
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.errors import StateError

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.judge import Baselines
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import Store

FAIL_ON = {"never": (), "warning": ("warning", "unknown", "critical"), "critical": ("critical",)}


def read_checks(raw: t.Any) -> list[Check]:
    """The checks of a list as the user wrote it.

    :raises SpecError: one sentence
    """
    return parse_checks(raw, registry.spec, registry.PROBES)


def inspect(
    checks: list[Check],
    run: t.Callable[..., tuple[int, str, str]] | None = None,
    check_mode: bool = False,
    concurrency: int = 64,
    timeout: float = 60.0,
    baselines: t.Mapping[str, Baselines] | None = None,
    held: t.Mapping[str, t.Any] | None = None,
    last_look: t.Mapping[str, t.Any] | None = None,
) -> dict[str, t.Any]:
    """Run the checks and judge them.

    :arg run: runs a program: (argv, timeout) -> (rc, out, err)
    :arg timeout: seconds for everything together; what has not ended by then is unknown
    :arg baselines: {check key: {expression: {low, high, n}}}
    :arg held: {check key: {expect, warn: [expressions]}}, the limits that were broken in the last run and hold again only by a margin
    :arg last_look: {probe: what it left in the last run}, from which rates are computed without waiting; None where nothing is kept
    :return: {results, summary, score, coverage, status, root_causes}; no secret of the checks is in it; with ``last_look``, also what is to
        be given for it next time
    """
    if held:
        from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.hysteresis import tighten

        tighten(checks, held)
    left: dict[str, t.Any] | None = None if last_look is None else {}
    context = Context(run, check_mode, time.monotonic() + timeout, past=last_look, left=left)
    results = shares.run(checks, registry.load, context, concurrency, baselines or {})
    causes = trace_causes(checks, results)
    summary = count(results)
    numbers = {"score": score(results), "coverage": coverage(results)}
    outcome = {"results": results, "summary": summary, **numbers, "status": overall(summary), "root_causes": causes}
    if left is not None:
        outcome["last_look"] = dict(left)
    return hide(outcome, check_secrets(checks))


def hide(outcome: dict[str, t.Any], secrets: t.Collection[str]) -> dict[str, t.Any]:
    """A copy of what a run returned without the secrets: they can only be in texts, so names, statuses and numbers stay as they are."""
    hidden = dict(outcome)
    if not secrets:
        return hidden
    for key in ("msg", "module_stdout", "module_stderr", "exception", "invocation"):
        if key in hidden:
            hidden[key] = mask(hidden[key], secrets)
    for key in ("results", "root_causes"):
        if isinstance(hidden.get(key), list):
            hidden[key] = [_hide_item(item, secrets) for item in hidden[key]]
    return hidden


def _hide_item(item: dict[str, t.Any], secrets: t.Collection[str]) -> dict[str, t.Any]:
    texts: dict[str, t.Any] = {key: mask(item[key], secrets) for key in ("summary", "observed", "annotations") if key in item}
    if item.get("failed"):
        texts["failed"] = [
            dict(entry, expected=mask(entry["expected"], secrets), observed=mask(entry["observed"], secrets)) for entry in item["failed"]
        ]
    return dict(item, **texts)


def check_secrets(checks: t.Iterable[Check]) -> set[str]:
    """What must not be shown: the secrets in the options of the checks."""
    found: set[str] = set()
    texts: set[str] = set()
    judged = None
    for check in checks:
        declared = check.spec.options
        for name, value in check.options.items():
            option = declared[name]
            if value is not option.default and value.__class__ is not int:  # what most of them are
                found |= secrets_of({"secret" if option.secret else name: value})
        if check.annotations:
            found |= secrets_of(check.annotations)
        if check.judged is not judged:  # many checks in a row expect the same
            judged = check.judged
            texts.update(matcher.text for _path, matcher in check.expect + check.warn)
    for text in texts:
        found |= secrets_of(text)
    return found


def learned_baselines(
    store: Store, host: str, checks: t.Iterable[Check], given: t.Mapping[str, Baselines] | None = None
) -> dict[str, Baselines]:
    """The baselines that the checks ask for, and how fast disks fill, from the history of the host.

    :arg given: baselines that hold where nothing is learned yet
    """
    from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.baselines import learned, merged

    return t.cast("dict[str, Baselines]", merged(given or {}, learned(store, host, checks)))


def broken_limits(store: Store, host: str, checks: t.Iterable[Check]) -> dict[str, t.Any]:
    """Which limits of checks with a hysteresis were broken when they were last looked at, as ``inspect`` takes them."""
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state import results as history

    wanted = {check.key for check in checks if check.hysteresis is not None}
    if not wanted:
        return {}
    with store.view() as unit:
        known = history.memories(unit, host)
    return {key: known[key]["failed"] for key in wanted & set(known) if isinstance(known[key], dict) and known[key].get("failed")}


def last_look(store: Store, host: str, checks: t.Iterable[Check], given: t.Mapping[str, t.Any] | None = None) -> dict[str, t.Any]:
    """What the probes of the checks left in the last run, as ``inspect`` takes it.

    :arg given: what holds where nothing is kept yet
    """
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state import last_looks

    wanted = {check.probe for check in checks} & set(registry.REMEMBERING)
    try:
        with store.view() as unit:
            return dict(given or {}, **last_looks.recall(unit, host, sorted(wanted)))
    except StateError:
        return dict(given or {})  # rates can be had without; that the store fails is said when the results are kept


def keep(store: Store, host: str, outcome: dict[str, t.Any], now: float, checks: t.Iterable[Check], dry: bool = False) -> list[Result]:
    """Store what was seen and return the results with ``since``, ``was`` and what stands by the history; ``dry`` stores nothing.

    What probes left for the next run is taken out of the outcome.
    """
    from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.confirm import settle
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state import last_looks
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state import results as history

    known = {check.key: check for check in checks}
    found = outcome.pop("last_look", None)
    left = {probe: found[probe] for probe in registry.REMEMBERING if probe in found} if isinstance(found, dict) else {}

    def follow(result: Result, memory: t.Any) -> t.Any:
        check = known.get(check_key(str(result["name"]), result.get("labels")))
        return settle(check, result, memory if isinstance(memory, dict) else None) if check else None

    with store.view() if dry else store.unit() as unit:
        if not dry:
            last_looks.remember(unit, host, left)
        return history.record(unit, host, outcome, now, follow, dry)


def fails(outcome: t.Mapping[str, t.Any], fail_on: str) -> str | None:
    """A sentence when the outcome is as bad as ``fail_on`` names, else None. What is still learning is no fault of the host."""
    bad = [result for result in outcome["results"] if result["status"] in FAIL_ON[fail_on] and result["reason"] != LEARNING]
    if not bad:
        return None
    worst = min(bad, key=lambda result: ("critical", "unknown", "warning").index(result["status"]))
    more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    return f"{worst['name']} is {worst['status']}: {worst['summary']}{more}"
