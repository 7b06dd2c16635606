# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Probes that rely on programs: service and command."""

from __future__ import annotations

import errno
import subprocess
import sys
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.judge import judge
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import read_options
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import (
    CannotSee,
    CommandMissing,
    CommandTimeout,
    Context,
    ProbeFailure,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.inspect import read_checks
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import _units, command, service

UNITS = {
    "ssh.service": "Id=ssh.service\nNames=ssh.service sshd.service\nLoadState=loaded\nActiveState=active\nSubState=running\n"
    "UnitFileState=enabled\nResult=success\nNRestarts=2\nMainPID=700\nMemoryCurrent=5242880\nExecMainStatus=0\n"
    "ActiveEnterTimestampMonotonic=1\n",
    "job.service": "Id=job.service\nNames=job.service\nLoadState=loaded\nActiveState=failed\nSubState=failed\n"
    "UnitFileState=static\nResult=exit-code\nNRestarts=0\nMainPID=0\nMemoryCurrent=[not set]\nExecMainStatus=203\n",
    "gone.service": "Id=gone.service\nNames=gone.service\nLoadState=not-found\nActiveState=inactive\nSubState=dead\nUnitFileState=\n"
    "Result=success\nMemoryCurrent=18446744073709551615\n",
    "shut.service": "Id=shut.service\nNames=shut.service\nLoadState=masked\nActiveState=inactive\nSubState=dead\nUnitFileState=masked\n",
    "loop.service": "Id=loop.service\nNames=loop.service\nLoadState=loaded\nActiveState=activating\nSubState=auto-restart\n"
    "Result=signal\nNRestarts=7\nExecMainStatus=9\n",
    "lazy.service": "Id=lazy.service\nNames=lazy.service\nLoadState=loaded\nActiveState=inactive\nSubState=dead\nTriggeredBy=lazy.socket\n",
    "odd.service": "Id=odd.service\nNames=odd.service\nLoadState=bad-setting\nActiveState=inactive\nSubState=dead\nResult=success\n",
    "spent.service": "Id=spent.service\nNames=spent.service\nLoadState=loaded\nActiveState=failed\nSubState=failed\n"
    "Result=exit-code\nNRestarts=5\nExecMainStatus=1\n",
    "backup.timer": "Id=backup.timer\nNames=backup.timer\nLoadState=loaded\nActiveState=active\nSubState=waiting\nUnitFileState=disabled\n",
}


class Systemctl:
    """Answers as systemctl show does: one block a unit, in the order in which they were asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, argv, timeout):
        units = argv[argv.index("--") + 1 :]
        self.asked.append(units)
        return 0, "\n".join(UNITS[unit] for unit in units), ""


def service_options(name):
    return read_options(service.SPEC, {"name": name})


def run(argv, timeout):
    try:
        done = subprocess.run(argv, capture_output=True, timeout=timeout, text=True, check=False)
    except FileNotFoundError as exc:
        raise CommandMissing(argv[0]) from exc
    except subprocess.TimeoutExpired as exc:
        raise CommandTimeout(argv[0]) from exc
    return done.returncode, done.stdout, done.stderr


# --- service ---


def test_systemd_is_asked_once_for_all_units():
    systemctl = Systemctl()
    ctx = Context(run=systemctl)
    names = ["ssh", "ssh.service", "backup.timer", "job"]
    service.gather([service_options(name) for name in names], ctx)
    seen = service.observe(service_options("ssh"), ctx)
    assert (seen["active"], seen["enabled"], seen["sub"], seen["restarts"], seen["memory_bytes"]) == (True, True, "running", 2, 5 << 20)
    assert (seen["main_pid"], seen["active_seconds"] > 0) == (700, True)
    assert set(seen) == set(service.SPEC.observes) - {"latency_ms"}
    assert service.observe(service_options("backup.timer"), ctx)["enabled"] is False
    assert systemctl.asked == [["ssh.service", "backup.timer", "job.service"]]
    service.observe(service_options("ssh"), ctx.view(2, ()))
    assert systemctl.asked[1:] == [["ssh.service"]]


@pytest.mark.parametrize(
    ("name", "reason", "sentence"),
    [
        ("job", "failed", "job.service is failed (result exit-code, exit status 203)"),
        ("gone", "not_found", "systemd knows no unit gone.service"),
        ("shut", "masked", "shut.service is masked"),
        ("lazy", "inactive", "lazy.service is inactive (dead); lazy.socket may start it when it is needed"),
        ("odd", "unreadable", "systemd cannot read odd.service; systemctl status odd.service says why"),
        (
            "loop",
            "restart_loop",
            "loop.service ends again and again: systemd has restarted it 7 times (auto-restart, result signal SIGKILL)",
        ),
        ("spent", "failed", "spent.service is failed (result exit-code, exit status 1, systemd has restarted it 5 times)"),
    ],
)
def test_what_does_not_run_says_why(name, reason, sentence):
    ctx = Context(run=Systemctl())
    service.gather([service_options(name)], ctx)
    with pytest.raises(ProbeFailure) as caught:
        service.observe(service_options(name), ctx)
    assert (caught.value.reason, caught.value.sentence) == (reason, sentence)
    assert caught.value.observed["active"] is False
    assert caught.value.observed["memory_bytes"] is None


@pytest.mark.parametrize(("restarts", "seconds", "looping"), [(2, 1, False), (3, 1, True), (3, 11, False), (900, 0.01, True)])
def test_what_runs_for_a_moment_after_many_restarts_is_in_a_loop(restarts, seconds, looping):
    since = int((time.monotonic() - seconds) * 1e6)
    block = f"Id=x.service\nLoadState=loaded\nActiveState=active\nSubState=running\nNRestarts={restarts}\nActiveEnterTimestampMonotonic={since}\n"
    ctx = Context(run=lambda argv, timeout: (0, block, ""))
    check = read_checks([{"name": "x", "service": {"name": "x"}}])[0]
    try:
        outcome = service.observe(service_options("x"), ctx)
    except ProbeFailure as exc:
        outcome = exc
    result = judge(check, outcome, 1, 0.0)
    assert result["status"] == ("critical" if looping else "ok")
    if looping:
        assert result["reason"] == "restart_loop"
        assert result["summary"].startswith(f"x.service ends again and again: systemd has restarted it {restarts} times, lastly ")


def test_without_systemd_it_is_unknown():
    said = "System has not been booted with systemd as init system (PID 1). Can't operate.\nFailed to connect to bus: Host is down"
    for ctx in (Context(run=lambda argv, timeout: (1, "", said)), Context()):
        service.gather([service_options("ssh")], ctx)
        with pytest.raises(CannotSee, match="services cannot be seen") as caught:
            service.observe(service_options("ssh"), ctx)
        assert caught.value.reason == "unsupported"


def test_a_missing_or_hanging_systemctl_is_unknown():
    for error, reason in ((CommandMissing("systemctl"), "unsupported"), (CommandTimeout("systemctl"), "timeout")):

        def fail(argv, timeout, error=error):
            raise error

        with pytest.raises(CannotSee, match="systemctl") as caught:
            service.observe(service_options("ssh"), Context(run=fail))
        assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EAGAIN, "limit on processes"),
        (errno.EMFILE, "too many open files"),
        (errno.ENOMEM, "no memory"),
        (errno.ENOENT, "not installed"),
    ],
)
def test_a_host_that_is_out_of_something_does_not_lack_the_program(number, words):
    def fail(argv, timeout):
        raise CommandMissing(argv[0]) from OSError(number, "x")

    for look in (lambda ctx: service.observe(service_options("ssh"), ctx), lambda ctx: look_at(["true"], ctx)):
        with pytest.raises(CannotSee, match=words) as caught:
            look(Context(run=fail))
        assert caught.value.reason == ("unsupported" if number == errno.ENOENT else "unseen")
        assert ("systemd is needed" in caught.value.sentence) == (number == errno.ENOENT and "services" in caught.value.sentence)


@pytest.mark.parametrize("name", ["-H", "--help", "a b", "a\nb", "ss*", "x[y]", "a/b", ""])
def test_names_that_systemctl_would_take_otherwise_are_refused(name):
    with pytest.raises(ValueError, match="name of a unit"):
        service_options(name)


@pytest.mark.parametrize(("name", "unit"), [("ssh", "ssh.service"), ("a.b", "a.b.service"), ("x.timer", "x.timer"), ("g@1", "g@1.service")])
def test_unit_names(name, unit):
    assert _units.unit_name(name) == unit


# --- command ---


def look_at(argv, ctx=None, **options):
    return command.observe(read_options(command.SPEC, dict(options, argv=argv)), ctx or Context(run=run))


def test_a_program():
    seen = look_at([sys.executable, "-c", "import sys; print('[1, 2]'); sys.stderr.write('e'); sys.exit(3)"])
    assert seen == {"rc": 3, "stdout": "[1, 2]\n", "stderr": "e", "json": [1, 2]}


def test_output_is_cut():
    seen = look_at([sys.executable, "-c", "print('\u00e9' * 70000)"])
    assert len(seen["stdout"].encode()) <= 65536


def test_a_program_that_does_not_end_or_is_not_there():
    with pytest.raises(ProbeFailure) as failure:
        look_at([sys.executable, "-c", "import time; time.sleep(30)"], timeout=0.2)
    assert (failure.value.reason, failure.value.observed) == ("timeout", {})
    with pytest.raises(CannotSee, match="no-such-program"):
        look_at(["no-such-program"])


def test_nothing_runs_in_check_mode():
    with pytest.raises(CannotSee) as caught:
        look_at(["true"], Context(run=run, check_mode=True))
    assert caught.value.reason == "check_mode"


@pytest.mark.parametrize("argv", ["ls -l", [], [""], [["x"]], {"a": 1}, None])
def test_only_a_list_of_words_is_taken(argv):
    with pytest.raises(ValueError, match="argv"):
        read_options(command.SPEC, {"argv": argv})
