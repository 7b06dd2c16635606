# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast a tree is backed up and restored, against restic, borg, rsync --link-dest and tar --listed-incremental.

    python3 tests/bench/backup/bench.py [--only initial,none,some,restore,one,size,task,linear] [--rounds 3] [--files 20000] [--json FILE]

Peers take part when they are there (Debian: restic, borgbackup, rsync, tar, zstd). All sides of a part take turns on the same tree, so a busy machine
slows all of them. What a side writes is on the disk when its time ends: a peer that does not see to that is followed by ``sync -f``. Nothing is
deleted between the turns, as a file system is slow to make new files where many were deleted just before.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "dns"))

from turns import BenchError, last_json

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
CACHE = ROOT / ".cache" / "bench"
PARTS = ("initial", "none", "some", "restore", "one", "size", "task", "linear")
MEMORY = 150  # MB
LINEAR = 200_000
Said = t.Dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Sample:
    """One run: seconds by the clock, CPU seconds, most memory in MB, what it said."""

    wall: float
    cpu: float
    peak: float
    said: str


class Side:
    """A way to back up. Commands are of the shell; {tree}, {repo} and {dest} are filled in.

    :ivar number: counts repositories and places that were restored to, of which each is fresh
    """

    def __init__(self, name: str, init: str, backup: str, restore: str, one: str, needs: t.Sequence[str] = ()) -> None:
        self.name, self.init, self.backup, self.restore, self.one, self.needs = name, init, backup, restore, one, needs


def ours(compression: str) -> Side:
    def command(what: str, more: str = "") -> str:
        options = f'"repository": "{{repo}}"{more}'
        return f"{shlex.quote(sys.executable)} {shlex.quote(str(HERE / 'flow.py'))} {what} '{{{{{options}}}}}'"

    return Side(
        f"ours, {compression}",
        "true",
        command("backup", f', "paths": ["{{tree}}"], "compression": "{compression}"'),
        command("restore", ', "dest": "{dest}"'),
        command("restore", ', "dest": "{dest}", "paths": ["{file}"]'),
    )


RESTIC = "export RESTIC_PASSWORD=x RESTIC_CACHE_DIR={repo}.cache; restic -q -r {repo}"
BORG = "export BORG_BASE_DIR={repo}.base BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes; borg"
SYNC = "; sync -f {dest}"
LAST = "$(borg list --short --last 1 {repo})"
NOW = "$(ls {repo} | wc -l)"


def tar(name: str, suffix: str, press: str) -> Side:
    return Side(
        f"tar -g, {name}",
        "mkdir {repo}",
        f"tar -C {{tree}} -g {{repo}}/state {press} -cf {{repo}}/{NOW}.{suffix} . && sync -f {{repo}}",
        "mkdir {dest}; for each in $(ls {repo}/*." + suffix + f" | sort -V); do tar -C {{dest}} {press} -xpf $each; done{SYNC}",
        "mkdir {dest}; for each in $(ls {repo}/*." + suffix + f" | sort -V); do tar -C {{dest}} {press} -xpf $each ./{{short}}; done; true",
        ("tar", name),
    )


PEERS = [
    Side(
        "restic",
        f"{RESTIC} init",
        f"{RESTIC} backup {{tree}}",
        f"{RESTIC} restore latest --target {{dest}}{SYNC}",
        f"{RESTIC} restore latest --target {{dest}} --include {{file}}",
        ("restic",),
    ),
    Side(
        "borg",
        f"{BORG} init -e none {{repo}}",
        f"{BORG} create -C lz4 {{repo}}::$(date +%s.%N) {{tree}}",
        f"mkdir {{dest}}; cd {{dest}}; {BORG} extract {{repo}}::{LAST}{SYNC}",
        f"mkdir {{dest}}; cd {{dest}}; {BORG} extract {{repo}}::{LAST} {{bare}}",
        ("borg",),
    ),
    Side(
        "rsync",
        "mkdir {repo}",
        f"rsync -a --link-dest={{repo}}/$(ls {{repo}} | sort -n | tail -1) {{tree}}/ {{repo}}/{NOW} && sync -f {{repo}}",
        f"rsync -a {{repo}}/$(ls {{repo}} | sort -n | tail -1)/ {{dest}}{SYNC}",
        "mkdir {dest}; cp -a {repo}/$(ls {repo} | sort -n | tail -1)/{short} {dest}",
        ("rsync",),
    ),
    tar("gzip", "tar.gz", "-z"),
    tar("zstd", "tar.zst", "--zstd"),
]


class Bench:
    """What the parts share.

    :ivar found: part -> side -> samples
    """

    def __init__(self, home: Path, rounds: int, files: int) -> None:
        self.home, self.rounds, self.files = home, rounds, files
        self.bin = Path(os.environ.get("VIGIL_TEST_BIN", Path(sys.executable).parent))
        foreign = ("ANSIBLE_", "VIGIL_", "XDG_", "RESTIC_", "BORG_")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        self.env.pop("PYTHONDONTWRITEBYTECODE", None)
        self.env["PYTHONPYCACHEPREFIX"] = str(home / "bytecode")  # ours is compiled once, as the others are
        collections = os.environ.get("VIGIL_TEST_COLLECTIONS", os.environ.get("ANSIBLE_COLLECTIONS_PATH", str(ROOT.parent.parent.parent)))
        self.env.update(
            PATH=f"{self.bin}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            HOME=str(home),
            LC_ALL="C.UTF-8",
            PYTHONPATH=os.environ.get("PYTHONPATH", collections),
            ANSIBLE_COLLECTIONS_PATH=collections,
            ANSIBLE_CONFIG=str(ROOT / "tools" / "ansible.cfg"),
            ANSIBLE_HOME=str(home / ".ansible"),
            ANSIBLE_NOCOLOR="1",
        )
        self.tree = home / "tree"
        self.sides = [ours("gzip"), ours("zstd")]
        for peer in PEERS:
            lacking = [need for need in peer.needs if not shutil.which(need)]
            if lacking:
                print(f"left out: {peer.name}, as {', '.join(lacking)} is missing")
            else:
                self.sides.append(peer)
        self.found: t.Dict[str, t.Dict[str, t.List[Sample]]] = {}
        self.sizes: t.Dict[str, int] = {}
        self._number = 0

    def repo(self, side: Side, which: t.Any = "kept") -> Path:
        return self.home / f"repo-{side.name.replace(' ', '').replace(',', '-')}-{which}"

    def run(self, side: Side, command: str, which: t.Any = "kept") -> Sample:
        """Run a command of a side once.

        :raises BenchError: it failed
        """
        self._number += 1
        file = self.tree / "etc07" / "app033" / f"f{20 * 33 + 7:06d}.conf"
        short = file.relative_to(self.tree)
        text = command.format(
            tree=self.tree,
            repo=self.repo(side, which),
            dest=self.home / f"dest{self._number}",
            file=file,
            bare=str(file)[1:],
            short=short,
        )
        os.sync()
        log = self.home / "last.log"
        with open(log, "w") as output:
            begin = time.monotonic()
            process = subprocess.Popen(
                ["/bin/bash", "-c", text], env=self.env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.home
            )
            _pid, status, used = os.wait4(process.pid, 0)
            wall = time.monotonic() - begin
            process.returncode = os.waitstatus_to_exitcode(status)
        said = log.read_text(errors="replace")
        if process.returncode:
            raise BenchError(f"{side.name} ended with {process.returncode}: {text}\n{said[-2000:]}")
        return Sample(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said)

    def turns(self, part: str, title: str, run: t.Callable[[Side, int], Sample]) -> None:
        """Let the sides take turns and print what each took."""
        print(f"\n== {part}: {title}", flush=True)
        found = self.found.setdefault(part, {side.name: [] for side in self.sides})
        for number in range(self.rounds):
            for side in self.sides:
                found[side.name].append(run(side, number))
            line = "   ".join(f"{side.name} {found[side.name][-1].wall:.2f}/{found[side.name][-1].cpu:.2f}" for side in self.sides)
            print(f"round {number + 1} (wall/CPU seconds): {line}", flush=True)
        for side in self.sides:
            runs = found[side.name]
            print(
                f"{side.name}: median {_median(runs):.2f} s, CPU {_median(runs, 'cpu'):.2f} s, at most {max(one.peak for one in runs):.0f} MB"
            )

    def compare(self, part: str, one: str, others: t.Sequence[str], aim: float) -> None:
        """One side against the fastest of others, round by round."""
        found = self.found[part]
        there = [other for other in others if other in found]
        if not there:
            return
        for what in ("wall", "cpu"):
            ratio = statistics.median(
                getattr(found[one][number], what) / min(getattr(found[other][number], what) for other in there)
                for number in range(self.rounds)
            )
            missed = ", MISSED" if ratio > aim and what == "wall" else ""
            print(
                f"{one}: {ratio:.2f} x the {'time' if what == 'wall' else 'CPU'} of {' or '.join(there)} (aim: at most {aim:g}{missed})",
                flush=True,
            )


def trees(*argv: t.Any) -> int:
    """See trees.py; its number."""
    done = subprocess.run([sys.executable, str(HERE / "trees.py"), *map(str, argv)], capture_output=True, text=True, check=True)
    return int(done.stdout)


def _median(runs: t.Sequence[Sample], what: str = "wall") -> float:
    return statistics.median(getattr(one, what) for one in runs)


def _expect(sample: Sample, **wanted: t.Any) -> Sample:
    """A run of ours that did something else does not count."""
    if "{" in sample.said:
        said = last_json(sample.said)
        if any(said[key] != value for key, value in wanted.items()):
            raise BenchError(f"{said} instead of {wanted}")
    return sample


def initial(bench: Bench) -> None:
    def run(side: Side, number: int) -> Sample:
        which = "kept" if number == 0 else number
        bench.run(side, side.init, which)
        return _expect(bench.run(side, side.backup, which), changed=True)

    bench.turns("initial", f"the first backup of {bench.files} files", run)
    bench.compare("initial", "ours, gzip", ["restic"], 1.0)
    bench.compare("initial", "ours, zstd", ["restic"], 0.7)


def none(bench: Bench) -> None:
    bench.turns("none", "nothing has changed", lambda side, _number: _expect(bench.run(side, side.backup), changed=False))
    for one in ("ours, gzip", "ours, zstd"):
        bench.compare("none", one, ["restic", "borg"], 0.3)


def some(bench: Bench) -> None:
    changed = 0

    def run(side: Side, number: int) -> Sample:
        nonlocal changed
        if side is bench.sides[0]:
            changed = trees("change", bench.tree, 0.01, number)
            time.sleep(3)  # what was written this very moment is read twice by ours, and not at all by some others
        return _expect(bench.run(side, side.backup), modified=changed)

    bench.turns("some", "a line was appended to 1 % of the files before each round", run)
    for one in ("ours, gzip", "ours, zstd"):
        bench.compare("some", one, ["restic", "borg"], 0.4)


def restore(bench: Bench) -> None:
    bench.turns("restore", "all files into an empty directory, brought to the disk", lambda side, _number: bench.run(side, side.restore))
    for one in ("ours, gzip", "ours, zstd"):
        bench.compare("restore", one, ["restic"], 1.0)
        peak = max(sample.peak for part in bench.found.values() for sample in part[one])
        print(f"{one}: {peak:.0f} MB at most in all parts (aim: less than {MEMORY}{'' if peak < MEMORY else ', MISSED'})")
    last = next(iter(sorted(bench.home.glob("dest*"), key=lambda each: int(each.name[4:]))))
    done = subprocess.run(["diff", "-r", str(bench.tree), f"{last}{bench.tree}"], capture_output=True, text=True, check=False)
    print(f"diff -r of the tree and what came back: {'the same' if done.returncode == 0 else 'MISSED ' + done.stdout[-500:]}")


def one(bench: Bench) -> None:
    bench.turns("one", "one file out of the middle", lambda side, _number: bench.run(side, side.one))
    for each in ("ours, gzip", "ours, zstd"):
        bench.compare("one", each, ["restic", "borg"], 1.0)


def size(bench: Bench) -> None:
    print("\n== size of the repository, MB")
    for side in bench.sides:
        place = bench.repo(side)
        argv = ["du", "-s", "--apparent-size", "-B1", str(place)]
        bench.sizes[side.name] = int(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()[0])
        print(f"{side.name}: {bench.sizes[side.name] / 1e6:.1f}")
    for each in ("ours, gzip", "ours, zstd"):
        if "restic" in bench.sizes:
            ratio = bench.sizes[each] / bench.sizes["restic"]
            print(f"{each}: {ratio:.3f} x the size of restic (aim: at most 1.1{'' if ratio <= 1.1 else ', MISSED'})")


def task(bench: Bench) -> None:
    """The module in a playbook, and a playbook without it."""
    options = {"paths": [str(bench.tree)], "repository": str(bench.home / "task"), "name": "job"}
    inventory = bench.home / "hosts.ini"
    inventory.write_text(f"localhost ansible_connection=local ansible_python_interpreter={sys.executable}\n")
    walls = []
    for name, tasks in (("backup", [{"vigil.ops.backup": options}]), ("debug", [{"ansible.builtin.debug": {"msg": "done"}}])):
        place = bench.home / f"{name}.json"
        place.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
        side = Side(name, "", f"{bench.bin / 'ansible-playbook'} -i {inventory} {place}", "", "")
        bench.run(side, side.backup)
        samples = [bench.run(side, side.backup) for _round in range(bench.rounds)]
        walls.append((_median(samples), _median(samples, "cpu")))
    print("\n== task: the module in a playbook where nothing has changed, start of Ansible included")
    print(f"backup {walls[0][0]:.2f} s, CPU {walls[0][1]:.2f} s; one debug {walls[1][0]:.2f} s, CPU {walls[1][1]:.2f} s")


def linear(bench: Bench) -> None:
    """Ten times as many files take ten times as long, and little memory."""
    print(f"\n== linear: {LINEAR} files of 100 to 1000 bytes", flush=True)
    small, tree = bench.tree, bench.home / "large"
    trees("make", tree, LINEAR, 100, 1000)
    bench.tree = tree
    try:
        for side in bench.sides[:2]:
            first = _expect(bench.run(side, side.backup, "large"), changed=True, added=LINEAR + 2021)
            time.sleep(3)
            runs = [_expect(bench.run(side, side.backup, "large"), changed=False) for _round in range(bench.rounds)]
            changed = trees("change", tree, 0.01, side.name)
            time.sleep(3)
            some = _expect(bench.run(side, side.backup, "large"), modified=changed)
            back = bench.run(side, side.restore, "large")
            peak = max(one.peak for one in (first, *runs, some, back))
            for what, run in (("initial", first), ("none", runs[-1]), ("1 %", some), ("restore", back)):
                print(f"{side.name}, {what}: {run.wall:.2f} s, CPU {run.cpu:.2f} s, {run.peak:.0f} MB")
            print(f"{side.name}: {peak:.0f} MB at most (aim: less than {MEMORY}{'' if peak < MEMORY else ', MISSED'})")
            if "none" in bench.found and bench.files:
                ratio = (_median(runs, "cpu") / LINEAR) / (_median(bench.found["none"][side.name], "cpu") / bench.files)
                print(f"{side.name}: {ratio:.2f} x the CPU a file of {bench.files} (aim: at most 1.2{'' if ratio <= 1.2 else ', MISSED'})")
    finally:
        bench.tree = small


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure backup and restore against restic, borg, rsync and tar.")
    parser.add_argument(
        "--only", default=",".join(PARTS), help=f"parts, of {','.join(PARTS)}; initial, none and size need the ones before them"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--json", type=Path, default=CACHE / "backup.json")
    parser.add_argument("--scratch", type=Path, help="directory on a real disk, with 10 GB")
    args = parser.parse_args()
    wanted = args.only.split(",")
    if set(wanted) - set(PARTS) or args.rounds < 1 or args.files < 1000:
        parser.error(f"--only takes {','.join(PARTS)}, --rounds 1 or more, --files 1000 or more")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}")
    with tempfile.TemporaryDirectory(prefix="vigil-bench-", dir=args.scratch) as home:
        bench = Bench(Path(home), args.rounds, args.files)
        for side in bench.sides:
            print(f"{side.name}: {side.backup}")
        total = trees("make", bench.tree, args.files, 1024, 50 * 1024)
        print(f"tree: {args.files} files, {total / 1e6:.1f} MB", flush=True)
        os.sync()
        time.sleep(3)
        parts = {
            "initial": initial,
            "none": none,
            "some": some,
            "restore": restore,
            "one": one,
            "size": size,
            "task": task,
            "linear": linear,
        }
        try:
            for part in PARTS:
                if part in wanted or part == "initial":
                    parts[part](bench)
        except BenchError as exc:
            print(f"bench.py: {exc}", file=sys.stderr)
            return 1
        found = {
            part: {name: [dataclasses.astuple(one)[:3] for one in runs] for name, runs in sides.items()}
            for part, sides in bench.found.items()
        }
        sizes = bench.sizes
    args.json.parent.mkdir(parents=True, exist_ok=True)
    about = {"python": platform.python_version(), "cores": os.cpu_count(), "load": os.getloadavg(), "time": time.time()}
    args.json.write_text(json.dumps({"about": about, "parts": found, "sizes": sizes}, indent=2) + "\n")
    print(f"\nWritten: {args.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
