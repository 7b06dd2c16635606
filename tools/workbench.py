# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tools share: finding Pythons, environments with pinned packages, the built and installed collection.

Plain Python 3.8, standard library alone: these files run before anything is installed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
REQUIREMENTS = ROOT / "requirements"
RUN_LINES = ("3.14", "3.13", "3.12", "3.11", "3.10")
ALL_LINES = (*RUN_LINES, "3.9", "3.8")

# what the collection is made of; a change in any of these makes a new build
PARTS = (
    "galaxy.yml",
    "meta",
    "plugins",
    "roles",
    "playbooks",
    "extensions",
    "docs",
    "README.md",
    "LICENSE",
    "LICENSES",
    "CHANGELOG.md",
    "CHANGELOG.rst",
)

# a Python counts when it runs and can make environments; a shim that only prints an error does not
PROBE = "import ensurepip, sqlite3, ssl, sys, venv; print('%d.%d' % sys.version_info[:2])"


class Missing(Exception):
    """Something this machine lacks; the text says what to install."""


class Failed(Exception):
    """A step that went wrong; the text holds what the program said."""


def say(text: str) -> None:
    """One plain line for the person who waits."""
    print(f"-- {text}", flush=True)


def run(command: t.Sequence[t.Union[str, Path]], what: str, **kwargs: t.Any) -> str:
    """Run a quiet step and return its output; raises Failed with everything it said when it fails."""
    argv = [str(part) for part in command]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False, **kwargs)
    if done.returncode:
        raise Failed(f"{done.stdout.rstrip()}\n{what} failed (exit code {done.returncode}); the reason stands above.")
    return done.stdout


@contextlib.contextmanager
def alone(name: str) -> t.Iterator[None]:
    """Hold a lock of this checkout, so that two runs at once do not write the same place."""
    CACHE.mkdir(exist_ok=True)
    with open(CACHE / f"{name}.lock", "w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _runs_as(candidate: Path) -> t.Optional[str]:
    """The line ("3.12") this interpreter really is, or None."""
    if not os.access(candidate, os.X_OK):
        return None
    try:
        done = subprocess.run(
            [str(candidate), "-I", "-c", PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _places(line: str) -> t.Iterator[Path]:
    """Where an interpreter of this line may lie: PATH first, then the usual homes of pyenv and uv."""
    for directory in os.environ.get("PATH", os.defpath).split(os.pathsep):
        if directory:
            yield Path(directory) / f"python{line}"
    for directory in ("/usr/bin", "/usr/local/bin"):
        yield Path(directory) / f"python{line}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for home in (pyenv / "versions", Path.home() / ".local/share/uv/python"):
        yield from sorted(home.glob(f"*{line}.*/bin/python{line}"), reverse=True)


def find_python(lines: t.Sequence[str]) -> Path:
    """The first line of the list that this machine really has; raises Missing."""
    for line in lines:
        for candidate in _places(line):
            if _runs_as(candidate) == line:
                return candidate
    for generic in ("python3", sys.executable):
        found = shutil.which(generic)
        if found and _runs_as(Path(found)) in lines:
            return Path(found)
    wanted = lines[0] if len(lines) == 1 else f"{lines[-1]} to {lines[0]}"
    raise Missing(
        f"no Python {wanted} with venv on this machine (Debian and Ubuntu: apt-get install python3-venv; or pyenv install {lines[0]})"
    )


def path_of_pythons(lines: t.Sequence[str]) -> str:
    """A PATH on which each `python3.N` is one that runs: shims that only print an error are left out, homes of real ones put in front."""
    names = [f"python{line}" for line in lines]
    homes = []
    for line in lines:
        with contextlib.suppress(Missing):
            homes.append(find_python([line]).parent)
    rest = [Path(place) for place in os.environ.get("PATH", os.defpath).split(os.pathsep) if place]
    honest = [place for place in rest if all(_runs_as(place / name) for name in names if (place / name).exists())]
    return os.pathsep.join(str(place) for place in dict.fromkeys([*homes, *honest]))


def line_of(python: Path) -> str:
    """ "3.12" of an interpreter that find_python gave."""
    line = _runs_as(python)
    if line is None:
        raise Missing(f"{python} does not run")
    return line


def venv_with(place: Path, python: Path, pins: t.Optional[Path]) -> Path:
    """An environment with exactly these packages; made or renewed only when Python, pins or place changed. Returns its python."""
    stamp, inside = place / "vigil-stamp.json", place / "bin" / "python"
    text = pins.read_text(encoding="utf-8") if pins else ""
    wanted = {"place": str(place), "python": str(python), "pins": hashlib.sha256(text.encode()).hexdigest()}
    if inside.exists() and stamp.exists() and json.loads(stamp.read_text(encoding="utf-8")) == wanted:
        return inside
    say(f"make the Python environment {shown(place)} with {python}")
    run([python, "-m", "venv", "--clear", place], "Making the environment")
    if pins:
        say(f"install pinned packages ({shown(pins)})")
        run([inside, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input", "-r", pins], "pip install")
    stamp.write_text(json.dumps(wanted), encoding="utf-8")
    return inside


def shown(path: Path) -> str:
    """A path as a person would write it from the checkout."""
    try:
        return str(path.relative_to(ROOT))
    except ValueError:
        return str(path)


def _source_files() -> t.Iterator[Path]:
    for part in PARTS:
        top = ROOT / part
        if top.is_file():
            yield top
        for found in sorted(top.rglob("*")):
            if found.is_file() and "__pycache__" not in found.parts:
                yield found


def sources_hash() -> str:
    """One hash over names, modes and contents of everything that is built."""
    digest = hashlib.sha256()
    for found in _source_files():
        digest.update(f"{found.relative_to(ROOT)}\0{found.stat().st_mode & 0o777:o}\0".encode("utf-8", "surrogateescape"))
        digest.update(hashlib.sha256(found.read_bytes()).digest())
    return digest.hexdigest()


def installed_collection(python: Path, place: Path) -> Path:
    """Build the tarball and install it below `place`; does nothing when the sources are those of the last time.

    Returns `place`, ready for ANSIBLE_COLLECTIONS_PATH.
    """
    stamp, wanted = place / "vigil-stamp", sources_hash()
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return place
    say("build and install the collection")
    tarball = build(python, place / "build")
    shutil.rmtree(place / "ansible_collections", ignore_errors=True)
    galaxy(python, place, ["install", "--force", "--no-deps", "--offline", "-p", place, tarball], "Installing the collection")
    stamp.write_text(wanted, encoding="utf-8")
    return place


def build(python: Path, place: Path) -> Path:
    """`ansible-galaxy collection build` into an empty directory; returns the tarball."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    galaxy(python, place, ["build", "--force", "--output-path", place, ROOT], "Building the collection")
    return next(place.glob("*.tar.gz"))


def galaxy(python: Path, place: Path, arguments: t.Sequence[t.Union[str, Path]], what: str) -> None:
    """`ansible-galaxy collection ...` that sees no configuration and no collection of the user."""
    env = dict(os.environ, ANSIBLE_CONFIG=str(ROOT / "tools" / "ansible.cfg"), ANSIBLE_COLLECTIONS_PATH=str(place))
    run([python, python.parent / "ansible-galaxy", "collection", *arguments], what, env=env, cwd=str(ROOT))


def copy_checkout(place: Path) -> None:
    """Copy the files that git knows or would take (not the ignored ones) into an empty directory."""
    listed = run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], "git ls-files")
    for name in sorted(filter(None, listed.split("\0"))):
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(str(ROOT / name), str(place / name))
