# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an answer means: of HTTP alone, and of vendors that answer 200 to everything and say the truth in the body."""

from __future__ import annotations

import email.utils
import json
import re
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import (
    DEAD,
    RETRY,
    SENT,
    THROTTLED,
    Answer,
    Channel,
    Verdict,
)

_AGAIN = (408, 425, 500, 502, 503, 504)
LONGEST_WAIT = 3600.0
_PORTAL_TRIES = 20
_NUMBER = re.compile(r"\d{1,9}(\.\d+)?\Z")


def http(answer: Answer) -> Verdict:
    """2xx is success; 408, 425, 429 and 5xx are tried again; a redirect is not followed, as the next host is not the one trusted."""
    code = str(answer.status)
    if 200 <= answer.status < 300:
        return Verdict(SENT, code)
    if answer.status == 429 or (answer.status == 503 and "retry-after" in answer.headers):
        return Verdict(THROTTLED, code, f"the receiver asks to wait (HTTP {code})", retry_after(answer))
    if answer.status in _AGAIN or answer.status >= 500:
        return Verdict(RETRY, code, f"the receiver is in trouble (HTTP {code})")
    if answer.status == 407:
        return Verdict(RETRY, code, "the proxy wants a user and a password (HTTP 407)")
    if 300 <= answer.status < 400:
        return Verdict(DEAD, code, f"the receiver points elsewhere (HTTP {code}); give its final URL")
    too_long = answer.status == 413
    return Verdict(DEAD, code, f"the receiver refuses it (HTTP {code})", of_text=too_long, too_long=too_long)


def retry_after(answer: Answer, default: float = 5.0) -> float:
    """Seconds of a Retry-After header (RFC 9110, 10.2.3), at most an hour."""
    text = answer.headers.get("retry-after", "").strip()
    if _NUMBER.match(text):
        return min(float(text), LONGEST_WAIT)
    try:
        wait = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
    except (TypeError, ValueError, IndexError):
        return default
    return min(max(wait, 0.0), LONGEST_WAIT)


def parsed(answer: Answer) -> t.Any:
    """The body as JSON; None when it is none."""
    try:
        return json.loads(answer.body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None


def said(answer: Answer) -> str:
    """The body as text, without white space around it."""
    return answer.body.decode("utf-8-sig", "replace").strip()


def stranger(code: str, whose: str) -> Verdict:
    """It is a success for HTTP alone: somebody on the way has answered, who may be gone later."""
    return Verdict(RETRY, code, f"the answer is not {whose} (a portal or a proxy answered?)", tries=_PORTAL_TRIES)


def is_page(answer: Answer) -> bool:
    """Whether the body is one for a browser."""
    return said(answer)[:1] == "<"


class Book(t.NamedTuple):
    """A vendor's return codes. What is in none of the lists is asked for once more, and then final: never a success.

    :ivar fields: where the code stands in the body; the first that is there counts
    :ivar busy: try again
    :ivar throttled: code -> (seconds to wait, the same for the second time)
    :ivar refused: final, with why
    :ivar too_long: final for a text of this length
    :ivar unsure: once more, signed anew, then final, with why
    """

    vendor: str
    fields: tuple[str, ...]
    busy: tuple[int, ...] = ()
    throttled: t.Mapping[int, tuple[float, float]] = {}
    refused: t.Mapping[int, str] = {}
    too_long: t.Mapping[int, str] = {}
    unsure: t.Mapping[int, str] = {}


def judged(answer: Answer, book: Book) -> Verdict:
    """The verdict on an answer with a code in its body."""
    body = parsed(answer)
    code = next((body[field] for field in book.fields if field in body), None) if isinstance(body, dict) else None
    known = code if isinstance(code, int) and not isinstance(code, bool) else None
    plain = http(answer)
    if plain.kind != SENT and (code is None or known == 0 or (plain.kind != DEAD and not _names(book, known))):
        return plain
    if code is None:
        return stranger("no_json", f"{book.vendor}'s: no {book.fields[0]} in it")
    if known == 0:
        return Verdict(SENT, "0")
    # what is no number may be anything that the receiver was told, such as a part of the secret
    name = str(known)[:20] if known is not None else "odd"
    shown = f"({book.fields[0]} {name})" if known is not None else f"({book.fields[0]} is no number)"
    if known in book.busy:
        return Verdict(RETRY, str(code), f"{book.vendor} is busy {shown}")
    if known is not None and known in book.throttled:
        wait, again = (max(seconds, retry_after(answer, 0.0)) for seconds in book.throttled[known])
        return Verdict(THROTTLED, str(code), f"the robot is told too often {shown}", wait, again)
    if known is not None and known in book.too_long:
        return Verdict(DEAD, str(code), f"{book.vendor} refuses it: {book.too_long[known]} {shown}", of_text=True, too_long=True)
    if known is not None and known in book.refused:
        return Verdict(DEAD, str(code), f"{book.vendor} refuses it: {book.refused[known]} {shown}")
    why = book.unsure.get(known, "its documents say why") if known is not None else "its documents say why"
    return Verdict(RETRY, name, f"{book.vendor} refuses it: {why} {shown}", tries=2)


def _names(book: Book, code: int | None) -> bool:
    return code in (*book.busy, *book.throttled, *book.refused, *book.too_long, *book.unsure)


def by(book: Book) -> t.Callable[[Channel, Answer], Verdict]:
    """The ``judge`` of a dialect that has nothing but its book."""
    return lambda _channel, answer: judged(answer, book)
