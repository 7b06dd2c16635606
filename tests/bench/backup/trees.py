# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tree like those that are backed up: many small files, most of them configuration, some of them pressed already.

    trees.py make ROOT FILES LEAST MOST | trees.py change ROOT SHARE MARK

It runs in a process of its own: what a process has used at most is passed on to those that it starts.
"""

from __future__ import annotations

import os
import random
import sys
import typing as t
from pathlib import Path

WORDS = [
    "listen", "server_name", "upstream", "location", "proxy_pass", "root", "index", "access_log", "error_log", "timeout",
    "client_max_body_size", "worker", "user", "group", "password", "host", "port", "database", "name", "value", "enabled", "true", "false",
    "yes", "no", "include", "interface", "address", "netmask", "gateway", "dns", "domain", "search", "options", "log", "level", "debug", "info",
    "warn", "cache", "size", "limit", "max", "min", "ttl", "path", "file", "dir", "mode", "owner", "cert", "key", "ssl", "tls", "cipher",
]  # fmt: skip
NOISE = 0.15  # of the files


def make(root: Path, files: int, least: int, most: int) -> int:
    """Write a tree in 2,000 directories at most, the same for the same numbers but for its noise; its bytes."""
    chance, total = random.Random(7), 0
    for number in range(files):
        folder = root / f"etc{number % 20:02d}" / f"app{number // 20 % 100:03d}"
        if number < 2000:
            folder.mkdir(parents=True, exist_ok=True)
        size = int(chance.triangular(least, most, least + (most - least) * 0.2))
        data = os.urandom(size) if chance.random() < NOISE else _configuration(chance, size)
        (folder / f"f{number:06d}.conf").write_bytes(data)
        total += size
    return total


def change(root: Path, share: float, mark: str) -> int:
    """Append a line to some of the files, spread over all of the tree; how many."""
    paths = sorted(root.rglob("*.conf"))
    chosen = paths[:: max(1, round(1 / share))]
    for path in chosen:
        with open(path, "a") as file:
            file.write(f"# changed {mark}\n")
    return len(chosen)


def _configuration(chance: random.Random, size: int) -> bytes:
    lines: t.List[str] = []
    have = 0
    while have < size:
        kind = chance.randrange(8)
        if kind == 0:
            line = f"\n[section_{chance.randrange(5000)}]\n"
        elif kind == 1:
            line = f"# {' '.join(chance.choices(WORDS, k=8))}\n"
        elif kind == 2:
            line = f"{chance.choice(WORDS)} = 10.{chance.randrange(256)}.{chance.randrange(256)}.1:{chance.randrange(65536)}\n"
        elif kind == 3:
            line = f'    {chance.choice(WORDS)}_{chance.choice(WORDS)}: "{"/".join(chance.choices(WORDS, k=3))}/{chance.getrandbits(32):08x}"\n'
        else:
            line = f"{chance.choice(WORDS)}.{chance.choice(WORDS)} = {chance.choice(WORDS)}{chance.randrange(10000)}\n"
        lines.append(line)
        have += len(line)
    return "".join(lines).encode()[:size]


if __name__ == "__main__":
    if sys.argv[1] == "make":
        print(make(Path(sys.argv[2]), *map(int, sys.argv[3:])))
    else:
        print(change(Path(sys.argv[2]), float(sys.argv[3]), sys.argv[4]))
