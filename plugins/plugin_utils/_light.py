# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""Sends a module to its host without AnsibleModule, whose import alone takes longer there than twenty checks.

Ansible does all but the module's text: connection, become, environment, interpreter, temporary files where it needs them, reading the
result. Where it hands the text over in another way than the known ones, its own is left as it is. Only the probes that the checks of a
task use are sent, and the store only where one is used on the host.
"""

from __future__ import annotations

import ast
import base64
import dataclasses
import functools
import json
import re
import typing as t
import zlib
from pathlib import Path

from ansible_collections.vigil.ops.plugins.module_utils._engine.probes.registry import PROBES
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.urls import is_postgres
from ansible_collections.vigil.ops.plugins.plugin_utils._plain import plain

ROOT = "ansible_collections.vigil.ops.plugins."
START = ROOT + "module_utils._start"
LIGHT = ROOT + "module_utils._light"
# What imports AnsibleModule; the light module stands in for it.
LEFT_OUT = ROOT + "module_utils._module"
_PROBE = ROOT + "module_utils._engine.probes."
_REGISTRY = _PROBE + "registry"
_STATE = ROOT + "module_utils._engine.state."
_STATE_ERRORS = _STATE + "errors"
_POSTGRES = _STATE + "postgres"
# What works on the history alone.
_HISTORY = tuple(
    ROOT + "module_utils._engine." + name
    for name in ("flows.baselines", *("inspection." + name for name in ("baseline", "confirm", "detector", "forecast", "novelty")))
)
# What a task may need or not: the probes by their names, the store, and what it needs where that is no file.
_STORE, _SERVER = "<store>", "<server>"
_EVERYTHING = frozenset(PROBES) | {_STORE, _SERVER}
_IMPORT = re.compile(r"^[ \t]*from (" + re.escape(ROOT) + r"[\w.]+) import (\([^()]*\)|[^\n(#]+)", re.MULTILINE)
# Comments of their own lines, which a host does not read; whose work it is and its licence stay, and so do the numbers of lines.
_COMMENT = re.compile(r"^[ \t]*#(?! Copyright| GNU| SPDX)[^\n]*", re.MULTILINE)
_PLUGINS = Path(__file__).resolve().parent.parent
# Must parse on every Python, to say which one is needed. The data are on lines of their own: a traceback that quoted the call would
# quote the options, too. Modules in the present directory must not be taken for those of Python.
_SCRIPT = """\
{shebang}
import sys
if sys.version_info < (3, 8):
    sys.stdout.write('{{"failed": true, "changed": false, "msg": "vigil.ops needs Python 3.8 or newer on this host, not %d.%d; '
                     'let ansible_python_interpreter name one."}}' % sys.version_info[:2])
    sys.exit(1)
_here = (globals().get("__file__") or "").rpartition("/")[0]
sys.path[:] = [_place for _place in sys.path if _place not in ("", ".", _here)]
import base64, json, zlib
ARGS = {args!r}
TEXTS = "{core}"
MORE = "{more}"
TEXTS, MORE = (json.loads(zlib.decompress(base64.b64decode(_part)).decode("utf-8")) for _part in (TEXTS, MORE))
TEXTS.update(MORE)
_names = {{"__name__": "_start"}}
exec(compile(TEXTS["{start}"], "<vigil.ops>/_start.py", "exec", dont_inherit=True), _names)
_names["start"](TEXTS, "{module}", ARGS)
"""


def lightened(built: tuple[t.Any, ...], module: str, args: t.Mapping[str, t.Any]) -> tuple[t.Any, ...]:
    """What ``ActionBase._configure_module`` returned, with a lighter text of the module where that can be.

    :arg module: the name of the module's file; its function ``run(module)`` is called
    """
    if len(built) == 4:  # up to ansible-core 2.18: style, shebang, text, path
        style, shebang, text, path = built
        if style == "new" and isinstance(text, bytes) and _is_python(shebang):
            return style, shebang, script(module, args, shebang), path
    elif len(built) == 2 and dataclasses.is_dataclass(built[0]):  # from 2.19: bits, path
        bits, path = built
        known = all(hasattr(bits, name) for name in ("module_style", "shebang", "b_module_data"))
        if known and bits.module_style == "new" and _is_python(bits.shebang):
            return dataclasses.replace(t.cast("t.Any", bits), b_module_data=script(module, args, bits.shebang)), path
    return built


def prepare(module: str) -> None:
    """Read everything and pack what every task needs before workers are forked, which would each do it again."""
    _closure(module, _EVERYTHING)
    _core(module)


def _is_python(shebang: str | None) -> bool:
    return bool(shebang) and "python" in str(shebang)


def script(module: str, args: t.Mapping[str, t.Any], shebang: str) -> bytes:
    """The text to run on the host, with the options in it."""
    given = plain(args)
    parts = {"core": _core(module), "more": _more(module, _needs(given)), "start": START, "module": module}
    return _SCRIPT.format(shebang=str(shebang).strip(), args=json.dumps(given), **parts).encode("utf-8")


def _needs(args: t.Mapping[str, t.Any]) -> frozenset[str]:
    """What the options of a task ask for; what cannot be a check is refused on the host with what is there."""
    checks = [check for check in args["checks"] if isinstance(check, dict)] if isinstance(args.get("checks"), list) else []
    names = {key for check in checks for key in check}
    signs = [check.get("heartbeat") for check in checks]
    stores = [str(url) for url in (args.get("state_url"), *(sign.get("state") for sign in signs if isinstance(sign, dict))) if url]
    more = {_STORE: bool(stores), _SERVER: any(is_postgres(url) for url in stores)}
    return frozenset(names & set(PROBES)) | {need for need, wanted in more.items() if wanted}


@functools.cache
def _core(module: str) -> str:
    return _packed(_closure(module, frozenset()), 9)


@functools.cache
def _more(module: str, needs: frozenset[str]) -> str:
    """What is needed beyond the core: little, so a worker packs it by itself."""
    core = _closure(module, frozenset())
    return _packed([name for name in _closure(module, needs) if name not in core], 6)


def _packed(names: list[str], level: int) -> str:
    data = json.dumps({name: _source(name).code for name in names}).encode("utf-8")
    return base64.b64encode(zlib.compress(data, level)).decode("ascii")


@functools.cache
def _closure(module: str, needs: frozenset[str]) -> list[str]:
    """The names of the modules of the collection that a module imports, directly or not, as far as they are needed."""
    found: dict[str, None] = {}
    wanted = [ROOT + "modules." + module, LIGHT, START]
    while wanted:
        name = wanted.pop()
        if name not in found and name != LEFT_OUT:
            found[name] = None
            wanted += [other for other in _source(name).imports if _need(name, other) in needs | {None}]
    return list(found)


def _need(importer: str, imported: str) -> str | None:
    """For what an import is made: a probe that the registry loads, the store, or a server of it; None when it is always made."""
    if importer == _REGISTRY and imported.startswith(_PROBE):
        return imported[len(_PROBE) :]
    if imported.startswith(_POSTGRES):
        return None if importer.startswith(_POSTGRES) else _SERVER
    if imported.startswith(_STATE) and imported != _STATE_ERRORS and not importer.startswith(_STATE):
        return _STORE
    return _STORE if imported in _HISTORY and importer not in _HISTORY else None


class _Source(t.NamedTuple):
    """A file of the collection: its code, and what it imports of the collection."""

    code: str
    imports: list[str]


@functools.cache
def _source(name: str) -> _Source:
    text = _file(name).read_text(encoding="utf-8")
    code = _code(text) if name.startswith(ROOT + "modules.") else text
    return _Source(_COMMENT.sub("", code), _imports(text))


def _file(name: str) -> Path:
    return _PLUGINS.joinpath(*name[len(ROOT) :].split(".")).with_suffix(".py")


def _imports(text: str) -> list[str]:
    """The modules of the collection that a file imports, wherever in it. Parsing them all would take a second before each play."""
    found = []
    for place, names in _IMPORT.findall(text):
        targets = [place] + [f"{place}.{name.split()[0]}" for name in names.strip("()").split(",") if name.strip()]
        found += [target for target in targets if _file(target).is_file()]
    return found


def _code(text: str) -> str:
    """The text without its documents, which a host does not read; line numbers stay."""
    lines = text.splitlines(keepends=True)
    for node in ast.parse(text).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(target, ast.Name) and target.id in ("DOCUMENTATION", "EXAMPLES", "RETURN"):
            lines[node.lineno - 1 : node.end_lineno] = ["\n"] * (t.cast("int", node.end_lineno) - node.lineno + 1)
    return "".join(lines)
