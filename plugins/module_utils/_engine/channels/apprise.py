# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dialect ``apprise+SCHEME://…``: whatever the Python package Apprise speaks, where that is installed (https://github.com/caronc/apprise).

Success is what Apprise says. It does not look at what WeCom, DingTalk, Feishu and Lark answer, so these are not told through it.
"""

from __future__ import annotations

import logging
import re
import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import escapes, texts
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import (
    DEAD,
    RETRY,
    SENT,
    Channel,
    ChannelError,
    Dialect,
    Verdict,
    masked_url,
)

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event

LIMIT = 4000  # characters; what a service takes less it splits by itself
_BLIND = {"wecombot": "wecom", "dingtalk": "dingtalk", "feishu": "feishu", "lark": "lark"}
_TRIES = 20
_HOST = re.compile(r"(localhost|[\d.]+|\[[0-9A-Fa-f:.]+\])(:\d+)?\Z")
_STYLE = texts.Style(escapes.plain, lambda text, _event: text, "{}: {}".format, size=texts.units)


def read(channel: Channel, parts: urllib.parse.SplitResult) -> None:
    """All of it is Apprise's; a fragment is the channel's name."""
    scheme = channel.scheme.partition("+")[2]
    if scheme in _BLIND:
        raise ChannelError(f"The channel {channel.masked} would be told nothing where it is refused; use {_BLIND[scheme]}:// instead.")
    if not parts.netloc and not parts.path.strip("/"):
        raise ChannelError(f"The channel {channel.masked} needs a URL as Apprise has it; write it like apprise+tgram://TOKEN/CHAT.")
    channel.masked = masked_url(channel.scheme, "", True)
    channel.path = urllib.parse.urlunsplit((scheme, parts.netloc, parts.path, parts.query, ""))
    # what stands behind an @ is a host, which is met in other texts as well; without one it is mostly a token
    userinfo, _at, place = parts.netloc.rpartition("@")
    words = {*userinfo.split(":"), *("" if userinfo or _HOST.match(place) else place).split(":"), *parts.path.split("/")}
    channel.secrets |= {word for word in words | {urllib.parse.unquote(word) for word in words} if len(word) >= 6}


class Service:
    """The way through Apprise. It waits as it likes."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._apprise: t.Any = None
        try:
            import apprise
        except ImportError:
            return
        logger = logging.getLogger("apprise")
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
        self._apprise = apprise
        self._service: t.Any = apprise.Apprise(asset=apprise.AppriseAsset(app_id="vigil", async_mode=False))
        self._is_known = bool(self._service.add(channel.path))

    def send(self, events: t.Sequence[Event], _seconds: float) -> Verdict:
        if self._apprise is None:
            return Verdict(RETRY, "missing", "the Python package apprise is not installed where this runs; pip install apprise")
        if not self._is_known:
            return Verdict(DEAD, "apprise", "Apprise does not know this URL")
        told = texts.letter(events, self._channel.language, _STYLE, int(LIMIT * self._channel.room))
        kinds = self._apprise.NotifyType
        kind = {"critical": kinds.FAILURE, "error": kinds.FAILURE, "warning": kinds.WARNING}.get(told.event["severity"], kinds.INFO)
        kind = kinds.SUCCESS if told.event["status"] == "resolved" else kind
        taken = self._service.notify(
            title=told.title, body=told.text or told.title, notify_type=kind, body_format=self._apprise.NotifyFormat.TEXT
        )
        return Verdict(SENT, "apprise") if taken else Verdict(RETRY, "apprise", "Apprise could not tell it", tries=_TRIES)

    def close(self) -> None:
        """Nothing is kept open."""


DIALECT = Dialect("apprise", read, way=Service, digest=True)
