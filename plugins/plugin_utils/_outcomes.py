# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""Reads what a task returned: the outcomes of inspections in it, and why it failed."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.plugin_utils._plain import plain

_TEXT = 1000
_LATER = ("Task failed: ", "Action failed: ", "Module failed: ")
_MOST_LEFT = 50  # entries of what set_stats left


def outcomes_of(data: t.Mapping[str, t.Any], failed: bool) -> list[dict[str, t.Any]]:
    """The outcomes in the result of a task of ``vigil.ops.inspect``, one or (of a loop) several; [] when there is none.

    :arg failed: whether the task failed; an outcome that could not be made is one too then, but not one that was refused
    """
    outcome = plain(data)
    items = outcome.get("results")
    if isinstance(items, list) and "score" in outcome:
        return [outcome]
    if "ansible_loop_var" not in outcome and not is_looped(items):
        return _not_made(outcome) if failed else []
    found: list[dict[str, t.Any]] = []
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict) and isinstance(item.get("results"), list) and "score" in item:
            found.append(item)
        elif isinstance(item, dict) and (item.get("failed") or "exception" in item):
            found += _not_made(item)
    return found


def is_whole(data: t.Mapping[str, t.Any]) -> bool:
    """Whether a result shows all that its task looks at: no item of a loop was left out."""
    items = data.get("results")
    return not is_looped(items) or all("score" in item for item in t.cast("list[t.Any]", items))


def is_looped(items: t.Any) -> bool:
    """Whether these are the results of a loop."""
    return isinstance(items, list) and any(isinstance(item, dict) and "ansible_loop_var" in item for item in items)


def _not_made(outcome: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    return [] if outcome.get("refused") else [{"failed": True, "msg": reason_of(outcome)}]


def reason_of(data: t.Mapping[str, t.Any]) -> str:
    """Why a task failed, in a line; nothing of a result under no_log."""
    if data.get("_ansible_no_log") or "censored" in data:
        return "the output is hidden by no_log"
    items = data.get("results")
    for item in items if isinstance(items, (list, tuple)) else ():
        # from ansible-core 2.21 failed items have no `failed`, but an `exception`
        if isinstance(item, t.Mapping) and (item.get("failed") or "exception" in item):
            return reason_of(item)
    for key in ("msg", "reason", "stderr", "module_stderr", "stdout", "module_stdout"):
        text = data.get(key)
        if isinstance(text, str) and text.strip():
            return _line(_same(" ".join(plain(text).split())) + (_rest(data) if key == "msg" else ""))
    return f"rc {data['rc']}" if "rc" in data else "the task failed"


def _same(text: str) -> str:
    """The words of ansible-core before 2.19, whatever version says them."""
    for word in _LATER:
        if text.startswith(word) and len(text) > len(word):
            text = text[len(word) :]
    return "non-zero return code" if text == "The command exited with a non-zero return code." else text


def _rest(data: t.Mapping[str, t.Any]) -> str:
    """The return code of a command and the last line of what it complained about."""
    if not data.get("rc"):
        return ""
    lines = str(data.get("stderr") or "").strip().splitlines()
    return f" (rc {data['rc']}: {plain(lines[-1]).strip()})" if lines else f" (rc {data['rc']})"


def _line(text: str) -> str:
    return text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"


def left_of(custom: t.Any) -> dict[str, t.Any]:
    """What tasks of ``set_stats`` left, of the run as it is and of hosts by their names; long texts are cut."""
    given = plain(custom) if isinstance(custom, t.Mapping) else {}
    found = {**{key: value for key, value in given.items() if key != "_run"}, **(given.get("_run") or {})}
    return {str(key): _cut(value) for key, value in list(found.items())[:_MOST_LEFT]}


def _cut(value: t.Any) -> t.Any:
    if isinstance(value, str):
        return value if len(value) <= _TEXT else value[: _TEXT - 1] + "…"
    if isinstance(value, dict):
        return {str(key): _cut(item) for key, item in list(value.items())[:_MOST_LEFT]}
    return [_cut(item) for item in value[:_MOST_LEFT]] if isinstance(value, list) else value
