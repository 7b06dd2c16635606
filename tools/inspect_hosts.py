# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make inspect`: prepare what the playbook needs, then become `ansible-playbook vigil.ops.inspect`.

Environment: INVENTORY (default: this host alone), EXTRA (more arguments), REPORT_DIR (default: report).
"""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import sys
import typing as t
from pathlib import Path

from workbench import (
    CACHE,
    REQUIREMENTS,
    ROOT,
    RUN_LINES,
    Failed,
    Missing,
    alone,
    find_python,
    installed_collection,
    line_of,
    say,
    venv_with,
)

VENV = ROOT / ".venv"


def prepared_python() -> Path:
    """The python of .venv; looks for interpreters only when the environment of the last time does not fit any more."""
    stamp = VENV / "vigil-stamp.json"
    if stamp.exists():
        python = Path(json.loads(stamp.read_text(encoding="utf-8"))["python"])
        if python.exists():
            return venv_with(VENV, python, pins_for(python))
    say("look for the newest Python of this machine")
    python = find_python(RUN_LINES)
    return venv_with(VENV, python, pins_for(python))


def pins_for(python: Path) -> Path:
    return REQUIREMENTS / f"run-py{line_of(python)}.txt"


def this_host() -> Path:
    """Write an inventory that holds only this machine."""
    name = socket.gethostname()
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", name):
        name = "localhost"
    host = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    place = CACHE / "this-host.yml"
    place.write_text(json.dumps({"all": {"hosts": {name: host}}}, indent=2) + "\n", encoding="utf-8")
    return place


def inventory() -> Path:
    """The inventory asked for; raises Missing when there is none at that path."""
    asked = os.environ.get("INVENTORY", "")
    if not asked:
        return this_host()
    place = Path(asked).expanduser().absolute()
    if not place.exists():
        raise Missing(f"INVENTORY={asked}: there is no such file or directory")
    return place


def environment(python: Path, collections: Path) -> t.Dict[str, str]:
    """The environment of the run: ours decides where Ansible looks, the rest is as it was."""
    env = dict(os.environ)
    for name in ("INVENTORY", "EXTRA", "REPORT_DIR", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHONHOME"):
        env.pop(name, None)
    env.update(
        PATH=f"{python.parent}{os.pathsep}{env.get('PATH', os.defpath)}",
        ANSIBLE_CONFIG=str(ROOT / "tools" / "ansible.cfg"),
        ANSIBLE_COLLECTIONS_PATH=str(collections),
        ANSIBLE_CALLBACK_PLUGINS=str(ROOT / "tools" / "callback_plugins"),
        ANSIBLE_STDOUT_CALLBACK=env.get("ANSIBLE_STDOUT_CALLBACK", "vigil_plain"),
    )
    if sys.getfilesystemencoding().lower() != "utf-8":
        env["LC_ALL"] = "C.UTF-8"
    return env


def main() -> None:
    try:
        with alone("prepare"):
            python = prepared_python()
            collections = installed_collection(python, CACHE / "collections")
            hosts = inventory()
        extra = shlex.split(os.environ.get("EXTRA", ""))
    except (Failed, Missing, ValueError) as problem:
        sys.exit(f"make inspect: {problem}")
    report = Path(os.environ.get("REPORT_DIR") or "report").expanduser().absolute()
    arguments = ["-i", str(hosts), "-e", json.dumps({"vigil_report_dir": str(report)}), "vigil.ops.inspect", *extra]
    os.chdir(str(ROOT))
    os.execve(str(python), [str(python), str(python.parent / "ansible-playbook"), *arguments], environment(python, collections))


if __name__ == "__main__":
    main()
