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
    from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.portions import Page

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
    :ivar type: one of the dialect's ``types``
    :ivar mention: who is called by name when an alert of at least ``mention_from`` begins
    :ivar secret: what requests are signed with
    :ivar template: the path of a Jinja2 file for the body
    :ivar room: how much of its limit a text may take; less when the receiver found it too long
    :ivar words: of chats: puts the user's own words into events, given the language
    :ivar repeat: seconds after which what lasts is told again at the latest
    :ivar own: what the dialect alone knows
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
        self.type = ""
        self.mention: tuple[str, ...] = ()
        self.mention_from = "error"
        self.secret = ""
        self.template: str | None = None
        self.room = 1.0
        self.repeat = 4 * 3600.0
        self.words: t.Callable[[t.Sequence[Event], str], list[Event]] | None = None
        self.own: dict[str, t.Any] = {}
        self.secrets: set[str] = set()

    def hide(self, text: str) -> str:
        """The text without this channel's secrets."""
        return str(mask(text, {secret for secret in self.secrets if secret}))

    def bind(self, salt: str) -> None:
        """Give the channel its key in one store: its name, which outlives a new secret, else a salted fingerprint of all of it.

        Without a name two robots of one vendor are told apart by nothing but their secret, so that has to be part of it.
        """
        if self.origin is None and MASK in self.masked:  # all of the URL is somebody else's, and may be a secret
            unnamed = f"{self.scheme}#{self.fingerprint(salt)[:16]}"
        elif self.origin is None:
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
    """One HTTP request of a dialect; the channel's own headers come on top. ``path`` stands in for the channel's where it changes with time."""

    body: bytes
    headers: dict[str, str]
    method: str = "POST"
    path: str = ""


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
    :ivar again: seconds to wait where it asks for the second time
    :ivar of_text: it is this text that is refused, another one may be taken
    :ivar too_long: a shorter one may be taken
    :ivar tries: of a RETRY: so many answers of this code are final; 0 means never
    :ivar everywhere: of THROTTLED: every robot of this vendor is to be left alone, as the whole address has told too much
    :ivar gone: the receiver is not there any more, so that nothing else is to be sent to it now
    """

    kind: str
    code: str = ""
    message: str = ""
    wait: float = 0.0
    again: float = 0.0
    of_text: bool = False
    too_long: bool = False
    tries: int = 0
    gone: bool = False
    everywhere: bool = False


class Way(t.Protocol):
    """How a receiver is reached that does not speak HTTP; used by one thread at a time."""

    def send(self, events: t.Sequence[Event], seconds: float) -> Verdict:
        """Tell, and say what became of it; raises NetError where the network failed."""

    def close(self) -> None:
        """Close what is open; never raises."""


class Dialect(t.NamedTuple):
    """How one kind of receiver is spoken to, as data and two functions; one that does not speak HTTP has a way of its own instead.

    :ivar read: takes a channel's URL apart
    :ivar way: makes the way to a channel; whatever it imports is imported there
    :ivar rates: (messages, seconds) that one robot takes, whoever sends
    :ivar digest: several events may go as one message, of chats alone: a program that reads events gets each by itself
    :ivar types: kinds of messages, the usual one first
    :ivar page: of chats where what is too long for one message goes in several: how much one holds for these events, see portions
    :ivar calls: whether somebody of this name can be called; None where nobody can
    :ivar by_severity: an alert is known by its severity, too: an event has ``_was``, the one it was told with before where that was another
    """

    name: str
    read: t.Callable[[Channel, t.Any], None]
    request: t.Callable[[Channel, t.Sequence[Event]], Request] | None = None
    judge: t.Callable[[Channel, Answer], Verdict] | None = None
    way: t.Callable[[Channel], Way] | None = None
    rates: tuple[tuple[int, float], ...] = ()
    digest: bool = False
    types: tuple[str, ...] = ()
    page: t.Callable[[Channel, t.Sequence[Event]], Page | None] | None = None
    calls: t.Callable[[str], bool] | None = None
    by_severity: bool = False


class ChannelError(Exception):
    """What was given is no channel; the text is one sentence without secrets."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence.replace("?.", "?"))


def masked_url(scheme: str, place: str, more: bool) -> str:
    """``https://host:8443/********``: the place is told, the rest is not."""
    return f"{scheme}://{place}" + (("/" if place else "") + MASK if more else "")
