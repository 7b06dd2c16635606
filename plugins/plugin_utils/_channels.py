# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""Where the controller's faces find channels: an option, else the environment, else a file. Nothing here shows a URL."""

from __future__ import annotations

import os
import re
import typing as t

import yaml  # type: ignore[import-untyped]
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Channel
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.url import parse_all
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest
from ansible_collections.vigil.ops.plugins.plugin_utils._pipes import NOTHING, Held, read_bytes

_COMMENT = re.compile(r"(^|\s)#.*")  # a # inside of a word is a URL's fragment
FILE_HELP = "give one channel a line, or a YAML list"


class ChannelsError(Exception):
    """The channels cannot be read from where they are said to be; one sentence without secrets."""


def split(text: str) -> list[t.Any]:
    """Channels in one text: URLs separated by white space, or a YAML or JSON list. Comments are left out of both."""
    lines = [_COMMENT.sub("", line).strip() for line in text.lstrip("\ufeff").splitlines()]
    lines = [line for line in lines if line and line not in ("---", "...")]
    if not lines or not (lines[0].startswith(("[", "- ", "--- ")) or lines[0] == "-"):
        return [word for line in lines for word in line.split()]
    try:
        found = yaml.safe_load(text.lstrip("\ufeff"))
    except yaml.YAMLError as exc:
        raise ChannelsError(f"The list of channels is not valid YAML; {FILE_HELP}.") from exc
    if not isinstance(found, list):
        raise ChannelsError(f"The list of channels is not a list; {FILE_HELP}.")
    return found


def read_file(path: str, held: Held = NOTHING) -> list[t.Any]:
    """The channels of a file, on the controller.

    :arg held: what pipes held
    :raises ChannelsError: it cannot be read
    """
    try:
        text = read_bytes(path, held).decode("utf-8-sig")
    except (OSError, UnicodeError) as exc:
        reason = (getattr(exc, "strerror", None) or "it is not UTF-8 text").lower()
        raise ChannelsError(f"The channels file {path} cannot be read: {reason}.") from exc
    try:
        return split(text)
    except ChannelsError as exc:
        raise ChannelsError(f"The channels file {path}: {exc}") from exc


def gather(places: t.Iterable[tuple[str, t.Callable[[], list[t.Any]]]], common: t.Mapping[str, t.Any]) -> tuple[list[Channel], list[str]]:
    """The channels of several places, each with what is common to those that name none of their own.

    :arg places: (name, reader); one that cannot be read does not stop the others
    :return: channels, and a sentence for each that cannot be read, which says where it stands
    """
    channels: list[Channel] = []
    sentences: list[str] = []
    good: list[t.Any] = []
    for place, read in places:
        try:
            found = read()
        except ChannelsError as exc:
            sentences.append(str(exc))
            continue
        for number, item in enumerate(found, 1):
            given = _with(common, item)
            made, errors = parse_all([*good, given])
            if not errors:
                good, channels = [*good, given], made
            name = f' ("{item["name"]}")' if isinstance(item, t.Mapping) and isinstance(item.get("name"), str) else ""
            sentences += [f"channel {number} of {len(found)} in {place}{name}: {error} It is left out." for error in errors]
    return channels, sentences


def _with(common: t.Mapping[str, t.Any], item: t.Any) -> t.Any:
    if isinstance(item, t.Mapping):
        return {**common, **item}
    if not isinstance(item, str):
        return item
    # what a URL of a robot says in its query counts; a query of http:// is the receiver's
    own = {key: value for key, value in common.items() if item.startswith("http") or f"{key}=" not in item}
    return {**own, "url": item}


def choice(option: str, value: t.Any, known: t.Sequence[str], default: str) -> tuple[str, str]:
    """(value, "") when the value is known, (default, "") when it is blank, else (default, a sentence)."""
    if value in known:
        return str(value), ""
    if not str(value or "").strip():
        return default, ""
    return default, f'{option} is "{value}"{_hint(value, known)} The default, {default}, is used.'


def _hint(value: t.Any, known: t.Sequence[str]) -> str:
    """The nearest known value, to its last stop."""
    hint = nearest(value, known)
    return hint if hint.endswith("?") else hint + "."


def choices(option: str, values: t.Sequence[t.Any], known: t.Sequence[str], default: t.Sequence[str]) -> tuple[list[str], list[str]]:
    """The known ones of the values (the default when there is none), and a sentence for each other."""
    good = [str(value) for value in values if value in known]
    bad = [
        f'{option} names "{value}"{_hint(value, known)} It is left out.' for value in values if value not in known and str(value).strip()
    ]
    return good or list(default), bad


def from_environment(environ: t.Mapping[str, str] | None = None) -> list[t.Any]:
    """The channels of VIGIL_CHANNELS and of the file in VIGIL_CHANNELS_FILE."""
    environ = os.environ if environ is None else environ
    found = split(environ.get("VIGIL_CHANNELS", ""))
    path = environ.get("VIGIL_CHANNELS_FILE", "")
    return found + (read_file(path) if path else [])
