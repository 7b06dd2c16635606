# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's part of notify, which is all of it: the channels' secrets never leave the controller."""

from __future__ import annotations

import os
import time
import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event, EventError, from_input
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.policy import read_run
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.rules import PolicyError, Run
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Channel
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.url import parse_all
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.secrets import mask
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import parse_duration
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import dead, elsewhere, gone, outcomes
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import notify as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import StateAway, StateError, StateMissing, open_store
from ansible_collections.vigil.ops.plugins.modules.notify import ARGUMENT_SPEC, MUTUALLY_EXCLUSIVE, REQUIRED_BY, REQUIRED_ONE_OF
from ansible_collections.vigil.ops.plugins.plugin_utils import _channels, _origin, _policy, _scope
from ansible_collections.vigil.ops.plugins.plugin_utils._arguments import Refused, store_url, validated
from ansible_collections.vigil.ops.plugins.plugin_utils._joined import joined

display = Display()


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        task_vars = task_vars or {}
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        del tmp
        try:
            args = _validated(self._task.args)
            results = args["results"]
            channels = _read_channels(args)
            seconds = _seconds(args)
            rules = _rules(args, channels, task_vars)
            batch = _batch(args, results, str(task_vars.get("inventory_hostname", "")), _source(args["scope"], task_vars))
            wanted = _dead(args)
            told = self._tell(args, channels, batch, seconds, rules, wanted)
        except (Refused, PolicyError) as exc:
            result.update(failed=True, changed=False, msg=str(exc))
            return result
        except (TypeError, ValueError, KeyError, AttributeError) as exc:
            if self._task.args.get("results") is None:
                raise
            modules = "vigil.ops.inspect, dns_diff, log_scan, service_guard or backup"
            sentence = f"results cannot be read ({type(exc).__name__}): give what {modules} returned, by host."
            result.update(failed=True, changed=False, msg=sentence)
            return result
        secrets = flow.secrets_of(channels)
        for notice in told.pop("notices"):
            display.warning(mask(notice, secrets))
        # the events are without secrets already; their keys and words must stay
        told["channels"] = [dict(channel, message=mask(channel["message"], secrets)) for channel in told["channels"]]
        result.update(told, changed=told["delivered"] > 0)
        return result

    def _tell(
        self,
        args: dict[str, t.Any],
        channels: list[Channel],
        batch: flow.Batch,
        seconds: float,
        rules: flow.Rules,
        wanted: dead.Wanted | None,
    ) -> dict[str, t.Any]:
        url = store_url(args["state_url"])
        try:
            if self._task.check_mode:
                found = flow.preview(url, channels, batch, time.time, rules)
                return dict(found, dead=_look(url, wanted)) if wanted is not None else found
            store = open_store(url)
        except StateAway as exc:
            return _untold(exc, channels, batch)
        except StateError as exc:
            raise Refused(f"state_url: {exc}") from exc
        try:
            letters = store.run(lambda unit: dead.act(unit, wanted)) if wanted is not None else None
            told = flow.tell(store, channels, batch, seconds, rules=rules)
            return told if letters is None else dict(told, dead=letters)
        except StateError as exc:
            return _untold(exc, channels, batch)
        finally:
            store.close()


def _untold(exc: StateError, channels: list[Channel], batch: flow.Batch) -> dict[str, t.Any]:
    """Not being able to tell never fails a play."""
    lost = len(batch.events) + len(batch.messages) + sum(outcomes.count(one[1]) for one in batch.dns)
    notice = f"Nothing could be kept for the channels: {exc}"
    none = {"delivered": 0, "queued": 0, "collected": 0, "channels": [], "events": [], "muted": []}
    return dict(none, dropped=lost * len(channels), notices=[notice])


def _validated(given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    has_results = given.get("results") is not None
    rules = {
        "mutually_exclusive": MUTUALLY_EXCLUSIVE,
        "required_by": REQUIRED_BY,
        "required_one_of": None if has_results else REQUIRED_ONE_OF,
    }
    args = validated(given, ARGUMENT_SPEC, ["results"], **rules)
    if not has_results and not any(args[key] for key in ("event", "title", "heartbeat", "flush", "dead")):
        raise Refused("There is nothing to tell: give event, title, results, heartbeat, flush or dead.")
    return args


def _read_channels(args: dict[str, t.Any]) -> list[Channel]:
    try:
        given = _listed(args["channels"]) if args["channels"] is not None else _channels.from_environment()
    except _channels.ChannelsError as exc:
        raise Refused(str(exc)) from exc
    channels, errors = parse_all(given)
    if errors:
        raise Refused(errors[0])
    if not channels:
        raise Refused("There is no channel to tell: give the option channels, or set VIGIL_CHANNELS or VIGIL_CHANNELS_FILE.")
    for channel in channels:
        channel.language = args["language"] or channel.language
        for path in (channel.ca, channel.client_cert, channel.template):
            if path and not os.access(path, os.R_OK):
                raise Refused(f"The channel {channel.masked} names the file {path}, which cannot be read.")
    return channels


def _listed(given: t.Any) -> list[t.Any]:
    """The option channels as a list: of a list, a single mapping, or a text as VIGIL_CHANNELS has it."""
    if isinstance(given, str):
        return _channels.split(f"[{given}]" if given.lstrip().startswith("{") else given)
    if isinstance(given, t.Mapping):
        return [given]
    if isinstance(given, (list, tuple)):
        return list(given)
    raise Refused(f"channels must be a list of URLs and mappings, or a text with URLs, not {type(given).__name__}.")


def _rules(args: dict[str, t.Any], channels: list[Channel], variables: t.Mapping[str, t.Any]) -> flow.Rules:
    policy = _policy.from_environment(args["alerts"], channels)
    groups = variables.get("groups")
    return flow.Rules(policy, groups if isinstance(groups, t.Mapping) else {}, _origin.notes(), _origin.trace_id())


def _dead(args: dict[str, t.Any]) -> dead.Wanted | None:
    """What is to be done with refused messages."""
    if args["dead_only"] is not None and args["dead"] is None:
        raise Refused("dead_only says which refused messages are meant: give dead (list, replay or purge) as well.")
    try:
        return dead.read_wanted(args["dead"], args["dead_only"], time.time()) if args["dead"] else None
    except ValueError as exc:
        raise Refused(str(exc)) from exc


def _look(url: str, wanted: dead.Wanted) -> dict[str, t.Any]:
    """What would be done."""
    try:
        with open_store(url, read_only=True) as store, store.view() as unit:
            return dead.act(unit, wanted, dry=True)
    except StateMissing:
        return {"action": wanted.action, "number": 0, "over": 0, "letters": []}


def _runs(args: dict[str, t.Any]) -> list[Run]:
    given = args["heartbeat"]
    every = given if isinstance(given, list) else [given] if given is not None else []
    return [read_run("heartbeat", one) for one in every]


def _seconds(args: dict[str, t.Any]) -> float:
    try:
        return parse_duration(args["deadline"])
    except ValueError as exc:
        raise Refused(f"deadline: {exc}.") from exc


def _source(scope: str | None, variables: t.Mapping[str, t.Any]) -> str | None:
    """The source of alerts of the list of checks that the task names."""
    if not scope:
        return None
    return gone.source_of(_scope.of_run(variables) if scope == "auto" else f"named:{scope}")


def _batch(args: dict[str, t.Any], results: t.Any, host: str, source: str | None) -> flow.Batch:
    now = time.time()
    service = args["service"] or "vigil"
    events: list[Event] = []
    messages: list[Event] = []
    dns: list[tuple[str, t.Mapping[str, t.Any], str, float]] = []
    listed = None
    given = args["event"]
    try:
        for item in given if isinstance(given, list) else [given] if given is not None else []:
            events.append(from_input(item, now, instance=host, service=service))
        if args["title"]:
            own = {"check": args["title"], "message": args["body"] or args["title"], "status": args["status"], "severity": args["severity"]}
            messages.append(from_input(own, now, instance=host, service=service))
    except EventError as exc:
        raise Refused(str(exc)) from exc
    if results is None and source:
        raise Refused("scope names the checks that results are of: give results as well.")
    if results is not None:
        if not isinstance(results, dict):
            raise Refused(
                "results must be a mapping of host names and what vigil.ops.inspect, dns_diff, log_scan, service_guard or backup returned there,"
                f" not {type(results).__name__}."
            )
        every = [(str(host), one) for host, given in results.items() for one in outcomes.unfolded(given)]
        dns = [(host, one, service, now) for host, one in every if outcomes.is_outcome(one)]
        told = {host for host, _one, _service, _now in dns}
        checked = {str(host): joined(one) for host, one in results.items() if str(host) not in told}
        events += flow.events_of_results(checked, service, now, elsewhere.failing(store_url(args["state_url"]), checked))
        if source:
            listed = gone.Listed(source, _scope.RUN, flow.prints_of_results(checked, service))
    return flow.Batch(events, messages, source or f"notify:{service}", dns, listed, _runs(args), looks=True)
