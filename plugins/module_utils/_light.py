# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""A module without AnsibleModule, whose import alone takes longer on a host than twenty checks.

It is only for modules whose action part has validated the options on the controller (``plugin_utils/_light.py`` sends them).
"""

from __future__ import annotations

import json
import sys
import typing as t

# Where Ansible looks for the result it takes these for ends of lines, too; JSON does not escape them.
_LINE_ENDS = ("\x85", "\u2028", "\u2029")


class LightModule:
    """The part of AnsibleModule that ``_bridge.Module`` names. Nothing is logged, and no file is written."""

    def __init__(self, args: t.Mapping[str, t.Any]) -> None:
        self.params = {key: value for key, value in args.items() if not key.startswith("_ansible_")}
        self.check_mode = bool(args.get("_ansible_check_mode"))
        self._echo = int(args.get("_ansible_verbosity") or 0) >= 3
        self._warnings: list[str] = []

    def warn(self, warning: str) -> None:
        """Give a warning beside the result."""
        if warning not in self._warnings:
            self._warnings.append(warning)

    def exit_json(self, **kwargs: t.Any) -> t.NoReturn:
        """End with a result."""
        self._end(kwargs, 0)

    def fail_json(self, msg: str, **kwargs: t.Any) -> t.NoReturn:
        """End with a failure."""
        self._end(dict(kwargs, msg=msg, failed=True), 1)

    def _end(self, result: dict[str, t.Any], code: int) -> t.NoReturn:
        result.setdefault("changed", False)
        if not self._echo:
            result.pop("invocation", None)  # Ansible shows it with -vvv alone
        if self._warnings:
            result["warnings"] = self._warnings
        text = json.dumps(result, ensure_ascii=False, default=str)
        for char in _LINE_ENDS:
            text = text.replace(char, f"\\u{ord(char):04x}")
        # Half of a surrogate pair is no UTF-8; nobody could print or store it.
        sys.stdout.buffer.write(b"\n" + text.encode("utf-8", "replace") + b"\n")
        sys.stdout.buffer.flush()
        raise SystemExit(code)
