# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a scan finds, bounded: counts of everything, samples of some, and what the rules make of it."""

from __future__ import annotations

import hashlib
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.secrets import MASK, mask, secrets_of
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.reader import Block
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.scan import Found, Hit, text_of
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.stamps import time_of
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.windows import Alarm, Memory, Seen, Window
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import rfc3339
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.unit import clean

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.log_request import Request

LONGEST = 2048
MOST_ALARMS = 1000
_FIELD = 500
_MOST_FIELDS = 40
_TRACE = re.compile(
    r"\btrace[-_.]?id[\"']?\s*[=:]\s*[\"']?([0-9A-Za-z][0-9A-Za-z-]{7,63})|\b00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}\b"
    r"|\btrace=([0-9a-fA-F]{16,32})\b",
    re.IGNORECASE,
)
Told = t.Callable[[int], t.Tuple[t.Optional[float], t.Dict[str, t.Any]]]


class Origin(t.NamedTuple):
    """Where a block comes from: the name of its source, of its file, and what makes its lines different from all others."""

    source: str
    path: str
    identity: str


class Collector:
    """One scan.

    :arg memories: what the rules remember, by their names; changed in place
    """

    def __init__(self, request: Request, memories: t.Dict[str, Memory], now: float) -> None:
        self._request, self._now = request, now
        self._windows = [Window(rule, memories.setdefault(rule.name, {}), now) for rule in request.rules]
        self._masks = [*request.mask]
        self._last: t.Dict[str, bytes] = {}  # the end of the block before
        self.counts = dict.fromkeys((rule.name for rule in request.rules), 0)
        self.matches: t.List[t.Dict[str, t.Any]] = []
        self.levels: t.Dict[str, t.Dict[str, int]] = {}
        self.lines = 0

    def take(self, origin: Origin, told: t.Optional[Told], block: Block, found: Found) -> None:
        """One block and what is in it. ``told``: (time, fields) of the message at a place in it, where its source knows them."""
        self.lines += found.lines
        counts = self.levels.setdefault(origin.source, {}) if self._request.levels else {}
        for level, number in found.levels.items():
            counts[level] = counts.get(level, 0) + number
        for hit in found.hits:
            self._hit(origin, block, hit, told)
        if self._request.context:
            self._last[origin.source] = block.data[-LONGEST * self._request.context :]

    def _hit(self, origin: Origin, block: Block, hit: Hit, told: t.Optional[Told]) -> None:
        rule = self._request.rules[hit.rule]
        self.counts[rule.name] += 1
        at, more = told(hit.start) if told else (None, {})
        fields = {**more, **hit.fields} if more else hit.fields
        if at is None:
            at = time_of(hit.text, self._now) or self._now

        def sample() -> Alarm:
            found = self._shown(hit, fields, origin)
            found["context"] = self._context(origin, block, hit)
            found["trace_id"] = _trace(hit.text, fields)
            return found

        if len(self.matches) < self._request.max_matches:
            shown = self._shown(hit, fields, origin)
            name = f"{origin.identity}/{block.start}/{hit.start}/{rule.name}"
            self.matches.append(
                {
                    "id": hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32],
                    "rule": rule.name,
                    "source": shown["source"],
                    "line": shown["sample"],
                    "fields": shown["fields"],
                    "time": rfc3339(at),
                    "severity": rule.severity,
                }
            )
        self._windows[hit.rule].see(Seen(at, hit.text, fields, sample))

    def finish(self) -> t.List[Alarm]:
        """The alarms, complete but for their ids."""
        alarms = []
        for window in self._windows:
            for alarm in window.finish():
                alarms.append(self._told(alarm, window.rule))
        return alarms[:MOST_ALARMS]

    def changed(self) -> t.Dict[str, Memory]:
        """The memories that differ from what they were."""
        return {window.rule.name: window.memory for window in self._windows if window.changed}

    def _told(self, alarm: Alarm, rule: t.Any) -> Alarm:
        usual: Alarm = {"sample": "", "source": "", "fields": {}, "context": [], "trace_id": None}
        found = {**usual, **alarm, "labels": dict(rule.labels), "annotations": dict(rule.annotations)}
        found["since"], found["until"] = rfc3339(alarm["since"]), rfc3339(alarm["until"])
        found["message"] = sentence(found, rule)
        found["time"] = rfc3339(self._now)
        return found

    def _shown(self, hit: Hit, fields: t.Mapping[str, t.Any], origin: Origin) -> Alarm:
        """A line and its fields, without what looks like a secret, cut, as UTF-8 can hold them."""
        rule = self._request.rules[hit.rule]
        text = hit.text[: LONGEST * 2]
        secrets = secrets_of(text) | secrets_of(dict(fields))
        masks = [*self._masks, *rule.mask]

        def hidden(value: t.Any, most: int) -> t.Any:
            if not isinstance(value, str):
                return value
            value = str(mask(value[: most * 2], secrets))
            for one in masks:
                value = one.sub(MASK, value)
            value = clean(value)
            return value if len(value) <= most else value[: most - 1] + "…"

        shown = {clean(str(key)): hidden(value, _FIELD) for key, value in list(fields.items())[:_MOST_FIELDS]}
        return {"sample": hidden(text, LONGEST), "source": clean(origin.path), "fields": shown}

    def _context(self, origin: Origin, block: Block, hit: Hit) -> t.List[str]:
        """A few lines before and behind."""
        most = self._request.context
        if not most:
            return []
        before: t.List[str] = []
        at = hit.start
        while at > 0 and len(before) < most:
            begin = block.data.rfind(b"\n", 0, at - 1) + 1
            before.insert(0, text_of(block.data[begin : at - 1][:LONGEST]))
            at = begin
        if at == 0 and len(before) < most:
            before = [*_last_lines(self._last.get(origin.source, b""), most)[-(most - len(before)) :], *before]
        behind = [text_of(one[:LONGEST]) for one in block.data[hit.end + 1 : hit.end + 1 + LONGEST * most].split(b"\n")[:most]]
        lines = [*before, text_of(block.data[hit.start : hit.end][:LONGEST]), *(line for line in behind if line)]
        rule = self._request.rules[hit.rule]
        found = []
        for line in lines:
            line = str(mask(line[:_FIELD], secrets_of(line)))
            for one in [*self._masks, *rule.mask]:
                line = one.sub(MASK, line)
            found.append(clean(line))
        return found


def _last_lines(data: bytes, most: int) -> t.List[str]:
    if not data:
        return []
    end = len(data)
    begin = end
    for _line in range(most + 1):
        begin = data.rfind(b"\n", max(0, end - LONGEST * most), begin)
        if begin < 0:
            break
    return [text_of(line[:LONGEST]) for line in data[max(begin + 1, end - LONGEST * most) : end - 1].split(b"\n")[-most:]]


def _trace(text: str, fields: t.Mapping[str, t.Any]) -> t.Optional[str]:
    for key in ("trace_id", "traceId", "traceID", "trace.id"):
        if fields.get(key):
            return clean(str(fields[key])[:64])
    found = _TRACE.search(text[: LONGEST * 2])
    return next((part for part in found.groups() if part), None) if found else None


def sentence(alarm: Alarm, rule: t.Any) -> str:
    """An alarm as people read it."""
    key = f" for {rule.threshold.by} {alarm['key']}" if rule.threshold and rule.threshold.by and alarm["key"] else ""
    kind, count = alarm["kind"], alarm["count"]
    if alarm["status"] == "resolved":
        over = {"threshold": f"no more than usual{key}", "absent": "it is there again", "rate": "as usual again"}
        return f"{rule.name}: {over.get(kind, 'it is over')}"
    line = alarm.get("sample") or ""
    if kind == "absent":
        return f"{rule.name}: no such line since {alarm['since']}"
    if kind == "rate":
        return f"{rule.name}: {count} lines in {rule.rate.per:g} s, usual are {alarm['usual']:g}: {line}"
    if kind == "threshold":
        return f"{rule.name}: {count} lines within {rule.threshold.within:g} s{key}: {line}"
    if kind == "new":
        more = f" (and {alarm['more']} other new ones)" if alarm.get("more") else ""
        return f"{rule.name}: a line of a new kind: {line}{more}"
    return f"{rule.name}: {line}" if count == 1 else f"{rule.name}: {count} lines, the first: {line}"
