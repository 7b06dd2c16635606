# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The vendors' servers as their documents describe them: they verify signatures, tokens, sizes, shapes and rates, and shut out who goes on.

Written from the vendors' pages (named at each class) and not from the dialects. A Receiver serves one of them: ``listen(WeCom(KEY), tls)``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
import typing as t
import urllib.parse

Reply = t.Tuple[int, t.Dict[str, str], bytes]


class Vendor:
    """What they share.

    :ivar taken: the messages that were accepted
    :ivar force: an answer that is given instead of judging, ``(status, headers, body)``
    :ivar rates: (messages, seconds)
    :ivar ban: seconds for which a robot that sent too much is refused everything
    """

    rates: t.Tuple[t.Tuple[int, float], ...] = ()
    ban = 0.0

    def __init__(self, token: str, secret: str = "") -> None:
        self.token = token
        self.secret = secret
        self.taken: t.List[t.Any] = []
        self.force: t.Optional[Reply] = None
        self.refusals = 0
        self.clock: t.Callable[[], float] = time.time
        self._times: t.List[float] = []
        self._banned_until = 0.0

    def serve(self, path: str, headers: t.Mapping[str, str], body: bytes) -> Reply:
        if self.force is not None:
            return self.force
        split = urllib.parse.urlsplit(path)
        query = dict(urllib.parse.parse_qsl(split.query, keep_blank_values=True))
        try:
            message = json.loads(body.decode("utf-8"))
        except ValueError:
            message = None
        reply = self.judge(split.path, query, {name.lower(): value for name, value in headers.items()}, message, body)
        self.refusals += reply is not self.accepted
        return reply

    accepted: Reply = (200, {}, b"")

    def judge(self, path: str, query: t.Dict[str, str], headers: t.Dict[str, str], message: t.Any, body: bytes) -> Reply:
        raise NotImplementedError

    def is_too_often(self) -> bool:
        """Whether this message is one too many; a ban begins with it, and is told to who goes on."""
        now = self.clock()
        if now < self._banned_until:
            return True
        for allowed, seconds in self.rates:
            if len([at for at in self._times if at > now - seconds]) >= allowed:
                self._banned_until = now + self.ban
                return True
        self._times.append(now)
        return False


def coded(field: str, code: t.Any, text: str = "", **more: t.Any) -> Reply:
    body = {field: code, "errmsg" if field == "errcode" else "msg": text, **more}
    return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()


def near(stamp: str, now: float, unit: float) -> bool:
    """Whether a time in a request is within an hour of now."""
    return stamp.isdigit() and abs(int(stamp) * unit - now) <= 3600


class WeCom(Vendor):
    """https://developer.work.weixin.qq.com/document/path/99110"""

    rates = ((20, 60.0),)
    accepted = coded("errcode", 0, "ok")
    LIMITS: t.ClassVar[t.Dict[str, int]] = {"text": 2048, "markdown": 4096, "markdown_v2": 4096}

    def judge(self, path: str, query: t.Dict[str, str], headers: t.Dict[str, str], message: t.Any, body: bytes) -> Reply:
        if path != "/cgi-bin/webhook/send" or query.get("key") != self.token:
            return coded("errcode", 93000, "invalid webhook url")
        kind = message.get("msgtype") if isinstance(message, dict) else None
        if kind not in (*self.LIMITS, "template_card"):
            return coded("errcode", 40008, "invalid message type")
        if kind in self.LIMITS:
            content = message[kind]["content"]
            if not content or len(content.encode("utf-8")) > self.LIMITS[kind]:
                return coded("errcode", 40058, f"{kind}.content exceed max length {self.LIMITS[kind]}")
            if kind == "markdown_v2" and re.search(r"<@|<font", content):
                return coded("errcode", 40058, "markdown_v2 knows neither mentions nor colours")
        else:
            card = message["template_card"]
            titled = card.get("main_title", {}).get("title") or card.get("sub_title_text")
            going = card.get("card_action", {})
            if card.get("card_type") != "text_notice" or not titled or going.get("type") != 1 or not going.get("url"):
                return coded("errcode", 40058, "template_card is not valid")
            if len(card.get("horizontal_content_list", [])) > 6:
                return coded("errcode", 40058, "horizontal_content_list has at most 6")
        if self.is_too_often():
            return coded("errcode", 45009, "api freq out of limit")
        self.taken.append(message)
        return self.accepted


class DingTalk(Vendor):
    """https://open.dingtalk.com/document/orgapp/custom-robot-access; 20 a minute, then ten minutes of silence."""

    rates = ((20, 60.0),)
    ban = 600.0
    accepted = coded("errcode", 0, "ok")
    keyword = ""

    def judge(self, path: str, query: t.Dict[str, str], headers: t.Dict[str, str], message: t.Any, body: bytes) -> Reply:
        if path != "/robot/send" or query.get("access_token") != self.token:
            return coded("errcode", 300001, "token is not exist")
        if self.secret:
            stamp = query.get("timestamp", "")
            if not near(stamp, self.clock(), 0.001):
                return coded("errcode", 310000, "invalid timestamp")
            digest = hmac.new(self.secret.encode(), f"{stamp}\n{self.secret}".encode(), hashlib.sha256).digest()
            # the query was decoded once; what was encoded twice is still encoded
            if query.get("sign") != base64.b64encode(digest).decode():
                return coded("errcode", 310000, "sign not match")
        if len(body) > 20000:
            return coded("errcode", 460101, "message too long")
        kind = message.get("msgtype") if isinstance(message, dict) else None
        needed = {"text": ("content",), "markdown": ("title", "text"), "actionCard": ("title", "text", "singleTitle", "singleURL")}
        if kind not in needed or not all(message.get(kind, {}).get(name) for name in needed[kind]):
            return coded("errcode", 40035, "a parameter is missing")
        text = message[kind].get("content") or message[kind].get("text")
        if self.keyword not in text:
            return coded("errcode", 310000, "keywords not in content")
        if self.is_too_often():
            limits = {"status": 1111, "wait": 5, "source": "x5", "punish": "deny"}
            return coded("errcode", 130101, "send too fast, exceed 20 times per minute", **limits)
        at = message.get("at", {})
        called = [name for name in (*at.get("atMobiles", []), *at.get("atUserIds", [])) if f"@{name}" in text]
        self.taken.append(dict(message, called=called + (["all"] if at.get("isAtAll") else [])))
        return self.accepted


class Feishu(Vendor):
    """https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot; 100 a minute and 5 a second; a body of 20 KB."""

    rates = ((5, 1.0), (100, 60.0))
    accepted = coded("code", 0, "success", StatusCode=0, StatusMessage="success")

    def judge(self, path: str, query: t.Dict[str, str], headers: t.Dict[str, str], message: t.Any, body: bytes) -> Reply:
        if path != f"/open-apis/bot/v2/hook/{self.token}":
            return coded("code", 19001, "param invalid: incoming webhook access token invalid")
        if not isinstance(message, dict):
            return 400, {}, json.dumps({"code": 9499, "msg": "Bad Request"}).encode()
        if self.secret:
            stamp = message.get("timestamp", "")
            key = f"{stamp}\n{self.secret}".encode()
            good = base64.b64encode(hmac.new(key, digestmod=hashlib.sha256).digest()).decode()
            if not near(str(stamp), self.clock(), 1.0) or message.get("sign") != good:
                return coded("code", 19021, "sign match fail or timestamp is not within one hour from current time")
        if len(body) > 20 * 1024:
            return coded("code", 19036, "request body too large")
        if message.get("msg_type") == "text":
            text = message.get("content", {}).get("text")
        elif message.get("msg_type") == "interactive":
            card = message.get("card", {})
            text = card["elements"][0]["text"]["content"] if card.get("elements") else ""
            if card.get("header", {}).get("template") not in ("red", "orange", "blue", "green", "grey"):
                return coded("code", 19002, "params error, card header")
        else:
            return coded("code", 19002, "params error, msg_type need")
        if not text:
            return coded("code", 19002, "params error, text can't be empty")
        if self.is_too_often():
            return coded("code", 11232, "frequency limited psm[lark.oapi.app_platform_runtime]appID[1500]")
        called = re.findall(r'<at (?:user_id="|id=|email=)([^">]+)"?></at>', text)
        self.taken.append(dict(message, called=called))
        return self.accepted


class Slack(Vendor):
    """https://docs.slack.dev/reference/block-kit/blocks, https://docs.slack.dev/messaging/formatting-message-text, .../apis/web-api/rate-limits"""

    rates = ((1, 1.0),)
    accepted = (200, {}, b"ok")

    def __init__(self, token: str, channel: str = "") -> None:
        super().__init__(token)
        self.channel = channel
        if channel:
            self.accepted = (200, {}, b'{"ok": true, "ts": "1.2"}')

    def _no(self, status: int, word: str) -> Reply:
        return (200, {}, json.dumps({"ok": False, "error": word}).encode()) if self.channel else (status, {}, word.encode())

    def judge(self, path: str, query: t.Dict[str, str], headers: t.Dict[str, str], message: t.Any, body: bytes) -> Reply:
        if self.channel:
            if path != "/api/chat.postMessage" or headers.get("authorization") != f"Bearer {self.token}":
                return self._no(200, "invalid_auth")
            if message.get("channel") != self.channel:
                return self._no(200, "channel_not_found")
        elif path != f"/services/{self.token}":
            return self._no(404, "no_service")
        if not isinstance(message, dict) or not message.get("text"):
            return self._no(400, "invalid_payload")
        blocks = message.get("blocks", [])
        texts = [block["text"]["text"] for block in blocks]
        limits = {"header": 150, "section": 3000}
        if not 0 < len(blocks) <= 50 or any(not 0 < len(block["text"]["text"]) <= limits[block["type"]] for block in blocks):
            return self._no(400, "invalid_blocks")
        if self.is_too_often():
            return 429, {"Retry-After": "1"}, self._no(429, "ratelimited")[2]
        written = "\n".join([message["text"], *texts[1:]])
        self.taken.append(dict(message, called=re.findall(r"<([@!#][^>]*)>", written), links=re.findall(r"<(https?://[^>]*)>", written)))
        return self.accepted


class Teams(Vendor):
    """A workflow, https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors; ``token`` is the query's sig."""

    accepted = (202, {}, b"")
    PATH = "/workflows/abcdef0123456789abcdef0123456789/triggers/manual/paths/invoke"

    def judge(self, path: str, query: t.Dict[str, str], headers: t.Dict[str, str], message: t.Any, body: bytes) -> Reply:
        if path != self.PATH:
            return 404, {}, b'{"error":{"code":"WorkflowNotFound"}}'
        if query != {"api-version": "2016-06-01", "sp": "/triggers/manual/run", "sv": "1.0", "sig": self.token}:
            return 401, {}, b'{"error":{"code":"DirectApiAuthorizationRequired"}}'
        if len(body) > 24453:  # Teams makes more of it, and 28,672 bytes are the end
            return 413, {}, b""
        attachment = message["attachments"][0]
        card = attachment["content"]
        if (
            message["type"] != "message"
            or attachment["contentType"] != "application/vnd.microsoft.card.adaptive"
            or attachment["contentUrl"]
        ):
            return 400, {}, b""
        if card["type"] != "AdaptiveCard" or card["version"] not in ("1.0", "1.2", "1.4") or not all(part["text"] for part in card["body"]):
            return 400, {}, b""
        # what is no entity is text, and an entity that is nowhere in the text is refused
        texts = "\n".join(part["text"] for part in card["body"])
        if not all(entity["text"] in texts for entity in card["msteams"]["entities"]):
            return 400, {}, b""
        self.taken.append(card)
        return self.accepted


class Connector(Vendor):
    """The old connector: 200 whatever happens, and the truth in the body; 4 a second, 60 in 30 seconds."""

    rates = ((4, 1.0), (60, 30.0))
    accepted = (200, {}, b"1")

    def judge(self, path: str, query: t.Dict[str, str], headers: t.Dict[str, str], message: t.Any, body: bytes) -> Reply:
        failed = "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error {} with ContextId tcid=0"
        if path != f"/webhookb2/{self.token}" or message.get("@type") != "MessageCard" or not message.get("summary"):
            return 200, {}, failed.format(400).encode()
        if len(body) > 28 * 1024:
            return 200, {}, failed.format(413).encode()
        if self.is_too_often():
            return 200, {}, failed.format(429).encode()
        self.taken.append(message)
        return self.accepted


class Discord(Vendor):
    """https://discord.com/developers/docs/resources/webhook, /resources/message#embed-limits, /topics/rate-limits"""

    rates = ((5, 2.0),)
    accepted = (200, {"X-RateLimit-Limit": "5"}, b'{"id": "1"}')

    def judge(self, path: str, query: t.Dict[str, str], headers: t.Dict[str, str], message: t.Any, body: bytes) -> Reply:
        if path != f"/api/webhooks/{self.token}":
            return 404, {}, b'{"message": "Unknown Webhook", "code": 10015}'
        embeds = message.get("embeds", [])
        counted = len(message.get("content", "")) <= 2000 and 0 < len(embeds) <= 10
        whole = 0
        for embed in embeds:
            title, description = len(embed.get("title", "")), len(embed.get("description", ""))
            whole += title + description
            counted = counted and title <= 256 and description <= 4096 and whole <= 6000
        if not counted:
            return 400, {}, b'{"message": "Invalid Form Body", "code": 50035}'
        if self.is_too_often():
            return 429, {"X-RateLimit-Scope": "user"}, b'{"message": "You are being rate limited.", "retry_after": 0.65, "global": false}'
        allowed = message.get("allowed_mentions", {"parse": ["everyone", "users", "roles"]})
        called = re.findall(r"@everyone|@here", message.get("content", "")) if "everyone" in allowed["parse"] else []
        for user in re.findall(r"<@(&?\d+)>", message.get("content", "")):
            called += [user] if user.lstrip("&") in (*allowed.get("users", ()), *allowed.get("roles", ())) else []
        self.taken.append(dict(message, called=called))
        return self.accepted


class PagerDuty(Vendor):
    """https://developer.pagerduty.com/docs/events-api-v2-overview; ``incidents`` are known by their dedup_key."""

    accepted = (202, {}, b'{"status": "success", "message": "Event processed", "dedup_key": "x"}')

    def __init__(self, token: str) -> None:
        super().__init__(token)
        self.incidents: t.Dict[str, str] = {}

    def judge(self, path: str, query: t.Dict[str, str], headers: t.Dict[str, str], message: t.Any, body: bytes) -> Reply:
        invalid: Reply = (400, {}, b'{"status": "invalid event", "message": "Event object is invalid", "errors": ["..."]}')
        if path != "/v2/enqueue" or message.get("routing_key") != self.token or len(body) > 512_000:
            return invalid
        key, action = message.get("dedup_key", ""), message.get("event_action")
        if not 0 < len(key) <= 255:
            return invalid
        if action == "trigger":
            payload = message.get("payload", {})
            severe = payload.get("severity") in ("critical", "error", "warning", "info")
            if not severe or not payload.get("source") or not 0 < len(payload.get("summary", "")) <= 1024:
                return invalid
            self.incidents[key] = "triggered"
        elif action in ("acknowledge", "resolve"):
            if self.incidents.get(key) in ("triggered", "acknowledged"):
                self.incidents[key] = action + "d"
        else:
            return invalid
        self.taken.append(message)
        return self.accepted
