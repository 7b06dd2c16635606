# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""Sends a module to its host without AnsibleModule, whose import alone takes longer there than twenty checks.

Ansible does all but the module's text: connection, become, environment, interpreter, temporary files where it needs them, reading the
result. Where it hands the text over in another way than the known ones, its own is left as it is.
"""

from __future__ import annotations

import ast
import base64
import dataclasses
import functools
import json
import typing as t
import zlib
from pathlib import Path

from ansible_collections.vigil.ops.plugins.plugin_utils._arguments import plain

ROOT = "ansible_collections.vigil.ops.plugins."
START = ROOT + "module_utils._start"
LIGHT = ROOT + "module_utils._light"
# What imports AnsibleModule; the light module stands in for it.
LEFT_OUT = ROOT + "module_utils._module"
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
TEXTS = "{packed}"
TEXTS = json.loads(zlib.decompress(base64.b64decode(TEXTS)).decode("utf-8"))
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
    """Pack a module before workers are forked, which would each do it again."""
    _packed(module)


def _is_python(shebang: str | None) -> bool:
    return bool(shebang) and "python" in str(shebang)


def script(module: str, args: t.Mapping[str, t.Any], shebang: str) -> bytes:
    """The text to run on the host, with the options in it."""
    options = json.dumps(plain(args))
    return _SCRIPT.format(shebang=str(shebang).strip(), args=options, packed=_packed(module), start=START, module=module).encode("utf-8")


@functools.cache
def _packed(module: str) -> str:
    texts: dict[str, str] = {}
    wanted = [ROOT + "modules." + module, LIGHT, START]
    while wanted:
        name = wanted.pop()
        if name not in texts and name != LEFT_OUT:
            texts[name] = _file(name).read_text(encoding="utf-8")
            wanted += _imports(texts[name])
    data = json.dumps({name: _code(text) for name, text in texts.items()}).encode("utf-8")
    return base64.b64encode(zlib.compress(data, 9)).decode("ascii")


def _file(name: str) -> Path:
    return _PLUGINS.joinpath(*name[len(ROOT) :].split(".")).with_suffix(".py")


def _imports(text: str) -> list[str]:
    """The modules of the collection that a text imports, wherever in it."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(ROOT):
            names = [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
            found += [name for name in names if _file(name).is_file()]
    return found


def _code(text: str) -> str:
    """The text without its documents, which a host does not read; line numbers stay."""
    lines = text.splitlines(keepends=True)
    for node in ast.parse(text).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(target, ast.Name) and target.id in ("DOCUMENTATION", "EXAMPLES", "RETURN"):
            lines[node.lineno - 1 : node.end_lineno] = ["\n"] * (t.cast("int", node.end_lineno) - node.lineno + 1)
    return "".join(lines)
