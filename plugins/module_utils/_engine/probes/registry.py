# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The probes by name; each is imported when it is first asked for."""

from __future__ import annotations

import functools
import typing as t

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import ProbeSpec

PROBES = (
    "http", "tcp", "tls", "dns", "process", "service", "cpu", "memory", "swap", "load", "disk", "inode", "file", "command", "time_sync",
    "port", "udp", "icmp", "ssh", "cert_file", "processes", "cgroup", "mount", "package", "user", "group", "kernel", "interface",
    "journal", "heartbeat", "reboot", "smart", "io", "network", "pressure", "log",
)  # fmt: skip

# Those that leave something for the next run, where there is a place for it.
REMEMBERING = ("process", "cpu", "io", "network", "journal", "cgroup")


@functools.lru_cache(maxsize=None)
def load(name: str) -> t.Any:
    """The module of a probe: ``SPEC``, ``observe(options, ctx)`` and maybe ``gather(all_options, ctx)``.

    :raises KeyError: there is no such probe
    """
    return _LOADERS[name]()


def spec(name: str) -> ProbeSpec:
    """The declaration of a probe.

    :raises KeyError: there is no such probe
    """
    return t.cast("ProbeSpec", load(name).SPEC)


def specs() -> dict[str, ProbeSpec]:
    """The declarations of all probes, in the order of :data:`PROBES`."""
    return {name: spec(name) for name in PROBES}


# One import statement a probe, as only static imports are found and bundled with a module.


def _http() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import http

    return http


def _tcp() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import tcp

    return tcp


def _tls() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import tls

    return tls


def _dns() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import dns

    return dns


def _process() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import process

    return process


def _service() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import service

    return service


def _cpu() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import cpu

    return cpu


def _memory() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import memory

    return memory


def _swap() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import swap

    return swap


def _load() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import load

    return load


def _disk() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import disk

    return disk


def _inode() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import inode

    return inode


def _file() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import file

    return file


def _command() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import command

    return command


def _time_sync() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import time_sync

    return time_sync


def _port() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import port

    return port


def _udp() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import udp

    return udp


def _icmp() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import icmp

    return icmp


def _ssh() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import ssh

    return ssh


def _cert_file() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import cert_file

    return cert_file


def _processes() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import processes

    return processes


def _cgroup() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import cgroup

    return cgroup


def _mount() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import mount

    return mount


def _package() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import package

    return package


def _user() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import user

    return user


def _group() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import group

    return group


def _kernel() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import kernel

    return kernel


def _interface() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import interface

    return interface


def _journal() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import journal

    return journal


def _heartbeat() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import heartbeat

    return heartbeat


def _reboot() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import reboot

    return reboot


def _smart() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import smart

    return smart


def _io() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import io

    return io


def _network() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import network

    return network


def _pressure() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import pressure

    return pressure


def _log() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import log

    return log


_LOADERS: dict[str, t.Callable[[], t.Any]] = {
    "http": _http,
    "tcp": _tcp,
    "tls": _tls,
    "dns": _dns,
    "process": _process,
    "service": _service,
    "cpu": _cpu,
    "memory": _memory,
    "swap": _swap,
    "load": _load,
    "disk": _disk,
    "inode": _inode,
    "file": _file,
    "command": _command,
    "time_sync": _time_sync,
    "port": _port,
    "udp": _udp,
    "icmp": _icmp,
    "ssh": _ssh,
    "cert_file": _cert_file,
    "processes": _processes,
    "cgroup": _cgroup,
    "mount": _mount,
    "package": _package,
    "user": _user,
    "group": _group,
    "kernel": _kernel,
    "interface": _interface,
    "journal": _journal,
    "heartbeat": _heartbeat,
    "reboot": _reboot,
    "smart": _smart,
    "io": _io,
    "network": _network,
    "pressure": _pressure,
    "log": _log,
}
