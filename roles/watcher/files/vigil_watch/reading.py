# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of the configuration, read with errors that say where they stand."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest, type_name
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import parse_duration
from vigil_watch.yaml_lines import Document, YamlError, read_yaml


class Refusal(Exception):
    """What was asked for cannot be done; one sentence for the user."""


class ConfigError(Exception):
    """What cannot be used; one sentence with file and line."""


def open_document(path: str) -> Document:
    """A file of the configuration; it holds a mapping or nothing."""
    try:
        document = read_yaml(path)
    except YamlError as exc:
        raise ConfigError(str(exc)) from exc
    if document.data is None:
        document.data = {}
    if not isinstance(document.data, dict):
        raise ConfigError(f"{path}: it must hold a mapping, not {type_name(document.data)}")
    return document


def check_keys(document: Document, place: t.Tuple[t.Any, ...], value: t.Mapping[t.Any, t.Any], names: t.Sequence[str]) -> None:
    """Refuse keys that nobody knows."""
    for key in value:
        if key not in names:
            raise ConfigError(f'{document.where(place, key)}: there is no key "{key}"{nearest(key, names)}')


def mapping(document: Document, place: t.Tuple[t.Any, ...], value: t.Any, names: t.Sequence[str]) -> t.Mapping[str, t.Any]:
    """A mapping with these keys."""
    if not isinstance(value, dict):
        raise ConfigError(f"{document.where(place)}: a mapping is needed here, not {type_name(value)}")
    check_keys(document, place, value, names)
    return value


class Reader:
    """Reads values of one mapping, with errors that say where it stands."""

    def __init__(self, document: Document, place: t.Tuple[t.Any, ...], value: t.Mapping[str, t.Any]) -> None:
        self._document, self._place, self._value = document, place, value

    def get(self, key: str, usual: t.Any, read: t.Callable[[t.Any], t.Any]) -> t.Any:
        """The value of a key as it is read, or what is usual where it is not given."""
        value = self._value.get(key)
        if value is None:
            return usual
        try:
            return read(value)
        except (ValueError, TypeError) as exc:
            raise ConfigError(f"{self._document.where(self._place, key)}: {key}: {exc}") from exc


def text(value: t.Any) -> str:
    """Text, or a number as text."""
    if not isinstance(value, (str, int, float)) or isinstance(value, bool) or not str(value).strip():
        raise ValueError(f"text is needed here, not {type_name(value)}")
    return str(value)


def number(value: t.Any) -> float:
    """A number above 0."""
    found = float(value)
    if isinstance(value, bool) or not 0 < found < 1e9:
        raise ValueError(f"{value!r} is no number above 0")
    return found


def duration(value: t.Any) -> float:
    """Seconds, more than 0."""
    seconds = parse_duration(value)
    if seconds <= 0:
        raise ValueError(f"{value!r} is no time; write for example 30s")
    return seconds


def texts(value: t.Any) -> t.Dict[str, str]:
    """A mapping of names to plain values."""
    if not isinstance(value, dict) or any(isinstance(item, (dict, list)) for item in value.values()):
        raise ValueError("a mapping of names to plain values is needed here")
    return {str(key): str(item) for key, item in value.items()}


def address(value: t.Any) -> str:
    """``HOST:PORT`` or ``unix:/PATH``."""
    given = text(value)
    if given.startswith("unix:/"):
        return given
    host, colon, port = given.rpartition(":")
    if not colon or not port.isdigit() or not 0 < int(port) < 65536 or not host:
        raise ValueError(f"{given!r} is no address; write 127.0.0.1:9469 or unix:/run/vigil/metrics.sock")
    return given


def http_url(value: t.Any) -> str:
    """A URL that is spoken to over HTTP."""
    given = text(value)
    if not given.startswith(("http://", "https://")):
        raise ValueError(f"{given[:8]!r}... is no URL; write one such as https://hub.example:9470/heartbeat")
    return given


def token(value: t.Any) -> str:
    """A secret that is long enough."""
    if not isinstance(value, str) or len(value) < 16:
        raise ValueError("a token is a text of 16 characters or more")
    return value


def absolute(value: t.Any) -> str:
    """An absolute path."""
    given = text(value)
    if not given.startswith("/"):
        raise ValueError(f"{given!r} is no absolute path")
    return given
