# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading /proc (proc(5)), with psutil where there is none."""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee

PROC = "/proc"
_COUNTS = ("ctxt", "intr", "processes")


class CpuTimes(t.NamedTuple):
    """Seconds since start-up, over all cores.

    :ivar counts: how often they turned to another thread, how many interrupts came, how many processes and threads were begun; empty
        where that is not told
    """

    total: float
    idle: float
    iowait: float
    steal: float
    cores: int
    counts: tuple[int, ...] = ()


class Process(t.NamedTuple):
    """One process.

    :ivar command: the command line joined by spaces; a kernel thread's name in brackets
    :ivar program: the file name of what was started; :ivar name: the kernel's name, at most 15 characters
    :ivar cpu_seconds: used since it started; :ivar age: seconds since then, when that was read; :ivar began: a time that no other process of its number has
    """

    pid: int
    parent: int
    session: int
    state: str
    uid: int
    name: str
    program: str
    command: str
    rss: int
    cpu_seconds: float
    age: float
    threads: int = 1
    began: float = 0.0


def has_proc() -> bool:
    """Whether this system has a /proc as Linux knows it."""
    return os.path.exists(f"{PROC}/self/stat")


def psutil_for(what: str) -> t.Any:
    """The psutil library.

    :raises CannotSee: it is not installed; the sentence names the package
    """
    try:
        import psutil
    except ImportError as exc:
        raise CannotSee(
            f"there is no /proc here, and the Python library psutil is missing to see {what}; install python3-psutil", "missing_library"
        ) from exc
    return psutil


def read_cpu() -> CpuTimes:
    """The processor's time so far.

    :raises CannotSee: neither /proc nor psutil is there
    """
    if not has_proc():
        times = psutil_for("the processor").cpu_times()
        idle, iowait, steal = times.idle, getattr(times, "iowait", 0.0), getattr(times, "steal", 0.0)
        return CpuTimes(sum(times), idle, iowait, steal, os.cpu_count() or 1)
    lines = _read(f"{PROC}/stat").splitlines()
    ticks = [int(number) / _TICKS for number in lines[0].split()[1:9]] + [0.0] * 8
    cores = sum(line.startswith("cpu") for line in lines) - 1
    told = {words[0]: int(words[1]) for words in (line.split(None, 2) for line in lines) if len(words) > 1 and words[0] in _COUNTS}
    counts = tuple(told[name] for name in _COUNTS) if len(told) == len(_COUNTS) else ()
    return CpuTimes(sum(ticks[:8]), ticks[3], ticks[4], ticks[7], max(1, cores), counts)


def read_memory() -> dict[str, int]:
    """Bytes: total, available, swap_total, swap_free.

    :raises CannotSee: neither /proc nor psutil is there
    """
    if not has_proc():
        library = psutil_for("memory")
        memory, swap = library.virtual_memory(), library.swap_memory()
        return {"total": memory.total, "available": memory.available, "swap_total": swap.total, "swap_free": swap.free}
    found: dict[str, int] = {}
    for line in _read(f"{PROC}/meminfo").splitlines():
        name, _colon, value = line.partition(":")
        number = value.split()
        if number and number[0].isdigit():
            found[name] = int(number[0]) * 1024
    # before Linux 3.14 there is no MemAvailable
    available = found.get("MemAvailable", found.get("MemFree", 0) + found.get("Buffers", 0) + found.get("Cached", 0))
    return {
        "total": found.get("MemTotal", 0),
        "available": available,
        "swap_total": found.get("SwapTotal", 0),
        "swap_free": found.get("SwapFree", 0),
    }


def read_processes() -> list[Process]:
    """All processes that this user may see.

    :raises CannotSee: neither /proc nor psutil is there, or /proc hides the processes of others
    """
    if not has_proc():
        return _by_library()
    if not os.path.exists(f"{PROC}/1"):
        raise CannotSee("/proc hides the processes of other users (hidepid); run with become, or as a member of its group", "permission")
    found = []
    for name in os.listdir(PROC):
        if name.isdigit():
            process = _read_process(int(name))
            if process is not None:
                found.append(process)
    return found


_TICKS = float(os.sysconf("SC_CLK_TCK")) if hasattr(os, "sysconf") else 100.0
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def _read(path: str) -> str:
    with open(path, "rb") as source:
        return source.read().decode("utf-8", "replace")


def _read_process(pid: int) -> Process | None:
    """A process, or None when it has ended meanwhile."""
    try:
        stat, now = _read(f"{PROC}/{pid}/stat"), time.clock_gettime(time.CLOCK_BOOTTIME)
        line = _read(f"{PROC}/{pid}/cmdline")
        uid = os.stat(f"{PROC}/{pid}").st_uid
    except OSError:
        return None
    begin, end = stat.find("("), stat.rfind(")")
    fields = stat[end + 2 :].split()
    if begin < 0 or len(fields) < 22:
        return None
    name = stat[begin + 1 : end]
    arguments = line.rstrip("\0").split("\0") if line.strip("\0") else []
    return Process(
        pid,
        int(fields[1]),
        int(fields[3]),
        fields[0],
        uid,
        name,
        os.path.basename(arguments[0].split(" ", 1)[0]) if arguments else name,
        " ".join(arguments) or f"[{name}]",
        int(fields[21]) * _PAGE,
        (int(fields[11]) + int(fields[12])) / _TICKS,
        max(0.0, now - int(fields[19]) / _TICKS),
        int(fields[17]),
        int(fields[19]) / _TICKS,
    )


def _by_library() -> list[Process]:
    library = psutil_for("processes")
    now, found = time.time(), []
    for process in library.process_iter(["pid", "ppid", "status", "uids", "name", "cmdline", "memory_info", "cpu_times", "create_time"]):
        seen = process.info
        arguments = seen["cmdline"] or []
        times = seen["cpu_times"]
        found.append(
            Process(
                seen["pid"],
                seen["ppid"] or 0,
                0,
                "Z" if seen["status"] == library.STATUS_ZOMBIE else "S",
                seen["uids"].real if seen["uids"] else -1,
                seen["name"] or "",
                os.path.basename(arguments[0]) if arguments else seen["name"] or "",
                " ".join(arguments) or f"[{seen['name']}]",
                seen["memory_info"].rss if seen["memory_info"] else 0,
                times.user + times.system if times else 0.0,
                max(0.0, now - (seen["create_time"] or now)),
                began=seen["create_time"] or 0.0,
            )
        )
    return found
