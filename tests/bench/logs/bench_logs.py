# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast a log is scanned with twenty rules: log_scan with each of its strategies against ripgrep, grep -E -f, fail2ban-regex and plain Python.

    python3 tests/bench/logs/bench_logs.py [--size 1e9] [--rounds 3] [--share 0.001] [--only grep,ripgrep,...] [--json FILE]

All sides take turns on the same file (in the page cache), and what counts is CPU time of all processes, as a busy machine lengthens everything else; what
several cores are good for is seen by the clock alone, on a machine that does nothing else. ripgrep, grep and
fail2ban-regex take part where they are installed, and so do hyperscan and re2 (google-re2) in the Python that runs this. All that report hits must agree.
fail2ban-regex and plain Python take a part of the file, as they would take minutes.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "dns"))

from make_log import RULES  # noqa: E402 - beside this file
from turns import BenchError, Said, Sample, Side, last_json, once  # noqa: E402

SLOW = 30_000_000  # bytes for those that are slow
FILES = 1000


def plain(regex: str) -> str:
    """A rule as the other programs know it."""
    import re

    return re.sub(r"\?P<\w+>", "", regex)


def counted(output: str, size: int) -> Said:
    """What grep -c and rg -c say: lines, not hits."""
    return {"names": size / 1e6, "seconds": 0, "lines": int(output.split()[-1])}


def sides(home: Path, log: Path, part: Path, wanted: t.Collection[str]) -> t.List[Side]:
    """Everything that is here, in the order in which it takes turns."""
    patterns = home / "patterns"
    patterns.write_text("".join(plain(regex) + "\n" for _name, regex in RULES))
    posix = home / "posix"
    posix.write_text("".join(plain(regex).replace(r"\S", "[^ ]").replace("(?:", "(") + "\n" for _name, regex in RULES))
    script, size = str(HERE / "scan_side.py"), log.stat().st_size
    found: t.List[Side] = []
    for name, library in (("anchored", ""), ("find", ""), ("re2", "re2"), ("hyperscan", "hyperscan")):
        if library and subprocess.run([sys.executable, "-c", f"import {library}"], capture_output=True, check=False).returncode:
            continue
        store = home / f"{name}.db"
        for cores, end in (("1", ""), ("all", ", all cores")):
            argv = [sys.executable, script, "log_scan", str(log), str(store), name, cores]
            found.append(Side(f"log_scan {name}{end}", argv, last_json, before=functools.partial(_forget, store)))
    if shutil.which("rg"):
        found.append(
            Side("ripgrep", ["rg", "-a", "-c", "-j1", "--no-config", "-f", str(patterns), str(log)], functools.partial(counted, size=size))
        )
    found.append(Side("grep -E -f", ["grep", "-aEc", "-f", str(posix), str(log)], functools.partial(counted, size=size)))
    found.append(Side("plain Python", [sys.executable, script, "naive", str(part)], last_json, rounds=1))
    if shutil.which("fail2ban-regex"):
        regexes = home / "filter.conf"
        lines = "\n            ".join(regex.replace("%", "%%") + ".*<HOST>?" for _name, regex in RULES)
        regexes.write_text(f"[Definition]\nfailregex = {lines}\n")
        small = part.stat().st_size
        argv = ["fail2ban-regex", "--print-no-missed", str(part), str(regexes)]
        found.append(Side("fail2ban-regex", argv, lambda output: {"names": small / 1e6, "seconds": 0}, rounds=1))
    return [side for side in found if not wanted or any(word in side.name for word in wanted)]


def _forget(store: Path) -> None:
    for end in ("", "-wal", "-shm"):
        Path(str(store) + end).unlink(missing_ok=True)


def idle(home: Path, env: t.Mapping[str, str]) -> t.Tuple[float, int]:
    """CPU milliseconds of a run over a thousand files in which nothing is new, without the start of Python."""
    place = home / "many"
    place.mkdir()
    for number in range(FILES):
        (place / f"app{number}.log").write_text(f"line of {number}\n" * 40)
    argv = [sys.executable, str(HERE / "scan_side.py"), "log_scan", str(place / "*.log"), str(home / "many.db"), "auto"]
    runs = [json.loads(subprocess.run(argv, env=dict(env), capture_output=True, text=True, check=True).stdout) for _run in range(6)]
    if runs[-1]["bytes"] or runs[0]["files"] != FILES:
        raise BenchError("the files were not read once")
    return statistics.median(run["cpu"] for run in runs[1:]) * 1000, FILES


def measure(found: t.Sequence[Side], env: t.Mapping[str, str], rounds: int) -> t.Dict[str, t.List[Sample]]:
    """A B C A B C ..."""
    samples: t.Dict[str, t.List[Sample]] = {side.name: [] for side in found}
    for number in range(rounds):
        for side in found:
            if number < side.rounds:
                samples[side.name].append(once(side, env))
                print(f"  {side.name:<30} {1e6 / samples[side.name][-1].us:8.1f} MB/s of CPU", flush=True)
    return samples


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("--size", type=float, default=1e9)
    parser.add_argument("--share", type=float, default=0.001)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as directory:
        home = Path(directory)
        env = dict(os.environ, HOME=directory, LC_ALL="C")
        log, part = home / "big.log", home / "part.log"
        for place, size in (
            (log, args.size),
            (part, min(SLOW, args.size)),
        ):  # in a process of its own: what it takes would be counted for all
            subprocess.run([sys.executable, str(HERE / "make_log.py"), str(place), str(int(size)), str(args.share)], check=True)
        found = sides(home, log, part, [word for word in args.only.split(",") if word])
        for side in found:
            print(f"{side.name}: {shlex.join(map(str, side.argv))}")
        samples = measure(found, env, args.rounds)
        milliseconds, files = idle(home, env)
    rates = {name: statistics.median(1e6 / one.us for one in several) for name, several in samples.items() if several}
    hits = {name: several[0].said["hits"] for name, several in samples.items() if name.startswith("log_scan")}
    if len(set(hits.values())) > 1:
        raise BenchError(f"the strategies do not agree: {hits}")
    result = {"size": args.size, "share": args.share, "mb_per_cpu_second": rates, "idle_ms": milliseconds, "idle_files": files}
    result["peak_mb"] = {name: max(one.said.get("peak", one.rss) for one in several) for name, several in samples.items()}
    result["mb_per_second"] = walls = {name: statistics.median(one.rate for one in several) for name, several in samples.items()}
    print(f"\n{args.size / 1e6:.0f} MB, {len(RULES)} rules, {args.share:.1%} of the lines of interest; median MB/s of CPU")
    for name, rate in sorted(rates.items(), key=lambda item: -item[1]):
        ratio = f"{rate / rates['ripgrep']:6.2f} x ripgrep" if "ripgrep" in rates else ""
        processes = samples[name][0].said.get("processes", 1)
        clock = f"{walls[name]:8.1f} MB/s by the clock, {processes} process{'es' if processes > 1 else ''}"
        print(f"  {name:<30} {rate:8.1f}  {ratio}  {clock}, peak {result['peak_mb'][name]:.0f} MB")
    print(f"nothing new in {files} files: {milliseconds:.1f} ms of CPU")
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
