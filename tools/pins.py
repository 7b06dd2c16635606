# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write requirements/*.txt: exact versions of every package, for each Python line (`make pins`).

The Pythons that are asked must be on this machine, except one line above the newest: pip can resolve for it from the wheels alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

from workbench import ROOT, Missing, find_python, say, venv_with

# (source, Python lines that are asked, file): what differs between the lines gets a marker, the last one serves those above it
WANTED: t.Tuple[t.Tuple[str, t.Tuple[str, ...], str], ...] = (
    ("run", ("3.10",), "run-py3.10"),
    ("run", ("3.11",), "run-py3.11"),
    ("run", ("3.12",), "run-py3.12"),
    ("run", ("3.13",), "run-py3.13"),
    ("run", ("3.14",), "run-py3.14"),
    ("engine", ("3.8",), "engine"),
    ("lowest", ("3.10",), "lowest"),
    ("newest", ("3.10", "3.11", "3.12"), "newest"),
    ("lint", ("3.10", "3.11", "3.12"), "lint"),
    ("nox", ("3.10",), "nox"),
    ("changelog", ("3.10", "3.11", "3.12"), "changelog"),
)

LICENCE = Path(__file__).read_text(encoding="utf-8").split("\n\n")[0]
HEAD = """\
{licence}

# Written by `make pins` from {source} for Python {line}; edit that file, not this one.
"""


def resolve(source: Path, line: str) -> t.List[str]:
    """Ask pip what it would install for this Python line; returns sorted `name==version` lines."""
    try:
        python, foreign = find_python([line]), []
    except Missing:
        python = find_python(["3.13", "3.12"])
        foreign = ["--python-version", line, "--only-binary=:all:", "--target", tempfile.gettempdir()]
    scratch = Path(tempfile.gettempdir()) / f"vigil-pins-{line}{'-foreign' if foreign else ''}"
    pip = venv_with(scratch, python, None)
    command = [str(pip), "-m", "pip", "install", "-q", "--dry-run", "--ignore-installed", "--report", "-", *foreign, "-r", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"pip cannot resolve {source.name} for Python {line}:\n{done.stderr}")
    report = json.loads(done.stdout[done.stdout.index("{") :])
    return sorted(f"{item['metadata']['name'].lower()}=={item['metadata']['version']}" for item in report["install"])


def merged(pins: t.Dict[str, t.List[str]]) -> t.List[str]:
    """One list for several Python lines: {"3.11": ["a==1"], "3.12": ["a==2"]} gives `a==1 ; python_version == "3.11"` and so on."""
    last = list(pins)[-1]
    found = []
    for pin in sorted({pin for line in pins.values() for pin in line}):
        lines = [line for line in pins if pin in pins[line]]
        if len(lines) == len(pins):
            found.append(pin)
        else:
            signs = [f'python_version {">=" if line == last else "=="} "{line}"' for line in lines]
            found.append(f"{pin} ; {' or '.join(signs)}")
    return found


def main() -> None:
    for name, lines, target in WANTED:
        source = ROOT / "requirements" / f"{name}.in"
        pins = {}
        for line in lines:
            say(f"resolve {source.name} for Python {line}")
            pins[line] = resolve(source, line)
        text = HEAD.format(licence=LICENCE, source=source.name, line=" and ".join(lines))
        (ROOT / "requirements" / f"{target}.txt").write_text(text + "".join(f"{pin}\n" for pin in merged(pins)), encoding="utf-8")


if __name__ == "__main__":
    main()
