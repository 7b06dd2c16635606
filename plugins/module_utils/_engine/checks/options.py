# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading the options of a probe: types, defaults and near misses, with errors that say what would be right."""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Option, ProbeSpec
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import parse_duration, parse_size

_LONGEST = 86400.0
_LONGEST_PERIOD = 3660 * 86400.0
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def nearest(word: t.Any, known: t.Iterable[str]) -> str:
    """A hint behind an error: the nearest known name, else all of them; starts with a semicolon."""
    import difflib

    names = sorted(known)
    lowered = {name.lower(): name for name in names}
    close = difflib.get_close_matches(str(word).lower(), list(lowered), n=1, cutoff=0.6)
    if close:
        return f'; did you mean "{lowered[close[0]]}"?'
    return f"; known {'is' if len(names) == 1 else 'are'} " + ", ".join(names)


def read_options(spec: ProbeSpec, given: t.Any) -> dict[str, t.Any]:
    """All options of a probe, complete with defaults and in their types (durations in seconds, sizes in bytes).

    :raises ValueError: with a sentence that names the option
    """
    given = {} if given is None else given
    if not isinstance(given, dict):
        raise ValueError(f"{spec.name} takes its options as a mapping, such as {_example(spec)}, not {type_name(given)}")
    for key in given:
        if key not in spec.options:
            if not spec.options:
                raise ValueError(f'{spec.name} has no options, so "{key}" cannot be given')
            raise ValueError(f'{spec.name} has no option "{key}"' + nearest(key, spec.options))
    for name in spec.required:
        if given.get(name) is None:
            text = spec.options[name].help
            raise ValueError(f'{spec.name} needs the option "{name}"' + (f" ({text})" if text else ""))
    options = dict(spec.defaults)
    for name, value in given.items():
        if value is not None:
            options[name] = _read(f"{spec.name}.{name}", spec.options[name], value)
    for group in spec.one_of:
        if all(options[name] is None for name in group):
            raise ValueError(f"{spec.name} needs one of the options " + ", ".join(f'"{name}"' for name in group))
    if spec.complete:
        spec.complete(options)
    return options


def _example(spec: ProbeSpec) -> str:
    required = [name for name, option in spec.options.items() if option.required] or list(spec.options)[:1]
    return "{" + ", ".join(f"{name}: ..." for name in required) + "}"


def _read(where: str, option: Option, value: t.Any) -> t.Any:
    try:
        value = read_value(option.type, value)
        if option.type == "duration" and not 0 < value <= _LONGEST:
            raise ValueError(f"{value:g} s is no time to wait; it must be more than 0 and at most a day")
        if option.type == "period" and not 0 < value <= _LONGEST_PERIOD:
            raise ValueError(f"{value:g} s is no length of time; it must be more than 0 and at most ten years")
    except ValueError as exc:
        raise ValueError(f"{where}: {exc}") from exc
    if option.choices and value not in option.choices:
        raise ValueError(f'{where} is "{value}"' + nearest(value, option.choices))
    if option.elements and isinstance(value, list):
        return [_read(f"{where}[{index}]", Option(option.elements), item) for index, item in enumerate(value)]
    return value


def read_value(kind: str, value: t.Any) -> t.Any:
    """A value in the named type (see :class:`Option`); numbers and booleans may arrive as strings, as surveys send them.

    :raises ValueError: with a sentence
    """
    return _READERS[kind](value)


def type_name(value: t.Any) -> str:
    """The name of a value's type as YAML users know it."""
    for kind, name in ((bool, "a boolean"), (str, "text"), (dict, "a mapping"), (list, "a list"), ((int, float), "a number")):
        if isinstance(value, kind):
            return name
    return "nothing" if value is None else type(value).__name__


def _text(value: t.Any) -> str:
    if isinstance(value, (dict, list)) or value is None:
        raise ValueError(f"text is needed here, not {type_name(value)}")
    text = str(value)
    if "\0" in text:
        raise ValueError("a NUL character cannot be part of it")
    return text


def _integer(value: t.Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"\s*[-+]?[0-9]{1,18}\s*", value):
        return int(value)
    raise ValueError(f"{value!r} is not a whole number")


def _number(value: t.Any) -> float:
    try:
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            number = float(value)
            if number - number == 0:
                return int(number) if number.is_integer() else number
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"{value!r} is not a number")


def _boolean(value: t.Any) -> bool:
    if isinstance(value, bool):
        return value
    found = _BOOLEANS.get(str(value).strip().lower())
    if found is None:
        raise ValueError(f"{value!r} is neither true nor false")
    return found


def _port(value: t.Any) -> int:
    port = _integer(value)
    if not 1 <= port <= 65535:
        raise ValueError(f"{value!r} is not a port; a port is a number from 1 to 65535")
    return port


def _list(value: t.Any) -> list[t.Any]:
    if not isinstance(value, list):
        raise ValueError(f"a list is needed here, not {type_name(value)}")
    return value


def _mapping(value: t.Any) -> dict[str, t.Any]:
    if not isinstance(value, dict):
        raise ValueError(f"a mapping is needed here, not {type_name(value)}")
    return value


def _url(value: t.Any) -> str:
    text = _text(value).strip()
    try:
        parts = urllib.parse.urlsplit(text)
        port = parts.port
    except ValueError as exc:
        raise ValueError(f"this is not a URL: {exc}") from exc
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or re.search(r"[\x00-\x20\x7f]", text):
        raise ValueError('this is not a URL of the form "https://host:port/path"')
    return text


def _regex(value: t.Any) -> str:
    text = _text(value)
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as exc:
        raise ValueError(f"{text!r} is not a regular expression: {exc}") from exc
    return text


def _path(value: t.Any) -> str:
    text = _text(value)
    if not text.startswith("/"):
        raise ValueError(f"{text!r} is not an absolute path; begin it with /")
    return text


_READERS: dict[str, t.Callable[[t.Any], t.Any]] = {
    "str": _text,
    "int": _integer,
    "number": _number,
    "bool": _boolean,
    "duration": parse_duration,
    "period": parse_duration,
    "size": parse_size,
    "list": _list,
    "dict": _mapping,
    "port": _port,
    "url": _url,
    "regex": _regex,
    "path": _path,
    "any": lambda value: value,
}
