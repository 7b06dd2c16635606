# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written before a node boots: its own files in the upper layer, and the inventory of the lab."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

from lab_node import Node, run
from lab_rootfs import remove_tree

CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
SSHD = """ListenAddress {address}
Port {port}
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
UseDNS no
MaxStartups 100
"""


def node_files(node: Node, authorized: str) -> None:
    """Hostname, machine id, ssh keys, sshd settings, the host's CA bundle; `ready` is written last."""
    remove_tree(node.dir)
    node.dir.mkdir(parents=True)
    files = {
        "etc/hostname": node.name + "\n",
        "etc/machine-id": node.machine_id + "\n",
        "etc/hosts": f"127.0.0.1 localhost\n::1 localhost\n{node.address} {node.name}\n",
        "etc/ssh/sshd_config.d/lab.conf": SSHD.format(address=node.address, port=node.port),
        "root/.ssh/authorized_keys": authorized,
    }
    if CA_BUNDLE.exists():
        # a copy, not a mount: update-ca-certificates in the node replaces this file
        files[str(CA_BUNDLE)[1:]] = CA_BUNDLE.read_text()
        files["etc/pip.conf"] = f"[global]\ncert = {CA_BUNDLE}\n"
    for path, text in files.items():
        _put(node, path, text)
    key = node.dir / "store/upper/etc/ssh/ssh_host_ed25519_key"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", node.name, "-f", str(key)])
    _trust(node, key.with_suffix(".pub").read_text())
    (node.dir / "ready").touch()


def _put(node: Node, path: str, text: str) -> None:
    """Write into the upper layer. Its folders hide those of the image, so they take over their modes."""
    upper = node.dir / "store/upper"
    upper.mkdir(parents=True, exist_ok=True)
    place = Path()
    for part in Path(path).parent.parts:
        place = place / part
        below = node.rootfs / place
        (upper / place).mkdir(exist_ok=True)
        (upper / place).chmod(below.stat().st_mode & 0o7777 if below.is_dir() else 0o700)
    (upper / path).write_text(text)
    (upper / path).chmod(0o644)


def _trust(node: Node, public_key: str) -> None:
    """Put the node's host key in the lab's known_hosts, in place of an older one."""
    known = node.dir.parent.parent / "known_hosts"
    host = node.address if node.port == 22 else f"[{node.address}]:{node.port}"
    lines = known.read_text().splitlines() if known.exists() else []
    lines = [line for line in lines if not line.startswith(host + " ")]
    known.write_text("\n".join([*lines, f"{host} {' '.join(public_key.split()[:2])}"]) + "\n")


def write_inventory(path: Path, nodes: t.Sequence[Node], key: Path, control_dir: Path) -> None:
    """hosts.ini for `ansible -i`; ControlMaster is ansible's own default, its sockets go to `control_dir`."""
    hosts = [f"{node.name} ansible_host={node.address} ansible_port={node.port}" for node in nodes]
    args = f"-F /dev/null -o UserKnownHostsFile={path.parent}/known_hosts -o StrictHostKeyChecking=accept-new -o IdentitiesOnly=yes"
    settings = {
        "ansible_user": "root",
        "ansible_ssh_private_key_file": key,
        "ansible_ssh_common_args": f"'{args}'",
        "ansible_control_path_dir": control_dir,
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    lines = ["[lab]", *hosts, "", "[lab:vars]", *(f"{name}={value}" for name, value in settings.items())]
    path.write_text("\n".join(lines) + "\n")


def overlay_works(place: Path, lower: Path) -> bool:
    """Whether the file system of `place` can be the upper layer (an overlay itself cannot)."""
    trial = place / "nodes" / ".trial"
    for part in ("upper", "work", "root"):
        (trial / part).mkdir(parents=True, exist_ok=True)
    options = f"lowerdir={lower},upperdir={trial}/upper,workdir={trial}/work"
    argv = ["unshare", "--mount", "--propagation", "private", "mount", "-t", "overlay", "overlay", "-o", options, str(trial / "root")]
    works = subprocess.run(argv, capture_output=True, check=False, timeout=30).returncode == 0
    remove_tree(trial)
    return works
