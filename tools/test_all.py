# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make test`: every leg that CI runs, two at a time, then a table.

LEGS='lint unit-newest' runs only these. A leg for which this machine lacks a Python or a program is `missing`, and one that had to take an older
ansible-core than it is meant for is `partly`: neither counts as a passed leg.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path
from xml.etree import ElementTree

import system_packages
from workbench import CACHE, REQUIREMENTS, ROOT, RUN_LINES, Failed, Missing, alone, find_python, say, shown, venv_with

LOGS, RESULTS = CACHE / "logs", CACHE / "results"
NOX = ROOT / ".nox"
TAIL = 150  # lines of a failed leg that are shown; all of it is in the log

# the long ones first, so that two workers end at about the same time
LEGS = (
    "sanity-newest",
    "sanity-lowest",
    "integration-newest",
    "integration-lowest",
    "lab",
    "unit-newest",
    "unit-engine",
    "unit-lowest",
    "build-import-check",
    "ansible-lint",
    "typing",
    "docs-check",
    "codeqa",
    "formatters",
    "yamllint",
    "license-check",
    "extra-checks",
    "changelog",
)
GROUPS = {
    "lint": (
        "typing",
        "codeqa",
        "formatters",
        "yamllint",
        "license-check",
        "extra-checks",
        "changelog",
        "docs-check",
        "ansible-lint",
        "build-import-check",
    ),
    "unit": ("unit-newest", "unit-lowest", "unit-engine"),
    "sanity": ("sanity-newest", "sanity-lowest"),
    "integration": ("integration-newest", "integration-lowest"),
}
MINUTES = {"long": 240, "bench": 60}
USUAL_MINUTES = 35


@dataclasses.dataclass
class Outcome:
    leg: str
    state: str  # passed, failed, partly (passed, but not on what it is meant for), missing
    seconds: float
    passed: int
    failed: int
    skipped: int
    remark: str = ""


class Legs:
    """Runs legs through nox; ends the ones under way when it is interrupted."""

    def __init__(self, python: Path) -> None:
        self.python = python
        self.children: t.Dict[str, subprocess.Popen[bytes]] = {}
        self.screen = threading.Lock()

    def environment(self) -> t.Dict[str, str]:
        """CI=true: formatters say what they would change instead of changing it."""
        env = dict(os.environ, CI="true", NOX_DEFAULT_VENV_BACKEND="virtualenv", PIP_DISABLE_PIP_VERSION_CHECK="1", PYTHONUNBUFFERED="1")
        for name in list(env):
            if name.startswith(("ANSIBLE_", "VIGIL_", "MAKE", "MFLAGS", "LEGS")):
                del env[name]
        env["PATH"] = os.pathsep.join([str(CACHE / "bin"), env.get("PATH", os.defpath)])
        return env

    def command(self, leg: str) -> t.List[str]:
        command = [str(self.python), "-m", "nox", "--non-interactive", "--reuse-venv=yes", "-f", str(ROOT / "noxfile.py"), "-s", leg]
        if (NOX / f"stamp-{leg}").exists() and (NOX / f"stamp-{leg}").read_text(encoding="utf-8") == pins_hash():
            command.insert(-2, "--no-install")
        return command

    def run(self, leg: str) -> Outcome:
        """One leg; its output goes to .cache/logs/LEG.log."""
        with self.screen:
            say(f"{leg} ...")
        forget(leg)
        began, log = time.monotonic(), LOGS / f"{leg}.log"
        with open(log, "wb") as out:
            child = subprocess.Popen(
                self.command(leg),
                cwd=str(ROOT),
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self.children[leg] = child
            try:
                code = child.wait(timeout=60 * MINUTES.get(leg, USUAL_MINUTES))
            except subprocess.TimeoutExpired:
                end(child)
                code = -1
        outcome = judged(leg, code, time.monotonic() - began, log.read_text(encoding="utf-8", errors="replace"))
        if outcome.state in ("passed", "partly"):
            (NOX / f"stamp-{leg}").write_text(pins_hash(), encoding="utf-8")
        with self.screen:
            self.show(outcome, log)
        return outcome

    def show(self, outcome: Outcome, log: Path) -> None:
        if outcome.state == "failed":
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            print("\n".join(lines[-TAIL:]), flush=True)
        say(
            f"{outcome.leg}: {outcome.state} in {outcome.seconds:.0f} s {outcome.remark}".rstrip()
            + (f" (all of it: {shown(log)})" if outcome.state == "failed" else "")
        )

    def stop(self) -> None:
        for child in self.children.values():
            end(child)


def end(child: subprocess.Popen[bytes]) -> None:
    """End a leg and what it started (it leads a process group of its own)."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)


def forget(leg: str) -> None:
    """Remove the test reports of the last time."""
    for old in [RESULTS / f"{leg}.xml", *(RESULTS / leg).glob("*.xml")]:
        if old.exists():
            old.unlink()


def pins_hash() -> str:
    """Changes when the packages of a leg may have changed."""
    digest = hashlib.sha256()
    for place in [*sorted(REQUIREMENTS.glob("*.txt")), ROOT / "antsibull-nox.toml"]:
        digest.update(place.read_bytes())
    return digest.hexdigest()


def judged(leg: str, code: int, seconds: float, log: str) -> Outcome:
    """What a finished leg amounts to: the counts of its test report when it wrote one, else one."""
    for line in log.splitlines():
        if code and "MISSING: " in line:
            return Outcome(leg, "missing", seconds, 0, 0, 0, line.split("MISSING: ", 1)[1])
    passed, failed, skipped = counts(leg)
    if code and not failed:
        failed = 1
    if not code and not passed and not failed:
        passed = 0 if leg.startswith(("unit", "integration", "lab", "long")) else 1
    if not code and skipped and not passed:
        return Outcome(leg, "missing", seconds, 0, 0, skipped, "every test was skipped, the log says why")
    partly = [line.split("PARTLY: ", 1)[1] for line in log.splitlines() if "PARTLY: " in line]
    if partly and not code:
        return Outcome(leg, "partly", seconds, passed, failed, skipped, partly[0])
    remark = "stopped after its time was over" if code == -1 else "no tests yet" if not code and not passed else ""
    return Outcome(leg, "failed" if code else "passed", seconds, passed, failed, skipped, remark)


def counts(leg: str) -> t.Tuple[int, int, int]:
    """(passed, failed, skipped) of the JUnit files of a leg."""
    passed = failed = skipped = 0
    for place in [RESULTS / f"{leg}.xml", *sorted((RESULTS / leg).glob("*.xml"))]:
        if not place.exists():
            continue
        for case in ElementTree.parse(str(place)).getroot().iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                failed += 1
            elif case.find("skipped") is not None:
                skipped += 1
            else:
                passed += 1
    return passed, failed, skipped


def chosen(arguments: argparse.Namespace) -> t.List[str]:
    """The legs asked for; raises Missing for an unknown one."""
    if arguments.long:
        return ["long"]
    if arguments.bench:
        return ["bench"]
    if arguments.format:
        return ["formatters"]
    asked = os.environ.get("LEGS", "").split()
    legs = list(dict.fromkeys(leg for name in asked for leg in GROUPS.get(name, (name,)))) or list(LEGS)
    unknown = [leg for leg in legs if leg not in LEGS]
    if unknown:
        raise Missing(f"LEGS: no leg {', '.join(unknown)}; there are {', '.join((*GROUPS, *LEGS))}")
    return legs


def table(outcomes: t.Sequence[Outcome], seconds: float) -> None:
    print(f"\n{'leg':<20} {'state':<8} {'seconds':>7} {'passed':>7} {'failed':>7} {'skipped':>7}")
    for one in outcomes:
        print(f"{one.leg:<20} {one.state:<8} {one.seconds:>7.0f} {one.passed:>7} {one.failed:>7} {one.skipped:>7}  {one.remark}".rstrip())
    missing = [one.leg for one in outcomes if one.state == "missing"]
    if missing:
        print(f"Not run, because this machine lacks something: {', '.join(missing)}")
    print(f"{seconds:.0f} seconds")
    print(f"{sum(one.passed for one in outcomes)} passed, {sum(one.failed for one in outcomes)} failed", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="soaks and everything else that takes long")
    parser.add_argument("--format", action="store_true", help="format the sources in place")
    parser.add_argument("--bench", action="store_true", help="measure against the builtin modules")
    arguments = parser.parse_args()
    began = time.monotonic()
    try:
        legs = chosen(arguments)
        system_packages.prepare(legs)
        with alone("prepare"):
            python = venv_with(NOX / "env-nox", find_python(RUN_LINES), REQUIREMENTS / "nox.txt")
    except (Failed, Missing) as problem:
        print(f"make test: {problem}", file=sys.stderr)
        return 2
    for place in (LOGS, RESULTS):
        place.mkdir(parents=True, exist_ok=True)
    runner = Legs(python)
    if arguments.bench or arguments.format:
        os.chdir(str(ROOT))
        env = dict(runner.environment(), CI="false" if arguments.format else "true")
        os.execve(str(python), runner.command(legs[0]), env)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    workers = max(1, int(os.environ.get("VIGIL_TEST_WORKERS", min(2, os.cpu_count() or 1))))
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(runner.run, leg) for leg in legs]
        try:
            outcomes = [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            runner.stop()
            raise
    table(outcomes, time.monotonic() - began)
    return 1 if any(one.state == "failed" for one in outcomes) or not any(one.passed for one in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
