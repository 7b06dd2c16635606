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
    "amqp": "amqp",
    "amqps": "amqp",
    "cloudevents+http": "cloudevents",
    "cloudevents+https": "cloudevents",
    "dingtalk": "dingtalk",
    "discord": "discord",
    "feishu": "feishu",
    "file": "file",
    "http": "webhook",
    "https": "webhook",
    "journald": "syslog",
    "kafka": "kafka",
    "kafkas": "kafka",
    "lark": "feishu",
    "pagerduty": "pagerduty",
    "slack": "slack",
    "smtp": "smtp",
    "smtps": "smtp",
    "syslog": "syslog",
    "syslog+tcp": "syslog",
    "syslog+tls": "syslog",
    "teams": "teams",
    "wecom": "wecom",
}
SCHEMES = tuple(_DIALECTS)
ANY = "apprise+"  # and a scheme that Apprise knows


def knows(scheme: str) -> bool:
    """Whether there is a dialect for a scheme."""
    return scheme in _DIALECTS or scheme.startswith(ANY)


def load(scheme: str) -> Dialect:
    """The dialect of a scheme; KeyError when there is none."""
    name = "apprise" if scheme.startswith(ANY) else _DIALECTS[scheme]
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


def _smtp() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import smtp

    return smtp


def _syslog() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import syslog

    return syslog


def _amqp() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import amqp

    return amqp


def _kafka() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import kafka

    return kafka


def _apprise() -> t.Any:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import apprise

    return apprise


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
    "smtp": _smtp,
    "syslog": _syslog,
    "amqp": _amqp,
    "kafka": _kafka,
    "apprise": _apprise,
}
