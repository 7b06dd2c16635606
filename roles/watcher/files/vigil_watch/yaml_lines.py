# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""YAML that remembers on which line everything stands."""

from __future__ import annotations

import typing as t

import yaml  # type: ignore[import-untyped]

_MOST = 16 << 20
Place = t.Tuple[t.Any, ...]


class YamlError(Exception):
    """A file that cannot be read; one sentence with file and line."""


class Document:
    """What a file holds.

    :ivar data: plain values
    """

    def __init__(self, path: str, data: t.Any, root: t.Any) -> None:
        self.path = path
        self.data = data
        self._root = root

    def where(self, place: Place = (), key: t.Any = None) -> str:
        """``FILE:LINE`` of what lies at a place (keys and indexes from the top); of a key in it where one is given."""
        node = self._root
        for step in place:
            found = _child(node, step)
            if found is None:
                break
            node = found[1]
        if key is not None:
            found = _child(node, key)
            node = found[0] if found else node
        return f"{self.path}:{node.start_mark.line + 1}" if node is not None else self.path


def _child(node: t.Any, step: t.Any) -> t.Optional[t.Tuple[t.Any, t.Any]]:
    """(where its key stands, the node itself)."""
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == str(step):
                return name, value
    return None


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """A key that stands twice is an error, as the first one would be lost without a word."""

    def construct_mapping(self, node: t.Any, deep: bool = False) -> t.Any:
        seen: t.Dict[t.Any, t.Any] = {}
        for name, _value in node.value:
            if name.tag != "tag:yaml.org,2002:merge" and name.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f'the key "{name.value}" stands twice', name.start_mark)
            seen[name.value] = True
        return super().construct_mapping(node, deep)


def read_yaml(path: str) -> Document:
    """Read one document.

    :raises YamlError: one sentence
    """
    try:
        with open(path, "rb") as source:
            data = source.read(_MOST + 1)
    except OSError as exc:
        raise YamlError(f"{path} cannot be read: {(exc.strerror or str(exc)).lower()}") from exc
    if len(data) > _MOST:
        raise YamlError(f"{path} is larger than {_MOST >> 20} MiB")
    try:
        loader = _Loader(data.decode("utf-8-sig"))
        try:
            root = loader.get_single_node()
            return Document(path, None if root is None else loader.construct_document(root), root)
        finally:
            loader.dispose()
    except UnicodeError as exc:
        raise YamlError(f"{path} is not UTF-8 text") from exc
    except yaml.MarkedYAMLError as exc:
        line = f":{exc.problem_mark.line + 1}" if exc.problem_mark else ""
        raise YamlError(f"{path}{line}: {exc.problem or exc.context or 'this is no valid YAML'}") from exc
    except (yaml.YAMLError, RecursionError, ValueError) as exc:
        raise YamlError(f"{path}: this is no valid YAML ({' '.join(str(exc).split())[:120]})") from exc
