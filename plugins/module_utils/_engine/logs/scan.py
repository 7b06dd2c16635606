# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All rules over a block of lines: the quick look first, each rule only on the lines that it may match."""

from __future__ import annotations

import collections
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.literals import Literal
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.prefilter import WORTH, Prefilter
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.reader import Block
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.rules import Fields, Rule
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.watchdog import TooSlow, Watchdog

ONCE = 1.0  # CPU seconds that a rule may take for one line
TOTAL = 20.0  # and for those of a whole run that were slow to match
_SAMPLE = 1 << 17
_PATIENCE = 3  # lines on which a rule may be stopped before it is taken out
# A line in capitals, word by word: the first one of its forty first words that is a level. The rest of the line is taken along, as otherwise
# the search would try each of its letters.
_LEVEL = re.compile(
    rb"(?:[^A-Z\n]*(?:[A-Z]+[^A-Z\n]+){0,40}?"
    rb"(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|CRIT(?:ICAL)?|ALERT|EMERG(?:ENCY)?|FATAL|SEVERE|PANIC)(?![A-Z]))?[^\n]*\n"
)
LEVELS = ("trace", "debug", "info", "notice", "warning", "error", "critical", "fatal")
_SAME_LEVEL = {
    "warn": "warning", "err": "error", "crit": "critical", "alert": "critical", "severe": "error",
    "emerg": "fatal", "emergency": "fatal", "panic": "fatal",
}  # fmt: skip


class Hit(t.NamedTuple):
    """A line (or message) that a rule matches; ``start`` and ``end`` are places in the data of its block."""

    start: int
    end: int
    rule: int
    text: str
    fields: Fields


class Found(t.NamedTuple):
    """What is in a block: matches, the number of lines (or messages), and how many of each level where these are counted."""

    hits: t.List[Hit]
    lines: int
    levels: t.Dict[str, int]


class Scanner:
    """Rules over blocks, one after the other.

    :arg picked: numbers of those rules that are looked for; all without it
    :ivar stopped: rules that are not looked for any more in this run, and why, as a sentence
    :ivar slow: how many lines a rule was stopped on
    """

    def __init__(
        self,
        rules: t.Sequence[Rule],
        dog: t.Optional[Watchdog] = None,
        strategy: t.Optional[str] = None,
        picked: t.Optional[t.Sequence[int]] = None,
    ) -> None:
        self.rules = rules
        self.stopped: t.Dict[int, str] = {}
        self.slow: t.Dict[int, int] = {}
        self.dog = dog or Watchdog(ONCE, TOTAL)
        self._picked = range(len(rules)) if picked is None else picked
        self._strategy, self._unseen = strategy, WORTH
        self._hungry = 0
        self._choose(b"")
        self._numbers: t.Dict[int, t.List[int]] = {}

    def _choose(self, sample: bytes) -> None:
        """Which text of each rule is looked for."""
        wanted: t.Dict[Literal, int] = {}
        for number in self._picked:
            needs = self.rules[number].needs(sample)
            if needs is None:
                self._hungry |= 1 << number
            for literal in needs or ():
                wanted[literal] = wanted.get(literal, 0) | 1 << number
        self._prefilter = Prefilter(wanted, self._strategy)

    @property
    def strategy(self) -> str:
        """How candidates are found."""
        return self._prefilter.strategy

    @property
    def hungry(self) -> t.List[str]:
        """The rules without a text that must be there: each line is looked at."""
        return [rule.name for number, rule in enumerate(self.rules) if self._hungry >> number & 1]

    def scan(self, block: Block) -> t.List[Hit]:
        """All matches, by place and then by rule."""
        if self._unseen > 0:
            self._unseen -= len(block.data)
            if self._unseen <= 0:  # there is much to look at: now it pays to choose
                self._choose(block.data[:_SAMPLE])
                self._prefilter.hurry()
        found = self._prefilter.candidates(block.data, block.starts)
        hungry = self._hungry | self._prefilter.strange(block.data)
        hits: t.List[Hit] = []
        if hungry:
            self._all_lines(block, hungry, hits)
        for start in sorted(found):  # so that a rule that is stopped on the way is stopped at the same line whatever found it
            bits = found[start] & ~hungry
            if bits:
                end = self._end(block, start)
                text = text_of(block.data[start:end])
                for number in self._of(bits):
                    self._try(number, start, end, text, hits)
        hits.sort(key=lambda hit: (hit.start, hit.rule))
        return hits

    def look(self, block: Block, levels: bool) -> Found:
        """The matches and the numbers."""
        hits, counts = self.scan(block), {}  # type: t.List[Hit], t.Dict[str, int]
        if levels:
            count_levels(block.data, counts)
        return Found(hits, block.data.count(b"\n") if block.starts is None else len(block.starts), counts)

    def try_out(self, block: Block, levels: bool) -> t.Optional[Found]:
        """The same before blocks in front of it were looked at; None where that would differ, as a rule is too slow or cannot be used."""
        slow, stopped = dict(self.slow), dict(self.stopped)
        found = self.look(block, levels)
        if slow == self.slow and stopped == self.stopped:
            return found
        self.slow, self.stopped = slow, stopped
        return None

    def _of(self, bits: int) -> t.List[int]:
        found = self._numbers.get(bits)
        if found is None:
            found = self._numbers[bits] = [number for number in range(bits.bit_length()) if bits >> number & 1]
        return found

    @staticmethod
    def _end(block: Block, start: int) -> int:
        if block.starts is None:
            return block.data.index(b"\n", start)
        import bisect

        after = bisect.bisect_right(block.starts, start)
        return (block.starts[after] if after < len(block.starts) else len(block.data)) - 1

    def _all_lines(self, block: Block, bits: int, hits: t.List[Hit]) -> None:
        numbers = self._of(bits)
        start, data = 0, block.data
        if block.starts is None:
            for raw in data[:-1].split(b"\n"):
                end = start + len(raw)
                text = text_of(raw)
                for number in numbers:
                    self._try(number, start, end, text, hits)
                start = end + 1
            return
        for start in block.starts:
            end = self._end(block, start)
            text = text_of(data[start:end])
            for number in numbers:
                self._try(number, start, end, text, hits)

    def _try(self, number: int, start: int, end: int, text: str, hits: t.List[Hit]) -> None:
        if number in self.stopped:
            return
        dog, rule = self.dog, self.rules[number]
        try:
            dog.turn += 1
            dog.busy = number
            fields = rule.match(text)
            dog.busy = -1
        except TooSlow:
            self._too_slow(number)
            return
        except CannotSee as exc:
            dog.busy = -1
            self.stopped[number] = f"the rule {rule.name} cannot be used: {exc.sentence}"
            return
        except RecursionError:
            dog.busy = -1
            self._too_slow(number)
            return
        if fields is not None:
            hits.append(Hit(start, end, number, text, fields))

    def _too_slow(self, number: int) -> None:
        self.slow[number] = self.slow.get(number, 0) + 1
        if self.slow[number] >= _PATIENCE or self.dog.is_spent(number):
            name = self.rules[number].name
            self.stopped[number] = (
                f"the regular expression of the rule {name} takes too long and was stopped; nothing more was looked for with it in this run"
            )


def text_of(raw: bytes) -> str:
    """A line as text; bytes that are not UTF-8 are kept as lone surrogates. A hole in a file (NULs) in front of a line is not part of it."""
    if raw.startswith(b"\0"):
        raw = raw.lstrip(b"\0")
    if raw.endswith(b"\r"):
        raw = raw[:-1]
    return raw.decode("utf-8", "surrogateescape")


def count_levels(data: bytes, counts: t.Dict[str, int]) -> None:
    """Add the levels of the lines, each line by the first one that it names."""
    for word, number in collections.Counter(_LEVEL.findall(data.upper())).items():
        if word:
            name = word.decode().lower()
            name = _SAME_LEVEL.get(name, name)
            counts[name] = counts.get(name, 0) + number
