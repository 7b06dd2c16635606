# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's part of inspect: refuse bad checks before a host is touched, add baselines, keep the history, hide secrets."""

from __future__ import annotations

import os
import time
import typing as t

import yaml  # type: ignore[import-untyped]
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest, type_name
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.spec import Check, SpecError, parents_abroad
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import parse_duration
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import inspect as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection import fleet
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import registry
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import (
    StateAway,
    StateError,
    StateMissing,
    Store,
    default_url,
    open_store,
)
from ansible_collections.vigil.ops.plugins.modules.inspect import ARGUMENT_SPEC
from ansible_collections.vigil.ops.plugins.plugin_utils import _checks_from, _light, _piped
from ansible_collections.vigil.ops.plugins.plugin_utils._arguments import Refused, hide, validated
from ansible_collections.vigil.ops.plugins.plugin_utils._plain import plain

display = Display()
_MOST_WARNINGS = 10

# This file is loaded before the workers are forked: what they would each load on first use is loaded here once for all.
registry.specs()
_light.prepare("inspect")


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        task_vars = task_vars or {}
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        del tmp
        self._sources = _checks_from.Reader(lambda name: self._find_needle("files", name), self._loader.load_from_file)
        try:
            checks, args = self._read(validated(self._task.args, ARGUMENT_SPEC, aside=["checks", "baselines", "checks_from"]), task_vars)
            store = _open_history(args["history_url"], bool(self._task.check_mode))
        except Refused as exc:
            result.update(failed=True, refused=True, changed=False, msg=str(exc))
            return result
        if self._sources.left_out:
            result["left_out"] = self._sources.left_out
            _warn_of(self._sources.left_out)
        if args["only_validate"]:
            if store:
                store.close()
            result.update(changed=False)
            return result
        host = str(task_vars.get("inventory_hostname", "localhost"))
        if store:
            args["baselines"] = flow.learned_baselines(store, host, checks, args["baselines"])
            args["held"] = dict(args["held"], **flow.broken_limits(store, host, checks))
            args["last_look"] = flow.last_look(store, host, checks, args["last_look"])
            store.rest()
            args["history_url"] = None  # it is of no use to the host, and may hold a password
        outcome = self._look(args, task_vars, store, host, checks)
        result.update(flow.hide(outcome, flow.check_secrets(checks)))
        return result

    def _configure_module(self, module_name: str, module_args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> t.Any:
        built = super()._configure_module(module_name=module_name, module_args=module_args, task_vars=task_vars)
        lighter = _light.lightened(built, "inspect", module_args) if module_name == "vigil.ops.inspect" else built
        hide(module_args)
        return lighter

    def _look(
        self, args: dict[str, t.Any], task_vars: dict[str, t.Any], store: Store | None, host: str, checks: list[Check]
    ) -> dict[str, t.Any]:
        try:
            outcome: dict[str, t.Any] = _piped.execute(self, "vigil.ops.inspect", args, task_vars)
        except AnsibleConnectionFailure:
            self._keep(store, host, {"unreachable": True}, checks)
            raise
        self._keep(store, host, outcome, checks)
        return outcome

    def _read(self, args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> tuple[list[Check], dict[str, t.Any]]:
        own, more = self._checks_of_variables(args["variable"], task_vars) if args["variable"] else (None, [])
        raw = args["checks"] if own is None else own
        try:
            if isinstance(raw, list):
                raw = raw + more + self._sources.read(args["checks_from"] or [])
            checks = flow.read_checks(raw)
        except SpecError as exc:
            raise Refused(str(exc)) from exc
        _find_parents(checks, task_vars)
        if not _are_baselines(args["baselines"]):
            raise Refused("baselines must be a mapping of checks, then expressions, then low, high and n, which are numbers")
        try:
            timeout = parse_duration(args["timeout"])
        except ValueError as exc:
            raise Refused(f"timeout: {exc}") from exc
        if timeout <= 0:
            raise Refused(f"timeout is {args['timeout']}; it must be more than 0")
        if args["concurrency"] < 1:
            raise Refused(f"concurrency is {args['concurrency']}; it must be 1 or more")
        return checks, dict(args, checks=raw, checks_from=None, variable=None, timeout=f"{timeout:g}")

    def _checks_of_variables(self, name: str, task_vars: dict[str, t.Any]) -> tuple[list[t.Any] | None, list[t.Any]]:
        """The checks of the variable (None where it is not set) and those of all that begin with its name; each is tried by itself."""
        own: list[t.Any] | None = None
        more: list[t.Any] = []
        for key in sorted(key for key in task_vars if key == name or (key.startswith(f"{name}_") and key != f"{name}_from")):
            checks = self._checks_of_variable(key, task_vars[key])
            try:
                flow.read_checks([dict(check, depends_on=[]) if isinstance(check, dict) else check for check in checks])
            except SpecError as exc:
                raise Refused(f"{key}: {exc}") from exc
            if key == name:
                own = checks if checks or task_vars[key] == [] else None
            else:
                more += checks
        return own, more

    def _checks_of_variable(self, key: str, value: t.Any) -> list[t.Any]:
        try:
            value = plain(self._templar.template(value))
        except AnsibleError as exc:
            raise Refused(f"{key} cannot be read: {' '.join(str(exc).split())}") from exc
        if isinstance(value, str):
            try:
                value = yaml.safe_load(value)
            except yaml.YAMLError as exc:
                raise Refused(f"{key} is text that is not YAML: {' '.join(str(exc).split())[:200]}") from exc
        if value is None:
            return []
        if not isinstance(value, list):
            raise Refused(f"{key} must be a list of checks, as every variable of that name and beginning, not {type_name(value)}")
        return value

    def _keep(self, store: Store | None, host: str, outcome: dict[str, t.Any], checks: list[Check]) -> None:
        """What was seen is not lost for want of a place to keep it: a store that fails now is a warning."""
        if store is None:
            return
        try:
            kept = flow.keep(store, host, outcome, time.time(), checks, dry=bool(self._task.check_mode))
            if "results" in outcome:
                outcome["results"] = kept
        except StateError as exc:
            display.warning(f"The results of {host} were not kept: {exc}")
        finally:
            store.close()


def _warn_of(left_out: list[str]) -> None:
    for sentence in left_out[:_MOST_WARNINGS]:
        display.warning(f"Not taken over from goss: {sentence}")
    if len(left_out) > _MOST_WARNINGS:
        display.warning(f"Not taken over from goss: {len(left_out) - _MOST_WARNINGS} more, see left_out")


def _find_parents(checks: list[Check], task_vars: dict[str, t.Any]) -> None:
    """Refuse parents on hosts that are not in the inventory: a name that was mistyped would never fail."""
    hosts = (task_vars.get("groups") or {}).get("all") or ()
    for check, parent in parents_abroad(checks):
        if fleet.split(parent, hosts) is None:
            near = nearest(parent, [one.name for one in checks] + [f"{host}:{parent.partition(':')[2]}" for host in hosts])
            where = "is neither there nor begins with a host of the inventory"
            raise Refused(f'check "{check.name}": depends_on names "{parent}", which {where}{near}')


def _are_baselines(value: t.Any) -> bool:
    """{check: {expression: {low, high, n}}}"""
    of_checks = list(value.values()) if isinstance(value, dict) else [None]
    of_paths = [bounds for paths in of_checks for bounds in (paths.values() if isinstance(paths, dict) else [None])]
    return all(isinstance(bounds, dict) and all(_is_bound(bounds.get(key)) for key in ("low", "high", "n")) for bounds in of_paths)


def _is_bound(value: t.Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _open_history(url: str | None, check_mode: bool) -> Store | None:
    """The store on the controller; in check mode it is only read, and none is made."""
    url = url or os.environ.get("VIGIL_STATE_URL")
    if not url:
        return None
    try:
        store = open_store(default_url() if url == "default" else url, read_only=check_mode)
    except StateMissing:
        return None
    except StateAway as exc:
        display.warning(f"history_url: {exc} This look is not compared with others, and not kept.")
        return None
    except StateError as exc:
        raise Refused(f"history_url: {exc}") from exc
    for notice in store.notices:
        display.warning(notice)
    return store
