# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a live node could be checked for: its services, ports, mounts, certificates and limits, as checks that describe it as it is.

Only looking; what cannot be seen here is said, and what is broken is no candidate for a rule.
"""

from __future__ import annotations

import glob
import os
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, CommandFlood, CommandMissing, CommandTimeout
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._sockets import owners, read_sockets
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes.mount import Mount, read_mounts

AREAS = ("services", "ports", "mounts", "certificates", "limits")
Run = t.Callable[..., t.Tuple[int, str, str]]
Checks = t.List[t.Dict[str, t.Any]]

_TIMEOUT = 15.0
# Units that come and go with users and consoles.
_PASSING = re.compile(
    r"(user|user-runtime-dir|getty|serial-getty|autovt|container-getty|session|modprobe|systemd-fsck|lvm2-pvscan)@|console-getty\.|(init|run)-"
)
# File systems that are not of files, or that are full by nature.
_UNREAL = re.compile(
    r"(proc|sysfs|cgroup2?|devpts|devtmpfs|mqueue|hugetlbfs|debugfs|tracefs|securityfs|pstore|bpf|configfs|fusectl|autofs|binfmt_misc"
    r"|rpc_pipefs|efivarfs|ramfs|nsfs|squashfs|iso9660|udf|fuse\.(?!sshfs|glusterfs|ceph).*|tmpfs|selinuxfs)"
)
_SYSTEM_PLACES = ("/proc", "/sys", "/dev", "/run", "/snap", "/var/lib/docker", "/var/lib/containers", "/var/lib/kubelet", "/etc")
_CERTIFICATES = (
    "/etc/letsencrypt/live/*/fullchain.pem", "/etc/nginx/*.crt", "/etc/nginx/*/*.crt", "/etc/nginx/*/*.pem", "/etc/apache2/*/*.crt",
    "/etc/httpd/conf*/*.crt", "/etc/pki/tls/certs/localhost.crt", "/etc/haproxy/*.pem", "/etc/haproxy/*/*.pem", "/etc/ssl/*.crt",
    "/etc/postgresql/*/*/*.crt", "/var/lib/pgsql/data/*.crt", "/etc/mysql/*.pem", "/etc/dovecot/*.pem", "/etc/dovecot/private/*.pem",
    "/etc/postfix/*.pem", "/etc/docker/certs.d/*/*.crt", "/etc/kubernetes/pki/*.crt", "/etc/kubernetes/pki/etcd/*.crt", "/etc/etcd/*.crt",
    "/var/lib/kubelet/pki/kubelet.crt", "/etc/vault.d/*.crt", "/etc/consul.d/*.crt", "/etc/caddy/*.crt",
)  # fmt: skip
# What else may start a unit.
_PULLS = ("WantedBy", "RequiredBy", "RequisiteOf", "BoundBy", "TriggeredBy", "ConsistsOf")
_SYSCTL = ("/etc/sysctl.conf", "/etc/sysctl.d/*.conf")
_MOST = 200


class Found(t.NamedTuple):
    """checks: in the order of the areas; notes: sentences on what could not be seen."""

    checks: Checks
    notes: list[str]


def look(run: Run, areas: t.Collection[str] = AREAS, certificates: t.Sequence[str] = ()) -> Found:
    """The candidates.

    :arg areas: of AREAS
    :arg certificates: further patterns of paths to look for certificates
    """
    found = Found([], [])
    makers: dict[str, t.Callable[[], Checks]] = {
        "services": lambda: services(run),
        "ports": ports,
        "mounts": mounts,
        "certificates": lambda: certificate_files([*_CERTIFICATES, *certificates]),
        "limits": limits,
    }
    for area in AREAS:
        if area in areas:
            try:
                checks = makers[area]()
                found.checks.extend(checks[:_MOST])
                if len(checks) > _MOST:
                    found.notes.append(f"{area}: there are {len(checks)}, and only the first {_MOST} were taken")
            except CannotSee as exc:
                found.notes.append(f"{area}: {exc.sentence}")
    return found


def services(run: Run) -> Checks:
    """The services that run, and whether they start with the system.

    :raises CannotSee: there is no systemd
    """
    running = _units(run, ["list-units", "--state=running"])
    passing = _on_request(run, [unit for unit in running if unit.endswith(".service")])
    enabled = set(_units(run, ["list-unit-files", "--state=enabled"]))
    checks: Checks = []
    for unit in sorted(set(running)):
        name = unit[: -len(".service")]
        if unit.endswith(".service") and not _PASSING.match(unit) and unit not in passing:
            expect: dict[str, t.Any] = {"active": True}
            if unit in enabled:
                expect["enabled"] = True
            checks.append({"name": f"service {name}", "service": {"name": name}, "expect": expect})
    return checks


def _on_request(run: Run, units: t.Sequence[str]) -> set[str]:
    """Those that nothing but a message on the bus starts, such as systemd-timedated: they end by themselves when nobody asks any more."""
    if not units:
        return set()
    try:
        _rc, out, _err = run(
            ["systemctl", "show", "--no-pager", "-p", ",".join(("Id", "BusName", *_PULLS)), "--", *units], timeout=_TIMEOUT
        )
    except (CommandMissing, CommandTimeout, CommandFlood):
        return set()
    found = set()
    for block in out.split("\n\n"):
        known = dict(line.partition("=")[::2] for line in block.splitlines())
        if known.get("BusName") and not any(known.get(name) for name in _PULLS):
            found.add(known.get("Id", ""))
    return found


def _units(run: Run, words: list[str]) -> list[str]:
    try:
        rc, out, err = run(["systemctl", *words, "--type=service", "--plain", "--no-legend", "--no-pager"], timeout=_TIMEOUT)
    except (CommandMissing, CommandTimeout, CommandFlood) as exc:
        raise CannotSee(f"systemd cannot be asked: {exc}", "unsupported") from exc
    if rc != 0:
        raise CannotSee(f"systemd cannot be asked: {' '.join(err.split())[:200] or f'systemctl ended with {rc}'}", "unsupported")
    return [line.split()[0] for line in out.splitlines() if line.split()]


def ports() -> Checks:
    """The ports that programs of this node serve; those that change at every start are left out.

    :raises CannotSee: there is no /proc/net
    """
    passing = range(*_passing_ports())
    sockets = [one for one in read_sockets() if not (one.protocol == "udp" and one.port in passing) and one.port]
    names = owners({one.inode for one in sockets})
    checks: dict[tuple[str, int], dict[str, t.Any]] = {}
    for one in sorted(sockets, key=lambda socket: (socket.protocol, socket.port)):
        if one.port in passing and one.address.is_loopback:
            continue  # of a program that lets the kernel choose
        check = checks.setdefault(
            (one.protocol, one.port), {"name": f"port {one.protocol} {one.port}", "port": {"port": one.port, "protocol": one.protocol}}
        )
        if one.inode in names:
            check.setdefault("annotations", {"program": names[one.inode][1]})
    return list(checks.values())


def _passing_ports() -> tuple[int, int]:
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as source:
            low, high = source.read().split()
            return int(low), int(high) + 1
    except (OSError, ValueError):
        return 32768, 61000


def mounts() -> Checks:
    """The file systems with files of their own: that they are there, writable as they are, and have room.

    :raises CannotSee: there is no table of mounts
    """
    last: dict[str, Mount] = {}
    for mount in read_mounts():
        if not _UNREAL.fullmatch(mount.fstype) and not any(_below(mount.point, place) for place in _SYSTEM_PLACES):
            last[mount.point] = mount
    checks: Checks = []
    for point, mount in sorted(last.items()):
        read_only = "ro" in mount.options
        if point != "/":
            checks.append(
                {"name": f"mount {point}", "mount": {"path": point}, "expect": {"mounted": True, "fstype": f'== "{mount.fstype}"'}}
            )
        parent = {"depends_on": [f"mount {point}"]} if point != "/" else {}
        if not read_only:
            limits_of = {"expect": {"used_percent": "< 90", "read_only": False}, "warn": {"used_percent": "< 80"}}
            checks.append({"name": f"disk {point}", "disk": {"path": point}, **limits_of, **parent})
            checks.append(
                {
                    "name": f"inodes {point}",
                    "inode": {"path": point},
                    "expect": {"used_percent": "< 90"},
                    "warn": {"used_percent": "< 80"},
                    **parent,
                }
            )
    return checks


def _below(path: str, place: str) -> bool:
    return path == place or path.startswith(place + "/")


def certificate_files(patterns: t.Sequence[str]) -> Checks:
    """The certificates in usual places; one that is linked twice counts once."""
    checks: Checks = []
    seen: set[str] = set()
    for path in sorted({path for pattern in patterns for path in glob.glob(pattern)}):
        real = os.path.realpath(path)
        if real not in seen and os.path.isfile(real) and _has_certificate(real):
            seen.add(real)
            checks.append(
                {
                    "name": f"certificate {path}",
                    "cert_file": {"path": path},
                    "expect": {"valid": True, "days_left": "> 7"},
                    "warn": {"days_left": "> 21"},
                }
            )
    return checks


def _has_certificate(path: str) -> bool:
    try:
        with open(path, "rb") as source:
            return b"-----BEGIN CERTIFICATE-----" in source.read(1 << 16)
    except OSError:
        return False


def limits() -> Checks:
    """Processor, memory and load, and the settings of the kernel that somebody has written down."""
    checks: Checks = [
        {"name": "load", "load": {}, "expect": {"per_core15": "< 4"}, "warn": {"per_core15": "< 2"}},
        {"name": "memory", "memory": {}, "expect": {"used_percent": "< 95"}, "warn": {"used_percent": "< 85"}},
        {"name": "swap", "swap": {}, "expect": {"used_percent": "< 90"}, "warn": {"used_percent": "< 60"}},
        {"name": "processes", "processes": {}, "expect": {"zombies": "< 50", "blocked": "< 50"}, "warn": {"zombies": "< 10"}},
    ]
    for name, value in sorted(_settings().items()):
        checks.append(
            {"name": f"kernel {name}", "kernel": {"name": name}, "expect": {"value": int(value) if value.isdigit() else f'== "{value}"'}}
        )
    return checks


def _settings() -> dict[str, str]:
    """What sysctl.conf and its folder say; files later in the order win (sysctl.d(5))."""
    found: dict[str, str] = {}
    for path in [place for pattern in reversed(_SYSCTL) for place in sorted(glob.glob(pattern), key=os.path.basename)]:
        try:
            with open(path, encoding="utf-8", errors="replace") as source:
                lines = source.read(1 << 16).splitlines()
        except OSError:
            continue
        for line in lines:
            name, equals, value = line.partition("=")
            name = name.strip().lstrip("-").strip().replace("/", ".")
            if equals and re.fullmatch(r"[a-z][a-z0-9_.-]*", name) and value.strip() and '"' not in value:
                found[name] = " ".join(value.split())
    return found
