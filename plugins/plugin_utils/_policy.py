# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""Where the controller's faces find ``vigil_alerts``: an option, else the file that VIGIL_ALERTS_FILE names."""

from __future__ import annotations

import os
import typing as t

import yaml  # type: ignore[import-untyped]
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.policy import read_policy
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.rules import Policy, PolicyError, check_channels
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import clean
from ansible_collections.vigil.ops.plugins.plugin_utils._pipes import NOTHING, Held, read_bytes

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Channel

NAME = "vigil_alerts"


def read_file(path: str, held: Held = NOTHING) -> t.Any:
    """What a YAML file holds, as such or below the key ``vigil_alerts``.

    :raises PolicyError: it cannot be read
    """
    try:
        text = read_bytes(path, held).decode("utf-8-sig")
        found = yaml.safe_load(text)
    except (OSError, UnicodeError) as exc:
        reason = (getattr(exc, "strerror", None) or "it is not UTF-8 text").lower()
        raise PolicyError(f"The alerts file {path} cannot be read: {reason}.") from exc
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        place = f" at line {mark.line + 1}" if mark is not None else ""
        raise PolicyError(f"The alerts file {path} is not valid YAML{place}.") from exc
    return found[NAME] if isinstance(found, dict) and set(found) == {NAME} else found


def read(given: t.Any, channels: t.Sequence[Channel] | None, path: str | None = None, held: Held = NOTHING) -> Policy | None:
    """The policy of an option (data, or the path of a file), else of a file; None where there is neither.

    :arg channels: all that may be named, and that get the words of the policy; None where they are not known
    :arg held: what pipes held
    :raises PolicyError: one sentence
    """
    path = given if isinstance(given, str) and given.strip() else path if given is None else None
    where = f"The alerts file {path}: " if path else "vigil_alerts: " if given else ""
    if path:
        given = read_file(path, held)
    if not given:
        return None
    try:
        policy = read_policy(given)
        if channels is not None:
            check_channels(policy, {clean(channel.name) for channel in channels if channel.name})
            if policy.mentions():
                from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import callees

                callees.check(policy, channels)
        if policy.templates or policy.read_more:
            # Jinja2 and texts are loaded where they are needed alone: a worker is a fork of this process
            from ansible_collections.vigil.ops.plugins.plugin_utils import _templates

            _templates.give(policy, channels or ())
    except PolicyError as exc:
        raise PolicyError(where + str(exc)) from exc
    return policy


def from_environment(given: t.Any, channels: t.Sequence[Channel] | None, environ: t.Mapping[str, str] | None = None) -> Policy | None:
    """As ``read``, with the file of VIGIL_ALERTS_FILE where nothing is given."""
    environ = os.environ if environ is None else environ
    return read(given, channels, environ.get("VIGIL_ALERTS_FILE") or None)
