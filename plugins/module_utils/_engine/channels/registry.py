# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which dialect speaks which scheme. A new dialect is one file and one line here."""

from __future__ import annotations

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Channel, Dialect

_DIALECTS = {"http": "webhook", "https": "webhook", "file": "file", "wecom": "wecom"}
SCHEMES = tuple(sorted(_DIALECTS))
# Named by the plan, not built yet: refused with a sentence of their own.
PLANNED = (
    "alertmanager",
    "amqp",
    "amqps",
    "cloudevents+http",
    "cloudevents+https",
    "dingtalk",
    "discord",
    "feishu",
    "kafka",
    "lark",
    "pagerduty",
    "slack",
    "smtp",
    "smtps",
    "syslog",
    "teams",
)


def load(scheme: str) -> Dialect:
    """The dialect of a scheme; KeyError when there is none."""
    name = _DIALECTS[scheme]
    if name == "webhook":
        from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import webhook

        return webhook.DIALECT
    if name == "file":
        from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import file

        return file.DIALECT
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import wecom

    return wecom.DIALECT


def groups(channel: Channel) -> bool:
    """Whether several events go in one message there: in chats, unless the channel asks for each by itself."""
    return channel.group != "none" and load(channel.scheme).digest is not None
