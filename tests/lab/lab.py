# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boots real systemd nodes with sshd on this machine, for integration tests and for a try-out.

    python3 tests/lab/lab.py up --nodes 3        # prints the path of the inventory
    python3 tests/lab/lab.py exec node1 -- systemctl --failed
    python3 tests/lab/lab.py down

From a test (tests/lab on sys.path, or the fixture `lab` of fixtures.py):

    lab = Lab(tmp_path); lab.up(3)
    lab.node(1).ssh("systemctl stop cron"); lab.kill(2); lab.start(2); lab.node(2).wait(); lab.reboot(3); lab.down()

A node is a systemd-nspawn container on an overlay of its own, which survives stop, kill and reboot until `down`. All nodes
share the network of the host and listen on loopback addresses of their own (127.0.1.1, 127.0.1.2, ...): let a service in a
node listen on that node's address only. Needs root; on Debian and Ubuntu missing programs are installed by apt-get.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import typing as t
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from lab_files import node_files, overlay_works, write_inventory
from lab_net import RUN, claimed, free_range, locked
from lab_node import LabError, Node, all_pids, proc_strings, run
from lab_rootfs import cache_dir, need_programs, remove_tree, rootfs

MAX_NODES = 50


def default_dir() -> Path:
    return cache_dir() / "default"


class Lab:
    """The nodes of one directory. Labs in different directories may be up at the same time."""

    def __init__(self, place: str | os.PathLike[str] | None = None, say: t.Callable[[str], None] = print) -> None:
        self.dir = Path(place or default_dir()).resolve()
        self.say = say
        self.id = hashlib.sha256(str(self.dir).encode()).hexdigest()[:8]
        self.run_dir = RUN / self.id  # short: paths of ssh control sockets are limited to 107 bytes

    # -- what tests use -------------------------------------------------------------------------------------------

    @property
    def inventory(self) -> Path:
        return self.dir / "hosts.ini"

    @property
    def key(self) -> Path:
        return self.dir / "id_ed25519"

    def node(self, number: int) -> Node:
        """The node with this number, from 1."""
        settings = self._settings()
        if not settings or not 1 <= number <= settings["nodes"]:
            raise LabError(f"there is no node{number} in the lab of {self.dir}: it has {settings.get('nodes', 0)} nodes")
        return self._node(number, settings)

    def nodes(self) -> list[Node]:
        settings = self._settings()
        return [self._node(number, settings) for number in range(1, settings.get("nodes", 0) + 1)]

    def start(self, number: int) -> None:
        """Boot a stopped or killed node; `node(i).wait()` waits for it."""
        self.node(number).start()

    def stop(self, number: int) -> None:
        self.node(number).stop()

    def kill(self, number: int) -> None:
        """A power cut: everything in the node ends at once, what it wrote stays."""
        self.node(number).kill()

    def reboot(self, number: int) -> float:
        """Orderly reboot with the overlay kept; the seconds until it is running again."""
        begin = time.monotonic()
        self.stop(number)
        self.start(number)
        self.node(number).wait()
        return time.monotonic() - begin

    def up(self, count: int = 3, packages: t.Sequence[str] = (), timeout: float = 90) -> bool:
        """Boot what is not running of `count` nodes and wait; False when all of them were up. Raises LabError."""
        if not 1 <= count <= MAX_NODES:
            raise LabError(f"a lab has 1 to {MAX_NODES} nodes, not {count}")
        if any(sign in str(self.dir) for sign in ":,\\ \t\n"):
            raise LabError(f"choose a lab directory without colon, comma, backslash and blank (overlay mounts read those): {self.dir}")
        need_programs(self.say)
        with locked(self.id):
            image = rootfs(packages or self._settings().get("packages", ()), self.say)
            settings = self._claim(count, packages, image)
            nodes = [self._node(number, settings) for number in range(1, settings["nodes"] + 1)]
            asleep = [node for node in nodes if not node.alive()]
            if asleep:
                self._prepare(nodes)
            begin = time.monotonic()
            for node in asleep:
                node.start()
        for node in nodes:
            node.wait(timeout)
            if node in asleep:
                self.say(f"{node.name} at {node.address} port {node.port} is up after {time.monotonic() - begin:.1f} s")
        return bool(asleep)

    def down(self, purge: bool = False) -> None:
        """End the processes of this lab, unmount, remove its directory. Says nothing when there is nothing. Keeps the node image."""
        with locked(self.id):
            self._end_ssh_masters()
            for node in self._leftovers():
                node.kill()
            if os.path.ismount(self.dir / "nodes"):
                run(["umount", str(self.dir / "nodes")])
            if self.dir.is_dir():
                self._remove_dir()
            for claim in RUN.glob("127.0.*"):
                if claim.read_text() == str(self.dir):
                    claim.unlink()
            shutil.rmtree(self.run_dir, ignore_errors=True)
        if purge:
            self._purge()

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.down()

    # -- how ------------------------------------------------------------------------------------------------------

    def _settings(self) -> dict[str, t.Any]:
        """nodes (count), net ("127.0.1"), port, packages, rootfs; empty when the lab is not set up."""
        try:
            return dict(json.loads((self.dir / "lab.json").read_text()))
        except (OSError, ValueError):
            return {}

    def _node(self, number: int, settings: dict[str, t.Any]) -> Node:
        name = f"node{number}"
        machine = f"vl{self.id}-{name}"
        known, key = self.dir / "known_hosts", self.key
        args = ("-F", "/dev/null", "-i", str(key), "-o", f"UserKnownHostsFile={known}", "-o", "StrictHostKeyChecking=accept-new")
        return Node(
            number=number,
            name=name,
            address=f"{settings.get('net', '127.0.1')}.{number}",
            port=settings.get("port", 22),
            dir=self.dir / "nodes" / name,
            rootfs=Path(settings.get("rootfs", "/nonexistent")),
            machine=machine,
            machine_id=hashlib.sha256(machine.encode()).hexdigest()[:32],
            ssh_args=(*args, "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR"),
        )

    def _claim(self, count: int, packages: t.Sequence[str], image: Path) -> dict[str, t.Any]:
        """Write lab.json with an address range that no other lab and no other program uses."""
        with locked("claims"):
            settings = self._settings() or {"nodes": 0, "packages": list(packages)}
            if "net" not in settings:
                settings["net"], settings["port"] = free_range(count, self.dir)
                (RUN / settings["net"]).write_text(str(self.dir))
            settings.update(nodes=max(count, settings["nodes"]), rootfs=str(image))
            self.dir.mkdir(parents=True, exist_ok=True)
            (self.dir / "lab.json.new").write_text(json.dumps(settings))
            (self.dir / "lab.json.new").rename(self.dir / "lab.json")
        self.run_dir.mkdir(mode=0o700, exist_ok=True)
        return settings

    def _prepare(self, nodes: t.Sequence[Node]) -> None:
        """Keys, inventory, and the files of nodes that have none yet."""
        if not self.key.exists():
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "vigil.ops lab", "-f", str(self.key)])
        (self.dir / "nodes").mkdir(exist_ok=True)
        if not overlay_works(self.dir, nodes[0].rootfs) and not os.path.ismount(self.dir / "nodes"):
            self.say(f"{self.dir} cannot hold the upper layer of an overlay: the nodes live in memory")
            run(["mount", "-t", "tmpfs", "-o", "mode=755", "vigil-lab", str(self.dir / "nodes")])
        for node in nodes:
            if not (node.dir / "ready").exists():
                node_files(node, self.key.with_suffix(".pub").read_text())
        write_inventory(self.inventory, nodes, self.key, self.run_dir)

    def _leftovers(self) -> list[Node]:
        """Every node that has files or a process, whatever the settings say."""
        numbers = {int(path.name[4:]) for path in (self.dir / "nodes").glob("node[0-9]*")}
        prefix = f"vl{self.id}-node".encode()
        for pid in all_pids():
            argv = proc_strings(pid, "cmdline")
            if any(name.endswith((b"systemd-nspawn", b"/node.sh")) for name in argv[:2]):
                numbers.update(int(word[len(prefix) :]) for word in argv if word.startswith(prefix))
        return [self._node(number, self._settings()) for number in sorted(numbers)]

    def _end_ssh_masters(self) -> None:
        """Ansible keeps ssh connections open for a minute; ask those of this lab to end."""
        for sock in self.run_dir.glob("*"):
            subprocess.run(["ssh", "-O", "exit", "-S", str(sock), "lab"], capture_output=True, check=False, timeout=10)

    def _remove_dir(self) -> None:
        """Remove what this lab made, and the directory when nothing else is in it."""
        remove_tree(self.dir / "nodes")
        for name in ("id_ed25519", "id_ed25519.pub", "known_hosts", "known_hosts.old", "hosts.ini", "lab.json", "lab.json.new"):
            (self.dir / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.dir.rmdir()

    def _purge(self) -> None:
        others = [claim.read_text() for claim in RUN.glob("127.0.*") if claimed(claim.name, self.dir)]
        if others:
            self.say(f"the node image stays: {', '.join(others)} may use it")
            return
        remove_tree(cache_dir() / "rootfs")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab.py", description="Real systemd nodes with sshd on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    parts = {
        "up": commands.add_parser("up", help="boot nodes, write the inventory, wait until they run"),
        "down": commands.add_parser("down", help="end the nodes and remove what they left"),
        "status": commands.add_parser("status", help="list the nodes"),
        "reboot": commands.add_parser("reboot", help="reboot a node, its files are kept"),
        "exec": commands.add_parser("exec", help="run a command on a node over ssh"),
    }
    for part in parts.values():
        part.add_argument("--dir", type=Path, default=None, help=f"where the lab lives (default {default_dir()})")
    parts["up"].add_argument("--nodes", type=int, default=3)
    parts["up"].add_argument("--packages", default="", help="further Debian packages for the image, separated by commas")
    parts["down"].add_argument("--purge", action="store_true", help="remove the cached node image as well")
    for name in ("reboot", "exec"):
        parts[name].add_argument("node", help="node1, or 1")
    parts["exec"].add_argument("argv", nargs=argparse.REMAINDER, help="-- command")
    return parser


def _number(word: str) -> int:
    digits = word[4:] if word.startswith("node") else word
    if not digits.isdigit():
        raise LabError(f"{word!r} is not a node: say node1, or 1")
    return int(digits)


def _exec(node: Node, argv: list[str]) -> int:
    words = argv[1:] if argv[:1] == ["--"] else argv
    tty = ["-t"] if sys.stdin.isatty() and not words else []
    return subprocess.run([*node.ssh_argv(*tty), "--", *words], check=False).returncode


def _status(lab: Lab) -> int:
    nodes = lab.nodes()
    for node in nodes:
        print(f"{node.name}  {node.address}  port {node.port}  {node.state()}")
    print(f"Inventory: {lab.inventory}" if nodes else f"no lab in {lab.dir}")
    return 0 if nodes else 1


def main(argv: list[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    lab = Lab(args.dir)
    try:
        if args.command == "up":
            booted = lab.up(args.nodes, [word for word in args.packages.split(",") if word])
            if not booted:
                print(f"the lab is already up: {len(lab.nodes())} nodes")
            print(f"Inventory: {lab.inventory}")
        elif args.command == "down":
            lab.down(purge=args.purge)
            print(f"the lab of {lab.dir} is down")
        elif args.command == "status":
            return _status(lab)
        elif args.command == "reboot":
            print(f"{args.node} is up again after {lab.reboot(_number(args.node)):.1f} s")
        else:
            return _exec(lab.node(_number(args.node)), args.argv)
    except (LabError, subprocess.TimeoutExpired) as exc:
        print(f"lab.py: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
