# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The vocabulary of this room: a channel, the dialect it speaks, and the verdict on one attempt."""

from __future__ import annotations

import hashlib
import hmac
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.secrets import MASK, mask
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import clean

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import Event

SENT, RETRY, THROTTLED, DEAD = "sent", "retry", "throttled", "dead"
LANGUAGES = ("en", "zh")
GROUPS = ("play", "host", "none")


class Channel:
    """Where to tell. Everything that is secret is in ``secrets``; ``masked`` is what may be shown.

    :ivar key: what the outbox keeps, see :meth:`bind`; empty before
    :ivar scheme: decides the dialect
    :ivar origin: (http or https, host, port); None for a file
    :ivar path: path and query of a request, or the path of a file
    :ivar group: what a chat gets as one message: all that is due (play), all of one host, or each event (none)
    """

    def __init__(self, scheme: str, masked: str) -> None:
        self.scheme = scheme
        self.masked = masked
        self.key = ""
        self.name = ""
        self.origin: tuple[str, str, int] | None = None
        self.path = ""
        self.headers: dict[str, str] = {}
        self.ca: str | None = None
        self.client_cert: str | None = None
        self.min_severity = "info"
        self.language = "en"
        self.group = "play"
        self.timeout = 5.0
        self.secrets: set[str] = set()

    def hide(self, text: str) -> str:
        """The text without this channel's secrets."""
        return str(mask(text, {secret for secret in self.secrets if secret}))

    def bind(self, salt: str) -> None:
        """Give the channel its key in one store: its name, which outlives a new secret, else a salted fingerprint of all of it.

        Without a name two robots of one vendor are told apart by nothing but their secret, so that has to be part of it.
        """
        if self.origin is None:
            unnamed = f"{self.scheme}:{self.path}"
        else:
            _scheme, host, port = self.origin
            unnamed = f"{self.scheme}:{host}:{port}#{self.fingerprint(salt, sorted(self.headers.items()))[:16]}"
        self.key = clean(self.name or unnamed)

    def fingerprint(self, salt: str, more: t.Any = None) -> str:
        """A name for where the channel leads that no secret can be read from."""
        text = repr((self.scheme, self.origin, self.path, more))
        return hmac.new(salt.encode(), text.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()

    def __repr__(self) -> str:
        return f"<Channel {self.key or self.masked}>"


class Request(t.NamedTuple):
    """One HTTP request of a dialect; ``headers`` come on top of the channel's own."""

    body: bytes
    headers: dict[str, str]
    method: str = "POST"


class Answer(t.NamedTuple):
    """What the receiver answered; the body is cut at 64 KiB, header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Verdict(t.NamedTuple):
    """What became of one attempt.

    :ivar kind: SENT, RETRY (later), THROTTLED (the receiver asks to wait), DEAD (never again)
    :ivar code: the receiver's code, or the network's word
    :ivar message: one sentence without secrets
    :ivar wait: seconds that the receiver asks for
    :ivar of_text: it is this text that is refused, another one may be taken
    """

    kind: str
    code: str = ""
    message: str = ""
    wait: float = 0.0
    of_text: bool = False


class Dialect(t.NamedTuple):
    """How one kind of receiver is spoken to, as data and two functions; a local one writes by itself instead.

    :ivar rate: (messages, seconds) that one robot takes, whoever sends
    :ivar digest: several events as one request, of chats alone: a program that reads events gets each by itself
    """

    name: str
    read: t.Callable[[Channel, t.Any], None]
    request: t.Callable[[Channel, Event], Request] | None = None
    judge: t.Callable[[Answer], Verdict] | None = None
    write: t.Callable[[Channel, Event], Verdict] | None = None
    rate: tuple[int, float] | None = None
    digest: t.Callable[[Channel, t.Sequence[Event]], Request] | None = None


class ChannelError(Exception):
    """What was given is no channel; the text is one sentence without secrets."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence.replace("?.", "?"))


def masked_url(scheme: str, place: str, more: bool) -> str:
    """``https://host:8443/********``: the place is told, the rest is not."""
    return f"{scheme}://{place}" + (("/" if place else "") + MASK if more else "")
