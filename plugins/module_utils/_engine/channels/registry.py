# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which dialect speaks which scheme; each is imported when it is first asked for. A new dialect is one file and two entries here."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Channel, Dialect

_DIALECTS = {
    "alertmanager": "alertmanager",
    "alertmanagers": "alertmanager",
    "cloudevents+http": "cloudevents",
    "cloudevents+https": "cloudevents",
    "dingtalk": "dingtalk",
    "discord": "discord",
    "feishu": "feishu",
    "file": "file",
    "http": "webhook",
    "https": "webhook",
    "lark": "feishu",
    "pagerduty": "pagerduty",
    "slack": "slack",
    "teams": "teams",
    "wecom": "wecom",
}
SCHEMES = tuple(_DIALECTS)


def knows(scheme: str) -> bool:
    """Whether there is a dialect for a scheme."""
    return scheme in _DIALECTS


def load(scheme: str) -> Dialect:
    """The dialect of a scheme; KeyError when there is none."""
    name = _DIALECTS[scheme]
    return t.cast("Dialect", _LOADERS[name]().DIALECT)


def groups(channel: Channel) -> bool:
    """Whether several events go in one message there: in chats, unless the channel asks for each by itself."""
    return channel.group != "none" and load(channel.scheme).digest


# One import statement a dialect, as only static imports are found.


def _webhook() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import webhook

    return webhook


def _file() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import file

    return file


def _wecom() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import wecom

    return wecom


def _dingtalk() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import dingtalk

    return dingtalk


def _feishu() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import feishu

    return feishu


def _slack() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import slack

    return slack


def _teams() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import teams

    return teams


def _discord() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import discord

    return discord


def _alertmanager() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import alertmanager

    return alertmanager


def _pagerduty() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import pagerduty

    return pagerduty


def _cloudevents() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import cloudevents

    return cloudevents


_LOADERS: dict[str, t.Callable[[], t.Any]] = {
    "webhook": _webhook,
    "file": _file,
    "wecom": _wecom,
    "dingtalk": _dingtalk,
    "feishu": _feishu,
    "slack": _slack,
    "teams": _teams,
    "discord": _discord,
    "alertmanager": _alertmanager,
    "pagerduty": _pagerduty,
    "cloudevents": _cloudevents,
}
