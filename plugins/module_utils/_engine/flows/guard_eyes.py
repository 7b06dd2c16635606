# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a guard looks: at units, at the checks of services, at what a service needs, and at how full disks are."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, ProbeFailure
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.secrets import mask
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.spec import Check
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.guard_request import Guard
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.inspect import check_secrets, read_checks
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.guard import Limits, Look, Memory, Obstacle
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.root_cause import trace_causes
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.runner import Runner
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import registry
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._looks import start_guard

Run = t.Callable[..., t.Tuple[int, str, str]]
Results = t.List[t.Dict[str, t.Any]]
LONGEST = 60.0  # seconds for all checks of one look
# Bytes; a file system with less must be 95 % full besides, as small ones are never roomier.
LEAST_FREE = 8 * 1024 * 1024
_NEARLY = 95.0
LOOP = "restart_loop"
_LOOP_AGE = 10.0  # seconds; what has run for longer is not in a loop at the moment
_BOOT = "/proc/sys/kernel/random/boot_id"


@dataclasses.dataclass
class Seen:
    """What one look saw of a service.

    :ivar unit: what the service probe observes; None where systemd could not be asked, ``blind`` says why
    :ivar results: of the guard's checks
    """

    unit: t.Optional[t.Dict[str, t.Any]]
    unit_reason: str = ""
    unit_sentence: str = ""
    blind: str = ""
    results: Results = dataclasses.field(default_factory=list)
    has_checks: bool = False

    @property
    def bad(self) -> Results:
        """The results that are critical."""
        return [result for result in self.results if result["status"] == "critical"]

    @property
    def is_active(self) -> bool:
        """Whether systemd says that it runs."""
        return bool(self.unit and self.unit["active"])

    @property
    def wrong(self) -> int:
        """How much is wrong: failed checks, and the unit where it does not run, or was restarted by systemd a moment ago and may end again."""
        is_down = self.unit is not None and (not self.is_active or bool(self.unit.get("restarts") and _age(self) < _LOOP_AGE))
        return len(self.bad) + is_down

    def well(self) -> t.Optional[bool]:
        """None where that cannot be told."""
        if not self.has_checks:
            return None if self.unit is None else self.is_active
        if self.bad:
            return False
        left = [result for result in self.results if result["reason"] != "check_mode"]
        return True if left and all(result["status"] in ("ok", "warning") for result in left) else None

    def why(self) -> t.Tuple[str, str]:
        """(word, sentence) of what is wrong."""
        if not self.has_checks:
            return (self.unit_reason, self.unit_sentence) if self.unit is not None else ("unseen", self.blind)
        bad = self.bad or [result for result in self.results if result["status"] not in ("ok", "warning")]
        if not bad:
            return "", ""
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        return str(bad[0]["reason"] or bad[0]["status"]), f"{bad[0]['name']}: {bad[0]['summary']}{more}"


class Eyes:
    """Looks, with programs run by ``run``."""

    def __init__(self, run: t.Optional[Run], check_mode: bool) -> None:
        self._run = run
        self._check_mode = check_mode
        start_guard()  # it forks, so before any thread
        self.boot = _boot()

    def look(self, guards: t.Sequence[Guard], seconds: float = LONGEST) -> t.List[Seen]:
        """One look at several services at once."""
        found = self._units([guard.unit for guard in guards])
        results = self._results([guard.checks for guard in guards], seconds)
        for seen, guard, own in zip(found, guards, results):
            seen.results, seen.has_checks = own, bool(guard.checks)
        return found

    def _units(self, units: t.List[str]) -> t.List[Seen]:
        probe = registry.load("service")
        context = Context(self._run, self._check_mode, time.monotonic() + LONGEST)
        try:
            probe.gather([{"name": unit} for unit in units], context)
        except CannotSee as exc:
            return [Seen(None, blind=exc.sentence) for _unit in units]
        return [_seen(probe, unit, context) for unit in units]

    def _results(self, groups: t.Sequence[t.List[Check]], seconds: float = LONGEST) -> t.List[Results]:
        """The results of the checks of each group, without secrets; all run at once."""
        every = [check for group in groups for check in group]
        if not every:
            return [[] for _group in groups]
        context = Context(self._run, self._check_mode, time.monotonic() + seconds)
        flat = Runner(every, registry.load, context, 64, {}).run()
        secrets = check_secrets(every)
        found = []
        for group in groups:
            own, flat = flat[: len(group)], flat[len(group) :]
            trace_causes(group, own)
            found.append([dict(result, summary=mask(result["summary"], secrets)) for result in own])
        return found

    def obstacle(self, guard: Guard, seen: Seen) -> t.Optional[Obstacle]:
        """Why a restart would not help, as far as that can be seen from here."""
        found = _manager(guard, seen)
        if found is not None:
            return found
        disks = _disk_checks(guard.paths)
        needs, full = self._results([guard.needs, disks])
        for result in needs:
            if result["status"] == "critical":
                return Obstacle("dependency", f"{result['name']} fails, which it needs ({result['summary']})", result["name"])
        nameless = [result for result in seen.bad if result["reason"] == "dns" and result["probe"] != "dns"]
        if nameless and nameless == seen.bad and (seen.unit is None or seen.is_active):
            return Obstacle("dependency", "that does not bring name servers back; a check by address needs none", "dns")
        for check, result in zip(disks, full):
            sentence = _is_full(str(check.options["path"]), check.probe, result["metrics"])
            if sentence:
                return Obstacle("disk", sentence)
        return None


def _seen(probe: t.Any, unit: str, context: Context) -> Seen:
    try:
        return Seen(probe.observe({"name": unit}, context))
    except ProbeFailure as exc:
        return Seen(exc.observed, exc.reason, exc.sentence)
    except CannotSee as exc:
        return Seen(None, blind=exc.sentence)


def _manager(guard: Guard, seen: Seen) -> t.Optional[Obstacle]:
    if seen.unit is None:
        return None if guard.restart_command else Obstacle("manager", f"{seen.blind}; give restart_command")
    if seen.unit["load"] == "masked":
        return Obstacle("masked", f"somebody masked {guard.unit} on purpose; systemctl unmask {guard.unit} lifts that")
    if seen.unit["load"] == "not-found" and not guard.restart_command:
        return Obstacle("missing", f"install {guard.unit}, or correct its name")
    if seen.unit["load"] in ("error", "bad-setting"):
        return Obstacle("missing", f"systemd cannot read {guard.unit}; systemctl status {guard.unit} says why")
    return None


def _disk_checks(paths: t.Sequence[str]) -> t.List[Check]:
    return read_checks([{"name": f"{probe} {path}", probe: {"path": path}, "expect": {}} for path in paths for probe in ("disk", "inode")])


def _is_full(path: str, probe: str, metrics: t.Mapping[str, t.Any]) -> str:
    """A sentence when nothing can be written there; a path that is not there has no figures and says nothing."""
    if probe == "inode":
        return f"no inode is free at {path}" if metrics.get("total") and metrics.get("free") == 0 else ""
    if metrics.get("free_bytes") is None or not metrics.get("total_bytes"):
        return ""
    is_full = metrics["free_bytes"] < LEAST_FREE and metrics["used_percent"] >= _NEARLY
    return f"the disk at {path} is full ({metrics['free_bytes'] // 1024} KiB free)" if is_full else ""


def look_of(guard: Guard, seen: Seen, memory: Memory, obstacle: t.Optional[Obstacle], boot: str, now: float) -> Look:
    """What the judgement needs, of what was seen and what is remembered."""
    limits = guard.limits
    reason, sentence = seen.why()
    well = seen.well()
    loops = _loops(seen, memory)
    if may_loop(guard, seen) and (loops >= max(limits.failures, 2) or memory.loops):
        well, reason = False, LOOP
        sentence = f"{guard.unit} ends again and again, systemd has restarted it {seen.unit and seen.unit['restarts']} times"
    return Look(well, reason, sentence, obstacle, well is False and _is_fresh(seen, memory, limits, loops, now), boot)


def may_loop(guard: Guard, seen: Seen) -> bool:
    """Whether systemd has restarted the unit and it does not run for long since: it may end again in a moment."""
    restarts = (seen.unit or {}).get("restarts")
    return bool(seen.is_active and not seen.has_checks and restarts and _age(seen) < max(guard.limits.grace, _LOOP_AGE))


def _loops(seen: Seen, memory: Memory) -> int:
    """How often systemd restarted the unit by itself since the last look, or so lately that it shows; it counts anew after a restart by hand."""
    count = (seen.unit or {}).get("restarts")
    if count is None or (memory.counter is None and not (seen.unit or {}).get("looping")):
        return 0
    if memory.counter is None:
        return int(count)
    return int(count - memory.counter if count >= memory.counter else count)


def _age(seen: Seen) -> float:
    seconds = (seen.unit or {}).get("active_seconds")
    return float("inf") if seconds is None else float(seconds)


def _is_fresh(seen: Seen, memory: Memory, limits: Limits, loops: int, now: float) -> bool:
    """Whether it was started so lately that it may not be ready yet. What systemd restarts again and again is not."""
    if seen.unit is None or loops or memory.loops or (memory.counter is None and seen.unit.get("restarts")):
        return False
    if seen.unit["state"] == "activating" and seen.unit["sub"] != "auto-restart":
        return now - (now if memory.since is None else memory.since) < limits.grace
    return seen.is_active and _age(seen) < limits.grace


def _boot() -> str:
    try:
        with open(_BOOT, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
