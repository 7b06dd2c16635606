# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write what the code knows into the documents: the probe reference of docs/checks.md and docs/schema/checks.schema.json.

Run it as ``python tools/gen_docs.py`` after a probe has changed; a unit test fails while the documents and the code differ.
The collection must be importable (``PYTHONPATH`` holds a folder with ``ansible_collections/vigil/ops``).
"""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Option, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import SEVERITIES
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.spec import PRIORITIES
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import format_duration
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import registry

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "docs" / "checks.md"
SCHEMA = ROOT / "docs" / "schema" / "checks.schema.json"
BEGIN, END = "<!-- probes: written by tools/gen_docs.py -->", "<!-- end of probes -->"
_TYPES: t.Dict[str, t.Dict[str, t.Any]] = {
    "str": {"type": ["string", "number", "boolean"]},
    "path": {"type": "string", "pattern": "^/"},
    "regex": {"type": "string", "format": "regex"},
    "url": {"type": "string", "pattern": "^https?://"},
    "int": {"type": ["integer", "string"]},
    "port": {"type": ["integer", "string"], "minimum": 1, "maximum": 65535},
    "number": {"type": ["number", "string"]},
    "bool": {"type": ["boolean", "string"]},
    "duration": {"$ref": "#/$defs/duration"},
    "period": {"$ref": "#/$defs/duration"},
    "size": {"type": ["integer", "string"]},
    "list": {"type": "array"},
    "dict": {"type": "object"},
    "any": {},
}


def probe_reference() -> str:
    """The part of the guide that describes every probe, in Markdown."""
    return "\n".join(_probe_section(registry.spec(name)) for name in registry.PROBES)


def _probe_section(spec: ProbeSpec) -> str:
    lines = [f"### {spec.name}", ""]
    if spec.help:
        lines += [_cell(spec.help), ""]
    if spec.options:
        lines += ["| option | type | default | meaning |", "| --- | --- | --- | --- |"]
        lines += [f"| `{name}` | {_kind(option)} | {_default(option)} | {_cell(option.help)} |" for name, option in spec.options.items()]
    else:
        lines.append("It has no options.")
    lines += ["", "| observed | meaning |", "| --- | --- |"]
    lines += [f"| `{name}` | {_cell(text)} |" for name, text in spec.observes.items()]
    lines += ["", f"Default `expect`: `{_inline(spec.expect)}`", ""]
    return "\n".join(lines)


def _kind(option: Option) -> str:
    kind = f"list of {option.elements}" if option.elements else option.type
    return kind + (": " + ", ".join(f"`{choice}`" for choice in option.choices) if option.choices else "")


def _default(option: Option) -> str:
    if option.required:
        return "required"
    if option.default is None:
        return ""
    if option.type in ("duration", "period"):
        return f"`{format_duration(option.default)}`"
    return f"`{json.dumps(option.default)}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _inline(expect: t.Dict[str, t.Any]) -> str:
    return "{" + ", ".join(f"{key}: {json.dumps(value)}" for key, value in expect.items()) + "}"


def guide(text: str) -> str:
    """The guide with its probe part written anew."""
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    return pattern.sub(lambda _match: f"{BEGIN}\n\n{probe_reference()}\n{END}", text)


def schema() -> t.Dict[str, t.Any]:
    """The JSON schema (2020-12) of a list of checks."""
    probes = {name: _probe_schema(registry.spec(name)) for name in registry.PROBES}
    check = {
        "type": "object",
        "required": ["name"],
        "additionalProperties": False,
        "oneOf": [{"required": [name]} for name in registry.PROBES],
        "properties": dict(_fields(), **probes),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "vigil.checks/1",
        "title": "Checks of vigil.ops",
        "type": "array",
        "items": check,
        "$defs": {
            "duration": {"type": ["string", "number"], "description": "500ms, 10s, 5m, 2h, 7d, or seconds"},
            "expectations": {"type": "object", "description": "JMESPath expression over the observation: literal or matcher string"},
            "texts": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}},
        },
    }


def _fields() -> t.Dict[str, t.Any]:
    return {
        "name": {"type": "string", "minLength": 1, "maxLength": 200},
        "expect": {"$ref": "#/$defs/expectations"},
        "warn": {"$ref": "#/$defs/expectations"},
        "severity": {"enum": list(SEVERITIES)},
        "retries": {"type": ["integer", "string"], "minimum": 0, "maximum": 100},
        "depends_on": {"type": ["array", "string"], "items": {"type": "string"}},
        "labels": {"$ref": "#/$defs/texts"},
        "annotations": {"$ref": "#/$defs/texts"},
        "weight": {"type": ["number", "string"], "minimum": 0},
        "every": {"$ref": "#/$defs/duration"},
        "priority": {"enum": list(PRIORITIES)},
        "confirm": {"type": ["integer", "string"], "minimum": 1, "maximum": 100, "pattern": "^[0-9]+(/[0-9]+)?$"},
        "resolve_after": {"type": ["integer", "string"], "minimum": 1, "maximum": 100},
        "hysteresis": {"type": ["number", "string"], "minimum": 0},
        "flapping": {"type": ["boolean", "string"]},
    }


def _probe_schema(spec: ProbeSpec) -> t.Dict[str, t.Any]:
    properties = {name: _option_schema(option) for name, option in spec.options.items()}
    found: t.Dict[str, t.Any] = {"type": ["object", "null"], "additionalProperties": False, "properties": properties}
    required = [name for name, option in spec.options.items() if option.required]
    if required:
        found.update(type="object", required=required)
    return found


def _option_schema(option: Option) -> t.Dict[str, t.Any]:
    found = dict(_TYPES[option.type])
    if option.choices:
        found = {"enum": list(option.choices)}
    if option.elements:
        found["items"] = dict(_TYPES[option.elements])
    if option.help:
        found["description"] = _cell(option.help)
    return found


def schema_text() -> str:
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    GUIDE.write_text(guide(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
    SCHEMA.parent.mkdir(parents=True, exist_ok=True)
    SCHEMA.write_text(schema_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
