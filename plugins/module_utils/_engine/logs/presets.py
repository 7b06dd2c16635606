# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ready-made rules for common logs, and how common programs write messages of several lines. Data alone; the format is that of the option."""

from __future__ import annotations

import typing as t

Given = t.Dict[str, t.Any]

_CLIENT = r"(?P<client>[0-9A-Fa-f.:]{3,45})"
_COMMON_LOG = _CLIENT + r" \S+ (?P<user>\S+) \[[^\]]+\] \"(?P<method>[A-Z]+) (?P<path>\S+)[^\"]*\" "

RULES: t.Dict[str, t.List[Given]] = {
    "syslog": [
        {"name": "syslog no space", "keyword": "No space left on device", "severity": "critical", "cooldown": "30m"},
        {
            "name": "syslog read-only",
            "keyword": ["Remounting filesystem read-only", "Read-only file system"],
            "severity": "critical",
            "cooldown": "30m",
        },
        {"name": "syslog too many files", "keyword": "Too many open files", "severity": "error", "cooldown": "30m"},
        {
            "name": "syslog segfault",
            "regex": r"(?P<program>[^\s:\[]+)\[(?P<pid>[0-9]+)\]: segfault at ",
            "severity": "error",
            "cooldown": "10m",
        },
    ],
    "kernel": [
        {
            "name": "kernel oom",
            "regex": r"Out of memory: Kill(?:ed)? process (?P<pid>[0-9]+) \((?P<program>[^)]+)\)",
            "severity": "critical",
        },
        {"name": "kernel cgroup oom", "keyword": "Memory cgroup out of memory", "severity": "error", "cooldown": "10m"},
        {"name": "kernel io error", "regex": r"I/O error, dev (?P<device>[^,\s]+)", "severity": "critical", "cooldown": "30m"},
        {
            "name": "kernel filesystem error",
            "regex": r"(?:EXT4-fs|XFS|BTRFS)[^:]*(?:error|corrupt)",
            "severity": "critical",
            "cooldown": "30m",
        },
        {
            "name": "kernel hung task",
            "regex": r"task (?P<program>\S+):(?P<pid>[0-9]+) blocked for more than",
            "severity": "error",
            "cooldown": "30m",
        },
        {"name": "kernel conntrack full", "keyword": "nf_conntrack: table full", "severity": "error", "cooldown": "30m"},
        {
            "name": "kernel hardware error",
            "keyword": ["[Hardware Error]", "Machine check events logged"],
            "severity": "critical",
            "cooldown": "1h",
        },
    ],
    "systemd": [
        {
            "name": "systemd unit failed",
            "regex": r"(?P<unit>\S+\.(?:service|mount|socket|timer)): Failed with result '(?P<result>[^']+)'",
            "severity": "error",
        },
        {"name": "systemd start failed", "regex": r"Failed to start (?P<what>.+?)\.?$", "severity": "error"},
        {
            "name": "systemd restart loop",
            "regex": r"(?P<unit>\S+\.service): Start request repeated too quickly",
            "severity": "critical",
            "cooldown": "10m",
        },
    ],
    "sshd": [
        {
            "name": "ssh failed logins",
            "regex": r"Failed (?:password|publickey|keyboard-interactive/pam) for (?:invalid user )?(?P<user>\S*) from (?P<client>\S+) port [0-9]+",
            "severity": "warning",
            "threshold": {"count": 10, "within": "60s", "by": "client"},
        },
        {
            "name": "ssh root login",
            "regex": r"Accepted (?P<method>\S+) for root from (?P<client>\S+) port [0-9]+",
            "severity": "info",
            "cooldown": "10m",
        },
        {"name": "ssh break-in attempt", "keyword": "POSSIBLE BREAK-IN ATTEMPT", "severity": "warning", "cooldown": "30m"},
    ],
    "nginx": [
        {
            "name": "nginx server errors",
            "regex": _COMMON_LOG + r"(?P<status>5[0-9][0-9]) ",
            "severity": "error",
            "threshold": {"count": 10, "within": "60s"},
        },
        {
            "name": "nginx critical",
            "regex": r"\[(?P<level>crit|alert|emerg)\] [0-9]+#[0-9]+: (?P<message>.*)",
            "severity": "critical",
            "cooldown": "10m",
        },
        {
            "name": "nginx upstream",
            "regex": r"\[error\] [0-9]+#[0-9]+: .*upstream (?P<why>timed out|prematurely closed connection|sent invalid header)",
            "severity": "error",
            "threshold": {"count": 10, "within": "60s"},
        },
        {
            "name": "nginx no upstream",
            "keyword": "no live upstreams while connecting to upstream",
            "severity": "critical",
            "cooldown": "10m",
        },
    ],
    "apache": [
        {
            "name": "apache server errors",
            "regex": _COMMON_LOG + r"(?P<status>5[0-9][0-9]) ",
            "severity": "error",
            "threshold": {"count": 10, "within": "60s"},
        },
        {
            "name": "apache errors",
            "regex": r"\[(?:[a-z0-9_]+:)?(?P<level>crit|alert|emerg)\] (?P<message>.*)",
            "severity": "critical",
            "cooldown": "10m",
        },
        {
            "name": "apache workers",
            "keyword": ["server reached MaxRequestWorkers", "server reached MaxClients"],
            "severity": "critical",
            "cooldown": "30m",
        },
    ],
    "postgresql": [
        {"name": "postgresql fatal", "regex": r"\b(?P<level>FATAL|PANIC):\s+(?P<message>.*)", "severity": "critical", "cooldown": "5m"},
        {
            "name": "postgresql errors",
            "regex": r"\bERROR:\s+(?P<message>.*)",
            "severity": "error",
            "threshold": {"count": 20, "within": "60s"},
        },
        {"name": "postgresql deadlock", "keyword": "deadlock detected", "severity": "error", "cooldown": "5m"},
        {"name": "postgresql checkpoints", "keyword": "checkpoints are occurring too frequently", "severity": "warning", "cooldown": "1h"},
    ],
    "java": [
        {"name": "java out of memory", "regex": r"java\.lang\.OutOfMemoryError: (?P<what>.*)", "severity": "critical"},
        {
            "name": "java exceptions",
            "regex": r"(?:^|\s)(?P<exception>(?:[a-z][\w$]*\.)+[A-Z][\w$]*(?:Exception|Error))(?::|\s|$)",
            "severity": "error",
            "first_seen": "1d",
        },
    ],
    "python": [
        {"name": "python tracebacks", "keyword": "Traceback (most recent call last):", "severity": "error", "first_seen": "1d"},
    ],
}
# Lines that go on with a message.
_JAVA_MORE = r"\s|Caused by: |\.\.\. [0-9]+ more|Suppressed: "
_PYTHON_MORE = (
    r"\s|Traceback \(most recent call last\):|During handling of the above exception|The above exception was the direct cause"
    r"|(?:[A-Za-z_][\w]*\.)*[A-Z]\w*(?:Error|Exception|Warning|Interrupt|Exit|Iteration)\b|$"
)
MULTILINE: t.Dict[str, Given] = {
    "indent": {"continue": r"\s"},
    "java": {"continue": _JAVA_MORE},
    "python": {"continue": _PYTHON_MORE},
    "timestamp": {"start": r"\[?(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}/[0-9]{2}/[0-9]{2}|[A-Z][a-z]{2} [ 0-9][0-9] |[0-9]{6} [0-9]{6})"},
}
