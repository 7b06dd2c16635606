# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether those whom the routes of ``vigil_alerts`` call can be called in the channels that are told."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.rules import Mention, Policy, PolicyError
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import registry
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Channel


def check(policy: Policy, channels: t.Sequence[Channel]) -> None:
    """Refuse who could never be called; a list for several channels may hold names that only some of them know.

    :raises PolicyError: one sentence
    """
    for number, rule in enumerate(policy.routes):
        _check(f"routes[{number}].mention", rule.mention, rule.to, channels)
        for escalation in rule.escalate:
            _check(f"routes[{number}].escalate.mention", escalation.mention, escalation.to, channels)


def _check(where: str, mention: Mention | None, to: t.Collection[str] | None, channels: t.Sequence[Channel]) -> None:
    for named, names in (mention or {}).items():
        told = [channel for channel in channels if (channel.name == named if named else to is None or channel.name in to)]
        dialects = [registry.load(channel.scheme) for channel in told]
        if named and to is not None and named not in to:
            raise PolicyError(f'{where} names the channel "{named}", which the route does not tell.')
        for name in names if told else ():
            if not any(dialect.calls is not None and dialect.calls(name) for dialect in dialects):
                places = " and ".join(sorted({dialect.name for dialect in dialects}))
                raise PolicyError(
                    f'{where} is "{name}", and {places} can call nobody of that name; docs/channels.md says who can be called.'
                )
