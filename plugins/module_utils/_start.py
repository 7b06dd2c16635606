# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Runs on a host what ``plugin_utils/_light.py`` sent there: modules are imported from memory, so nothing is written."""

from __future__ import annotations

import importlib
import json
import sys
import traceback
import types
import typing as t
from importlib.machinery import ModuleSpec

PREFIX = "ansible_collections.vigil.ops.plugins."


class Sources:
    """Finds and loads modules that are there as text. A package is there where a module in it is."""

    def __init__(self, texts: t.Mapping[str, str]) -> None:
        self._texts = texts
        self._packages: set[str] = set()
        for name in texts:
            while "." in name:
                name = name.rpartition(".")[0]
                self._packages.add(name)

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Ours, else None for the next finder."""
        if name in self._texts or name in self._packages:
            return ModuleSpec(name, t.cast("t.Any", self), origin=self.get_filename(name), is_package=name in self._packages)
        return None

    def get_filename(self, name: str) -> str:
        """What tracebacks call the file."""
        return "<vigil.ops>/" + name.replace(".", "/") + ".py"

    def get_source(self, name: str) -> str | None:
        """The text, for tracebacks."""
        return self._texts.get(name)

    def create_module(self, spec: ModuleSpec) -> None:
        """None: a module of the usual kind."""

    def exec_module(self, module: types.ModuleType) -> None:
        """Run the module's text; a package has none."""
        name = module.__name__
        if name in self._texts:
            code = compile(self._texts[name], self.get_filename(name), "exec", dont_inherit=True)
            exec(code, module.__dict__)  # noqa: S102 - it is how Python's own loaders import


def start(texts: t.Mapping[str, str], module: str, args: str) -> None:
    """Run ``run`` of the collection's module with its options, which are JSON text."""
    sys.meta_path.insert(0, t.cast("t.Any", Sources(texts)))
    carrier = importlib.import_module(PREFIX + "module_utils._light").LightModule(json.loads(args))
    try:
        importlib.import_module(PREFIX + "modules." + module).run(carrier)
    except Exception as exc:  # noqa: BLE001 - whatever it is, the controller must get a result
        carrier.fail_json(msg=f"The module failed: {type(exc).__name__}: {exc}", exception=traceback.format_exc())
