# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The legs of `make test`. Also `nox -s LEG` where nox and antsibull-nox are at hand.

Legs that share an ansible-core share one pinned environment below .nox/, which is made again only when its pins change.
"""

# /// script
# dependencies = ["nox", "antsibull-nox"]
# ///

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import antsibull_nox
import nox

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "tools"))

import ansible_test_pip
import workbench as bench

RESULTS = bench.CACHE / "results"
LOWEST = ("3.10",)
NEWEST = bench.RUN_LINES
NEWEST_NEEDS = "3.12"  # the newest ansible-core runs on this Python and above
NOW = "not lab and not long"
UNIT = ["-m", NOW, "tests/unit"]
ENGINE = "tests/unit/plugins/module_utils/_engine"

antsibull_nox.load_antsibull_nox_toml()


def environment(session: nox.Session, name: str, lines: tuple[str, ...]) -> Path:
    """The python of the shared environment `name`; ends the leg when this machine lacks the Python for it."""
    try:
        python = bench.find_python(lines)
        with bench.alone(f"env-{name}"):
            inside = bench.venv_with(ROOT / ".nox" / f"env-{name}", python, bench.REQUIREMENTS / f"{name}.txt")
    except bench.Missing as problem:
        session.error(f"MISSING: {problem}")
    line = bench.line_of(inside)
    if name == "newest" and int(line.split(".")[1]) < int(NEWEST_NEEDS.split(".")[1]):
        session.warn(f"PARTLY: run with the ansible-core of Python {line}; the newest one needs Python {NEWEST_NEEDS}, which is not here")
    return inside


def source_tree() -> Path:
    """A directory in which the checkout itself is ansible_collections/vigil/ops."""
    tree = bench.CACHE / "tree"
    place = tree / "ansible_collections" / "vigil"
    place.mkdir(parents=True, exist_ok=True)
    link = place / "ops"
    if not link.is_symlink() or link.resolve() != ROOT:
        link.unlink(missing_ok=True)
        link.symlink_to(ROOT, target_is_directory=True)
    return tree


def ansible_env(python: Path, collections: Path) -> dict[str, str]:
    """Where the tests find Ansible and the collection."""
    return {
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(source_tree()),
        "PYTHONDONTWRITEBYTECODE": "1",
        "ANSIBLE_CONFIG": str(ROOT / "tools" / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "VIGIL_TEST_BIN": str(python.parent),
        "VIGIL_TEST_TREE": str(source_tree()),
        "VIGIL_TEST_COLLECTIONS": str(collections),
    }


def pytest(session: nox.Session, python: Path, collections: Path, arguments: list[str]) -> None:
    """Run pytest; its counts go to .cache/results/LEG.xml."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    report = RESULTS / f"{session.name}.xml"
    options = [
        "-q",
        "-ra",
        "--import-mode=importlib",
        f"--rootdir={ROOT}",
        "-c",
        str(ROOT / "tests" / "pytest.ini"),
        "-p",
        "no:cacheprovider",
        f"--junitxml={report}",
    ]
    wanted = [path for path in arguments if path.startswith("-") or not path.startswith("tests/") or (ROOT / path).exists()]
    wanted += session.posargs
    session.run(str(python), "-m", "pytest", *options, *wanted, env=ansible_env(python, collections), external=True)


def installed(python: Path, name: str) -> Path:
    """The built tarball, installed as a user would have it; each ansible-core builds its own."""
    place = bench.CACHE / f"collections-{name}"
    with bench.alone(f"collections-{name}"):
        return bench.installed_collection(python, place)


@nox.session(name="unit-engine", python=False)
def unit_engine(session: nox.Session) -> None:
    """The engine without Ansible on Python 3.8."""
    python = environment(session, "engine", ("3.8",))
    pytest(session, python, source_tree(), ["-m", NOW, ENGINE])


@nox.session(name="unit-lowest", python=False)
def unit_lowest(session: nox.Session) -> None:
    """The unit tests of what knows Ansible on the lowest ansible-core; the engine knows none, and runs on a lower and a higher Python."""
    pytest(session, environment(session, "lowest", LOWEST), source_tree(), [f"--ignore={ENGINE}", *UNIT])


@nox.session(name="unit-newest", python=False)
def unit_newest(session: nox.Session) -> None:
    """All unit tests on the newest ansible-core."""
    pytest(session, environment(session, "newest", NEWEST), source_tree(), UNIT)


@nox.session(name="integration-lowest", python=False)
def integration_lowest(session: nox.Session) -> None:
    """Playbooks against the installed collection, lowest ansible-core."""
    python = environment(session, "lowest", LOWEST)
    pytest(session, python, installed(python, "lowest"), ["-m", NOW, "tests/integration"])


@nox.session(name="integration-newest", python=False)
def integration_newest(session: nox.Session) -> None:
    """Playbooks against the installed collection, newest ansible-core."""
    python = environment(session, "newest", NEWEST)
    pytest(session, python, installed(python, "newest"), ["-m", NOW, "tests/integration"])


@nox.session(name="lab", python=False)
def lab(session: nox.Session) -> None:
    """What needs real systemd nodes."""
    python = environment(session, "newest", NEWEST)
    pytest(session, python, installed(python, "newest"), ["-m", "lab and not long", "tests/integration", "tests/lab"])


@nox.session(name="long", python=False, default=False)
def long(session: nox.Session) -> None:
    """Soaks, and everything else that takes long."""
    python = environment(session, "newest", NEWEST)
    pytest(session, python, installed(python, "newest"), ["-m", "long", "tests/unit", "tests/integration", "tests/lab", "tests/fuzz"])


@nox.session(name="bench", python=False, default=False)
def benchmark(session: nox.Session) -> None:
    """Measure against the builtin modules."""
    python = environment(session, "newest", NEWEST)
    env = ansible_env(python, installed(python, "newest"))
    found = sorted((ROOT / "tests" / "bench").glob("*/bench*.py"))
    if not found:
        session.error("there is no tests/bench/*/bench*.py yet")
    for script in found:
        session.run(str(python), str(script), *session.posargs, env=env, external=True)


@nox.session(name="changelog", python=False)
def changelog(session: nox.Session) -> None:
    """Fragments and changelog are well formed."""
    python = environment(session, "changelog", NEWEST)
    session.run(str(python.parent / "antsibull-changelog"), "lint", external=True)


def sanity(session: nox.Session, name: str, lines: tuple[str, ...]) -> None:
    """`ansible-test sanity`, all tests, in a copy of what git knows of the checkout."""
    python = environment(session, name, lines)
    ansible_test_pip.prepare(python)
    with tempfile.TemporaryDirectory(prefix="vigil-sanity-") as scratch:  # outside the checkout, or git would hide it from ansible-test
        place = Path(scratch) / "ansible_collections" / "vigil" / "ops"
        bench.copy_checkout(place)
        env = ansible_env(python, Path(scratch))
        del env["PYTHONPATH"]
        env["PATH"] = f"{python.parent}{os.pathsep}{bench.path_of_pythons(bench.ALL_LINES)}"
        try:
            with session.chdir(place):
                command = [str(python.parent / "ansible-test"), "sanity", "--color", "no", "--junit", "--truncate", "0"]
                session.run(str(python), *command, *session.posargs, env=env, external=True)
        finally:
            results = RESULTS / session.name
            shutil.rmtree(results, ignore_errors=True)
            shutil.copytree(place / "tests" / "output" / "junit", results)


@nox.session(name="sanity-lowest", python=False)
def sanity_lowest(session: nox.Session) -> None:
    """ansible-test sanity of the lowest ansible-core."""
    sanity(session, "lowest", LOWEST)


@nox.session(name="sanity-newest", python=False)
def sanity_newest(session: nox.Session) -> None:
    """ansible-test sanity of the newest ansible-core."""
    sanity(session, "newest", NEWEST)


if __name__ == "__main__":
    nox.main()
