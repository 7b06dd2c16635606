# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text of users made harmless for each kind of markup: nothing in it is bold, links anywhere, or calls anybody by name."""

from __future__ import annotations

import html
import re

_NOTHING = "\u200b"  # zero width space: keeps two characters apart that would mean something together
_MARKUP = re.compile(r"[\\`*\[\]~|<>]|(?<!\w)_|_(?!\w)")
_LEADING = re.compile(r"^(\s*)([-+>#=]|\d+[.)])(?=\s|$)", re.MULTILINE)
_EDGES = re.compile(r"`|(?<!\w)[*_~]|[*_~](?!\w)")
_CALLS = re.compile(r"@(?=\S)")
_PAIRS = re.compile(r"(\*)(?=\*)|(_)(?=_)|(`)|(\])(?=\()|(<)(?=[/@!A-Za-z])|(~)(?=~)")


def slack(text: str) -> str:
    """Slack: three characters have a meaning, and it writes mentions and links with them; the rest of mrkdwn is kept apart.

    https://docs.slack.dev/messaging/formatting-message-text
    """
    return _EDGES.sub(_NOTHING + r"\g<0>" + _NOTHING, text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def markdown(text: str) -> str:
    """CommonMark as Discord and Teams read it: a backslash before all that is markup; @everyone and the like call nobody."""
    text = _LEADING.sub(r"\1\\\2", _MARKUP.sub(r"\\\g<0>", text))
    return _CALLS.sub("@" + _NOTHING, text)


def robot(text: str) -> str:
    """Markdown of robots that know no backslash: characters that mean something together are kept apart, tags begin with no bracket."""
    text = _LEADING.sub(r"\1" + _NOTHING + r"\2", _PAIRS.sub(lambda found: found.group(0) + _NOTHING, text))
    return re.sub(r"(?<![\w*])\*(?=[^\s*])", "*" + _NOTHING, text)


def lark(text: str) -> str:
    """lark_md of Feishu's cards takes HTML entities for what is markup; so tags such as <at id=all> are text."""
    return re.sub(r"[*~\[\]<>_`&]", lambda found: f"&#{ord(found.group(0))};", text)


def page(text: str) -> str:
    """HTML."""
    return html.escape(text)


def plain(text: str) -> str:
    """Where nothing has a meaning; control characters go, but for tabs and ends of lines."""
    return "".join(char for char in text if char >= " " or char in "\t\n")
