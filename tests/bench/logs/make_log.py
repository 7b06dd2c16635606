# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes a log of a given size: several programs in one file, one line in a thousand of interest. The same seed writes the same bytes.

python3 tests/bench/logs/make_log.py FILE BYTES [SHARE]
"""

from __future__ import annotations

import random
import sys
import time
import typing as t

PARTS = ("auth", "billing", "checkout", "inventory", "scheduler", "gateway", "search", "mailer")
WORDS = (
    "request", "response", "user", "session", "cache", "lookup", "complete", "started", "finished", "batch", "item", "order", "payload",
    "queue", "worker", "retry", "token", "header", "body", "size", "elapsed", "bytes",
)  # fmt: skip
PATHS = ("/", "/index.html", "/api/v1/users", "/api/v1/orders/%d", "/static/app.js", "/login", "/health", "/metrics", "/img/%d.png")
AGENTS = ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "curl/7.88.1", "python-requests/2.31.0", "kube-probe/1.27")

# name, regular expression (of Python, RE2 and Hyperscan alike)
RULES = (
    ("oom_java", r"OutOfMemoryError: (?P<what>.*)"),
    ("conn_refused", r"connection refused to (?P<host>[0-9.]+):(?P<port>[0-9]+)"),
    ("timeout", r"timeout after (?P<ms>[0-9]+) ms"),
    ("deadlock", r"deadlock detected on table (?P<t>\S+)"),
    ("nospace", r"No space left on device"),
    ("traceback", r"Traceback \(most recent call last\)"),
    ("cert", r"certificate verify failed: (?P<h>\S+)"),
    ("perm", r"Permission denied: (?P<p>\S+)"),
    ("oomkill", r"Out of memory: Kill(?:ed)? process (?P<pid>[0-9]+) \((?P<n>[^)]+)\)"),
    ("sshfail", r"Failed password for (?:invalid user )?(?P<u>\S+) from (?P<ip>\S+) port (?P<port>[0-9]+)"),
    ("segv", r"segfault at (?P<a>[0-9a-f]+) ip"),
    ("crit", r"\bCRITICAL\b"),
    ("lag", r"replication lag (?P<s>[0-9]+) seconds"),
    ("ext4", r"EXT4-fs error \(device (?P<d>\S+)\)"),
    ("http5xx", r"HTTP 50[0-9] "),
    ("unhandled", r"unhandled exception in handler id=(?P<id>[0-9]+)"),
    ("panic", r"panic: (?P<w>.*)"),
    ("error_any", r"\bERROR \[(?P<c>[a-z]+)\]"),
    ("conntrack", r"nf_conntrack: table full"),
    ("ioerr", r"I/O error, dev (?P<d>[a-z0-9]+), sector (?P<s>[0-9]+)"),
)


def _error(dice: random.Random) -> str:
    number, part, word = dice.randrange, dice.choice(PARTS), dice.choice(WORDS)
    return (
        f"ERROR [{part}] java.lang.OutOfMemoryError: Java heap space",
        f"ERROR [{part}] connection refused to 10.{number(256)}.{number(256)}.{number(256)}:{number(65536)}",
        f"ERROR [{part}] timeout after {number(60000)} ms calling {dice.choice(PARTS)}",
        f"ERROR [{part}] deadlock detected on table {word}",
        f"ERROR [{part}] No space left on device: /var/lib/{part}",
        f"ERROR [{part}] Traceback (most recent call last):",
        f"ERROR [{part}] certificate verify failed: {word}.example.com",
        f"ERROR [{part}] Permission denied: /srv/{word}/{part}",
        f"kernel: Out of memory: Killed process {number(65536)} ({part}) total-vm:{number(10**7)}kB",
        f"sshd[{number(65536)}]: Failed password for invalid user {word} from 203.0.113.{number(256)} port {number(65536)} ssh2",
        f"kernel: {part}[{number(65536)}]: segfault at {number(1 << 30):x} ip {dice.getrandbits(47):016x} error 4",
        f"CRITICAL [{part}] replication lag {number(9999)} seconds",
        f"kernel: EXT4-fs error (device sda{number(9)}): ext4_find_entry:{number(9999)}: inode #{number(10**6)}",
        f"ERROR [{part}] HTTP 503 upstream unavailable",
        f"ERROR [{part}] unhandled exception in handler id={number(10**6)}",
    )[number(15)]


def lines(size: int, share: float = 0.001, seed: int = 11) -> t.Iterator[str]:
    """Lines of at least so many bytes together."""
    dice, moment, written, count = random.Random(seed), 1760000000.0, 0, 0
    number, choice = dice.randrange, dice.choice
    stamp = ""
    while written < size:
        moment += 0.002
        if count % 500 == 0:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
        count += 1
        kind = dice.random()
        begin = f"{stamp}.{number(1000):03d}Z host{number(40):02d} "
        if kind < share:
            line = f"{begin}{_error(dice)}\n"
        elif kind < 0.45:
            path = choice(PATHS)
            path = path % number(10**6) if "%" in path else path
            line = (
                f"10.{number(256)}.{number(256)}.{number(256)} - - [{stamp} +0000] "
                f'"GET {path} HTTP/1.1" {choice((200, 200, 200, 200, 304, 404, 301))} {number(50000)} "-" "{choice(AGENTS)}" rt={dice.random():.3f}\n'
            )
        elif kind < 0.85:
            words = f"{choice(WORDS)} {choice(WORDS)} {choice(WORDS)}"
            line = f"{begin}INFO [{choice(PARTS)}] {words} id={number(10**7)} elapsed={number(3000)}ms trace={dice.getrandbits(64):016x}\n"
        elif kind < 0.97:
            line = f"{begin}DEBUG [{choice(PARTS)}] {choice(WORDS)}={choice(WORDS)} {choice(WORDS)}={number(10**5)} {' '.join(dice.choices(WORDS, k=6))}\n"
        else:
            line = f"{begin}WARN [{choice(PARTS)}] slow {choice(WORDS)} took {number(9000)}ms for user {number(10**6)}\n"
        written += len(line)
        yield line


def main(path: str, size: int, share: float = 0.001) -> None:
    """Write the file. Beyond 64 MB the same part is repeated with other numbers of hosts, as making lines is slow."""
    part = "".join(lines(min(size, 64_000_000), share)).encode()
    with open(path, "wb") as file:
        written = number = 0
        while written < size:
            written += file.write(part if number == 0 else part.replace(b" host0", b" hst%02d" % (number % 100)))
            number += 1


if __name__ == "__main__":
    main(sys.argv[1], int(float(sys.argv[2])), *map(float, sys.argv[3:4]))
