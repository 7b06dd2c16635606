# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""Where the controller's faces find channels: an option, else the environment, else a file. Nothing here shows a URL."""

from __future__ import annotations

import os
import typing as t

import yaml  # type: ignore[import-untyped]

FILE_HELP = "give one channel a line, or a YAML list"


class ChannelsError(Exception):
    """The channels cannot be read from where they are said to be; one sentence without secrets."""


def split(text: str) -> list[t.Any]:
    """Channels in one text: URLs separated by white space, or a YAML or JSON list."""
    text = text.strip()
    if not text.startswith(("[", "- ", "-\n")):
        return [word for line in text.splitlines() if not line.lstrip().startswith("#") for word in line.split()]
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as exc:
        raise ChannelsError(f"The list of channels is not valid YAML; {FILE_HELP}.") from exc
    if not isinstance(found, list):
        raise ChannelsError(f"The list of channels is not a list; {FILE_HELP}.")
    return found


def read_file(path: str) -> list[t.Any]:
    """The channels of a file, on the controller.

    :raises ChannelsError: it cannot be read
    """
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as handle:
            return split(handle.read(1_000_000))
    except (OSError, UnicodeError) as exc:
        reason = (getattr(exc, "strerror", None) or "it is not UTF-8 text").lower()
        raise ChannelsError(f"The channels file {path} cannot be read: {reason}.") from exc


def from_environment(environ: t.Mapping[str, str] | None = None) -> list[t.Any]:
    """The channels of VIGIL_CHANNELS and of the file in VIGIL_CHANNELS_FILE."""
    environ = os.environ if environ is None else environ
    found = split(environ.get("VIGIL_CHANNELS", ""))
    path = environ.get("VIGIL_CHANNELS_FILE", "")
    return found + (read_file(path) if path else [])
