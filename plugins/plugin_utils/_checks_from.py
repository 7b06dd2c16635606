# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""What stands behind ``checks_from``: files with checks, goss files, and the profiles of the collection."""

from __future__ import annotations

import glob
import os
import re
import typing as t
from pathlib import Path

import yaml  # type: ignore[import-untyped]
from ansible.errors import AnsibleError
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.spec import SpecError
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.inspect import read_checks
from ansible_collections.vigil.ops.plugins.plugin_utils._arguments import Refused
from ansible_collections.vigil.ops.plugins.plugin_utils._plain import plain

PROFILE = "profile:"
_JINJA = re.compile(r"\{\{-?\s*([A-Za-z_][\w.]*)\s*(?:[|\[(~+*/-][^}]*)?\}\}")
PROFILES = Path(__file__).resolve().parents[2] / "playbooks" / "files" / "profiles"


class Reader:
    """Reads the sources of one task.

    :arg find: gives the path of a file as Ansible looks for it; raises AnsibleError
    :arg load: gives the content of a YAML or JSON file; raises AnsibleError
    :ivar left_out: what of goss files has no equivalent, in sentences
    """

    def __init__(self, find: t.Callable[[str], str], load: t.Callable[[str], t.Any]) -> None:
        self._find = find
        self._load = load
        self._reading: list[str] = []
        self.left_out: list[str] = []

    def read(self, sources: t.Any) -> list[t.Any]:
        """The checks of all sources.

        :raises Refused: one sentence
        """
        if isinstance(sources, str):  # as the command line and surveys send a list
            sources = _list(sources) if sources.lstrip().startswith("[") else [sources]
        if not isinstance(sources, list) or not all(isinstance(one, str) for one in sources):
            raise Refused(f"checks_from must be a list of files and profiles such as {PROFILE}linux")
        return [check for one in sources if one.strip() for check in self._source(one.strip())]

    def _source(self, name: str) -> list[t.Any]:
        path = _profile(name[len(PROFILE) :].strip()) if name.startswith(PROFILE) else self._path(name)
        content = self._content(path, name)
        # only here: a task without goss files has no use for it
        from ansible_collections.vigil.ops.plugins.module_utils._engine.checks import goss

        if goss.is_goss(content):
            self._reading.append(path)
            checks, left = goss.convert(content, self._included, path)
            self.left_out += [f"{name}: {sentence}" for sentence in left]
            return [check for check in checks if self._is_good(name, check)]
        if isinstance(content, dict):
            content = content.get("checks", content.get("vigil_checks"))
        if not isinstance(content, list):
            raise Refused(f"checks_from: {name} must hold a list of checks, a mapping with one under checks, or be a goss file")
        template = _template_in(content)
        if template:
            where = "files are read as they are; put the list into a variable such as vigil_checks_own"
            raise Refused(f"checks_from: {name} has the template {template}, and {where}")
        return content

    def _is_good(self, name: str, check: dict[str, t.Any]) -> bool:
        """One resource that cannot be looked at here does not keep the others of a goss file from it."""
        try:
            read_checks([check])
        except SpecError as exc:
            self.left_out.append(f"{name}: {exc}")
            return False
        return True

    def _path(self, name: str) -> str:
        path = os.path.expanduser(os.path.expandvars(name))
        try:
            return self._find(path)
        except AnsibleError as exc:
            if os.path.exists(path):
                return os.path.abspath(path)
            raise Refused(f"checks_from: {name} cannot be read: {' '.join(str(exc).split())}") from exc

    def _content(self, path: str, name: str) -> t.Any:
        try:
            return plain(self._load(path))
        except AnsibleError as exc:
            hint = "; it has Go templates: render it first, with goss render" if _has_templates(path) else ""
            raise Refused(f"checks_from: {name} cannot be read: {' '.join(str(exc).split())[:500]}{hint}") from exc

    def _included(self, name: str, place: str) -> list[tuple[str, t.Any]]:
        """The goss files that an include names, which may be a pattern; one that is being read already is not read again."""
        path = os.path.join(os.path.dirname(place), os.path.expanduser(name))
        found = sorted(glob.glob(path))
        if not found and not glob.has_magic(path):
            raise Refused(f"checks_from: {place} includes {name}, which is not there")
        if not found:
            self.left_out.append(f"{place}: gossfile {name}: no file fits this pattern")
        fresh = [one for one in map(os.path.abspath, found) if one not in self._reading]
        self._reading += fresh
        return [(one, self._content(one, one)) for one in fresh]


def _list(text: str) -> t.Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as exc:
        raise Refused(f"checks_from: {text} cannot be read: {' '.join(str(exc).split())[:200]}") from exc


def _profile(name: str) -> str:
    known = sorted(place.stem for place in PROFILES.glob("*.yml"))
    if name not in known:
        raise Refused(f'checks_from: there is no profile "{name}"{nearest(name, known)}')
    return str(PROFILES / f"{name}.yml")


def _template_in(value: t.Any) -> str:
    """The first expression of Jinja in a list of checks; what docker and others call formats, such as ``{{.State}}``, is none."""
    if isinstance(value, str):
        found = next((match.group() for match in _JINJA.finditer(value) if match.group(1) not in ("end", "else")), "")
        return found[:60]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((found for found in map(_template_in, items) if found), "")


def _has_templates(path: str) -> bool:
    try:
        return "{{" in Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
