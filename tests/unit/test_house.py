# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules of the house, as tests. They read the sources and run nothing of them."""

from __future__ import annotations

import ast
import io
import tokenize
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
UTILS = PLUGINS / "module_utils"
ENGINE = UTILS / "_engine"
INSIDE = "ansible_collections.vigil.ops.plugins.module_utils._engine."

FLOORS = {
    "checks": 0,
    "state": 0,
    "dns": 0,
    "probes": 1,
    "logs": 1,
    "backup": 1,
    "inspection": 2,
    "alerts": 3,
    "channels": 4,
    "report": 5,
    "flows": 6,
}
# the engine runs no program and knows no Ansible
FORBIDDEN = ("ansible", "subprocess", "pty", "commands")
FORBIDDEN_CALLS = {
    "os.system",
    "os.popen",
    "os.spawnl",
    "os.spawnv",
    "os.execv",
    "os.execvp",
    "os.execve",
    "os.posix_spawn",
    "os.posix_spawnp",
}
DOCUMENTS = {"DOCUMENTATION", "EXAMPLES", "RETURN"}

FILE_LINES = 330
FUNCTION_LINES = 60
MODULE_CODE_LINES = 90

SHIPPED = sorted(path for part in ("plugins", "roles") for path in (ROOT / part).rglob("*.py") if "__pycache__" not in path.parts)
TARGET = [path for path in SHIPPED if UTILS in path.parents or PLUGINS / "modules" in path.parents or ROOT / "roles" in path.parents]
ENGINE_FILES = [path for path in SHIPPED if ENGINE in path.parents]
MODULES = sorted((PLUGINS / "modules").glob("*.py"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def each(paths: t.Sequence[Path]) -> t.Any:
    return pytest.mark.parametrize("path", paths, ids=named)


def tree_of(path: Path, feature: t.Optional[t.Tuple[int, int]] = None) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path), feature_version=feature)


def imports_of(path: Path) -> t.List[t.Tuple[int, str]]:
    """(line, absolute dotted name) of everything the file imports, wherever in the file; relative ones begin with a dot."""
    found: t.List[t.Tuple[int, str]] = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            found += [(node.lineno, f"{base}.{alias.name}") for alias in node.names]
    return found


def engine_file(dotted: str) -> t.Optional[Path]:
    """The engine file that an import brings in, if it is one."""
    if not dotted.startswith(INSIDE):
        return None
    parts = dotted[len(INSIDE) :].split(".")
    for length in (len(parts), len(parts) - 1):
        place = ENGINE.joinpath(*parts[:length]).with_suffix(".py")
        if place.is_file():
            return place
    return None


def room_of(path: Path) -> str:
    return path.relative_to(ENGINE).parts[0]


@each(ENGINE_FILES)
def test_engine_imports_never_point_up(path: Path) -> None:
    assert room_of(path) in FLOORS, "a new room needs a floor here and in the house plan"
    for line, dotted in imports_of(path):
        assert not dotted.startswith("."), f"line {line}: import by the absolute path of the collection"
        target = engine_file(dotted)
        if target is not None:
            assert FLOORS[room_of(target)] <= FLOORS[room_of(path)], (
                f"line {line}: {room_of(path)} must not import {room_of(target)}, which is above"
            )


@each(ENGINE_FILES)
def test_engine_knows_no_ansible_and_runs_no_program(path: Path) -> None:
    for line, dotted in imports_of(path):
        assert dotted.split(".")[0] not in FORBIDDEN, f"line {line}: {dotted}"
        assert not dotted.startswith("ansible_collections.") or dotted.startswith(INSIDE), f"line {line}: {dotted} is not of the engine"
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            called = f"{node.func.value.id}.{node.func.attr}"
            assert called not in FORBIDDEN_CALLS, f"line {node.lineno}: {called}"


def test_no_two_files_import_each_other() -> None:
    """No cycle of any length, over the whole of module_utils."""
    graph = {
        path: {target for _line, dotted in imports_of(path) for target in [engine_file(dotted)] if target and target != path}
        for path in ENGINE_FILES
    }
    done: t.Set[Path] = set()

    def walk(path: Path, way: t.Tuple[Path, ...]) -> None:
        assert path not in way, "cycle: " + " -> ".join(named(step) for step in (*way, path))
        if path not in done:
            for target in sorted(graph.get(path, ())):
                walk(target, (*way, path))
            done.add(path)

    for path in sorted(graph):
        walk(path, ())


def test_every_engine_import_exists() -> None:
    """AnsiballZ bundles what it can see; a name that leads nowhere would only be noticed on a host."""
    lost = [
        f"{named(path)}:{line}: {dotted}"
        for path in SHIPPED
        for line, dotted in imports_of(path)
        if dotted.startswith(INSIDE) and not engine_file(dotted)
    ]
    assert not lost, "\n".join(lost)


@each([path for path in SHIPPED if path.name == "__init__.py"] or [Path(__file__)])
def test_init_files_are_empty(path: Path) -> None:
    assert path.name != "__init__.py" or not path.read_text(encoding="utf-8").strip()


@each(SHIPPED)
def test_files_are_short(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    if path.parent == PLUGINS / "modules" or (path.parent.parent == PLUGINS and "DOCUMENTATION" in path.read_text(encoding="utf-8")):
        lines -= documentation_lines(path)
    assert lines <= FILE_LINES


@each(SHIPPED)
def test_functions_are_short(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LINES, f"line {node.lineno}: {node.name} has {length} lines"


def documentation_lines(path: Path) -> int:
    """How many lines DOCUMENTATION, EXAMPLES and RETURN take."""
    taken = 0
    for node in tree_of(path).body:
        if isinstance(node, ast.Assign) and any(isinstance(name, ast.Name) and name.id in DOCUMENTS for name in node.targets):
            taken += (node.end_lineno or node.lineno) - node.lineno + 1
    return taken


def code_lines(path: Path) -> int:
    """Lines that hold code: no documentation, no comment, no blank line."""
    source = path.read_text(encoding="utf-8")
    quiet = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    used: t.Set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in quiet:
            used.update(range(token.start[0], token.end[0] + 1))
    return len(used) - documentation_lines(path)


@each(MODULES)
def test_modules_are_thin(path: Path) -> None:
    assert code_lines(path) <= MODULE_CODE_LINES


@each(TARGET)
def test_what_runs_on_hosts_is_python_38(path: Path) -> None:
    tree_of(path, feature=(3, 8))


@each(SHIPPED)
def test_no_assert(path: Path) -> None:
    """Asserts vanish with -O, and an AssertionError in a callback ends the whole run."""
    found = [node.lineno for node in ast.walk(tree_of(path)) if isinstance(node, ast.Assert)]
    assert not found, f"lines {found}"


@each(SHIPPED)
def test_header(path: Path) -> None:
    head = path.read_text(encoding="utf-8").splitlines()[:5]
    if head:
        assert any(line == "# SPDX-License-Identifier" + ": GPL-3.0-or-later" for line in head)
        assert any(line.startswith("# GNU General Public License v3.0+") for line in head)
        assert any(line.startswith("# Copyright (c) ") for line in head)


@each(
    [
        path
        for part in ("module_utils", "plugin_utils", "doc_fragments")
        for path in sorted((PLUGINS / part).glob("*"))
        if path.name != "__pycache__"
    ]
)
def test_private_parts_carry_an_underscore(path: Path) -> None:
    assert path.name.startswith("_")


def test_action_group_has_every_module() -> None:
    """Read without a YAML library: the engine leg has none."""
    lines = (ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8").splitlines()
    listed = [line.strip()[2:] for line in lines[lines.index("  all:") + 1 :] if line.startswith("    - ")]
    assert sorted(listed) == sorted(path.stem for path in MODULES)
